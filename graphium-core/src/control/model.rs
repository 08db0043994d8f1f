//! What the control plane keeps and shows.

use crate::{
    id::{DeploymentId, HostId, StackId},
    inventory::{ContainerStatus, Host, ObservedContainer},
    plan::{Applied, Endpoint},
    stack::{Deployment, Stack, TextMap},
    store::{Document, Kind},
    task::{Progress, Task, TaskError, TaskStatus},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a stack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the contract")]
pub enum StackStatus {
    Pending,
    Deploying,
    Running,
    Stopping,
    Stopped,
    Updating,
    RollingBack,
    Deleting,
    Deleted,
    Error,
}

impl StackStatus {
    /// Whether something is under way.
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Deploying | Self::Stopping | Self::Updating | Self::RollingBack | Self::Deleting
        )
    }

    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Updating => "updating",
            Self::RollingBack => "rolling-back",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
        }
    }
}

/// A stack as it is kept. What people see of it is [`StackRecord::view`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackRecord {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: StackId,
    /// Its name, unique among the stacks.
    pub name: String,
    /// Where it stands.
    pub status: StackStatus,
    /// The deployment under way, or the last.
    pub deployment_id: DeploymentId,
    /// Counts the documents that were deployed, from 1.
    pub revision: u64,
    /// The document as it is wanted.
    pub definition: Stack,
    /// What was deployed last, and where.
    pub applied: Applied,
    /// When it was first deployed.
    pub date_created: Timestamp,
    /// When it last changed.
    pub date_modified: Timestamp,
    /// When all of it last ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// Who deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

/// A stack as people see it: values of variables are left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackView {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: StackId,
    /// `Stack`.
    #[serde(rename = "@type")]
    pub kind: String,
    /// Its name.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where it stands.
    pub status: StackStatus,
    /// Its datacenter, where it names one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// How it is placed.
    pub deployment: Deployment,
    /// Its containers, by definition.
    pub containers: Vec<serde_json::Value>,
    /// Where its published ports answer.
    pub endpoints: Vec<Endpoint>,
    /// Containers and their hosts.
    pub placements: BTreeMap<String, HostId>,
    /// The deployment under way, or the last.
    pub deployment_id: DeploymentId,
    /// Counts the documents that were deployed.
    pub revision: u64,
    /// When it was first deployed.
    pub date_created: Timestamp,
    /// When it last changed.
    pub date_modified: Timestamp,
    /// When all of it last ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// Who deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Its labels.
    pub labels: TextMap,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

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
    /// When it was deployed.
    pub date_created: Timestamp,
    /// By whom.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// What a deployment does to its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the API")]
pub enum DeploymentKind {
    Deploy,
    Remove,
    Stop,
    Start,
    Restart,
}

/// The state of one deployment (or removal, stop, start, restart).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentState {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: DeploymentId,
    /// The stack.
    pub stack_id: StackId,
    /// The stack's name.
    pub stack_name: String,
    /// What it does.
    pub kind: DeploymentKind,
    /// Where it stands, in the words of the stack.
    pub status: StackStatus,
    /// What is being done, in one word: `planned`, `pulling`, `deploying`, `removing`, `done`, `failed`.
    pub phase: String,
    /// 0–100: the part of its tasks that have ended.
    pub progress: u8,
    /// The hash of its plan.
    pub plan_hash: String,
    /// How many tasks it has.
    pub task_count: usize,
    /// Containers and where they run.
    pub placements: BTreeMap<String, Placement>,
    /// Networks by host.
    #[serde(default)]
    pub network_info: BTreeMap<String, String>,
    /// Volumes by host.
    #[serde(default)]
    pub volume_info: BTreeMap<String, Vec<String>>,
    /// Where its published ports answer.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// What happened, in short.
    #[serde(default)]
    pub events: Vec<DeploymentEvent>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When what has not begun by then is given up; absent: it waits as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// The state of its way back, once it goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_state: Option<String>,
}

/// One thing that happened in a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentEvent {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub message: String,
}

