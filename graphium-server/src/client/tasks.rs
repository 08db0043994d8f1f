//! Tasks.

use super::{Client, ClientError};
use crate::api::wire::TaskList;
use graphium_core::{
    control::{TaskRequest, TaskStats, TaskView},
    task::TaskStatus,
};
use reqwest::Method;

/// Which tasks to list; the default is all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TaskFilter {
    /// In one of these statuses; empty: in any.
    pub statuses: Vec<TaskStatus>,
    /// Of this stack, by name or id.
    pub stack: Option<String>,
    /// Of this host.
    pub host: Option<String>,
    /// That act on this container.
    pub container: Option<String>,
}

impl Client {
    /// Tasks, the oldest first.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn tasks(&self, filter: &TaskFilter) -> Result<Vec<TaskView>, ClientError> {
        let statuses = filter.statuses.iter().map(|status| status.as_str()).collect::<Vec<_>>().join(",");
        let mut query = Vec::new();
        if !statuses.is_empty() {
            query.push(("status", statuses.as_str()));
        }
        let names = [("stackId", &filter.stack), ("agentId", &filter.host), ("containerId", &filter.container)];
        query.extend(names.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))));
        self.list::<TaskList>(&["tasks"], &query).await
    }

    /// One task.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn task(&self, id: &str) -> Result<TaskView, ClientError> {
        self.get(&["tasks", id]).await
    }

    /// How many tasks there are in each status.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn task_stats(&self) -> Result<TaskStats, ClientError> {
        self.get(&["tasks", "stats"]).await
    }

    /// Has a host do one thing.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] for the host, and what any call can fail with.
    pub async fn create_task(&self, request: &TaskRequest) -> Result<TaskView, ClientError> {
        self.call(Method::POST, &["tasks"]).body(request).json().await
    }

    /// Tries a failed or cancelled task again.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] for a task that has not failed, and what any call can fail with.
    pub async fn retry(&self, task: &str) -> Result<TaskView, ClientError> {
        self.post(&["tasks", task, "retry"]).await
    }

    /// Asks a task to end; where an agent does it already, the agent is told.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] for a task that has ended, and what any call can fail with.
    pub async fn cancel(&self, task: &str) -> Result<TaskView, ClientError> {
        self.post(&["tasks", task, "cancel"]).await
    }
}
