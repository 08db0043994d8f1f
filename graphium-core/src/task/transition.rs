//! The state machine of a task: one total function.
//!
//! ```text
//!            claim             start             report
//! pending ─────────→ assigned ──────→ running ──────────→ completed | failed | cancelled
//!    ↑                  │                │
//!    └── retry: report of a retryable failure while retries are left, or an attempt that was lost with its agent or engine
//! ```

use super::{Lease, Progress, Task, TaskError, TaskResult, TaskStatus};
use crate::id::ClaimId;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How often a task may be lost with its agent, or its engine, before it counts as the one that kills it.
pub const MAX_LOST: u32 = 10;

/// The code of the error of an attempt that the engine gave no answer: it is given back, and counts as lost and not as failed.
pub const ENGINE_AWAY: &str = "engine-away";

/// How long after an attempt's deadline the store waits for the agent's own word on it.
pub const DEADLINE_MARGIN: SignedDuration = SignedDuration::from_secs(15);

/// What can happen to a task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Input {
    /// An agent asks for it.
    Claim {
        /// The session.
        epoch: u64,
        /// The claim.
        claim: ClaimId,
        /// Until when it is granted.
        expires_at: Timestamp,
    },
    /// The holder goes on; the first renewal says that it has begun.
    Renew {
        /// The lease as it was granted.
        lease: Lease,
        /// Until when it is granted anew.
        expires_at: Timestamp,
        /// What the attempt says of itself.
        progress: Option<Progress>,
    },
    /// The holder is alive and says no more: an attempt that has not begun has not begun.
    Extend {
        /// The lease as it was granted.
        lease: Lease,
        /// Until when it is granted anew.
        expires_at: Timestamp,
    },
    /// The holder has ended.
    Report {
        /// The lease as it was granted.
        lease: Lease,
        /// How.
        outcome: Outcome,
    },
    /// Somebody wants it to end.
    Cancel {
        /// Who and why.
        reason: String,
    },
    /// Something that it waits for ended without success.
    DependencyFailed {
        /// Which, and how.
        reason: String,
    },
    /// An operator wants a failed or cancelled task to be tried again: the one way out of a terminal status, and a new attempt.
    Retry,
    /// Time has passed: ends a lease that ran out, and an attempt that is [`DEADLINE_MARGIN`] past its deadline.
    Expire,
    /// A newer session of the same host holds the tasks now: ends the lease of an older one.
    Supersede {
        /// The newer session.
        epoch: u64,
    },
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// It did what it was to do.
    Completed(TaskResult),
    /// It did not.
    Failed(TaskError),
    /// It was asked to end and did.
    Cancelled,
}

/// Why an input does not apply.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Refusal {
    /// It has ended; a terminal status does not change.
    #[error("task has ended: {}", .0.as_str())]
    Ended(TaskStatus),
    /// The lease is not the present one: the attempt was given to another, or its time ran out.
    #[error("lease is lost: task is {} in attempt {attempt}", .status.as_str())]
    LeaseLost {
        /// Where the task stands.
        status: TaskStatus,
        /// Its present attempt.
        attempt: u32,
    },
    /// It is not to be had: another holds it, or its time has not come.
    #[error("task is not to be had: {}", .0.as_str())]
    NotClaimable(TaskStatus),
    /// Only a task that failed or was cancelled is tried again.
    #[error("only a failed or cancelled task is tried again; this one is {}", .0.as_str())]
    NotRetryable(TaskStatus),
    /// What it waits for has ended without success: that one is to be tried again first.
    #[error("it waits for `{task}`, which {}", .status.as_str())]
    Blocked {
        /// The plan's name for the task that it waits for.
        task: String,
        /// How that one ended.
        status: TaskStatus,
    },
    /// Nothing to do: the lease has time left, or there is none.
    #[error("nothing has run out")]
    NotExpired,
}

/// Moves a task, or says why not. Total, and free of any clock but `now`.
///
/// # Errors
/// A [`Refusal`] when the input does not apply; the task is as it was.
pub fn transition(task: &Task, input: &Input, now: Timestamp) -> Result<Task, Refusal> {
    let mut next = task.clone();
    advance(&mut next, input, now)?;
    Ok(next)
}

