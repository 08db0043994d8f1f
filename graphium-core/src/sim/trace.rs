//! What happened, line by line.

use std::{fmt::Write as _, time::Duration};

/// The lines of a run, if they are wanted: most runs go well, and writing takes longer than running.
#[derive(Debug, Default)]
pub(super) struct Trace {
    text: Option<String>,
}

impl Trace {
    pub(super) fn kept() -> Self {
        Self { text: Some(String::new()) }
    }

    /// Adds a line; what it says is only made where it is kept.
    pub(super) fn tell(&mut self, at: Duration, who: &str, what: impl FnOnce() -> String) {
        if let Some(text) = &mut self.text {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{:>11.6}  {who:<9} {}", at.as_secs_f64(), what());
        }
    }

    pub(super) fn take(&mut self) -> String {
        self.text.take().unwrap_or_default()
    }
}
