//! What everybody may see of a task.

use super::{Progress, Task, TaskError, TaskStatus};
use crate::{
    action::TaskType,
    id::{DeploymentId, HostId, StackId, TaskId},
};
use jiff::Timestamp;
use serde::Serialize;

/// A task as its events show it: without its payload and undo, which hold environments, and without its lease,
/// which is a right to act.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "each is the field of `Task` with the same name")]
pub struct Summary<'a> {
    #[serde(rename = "@id")]
    pub id: &'a TaskId,
    pub task_type: TaskType,
    pub plan_id: &'a str,
    pub status: TaskStatus,
    pub host_id: &'a HostId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<&'a StackId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<&'a DeploymentId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<&'a str>,
    pub priority: u8,
    pub attempt: u32,
    pub retry_count: u32,
    pub max_retries: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<&'a TaskError>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<&'a Progress>,
    #[serde(skip_serializing_if = "<[TaskId]>::is_empty")]
    pub depends_on: &'a [TaskId],
    pub date_created: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cancel_requested: Option<&'a str>,
}

impl<'a> From<&'a Task> for Summary<'a> {
    fn from(task: &'a Task) -> Self {
        Self {
            id: &task.id,
            task_type: task.task_type,
            plan_id: &task.plan_id,
            status: task.status,
            host_id: &task.host_id,
            agent_id: task.agent_id.as_deref(),
            stack_id: task.stack_id.as_ref(),
            deployment_id: task.deployment_id.as_ref(),
            container_id: task.container_id.as_deref(),
            priority: task.priority,
            attempt: task.attempt,
            retry_count: task.retry_count,
            max_retries: task.max_retries,
            error: task.error.as_ref(),
            progress: task.progress.as_ref(),
            depends_on: &task.depends_on,
            date_created: task.date_created,
            assigned_at: task.assigned_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
            not_before: task.not_before,
            cancel_requested: task.cancel_requested.as_deref(),
        }
    }
}

/// [`Summary`] as a JSON value: the data of a task's events.
///
/// # Example
/// ```
/// use graphium_core::{action::Action, task::{Task, summary}};
/// use jiff::Timestamp;
///
/// let action = Action::Stop { name: "shop-web".to_owned() };
/// let shown = summary(&Task::new("task:1".into(), "vm1".into(), action, Timestamp::UNIX_EPOCH));
/// assert_eq!((shown["taskType"].as_str(), shown["hostId"].as_str()), (Some("stop"), Some("vm1")));
/// assert!(shown.get("payload").is_none(), "what is in it is nobody's to see");
/// ```
pub fn summary(task: &Task) -> serde_json::Value {
    // Text, numbers and times only: it always serialises.
    serde_json::to_value(Summary::from(task)).unwrap_or_default()
}
