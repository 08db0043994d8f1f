//! Storing a move.

use super::Leaving;
use crate::{
    control::{
        Control, ControlError, DeployOptions, DeploymentKind, DeploymentState, Revision, StackRecord,
        deploy::deployed_record,
        draft::Draft,
        fold::under_way,
        forget::{self, Forgotten},
    },
    event::EventType,
    id::DeploymentId,
    plan::{Plan, Trace},
    store::{Document, Expect, RecordWrite, Versioned},
};

impl Control {
    /// Stores a move with what it leaves on hosts that are away, and with other records that change in the same step.
    pub(in crate::control) async fn begin_move(
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
