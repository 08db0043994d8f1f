//! Which container that runs is which of a stack.

use super::{AdoptOptions, MOST_ADOPTED, StackRecord, StackStatus};
use crate::{
    diagnostic::{Diagnostic, Property, Subject},
    id::{HostId, StackId},
    inventory::{ContainerStatus, Inventory, ObservedContainer},
    plan::{Adoptee, adoptable},
    runtime::{beside, label},
    stack::{Container, Stack},
};
use std::collections::{BTreeMap, BTreeSet};

const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";
const NUMBER: &str = "com.docker.compose.container-number";
const ONE_OFF: &str = "com.docker.compose.oneoff";

/// What decides beside the document and what was seen.
pub(super) struct Chosen<'a> {
    pub(super) options: &'a AdoptOptions,
    /// Containers that bear our labels and that no stack wants, by host and name.
    pub(super) free: BTreeSet<String>,
    /// The stacks that are about to adopt something, by its host and the engine's id.
    pub(super) awaited: BTreeMap<(HostId, String), StackId>,
    /// The stack as it is, if it is there.
    pub(super) known: Option<&'a StackRecord>,
}

/// What was found.
pub(super) struct Found {
    pub(super) adoptees: Vec<Adoptee>,
    /// Containers that are the stack's own already.
    pub(super) own: BTreeMap<String, HostId>,
}

/// Finds a container for each of a stack, or says of all for which there is none why.
pub(super) fn find(stack: &Stack, inventory: &Inventory, chosen: &Chosen<'_>) -> Result<Found, Vec<Diagnostic>> {
    let wanted = adoptable(stack);
    let mut search = Search { stack, inventory, chosen, errors: Vec::new() };
    let named: BTreeSet<&str> = wanted.iter().map(|(name, ..)| name.as_str()).collect();
    for name in chosen.options.containers.keys().filter(|name| !named.contains(name.as_str())) {
        let all: Vec<&str> = named.iter().copied().collect();
        search.refuse(
            "adopt-unknown",
            Subject::stack(),
            format!("the stack has no container `{name}` that one could be chosen for"),
            format!("its containers are {}", all.join(", ")),
        );
    }
    let mut found = Found { adoptees: Vec::new(), own: BTreeMap::new() };
    for (name, definition, number) in &wanted {
        if let Some(own) = search.own(name) {
            search.refuse_stopped(name, definition, own);
            found.own.insert(name.clone(), own.hosted_on.clone());
        } else if let Some(one) = search.one(name, definition, *number) {
            found.adoptees.push(Adoptee {
                container: name.clone(),
                host_id: one.hosted_on.clone(),
                container_id: one.id.clone(),
                container_name: one.name.clone(),
                engine_name: stack.engine_name(name),
                was: one.label(label::STACK).map(str::to_owned),
            });
        }
    }
    search.refuse_twice(&found.adoptees);
    search.refuse_taken_names(&found.adoptees);
    if found.adoptees.len() > MOST_ADOPTED {
        let message = format!("{} containers are more than can be adopted at once", found.adoptees.len());
        search.refuse(
            "adopt-too-many",
            Subject::stack(),
            message,
            format!("adopt at most {MOST_ADOPTED}: split the stack"),
        );
    }
    if search.errors.is_empty() { Ok(found) } else { Err(search.errors) }
}

/// Containers that the document has on other hosts than they are on.
pub(super) fn elsewhere(found: &Found, placements: &BTreeMap<String, HostId>) -> Vec<Diagnostic> {
    let moved = found.adoptees.iter().filter_map(|one| Some((one, placements.get(&one.container)?)));
    let errors = moved.filter(|(one, host)| **host != one.host_id).map(|(one, host)| {
        let message = format!("`{}` runs on `{}`, and the stack would have it on `{host}`", one.container, one.host_id);
        Diagnostic::error("adopt-elsewhere", "", message)
            .about(Subject::container(&one.container).property(Property::Host))
            .with_help(format!("bind it to where it is: `\"locatedInHost\": \"{}\"`", one.host_id))
    });
    errors.collect()
}

struct Search<'a> {
    stack: &'a Stack,
    inventory: &'a Inventory,
    chosen: &'a Chosen<'a>,
    errors: Vec<Diagnostic>,
}

