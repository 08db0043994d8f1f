//! How a command ends: with a documented exit code and, where it failed, with what, why and what to do.

use graphium_core::diagnostic::Diagnostic;
use std::{error::Error, fmt::Display, process::ExitCode};

/// The exit codes, which scripts rely upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for is so.
    Ok = 0,
    /// It failed.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// The document is invalid or cannot be planned.
    Invalid = 3,
    /// The server does not allow it.
    Denied = 4,
    /// The server or the engine does not answer.
    Unreachable = 5,
    /// The wait came to its end before the work did.
    TimedOut = 6,
    /// `plan --detailed-exitcode`: there is something to do.
    Changes = 7,
    /// Ctrl-C.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What ends a command before its time. Told on stderr as `error: what`, the causes, and `hint:` lines.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// One sentence; empty where everything was said already.
    pub(crate) what: String,
    /// Why, from the outside in.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) hints: Vec<String>,
    /// What is wrong with the document, where that is the reason.
    pub(crate) diagnostics: Vec<Diagnostic>,
}

impl Failure {
    /// A failure that is told in one sentence.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self { exit, what: what.into(), causes: Vec::new(), hints: Vec::new(), diagnostics: Vec::new() }
    }

    /// An end of which everything was said already.
    pub(crate) fn quiet(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// The command line asks for something that cannot be.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// Adds why.
    pub(crate) fn because(mut self, cause: impl Display) -> Self {
        self.causes.push(cause.to_string());
        self
    }

    /// Adds the error and everything under it.
    pub(crate) fn because_of(mut self, error: &dyn Error) -> Self {
        let mut next = Some(error);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some libraries print their cause and chain it too.
            if !self.causes.last().is_some_and(|last| last.ends_with(&text)) {
                self.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Adds what to do.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}
