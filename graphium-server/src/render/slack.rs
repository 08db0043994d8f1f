//! How long tasks can wait before the whole takes longer, for people.

use super::{Style, Table};
use graphium_core::plan::{Plan, PlannedTask};

/// Tasks that are shown: those that can wait least.
const SHOWN: usize = 20;

/// A line per task with its slack, the critical path first.
pub(crate) fn slack(plan: &Plan, style: Style) -> Vec<String> {
    if plan.is_empty() {
        return Vec::new();
    }
    let mut tasks: Vec<&PlannedTask> = plan.tasks.iter().collect();
    tasks.sort_by_key(|task| task.slack);
    let mut lines = vec![String::new(), style.bold("how long each task can wait, by estimate (slack)")];
    let mut table = Table::default();
    for task in tasks.iter().take(SHOWN) {
        let slack = if task.slack == 0 { "0, on the critical path".to_owned() } else { task.slack.to_string() };
        table.row([format!("  {}", task.id), slack]);
    }
    lines.extend(table.lines(style));
    if tasks.len() > SHOWN {
        lines.push(format!("  and {} more", tasks.len() - SHOWN));
    }
    lines
}
