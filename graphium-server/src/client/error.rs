//! Why a call to the server failed.

use crate::api::problem::Problem;
use graphium_core::diagnostic::Diagnostic;

/// Why a call to the server failed, by what a caller can do about it.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The address is none.
    #[error("`{url}` is not the address of a server: {reason}; write it like http://localhost:8095")]
    Address {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer, or not in time, or none that a server of ours gives.
    #[error(
        "no answer from {url}: {reason}; is the server running (`graphium server`), and is the address right (`--server`)?"
    )]
    Unreachable {
        /// What was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// The token is missing, unknown, or may not do this.
    #[error("{url} refuses: {detail}")]
    Denied {
        /// What was asked.
        url: String,
        /// Whether there was no valid token at all (401) or one that may not (403).
        status: u16,
        /// Why, and what to do.
        detail: String,
    },
    /// The server knows nothing of such a call: it is older than this program, or something else answers there.
    #[error(
        "{url} does not know what it is asked: {detail}; this is graphium {}, and a server that is older is to be updated",
        env!("CARGO_PKG_VERSION")
    )]
    NoSuchCall {
        /// What was asked.
        url: String,
        /// The server's words.
        detail: String,
    },
    /// There is no such stack, task, host.
    #[error("{detail}")]
    NotFound {
        /// What was asked.
        url: String,
        /// What there is not.
        detail: String,
    },
    /// The document is refused.
    #[error("{detail}")]
    Invalid {
        /// In one line.
        detail: String,
        /// Everything that was found.
        diagnostics: Vec<Diagnostic>,
    },
    /// It cannot be done now, or not any more.
    #[error("{detail} [{code}]")]
    Conflict {
        /// Stable, kebab-case.
        code: String,
        /// Why, and what to do.
        detail: String,
    },
    /// A saved plan rests on what is not so any more; nothing was done.
    #[error("{detail}")]
    Outdated {
        /// In one line, every change and what to do.
        detail: String,
        /// The changes, each a sentence; none: only that it would be another plan is known.
        changes: Vec<String>,
    },
    /// Another answer that says no.
    #[error("{url} answers {}: {problem}", .problem.status)]
    Problem {
        /// What was asked.
        url: String,
        /// The answer.
        problem: Box<Problem>,
    },
}

impl ClientError {
    /// What an answer of the server means to a caller.
    pub(super) fn from_problem(url: String, problem: Problem) -> Self {
        match problem.status {
            status @ (401 | 403) => Self::Denied { url, status, detail: problem.detail },
            404 | 405 if matches!(&*problem.code, "no-such-route" | "method-not-allowed") => {
                Self::NoSuchCall { url, detail: problem.detail }
            }
            404 => Self::NotFound { url, detail: problem.detail },
            409 if problem.code == "plan-outdated" => Self::Outdated {
                detail: problem.detail,
                changes: problem.diagnostics.into_iter().map(|found| found.message).collect(),
            },
            409 => Self::Conflict { code: problem.code.into_owned(), detail: problem.detail },
            422 if !problem.diagnostics.is_empty() => {
                Self::Invalid { detail: problem.detail, diagnostics: problem.diagnostics }
            }
            _ => Self::Problem { url, problem: Box::new(problem) },
        }
    }

    /// Whether the server that was asked does not reach its store.
    pub(super) fn is_store_away(&self) -> bool {
        matches!(self, Self::Problem { problem, .. } if problem.status == 503 && problem.code == "store-unavailable")
    }

    /// Whether the server had too much to do to begin with it.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self, Self::Problem { problem, .. } if problem.status == 503 && problem.code == "overloaded")
    }

    /// Whether the same call may succeed later without anybody doing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Problem { problem, .. } => matches!(problem.status, 408 | 429 | 500..),
            _ => false,
        }
    }
}
