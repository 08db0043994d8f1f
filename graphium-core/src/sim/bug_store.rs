//! Defects of the store that are planted.

use super::{bug::Bug, world::World};
use crate::{
    action::Action,
    control::StackStatus,
    id::TaskId,
    stack::UpdateOrder,
    store::{Acted, Cut, Kind, Page, Record, StoreError, Submission, TaskStore},
    task::{Input, Refusal},
};
use jiff::Timestamp;
use std::sync::Arc;

impl World {
    /// What the store makes of a submission.
    pub(super) fn spoil_submission(&self, submission: &mut Submission) {
        match self.setup.bug {
            Some(Bug::GateOpen) => submission.tasks.iter_mut().for_each(|task| task.depends_on.clear()),
            Some(Bug::RetriesUnbounded) => submission.tasks.iter_mut().for_each(|task| task.max_retries = u32::MAX),
            Some(Bug::OrderForgotten) => {
                for task in &mut submission.tasks {
                    if let Action::Update { order, .. } = Arc::make_mut(&mut task.payload) {
                        *order = UpdateOrder::StopFirst;
                    }
                }
            }
            Some(Bug::PolicyForgotten) => {
                let deployments = submission.records.iter_mut().filter(|write| write.key.kind == Kind::Deployment);
                for body in deployments.filter_map(|write| write.body.as_mut()) {
                    if let Some(record) = Arc::make_mut(body).as_object_mut() {
                        record.remove("onFailure");
                    }
                }
            }
            Some(Bug::RepairsUncounted) => {
                let stacks = submission.records.iter_mut().filter(|write| write.key.kind == Kind::Stack);
                for body in stacks.filter_map(|write| write.body.as_mut()) {
                    if let Some(record) = Arc::make_mut(body).as_object_mut() {
                        record.remove("repairs");
                    }
                }
            }
            Some(Bug::FenceSkipped) => {
                submission.records.retain(|write| {
                    let body = write.body.as_ref().filter(|_| write.key.kind == Kind::Forgotten);
                    body.is_none_or(|body| body["movedBy"].is_null())
                });
            }
            Some(Bug::StatusAhead) => {
                for write in &mut submission.records {
                    let body = write.body.as_mut().filter(|_| write.key.kind == Kind::Stack);
                    let Some(body) = body.filter(|body| body["status"] == StackStatus::Deploying.as_str()) else {
                        continue;
                    };
                    if self.chance(100) {
                        Arc::make_mut(body)["status"] = StackStatus::Running.as_str().into();
                    }
                }
            }
            _ => {}
        }
    }

    /// What the store does after it should have refused.
    pub(super) async fn spoil_act(
        &self,
        task: &TaskId,
        input: Input,
        now: Timestamp,
        answer: Result<Acted, StoreError>,
    ) -> Result<Acted, StoreError> {
        let (
            Err(StoreError::Refused { refusal: Refusal::LeaseLost { status, .. }, .. }),
            Input::Report { outcome, .. },
        ) = (&answer, input)
        else {
            return answer;
        };
        match self.setup.bug {
            Some(Bug::EndReopened) if status.is_terminal() => self.store.act(task, Input::Retry, now).await.or(answer),
            Some(Bug::StaleReportTaken) => {
                let present = self.store.task(task).await?.and_then(|task| task.lease);
                match present {
                    Some(lease) => self.store.act(task, Input::Report { lease, outcome }, now).await,
                    None => answer,
                }
            }
            _ => answer,
        }
    }

    /// What the store takes for over.
    pub(super) fn spoil_cut(&self, cut: &Cut) -> Cut {
        let mut cut = cut.clone();
        if self.has(Bug::LivePruned) {
            cut.live.clear();
        }
        cut
    }

    /// What the store shows of its records.
    pub(super) fn spoil_records(&self, kind: Kind, page: &mut Page<Record>) {
        match (self.setup.bug, kind) {
            (Some(Bug::OthersUnseen), Kind::Container) => page.items.clear(),
            (Some(Bug::EndsUnseen), Kind::Container) => {
                for record in page.items.iter_mut().filter(|record| record.body["status"] == "exited") {
                    Arc::make_mut(&mut record.body)["status"] = "running".into();
                }
            }
            (Some(Bug::RollbackAstray), Kind::Revision) => {
                let Some(newest) = page.items.last().map(|record| record.body["definition"].clone()) else { return };
                for record in &mut page.items {
                    Arc::make_mut(&mut record.body)["definition"] = newest.clone();
                }
            }
            _ => {}
        }
    }
}
