//! Watches everything that happens and says when a promise is broken.

use super::{
    promise::{Breach, Promise},
    world::{Grant, World},
};
use crate::{
    action::Action,
    event::{Event, EventSink, EventType},
    id::{DeploymentId, HostId, StackId, TaskId},
    runtime::{SpecHash, beside},
    stack::UpdateOrder,
    task::{Gate, MAX_LOST, Task, TaskStatus},
    testing::Operation,
};
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

/// What is known of all that happened, by those who asked for it and by the events; never by what the store says of itself.
#[derive(Debug, Default)]
pub(super) struct Judge {
    breach: Option<Breach>,
    /// The last event that was looked at, and the last that the present server has published.
    pub(super) seen: u64,
    published: u64,
    tasks: BTreeMap<TaskId, Known>,
    by_deployment: BTreeMap<DeploymentId, Vec<TaskId>>,
    open: usize,
    /// Deployments of which an operator has had something tried again.
    retried: BTreeSet<DeploymentId>,
    effects: BTreeSet<(TaskId, u32, u64, &'static str, String)>,
    newest: BTreeMap<TaskId, u32>,
    running: BTreeMap<TaskId, (HostId, u32)>,
    /// Containers that something has befallen since an attempt at them began, by host and name.
    befallen: BTreeSet<(HostId, String)>,
    /// Deployments that were taken back, and what took each back.
    pub(super) taken_back: BTreeMap<DeploymentId, DeploymentId>,
    /// How often each container (stack, host and name) was brought back since somebody asked something of its stack.
    pub(super) repairs: BTreeMap<(String, HostId, String), usize>,
    /// What operators were told was taken on.
    pub(super) acknowledged: BTreeMap<DeploymentId, StackId>,
    /// Deployments that the store has let go of, and the last event that it has.
    pub(super) pruned: BTreeSet<DeploymentId>,
    pub(super) pruned_up_to: u64,
}

/// A task as it was planned, and as the events show it.
#[derive(Debug)]
struct Known {
    planned: Planned,
    status: Option<TaskStatus>,
    /// When it came to that.
    since: Option<Timestamp>,
}

#[derive(Debug)]
struct Planned {
    plan_id: String,
    deployment: Option<DeploymentId>,
    depends_on: Vec<TaskId>,
    gate: Gate,
    max_retries: u32,
    /// The definition of one that is to start before the old one goes.
    starts_first: Option<SpecHash>,
}

impl Judge {
    pub(super) fn breach(&self) -> Option<&Breach> {
        self.breach.as_ref()
    }

    /// Notes a broken promise; the first counts.
    pub(super) fn accuse(&mut self, promise: Promise, detail: String) {
        self.breach.get_or_insert(Breach { promise, detail });
    }

    /// How many tasks have not ended.
    pub(super) fn open_tasks(&self) -> usize {
        self.open
    }

    /// How many tasks were planned.
    pub(super) fn planned_tasks(&self) -> usize {
        self.tasks.len()
    }

    /// A plan goes to the store.
    pub(super) fn planned(&mut self, tasks: &[Task]) {
        for task in tasks {
            let planned = Planned {
                plan_id: task.plan_id.clone(),
                deployment: task.deployment_id.clone(),
                depends_on: task.depends_on.clone(),
                gate: task.gate,
                max_retries: task.max_retries,
                starts_first: match &*task.payload {
                    Action::Update { spec, order: UpdateOrder::StartFirst, .. } => Some(spec.planned_hash()),
                    _ => None,
                },
            };
            self.tasks.entry(task.id.clone()).or_insert(Known { planned, status: None, since: None });
        }
    }

    /// An operator is about to have a task tried again: when that arrives, what has ended may begin anew.
    pub(super) fn will_retry(&mut self, deployment: DeploymentId) {
        self.retried.insert(deployment);
    }

    /// Statuses of the tasks of a deployment.
    pub(super) fn statuses(&self, deployment: &DeploymentId) -> impl Iterator<Item = TaskStatus> {
        let ids = self.by_deployment.get(deployment).into_iter().flatten();
        ids.filter_map(|id| self.tasks.get(id)?.status)
    }

    /// All work with its tasks: deployments, and what is of none.
    pub(super) fn deployments(&self) -> impl Iterator<Item = (&DeploymentId, &Vec<TaskId>)> {
        self.by_deployment.iter()
    }

    /// When the last of the tasks of a deployment came to where it is.
    pub(super) fn end_of(&self, deployment: &DeploymentId) -> Option<Timestamp> {
        self.by_deployment.get(deployment)?.iter().filter_map(|id| self.tasks.get(id)?.since).max()
    }

