//! A deployment as it goes to the store: its record, its tasks, and what it is for.

use super::{
    DeploymentEvent, DeploymentKind, DeploymentState, Placement, TakesBack,
    fold::under_way,
    rollback::{Failed, words},
};
use crate::{
    event::EventType,
    id::{DeploymentId, HostId, TaskId},
    plan::{Plan, SealedPlan},
    store::{Document, Expect, RecordWrite, StoreError, Submission},
    task::{Gate, Task},
};
use jiff::Timestamp;
use std::{collections::BTreeMap, sync::Arc};

/// A deployment that is about to be stored.
pub(super) struct Draft<'a> {
    pub(super) kind: DeploymentKind,
    pub(super) deployment: &'a DeploymentId,
    pub(super) plan: &'a SealedPlan,
    pub(super) by: Option<&'a String>,
}

impl Draft<'_> {
    /// Its record as it begins.
    pub(super) fn state(&self, now: Timestamp) -> DeploymentState {
        let plan = self.plan;
        DeploymentState {
            id: self.deployment.clone(),
            stack_id: plan.stack.clone(),
            stack_name: plan.stack_name.clone(),
            kind: self.kind,
            status: under_way(self.kind),
            phase: "planned".to_owned(),
            progress: 0,
            plan_hash: plan.hash.clone(),
            task_count: plan.tasks.len(),
            placements: placements_of(plan),
            network_info: BTreeMap::new(),
            volume_info: BTreeMap::new(),
            endpoints: plan.endpoints.clone(),
            events: vec![DeploymentEvent { timestamp: now, message: format!("planned {} task(s)", plan.tasks.len()) }],
            started_at: now,
            completed_at: None,
            deadline: None,
            error_message: None,
            reason: None,
            revision: None,
            on_failure: None,
            rollback_state: None,
            rollback_id: None,
            rollback_message: None,
            takes_back: None,
            leaving: None,
        }
    }

    /// Its record and tasks; [`Control::commit`] adds the stack's own record.
    pub(super) fn submission(&self, state: DeploymentState) -> Result<Submission, StoreError> {
        let tasks = self.tasks(state.started_at);
        Ok(Submission { records: vec![state.write(Expect::Absent)?], tasks, ..Submission::default() })
    }

    fn tasks(&self, now: Timestamp) -> Vec<Task> {
        let plan = self.plan;
        let uuid = self.deployment.as_str().trim_start_matches("deployment:");
        let id = |index: usize| TaskId::new(format!("task:{uuid}.{index:06}"));
        let numbers: BTreeMap<&str, usize> =
            plan.tasks.iter().enumerate().map(|(index, task)| (task.id.as_str(), index)).collect();
        let tasks = plan.tasks.iter().enumerate().map(|(number, planned)| {
            let first = planned.depends_on.iter().filter_map(|other| numbers.get(other.as_str()));
            Task {
                stack_id: Some(plan.stack.clone()),
                deployment_id: Some(self.deployment.clone()),
                plan_id: planned.id.to_string(),
                undo: planned.undo.clone().map(Arc::new),
                slack: planned.slack,
                why: planned.why.to_string(),
                depends_on: first.map(|number| id(*number)).collect(),
                gate: gate(self.kind),
                created_by: self.by.cloned(),
                scheduled_by: "planner".to_owned(),
                ..Task::new(id(number), planned.host.clone(), planned.action.clone(), now)
            }
        });
        tasks.collect()
    }
}

/// What is taken away goes as far as it can; all else waits for success.
fn gate(kind: DeploymentKind) -> Gate {
    match kind {
        DeploymentKind::Remove | DeploymentKind::Withdraw => Gate::Ended,
        DeploymentKind::Deploy
        | DeploymentKind::Rollback
        | DeploymentKind::Move
        | DeploymentKind::Stop
        | DeploymentKind::Start
        | DeploymentKind::Restart
        | DeploymentKind::Repair => Gate::Completed,
    }
}

/// What a plan that deploys a document is for.
#[derive(Clone, Debug)]
pub(super) enum Aim {
    /// Somebody wants this document.
    Deploy,
    /// Somebody wants an earlier revision again: this one.
    Rollback(u64),
    /// A deployment has failed and goes back.
    TakeBack(Box<Failed>),
}

impl Aim {
    pub(super) fn kind(&self) -> DeploymentKind {
        match self {
            Self::Deploy => DeploymentKind::Deploy,
            Self::Rollback(_) | Self::TakeBack(_) => DeploymentKind::Rollback,
        }
    }

    pub(super) fn event(&self) -> EventType {
        match self {
            Self::Deploy => EventType::StackDeploying,
            Self::Rollback(_) | Self::TakeBack(_) => EventType::StackRollingBack,
        }
    }

    pub(super) fn restores(&self) -> Option<u64> {
        match self {
            Self::Deploy => None,
            Self::Rollback(revision) => Some(*revision),
            Self::TakeBack(failed) => failed.takes_back.to,
        }
    }

    pub(super) fn failed(&self) -> Option<&TakesBack> {
        match self {
            Self::TakeBack(failed) => Some(&failed.takes_back),
            Self::Deploy | Self::Rollback(_) => None,
        }
    }

    /// What is wrong with the stack while it is carried out, in words.
    pub(super) fn reason(&self) -> Option<String> {
        self.failed().map(words::under_way)
    }

    /// What is written in the same step as the deployment of that id.
    pub(super) fn also(&self, deployment: &DeploymentId) -> Result<Vec<RecordWrite>, StoreError> {
        match self {
            Self::TakeBack(failed) => failed.records(deployment),
            Self::Deploy | Self::Rollback(_) => Ok(Vec::new()),
        }
    }
}

fn placements_of(plan: &Plan) -> BTreeMap<String, Placement> {
    let place = |(name, host): (&String, &HostId)| {
        let placement = Placement {
            container_id: None,
            container_name: format!("{}-{name}", plan.stack_name),
            host_id: host.clone(),
            ip_address: None,
            ports: indexmap::IndexMap::new(),
            status: None,
            started_at: None,
        };
        (name.clone(), placement)
    };
    plan.placements.iter().map(place).collect()
}
