//! How a command ends: with a documented exit code and, where it failed, with what, why and what to do.

use super::validate::Finding;
use graphium_core::diagnostic::Diagnostic;
use serde::Serialize;
use std::{borrow::Cow, error::Error, fmt::Display, process::ExitCode};

/// The exit codes, which scripts rely upon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Everything that was asked for is so.
    Ok,
    /// It failed.
    Failed,
    /// The command line is wrong.
    Usage,
    /// The document is invalid or cannot be planned.
    Invalid,
    /// The server does not allow it.
    Denied,
    /// The server or the engine does not answer.
    Unreachable,
    /// The wait came to its end before the work did.
    TimedOut,
    /// `plan --detailed-exitcode`: there is something to do.
    Changes,
    /// `stack exec`: Graphium itself failed, and says nothing of the command.
    NotRun,
    /// Ctrl-C.
    Interrupted,
    /// `stack exec`: what the command ended with.
    Command(u8),
}

impl Exit {
    /// What the shell gets.
    pub(crate) fn number(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Invalid => 3,
            Self::Denied => 4,
            Self::Unreachable => 5,
            Self::TimedOut => 6,
            Self::Changes => 7,
            Self::NotRun => 125,
            Self::Interrupted => 130,
            Self::Command(code) => code,
        }
    }

    /// The same for programs that read JSON: stable, kebab-case.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failed => "failed",
            Self::Usage => "usage",
            Self::Invalid => "invalid-document",
            Self::Denied => "not-allowed",
            Self::Unreachable => "unreachable",
            Self::TimedOut => "timed-out",
            Self::Changes => "changes",
            Self::NotRun => "not-run",
            Self::Interrupted => "interrupted",
            Self::Command(_) => "command-failed",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.number())
    }
}

/// What ends a command before its time. Told on stderr as `error: what`, the causes, and `hint:` lines.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    /// What programs know it by, where that says more than the exit code.
    pub(crate) code: Option<Box<str>>,
    /// One sentence; empty where everything was said already.
    pub(crate) what: String,
    /// Why, from the outside in.
    pub(crate) causes: Vec<String>,
    /// What to do.
    pub(crate) hints: Vec<String>,
    /// What is wrong with the document, where that is the reason.
    pub(crate) diagnostics: Box<[Diagnostic]>,
    /// What they were found in, where that is to be shown.
    pub(crate) source: Option<Box<SourceText>>,
}

/// What somebody wrote, and how it is called.
#[derive(Debug)]
pub(crate) struct SourceText {
    pub(crate) name: String,
    pub(crate) text: String,
}

impl Failure {
    /// A failure that is told in one sentence.
    pub(crate) fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            code: None,
            what: what.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            diagnostics: Box::default(),
            source: None,
        }
    }

    /// An end of which everything was said already.
    pub(crate) fn quiet(exit: Exit) -> Self {
        Self::new(exit, "")
    }

    /// The command line asks for something that cannot be.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    /// What the parser of command lines has to say: the mistake, then what to do.
    pub(crate) fn misused(error: &clap::Error) -> Self {
        let text = error.to_string();
        let (what, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
        let rest = rest.lines().map(str::trim).filter(|line| !line.is_empty());
        rest.fold(Self::usage(what.trim_start_matches("error: ").trim()), Self::hint)
    }

    /// Names it for programs: stable, kebab-case.
    pub(crate) fn coded(mut self, code: impl Into<Box<str>>) -> Self {
        self.code = Some(code.into());
        self
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

/// A failure as programs rely upon it: `{"error": {…}}`.
#[derive(Debug, Serialize)]
pub(crate) struct Told<'a> {
    error: ToldError<'a>,
}

#[derive(Debug, Serialize)]
struct ToldError<'a> {
    code: &'a str,
    message: Cow<'a, str>,
    /// What to do, a sentence a line.
    help: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    causes: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Finding<'a>>,
}

impl<'a> Told<'a> {
    /// What is told of this failure.
    pub(crate) fn of(failure: &'a Failure) -> Self {
        let code = failure.code.as_deref().unwrap_or(failure.exit.code());
        let message = match (failure.what.as_str(), &*failure.diagnostics) {
            ("", []) => Cow::Borrowed(code),
            ("", found) => Cow::Owned(found.iter().map(|found| &*found.message).collect::<Vec<_>>().join("; ")),
            (what, _) => Cow::Borrowed(what),
        };
        let hints = failure.hints.iter().map(String::as_str);
        let help: Vec<&str> =
            hints.chain(failure.diagnostics.iter().filter_map(|found| found.help.as_deref())).collect();
        let help = (!help.is_empty()).then(|| help.join("\n"));
        let diagnostics = failure.diagnostics.iter().map(Finding::from).collect();
        Self { error: ToldError { code, message, help, causes: &failure.causes, diagnostics } }
    }
}
