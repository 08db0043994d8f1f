//! Containers of others, and those of them that have become ours.
//!
//! Whose a container is the watcher knows by what was done to it on its engine: it is foreign until an adoption took effect on
//! it, and what an adoption has made ours is known by its id. Where nothing was to be done, since it has its name already, an
//! agent that ended meanwhile has made it ours by what it had written down: its successor takes that up.

use super::{
    bug::Bug,
    dice::Dice,
    executor::Process,
    promise::Promise,
    stacks,
    world::{Grant, World},
};
use crate::{
    action::TaskType,
    control::AdoptOptions,
    id::TaskId,
    runtime::{Adoption, ContainerRuntime as _, ContainerSpec, ContainerState, RuntimeError, label},
    stack::Stack,
    testing::{FakeRuntime, Operation, Thing},
};
use futures::FutureExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";

/// A container: the number of its host, and the engine's id.
pub(super) type Place = (usize, String);

/// Containers of a project by the names that they have in it, each with the number of its host and as it was made.
pub(super) type Project = BTreeMap<String, (usize, ContainerState)>;

/// Whose what is.
#[derive(Debug, Default)]
pub(super) struct Owners {
    /// Containers of others, as they were made.
    foreign: BTreeMap<Place, ContainerState>,
    /// What an adoption has made ours, as it took effect last.
    adopted: BTreeMap<Place, Adoption>,
    /// Attempts to adopt that an engine has refused.
    refused: BTreeSet<(String, String)>,
    /// What operators have asked to be adopted, each with the name of its stack.
    asked: Vec<(String, AdoptOptions)>,
    /// Projects of others, by name: what a stack of each would be.
    projects: BTreeMap<String, Stack>,
}

impl Owners {
    /// An operator is about to ask for that.
    pub(super) fn will_adopt(&mut self, stack: &Stack, options: &AdoptOptions) {
        self.asked.push((stack.name.clone(), options.clone()));
    }

    /// A document of what somebody runs as a project of that name.
    pub(super) fn project(&self, name: &str) -> Option<&Stack> {
        self.projects.get(name)
    }

    /// Whether somebody has asked for a container to become that of a stack.
    fn is_asked(&self, was: &ContainerState, host: &str, adoption: &Adoption) -> bool {
        let (observed, text) = (&was.observed, |name: &str| adoption.labels.get(name).map(String::as_str));
        let (stack, container) = (text(label::STACK_NAME), text(label::CONTAINER));
        self.asked.iter().filter(|(name, _)| Some(name.as_str()) == stack).any(|(name, options)| {
            let chosen = container.and_then(|container| options.containers.get(container));
            if let Some(chosen) = chosen {
                let (on, word) = chosen.split_once('/').unwrap_or((host, chosen));
                return on == host && (word == observed.name || observed.id.starts_with(word));
            }
            let project = options.project.as_ref().unwrap_or(name);
            observed.name == adoption.name
                || observed.label(PROJECT) == Some(project) && observed.label(SERVICE) == container
        })
    }
}

/// A container of that id, whatever its name is.
fn of_id(runtime: &FakeRuntime, id: &str) -> Option<ContainerState> {
    runtime.containers().into_iter().find(|state| state.observed.id == id)
}

/// What an adoption must leave as it is.
fn life(state: &ContainerState) -> impl PartialEq + std::fmt::Debug + use<> {
    (state.started_at, state.restart_count, state.status(), state.observed.ports.clone())
}

impl World {
    /// Somebody starts a container by hand, under a name that may be wanted.
    pub(super) fn make_foreign(&self, host: usize, name: &str) {
        self.hosts[host].runtime.make_foreign(Thing::Container, name);
        self.is_foreign(host, name);
        self.state().has_excuse = true;
    }

    /// From now on a container is somebody's, as it is.
    pub(super) fn is_foreign(&self, host: usize, name: &str) {
        if let Some(state) = self.hosts[host].runtime.container(name) {
            self.owners().foreign.insert((host, state.observed.id.clone()), state);
        }
    }

