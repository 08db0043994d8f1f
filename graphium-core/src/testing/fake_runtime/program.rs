//! What the containers of an image do.

use crate::{inventory::Health, runtime::LogSource};

/// What a container does when it is started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it writes, and where to.
    pub(super) lines: Vec<(LogSource, String)>,
    /// How it ends at once; absent: it runs until it is stopped.
    pub(super) exit: Option<i64>,
    /// What its health check says after the start, if its definition has one.
    pub(super) health: Health,
    /// The only port that it listens at; absent: at every one.
    pub(super) port: Option<u16>,
}

impl Program {
    /// Runs until it is stopped, and is well.
    pub fn runs() -> Self {
        Self { lines: Vec::new(), exit: None, health: Health::Healthy, port: None }
    }

    /// Ends at once with this code.
    pub fn exits(code: i64) -> Self {
        Self { exit: Some(code), ..Self::runs() }
    }

    /// Writes these lines at its start.
    #[must_use]
    pub fn saying<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.lines.extend(lines.into_iter().map(|line| (LogSource::Stdout, line.into())));
        self
    }

    /// Writes these lines to its standard error at its start.
    #[must_use]
    pub fn complaining<S: Into<String>>(mut self, lines: impl IntoIterator<Item = S>) -> Self {
        self.lines.extend(lines.into_iter().map(|line| (LogSource::Stderr, line.into())));
        self
    }

    /// Listens at this port and at no other.
    #[must_use]
    pub fn listening(mut self, port: u16) -> Self {
        self.port = Some(port);
        self
    }

    /// Is found so by its health check.
    #[must_use]
    pub fn found(mut self, health: Health) -> Self {
        self.health = health;
        self
    }
}

impl Default for Program {
    fn default() -> Self {
        Self::runs()
    }
}
