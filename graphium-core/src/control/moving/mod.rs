//! Hosts that drain are left: what runs there and is tied to nothing moves elsewhere, stack by stack.
//!
//! The control plane looks from time to time, and at once when a drain is asked for or a move has ended. A move is a deployment
//! of what runs already, planned as any other, with the hosts that are to be left taking nothing; whatever finds no place stays
//! and serves on. It is decided under the planning lock, from what the store says then, and the stack's record names it from
//! then on: no other server and no later start can decide it a second time.

mod begin;
mod remaining;
mod standing;
mod targets;
mod tries;

pub use remaining::{Drain, Remaining, RemainingState};
pub(super) use standing::{Standing, standing};
pub(super) use targets::wait_only_for;
pub use tries::Tried;
pub(super) use tries::{Tries, told};

use super::{
    Control, ControlError, DeploymentKind, DeploymentState, StackRecord, StackStatus, fold::under_way, forget,
};
use crate::{
    action::Action,
    diagnostic::Diagnostic,
    id::{HostId, StackId, TaskId},
    inventory::{Host, HostStatus, Inventory},
    plan::{self, Plan},
    stack::OnFailure,
    store::{StoreError, TaskQuery, TaskStoreExt, Versioned},
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
///
/// # Example
/// ```
/// use graphium_core::control::Leaving;
///
/// let leaving: Leaving = serde_json::from_str(r#"{"hosts": ["vm1"], "attempt": 2}"#)?;
/// assert!(!leaving.lost, "the host drains; it is not gone");
/// assert!(leaving.tried.is_empty());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Leaving {
    /// The hosts that are left.
    pub hosts: BTreeSet<HostId>,
    /// How often it has been tried, with this time.
    pub attempt: u32,
    /// Whether these hosts are away, and left without being asked.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    /// What it answers to: when the drain was asked for last, or the host went offline. Another time begins the tries anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Timestamp>,
    /// Containers that have another host than before its first try.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub moved: BTreeSet<String>,
    /// Where tries before this one have failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
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
    /// A look is due, and whatever was stuck may go on: there may be room now.
    pub(super) fn hurry(&mut self) {
        *self = Self::default();
    }

    /// A look is due, and these stacks may go on. Where a host has gone there is room for nobody else.
    pub(super) fn hurry_for(&mut self, is_concerned: impl Fn(&StackId) -> bool) {
        self.stuck.retain(|stack, _| !is_concerned(stack));
        self.look_soon();
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

/// What came of looking at one stack.
pub(super) enum Step {
    Begun,
    /// Nothing of it can move now.
    Stuck,
    /// It is not its turn.
    Later,
    /// As many move as may.
    Full,
}

impl Control {
    /// Begins the moves whose turn it is.
    pub(super) async fn move_away(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        if !self.state().moves.is_due(elapsed) {
            return Ok(());
        }
        let hosts = self.known_hosts().await?;
        let leave: BTreeSet<&HostId> = hosts.iter().filter(|host| is_left(host)).map(|host| &host.id).collect();
        if leave.is_empty() {
            return Ok(());
        }
        // One pass over what is under way; where as many move as may, nobody else is looked at.
        if self.moves_under_way(&hosts).await? >= AT_ONCE {
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
                // Enough move now, somebody plans, or has changed the stack: the next look sees what came of it.
                Ok(Some(Step::Full) | None) | Err(ControlError::Store(StoreError::Conflict { .. })) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decides whether a stack is moved now, from what the store says now.
    async fn move_stack(&self, id: &StackId) -> Result<Step, ControlError> {
        let Some(Versioned { version, value: stack }) = self.store.document::<StackRecord>(id.as_str()).await? else {
            return Ok(Step::Later);
        };
        let hosts = self.known_hosts().await?;
        let (last, tasks) = self.last_of(&stack).await?;
        let asked = asked(&hosts);
        let Standing::Ready { failed } = standing(stack.status, &last, &tasks, asked, self.environment.now()) else {
            return Ok(Step::Later);
        };
        let inventory = self.planning_inventory(id).await?;
        let goes_on = stack.status == StackStatus::Error && failed > 0;
        let tries = if goes_on { Tries::of(&last, &tasks) } else { Tries::default() };
        let away = tries.away(&hosts);
        let Ok(mut plan) = plan_of_move(&stack, &inventory, &tries) else { return Ok(Step::Stuck) };
        let leave = left(&inventory);
        // What is left there can wait, and does where all of the stack would wait for a host.
        let is_cleared = || clears(&plan, &leave) && waits_for(&plan, &hosts).is_none();
        let is_move = goes_on || plan.placements != stack.applied.placements || is_cleared();
        if !is_move || tries.lead_away(&plan.placements, &away) {
            return Ok(Step::Stuck);
        }
        if self.moves_under_way(&hosts).await? >= AT_ONCE {
            return Ok(Step::Full);
        }
        // What a try has left on a host that is away keeps no other waiting: it is removed when the host is back.
        let left_there = forget::set_aside(&mut plan, &away, &inventory, None, self.environment.now());
        let leaving = Leaving { hosts: leave, attempt: failed + 1, asked, ..Leaving::default() };
        let leaving = tries.go_on(&stack.applied.placements, &plan.placements, leaving);
        self.begin_move(&Versioned { version, value: stack }, plan, Some(leaving), left_there, Vec::new()).await?;
        Ok(Step::Begun)
    }

    /// How many stacks are being moved. One that waits for a host which is away, and can go on nowhere, keeps no other waiting.
    pub(super) async fn moves_under_way(&self, hosts: &[Host]) -> Result<usize, ControlError> {
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

/// Whether a plan takes a container away from one of these hosts.
fn clears(plan: &Plan, hosts: &BTreeSet<HostId>) -> bool {
    plan.tasks.iter().any(|task| matches!(task.action, Action::Delete { .. }) && hosts.contains(&task.host))
}

/// A host for which there is something in a plan, and on which nothing can be done now.
fn waits_for<'h>(plan: &Plan, hosts: &'h [Host]) -> Option<&'h Host> {
    hosts.iter().find(|host| !can_work(host) && plan.tasks.iter().any(|task| task.host == host.id))
}

fn can_work(host: &Host) -> bool {
    !host.is_away() && host.status != HostStatus::Maintenance
}

/// The hosts that are to be left.
fn left(inventory: &Inventory) -> BTreeSet<HostId> {
    inventory.hosts.iter().filter(|host| is_left(host)).map(|host| host.id.clone()).collect()
}

/// When a drain was last asked for.
fn asked(hosts: &[Host]) -> Option<Timestamp> {
    hosts.iter().filter_map(|host| host.draining_since).max()
}

/// What leaves the hosts that are to be left. The old ones go when the new ones run and, where they have a health check, are
/// healthy.
fn plan_of_move(stack: &StackRecord, inventory: &Inventory, tries: &Tries) -> Result<Plan, Vec<Diagnostic>> {
    plan_leaving(stack, inventory, left(inventory), tries)
}

/// The plan of what a stack runs, with these hosts to be left, and no host tried again where another takes what failed there.
pub(super) fn plan_leaving(
    stack: &StackRecord,
    inventory: &Inventory,
    leave: BTreeSet<HostId>,
    tries: &Tries,
) -> Result<Plan, Vec<Diagnostic>> {
    let options = plan::Options {
        leave,
        avoid: tries.avoid(),
        keep: stack.applied.placements.clone(),
        traces: stack.traces.clone(),
        on_failure: Some(OnFailure::Rollback),
        ..plan::Options::default()
    };
    plan::plan(&stack.definition, Some(&stack.applied), inventory, &options)
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
                Action::Delete { name: "s-a".into() },
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
}
