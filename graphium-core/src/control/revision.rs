//! Revisions of a stack, what became of each, and what a rollback takes back.

use crate::{
    id::{DeploymentId, HostId, StackId},
    stack::Stack,
    store::{Document, Kind},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A document that was deployed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Revision {
    /// Whose.
    pub stack_id: StackId,
    /// Its number, from 1.
    pub revision: u64,
    /// As the planner saw it.
    pub definition: Stack,
    /// Containers and the hosts that they were given.
    #[serde(default)]
    pub placements: BTreeMap<String, HostId>,
    /// When it was deployed.
    pub date_created: Timestamp,
    /// By whom; absent: by nobody in particular, as a rollback that follows a failure is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// The deployment that has deployed it last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// The earlier revision whose document it is again, if a rollback has deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restores: Option<u64>,
    /// What became of it; absent: it is under way, or nobody has noted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RevisionOutcome>,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

impl Revision {
    /// The id of the record of a stack's revision.
    pub(super) fn record_id(stack: &StackId, revision: u64) -> String {
        format!("{stack}#{revision:08}")
    }
}

impl Document for Revision {
    const KIND: Kind = Kind::Revision;
    fn id(&self) -> String {
        Self::record_id(&self.stack_id, self.revision)
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.stack_id.clone())
    }
}

/// What became of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevisionOutcome {
    /// All of it has run.
    Ran,
    /// Its deployment has failed, and what it made is there.
    Failed,
    /// Its deployment has failed, and was taken back.
    RolledBack,
    /// Something else was asked of the stack before its deployment came to an end.
    Overtaken,
}

impl RevisionOutcome {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Failed => "failed",
            Self::RolledBack => "rolled-back",
            Self::Overtaken => "overtaken",
        }
    }
}

/// How far the way back of a deployment is that has failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RollbackState {
    /// What is under way is ended first; then it is planned.
    Due,
    /// It is under way.
    RollingBack,
    /// The stack is as it was before.
    RolledBack,
    /// It has failed; it is not tried again by itself.
    Failed,
    /// There is no way back: nothing to go back to, or no place for it.
    Impossible,
    /// Something else was asked of the stack before it came to its end.
    Overtaken,
}

impl RollbackState {
    /// Whether more is to come.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Due | Self::RollingBack)
    }
}

/// What a rollback takes back.
///
/// # Example
/// ```
/// use graphium_core::control::{DeploymentKind, DeploymentState, RevisionOutcome, RollbackState, TakesBack};
///
/// // A deployment that takes back the one before it.
/// let state: DeploymentState = serde_json::from_value(serde_json::json!({
///     "@id": "deployment:2", "stackId": "stack:shop", "stackName": "shop", "kind": "rollback", "status": "rolling-back",
///     "phase": "planned", "progress": 0, "planHash": "", "taskCount": 3, "placements": {},
///     "startedAt": "2026-01-02T03:04:05Z", "rollbackState": "rolling-back",
///     "takesBack": {"deploymentId": "deployment:1", "revision": 4, "to": 3, "reason": "`web` is unhealthy"}
/// }))?;
/// assert_eq!((state.kind, state.rollback_state), (DeploymentKind::Rollback, Some(RollbackState::RollingBack)));
/// assert!(RollbackState::RollingBack.is_open() && !RollbackState::Impossible.is_open());
/// let back: &TakesBack = state.takes_back.as_ref().unwrap();
/// assert_eq!((back.revision, back.to), (4, Some(3)));
/// assert_eq!(RevisionOutcome::RolledBack.as_str(), "rolled-back");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TakesBack {
    /// The deployment that failed.
    pub deployment_id: DeploymentId,
    /// The revision that it was to deploy.
    pub revision: u64,
    /// The revision that is deployed again; absent: none has ever run, and what was made is taken away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u64>,
    /// Why the deployment failed.
    pub reason: String,
}
