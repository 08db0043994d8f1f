//! Stopping and starting a whole stack as it stands.

use super::{
    Applied, Options, Plan, PlannedTask,
    before::{Before, BeforeMembers},
    hosts::{Hosts, Seen},
    lasting::{LastingKind, is_running},
    leftover::{Leftover, leftovers},
    repair::plan_repair,
    task::{Tasks, check_id, task},
    verdict::has_done_its_work,
};
use crate::{
    action::Action,
    id::{HostId, PlanTaskId, StackId},
    inventory::{ContainerStatus, Inventory},
    stack::Condition,
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What can be done to a stack as a whole without changing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackAction {
    /// Stops every container, dependants first.
    Stop,
    /// Starts every container, dependencies first.
    Start,
    /// Stops all, then starts all.
    Restart,
}

/// Plans to stop, start or restart what a stack consists of.
///
/// A container that is as asked already has no task and is listed as unchanged; so is one that has
/// ended well and is awaited by others: it is not run again. One that is to run and is gone from a host that tells what it has
/// is made again, as the applied revision has it, with the image that its host has. What the applied revision does not have where
/// it is was left by a deployment that did not come to its end: it is not started, and goes. What only `options.traces` tells of
/// counts as there, for a stop, too; nothing else of `options` does.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Applied, Options, StackAction};
/// use graphium_core::plan::fixtures::{carried_out, container, hosts, on, stack};
/// use graphium_core::stack::Container;
///
/// let web = Container { depends_on: vec![on("db")], ..container("web") };
/// let shop = stack("shop", vec![container("db"), web]);
/// let plan = plan::plan(&shop, None, &hosts(1), &Options::default()).unwrap();
/// let there = carried_out(&plan, hosts(1));
/// let applied = Applied { stack: shop.clone(), placements: plan.placements };
///
/// // What others need stops last.
/// let stop = plan::plan_action(StackAction::Stop, &shop.id, "shop", Some(&applied), &there, &Options::default());
/// let subjects: Vec<&str> = stop.tasks.iter().map(|task| task.action.subject()).collect();
/// assert_eq!(subjects, ["shop-web", "shop-db"]);
/// ```
pub fn plan_action(
    action: StackAction,
    stack: &StackId,
    name: &str,
    applied: Option<&Applied>,
    observed: &Inventory,
    options: &Options,
) -> Plan {
    let hosts = Hosts::known(observed);
    let seen = Seen::of(observed, stack, name);
    let members = applied.map(BeforeMembers::of);
    let before = members.as_ref().map(|members| members.laid_out(&hosts));
    let parts = leftovers(&seen, applied, &options.traces, |_, _, _| false);
    let (parts, astray): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| {
        action == StackAction::Stop
            || applied.is_none_or(|applied| applied.has(part.name, part.host, &part.engine_name))
    });
    let mut sequence = Sequence::new(before.as_ref(), &parts);
    if let Some(applied) = applied.filter(|_| action != StackAction::Stop) {
        sequence.make_again(applied, observed, &seen);
    }
    if action != StackAction::Start {
        sequence.stop(action == StackAction::Restart);
    }
    if action != StackAction::Stop {
        let late = sequence.make_room(astray);
        sequence.start();
        sequence.take_away(&late);
    }
    let touched = |part: &Leftover<'_>| {
        sequence.tasks.list().iter().any(|task| task.host == *part.host && task.action.subject() == part.engine_name)
    };
    let unchanged = sequence.parts.iter().filter(|part| !touched(part)).map(|part| part.name.to_string()).collect();
    Plan {
        stack: stack.clone(),
        stack_name: name.to_owned(),
        placements: parts.iter().map(|part| (part.name.to_string(), part.host.clone())).collect(),
        unchanged,
        changes: Vec::new(),
        choices: Vec::new(),
        staying: BTreeMap::new(),
        endpoints: Vec::new(),
        warnings: Vec::new(),
        tasks: sequence.tasks.finish(),
    }
}