impl<'a> Search<'a> {
    fn refuse(&mut self, code: &'static str, subject: Subject, message: String, help: String) {
        self.errors.push(Diagnostic::error(code, "", message).about(subject).with_help(help));
    }

    /// Where a container of the stack is its own already.
    fn own(&self, name: &str) -> Option<&'a ObservedContainer> {
        let record = self.chosen.known?;
        let host = record.applied.placements.get(name)?;
        let engine_name = self.stack.engine_name(name);
        let is_it = |seen: &&ObservedContainer| {
            seen.hosted_on == *host
                && seen.name == engine_name
                && seen.label(label::STACK) == Some(self.stack.id.as_str())
                && !self.chosen.free.contains(&id_of(seen))
        };
        self.inventory.containers.iter().find(is_it)
    }

    /// The one that is meant; otherwise what stands against it is noted.
    fn one(&mut self, name: &str, definition: &Container, number: usize) -> Option<&'a ObservedContainer> {
        let subject = || Subject::container(definition.name.as_str());
        let (candidates, by) = self.candidates(name, definition, number);
        match *candidates.as_slice() {
            [] => {
                let place = match definition.host.as_ref().or(self.chosen.options.host.as_ref()) {
                    Some(host) => format!(" on host `{host}`"),
                    None => String::new(),
                };
                let message = match self.chosen.options.containers.get(name) {
                    Some(asked) => format!("there is no container `{asked}`{place} that could become `{name}`"),
                    None => format!("no container was seen{place} that is known as `{name}`"),
                };
                let help = format!(
                    "one is known by its name, `{}`, by the project and service of Compose, or is named: \
                     `--container {name}=HOST/NAME`; what is not there yet is deployed after the rest was adopted",
                    self.stack.engine_name(name)
                );
                self.refuse("adopt-none", subject(), message, help);
                None
            }
            [one] => self.fit(name, definition, one).then_some(one),
            ref several => {
                let all: Vec<String> = several.iter().map(|seen| format!("`{}`", id_of(seen))).collect();
                let message = format!("{} could all become `{name}`, {by}", all.join(" and "));
                let help = format!("say which: `--container {name}={}`, or `--host`", id_of(several[0]));
                self.refuse("adopt-ambiguous", subject(), message, help);
                None
            }
        }
    }

    /// Those that could be meant, by the surest sign that there is, and by which.
    fn candidates(
        &self,
        name: &str,
        definition: &Container,
        number: usize,
    ) -> (Vec<&'a ObservedContainer>, &'static str) {
        let options = self.chosen.options;
        let hosts = [definition.host.as_ref(), options.host.as_ref()];
        let near = self.inventory.containers.iter().filter(|seen| {
            let is_there = hosts.into_iter().flatten().all(|host| *host == seen.hosted_on);
            // What has no id is only expected.
            is_there && !seen.id.is_empty() && beside::principal(&seen.name).is_none()
        });
        let near: Vec<&ObservedContainer> = near.collect();
        let pick = |is_it: &dyn Fn(&ObservedContainer) -> bool| -> Vec<&'a ObservedContainer> {
            near.iter().copied().filter(|seen| is_it(seen)).collect()
        };
        if let Some(asked) = options.containers.get(name) {
            let (host, word) = asked.split_once('/').map_or((None, asked.as_str()), |(host, word)| (Some(host), word));
            let is_here = |seen: &ObservedContainer| host.is_none_or(|host| seen.hosted_on == HostId::new(host));
            let by_name = pick(&|seen| is_here(seen) && seen.name == word);
            let long_enough = word.len() >= 4;
            let by_id = || pick(&|seen| is_here(seen) && long_enough && seen.id.starts_with(word));
            return (if by_name.is_empty() { by_id() } else { by_name }, "by what was asked for");
        }
        let engine_name = self.stack.engine_name(name);
        let project = options.project.as_deref().unwrap_or(&self.stack.name);
        let of_compose = |seen: &ObservedContainer| {
            let is_number = !definition.is_replicated() || seen.label(NUMBER) == Some(number.to_string().as_str());
            seen.label(PROJECT) == Some(project)
                && seen.label(SERVICE) == Some(definition.name.as_str())
                && seen.label(ONE_OFF).is_none_or(|word| !word.eq_ignore_ascii_case("true"))
                && is_number
        };
        let was_ours = |seen: &ObservedContainer| {
            seen.label(label::CONTAINER) == Some(name)
                && (seen.label(label::STACK) == Some(self.stack.id.as_str())
                    || seen.label(label::STACK_NAME) == Some(self.stack.name.as_str()))
        };
        let by_name = pick(&|seen| seen.name == engine_name);
        if !by_name.is_empty() {
            return (by_name, "by their names");
        }
        let ours = pick(&was_ours);
        if !ours.is_empty() {
            return (ours, "by our labels");
        }
        (pick(&of_compose), "by the labels of Compose")
    }

    /// Whether one can be adopted; otherwise why not is noted.
    fn fit(&mut self, name: &str, definition: &Container, seen: &ObservedContainer) -> bool {
        let subject = Subject::container(definition.name.as_str());
        let id = id_of(seen);
        if let Some(owner) = seen.label(label::STACK).filter(|_| !self.chosen.free.contains(&id)) {
            let message = format!("`{id}` is of the stack `{owner}`, and is not given to `{name}`");
            let help = "remove it from that stack first, or choose another; what nobody wants is in `graphium orphans`";
            self.refuse("adopt-owned", subject, message, help.to_owned());
            return false;
        }
        let place = (seen.hosted_on.clone(), seen.id.clone());
        if let Some(other) = self.chosen.awaited.get(&place).filter(|other| **other != self.stack.id) {
            let message = format!("`{id}` is about to become one of the stack `{other}`, and is not given to `{name}`");
            let help = "choose another, or wait for how that ends";
            self.refuse("adopt-owned", subject, message, help.to_owned());
            return false;
        }
        if seen.status != ContainerStatus::Running {
            let message =
                format!("`{id}`, which would become `{name}`, is {}: only what runs is adopted", seen.status.as_str());
            let help = "start it, or remove it and let the stack make one of its own";
            self.refuse("adopt-not-running", subject, message, help.to_owned());
            return false;
        }
        true
    }

    /// What was stopped with its stack would be said to run afterwards.
    fn refuse_stopped(&mut self, name: &str, definition: &Container, own: &ObservedContainer) {
        let stopped = self.chosen.known.filter(|record| record.status == StackStatus::Stopped);
        if let Some(record) = stopped.filter(|_| own.status != ContainerStatus::Running) {
            let message = format!(
                "`{}`, which is the `{name}` of the stack already, is {}: the stack is stopped",
                id_of(own),
                own.status.as_str()
            );
            let help = format!("start the stack first: `graphium stack start {}`", record.name);
            self.refuse("adopt-not-running", Subject::container(definition.name.as_str()), message, help);
        }
    }

    fn refuse_twice(&mut self, adoptees: &[Adoptee]) {
        let mut seen: BTreeMap<(&HostId, &str), &str> = BTreeMap::new();
        let mut twice = Vec::new();
        for one in adoptees {
            if let Some(other) = seen.insert((&one.host_id, &one.container_id), &one.container) {
                twice.push((
                    one.container.clone(),
                    format!(
                        "`{}/{}` cannot become both `{other}` and `{}`",
                        one.host_id, one.container_name, one.container
                    ),
                ));
            }
        }
        for (container, message) in twice {
            let help = "choose another for one of them: `--container NAME=HOST/NAME`";
            self.refuse("adopt-ambiguous", Subject::container(container), message, help.to_owned());
        }
    }

    /// Another container may have the name that one would get.
    fn refuse_taken_names(&mut self, adoptees: &[Adoptee]) {
        for one in adoptees {
            let holder = self.inventory.containers.iter().find(|seen| {
                seen.hosted_on == one.host_id && seen.name == one.engine_name && seen.id != one.container_id
            });
            if let Some(holder) = holder {
                let message = format!(
                    "`{}` would be called `{}` on `{}`, and another container is",
                    one.container_name, one.engine_name, one.host_id
                );
                let help =
                    format!("rename or remove that one (`docker rename {} …`), or rename the container", holder.name);
                self.refuse("adopt-name-taken", Subject::container(&one.container), message, help);
            }
        }
    }
}

fn id_of(seen: &ObservedContainer) -> String {
    format!("{}/{}", seen.hosted_on, seen.name)
}
