//! Tasks as rows, on several pages.

use crate::web::{
    call::part,
    words::{self, Badge, Moment, Since},
};
use graphium_core::{
    action::{Action, TaskType},
    control::TaskView,
    task::{TaskError, TaskStatus},
};
use jiff::Timestamp;

/// A task as a row.
pub(super) struct TaskRow {
    pub(super) id: String,
    pub(super) href: String,
    pub(super) verb: &'static str,
    pub(super) subject: String,
    pub(super) host: String,
    pub(super) agent: Option<String>,
    pub(super) stack: Option<String>,
    pub(super) badge: Badge,
    pub(super) status: TaskStatus,
    /// What it waits for; for one that runs, what it does.
    pub(super) on: Option<String>,
    pub(super) since: Option<Since>,
    pub(super) until: Option<Moment>,
    pub(super) percent: Option<u64>,
    pub(super) error: Option<TaskError>,
    pub(super) why: String,
    pub(super) attempts: String,
    pub(super) took: Option<String>,
    /// Where the user may change something.
    pub(super) can_retry: bool,
    pub(super) can_cancel: bool,
}

impl TaskRow {
    pub(super) fn of(view: TaskView, now: Timestamp, may_change: bool) -> Self {
        let TaskView { task, waiting, .. } = view;
        let progress = task.progress.as_ref().filter(|_| task.status.is_leased());
        let host = task.host_id.to_string();
        let (on, since, until) = match waiting {
            Some(waiting) => {
                // Of one that runs its agent holds the lease: what it does says more.
                let on = match progress {
                    Some(progress) if waiting.reason == "agent" => words::progress(progress),
                    _ => waiting.on,
                };
                (
                    Some(on),
                    Some(Since(Moment { at: waiting.since, now })),
                    waiting.until.filter(|_| waiting.reason == "retry"),
                )
            }
            None => (None, None, None),
        };
        let took = task.started_at.zip(task.completed_at);
        Self {
            href: format!("/web/tasks/{}", part(task.id.as_str())),
            verb: verb(task.task_type),
            subject: subject(&task.payload),
            agent: task.agent_id.clone(),
            stack: task.stack_id.as_ref().map(|stack| name_of(stack.as_str()).to_owned()),
            badge: if task.cancel_requested.is_some() && task.status.is_leased() {
                Badge::new(words::Tone::Work, "being cancelled")
            } else {
                words::task(task.status)
            },
            status: task.status,
            percent: progress.and_then(words::percent),
            error: task.error.clone().filter(|_| task.status != TaskStatus::Completed),
            why: task.why.clone(),
            attempts: match (task.attempt, task.max_retries + 1) {
                (0, _) => "not begun".to_owned(),
                (attempt, most) if attempt <= most => format!("attempt {attempt} of {most}"),
                (attempt, _) => format!("attempt {attempt}"),
            },
            took: took.map(|(from, to)| words::span(to.as_second() - from.as_second())),
            can_retry: may_change && matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled),
            can_cancel: may_change && !task.status.is_terminal() && task.cancel_requested.is_none(),
            id: task.id.to_string(),
            host,
            on,
            since,
            until: until.map(|at| Moment { at, now }),
        }
    }

    /// Those that people look for first.
    pub(super) fn is_news(&self) -> bool {
        self.status != TaskStatus::Completed
    }
}

/// A stack's id without what every one begins with.
pub(super) fn name_of(stack: &str) -> &str {
    stack.strip_prefix("stack:").unwrap_or(stack)
}

pub(super) fn verb(kind: TaskType) -> &'static str {
    match kind {
        TaskType::Pull => "Pull",
        TaskType::Network => "Network",
        TaskType::Volume => "Volume",
        TaskType::Deploy => "Deploy",
        TaskType::Update => "Update",
        TaskType::Adjust => "Adjust",
        TaskType::Adopt => "Adopt",
        TaskType::Check => "Check",
        TaskType::Stop => "Stop",
        TaskType::Start => "Start",
        TaskType::Restart => "Restart",
        TaskType::Delete => "Delete",
        TaskType::RemoveNetwork => "Remove network",
        TaskType::RemoveVolume => "Remove volume",
    }
}

fn subject(action: &Action) -> String {
    action.subject().to_owned()
}