/// The tasks as they are found, part by part.
struct Sequence<'a, 'p> {
    before: Option<&'p Before<'a, 'p>>,
    /// Everything there is of the stack, dependencies first.
    parts: Vec<&'p Leftover<'a>>,
    by_name: BTreeMap<&'p str, Vec<usize>>,
    /// The tasks of each part so far, by number.
    stops: BTreeMap<usize, usize>,
    starts: BTreeMap<usize, usize>,
    checks: BTreeMap<(usize, Condition), usize>,
    /// The tasks that make parts again which are gone, and what each waits for beside other parts.
    again: BTreeMap<usize, (PlannedTask, Vec<usize>)>,
    /// The tasks that take something away before anything is made on a host.
    room: BTreeMap<&'a HostId, Vec<usize>>,
    tasks: Tasks,
}

impl<'a, 'p> Sequence<'a, 'p> {
    fn new(before: Option<&'p Before<'a, 'p>>, parts: &'p [Leftover<'a>]) -> Self {
        let mut position = BTreeMap::new();
        if let Some(before) = before {
            for (place, &number) in before.layout.members.order.iter().enumerate() {
                position.insert(&*before.layout.members.list[number].name, place);
            }
        }
        let mut sorted: Vec<&Leftover<'_>> = parts.iter().collect();
        sorted.sort_by_key(|part| position.get(part.name).copied().unwrap_or(usize::MAX));
        let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (number, part) in sorted.iter().enumerate() {
            by_name.entry(part.name).or_default().push(number);
        }
        Self {
            before,
            parts: sorted,
            by_name,
            stops: BTreeMap::new(),
            starts: BTreeMap::new(),
            checks: BTreeMap::new(),
            again: BTreeMap::new(),
            room: BTreeMap::new(),
            tasks: Tasks::default(),
        }
    }

    /// Plans what makes those anew that are gone, with what their hosts need for them.
    fn make_again(&mut self, applied: &Applied, observed: &Inventory, seen: &Seen<'_>) {
        let tells = |host: &HostId| {
            observed.host(host).is_some_and(|host| host.offline_since.is_none() && host.engine_error.is_none())
        };
        let is_gone = |part: &&Leftover<'_>| {
            part.seen.is_none()
                && applied.placements.get(part.name) == Some(part.host)
                && tells(part.host)
                && !seen.is_half_way(part.host, &part.engine_name)
        };
        let gone: BTreeSet<String> =
            self.parts.iter().copied().filter(is_gone).map(|part| part.name.to_owned()).collect();
        if gone.is_empty() {
            return;
        }
        let mut prepared: BTreeMap<PlanTaskId, usize> = BTreeMap::new();
        for task in plan_repair(applied, &gone, observed).tasks {
            let first = task.depends_on.iter().filter_map(|id| prepared.get(id).copied()).collect();
            match &task.action {
                Action::Deploy { .. } => {
                    let is_it =
                        |part: &&Leftover<'_>| *part.host == task.host && part.engine_name == task.action.subject();
                    if let Some(number) = self.parts.iter().position(is_it) {
                        self.again.insert(number, (PlannedTask { depends_on: Vec::new(), ..task }, first));
                    }
                }
                Action::Pull { .. } | Action::Network { .. } | Action::Volume { .. } => {
                    let id = task.id.clone();
                    let number = self.tasks.add(PlannedTask { depends_on: Vec::new(), ..task }, first);
                    prepared.insert(id, number);
                }
                // Who waits for whom is for the start to say.
                _ => {}
            }
        }
    }

    fn status(&self, number: usize) -> Option<ContainerStatus> {
        self.parts[number].seen.map(|seen| seen.status)
    }

    /// Whether a part has ended well and shall not run again.
    fn is_done(&self, number: usize) -> bool {
        let part = self.parts[number];
        let (Some(before), Some(seen)) = (self.before, part.seen) else { return false };
        let awaited = before.is_awaited(part.name);
        before.definition(part.name).is_some_and(|definition| has_done_its_work(definition, seen, awaited))
    }

    fn stop(&mut self, again: bool) {
        for number in (0..self.parts.len()).rev() {
            let part = self.parts[number];
            let runs = self.status(number).is_none_or(|status| {
                !matches!(
                    status,
                    ContainerStatus::Exited
                        | ContainerStatus::Stopped
                        | ContainerStatus::Created
                        | ContainerStatus::Dead
                )
            });
            if !runs || self.again.contains_key(&number) {
                continue;
            }
            let dependants = self.before.into_iter().flat_map(|before| before.dependants(part.name));
            let others = dependants.filter_map(|name| self.by_name.get(name)).flatten();
            let first: Vec<usize> = others.filter_map(|other| self.stops.get(other).copied()).collect();
            let why = if again { "the stack is restarted" } else { "the stack is stopped" };
            let name = part.engine_name.to_string();
            let undo = Action::Start { name: name.clone() };
            let task = task(part.task_id("stop"), Action::Stop { name }, part.host, why);
            let lasting = match self.status(number) {
                None => Some(LastingKind::Unseen),
                Some(status) => (!is_running(status)).then_some(LastingKind::State),
            };
            let task = task.of_container(part.name).undone_by(Some(undo)).leaving(lasting);
            self.stops.insert(number, self.tasks.add(task, first));
        }
    }