    /// When the last of all tasks came to where it is.
    pub(super) fn last_end(&self) -> Option<Timestamp> {
        self.tasks.values().filter_map(|known| known.since).max()
    }

    /// Some tasks, to look at their ends: those that have ended without success, with their deployments.
    pub(super) fn unsuccessful(&self) -> Vec<(TaskId, DeploymentId)> {
        self.of_status(|status| matches!(status, TaskStatus::Failed | TaskStatus::Cancelled))
    }

    /// Tasks that have not ended.
    pub(super) fn unfinished(&self) -> Vec<(TaskId, DeploymentId)> {
        self.of_status(|status| !status.is_terminal())
    }

    fn of_status(&self, is_wanted: impl Fn(TaskStatus) -> bool) -> Vec<(TaskId, DeploymentId)> {
        let wanted = self.tasks.iter().filter(|(_, known)| known.status.is_some_and(&is_wanted));
        wanted.filter_map(|(id, known)| Some((id.clone(), known.planned.deployment.clone()?))).collect()
    }

    /// Takes in one event of a task.
    pub(super) fn task_event(&mut self, event: &Event) {
        let data = &event.data;
        let text = |name: &str| data.get(name).and_then(serde_json::Value::as_str);
        let number = |name: &str| data.get(name).and_then(serde_json::Value::as_u64).unwrap_or(0);
        let Some(id) = text("@id").map(TaskId::new) else { return };
        let says = text("status");
        let Some(status) = TaskStatus::ALL.into_iter().find(|status| says == Some(status.as_str())) else { return };
        let Some(known) = self.tasks.get(&id) else {
            return self.accuse(Promise::AcknowledgedSurvives, format!("{id} was never planned"));
        };
        let before = known.status;
        let planned = &known.planned;
        let is_retried = planned.deployment.as_ref().is_some_and(|deployment| self.retried.contains(deployment));
        let name = format!("{id} ({})", planned.plan_id);
        if let Some(before) = before.filter(|before| before.is_terminal() && *before != status && !is_retried) {
            let detail = format!("{name} was {} and is {}", before.as_str(), status.as_str());
            return self.accuse(Promise::EndsAreFinal, detail);
        }
        if status.is_leased() && !before.is_some_and(TaskStatus::is_leased) {
            let first = planned.depends_on.iter().find(|first| {
                let status = self.tasks.get(*first).and_then(|first| first.status);
                !status.is_some_and(|status| planned.gate.is_opened_by(status))
            });
            if let Some(first) = first {
                return self.accuse(Promise::OrderKept, format!("{name} is handed out before {first} has ended"));
            }
        }
        let (attempt, retries) = (number("attempt"), number("retryCount"));
        let most = u64::from(planned.max_retries);
        if retries > most || (!is_retried && attempt > most + 1 + u64::from(MAX_LOST)) {
            let detail = format!("{name} may be tried again {most} time(s): attempt {attempt}, retry {retries}");
            return self.accuse(Promise::AttemptsBounded, detail);
        }
        let deployment = planned.deployment.clone();
        if let Some(known) = self.tasks.get_mut(&id) {
            known.status = Some(status);
            known.since = Some(event.timestamp);
        }
        if before.is_none() {
            // One of no deployment is work of its own.
            let work = deployment.unwrap_or_else(|| DeploymentId::new(id.as_str()));
            self.by_deployment.entry(work).or_default().push(id);
        }
        let was_open = before.is_some_and(|before| !before.is_terminal());
        self.open = self.open + usize::from(!status.is_terminal()) - usize::from(was_open);
    }

    /// A new server follows the events from here on.
    pub(super) fn follow_from(&mut self, last: u64) {
        self.published = last;
    }

    fn published(&mut self, events: &[Event]) {
        for event in events {
            // Those between are gone: who comes late goes on with what is left.
            let is_resumed = event.seq > self.published && event.seq <= self.pruned_up_to + 1;
            if self.published != 0 && event.seq != self.published + 1 && !is_resumed {
                let detail = format!("event {} follows event {}", event.seq, self.published);
                self.accuse(Promise::EventsGapless, detail);
            }
            self.published = event.seq;
        }
    }

