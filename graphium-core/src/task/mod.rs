//! Tasks and the one function that moves them from status to status.
//!
//! # Example
//! ```
//! use graphium_core::{action::Action, task::*};
//! use jiff::{SignedDuration, Timestamp};
//!
//! let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
//! let task = Task::new("task:1".into(), "vm1".into(), Action::Start { name: "shop-web".to_owned() }, at(0));
//! assert_eq!((task.status, task.gate), (TaskStatus::Pending, Gate::Completed));
//!
//! // An agent takes it, and renews its lease while it works.
//! let claim = Input::Claim { epoch: 1, claim: "claim".into(), expires_at: at(30) };
//! let assigned = transition(&task, &claim, at(0))?;
//! let lease: Lease = assigned.lease.clone().unwrap();
//! let progress = Progress { phase: "start".to_owned(), ..Progress::default() };
//! let renew = Input::Renew { lease: lease.clone(), expires_at: at(60), progress: Some(progress) };
//! let running = transition(&assigned, &renew, at(10))?;
//! assert_eq!(running.status, TaskStatus::Running);
//! assert_eq!(deadline(&running), Some(at(10 + 300) + DEADLINE_MARGIN));
//!
//! // It is done: nothing but a retry could change that, and a task that is done needs none.
//! let result = TaskResult { success: true, message: "started".to_owned(), ..TaskResult::default() };
//! let report = |outcome| Input::Report { lease: lease.clone(), outcome };
//! let done = transition(&running, &report(Outcome::Completed(result)), at(20))?;
//! assert!(done.status.is_terminal() && Gate::Completed.is_opened_by(done.status));
//! assert_eq!(transition(&done, &Input::Retry, at(21)), Err(Refusal::NotRetryable(TaskStatus::Completed)));
//!
//! // Or it failed, and is tried again later.
//! let error = TaskError {
//!     code: "port-taken".to_owned(), message: "port 80 is taken".to_owned(), help: None, log: Vec::new(), retryable: true,
//! };
//! let again = transition(&running, &report(Outcome::Failed(error)), at(20))?;
//! assert_eq!((again.status, again.retry_count), (TaskStatus::Pending, 1));
//! assert_eq!(again.put_off(at(20)), Some(at(20) + back_off("task:1", 1)));
//! // What the agent of the first attempt says now is not heard.
//! let late = transition(&again, &report(Outcome::Cancelled), at(25)).unwrap_err();
//! assert_eq!(late.to_string(), "lease is lost: task is pending in attempt 1");
//!
//! // What people see of it leaves the payload out: there may be secrets in it.
//! assert_eq!(summary(&done)["status"], "completed");
//! assert_eq!(Summary::from(&done).attempt, 1);
//! # Ok::<(), Refusal>(())
//! ```

mod summary;
#[cfg(test)]
mod tests;
mod transition;

pub use summary::{Summary, summary};
pub(crate) use transition::advance;
pub(crate) use transition::last_put_off;
pub use transition::{DEADLINE_MARGIN, ENGINE_AWAY, Input, MAX_LOST, Outcome, Refusal, back_off, deadline, transition};