/// Where a container runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The engine's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// Its name on the engine.
    pub container_name: String,
    /// Its host.
    pub host_id: HostId,
    /// Its address on its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<std::net::IpAddr>,
    /// Ports inside to ports on the host.
    #[serde(default)]
    pub ports: IndexMap<String, u16>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContainerStatus>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// A stack's work at a glance.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// The stack.
    pub stack_id: StackId,
    /// Its name.
    pub stack_name: String,
    /// The deployment that is told of.
    pub deployment_id: DeploymentId,
    /// Its tasks.
    pub total_tasks: usize,
    /// Where the stack stands.
    pub overall_status: StackStatus,
    /// 0–100.
    pub progress: u8,
    /// Tasks by status, each of the six.
    pub tasks_by_status: BTreeMap<TaskStatus, usize>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Where its published ports answer.
    pub endpoints: Vec<Endpoint>,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<TaskView>,
}

/// A task as people see it: without its payload's secrets, and with what it waits for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskView {
    /// The task; variables of its payload have no values.
    #[serde(flatten)]
    pub task: Task,
    /// `AgentTask`.
    #[serde(rename = "@type")]
    pub kind: String,
    /// What it waits for; absent once it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<Waiting>,
}

/// What something waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// `task`, `host`, `retry`, `slot`, `agent`.
    pub reason: String,
    /// For people: `host vm2, offline since …`.
    pub on: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when at most; absent: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What a caller may say about a deployment.
#[derive(Clone, Debug, Default)]
pub struct DeployOptions {
    /// Who asks.
    pub by: Option<String>,
    /// Pull every image anew.
    pub pull_images: bool,
    /// Give up after this time.
    pub timeout: Option<std::time::Duration>,
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

/// A credential. The token itself is known to its owner alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// Its public id: [`TokenRecord::id_of`] its hash.
    #[serde(rename = "@id")]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// For agents: the host that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// When it was made.
    pub date_created: Timestamp,
}

impl TokenRecord {
    /// The public id of the credential whose token has this SHA-256 in hexadecimal.
    pub fn id_of(hash: &str) -> String {
        format!("token-{}", hash.get(..16).unwrap_or(hash))
    }
}

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// See.
    Viewer,
    /// Do the work of one host.
    Agent,
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

/// Counts of tasks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskStats {
    /// In all.
    pub total: usize,
    /// By status, each of the six.
    pub by_status: BTreeMap<TaskStatus, usize>,
}

/// The progress of a task in words, for waiting lines.
pub(crate) fn progress_line(progress: Option<&Progress>) -> String {
    match progress {
        None => "has not begun".to_owned(),
        Some(Progress { phase, bytes: Some(bytes), total_bytes: Some(total), .. }) => {
            format!("{phase}, {bytes} of {total} bytes")
        }
        Some(Progress { phase, message, .. }) if message.is_empty() => phase.clone(),
        Some(Progress { phase, message, .. }) => format!("{phase}: {message}"),
    }
}

/// The first failure in words: task, host, cause.
pub(crate) fn failure_line(task: &Task, error: &TaskError) -> String {
    format!("{} on host `{}` failed: {}", task.plan_id, task.host_id, error.message)
}

impl Document for StackRecord {
    const KIND: Kind = Kind::Stack;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.id.clone())
    }
}

impl Document for Revision {
    const KIND: Kind = Kind::Revision;
    fn id(&self) -> String {
        format!("{}#{:08}", self.stack_id, self.revision)
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.stack_id.clone())
    }
}

impl Document for DeploymentState {
    const KIND: Kind = Kind::Deployment;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.stack_id.clone())
    }
}

impl Document for Host {
    const KIND: Kind = Kind::Host;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn host(&self) -> Option<HostId> {
        Some(self.id.clone())
    }
}

impl Document for ObservedContainer {
    const KIND: Kind = Kind::Container;
    fn id(&self) -> String {
        format!("{}/{}", self.hosted_on, self.name)
    }
    fn stack(&self) -> Option<StackId> {
        ObservedContainer::stack(self)
    }
    fn host(&self) -> Option<HostId> {
        Some(self.hosted_on.clone())
    }
}

impl Document for TokenRecord {
    const KIND: Kind = Kind::Token;
    fn id(&self) -> String {
        self.id.clone()
    }
    fn host(&self) -> Option<HostId> {
        self.host.clone()
    }
}
