//! Where a deployment stands: a function of its tasks alone.

use super::{DeploymentKind, StackStatus, model::failure_line};
use crate::task::{Task, TaskStatus};

/// Where a deployment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// In the words of the stack.
    pub status: StackStatus,
    /// Whether every task has ended.
    pub ended: bool,
    /// 0–100: the part of the tasks that have ended.
    pub progress: u8,
    /// `planned`, the kind of the tasks under way, `done`, `failed`.
    pub phase: String,
    /// The first failures, in words.
    pub error: Option<String>,
}

/// Folds the tasks of a deployment.
///
/// A task that failed shows at once, while others still run; tasks that were cancelled because of it add nothing to
/// the message.
///
/// # Example
/// ```
/// use graphium_core::control::{DeploymentKind, Fold, StackStatus, fold};
/// use graphium_core::{action::Action, task::{Task, TaskStatus}};
/// use jiff::Timestamp;
///
/// let task = |id: &str, status| {
///     let action = Action::Stop { name: "shop-web".to_owned() };
///     Task { status, ..Task::new(id.into(), "vm1".into(), action, Timestamp::UNIX_EPOCH) }
/// };
/// let tasks = [task("task:1", TaskStatus::Completed), task("task:2", TaskStatus::Running)];
/// let folded: Fold = fold(DeploymentKind::Stop, &tasks);
/// assert_eq!((folded.status, folded.progress, folded.phase.as_str()), (StackStatus::Stopping, 50, "stop"));
/// assert!(!folded.ended && folded.error.is_none());
/// ```
pub fn fold(kind: DeploymentKind, tasks: &[Task]) -> Fold {
    let ended = tasks.iter().filter(|task| task.status.is_terminal()).count();
    let all_ended = ended == tasks.len();
    let progress = if tasks.is_empty() { 100 } else { ended * 100 / tasks.len() };
    let error = failures(tasks);
    let status = match (error.is_some(), all_ended) {
        (true, _) if kind == DeploymentKind::Remove => StackStatus::Deleting,
        (true, _) => StackStatus::Error,
        (false, true) => goal(kind),
        (false, false) => under_way(kind),
    };
    let phase = match (error.is_some(), all_ended) {
        (true, _) => "failed".to_owned(),
        (false, true) => "done".to_owned(),
        (false, false) => {
            let busy = tasks.iter().find(|task| task.status.is_leased());
            busy.map_or_else(|| "planned".to_owned(), |task| task.task_type.to_string())
        }
    };
    Fold { status, ended: all_ended, progress: u8::try_from(progress).unwrap_or(100), phase, error }
}

fn goal(kind: DeploymentKind) -> StackStatus {
    match kind {
        DeploymentKind::Deploy
        | DeploymentKind::Rollback
        | DeploymentKind::Move
        | DeploymentKind::Start
        | DeploymentKind::Restart
        | DeploymentKind::Repair => StackStatus::Running,
        // Nothing of it is there any more, and what was wanted does not run.
        DeploymentKind::Withdraw => StackStatus::Error,
        DeploymentKind::Stop => StackStatus::Stopped,
        DeploymentKind::Remove => StackStatus::Deleted,
    }
}

pub(super) fn under_way(kind: DeploymentKind) -> StackStatus {
    match kind {
        DeploymentKind::Deploy | DeploymentKind::Start => StackStatus::Deploying,
        DeploymentKind::Restart | DeploymentKind::Move | DeploymentKind::Repair => StackStatus::Updating,
        DeploymentKind::Stop => StackStatus::Stopping,
        DeploymentKind::Remove => StackStatus::Deleting,
        DeploymentKind::Rollback | DeploymentKind::Withdraw => StackStatus::RollingBack,
    }
}

fn failures(tasks: &[Task]) -> Option<String> {
    const SHOWN: usize = 3;
    // What was cancelled was often cancelled because of what failed.
    let has_failed = tasks.iter().any(|task| task.status == TaskStatus::Failed);
    let unsuccessful =
        |task: &&Task| task.status == TaskStatus::Failed || task.status == TaskStatus::Cancelled && !has_failed;
    let causes: Vec<String> = tasks
        .iter()
        .filter(unsuccessful)
        .filter_map(|task| task.error.as_ref().map(|error| (task, error)))
        .filter(|(_, error)| error.code != "dependency-failed")
        .map(|(task, error)| failure_line(task, error))
        .collect();
    if causes.is_empty() {
        return tasks.iter().find(unsuccessful).map(|task| format!("{} was {}", task.plan_id, task.status.as_str()));
    }
    let more = causes.len().saturating_sub(SHOWN);
    let mut line = causes.into_iter().take(SHOWN).collect::<Vec<_>>().join("; ");
    if more > 0 {
        line.push_str(&format!("; and {more} more"));
    }
    Some(line)
}