use crate::{
    action::{Action, TaskType},
    id::{ClaimId, DeploymentId, HostId, StackId, TaskId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Something that one host is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Task {
    /// Its identity, kept over retries.
    #[serde(rename = "@id")]
    pub id: TaskId,
    /// The kind of its payload.
    pub task_type: TaskType,
    /// Where it stands.
    pub status: TaskStatus,
    /// The host that does it.
    pub host_id: HostId,
    /// The agent that holds or held it: the name of its host and the session's epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    /// The stack that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<StackId>,
    /// The deployment that it is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// Its id within the plan: `deploy:web`.
    pub plan_id: String,
    /// The name of the container, network, volume or image that it acts on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// 0–10; higher is sooner.
    pub priority: u8,
    /// How long it can wait before its deployment takes longer, in the [weights](crate::plan::weight) of its plan; 0 where it
    /// has none. Of tasks of one priority and age the one with the least begins first.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub slack: u32,
    /// What is done; shared, for it is most of a task and never changes.
    pub payload: Arc<Action>,
    /// What takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Arc<Action>>,
    /// Why it is done, in a few words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// Tasks of the same deployment that come first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<TaskId>,
    /// How those must have ended.
    #[serde(default, skip_serializing_if = "Gate::is_default")]
    pub gate: Gate,
    /// When it was made.
    pub date_created: Timestamp,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
    /// What made it: `planner`, `monitor` or `operator`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub scheduled_by: String,
    /// When the present attempt was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assigned_at: Option<Timestamp>,
    /// When the present attempt began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
    /// What came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// How often it was tried again.
    pub retry_count: u32,
    /// How often it may be.
    pub max_retries: u32,
    /// How often its agent was lost with it since it was made or retried by hand.
    #[serde(default)]
    pub lost_count: u32,
    /// Seconds from the start of an attempt to its deadline.
    pub timeout_seconds: u64,
    /// The number of the present attempt, from 1; 0 before the first.
    pub attempt: u32,
    /// Who holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// Not to be handed out before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// Somebody asked that it end; the agent that holds it is told at its next renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel_requested: Option<String>,
    /// What the present attempt last said of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// How the tasks that come first must have ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Gate {
    /// Well: after a failure the task is cancelled.
    #[default]
    Completed,
    /// However they ended. When a stack is removed, what cannot be removed must not keep the rest.
    Ended,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_zero(number: &u32) -> bool {
    *number == 0
}

impl Gate {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an end in this status opens it.
    pub fn is_opened_by(self, status: TaskStatus) -> bool {
        match self {
            Self::Completed => status == TaskStatus::Completed,
            Self::Ended => status.is_terminal(),
        }
    }
}

impl Task {
    /// A task that waits to be done, with the defaults of its action.
    pub fn new(id: TaskId, host: HostId, payload: Action, now: Timestamp) -> Self {
        let task_type = payload.task_type();
        let defaults = task_type.defaults();
        Self {
            id,
            task_type,
            status: TaskStatus::Pending,
            host_id: host,
            agent_id: None,
            stack_id: None,
            deployment_id: None,
            plan_id: format!("{task_type}:{}", payload.subject()),
            container_id: Some(payload.subject().to_owned()),
            priority: defaults.priority,
            slack: 0,
            payload: Arc::new(payload),
            undo: None,
            why: String::new(),
            depends_on: Vec::new(),
            gate: Gate::default(),
            date_created: now,
            created_by: None,
            scheduled_by: String::new(),
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
}

/// Where a task stands.
///
/// # Example
/// ```
/// use graphium_core::task::TaskStatus;
///
/// let ended: Vec<&str> = TaskStatus::ALL.into_iter().filter(|one| one.is_terminal()).map(TaskStatus::as_str).collect();
/// assert_eq!(ended, ["completed", "failed", "cancelled"]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskStatus {
    /// It waits: for other tasks, for its host, or for the time of its next attempt.
    Pending,
    /// An agent has it and has not begun.
    Assigned,
    /// An agent does it.
    Running,
    /// Done.
    Completed,
    /// Ended without success.
    Failed,
    /// Ended because somebody asked, or because what it waited for failed.
    Cancelled,
}

impl TaskStatus {
    /// Every status.
    pub const ALL: [Self; 6] =
        [Self::Pending, Self::Assigned, Self::Running, Self::Completed, Self::Failed, Self::Cancelled];

    /// Whether it has ended.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// Whether an agent holds it.
    pub fn is_leased(self) -> bool {
        matches!(self, Self::Assigned | Self::Running)
    }

    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Assigned => "assigned",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// The right to act on one attempt of a task, until it expires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Lease {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: u32,
    /// The session of the host's agent: grows with every session, and the highest alone may act.
    pub epoch: u64,
    /// The claim that it was granted to.
    pub claim: ClaimId,
    /// When it ends unless it is renewed.
    pub expires_at: Timestamp,
}

impl Lease {
    /// Whether both are leases of the same grant, whenever they expire.
    pub fn is_same_grant(&self, other: &Self) -> bool {
        self.task == other.task
            && self.attempt == other.attempt
            && self.epoch == other.epoch
            && self.claim == other.claim
    }
}

/// What went wrong with a task, for people.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskError {
    /// Stable, kebab-case: `image-not-found`, `port-taken`, `exited`, `timed-out`, `lease-expired`, `dependency-failed` …
    pub code: String,
    /// What and why, in the engine's own words.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// The last lines that the container wrote.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
    /// Whether another attempt may succeed.
    #[serde(default)]
    pub retryable: bool,
}

/// What came of a task.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TaskResult {
    /// Whether it did what it was to do.
    pub success: bool,
    /// The engine's id of the container.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// One line for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// What its registry calls the image that is there now: by this digest the same bytes can be asked for again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// What is not as it is wanted of a container that was looked at: `old` as it is wanted, `new` as it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<crate::plan::PropertyChange>,
    /// The container as it was afterwards.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<Box<crate::inventory::ObservedContainer>>,
}

/// What an attempt says of itself while it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Progress {
    /// `pulling`, `creating`, `starting`, `stopping` …
    pub phase: String,
    /// One line for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// Bytes that have arrived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Bytes in all, as far as is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_bytes: Option<u64>,
}
