//! Brings the records of a deployment and its stack up to what its tasks say.

use super::{
    Control, ControlError, DeploymentEvent, DeploymentKind, DeploymentState, Fold, Placement, Revision,
    RevisionOutcome, StackHead, StackRecord, StackStatus,
    deploy::stack_event,
    drift::{Drift, with_drift},
    fold, reschedule,
    rollback::{is_due, words},
};
use crate::{
    action::TaskType,
    event::{EventType, NewEvent},
    id::{DeploymentId, HostId, StackId},
    inventory::{Host, ObservedContainer},
    store::{
        Document, Expect, Key, Kind, Record, RecordQuery, StoreError, Submission, TaskQuery, TaskStoreExt, Versioned,
    },
    task::{Task, TaskStatus},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// How long a store may take to write a deployment whose request was dropped.
const EXPECTED_FOR: Duration = Duration::from_secs(60);

/// Containers of a stack that were seen, by host and name on the engine.
pub(super) type Seen = BTreeMap<String, ObservedContainer>;

impl Control {
    /// Settles one deployment. Idempotent; somebody else's change in between makes it start over later.
    pub(super) async fn settle(&self, id: &DeploymentId) -> Result<(), ControlError> {
        match self.try_settle(id).await {
            Err(ControlError::Store(StoreError::Conflict { .. })) => {
                self.touch(Some(id));
                Ok(())
            }
            other => other,
        }
    }

    async fn try_settle(&self, id: &DeploymentId) -> Result<(), ControlError> {
        let Some(state) = self.store.document::<DeploymentState>(id.as_str()).await? else {
            self.give_up_waiting_for(id);
            return Ok(());
        };
        if state.value.has_failed_elsewhere() {
            return Ok(());
        }
        let query = TaskQuery { deployment: Some(id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        let record = self.store.record(&Key::new(Kind::Stack, state.value.stack_id.as_str())).await?;
        let current = record.map(Current::read).transpose()?.filter(|current| current.head.deployment_id == *id);
        let seen = self.seen(&state.value.stack_id).await?;
        let done = fold(state.value.kind, &tasks);
        let goes_back = current.is_some() && is_due(&state.value, &done);
        let fold = with_way_back(done.clone(), &state.value, &tasks, goes_back);
        let drift = self.drift(&state.value, current.as_ref(), &done, &seen).await?;
        let is_broken = drift.as_ref().is_some_and(|drift| !drift.due.is_empty());
        if is_broken && state.value.completed_at.is_some() {
            return self.repair(id).await;
        }
        // What is brought back at once is no error; how it ended before is written first.
        let shown = drift.as_ref().filter(|_| !is_broken || state.value.kind == DeploymentKind::Repair);
        let fold = with_drift(fold, state.value.kind, shown);
        let fold = self.with_absence(fold, &state.value, current.as_ref()).await?;
        let now = self.environment.now();
        let mut submission = Submission::default();
        let next = next_state(&state.value, &fold, &seen, current.is_some(), now);
        if next != state.value {
            self.note_way_back(&next, &done, current.is_some(), &mut submission).await?;
            if !goes_back {
                self.note_outcome_of_revision(&next, &done, current.is_some(), &mut submission).await?;
            }
            submission.records.push(next.write(Expect::Version(state.version))?);
        }
        match current {
            Some(current) if fold.status == StackStatus::Deleted => {
                self.forget(&current, &seen, &mut submission).await?;
            }
            Some(current) => {
                let error = words_for_stack(&next, &done, &fold);
                follow(&current, &next, (&done, &fold, drift.as_ref()), error, &tasks, now, &mut submission)?;
            }
            None => {}
        }
        if submission != Submission::default() {
            self.store.submit(submission, now).await?;
            if fold.status == StackStatus::Deleted {
                for gone in seen.values() {
                    self.is_other_than_told(&gone.hosted_on);
                }
            }
            self.wake.notify(usize::MAX);
        }
        if goes_back {
            return self.go_back(id, &tasks).await;
        }
        if is_broken {
            return self.repair(id).await;
        }
        // Only now: until it is written, it is to be settled.
        let mut state = self.state();
        state.expected.remove(id);
        if drift.is_some_and(|drift| drift.next.is_some()) {
            state.active.insert(id.clone());
        } else if fold.ended {
            state.active.remove(id);
            // Its turn is over: another stack's has come.
            state.moves.look_soon();
        }
        Ok(())
    }

    /// What was brought up and is on a host that is not heard now may run or not: the stack says so, until the host is back.
    async fn with_absence(
        &self,
        mut fold: Fold,
        state: &DeploymentState,
        current: Option<&Current>,
    ) -> Result<Fold, ControlError> {
        if current.is_some() && fold.status == StackStatus::Running {
            let hosts = self.hosts_of(state.placements.values().map(|placement| &placement.host_id)).await?;
            let hosts: Vec<Host> = hosts.into_values().collect();
            let after = current.and_then(|current| current.head.policy.reschedule_after);
            if let Some(reason) = absence(&state.placements, &hosts, after) {
                fold.status = StackStatus::Degraded;
                fold.error = Some(reason);
            }
        }
        Ok(fold)
    }

    /// The records of some hosts: of a large estate a stack has few.
    pub(super) async fn hosts_of(
        &self,
        ids: impl Iterator<Item = &HostId>,
    ) -> Result<BTreeMap<HostId, Host>, ControlError> {
        let ids: BTreeSet<&HostId> = ids.collect();
        let mut hosts = BTreeMap::new();
        for id in ids {
            let host = self.store.document::<Host>(id.as_str()).await?;
            hosts.extend(host.map(|host| (id.clone(), host.value)));
        }
        Ok(hosts)
    }

    /// A deployment that is not there: what was to write it may still be under way, for a while.
    fn give_up_waiting_for(&self, id: &DeploymentId) {
        let elapsed = self.environment.elapsed();
        let mut state = self.state();
        if state.expected.get(id).is_none_or(|asked| elapsed.saturating_sub(*asked) > EXPECTED_FOR) {
            state.expected.remove(id);
            state.active.remove(id);
        }
    }

    pub(super) async fn seen(&self, stack: &StackId) -> Result<Seen, ControlError> {
        let query = RecordQuery { stack: Some(stack.clone()), ..RecordQuery::of(Kind::Container) };
        let containers = self.store.documents::<ObservedContainer>(query).await?;
        Ok(containers.into_iter().map(|seen| (seen.value.id(), seen.value)).collect())
    }

    /// What became of the revision that a deployment deploys, once that is known.
    async fn note_outcome_of_revision(
        &self,
        state: &DeploymentState,
        done: &Fold,
        is_current: bool,
        submission: &mut Submission,
    ) -> Result<(), ControlError> {
        let Some(number) = state.revision else { return Ok(()) };
        let outcome = match (done.status, is_current) {
            (StackStatus::Running, _) => RevisionOutcome::Ran,
            (_, false) => RevisionOutcome::Overtaken,
            (StackStatus::Error, true) => RevisionOutcome::Failed,
            _ => return Ok(()),
        };
        let Some(revision) = self.revision(&state.stack_id, number).await? else { return Ok(()) };
        let is_own = revision.value.deployment_id.as_ref() == Some(&state.id);
        let is_noted = match (revision.value.outcome, outcome) {
            // What had ended had not yet been overtaken.
            (Some(_), RevisionOutcome::Overtaken) => true,
            (known, outcome) => known == Some(outcome),
        };
        if is_own && !is_noted {
            let next = Revision { outcome: Some(outcome), error_message: done.error.clone(), ..revision.value };
            submission.records.push(next.write(Expect::Version(revision.version))?);
        }
        Ok(())
    }

    /// Every host has confirmed: the stack's record, its revisions and what was seen of it go.
    async fn forget(&self, current: &Current, seen: &Seen, submission: &mut Submission) -> Result<(), ControlError> {
        let record = current.whole()?;
        let query = RecordQuery { stack: Some(record.value.id.clone()), ..RecordQuery::of(Kind::Revision) };
        let revisions = self.store.documents::<Revision>(query).await?;
        submission.records.push(record.value.removal(Expect::Version(record.version)));
        submission.records.extend(revisions.iter().map(|revision| revision.value.removal(Expect::Any)));
        submission.records.extend(seen.values().map(|container| container.removal(Expect::Any)));
        let gone = StackRecord { status: StackStatus::Deleted, ..record.value };
        submission.events.push(NewEvent { kind: EventType::StackDeleted, data: stack_event(&gone) });
        Ok(())
    }
}

/// The record of a stack whose present deployment is settled: its documents are read when it has to be written.
pub(super) struct Current {
    pub(super) head: StackHead,
    record: Record,
}

impl Current {
    fn read(record: Record) -> Result<Self, StoreError> {
        Ok(Self { head: record.read()?, record })
    }

    pub(super) fn whole(&self) -> Result<Versioned<StackRecord>, StoreError> {
        Versioned::read(&self.record)
    }
}

/// The stack's record follows the deployment that is its present one; `done` is what its tasks alone say.
fn follow(
    current: &Current,
    state: &DeploymentState,
    (done, fold, drift): (&Fold, &Fold, Option<&Drift>),
    error: Option<String>,
    tasks: &[Task],
    now: Timestamp,
    submission: &mut Submission,
) -> Result<(), StoreError> {
    let before = &current.head;
    // What was to go has gone, everywhere.
    let (deploys, withdraws) = (state.kind.deploys(), state.kind == DeploymentKind::Withdraw);
    let is_tidy = (deploys || withdraws) && tasks.iter().all(|task| task.status == TaskStatus::Completed);
    let mut traces = before.traces.clone();
    if is_tidy && !takes_nothing_away(tasks) {
        traces.clear();
    } else if is_tidy && !traces.is_empty() {
        let applied = current.whole()?.value.applied;
        traces.retain(|trace| !applied.has(&trace.name, &trace.host, &trace.engine_name));
    }
    if before.status == fold.status && before.error_message == error && before.traces == traces {
        return Ok(());
    }
    let Versioned { value: whole, version } = current.whole()?;
    let has_come_up = fold.status.is_up() && !before.status.is_up();
    // A move may have overtaken a deployment that was not done: then only what is seen says whether the revision runs.
    let runs_as_a_whole = done.status == StackStatus::Running
        && deploys
        && (state.kind != DeploymentKind::Move
            || drift.is_some_and(|drift| drift.words.is_empty() && !drift.is_unsure));
    let mut record = StackRecord {
        status: fold.status,
        error_message: error,
        traces,
        date_modified: now,
        deployed_at: if has_come_up { Some(now) } else { whole.deployed_at },
        last_running: if runs_as_a_whole { Some(whole.revision) } else { whole.last_running },
        next_repair: drift.and_then(|drift| drift.next),
        repairs: match drift {
            Some(drift) if !drift.words.is_empty() => drift.repairs.clone(),
            _ => whole.repairs,
        },
        ..whole
    };
    if withdraws && is_tidy {
        record.applied.placements.clear();
    }
    submission.records.push(record.write(Expect::Version(version))?);
    let event = match fold.status {
        status
            if status.is_up()
                && before.status == StackStatus::RollingBack
                && state.kind == DeploymentKind::Rollback =>
        {
            Some(EventType::StackRolledBack)
        }
        StackStatus::Error if withdraws && fold.error.is_none() => Some(EventType::StackRolledBack),
        status if status.is_up() && !before.status.is_up() && state.kind == DeploymentKind::Repair => {
            Some(EventType::StackRepaired)
        }
        status if status.is_up() && !before.status.is_up() => match &state.leaving {
            Some(leaving) if leaving.lost => Some(EventType::StackRescheduled),
            _ => Some(EventType::StackDeployed),
        },
        StackStatus::Error | StackStatus::RollingBack if fold.error.is_some() => Some(EventType::StackError),
        StackStatus::Deleting if fold.error.is_some() => Some(EventType::StackError),
        _ => None,
    };
    if let Some(kind) = event {
        let mut data = stack_event(&record);
        data["failed"] = failed_tasks(tasks);
        submission.events.push(NewEvent { kind, data });
    }
    Ok(())
}

/// Whether nothing goes by these tasks that is not wanted any more: an adoption leaves it to the next deployment.
fn takes_nothing_away(tasks: &[Task]) -> bool {
    tasks.is_empty() || tasks.iter().any(|task| task.task_type == TaskType::Adopt)
}

fn failed_tasks(tasks: &[Task]) -> serde_json::Value {
    let failed = tasks.iter().filter(|task| task.status == TaskStatus::Failed);
    failed.map(|task| serde_json::json!({"@id": task.id, "hostId": task.host_id, "error": task.error})).collect()
}

fn next_state(state: &DeploymentState, fold: &Fold, seen: &Seen, is_current: bool, now: Timestamp) -> DeploymentState {
    let mut next = state.clone();
    next.status = fold.status;
    next.progress = fold.progress;
    next.phase.clone_from(&fold.phase);
    next.error_message.clone_from(&fold.error);
    if !is_current && fold.status != StackStatus::Deleted && state.rollback_state.is_none() {
        next.phase = "superseded".to_owned();
    }
    if next.status != state.status {
        let message = match &fold.error {
            Some(error) => format!("{}: {error}", fold.status.as_str()),
            None => fold.status.as_str().to_owned(),
        };
        next.events.push(DeploymentEvent { timestamp: now, message });
        let surplus = next.events.len().saturating_sub(MAX_EVENTS);
        next.events.drain(..surplus);
    }
    next.completed_at = if fold.ended { state.completed_at.or(Some(now)) } else { None };
    for placement in next.placements.values_mut() {
        if let Some(seen) = seen.get(&format!("{}/{}", placement.host_id, placement.container_name)) {
            placement.container_id = Some(seen.id.clone());
            placement.ip_address = seen.ip_address;
            placement.status = Some(seen.status);
            placement.ports = published(seen);
            placement.started_at = seen.date_created;
        }
    }
    for endpoint in next.endpoints.iter_mut().filter(|endpoint| endpoint.host_port.is_none()) {
        let port = format!("{}/{}", endpoint.container_port, endpoint.protocol.as_str());
        endpoint.host_port = next.placements.get(&endpoint.container).and_then(|at| at.ports.get(&port).copied());
    }
    next
}

/// How many containers of a host that is away are named.
const LISTED: usize = 10;

/// How many events a deployment's record keeps: the rest is in the event log.
const MAX_EVENTS: usize = 100;

fn published(seen: &ObservedContainer) -> IndexMap<String, u16> {
    let ports = seen.ports.iter();
    ports
        .filter_map(|port| Some((format!("{}/{}", port.container_port, port.protocol.as_str()), port.host_port?)))
        .collect()
}

/// A deployment that is to go back has not ended yet; a way back that failed says host by host what differs.
fn with_way_back(mut fold: Fold, state: &DeploymentState, tasks: &[Task], goes_back: bool) -> Fold {
    if goes_back {
        fold.status = StackStatus::RollingBack;
        fold.ended = false;
    }
    if state.takes_back.is_some() && fold.error.is_some() {
        fold.error = Some(words::differences(tasks));
    }
    fold
}

/// What a stack's record says is wrong.
fn words_for_stack(state: &DeploymentState, done: &Fold, fold: &Fold) -> Option<String> {
    if state.kind == DeploymentKind::Repair && !fold.ended {
        return state.reason.clone();
    }
    if done.error.is_none() && fold.error.is_some() {
        // What happened after all was done.
        return fold.error.clone();
    }
    if let (Some(leaving), Some(reason)) = (&state.leaving, &fold.error) {
        return Some(leaving.failed(reason));
    }
    match (&state.takes_back, &fold.error) {
        (None, None) => None,
        (None, Some(reason)) => Some(match &state.rollback_message {
            Some(why) => words::impossible(reason, why),
            None if fold.status == StackStatus::RollingBack => words::due(reason),
            None => reason.clone(),
        }),
        (Some(failed), Some(differs)) if fold.status == StackStatus::Error => Some(words::failed(failed, differs)),
        (Some(failed), _) => match fold.status {
            StackStatus::Running => None,
            StackStatus::Error => Some(words::withdrawn(failed)),
            _ => Some(words::under_way(failed)),
        },
    }
}

/// What cannot be seen now, because its host is not heard or its engine does not answer; the containers of each host by name.
fn absence(placements: &BTreeMap<String, Placement>, hosts: &[Host], after: Option<u64>) -> Option<String> {
    let told: Vec<String> = hosts
        .iter()
        .filter_map(|host| {
            let away = away(host)?;
            let there = placements.iter().filter(|(_, placement)| placement.host_id == host.id);
            let names: Vec<&str> = there.map(|(name, _)| name.as_str()).collect();
            let more = names.len().saturating_sub(LISTED);
            let mut listed = names.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            if more > 0 {
                listed.push_str(&format!(" and {more} more"));
            }
            (!names.is_empty()).then(|| {
                let due = host.offline_since.and_then(|since| reschedule::due(since, after));
                let then = due.map(|at| format!("; what may go is placed elsewhere from {at} on")).unwrap_or_default();
                format!("{away}, and what runs there is not known: {listed}{then}")
            })
        })
        .collect();
    (!told.is_empty()).then(|| told.join("; "))
}

/// That nobody knows what runs on a host, and since when; nothing where it is known.
fn away(host: &Host) -> Option<String> {
    let id = &host.id;
    match (host.offline_since, host.engine_away_since) {
        (Some(since), _) => Some(format!("host `{id}` is offline since {since}")),
        (None, since) => host.engine_error.is_some().then(|| {
            let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
            format!("the engine of host `{id}` does not answer{since}")
        }),
    }
}