    /// Takes away what is astray on hosts where something is made, which may want its ports; what is left of it.
    fn make_room(&mut self, astray: Vec<Leftover<'a>>) -> Vec<Leftover<'a>> {
        let makes: BTreeSet<&HostId> = self.again.keys().map(|&number| self.parts[number].host).collect();
        let (early, late): (Vec<_>, Vec<_>) = astray.into_iter().partition(|part| makes.contains(part.host));
        for part in &early {
            let number = self.tasks.add(gone(part), Vec::new());
            self.room.entry(part.host).or_default().push(number);
        }
        late
    }

    /// Takes away what is astray when its successor runs, and those that may have used it.
    fn take_away(&mut self, astray: &[Leftover<'_>]) {
        for part in astray {
            let dependants = self.before.into_iter().flat_map(|before| before.dependants(part.name));
            let names = dependants.chain([part.name]);
            let numbers = names.filter_map(|name| self.by_name.get(name)).flatten();
            let first: Vec<usize> = numbers.filter_map(|number| self.starts.get(number).copied()).collect();
            self.tasks.add(gone(part), first);
        }
    }

    fn start(&mut self) {
        for number in 0..self.parts.len() {
            if let Some((task, mut first)) = self.again.remove(&number) {
                first.extend(self.room.get(self.parts[number].host).into_iter().flatten());
                first.extend(self.gates(number));
                self.starts.insert(number, self.tasks.add(task, first));
                continue;
            }
            let part = self.parts[number];
            let stopped = self.stops.get(&number).copied();
            let runs = matches!(self.status(number), Some(ContainerStatus::Running | ContainerStatus::Restarting));
            if stopped.is_none() && (runs || self.is_done(number)) {
                continue;
            }
            let why = if stopped.is_some() { "the stack is restarted" } else { "the stack is started" };
            let first = stopped.into_iter().chain(self.gates(number));
            let name = part.engine_name.to_string();
            let undo = Action::Stop { name: name.clone() };
            let task = task(part.task_id("start"), Action::Start { name }, part.host, why);
            // Undone it is stopped, which one that was frozen was not.
            let lasting = (self.status(number) == Some(ContainerStatus::Paused)).then_some(LastingKind::State);
            let task = task.of_container(part.name).undone_by(Some(undo)).leaving(lasting);
            self.starts.insert(number, self.tasks.add(task, first));
        }
    }

    /// The tasks that a start waits for; checks are made as they are asked for.
    fn gates(&mut self, number: usize) -> Vec<usize> {
        let name = self.parts[number].name;
        let edges = self.before.map(|before| before.dependencies(name)).unwrap_or_default();
        let mut gates = Vec::new();
        for (on, condition) in edges {
            for &other in self.by_name.get(on).into_iter().flatten() {
                let started = self.starts.get(&other).copied();
                if condition == Condition::Started || self.is_done(other) && started.is_none() {
                    gates.extend(started);
                    continue;
                }
                let part = self.parts[other];
                let tasks = &mut self.tasks;
                gates.push(*self.checks.entry((other, condition)).or_insert_with(|| {
                    let id = format!("{}@{}", check_id(&part.label, condition), part.host);
                    let action = Action::Check { name: part.engine_name.to_string(), condition };
                    let task = task(id, action, part.host, format!("`{name}` waits for it"));
                    tasks.add(task.of_container(part.name), started)
                }));
            }
        }
        gates
    }
}

/// The removal of what is astray.
fn gone(part: &Leftover<'_>) -> PlannedTask {
    let action = Action::Delete { name: part.engine_name.to_string() };
    task(part.task_id("delete"), action, part.host, "its stack has nothing there any more").of_container(part.name)
}