    /// An attempt begins on its host.
    pub(super) fn attempt_began(&mut self, host: &HostId, grant: &Grant) {
        self.befallen.remove(&(host.clone(), grant.subject.clone()));
        if let Some((other, attempt)) = self.running.insert(grant.task.clone(), (host.clone(), grant.attempt)) {
            let detail = format!(
                "{} begins attempt {} on {host} while attempt {attempt} is under way on {other}",
                grant.task, grant.attempt
            );
            self.accuse(Promise::OneLease, detail);
        }
    }

    /// An attempt has ended on its host, or its host's agent has.
    pub(super) fn attempt_ended(&mut self, grant: &Grant) {
        if self.running.get(&grant.task).is_some_and(|(_, attempt)| *attempt == grant.attempt) {
            self.running.remove(&grant.task);
        }
    }

    /// A container has ended by itself: an attempt under way may start it once more.
    pub(super) fn ended_by_itself(&mut self, id: &str) {
        self.effects.retain(|(.., thing)| thing != id);
    }

    /// A container has ended, gone or started, and whoever is at it now has not asked for that.
    pub(super) fn befell(&mut self, host: &HostId, name: &str) {
        let principal = beside::principal(name).unwrap_or(name);
        self.befallen.insert((host.clone(), principal.to_owned()));
    }

    /// The definition that an attempt is to bring up before the old one goes, if nothing has befallen either.
    pub(super) fn starts_first(&self, host: &HostId, by: &Grant) -> Option<SpecHash> {
        let hash = self.tasks.get(&by.task)?.planned.starts_first?;
        // What an engine does late, for an attempt that was given up, nobody asks for any more.
        (self.is_under_way(by) && !self.befallen.contains(&(host.clone(), by.subject.clone()))).then_some(hash)
    }

    /// Whether an attempt goes on at its agent.
    pub(super) fn is_under_way(&self, by: &Grant) -> bool {
        self.running.get(&by.task).is_some_and(|(_, attempt)| *attempt == by.attempt)
    }

    /// Something really happened to a container.
    pub(super) fn effect(&mut self, host: &HostId, operation: Operation, name: &str, id: &str, by: Option<&Grant>) {
        let Some(by) = by else {
            let detail = format!("{operation} {name} on {host} was done for no attempt");
            return self.accuse(Promise::OneEffect, detail);
        };
        if operation == Operation::Create && beside::principal(name).is_some() && !self.is_under_way(by) {
            // An engine makes it late, for an attempt that was given up. It never starts, and is listed as broken off.
            return;
        }
        if self.tasks.get(&by.task).is_some_and(|known| known.status == Some(TaskStatus::Completed)) {
            let detail = format!("{operation} {name} on {host} was done for {}, which is completed", by.task);
            return self.accuse(Promise::OneEffect, detail);
        }
        let newest = self.newest.entry(by.task.clone()).or_default();
        if *newest > by.attempt {
            let detail = format!(
                "{operation} {name} on {host}: attempt {} of {} acts after attempt {newest}",
                by.attempt, by.task
            );
            return self.accuse(Promise::OneEffect, detail);
        }
        *newest = by.attempt;
        if operation == Operation::Start && !self.is_under_way(by) {
            // An engine has started it late, for an attempt that was given up: whoever has looked at it since knows nothing of it.
            self.befell(host, name);
        }
        let word = match operation {
            Operation::Create => "create",
            Operation::Start => "start",
            Operation::Rename => "rename",
            Operation::Adjust => "adjust",
            Operation::Adopt => "adopt",
            Operation::Stop => "stop",
            _ => "remove",
        };
        // There and back again is twice the same container, and not twice the same.
        let thing = if operation == Operation::Rename { [id, " ", name].concat() } else { id.to_owned() };
        let key = (by.task.clone(), by.attempt, by.epoch, word, thing);
        if !self.effects.insert(key) {
            let detail =
                format!("{operation} {name} on {host} took effect twice for attempt {} of {}", by.attempt, by.task);
            self.accuse(Promise::OneEffect, detail);
        }
    }
}

/// Takes the server's events as its readers do.
pub(super) struct SimSink {
    world: Arc<World>,
}

impl SimSink {
    pub(super) fn new(world: &Arc<World>) -> Self {
        world.judge().follow_from(0);
        Self { world: Arc::clone(world) }
    }
}

impl fmt::Debug for SimSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSink").finish_non_exhaustive()
    }
}

impl EventSink for SimSink {
    fn publish(&self, events: &[Event]) {
        self.world.judge().published(events);
    }
}

/// Whether an event tells of a task.
pub(super) fn is_of_task(event: &Event) -> bool {
    matches!(event.kind, EventType::TaskCreated | EventType::TaskUpdated)
}
