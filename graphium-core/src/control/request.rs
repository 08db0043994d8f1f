//! What callers ask, and what they are told.

use super::{PolicyChange, StackStatus};
use crate::{
    id::{DeploymentId, HostId, StackId},
    stack::OnFailure,
};
use serde::{Deserialize, Serialize};

/// What a caller may say about a deployment.
#[derive(Clone, Debug, Default)]
pub struct DeployOptions {
    /// Who asks.
    pub by: Option<String>,
    /// Pull every image anew, and make anew what runs from another than its tag names then.
    pub pull_images: bool,
    /// For a preview: say why each container is where it is.
    pub explain: bool,
    /// Give up after this time.
    pub timeout: Option<std::time::Duration>,
    /// What follows a failure; absent: what the document says, and where that says nothing, everything stays as it is.
    pub on_failure: Option<OnFailure>,
    /// What is to be done about the stack from now on without anybody asking.
    pub policy: PolicyChange,
    /// The caller's key for the request.
    pub idempotency_key: Option<String>,
}

/// What a caller may say about a removal.
#[derive(Clone, Debug, Default)]
pub struct RemoveOptions {
    /// Who asks.
    pub by: Option<String>,
    /// Remove the volumes and their data too.
    pub remove_volumes: bool,
    /// Do not wait for hosts that are away: what may be left there is kept as a record, and removed when they return.
    pub forget: bool,
}

/// Work that was taken on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The stack.
    pub stack_id: StackId,
    /// Its name.
    pub stack_name: String,
    /// The deployment to follow.
    pub deployment_id: DeploymentId,
    /// Where the stack stands now.
    pub status: StackStatus,
    /// How many tasks there are; none: everything is as it should be.
    pub task_count: usize,
    /// What is worth knowing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<crate::diagnostic::Diagnostic>,
}

/// An operator's own task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskRequest {
    /// The host that shall do it.
    pub host_id: HostId,
    /// What.
    pub payload: crate::action::Action,
    /// 0–10; by default the action's own.
    #[serde(default)]
    pub priority: Option<u8>,
    /// By default the action's own.
    #[serde(default)]
    pub timeout_seconds: Option<u64>,
    /// By default the action's own.
    #[serde(default)]
    pub max_retries: Option<u32>,
}
