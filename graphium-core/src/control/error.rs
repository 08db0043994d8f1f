//! Why the control plane does not do what it is asked.

use crate::{diagnostic::Diagnostic, store::StoreError};

/// Why the control plane does not do what it is asked, by what a caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The document, or what it asks for, cannot be: every reason at once.
    #[error("the stack is refused: {} mistake(s)", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// There is no such stack, task, host, deployment.
    #[error("no {kind} `{id}`")]
    NotFound {
        /// `stack`, `task`, `host` …
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// It cannot be done now.
    #[error("{message}")]
    Conflict {
        /// Stable, kebab-case.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}