/// As [`transition`], in place: a refusal leaves the task as it was, for everything is checked before anything changes.
pub(crate) fn advance(task: &mut Task, input: &Input, now: Timestamp) -> Result<(), Refusal> {
    match input {
        Input::Claim { epoch, claim, expires_at } => {
            let early = task.put_off(now).is_some();
            if task.status != TaskStatus::Pending || early {
                return Err(Refusal::NotClaimable(task.status));
            }
            task.status = TaskStatus::Assigned;
            task.attempt = task.attempt.saturating_add(1);
            task.agent_id = Some(format!("{}#{epoch}", task.host_id));
            task.assigned_at = Some(now);
            task.started_at = None;
            task.not_before = None;
            task.progress = None;
            task.lease = Some(Lease {
                task: task.id.clone(),
                attempt: task.attempt,
                epoch: *epoch,
                claim: claim.clone(),
                expires_at: *expires_at,
            });
        }
        Input::Renew { lease, expires_at, progress } => {
            held(task, lease)?;
            task.status = TaskStatus::Running;
            task.started_at.get_or_insert(now);
            extend(task, *expires_at);
            if progress.is_some() {
                task.progress.clone_from(progress);
            }
        }
        Input::Extend { lease, expires_at } => {
            held(task, lease)?;
            extend(task, *expires_at);
        }
        Input::Report { lease, outcome } => {
            held(task, lease)?;
            task.started_at.get_or_insert(now);
            match outcome {
                Outcome::Completed(result) => {
                    task.error = None;
                    task.result = Some(result.clone());
                    end(task, TaskStatus::Completed, now);
                }
                Outcome::Failed(error) if error.code == ENGINE_AWAY => lose(task, error.clone(), now),
                Outcome::Failed(error) => fail(task, error.clone(), now),
                Outcome::Cancelled => {
                    let reason = task.cancel_requested.as_deref().unwrap_or("by its agent");
                    task.error = Some(plain_error("cancelled", reason));
                    end(task, TaskStatus::Cancelled, now);
                }
            }
        }
        Input::Cancel { reason } => match task.status {
            TaskStatus::Pending => {
                task.error = Some(plain_error("cancelled", reason));
                end(task, TaskStatus::Cancelled, now);
            }
            TaskStatus::Assigned | TaskStatus::Running => {
                task.cancel_requested.get_or_insert_with(|| reason.clone());
            }
            ended => return Err(Refusal::Ended(ended)),
        },
        Input::DependencyFailed { reason } => match task.status {
            TaskStatus::Pending => {
                task.error = Some(plain_error("dependency-failed", reason));
                end(task, TaskStatus::Cancelled, now);
            }
            other => return Err(Refusal::NotClaimable(other)),
        },
        Input::Retry => match task.status {
            TaskStatus::Failed | TaskStatus::Cancelled => {
                task.retry_count = 0;
                task.lost_count = 0;
                task.error = None;
                task.result = None;
                task.cancel_requested = None;
                task.completed_at = None;
                wait_again(task, None);
            }
            other => return Err(Refusal::NotRetryable(other)),
        },
        Input::Expire => match &task.lease {
            Some(lease) if task.status.is_leased() && lease.expires_at <= now => {
                let message = format!("its agent ({}) was not heard in time", task.agent_id.as_deref().unwrap_or("?"));
                lose(task, plain_error("lease-expired", &message), now);
            }
            Some(_) if deadline(task).is_some_and(|deadline| deadline <= now) => {
                let last = task.progress.as_ref().map_or("nothing", |progress| progress.phase.as_str());
                let message = format!("not done within {} s; its last word was: {last}", task.timeout_seconds);
                fail(task, TaskError { retryable: true, ..plain_error("timed-out", &message) }, now);
            }
            _ => return Err(Refusal::NotExpired),
        },
        Input::Supersede { epoch } => match &task.lease {
            Some(lease) if task.status.is_leased() && lease.epoch < *epoch => {
                lose(task, plain_error("superseded", "its agent was started anew"), now);
            }
            _ => return Err(Refusal::NotExpired),
        },
    }
    Ok(())
}

fn held(task: &Task, lease: &Lease) -> Result<(), Refusal> {
    match &task.lease {
        Some(present) if task.status.is_leased() && present.is_same_grant(lease) => Ok(()),
        _ => Err(Refusal::LeaseLost { status: task.status, attempt: task.attempt }),
    }
}

