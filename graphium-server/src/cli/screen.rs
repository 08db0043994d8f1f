//! The stage for a deployment's progress: a live region on a terminal, a line per change elsewhere.

use super::output::Output;
use crate::render::{Board, Changes, Clock, Frame, Style, as_seen, printable, span, tree};
use graphium_core::{control::StatusView, task::TaskStatus};
use jiff::Timestamp;

/// Shows how a deployment goes, on stderr.
#[derive(Debug)]
pub(crate) struct Screen<'a> {
    output: &'a Output,
    began: Timestamp,
    changes: Changes,
    /// Lines of the live region that are on the terminal now.
    drawn: usize,
    tick: usize,
}

impl<'a> Screen<'a> {
    /// An empty stage.
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, began: Timestamp::now(), changes: Changes::default(), drawn: 0, tick: 0 }
    }

    /// Shows the present state.
    pub(crate) fn show(&mut self, status: &StatusView) {
        let clock = Clock::system();
        let board = Board::of(status, &clock);
        if !self.output.is_watched() {
            for line in self.changes.since_last(&board, clock.now) {
                self.output.say(line);
            }
            return;
        }
        let size = self.output.size();
        let style = self.output.style();
        // The last column and the last line stay free: some terminals wrap or scroll when they are written.
        let (width, height) = (size.width.saturating_sub(1), size.height.saturating_sub(1));
        self.tick += 1;
        let frame = Frame { width, height, tick: self.tick, style };
        let lines = tree(&self.heading(status, clock.now), &board, frame);
        self.replace(&lines);
    }

    /// Says something above the live region, or as a line of its own.
    pub(crate) fn say(&mut self, text: &str) {
        self.clear();
        self.output.say(printable(text));
    }

    /// Leaves what is shown on the terminal, for good.
    pub(crate) fn keep(&mut self) {
        self.drawn = 0;
    }

    /// Takes the live region away.
    pub(crate) fn clear(&mut self) {
        self.replace(&[]);
    }

    fn heading(&self, status: &StatusView, now: Timestamp) -> String {
        let ended = status.tasks.iter().filter(|view| view.task.status.is_terminal()).count();
        let failed = status.tasks.iter().filter(|view| view.task.status == TaskStatus::Failed).count();
        let failed = if failed > 0 { format!(", {failed} failed") } else { String::new() };
        let time = span(now.as_second() - self.began.as_second());
        let word = status.overall_status.as_str();
        let heading = format!("{}: {word}, {ended} of {} tasks{failed}, {time}", status.stack_name, status.total_tasks);
        printable(&heading).into_owned()
    }

    fn replace(&mut self, lines: &[String]) {
        let mut text = String::new();
        if self.drawn > 0 {
            text.push_str(&format!("\x1b[{}A\r\x1b[J", self.drawn));
        }
        for line in lines {
            text.push_str(line);
            text.push('\n');
        }
        if !text.is_empty() {
            self.output.draw(&text);
        }
        self.drawn = lines.len();
    }
}

/// The lines of a board without anything live, for `status`.
pub(crate) fn still(status: &StatusView, width: usize, style: Style) -> Vec<String> {
    let board = as_seen(Board::of(status, &Clock::system()), status);
    let frame = Frame { width, height: usize::MAX, tick: 0, style };
    let ended = status.tasks.iter().filter(|view| view.task.status.is_terminal()).count();
    let word = status.overall_status.as_str();
    let heading = format!("{}: {word}, {ended} of {} tasks", status.stack_name, status.total_tasks);
    tree(&printable(&heading), &board, frame)
}
