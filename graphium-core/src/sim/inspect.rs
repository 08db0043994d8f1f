//! What is looked at after every step.

use super::{
    judge::is_of_task,
    promise::Promise,
    world::{Grant, World},
};
use crate::{
    control::{DeploymentState, Forgotten, StackRecord, StackStatus},
    event::{Event, EventType},
    id::{HostId, StackId, TaskId},
    inventory::ContainerStatus,
    runtime::{ContainerState, beside, label},
    store::{Acted, Kind, RecordQuery, TaskStore, TaskStoreExt, Versioned},
    task::{Lease, Task, TaskStatus, deadline},
    testing::Operation,
};
use futures::FutureExt as _;
use serde::Deserialize as _;
use std::collections::BTreeMap;

impl World {
    /// Looks at what the last step has changed. Whether a promise is broken is then known by the judge.
    pub(super) fn inspect(&self) {
        let seen = self.judge().seen;
        let events = self.store.events_after(seen);
        let mut placed_anew = false;
        for event in &events {
            self.look_at(event);
            placed_anew |= matches!(
                event.kind,
                EventType::StackDeploying | EventType::StackRollingBack | EventType::StackRescheduling
            );
            if event.kind == EventType::StackRollingBack {
                self.look_at_way_back(event);
            }
            if matches!(
                event.kind,
                EventType::StackDrifted
                    | EventType::StackDeploying
                    | EventType::StackRescheduling
                    | EventType::StackDeleting
                    | EventType::StackRollingBack
            ) {
                self.look_at_repairs(event);
            }
            if matches!(event.kind, EventType::StackAdded | EventType::StackUpdated) {
                self.look_at_status(event);
            }
        }
        if placed_anew {
            self.look_at_ports();
        }
    }

    fn look_at(&self, event: &Event) {
        {
            let mut judge = self.judge();
            if event.seq != judge.seen + 1 {
                let detail = format!("event {} follows event {} in the store", event.seq, judge.seen);
                judge.accuse(Promise::EventsGapless, detail);
            }
            judge.seen = event.seq;
        }
        self.tell("event", || line(event));
        if is_of_task(event) {
            self.judge().task_event(event);
            self.look_at_lease(event);
        }
        if event.kind == EventType::StackDeleted
            && let Some(id) = event.data.get("@id").and_then(serde_json::Value::as_str)
        {
            self.look_for_remains(&StackId::new(id));
        }
    }

    /// What an agent holds ends in time.
    fn look_at_lease(&self, event: &Event) {
        let Some(id) = event.data.get("@id").and_then(serde_json::Value::as_str) else { return };
        let endless = self.store.look_at_task(&id.into(), |task| {
            let is_endless = task.status.is_leased() && (task.lease.is_none() || deadline(task).is_none());
            is_endless.then(|| format!("{id} is {} without a lease that ends", task.status.as_str()))
        });
        if let Some(detail) = endless.flatten() {
            self.judge().accuse(Promise::NothingWaitsForEver, detail);
        }
    }

    /// Of a stack that is gone nothing is left but its volumes: data goes where somebody asks for that alone.
    pub(super) fn look_for_remains(&self, stack: &StackId) {
        let forgotten = self.forgotten();
        let is_told = |host: &HostId| forgotten.iter().any(|one| one.stack_id == *stack && one.host_id == *host);
        for (number, host) in self.hosts.iter().enumerate().filter(|(_, host)| !is_told(&host.id)) {
            let is_its =
                |labels: &crate::stack::TextMap| labels.get(label::STACK).is_some_and(|id| id == stack.as_str());
            let containers =
                self.shown(number).into_iter().map(|state| ("container", state.observed.name, state.observed.labels));
            let networks = host.runtime.networks().into_iter().map(|(name, labels)| ("network", name, labels));
            let late = self.state().made_late.clone();
            let is_late =
                |kind: &str, name: &str| kind == "container" && late.contains(&(host.id.clone(), name.to_owned()));
            let mut all = containers.chain(networks);
            if let Some((kind, name, _)) = all.find(|(kind, name, labels)| is_its(labels) && !is_late(kind, name)) {
                let detail = format!("{stack} is removed, and {kind} {name} is left on {}", host.id);
                return self.judge().accuse(Promise::NothingLeft, detail);
            }
        }
    }

