//! A deployment that failed goes back, if that was asked for: all of its stack, on all of its hosts, once.
//!
//! First whatever is under way is ended, so that nothing changes while the way back is planned. Then it is planned as any
//! deployment is, of what is there, and stored in one step with the word that the failed one goes back: the stack's record
//! names the way back from then on, so no other server and no later start can decide it a second time, or forget it.

pub(super) mod words;

use super::{
    Control, ControlError, DeployOptions, DeploymentEvent, DeploymentKind, DeploymentState, Fold, Revision,
    RevisionOutcome, RollbackState, StackRecord, StackStatus, TakesBack,
    draft::{Aim, Draft},
    fold,
    fold::under_way,
};
use crate::{
    action::{Action, Refresh},
    diagnostic::Diagnostic,
    event::EventType,
    id::{DeploymentId, StackId},
    inventory::{Inventory, ObservedContainer},
    plan::{self, Plan, SealedPlan},
    runtime::label,
    stack::OnFailure,
    store::{Document, Expect, RecordWrite, StoreError, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::Task,
};
use futures::FutureExt;
use jiff::SignedDuration;
use std::time::Duration;

/// How many warnings of a way back its record tells.
const TOLD: usize = 20;

/// Whether a deployment has failed and is to go back, and that is not decided yet.
pub(super) fn is_due(state: &DeploymentState, fold: &Fold) -> bool {
    state.kind == DeploymentKind::Deploy
        && state.on_failure == Some(OnFailure::Rollback)
        && state.rollback_state.is_none()
        && fold.error.is_some()
}

/// A deployment that goes back, as it was read.
#[derive(Clone, Debug)]
pub(super) struct Failed {
    pub(super) takes_back: TakesBack,
    state: Versioned<DeploymentState>,
    revision: Option<Versioned<Revision>>,
}

impl Failed {
    /// How long it had: its way back has as long.
    fn timeout(&self) -> Option<Duration> {
        let state = &self.state.value;
        Duration::try_from(state.deadline?.duration_since(state.started_at)).ok()
    }

    /// What is written of it with the deployment that takes it back.
    pub(super) fn records(&self, by: &DeploymentId) -> Result<Vec<RecordWrite>, StoreError> {
        let state = DeploymentState {
            status: StackStatus::Error,
            phase: "failed".to_owned(),
            error_message: Some(self.takes_back.reason.clone()),
            rollback_state: Some(RollbackState::RollingBack),
            rollback_id: Some(by.clone()),
            ..self.state.value.clone()
        };
        let mut records = vec![state.write(Expect::Version(self.state.version))?];
        if let Some(Versioned { version, value }) = &self.revision {
            let revision = Revision {
                outcome: Some(RevisionOutcome::Failed),
                error_message: Some(self.takes_back.reason.clone()),
                ..value.clone()
            };
            records.push(revision.write(Expect::Version(*version))?);
        }
        Ok(records)
    }
}

impl Control {
    /// Takes the next step of a deployment that is to go back; called until it is decided.
    pub(super) async fn go_back(&self, id: &DeploymentId, tasks: &[Task]) -> Result<(), ControlError> {
        if tasks.iter().any(|task| !task.status.is_terminal()) {
            // What waits ends at once, what runs when its agent has heard of it: either is news.
            if self.cancel_open(tasks, "the deployment failed, and the stack goes back").await? {
                self.touch(Some(id));
            }
            return Ok(());
        }
        if self.alone_or_later(|| self.take_back(id).boxed()).await?.is_none() {
            self.state().dirty.insert(id.clone());
        }
        Ok(())
    }

    /// Decides how a deployment goes back, from what the store says now.
    async fn take_back(&self, id: &DeploymentId) -> Result<(), ControlError> {
        let Some(state) = self.store.document::<DeploymentState>(id.as_str()).await? else { return Ok(()) };
        let Some(stack) = self.store.document::<StackRecord>(state.value.stack_id.as_str()).await? else {
            return Ok(());
        };
        let query = TaskQuery { deployment: Some(id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        let fold = fold(state.value.kind, &tasks);
        let Some(reason) = fold.error.clone().filter(|_| fold.ended && is_due(&state.value, &fold)) else {
            return Ok(());
        };
        if stack.value.deployment_id != *id {
            return Ok(());
        }
        let number = state.value.revision.unwrap_or(stack.value.revision);
        let refreshed: Vec<&Task> = tasks.iter().filter(|task| refreshes(task)).collect();
        let reason = format!("{reason}{}", words::renewed(&refreshed, id));
        let takes_back =
            TakesBack { deployment_id: id.clone(), revision: number, to: stack.value.last_running, reason };
        // The one that ran is not what failed, where its images alone are others.
        let is_another = takes_back.to != Some(number);
        let revision = if is_another { self.revision(&stack.value.id, number).await? } else { None };
        match self.way_back(&stack.value, &takes_back, !refreshed.is_empty()).await? {
            Ok(way) => {
                let failed = Failed { takes_back, state, revision };
                Box::pin(self.begin(stack, way, failed)).await
            }
            Err(why) => self.stay(&state, why).await,
        }
    }

    /// The plan of the way back, or why there is none. What has the same definition, and asked for newer images, goes back to what
    /// ran without these.
    async fn way_back(
        &self,
        stack: &StackRecord,
        takes_back: &TakesBack,
        refreshed: bool,
    ) -> Result<Result<Way, String>, ControlError> {
        let inventory = self.planning_inventory(&stack.id).await?;
        let options = plan::Options { traces: stack.traces.clone(), ..plan::Options::default() };
        let Some(to) = takes_back.to else {
            if has_more_than_its_own(stack, &takes_back.deployment_id, &inventory) {
                return Ok(Err(
                    "there is more of the stack than this deployment has made, and none of it has run as a \
                               whole before"
                        .to_owned(),
                ));
            }
            let plan = plan::plan_removal(&stack.id, &stack.name, Some(&stack.applied), &inventory, &options);
            return Ok(Ok(Way { plan: plan.sealed(), revision: None }));
        };
        let Some(earlier) = self.revision(&stack.id, to).await? else {
            return Ok(Err(format!("revision {to}, which ran before, is not kept")));
        };
        if earlier.value.definition == stack.definition && !refreshed {
            return Ok(Err(format!("it is what revision {to} says, which ran before")));
        }
        let options = plan::Options { keep: earlier.value.placements.clone(), ..options };
        let plan = plan::plan(&earlier.value.definition, Some(&stack.applied), &inventory, &options);
        Ok(match plan {
            Ok(plan) => Ok(Way { plan: plan.sealed(), revision: Some(earlier.value) }),
            Err(found) => Err(format!("there is no way back to revision {to}: {}", listed(&found))),
        })
    }

    async fn begin(&self, stack: Versioned<StackRecord>, way: Way, failed: Failed) -> Result<(), ControlError> {
        let timeout = failed.timeout();
        if let Some(revision) = way.revision {
            let options = DeployOptions { timeout, ..DeployOptions::default() };
            let aim = Aim::TakeBack(Box::new(failed));
            self.carry_out(revision.definition, way.plan, Some(&stack), options, aim).await?;
            return Ok(());
        }
        let (kind, now) = (DeploymentKind::Withdraw, self.environment.now());
        let deployment = DeploymentId::new(format!("deployment:{}", self.environment.uuid()));
        let draft = Draft { kind, deployment: &deployment, plan: &way.plan, by: None };
        let mut state = draft.state(now);
        state.deadline = timeout.and_then(|limit| now.checked_add(SignedDuration::try_from(limit).ok()?).ok());
        state.events.extend(told(&way.plan, &state));
        state.takes_back = Some(failed.takes_back.clone());
        let mut submission = draft.submission(state)?;
        submission.records.extend(failed.records(&deployment)?);
        let record = StackRecord {
            status: under_way(kind),
            deployment_id: deployment,
            date_modified: now,
            error_message: Some(words::under_way(&failed.takes_back)),
            ..stack.value.clone()
        };
        self.commit(submission, Some(&stack), &record, EventType::StackRollingBack).await?;
        Ok(())
    }

    /// There is no way back: everything is left as it is.
    async fn stay(&self, state: &Versioned<DeploymentState>, why: String) -> Result<(), ControlError> {
        let next = DeploymentState {
            rollback_state: Some(RollbackState::Impossible),
            rollback_message: Some(why),
            ..state.value.clone()
        };
        let records = vec![next.write(Expect::Version(state.version))?];
        self.store.submit(Submission { records, ..Submission::default() }, self.environment.now()).await?;
        self.touch(Some(&state.value.id));
        Ok(())
    }

    /// One revision of a stack.
    pub(super) async fn revision(
        &self,
        stack: &StackId,
        number: u64,
    ) -> Result<Option<Versioned<Revision>>, ControlError> {
        Ok(self.store.document::<Revision>(&Revision::record_id(stack, number)).await?)
    }

    /// What is written with a way back whose record changes: how it stands with the deployment that it takes back.
    pub(super) async fn note_way_back(
        &self,
        way: &DeploymentState,
        done: &Fold,
        is_current: bool,
        submission: &mut Submission,
    ) -> Result<(), ControlError> {
        let Some(failed) = &way.takes_back else { return Ok(()) };
        // What has failed for good is known when all of it has ended.
        let (has_failed, is_done) = (done.ended && done.error.is_some(), done.ended && done.error.is_none());
        let state = match (has_failed, is_done, is_current) {
            (_, true, _) => RollbackState::RolledBack,
            (_, false, false) => RollbackState::Overtaken,
            (true, false, true) => RollbackState::Failed,
            (false, false, true) => RollbackState::RollingBack,
        };
        let Some(before) = self.store.document::<DeploymentState>(failed.deployment_id.as_str()).await? else {
            return Ok(());
        };
        let message = way.error_message.clone().filter(|_| state == RollbackState::Failed);
        if before.value.rollback_state == Some(state) && before.value.rollback_message == message {
            return Ok(());
        }
        let next = DeploymentState { rollback_state: Some(state), rollback_message: message, ..before.value };
        submission.records.push(next.write(Expect::Version(before.version))?);
        if state == RollbackState::RolledBack
            && failed.to != Some(failed.revision)
            && let Some(Versioned { version, value }) = self.revision(&way.stack_id, failed.revision).await?
        {
            let revision = Revision { outcome: Some(RevisionOutcome::RolledBack), ..value };
            submission.records.push(revision.write(Expect::Version(version))?);
        }
        Ok(())
    }
}

/// Whether a task asks for a newer image of what is as it should be otherwise.
fn refreshes(task: &Task) -> bool {
    matches!(&*task.payload, Action::Update { refresh, .. } if *refresh != Refresh::Never)
}

/// Where a way back leads.
struct Way {
    plan: SealedPlan,
    /// Absent: to nothing.
    revision: Option<Revision>,
}

/// Whether anything may be there that is the stack's and that a deployment has not made: what an earlier one has, or what was
/// there before the store knew of it.
fn has_more_than_its_own(stack: &StackRecord, deployment: &DeploymentId, inventory: &Inventory) -> bool {
    let is_of_another = |seen: &ObservedContainer| {
        seen.label(label::STACK) == Some(stack.id.as_str())
            && seen.label(label::DEPLOYMENT) != Some(deployment.as_str())
    };
    !stack.traces.is_empty() || inventory.containers.iter().any(is_of_another)
}

/// What is to be known of a plan, for its deployment's record.
fn told(plan: &Plan, state: &DeploymentState) -> Vec<DeploymentEvent> {
    let warnings = plan.warnings.iter().take(TOLD);
    let timestamp = state.started_at;
    warnings.map(|warning| DeploymentEvent { timestamp, message: warning.message.clone() }).collect()
}

fn listed(found: &[Diagnostic]) -> String {
    let messages: Vec<&str> = found.iter().take(3).map(|one| one.message.as_str()).collect();
    messages.join("; ")
}
