//! What people see.

use super::{Away, RollbackState, StackPolicy, StackStatus, TakesBack};
use crate::{
    id::{DeploymentId, HostId, StackId},
    inventory::{ContainerStatus, Health},
    plan::Endpoint,
    stack::{Deployment, TextMap},
    task::{Progress, Task, TaskStatus},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

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
    /// What is done about it without anybody asking.
    #[serde(default)]
    pub policy: StackPolicy,
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
    /// How far its way back is, if the deployment has failed and goes back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_state: Option<RollbackState>,
    /// The deployment that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_id: Option<DeploymentId>,
    /// Why it does not go back, or what differs now that its way back has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_message: Option<String>,
    /// Why it was begun, where nobody has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it takes back, if it is the way back of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<TakesBack>,
    /// What is done about the stack without anybody asking; absent: the stack is gone, or has another deployment now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<StackPolicy>,
    /// Hosts that are away and whose containers may be placed elsewhere, and hosts where some are still to be removed that were.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub away: Vec<Away>,
    /// Where its published ports answer.
    pub endpoints: Vec<Endpoint>,
    /// The containers that the stack has, by name, as they were seen last; none while tasks of the deployment are under way, or where
    /// the stack is gone or has another deployment now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<Standing>,
    /// Its tasks, in the order of the plan.
    pub tasks: Vec<TaskView>,
}

/// How a container of a stack stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// Its name within the stack.
    pub name: String,
    /// Where it is to be.
    pub host_id: HostId,
    /// What it does; absent: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContainerStatus>,
    /// Of its health check, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How it has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Why nobody knows for now: its host is away, or its engine does not answer. The rest is from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unsure: Option<String>,
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
    /// `task`, `host`, `engine`, `retry`, `slot`, `agent`.
    pub reason: String,
    /// For people: `host vm2, offline since …`.
    pub on: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when at most; absent: as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
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
