//! Tasks, records and times of the suite.

use crate::{
    action::Action,
    id::{DeploymentId, HostId, StackId, TaskId},
    store::{Expect, Key, Kind, RecordWrite},
    task::{Gate, Outcome, Task, TaskError, TaskResult, TaskStatus},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use std::sync::Arc;

/// Seconds after the beginning of the suite's time.
pub(super) fn at(seconds: i64) -> Timestamp {
    // 2026-01-01T00:00:00Z
    let start = Timestamp::from_second(1_767_225_600).unwrap_or_default();
    start.saturating_add(SignedDuration::from_secs(seconds)).unwrap_or(start)
}

/// A task of host `vm1` and deployment `deployment:1`.
pub(super) fn task(id: &str, action: Action) -> Task {
    let defaults = action.task_type().defaults();
    Task {
        id: TaskId::from(id),
        task_type: action.task_type(),
        status: TaskStatus::Pending,
        host_id: HostId::from("vm1"),
        agent_id: None,
        stack_id: Some(StackId::from("stack:shop")),
        deployment_id: Some(DeploymentId::from("deployment:1")),
        plan_id: format!("plan:{id}"),
        container_id: Some(action.subject().to_owned()),
        priority: 5,
        slack: 0,
        payload: Arc::new(action),
        undo: None,
        why: String::new(),
        depends_on: Vec::new(),
        gate: Gate::default(),
        date_created: at(0),
        created_by: None,
        scheduled_by: "planner".to_owned(),
        assigned_at: None,
        started_at: None,
        completed_at: None,
        error: None,
        result: None,
        retry_count: 0,
        max_retries: defaults.max_retries,
        lost_count: 0,
        timeout_seconds: defaults.timeout_seconds,
        attempt: 0,
        lease: None,
        not_before: None,
        cancel_requested: None,
        progress: None,
    }
}

pub(super) fn start(id: &str) -> Task {
    task(id, Action::Start { name: format!("shop-{id}") })
}

pub(super) fn delete(id: &str) -> Task {
    Task { gate: Gate::Ended, ..task(id, Action::Delete { name: format!("shop-{id}") }) }
}

/// The same task, waiting for others.
pub(super) fn after(task: Task, first: &[&str]) -> Task {
    Task { depends_on: first.iter().map(|id| TaskId::from(*id)).collect(), ..task }
}

pub(super) fn on(host: &str, task: Task) -> Task {
    Task { host_id: HostId::from(host), ..task }
}

/// The same task of another deployment.
pub(super) fn of(deployment: &str, task: Task) -> Task {
    Task { deployment_id: Some(DeploymentId::from(deployment)), ..task }
}

pub(super) fn done() -> Outcome {
    Outcome::Completed(TaskResult { success: true, ..TaskResult::default() })
}

pub(super) fn failed() -> Outcome {
    Outcome::Failed(error())
}

pub(super) fn failed_for_now() -> Outcome {
    Outcome::Failed(TaskError { retryable: true, ..error() })
}

fn error() -> TaskError {
    let (code, message) = ("exited".to_owned(), "exit code 1".to_owned());
    TaskError { code, message, help: Some("look at its log".to_owned()), log: vec!["bye".to_owned()], retryable: false }
}

pub(super) fn write(kind: Kind, id: &str, expect: Expect, body: Value) -> RecordWrite {
    RecordWrite { key: Key::new(kind, id), expect, stack: None, host: None, body: Some(Arc::new(body)) }
}

pub(super) fn removal(kind: Kind, id: &str, expect: Expect) -> RecordWrite {
    RecordWrite { key: Key::new(kind, id), expect, stack: None, host: None, body: None }
}