/// A renewal that arrives late does not shorten what a later one has granted.
fn extend(task: &mut Task, expires_at: Timestamp) {
    if let Some(lease) = &mut task.lease {
        lease.expires_at = lease.expires_at.max(expires_at);
    }
}

/// When the store gives up on the present attempt if it does not end by itself: [`DEADLINE_MARGIN`] after its
/// `timeout_seconds`, counted from its begin or, while it has not begun, from when it was handed out.
pub fn deadline(task: &Task) -> Option<Timestamp> {
    let limit = SignedDuration::from_secs(i64::try_from(task.timeout_seconds).unwrap_or(i64::MAX / 2));
    let begun = task.started_at.or(task.assigned_at).filter(|_| task.status.is_leased())?;
    Some(begun.saturating_add(limit.saturating_add(DEADLINE_MARGIN)).unwrap_or(Timestamp::MAX))
}

fn end(task: &mut Task, status: TaskStatus, now: Timestamp) {
    task.status = status;
    task.completed_at = Some(now);
    task.lease = None;
    task.progress = None;
    task.not_before = None;
}

fn wait_again(task: &mut Task, not_before: Option<Timestamp>) {
    task.status = TaskStatus::Pending;
    task.lease = None;
    task.progress = None;
    task.not_before = not_before;
}

/// An attempt that failed by itself: tried again later while that may help and retries are left.
fn fail(task: &mut Task, error: TaskError, now: Timestamp) {
    let again = error.retryable && task.retry_count < task.max_retries && task.cancel_requested.is_none();
    task.error = Some(error);
    if again {
        task.retry_count += 1;
        let wait = SignedDuration::try_from(back_off(task.id.as_str(), task.retry_count)).unwrap_or_default();
        wait_again(task, Some(now.saturating_add(wait).unwrap_or(now)));
    } else {
        end(task, TaskStatus::Failed, now);
    }
}

/// An attempt whose agent or engine was lost: what it did is unknown, so the task is handed out again at once.
///
/// It does not count as a retry (one that went away is no fault of the task) until it has happened [`MAX_LOST`] times.
fn lose(task: &mut Task, error: TaskError, now: Timestamp) {
    if let Some(reason) = task.cancel_requested.take() {
        task.error = Some(plain_error("cancelled", &reason));
        end(task, TaskStatus::Cancelled, now);
        return;
    }
    task.lost_count = task.lost_count.saturating_add(1);
    task.error = Some(TaskError { retryable: true, ..error });
    if task.lost_count >= MAX_LOST {
        end(task, TaskStatus::Failed, now);
    } else {
        wait_again(task, None);
    }
}

fn plain_error(code: &str, message: &str) -> TaskError {
    TaskError { code: code.to_owned(), message: message.to_owned(), help: None, log: Vec::new(), retryable: false }
}

/// No [`back_off`] is longer.
const LONGEST_BACK_OFF: SignedDuration = SignedDuration::from_secs(75);

impl Task {
    /// Until when it waits for its next attempt, if it does still. A time that is further away than any back-off was noted before the
    /// clock went back: it is over.
    pub fn put_off(&self, now: Timestamp) -> Option<Timestamp> {
        self.not_before.filter(|moment| *moment > now && *moment <= last_put_off(now))
    }
}

/// The latest time to which something can be put off now.
pub(crate) fn last_put_off(now: Timestamp) -> Timestamp {
    now.saturating_add(LONGEST_BACK_OFF).unwrap_or(Timestamp::MAX)
}

/// Time before the given retry (from 1): doubles from one second to one minute, and up to a
/// quarter more or less by the task's id, so that many that fail together do not return together.
pub fn back_off(seed: &str, retry: u32) -> Duration {
    let doubled = 1_u64 << retry.saturating_sub(1).min(6);
    let base = doubled.min(60) * 1000;
    // FNV-1a, 64 bit: spreads ids well enough for a jitter and needs no state.
    let hash = seed
        .bytes()
        .chain(retry.to_le_bytes())
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    Duration::from_millis(base * 3 / 4 + (hash >> 16) % (base / 2))
}