    /// What is told to be left on hosts that were away.
    pub(super) fn forgotten(&self) -> Vec<Forgotten> {
        let all = self.store.documents::<Forgotten>(RecordQuery::of(Kind::Forgotten)).now_or_never();
        all.and_then(Result::ok).into_iter().flatten().map(|one| one.value).collect()
    }

    fn look_at_ports(&self) {
        let mut ports: BTreeMap<(HostId, u16), (StackId, String)> = BTreeMap::new();
        for Versioned { value: record, .. } in self.stack_records() {
            let stack = &record.applied.stack;
            for (name, host) in &record.applied.placements {
                let fixed = stack.container(name).into_iter().flat_map(|container| &container.ports);
                for port in fixed.filter_map(|port| port.host_port) {
                    let holder = (record.id.clone(), name.clone());
                    if let Some(other) = ports.insert((host.clone(), port), holder) {
                        let detail = format!(
                            "port {port} of {host} is given to {name} of {} and to {} of {}",
                            record.id, other.1, other.0
                        );
                        self.judge().accuse(Promise::PortsHeldOnce, detail);
                    }
                }
            }
        }
    }

    /// What a record says for good must be so in every task.
    fn look_at_status(&self, event: &Event) {
        let text = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str);
        let (Some(id), Some(says), Some(deployment)) = (text("@id"), text("status"), text("deploymentId")) else {
            return;
        };
        // How a repair has gone shows in what runs, and not in what became of its tasks.
        let is_repair = self.is_repair(&deployment.into());
        let mut judge = self.judge();
        if [StackStatus::Running, StackStatus::Degraded, StackStatus::Stopped]
            .iter()
            .any(|status| status.as_str() == says)
        {
            let wrong = judge.statuses(&deployment.into()).find(|status| *status != TaskStatus::Completed);
            if let Some(status) = wrong.filter(|_| !is_repair) {
                let detail = format!("{id} is {says} with a task that is {}", status.as_str());
                judge.accuse(Promise::StatusIsFold, detail);
            }
        }
        let is_told = [StackStatus::Error, StackStatus::Degraded].iter().any(|status| status.as_str() == says);
        if is_told && text("errorMessage").is_none() {
            judge.accuse(Promise::StatusIsFold, format!("{id} is {says} and does not say why"));
        }
    }

    /// Every stack with its status, and whether it says what is wrong; without reading all of it.
    pub(super) fn stack_statuses(&self) -> Vec<(String, StackStatus, bool)> {
        let query = RecordQuery::of(Kind::Stack);
        let Some(Ok(page)) = self.store.records(&query).now_or_never() else { return Vec::new() };
        let read = |record: &crate::store::Record| {
            let status = StackStatus::deserialize(record.body.get("status")?).ok()?;
            Some((record.key.id.clone(), status, record.body.get("errorMessage").is_some()))
        };
        page.items.iter().filter_map(read).collect()
    }

    pub(super) fn stack_records(&self) -> Vec<Versioned<StackRecord>> {
        let stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack));
        stacks.now_or_never().and_then(Result::ok).unwrap_or_default()
    }

    /// An attempt acts only while it is held: its agent stops before its time is up.
    ///
    /// An agent does not say of which task the attempt is that it begins; where two deployments ask for the same of a host,
    /// either may be meant.
    pub(super) fn look_at_right(&self, host: usize, grant: &Grant) {
        let is_like = |other: &&Grant| {
            other.kind == grant.kind && other.subject == grant.subject && other.attempt == grant.attempt
        };
        let alike: Vec<Grant> = self.state().desks[host].grants.iter().filter(is_like).cloned().collect();
        let is_held = alike.iter().any(|grant| self.is_held(&grant.task, grant.attempt));
        if !is_held && !self.state().clock_jumped_ahead {
            let detail = format!("attempt {} of {} acts, and its lease has ended", grant.attempt, grant.task);
            self.judge().accuse(Promise::OneLease, detail);
        }
    }

    pub(super) fn is_held(&self, task: &TaskId, attempt: u32) -> bool {
        let is_held = |task: &Task| task.status.is_leased() && task.attempt == attempt;
        self.store.look_at_task(task, is_held).unwrap_or(false)
    }

    /// An old one that a successor is to run before does not end while no other runs in its place. To give its name away is
    /// no end.
    pub(super) fn look_at_succession(
        &self,
        host: usize,
        effects: &[Operation],
        name: &str,
        was: Option<&ContainerState>,
        by: &Grant,
    ) {
        let node = &self.hosts[host];
        if !effects.iter().any(|effect| matches!(effect, Operation::Stop | Operation::Remove)) {
            return;
        }
        let Some(hash) = self.judge().starts_first(&node.id, by) else { return };
        let runs = |state: &ContainerState| state.status() == ContainerStatus::Running;
        let is_new = |state: &ContainerState| state.observed.label(label::HASH).is_some_and(|own| hash.is(own));
        let next = beside::next(&by.subject);
        if name == next || !was.is_some_and(|was| runs(was) && !is_new(was)) {
            return;
        }
        // The names have been changed: the successor had come so far, whatever an engine that was away has made of it since.
        let heir = node.runtime.container(&by.subject);
        if name == beside::old(&by.subject) && heir.as_ref().is_some_and(is_new) {
            return;
        }
        let others = [by.subject.clone(), next, beside::old(&by.subject)];
        let mut others = others.iter().filter(|other| *other != name);
        if !others.any(|other| node.runtime.container(other).is_some_and(|state| runs(&state))) {
            let detail = format!("{} takes {name} of {} away, and nothing runs in its place", by.task, node.id);
            self.judge().accuse(Promise::RunsOn, detail);
        }
    }

    /// A report was acknowledged: the attempt has ended for the store, too.
    pub(super) fn look_at_report(&self, lease: &Lease) {
        if self.is_held(&lease.task, lease.attempt) {
            let detail = format!("a report of {} was acknowledged, and the task is still under way", lease.task);
            self.judge().accuse(Promise::AcknowledgedSurvives, detail);
        }
    }

    /// The store took a report: it was the present attempt's.
    pub(super) fn look_at_taken(&self, lease: &Lease, acted: &Acted) {
        if let Some(task) = acted.tasks.first().filter(|task| task.attempt != lease.attempt) {
            let detail =
                format!("a report of attempt {} of {} counts for attempt {}", lease.attempt, task.id, task.attempt);
            self.judge().accuse(Promise::OneLease, detail);
        }
    }

    /// A deployment goes back once.
    fn look_at_way_back(&self, event: &Event) {
        let Some(id) = event.data.get("deploymentId").and_then(serde_json::Value::as_str) else { return };
        let state = self.store.document::<DeploymentState>(id).now_or_never().and_then(Result::ok).flatten();
        let Some(failed) = state.and_then(|state| state.value.takes_back) else { return };
        let mut judge = self.judge();
        if let Some(other) = judge.taken_back.insert(failed.deployment_id.clone(), id.into()) {
            let detail = format!("{} is taken back by {other} and by {id}", failed.deployment_id);
            judge.accuse(Promise::RollbackArrives, detail);
        }
    }
}

fn line(event: &Event) -> String {
    let text = |name: &str| event.data.get(name).and_then(serde_json::Value::as_str).unwrap_or("");
    let error = event.data.get("error").and_then(|error| error.get("code")).and_then(serde_json::Value::as_str);
    let mut line = format!("{} {:?} {} {}", event.seq, event.kind, text("@id"), text("status"));
    if let Some(attempt) = event.data.get("attempt") {
        line.push_str(&format!(" {} attempt {attempt}", text("planId")));
    }
    for more in [error, Some(text("errorMessage")).filter(|text| !text.is_empty())].into_iter().flatten() {
        line.push_str(&format!(": {more}"));
    }
    line
}
