//! What failed in a deployment: which task on which host, the engine's words, the last lines, what to do next.

use super::{Style, printable};
use graphium_core::{
    control::{StatusView, TaskView},
    task::{TaskError, TaskStatus},
};

/// So many failures are told in full.
const SHOWN: usize = 5;

/// The lines about all that failed of itself; what was given up because of it is only counted.
pub(crate) fn failures(status: &StatusView, style: Style) -> Vec<String> {
    let failed: Vec<(&TaskView, &TaskError)> = status
        .tasks
        .iter()
        .filter(|view| view.task.status == TaskStatus::Failed)
        .filter_map(|view| Some((view, view.task.error.as_ref()?)))
        .collect();
    let mut lines: Vec<String> =
        failed.iter().take(SHOWN).flat_map(|(view, error)| failure(view, error, style)).collect();
    if failed.len() > SHOWN {
        lines.push(format!("{} more failed: `graphium stack status {}`", failed.len() - SHOWN, status.stack_name));
    }
    let cancelled = status.tasks.iter().filter(|view| view.task.status == TaskStatus::Cancelled).count();
    if cancelled > 0 && !failed.is_empty() {
        lines.push(format!("{} not done because of that", super::count(cancelled, "task")));
    }
    lines
}

/// One failure in full.
pub(crate) fn failure(view: &TaskView, error: &TaskError, style: Style) -> Vec<String> {
    let task = &view.task;
    let attempts = if task.retry_count > 0 { format!(", {} attempts", task.retry_count + 1) } else { String::new() };
    let what = format!("`{}` failed on host `{}` [{}{attempts}]", task.plan_id, task.host_id, error.code);
    let mut lines = vec![format!("{} {}", style.red("error:"), style.bold(&printable(&what)))];
    lines.extend(error.message.lines().map(|line| format!("  {}", printable(line))));
    if !error.log.is_empty() {
        lines.push(format!("  last lines of `{}`:", printable(task.payload.subject())));
        lines.extend(error.log.iter().map(|line| format!("  {} {}", style.dim("│"), printable(line.trim_end()))));
    }
    if let Some(help) = &error.help {
        lines.push(format!("{} {}", style.cyan("hint:"), printable(help)));
    }
    lines
}
