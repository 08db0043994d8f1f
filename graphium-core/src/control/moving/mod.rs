//! Hosts that drain are left: what runs there and is tied to nothing moves elsewhere, stack by stack.
//!
//! The control plane looks from time to time, and at once when a drain is asked for or a move has ended. A move is a deployment
//! of what runs already, planned as any other, with the hosts that are to be left taking nothing; whatever finds no place stays
//! and serves on. It is decided under the planning lock, from what the store says then, and the stack's record names it from
//! then on: no other server and no later start can decide it a second time.

mod remaining;

pub use remaining::{Drain, Remaining, RemainingState};

use super::{
    Control, ControlError, DeployOptions, DeploymentKind, DeploymentState, Revision, StackRecord, StackStatus,
    deploy::deployed_record,
    draft::Draft,
    fold,
    fold::under_way,
    forget::{self, Forgotten},
};
use crate::{
    diagnostic::Diagnostic,
    event::EventType,
    id::{DeploymentId, HostId, StackId, TaskId},
    inventory::{Host, HostStatus, Inventory},
    plan::{self, Plan, Trace},
    stack::OnFailure,
    store::{Document, Expect, Kind, RecordQuery, RecordWrite, StoreError, TaskQuery, TaskStoreExt, Versioned},
    task::Task,
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Between two looks at what is to move.
const LOOK: Duration = Duration::from_secs(5);
/// Before a stack of which nothing could move is planned again: room may have come.
const AGAIN: Duration = Duration::from_secs(30);
/// So many stacks move at a time.
const AT_ONCE: usize = 4;
/// So often a move is tried that fails, each time after twice as long.
const TRIES: u32 = 6;
/// How long after its first failure a move is tried again.
const FIRST_PAUSE: SignedDuration = SignedDuration::from_secs(30);

/// What a [move](DeploymentKind::Move) is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaving {
    /// The hosts that are left.
    pub hosts: BTreeSet<HostId>,
    /// How often it has been tried, with this time.
    pub attempt: u32,
    /// Whether these hosts are away, and left without being asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
}

impl Leaving {
    /// What a stack says of a move that has failed.
    pub(super) fn failed(&self, reason: &str) -> String {
        let hosts: Vec<String> = self.hosts.iter().map(|host| format!("`{host}`")).collect();
        format!("moving away from {} failed, and what has no successor yet stays there: {reason}", hosts.join(", "))
    }
}

/// When what is to move is looked at.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// The next look.
    due: Duration,
    /// Stacks of which nothing could move, and when they are planned again.
    stuck: BTreeMap<StackId, Duration>,
}

impl Moves {
    /// A look is due, and whatever was stuck may go on.
    pub(super) fn hurry(&mut self) {
        *self = Self::default();
    }

    /// Whether a look is due; the next is some time later.
    pub(super) fn is_due(&mut self, elapsed: Duration) -> bool {
        let is_due = elapsed >= self.due;
        if is_due {
            self.due = elapsed + LOOK;
        }
        is_due
    }

    /// Whether nothing of a stack could move, and it is not yet planned again.
    pub(super) fn is_stuck(&self, stack: &StackId, elapsed: Duration) -> bool {
        self.stuck.get(stack).is_some_and(|again| elapsed < *again)
    }

    /// Nothing of a stack could move.
    pub(super) fn note_stuck(&mut self, stack: StackId, elapsed: Duration) {
        self.stuck.insert(stack, elapsed + AGAIN);
    }

    /// The next look is due.
    pub(super) fn look_soon(&mut self) {
        self.due = Duration::ZERO;
    }
}

/// Whether something of a stack may be moved now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It may; so many tries have failed.
    Ready { failed: u32 },
    /// It is being moved.
    Moves,
    /// Something else is under way.
    Busy,
    /// It does not run, and shall not.
    Stopped,
    /// It is to be removed, which has failed.
    NotRemoved,
    /// Its last deployment has failed: nobody knows what of it is to run.
    Failed,
    /// A move has failed; it is tried again at that time.
    Later { at: Timestamp, failed: u32 },
    /// A move has failed so often that it is not tried again.
    GivenUp { failed: u32 },
}

