//! Why the control plane does not do what it is asked.

use crate::{diagnostic::Diagnostic, plan::FactChange, store::StoreError};

/// Why the control plane does not do what it is asked, by what a caller can do about it.
///
/// # Example
/// ```
/// use graphium_core::control::ControlError;
///
/// let error = ControlError::NoRevision { stack: "shop".to_owned(), asked: Some(9), known: vec![1, 2] };
/// assert_eq!(error.to_string(), "the stack `shop` has no revision 9; there is 1, 2");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlError {
    /// The document, or what it asks for, cannot be: every reason at once.
    #[error("the stack is refused: {} mistake(s)", .0.len())]
    Invalid(Vec<Diagnostic>),
    /// A task of an operator's own asks more of its host than is allowed: everything at once.
    #[error("the task is refused: {}", .0.iter().map(|denied| denied.message.as_str()).collect::<Vec<_>>().join("; "))]
    NotAllowed(Vec<Diagnostic>),
    /// There is no such stack, task, host, deployment.
    #[error("no {kind} `{id}`")]
    NotFound {
        /// `stack`, `task`, `host` …
        kind: &'static str,
        /// What was asked for.
        id: String,
    },
    /// A stack has no such revision to go back to.
    #[error("{}", no_revision(.stack, *.asked, .known))]
    NoRevision {
        /// The stack's name.
        stack: String,
        /// What was asked for; `None`: the one before the present.
        asked: Option<u64>,
        /// Those that there are, in their order.
        known: Vec<u64>,
    },
    /// It cannot be done now.
    #[error("{message}")]
    Conflict {
        /// Stable, kebab-case.
        code: &'static str,
        /// Why.
        message: String,
    },
    /// A saved plan rests on what is not so any more: every change at once. Nothing was done.
    #[error("the plan of the stack `{stack}` does not fit any more, and nothing was done: {}; plan again", listed(.changes))]
    Outdated {
        /// The stack's name.
        stack: String,
        /// What has changed; none: all that it names is as it was, and yet the plan would be another today.
        changes: Vec<FactChange>,
    },
    /// The store says no.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn no_revision(stack: &str, asked: Option<u64>, known: &[u64]) -> String {
    const SHOWN: usize = 10;
    let Some(asked) = asked else {
        return format!("the stack `{stack}` has no earlier revision to go back to");
    };
    let latest = known.iter().rev().take(SHOWN).rev().map(u64::to_string).collect::<Vec<_>>().join(", ");
    let only = if known.len() > SHOWN { "the latest are " } else { "there is " };
    format!("the stack `{stack}` has no revision {asked}; {only}{latest}")
}

fn listed(changes: &[FactChange]) -> String {
    if changes.is_empty() {
        return "it would be another plan now".to_owned();
    }
    changes.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
