//! Hosts that are away for long: what ran there is placed elsewhere, where the stack's policy allows it, and is fenced when
//! the host is back.
//!
//! It is a move as that of a drain, decided as that is, but for what is to be done on the hosts that are away: nobody can do it
//! now. What may run there still becomes a record of its own in the same step ([`Forgotten`], with the move that it stems from).
//! Before that is gone from a host the host takes nothing new, so no container is ever taken for one that was placed there since.

mod told;

pub use told::Away;

use super::{
    Control, ControlError, DeploymentKind, DeploymentState, Leaving, StackRecord, StackStatus,
    forget::{self, Forgotten},
    moving::{Standing, Step, Tries, plan_leaving, standing, wait_only_for},
};
use crate::{
    id::{HostId, StackId},
    inventory::Host,
    store::{Document, Expect, Kind, RecordQuery, StoreError, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::{Task, TaskStatus},
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// So many stacks move at a time, be it from hosts that are away or from others.
const AT_ONCE: usize = 16;
/// So long what ran on a host that is back serves on while its successors come up elsewhere.
const SERVES_ON: SignedDuration = SignedDuration::from_mins(10);

/// When what ran on a host is placed elsewhere that has been offline since then.
pub(super) fn due(since: Timestamp, after: Option<u64>) -> Option<Timestamp> {
    let seconds = i64::try_from(after?).ok()?;
    since.checked_add(SignedDuration::from_secs(seconds)).ok()
}

/// What is left to do of a record when its containers are gone.
pub(super) fn rest_of(one: &Forgotten) -> Forgotten {
    Forgotten {
        containers: Vec::new(),
        networks: Vec::new(),
        volumes: Vec::new(),
        deployment_id: None,
        error: None,
        not_before: None,
        ..one.clone()
    }
}

impl Control {
    /// Places elsewhere what ran on hosts that have been away for long enough.
    pub(super) async fn reschedule(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        if !self.state().lost.is_due(elapsed) {
            return Ok(());
        }
        let heads = self.stack_heads().await?;
        if heads.iter().all(|head| head.policy.reschedule_after.is_none()) {
            return Ok(());
        }
        let hosts = self.known_hosts().await?;
        for head in heads {
            let lost = self.lost(&hosts, head.policy.reschedule_after);
            // One of which a move has failed goes on, wherever the host is by now.
            let is_concerned = head.status == StackStatus::Error && head.policy.reschedule_after.is_some()
                || head.applied.placements.values().any(|host| lost.contains(host));
            if !is_concerned || head.status == StackStatus::Deleting || self.state().lost.is_stuck(&head.id, elapsed) {
                continue;
            }
            match self.alone_or_later(|| self.reschedule_stack(&head.id).boxed()).await {
                Ok(Some(Step::Begun | Step::Later)) => {}
                Ok(Some(Step::Stuck)) => self.state().lost.note_stuck(head.id, elapsed),
                // Enough move now, somebody plans, or has changed the stack: the next look sees what came of it.
                Ok(Some(Step::Full) | None) | Err(ControlError::Store(StoreError::Conflict { .. })) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decides whether something of a stack is placed elsewhere now, from what the store says now.
    async fn reschedule_stack(&self, id: &StackId) -> Result<Step, ControlError> {
        let Some(stack) = self.store.document::<StackRecord>(id.as_str()).await? else { return Ok(Step::Later) };
        let hosts = self.known_hosts().await?;
        let lost = self.lost(&hosts, stack.value.policy.reschedule_after);
        let (last, tasks) = self.last_of(&stack.value).await?;
        let (failed, hangs) = match self.standing_of(&stack.value, &last, &tasks, &hosts, &lost) {
            Standing::Ready { failed } => (failed, false),
            Standing::Moves | Standing::Busy if hangs(&last, &tasks, &lost) => (0, true),
            Standing::Moves | Standing::Busy | Standing::Later { .. } => return Ok(Step::Later),
            Standing::Stopped | Standing::NotRemoved | Standing::Failed | Standing::GivenUp { .. } => {
                return Ok(Step::Stuck);
            }
        };
        let goes_on = !hangs && failed > 0 && last.leaving.as_ref().is_some_and(|leaving| leaving.lost);
        if lost.is_empty() && !goes_on {
            return Ok(Step::Stuck);
        }
        if self.moves_under_way(&hosts).await? >= AT_ONCE {
            return Ok(Step::Full);
        }
        let inventory = self.planning_inventory(id).await?;
        let tries = if goes_on { Tries::of(&last, &tasks) } else { Tries::default() };
        let away: BTreeSet<HostId> = lost.iter().cloned().chain(tries.away(&hosts)).collect();
        let Ok(mut plan) = plan_leaving(&stack.value, &inventory, lost.clone(), &tries) else { return Ok(Step::Stuck) };
        let is_move = goes_on || plan.placements != stack.value.applied.placements;
        if !is_move || tries.lead_away(&plan.placements, &away) {
            return Ok(Step::Stuck);
        }
        let left = forget::set_aside(&mut plan, &away, &inventory, None, self.environment.now());
        let asked = offline_since(&hosts, &lost);
        let leaving = Leaving { hosts: lost, attempt: failed + 1, lost: true, asked, ..Leaving::default() };
        let leaving = tries.go_on(&stack.value.applied.placements, &plan.placements, leaving);
        self.begin_move(&stack, plan, Some(leaving), left, Vec::new()).await?;
        Ok(Step::Begun)
    }

    /// Whether what ran on a host serves on because its successors come up elsewhere.
    pub(super) async fn is_still_moving(&self, one: &Forgotten) -> Result<bool, ControlError> {
        let Some(moved_by) = &one.moved_by else { return Ok(false) };
        let now = self.environment.now();
        if one.forgotten_at.checked_add(SERVES_ON).is_ok_and(|end| end <= now) {
            return Ok(false);
        }
        let head = self.stack_head(&one.stack_id).await?;
        Ok(head.is_some_and(|head| head.deployment_id == *moved_by && head.status.is_transitional()))
    }

    /// Has made anew what stayed on a host that is back and was told where others were that have moved since.
    pub(super) async fn remake(&self, one: Versioned<Forgotten>) -> Result<(), ControlError> {
        let done = one.value.removal(Expect::Version(one.version));
        if let Some(stack) = self.store.document::<StackRecord>(one.value.stack_id.as_str()).await? {
            let (last, tasks) = self.last_of(&stack.value).await?;
            let is_planned_since = last.kind.deploys() && Some(&last.id) != one.value.moved_by.as_ref();
            let stands = self.standing_of(&stack.value, &last, &tasks, &[], &BTreeSet::new());
            match stands {
                Standing::Moves | Standing::Busy | Standing::Later { .. } if !is_planned_since => return Ok(()),
                Standing::Ready { .. } if !is_planned_since => {
                    let inventory = self.planning_inventory(&stack.value.id).await?;
                    if let Ok(plan) = plan_leaving(&stack.value, &inventory, BTreeSet::new(), &Tries::default())
                        && plan.placements == stack.value.applied.placements
                        && !plan.is_empty()
                    {
                        return self.begin_move(&stack, plan, None, Vec::new(), vec![done]).await;
                    }
                }
                _ => {}
            }
        }
        let records = self.planned()?.into_iter().chain([done]).collect();
        self.store.submit(Submission { records, ..Submission::default() }, self.environment.now()).await?;
        Ok(())
    }

    pub(super) async fn known_hosts(&self) -> Result<Vec<Host>, ControlError> {
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        Ok(hosts.into_iter().map(|host| host.value).collect())
    }

    pub(super) async fn last_of(&self, stack: &StackRecord) -> Result<(DeploymentState, Vec<Task>), ControlError> {
        let last = self.deployment(&stack.deployment_id).await?;
        let query = TaskQuery { deployment: Some(last.id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        Ok((last, tasks))
    }

    /// How a stack stands; what failed before one of these hosts fell silent counts no more.
    fn standing_of(
        &self,
        stack: &StackRecord,
        last: &DeploymentState,
        tasks: &[Task],
        hosts: &[Host],
        lost: &BTreeSet<HostId>,
    ) -> Standing {
        standing(stack.status, last, tasks, offline_since(hosts, lost), self.environment.now())
    }

    /// The hosts that have been offline for so long. A server that has just begun hears for itself first: it may be the one that
    /// was away.
    fn lost(&self, hosts: &[Host], after: Option<u64>) -> BTreeSet<HostId> {
        let (now, elapsed) = (self.environment.now(), self.environment.elapsed());
        let state = self.state();
        let is_silent = |host: &&Host| {
            let is_due = host.offline_since.and_then(|since| due(since, after)).is_some_and(|at| at <= now);
            let presence = state.presence.get(&host.id);
            is_due
                && presence.is_some_and(|presence| {
                    let silence = elapsed.saturating_sub(presence.heard);
                    // A clock that is put forward makes no silence longer that this server has heard for itself.
                    let is_long =
                        presence.heard_here.is_none() || after.is_some_and(|after| silence.as_secs() >= after);
                    silence > self.patience_with(presence) && is_long
                })
        };
        hosts.iter().filter(is_silent).map(|host| host.id.clone()).collect()
    }
}

/// Whether a deployment can do nothing any more but wait for these hosts: then it is given up for what can be done without
/// them. One that has failed in part is not: what follows that comes first.
fn hangs(last: &DeploymentState, tasks: &[Task], lost: &BTreeSet<HostId>) -> bool {
    let goes_on_elsewhere = match last.kind {
        DeploymentKind::Deploy
        | DeploymentKind::Rollback
        | DeploymentKind::Move
        | DeploymentKind::Repair
        | DeploymentKind::Start
        | DeploymentKind::Restart => last.takes_back.is_none() && last.rollback_state.is_none(),
        DeploymentKind::Stop | DeploymentKind::Remove | DeploymentKind::Withdraw => false,
    };
    let has_failed = tasks.iter().any(|task| matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled));
    goes_on_elsewhere && !has_failed && wait_only_for(tasks, lost)
}

/// When the last of these hosts went offline.
fn offline_since(hosts: &[Host], lost: &BTreeSet<HostId>) -> Option<Timestamp> {
    hosts.iter().filter(|host| lost.contains(&host.id)).filter_map(|host| host.offline_since).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{action::Action, id::TaskId};
    use TaskStatus::{Completed, Failed, Pending, Running};

    fn task(id: &str, host: &str, after: &[&str], status: TaskStatus) -> Task {
        let action = Action::Delete { name: id.to_owned() };
        let depends_on = after.iter().map(|first| TaskId::new(*first)).collect();
        Task { depends_on, status, ..Task::new(id.into(), host.into(), action, Timestamp::UNIX_EPOCH) }
    }

    #[test]
    fn a_deployment_hangs_when_all_that_is_open_waits_for_a_lost_host() {
        let state = |kind: &str| -> DeploymentState {
            serde_json::from_value(serde_json::json!({
                "@id": "deployment:1", "stackId": "stack:s", "stackName": "s", "kind": kind, "status": "deploying",
                "phase": "deploying", "progress": 0, "planHash": "", "taskCount": 1, "placements": {},
                "startedAt": Timestamp::UNIX_EPOCH,
            }))
            .unwrap_or_else(|error| panic!("{error}"))
        };
        let lost: BTreeSet<HostId> = ["vm1".into()].into();
        let hang = |kind, tasks: &[Task]| hangs(&state(kind), tasks, &lost);
        let waits = vec![
            task("c", "vm2", &["b"], Pending),
            task("b", "vm3", &["a"], Pending),
            task("a", "vm1", &[], Running),
            task("done", "vm2", &[], Completed),
        ];
        assert!(hang("deploy", &waits) && hang("repair", &waits));
        assert!(!hang("remove", &waits), "what is to go is not brought back");
        let with = |more: Task| waits.iter().cloned().chain([more]).collect::<Vec<_>>();
        assert!(!hang("deploy", &with(task("d", "vm2", &[], Pending))), "there is something to do");
        assert!(!hang("deploy", &with(task("d", "vm2", &["a"], Running))), "something is being done");
        assert!(!hang("deploy", &with(task("d", "vm2", &[], Failed))), "what follows a failure comes first");
        assert!(!hang("deploy", &[]));
    }
}
