//! What takes a plan back, for people.

use super::{Style, Table, printable};
use graphium_core::plan::Undo;

/// The steps in their order, what cannot be taken back and why, and what is there in the end.
pub(crate) fn undo(undo: &Undo, style: Style) -> Vec<String> {
    let mut lines = Vec::new();
    if !undo.steps.is_empty() {
        lines.extend([String::new(), style.bold("what takes it back, in this order")]);
        let mut table = Table::default();
        for (number, step) in (1..).zip(&undo.steps) {
            let subject = step.container.as_deref().unwrap_or_else(|| step.action.subject());
            table.row([
                format!("  {number}"),
                step.action.task_type().to_string(),
                subject.to_owned(),
                format!("on {}", step.host),
                if step.takes_back() { String::new() } else { "makes way first".to_owned() },
            ]);
        }
        lines.extend(table.lines(style));
    }
    if !undo.lasting.is_empty() {
        lines.extend([String::new(), style.bold("what cannot be taken back")]);
        let mut table = Table::default();
        for lasting in &undo.lasting {
            let host = format!("on {}", lasting.host);
            table.row([format!("  {}", lasting.subject), host, lasting.reason.to_owned()]);
        }
        lines.extend(table.lines(style));
    }
    lines.extend([String::new(), format!("in the end: {}", printable(&undo.end))]);
    lines
}