/// What came of looking at one stack.
pub(super) enum Step {
    Begun,
    /// Nothing of it can move now.
    Stuck,
    /// It is not its turn.
    Later,
}

impl Control {
    /// Begins the moves whose turn it is.
    pub(super) async fn move_away(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        if !self.state().moves.is_due(elapsed) {
            return Ok(());
        }
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        let leave: BTreeSet<HostId> =
            hosts.into_iter().filter(|host| is_left(&host.value)).map(|host| host.value.id).collect();
        if leave.is_empty() {
            return Ok(());
        }
        for head in self.stack_heads().await? {
            let mut places = head.applied.placements.values().chain(head.traces.iter().map(|trace| &trace.host));
            let waits = self.state().moves.is_stuck(&head.id, elapsed);
            if waits || head.status.is_transitional() || !places.any(|host| leave.contains(host)) {
                continue;
            }
            match self.alone_or_later(|| self.move_stack(&head.id).boxed()).await {
                Ok(Some(Step::Begun | Step::Later)) => {}
                Ok(Some(Step::Stuck)) => {
                    self.state().moves.note_stuck(head.id, elapsed);
                }
                // Somebody plans, or has changed the stack: the next look sees what came of it.
                Ok(None) | Err(ControlError::Store(StoreError::Conflict { .. })) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decides whether a stack is moved now, from what the store says now.
    async fn move_stack(&self, id: &StackId) -> Result<Step, ControlError> {
        let Some(stack) = self.store.document::<StackRecord>(id.as_str()).await? else { return Ok(Step::Later) };
        let hosts = self.hosts().await?;
        let Standing::Ready { failed } = self.standing(&stack.value, &hosts).await? else {
            return Ok(Step::Later);
        };
        if self.moves_under_way(&hosts).await? >= AT_ONCE {
            return Ok(Step::Later);
        }
        let inventory = self.planning_inventory(id).await?;
        let goes_on = stack.value.status == StackStatus::Error && failed > 0;
        match plan_of_move(&stack.value, &inventory) {
            Ok(plan) if goes_on || plan.placements != stack.value.applied.placements => {
                let leaving = Leaving { hosts: left(&inventory), attempt: failed + 1, lost: false };
                self.begin_move(&stack, plan, Some(leaving), Vec::new(), Vec::new()).await?;
                Ok(Step::Begun)
            }
            Ok(_) | Err(_) => Ok(Step::Stuck),
        }
    }

    async fn standing(&self, stack: &StackRecord, hosts: &[Host]) -> Result<Standing, ControlError> {
        let last = self.deployment(&stack.deployment_id).await?;
        let query = TaskQuery { deployment: Some(last.id.clone()), ..TaskQuery::default() };
        let asked = hosts.iter().filter_map(|host| host.draining_since).max();
        Ok(standing(stack.status, &last, &self.store.all_tasks(query).await?, asked, self.environment.now()))
    }

    /// How many stacks are being moved. One that waits for a host which is away, and can go on nowhere, keeps no other waiting.
    pub(super) async fn moves_under_way(&self, hosts: &[Host]) -> Result<usize, ControlError> {
        let can_work = |host: &Host| {
            host.offline_since.is_none() && host.engine_error.is_none() && host.status != HostStatus::Maintenance
        };
        let there: BTreeSet<&HostId> = hosts.iter().filter(|host| can_work(host)).map(|host| &host.id).collect();
        let mut count = 0;
        for head in self.stack_heads().await? {
            if head.status != under_way(DeploymentKind::Move) {
                continue;
            }
            let state = self.store.document::<DeploymentState>(head.deployment_id.as_str()).await?;
            if state.is_some_and(|state| state.value.kind == DeploymentKind::Move) {
                let query = TaskQuery { deployment: Some(head.deployment_id), ..TaskQuery::default() };
                count += usize::from(goes_on(&self.store.all_tasks(query).await?, &there));
            }
        }
        Ok(count)
    }

    /// Stores a move with what it leaves on hosts that are away, and with other records that change in the same step.
    pub(super) async fn begin_move(
        &self,
        stack: &Versioned<StackRecord>,
        plan: Plan,
        leaving: Option<Leaving>,
        left: Vec<Forgotten>,
        others: Vec<RecordWrite>,
    ) -> Result<(), ControlError> {
        let (kind, now, plan) = (DeploymentKind::Move, self.environment.now(), plan.sealed());
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        let draft = Draft { kind, deployment: &deployment, plan: &plan, by: None };
        let event = match &leaving {
            Some(leaving) if leaving.lost => EventType::StackRescheduling,
            _ => EventType::StackDeploying,
        };
        let mut submission = draft.submission(DeploymentState { leaving, ..draft.state(now) })?;
        submission.records.extend(others);
        let (record, none) = (&stack.value, DeployOptions::default());
        // Where the revision runs from now on is where a later way back leads.
        if let Some(Versioned { version, value }) = self.revision(&record.id, record.revision).await? {
            let revision = Revision { placements: plan.placements.clone(), ..value };
            submission.records.push(revision.write(Expect::Version(version))?);
        }
        let mut record = StackRecord {
            status: under_way(kind),
            ..deployed_record(&record.definition, &plan, Some(stack), &deployment, &none, now)
        };
        // What is left behind is no trace of the stack any more: a record of its own outlives every later deployment.
        let is_left = |trace: &Trace| left.iter().any(|one| one.host_id == trace.host && one.has(&trace.engine_name));
        record.traces.retain(|trace| !is_left(trace));
        let moved_by = Some(deployment.clone());
        let left = left.iter().map(|one| Forgotten { moved_by: moved_by.clone(), ..one.clone() }).collect();
        submission.records.extend(forget::records(left, &deployment)?);
        self.commit(submission, Some(stack), &record, event).await?;
        Ok(())
    }
}

/// Whether something of these tasks can be done now on one of these hosts, or all is done.
fn goes_on(tasks: &[Task], there: &BTreeSet<&HostId>) -> bool {
    let open: BTreeSet<&TaskId> = tasks.iter().filter(|task| !task.status.is_terminal()).map(|task| &task.id).collect();
    let mut next = tasks
        .iter()
        .filter(|task| open.contains(&task.id) && !task.depends_on.iter().any(|first| open.contains(first)));
    open.is_empty() || next.any(|task| there.contains(&task.host_id))
}

/// Whether a host is to be left: it drains, and its agent is heard.
fn is_left(host: &Host) -> bool {
    host.status == HostStatus::Draining && host.offline_since.is_none()
}

/// The hosts that are to be left.
fn left(inventory: &Inventory) -> BTreeSet<HostId> {
    inventory.hosts.iter().filter(|host| is_left(host)).map(|host| host.id.clone()).collect()
}

/// What leaves the hosts that are to be left. The old ones go when the new ones run and, where they have a health check, are
/// healthy.
fn plan_of_move(stack: &StackRecord, inventory: &Inventory) -> Result<Plan, Vec<Diagnostic>> {
    plan_leaving(stack, inventory, left(inventory))
}

/// The plan of what a stack runs, with these hosts to be left.
pub(super) fn plan_leaving(
    stack: &StackRecord,
    inventory: &Inventory,
    leave: BTreeSet<HostId>,
) -> Result<Plan, Vec<Diagnostic>> {
    let options = plan::Options {
        leave,
        keep: stack.applied.placements.clone(),
        traces: stack.traces.clone(),
        on_failure: Some(OnFailure::Rollback),
        ..plan::Options::default()
    };
    plan::plan(&stack.definition, Some(&stack.applied), inventory, &options)
}

/// Whether something of a stack may be moved; `asked` is when a drain was last asked for, which makes failures before it
/// forgotten.
pub(super) fn standing(
    status: StackStatus,
    last: &DeploymentState,
    tasks: &[Task],
    asked: Option<Timestamp>,
    now: Timestamp,
) -> Standing {
    let is_move = last.kind == DeploymentKind::Move;
    let is_under_way = tasks.iter().any(|task| !task.status.is_terminal());
    // A removal that failed is shown as that until somebody asks again.
    if status == StackStatus::Deleting && !is_under_way && fold(last.kind, tasks).error.is_some() {
        return Standing::NotRemoved;
    }
    if status.is_transitional() || is_under_way {
        return if is_move { Standing::Moves } else { Standing::Busy };
    }
    if !matches!(status, StackStatus::Running | StackStatus::Degraded | StackStatus::Error) {
        return Standing::Stopped;
    }
    // What ended after all was done is no failure of the deployment; how a repair has gone shows in what runs.
    if last.kind == DeploymentKind::Repair || fold(last.kind, tasks).error.is_none() {
        return Standing::Ready { failed: 0 };
    }
    let Some(leaving) = last.leaving.as_ref().filter(|_| is_move) else { return Standing::Failed };
    let failed = leaving.attempt;
    if asked.is_some_and(|asked| asked > last.started_at) {
        return Standing::Ready { failed: 1 };
    }
    if failed >= TRIES {
        return Standing::GivenUp { failed };
    }
    let pause = FIRST_PAUSE * (1 << (failed.min(TRIES) - 1));
    match last.completed_at.and_then(|ended| ended.checked_add(pause).ok()) {
        Some(at) if at > now => Standing::Later { at, failed },
        _ => Standing::Ready { failed },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskStatus;

    #[test]
    fn a_move_that_can_only_wait_for_a_host_is_none_that_is_under_way() {
        let task = |number: usize, host: &str, first: &[usize], status| Task {
            status,
            depends_on: first.iter().map(|first| TaskId::new(format!("task:{first}"))).collect(),
            ..Task::new(
                TaskId::new(format!("task:{number}")),
                host.into(),
                crate::action::Action::Delete { name: "s-a".into() },
                Timestamp::UNIX_EPOCH,
            )
        };
        let (pending, done) = (TaskStatus::Pending, TaskStatus::Completed);
        let here = HostId::new("vm1");
        let there = BTreeSet::from([&here]);
        let waits = [task(1, "vm2", &[], pending), task(2, "vm1", &[1], pending)];
        assert!(!goes_on(&waits, &there));
        assert!(goes_on(&[task(1, "vm2", &[], done), task(2, "vm1", &[1], pending)], &there));
        assert!(goes_on(&[task(1, "vm2", &[], pending), task(2, "vm1", &[], pending)], &there));
        assert!(goes_on(&[task(1, "vm2", &[], done)], &there), "it is about to be settled");
    }

    #[test]
    fn a_move_that_fails_is_tried_again_ever_later_and_then_no_more_until_the_drain_is_asked_for_again() {
        let ended = Timestamp::UNIX_EPOCH;
        let state = |attempt| -> DeploymentState {
            serde_json::from_value(serde_json::json!({
                "@id": "deployment:1", "stackId": "stack:s", "stackName": "s", "kind": "move", "status": "error",
                "phase": "failed", "progress": 100, "planHash": "", "taskCount": 1, "placements": {},
                "startedAt": ended, "completedAt": ended, "leaving": {"hosts": ["vm1"], "attempt": attempt},
            }))
            .unwrap_or_else(|error| panic!("{error}"))
        };
        let task = Task {
            status: TaskStatus::Failed,
            ..Task::new("task:1".into(), "vm2".into(), crate::action::Action::Delete { name: "s-a".into() }, ended)
        };
        let stands = |attempt, asked, after| {
            let now = ended.checked_add(SignedDuration::from_secs(after)).unwrap_or(ended);
            standing(StackStatus::Error, &state(attempt), std::slice::from_ref(&task), asked, now)
        };
        for (attempt, pause) in [(1, 30), (2, 60), (3, 120), (4, 240), (5, 480)] {
            let at = ended.checked_add(SignedDuration::from_secs(pause)).unwrap_or(ended);
            assert_eq!(stands(attempt, None, pause - 1), Standing::Later { at, failed: attempt });
            assert_eq!(stands(attempt, None, pause), Standing::Ready { failed: attempt });
        }
        assert_eq!(stands(TRIES, None, 1_000_000), Standing::GivenUp { failed: TRIES });
        assert_eq!(stands(TRIES, Some(ended), 1_000_000), Standing::GivenUp { failed: TRIES });
        let later = ended.checked_add(SignedDuration::from_secs(1)).unwrap_or(ended);
        assert_eq!(stands(TRIES, Some(later), 2), Standing::Ready { failed: 1 });
    }
}