    /// Somebody starts a project by hand, spread over the hosts: what a stack of that name would be, and which containers are new.
    /// What is there already stays.
    pub(super) fn start_project(&self, name: &str, most_other: u16) -> (Stack, Project) {
        let mut project = Project::new();
        let hosts: Vec<_> = self.hosts.iter().map(|host| host.id.clone()).collect();
        let mut stack = self.throw(|dice| stacks::project(dice, name, &hosts));
        if self.is_unobstructed {
            stack.containers.iter_mut().for_each(|container| Arc::make_mut(container).ports.clear());
        }
        for container in &stack.containers {
            let (anywhere, is_other, is_named) =
                self.throw(|dice| (dice.below(hosts.len()), dice.chance(most_other), dice.chance(most_other)));
            let host = hosts.iter().position(|host| Some(host) == container.host.as_ref()).unwrap_or(anywhere);
            let is_named = is_named && !self.is_unobstructed;
            let called =
                if is_named { stack.engine_name(&container.name) } else { format!("{name}-{}-1", container.name) };
            let runtime = &self.hosts[host].runtime;
            if runtime.container(&called).is_some() {
                continue;
            }
            let mut definition = (**container).clone();
            if is_other {
                definition.image = "other:1".to_owned();
            }
            self.tell(&self.name(Process::Engine(host)), || format!("somebody starts {called} as of a project"));
            let mut spec = ContainerSpec::new(&called, definition);
            spec.network = Some(Arc::from(format!("{name}_default")));
            let labels = [(PROJECT, name), (SERVICE, &container.name)];
            runtime.run_foreign(spec, labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
            self.is_foreign(host, &called);
            let made = runtime.container(&called).map(|state| (host, state));
            project.extend(made.map(|made| (container.name.clone(), made)));
            // A name or a port that somebody may want.
            self.state().has_excuse |= is_named || !container.ports.is_empty();
        }
        self.owners().projects.insert(name.to_owned(), stack.clone());
        (stack, project)
    }

    /// Somebody ends a container of their own, or takes it away.
    pub(super) fn disturb_foreign(&self) {
        let all: Vec<Place> = self.owners().foreign.keys().cloned().collect();
        let (place, goes) = self.throw(|dice| (dice.pick(&all).cloned(), dice.chance(500)));
        let Some((host, id)) = place else { return };
        let runtime = &self.hosts[host].runtime;
        let Some(name) = of_id(runtime, &id).map(|state| state.observed.name) else { return };
        let engine = self.name(Process::Engine(host));
        if goes {
            self.tell(&engine, || format!("somebody removes {name}, which is theirs"));
            runtime.vanish(&name);
            self.owners().foreign.remove(&(host, id));
        } else {
            self.tell(&engine, || format!("somebody ends {name}, which is theirs"));
            runtime.kill(&name);
            self.is_foreign(host, &name);
        }
    }

    /// The containers of a host, those that were adopted with the labels that they count as bearing.
    pub(super) fn shown(&self, host: usize) -> Vec<ContainerState> {
        let mut all = self.hosts[host].runtime.containers();
        let owners = self.owners();
        for state in all.iter_mut().filter(|_| !owners.adopted.is_empty()) {
            let observed = &mut state.observed;
            let adoption = owners.adopted.get(&(host, observed.id.clone()));
            if let Some(adoption) = adoption.filter(|adoption| adoption.is_of(&observed.id, &observed.name)) {
                observed.labels.retain(|key, _| !label::is_ours(key));
                observed.labels.extend(adoption.labels.clone());
            }
        }
        all
    }

    /// What belongs to somebody else is as it was made.
    pub(super) fn look_at_foreign(&self) {
        let broken = self.owners().foreign.iter().find_map(|((host, id), before)| {
            let now = of_id(&self.hosts[*host].runtime, id);
            (now.as_ref() != Some(before)).then(|| {
                format!("container {} of {} is not ours, and is {now:?}", before.observed.name, self.hosts[*host].id)
            })
        });
        if let Some(detail) = broken {
            self.judge().accuse(Promise::ForeignUntouched, detail);
        }
    }

    /// What was adopted and is there is kept as that by whoever serves its host, and nothing else is.
    pub(super) fn look_at_adopted(&self) {
        for (host, node) in self.hosts.iter().enumerate() {
            let kept = node.journal.memory().adopted;
            for ((_, id), adoption) in self.owners().adopted.iter().filter(|((on, _), _)| *on == host) {
                let is_there = of_id(&node.runtime, id).is_some_and(|state| adoption.is_of(id, &state.observed.name));
                // A later attempt writes down the same once more, with its own number.
                let is_kept = kept.iter().any(|one| {
                    let stack = |adoption: &Adoption| adoption.labels.get(label::STACK).cloned();
                    one.id == *id && one.name == adoption.name && stack(one) == stack(adoption)
                });
                if is_there && !is_kept {
                    let detail = format!("{} was adopted on {}, and nobody remembers", adoption.name, node.id);
                    self.judge().accuse(Promise::AdoptedStays, detail);
                }
            }
        }
    }

    /// The name that a container has now.
    pub(super) fn called(&self, host: usize, id: &str) -> Option<String> {
        of_id(&self.hosts[host].runtime, id).map(|state| state.observed.name)
    }

    /// What an engine understands that is told to let something be adopted.
    pub(super) fn spoil_adoption(&self, host: usize, adoption: &Adoption) -> Adoption {
        let mut adoption = adoption.clone();
        if self.has(Bug::WrongOneAdopted) {
            let owners = self.owners();
            let other = owners.foreign.keys().find(|(on, id)| *on == host && *id != adoption.id);
            adoption.id = other.map_or(adoption.id, |(_, id)| id.clone());
        }
        adoption
    }

    /// An adoption takes effect on an engine.
    pub(super) fn adopts(
        &self,
        host: usize,
        fake: &FakeRuntime,
        adoption: &Adoption,
        by: Option<&Grant>,
    ) -> Result<(), RuntimeError> {
        let node = &self.hosts[host];
        let was = of_id(&node.runtime, &adoption.id);
        let others = self.others(host, &adoption.id);
        let silence = || Err(RuntimeError::Failed("the fake waits".to_owned()));
        fake.adopt(adoption).now_or_never().unwrap_or_else(silence)?;
        if self.has(Bug::AdoptionRestarts) {
            drop(fake.stop(&adoption.name, None).now_or_never());
            drop(fake.start(&adoption.name).now_or_never());
        }
        let is = of_id(&node.runtime, &adoption.id);
        let place = (host, adoption.id.clone());
        let mut broken = None;
        if was.as_ref().map(life) != is.as_ref().map(life) {
            let detail = format!("{} on {} was {was:?} before it was adopted, and is {is:?}", adoption.name, node.id);
            broken = Some((Promise::AdoptedAsItRuns, detail));
        }
        if self.others(host, &adoption.id) != others {
            let detail = format!("{} is adopted on {}, and another container is not as it was", adoption.name, node.id);
            broken = Some((Promise::ForeignUntouched, detail));
        }
        if let Some(was) = &was {
            let owner = self.owner(host, was);
            let stack = adoption.labels.get(label::STACK);
            if let Some(owner) = owner.filter(|owner| Some(owner) != stack) {
                let detail = format!("{} of {owner} on {} is given to {stack:?}", was.observed.name, node.id);
                broken = Some((Promise::OneOwner, detail));
            }
            let mut owners = self.owners();
            let is_free = owners.foreign.contains_key(&place);
            let is_asked = by.is_some_and(|by| by.kind == TaskType::Adopt);
            if is_free && !(is_asked && owners.is_asked(was, node.id.as_str(), adoption)) {
                let detail = format!("{} of {} is adopted, and nobody has asked for it", was.observed.name, node.id);
                broken = Some((Promise::ForeignUntouched, detail));
            }
            owners.foreign.remove(&place);
            // An attempt that got no answer may be followed by one that is refused, which ends the task: what the engine does for the
            // first after that is an adoption that nobody can know of.
            if !by.is_some_and(|by| self.is_over(&by.task)) {
                owners.adopted.insert(place, adoption.clone());
            }
            drop(owners);
            if was.observed.name != adoption.name {
                self.judge().effect(&node.id, Operation::Adopt, &adoption.name, &adoption.id, by);
            }
        }
        if let Some((promise, detail)) = broken {
            self.judge().accuse(promise, detail);
        }
        Ok(())
    }

    /// Whether a task is over, or was let go of since.
    fn is_over(&self, task: &TaskId) -> bool {
        self.store.look_at_task(task, |task| task.status.is_terminal()).unwrap_or(true)
    }

    /// An engine lets nothing be adopted by that attempt: it stays whose it was.
    pub(super) fn refuses(&self, by: &Grant) {
        self.owners().refused.insert((by.task.to_string(), by.attempt.to_string()));
    }

    /// An agent takes up what the one before it has written down.
    pub(super) fn recalls(&self, host: usize, adoptions: &[Adoption]) {
        let node = &self.hosts[host];
        let mut owners = self.owners();
        for adoption in adoptions {
            let place = (host, adoption.id.clone());
            let is_taken_up = owners.foreign.get(&place).is_some_and(|was| {
                adoption.is_of(&adoption.id, &was.observed.name)
                    && owners.is_asked(was, node.id.as_str(), adoption)
                    && of_id(&node.runtime, &adoption.id).as_ref() == Some(was)
            });
            let text = |name| adoption.labels.get(name).cloned().unwrap_or_default();
            if is_taken_up && !owners.refused.contains(&(text(label::TASK), text(label::ATTEMPT))) {
                owners.foreign.remove(&place);
                owners.adopted.insert(place, adoption.clone());
            }
        }
    }

    /// Everything on a host but one container.
    fn others(&self, host: usize, id: &str) -> Vec<ContainerState> {
        let mut all = self.hosts[host].runtime.containers();
        all.retain(|state| state.observed.id != id);
        all
    }

    /// The stack that a container is of, and that lives and has it there.
    fn owner(&self, host: usize, was: &ContainerState) -> Option<String> {
        let shown = self.shown(host).into_iter().find(|state| state.observed.id == was.observed.id)?;
        let stack = shown.observed.stack()?;
        let lives = self.stack_records().into_iter().any(|record| {
            let record = record.value;
            record.id == stack
                && record.applied.placements.iter().any(|(container, place)| {
                    *place == self.hosts[host].id && record.applied.stack.engine_name(container) == shown.observed.name
                })
        });
        lives.then(|| stack.to_string())
    }
}

/// What an operator may say of an adoption: which containers, of which project, as they are or as the document says.
pub(super) fn options(dice: &mut Dice, stack: &Stack, names: &[String], all: &[(String, String)]) -> AdoptOptions {
    let mut options = AdoptOptions { accept_differences: dice.chance(300), ..AdoptOptions::default() };
    if dice.chance(150) {
        options.project = dice.pick(names).cloned();
    }
    if dice.chance(250)
        && let Some((host, name)) = dice.pick(all)
        && let Some(container) = dice.pick(&stack.containers)
    {
        options.containers.insert(container.name.clone(), format!("{host}/{name}"));
    }
    options
}

impl World {
    /// Every container that there is, as operators name it: its host, and its name.
    pub(super) fn everything(&self) -> Vec<(String, String)> {
        let each = self.hosts.iter().flat_map(|host| {
            let on = host.id.to_string();
            host.runtime.containers().into_iter().map(move |state| (on.clone(), state.observed.name))
        });
        each.collect()
    }
}
