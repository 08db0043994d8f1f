//! What does not run any more although everything was done: it is told, and brought back where the stack's policy says so.
//!
//! A repair is a deployment of its own, which changes nothing of what is wanted: it brings back what is missing, each container
//! where it was. It is stored in one step under the version of the stack's record, which counts it: no other server and no
//! later start begins it a second time, and what ends again and again is not started for ever.

mod broken;
mod pace;

pub(super) use broken::{Drift, drift};
pub use pace::Repairs;

use super::{
    Control, ControlError, DeploymentEvent, DeploymentKind, DeploymentState, Fold, Placement, StackRecord, StackStatus,
    draft::Draft,
    fold,
    fold::under_way,
    settle::{Current, Seen},
};
use crate::{
    event::EventType,
    id::DeploymentId,
    inventory::ContainerStatus,
    plan,
    stack::OnDrift,
    store::{TaskQuery, TaskStoreExt},
};
use futures::FutureExt;
use jiff::SignedDuration;

/// What a repair has not begun by then it gives up, so that it keeps no other from its repair for ever.
const LIMIT: SignedDuration = SignedDuration::from_mins(10);

impl Control {
    /// What is wrong with the stack of a deployment of which everything was done; nothing where that is not to be looked at.
    pub(super) async fn drift(
        &self,
        state: &DeploymentState,
        current: Option<&Current>,
        done: &Fold,
        seen: &Seen,
    ) -> Result<Option<Drift>, ControlError> {
        let Some(current) = current.filter(|_| has_come_to_life(state.kind, done)) else { return Ok(None) };
        let runs = |placement: &Placement| {
            let key = format!("{}/{}", placement.host_id, placement.container_name);
            seen.get(&key).is_some_and(|seen| seen.status == ContainerStatus::Running)
        };
        // Documents are read where something may be wrong, and nowhere else.
        if state.placements.values().all(runs) || current.head.policy.on_drift == OnDrift::Accept {
            return Ok(Some(Drift::default()));
        }
        self.drift_of(&current.whole()?.value, state, seen).await.map(Some)
    }

    async fn drift_of(
        &self,
        record: &StackRecord,
        state: &DeploymentState,
        seen: &Seen,
    ) -> Result<Drift, ControlError> {
        let hosts = self.hosts_of(record.applied.placements.values()).await?;
        let was = |name: &str| state.placements.get(name).and_then(|placement| placement.status);
        Ok(drift(record, seen, was, &hosts, self.environment.now()))
    }

    /// Begins a repair of what is due, unless somebody plans now: then within a second.
    pub(super) async fn repair(&self, id: &DeploymentId) -> Result<(), ControlError> {
        if self.alone_or_later(|| self.repair_alone(id).boxed()).await?.is_none() {
            self.state().active.insert(id.clone());
        }
        Ok(())
    }

    /// Decides on a repair from what the store says now.
    async fn repair_alone(&self, id: &DeploymentId) -> Result<(), ControlError> {
        let Some(state) = self.store.document::<DeploymentState>(id.as_str()).await? else { return Ok(()) };
        let state = state.value;
        let stack = self.store.document::<StackRecord>(state.stack_id.as_str()).await?;
        let Some(stack) = stack.filter(|stack| stack.value.deployment_id == *id) else { return Ok(()) };
        let query = TaskQuery { deployment: Some(id.clone()), ..TaskQuery::default() };
        let done = fold(state.kind, &self.store.all_tasks(query).await?);
        if !has_come_to_life(state.kind, &done) {
            return Ok(());
        }
        let drift = self.drift_of(&stack.value, &state, &self.seen(&state.stack_id).await?).await?;
        let inventory = self.planning_inventory(&stack.value.id).await?;
        let plan = plan::plan_repair(&stack.value.applied, &drift.due, &inventory).sealed();
        if plan.is_empty() {
            return Ok(());
        }
        let now = self.environment.now();
        let mut repairs = drift.repairs;
        for name in &drift.due {
            let repaired = repairs.entry(name.clone()).or_default();
            *repaired = repaired.with(now);
        }
        let reason = drift.words.join("; ");
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        let draft = Draft { kind: DeploymentKind::Repair, deployment: &deployment, plan: &plan, by: None };
        let mut next = draft.state(now);
        next.deadline = now.checked_add(LIMIT).ok();
        next.reason = Some(reason.clone());
        next.events.push(DeploymentEvent { timestamp: now, message: reason.clone() });
        for (name, placement) in &mut next.placements {
            if let Some(before) = state.placements.get(name).filter(|before| before.host_id == placement.host_id) {
                placement.clone_from(before);
            }
            // Whether it has run after this repair shows in what is seen of it from now on.
            if drift.due.contains(name) {
                placement.status = None;
            }
        }
        let record = StackRecord {
            status: under_way(DeploymentKind::Repair),
            deployment_id: deployment.clone(),
            date_modified: now,
            error_message: Some(reason),
            repairs,
            next_repair: None,
            ..stack.value.clone()
        };
        let submission = draft.submission(next)?;
        self.commit(submission, Some(&stack), &record, EventType::StackDrifted).await?;
        Ok(())
    }
}

/// Whether a stack should run by what became of its present deployment: all of one that brings it to life was done, or a repair
/// has ended, be it well or not.
fn has_come_to_life(kind: DeploymentKind, done: &Fold) -> bool {
    match kind {
        DeploymentKind::Deploy
        | DeploymentKind::Rollback
        | DeploymentKind::Move
        | DeploymentKind::Start
        | DeploymentKind::Restart => done.status == StackStatus::Running,
        DeploymentKind::Repair => done.ended,
        DeploymentKind::Stop | DeploymentKind::Remove | DeploymentKind::Withdraw => false,
    }
}

/// What runs no longer, although every task went well, is an error of the stack. How a repair has gone shows in what runs.
pub(super) fn with_drift(mut fold: Fold, kind: DeploymentKind, drift: Option<&Drift>) -> Fold {
    let is_repair = kind == DeploymentKind::Repair;
    let Some(drift) = drift else {
        if is_repair && !fold.ended {
            fold.status = under_way(kind);
            fold.error = None;
        }
        return fold;
    };
    let failure = fold.error.take().filter(|_| !drift.words.is_empty() || drift.is_unsure);
    let words = drift.words.iter().cloned().chain(failure.map(|failure| format!("the last repair: {failure}")));
    let words: Vec<String> = words.collect();
    fold.status = if words.is_empty() { StackStatus::Running } else { StackStatus::Error };
    fold.error = (!words.is_empty()).then(|| words.join("; "));
    fold
}
