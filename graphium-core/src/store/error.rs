//! What can go wrong with a store, by what a caller can do about it.

use super::Kind;
use crate::task::Refusal;
use serde::{Deserialize, Deserializer, Serialize};

/// Why a store did not do what it was asked.
///
/// # Example
/// ```
/// use graphium_core::store::StoreError;
///
/// let error = StoreError::SessionLost { host: "vm1".to_owned(), epoch: 3, newest: 4 };
/// assert_eq!(error.to_string(), "host `vm1` is served by a newer agent (session 4; this one is 3)");
/// // It goes over a wire and comes back as it was.
/// let written = serde_json::to_string(&error)?;
/// assert_eq!(serde_json::from_str::<StoreError>(&written)?, error);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(into = "Written")]
#[non_exhaustive]
pub enum StoreError {
    /// There is no such task.
    #[error("no {kind} `{id}`")]
    NotFound {
        /// `task`, `stack` …
        kind: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// A record is not as it was expected: somebody else changed it. Read again, decide again.
    #[error("{kind} `{id}` was changed by somebody else")]
    Conflict {
        /// The record's kind.
        kind: &'static str,
        /// The record's id.
        id: String,
    },
    /// What was asked contradicts itself; asking again does not help.
    #[error("{kind} `{id}` cannot be stored: {reason}")]
    Invalid {
        /// `task`, `record` …
        kind: &'static str,
        /// Its id.
        id: String,
        /// Why.
        reason: String,
    },
    /// The state machine refuses.
    #[error("task `{task}`: {refusal}")]
    Refused {
        /// The task.
        task: String,
        /// Why.
        #[source]
        refusal: Refusal,
    },
    /// A newer session of the same host has taken over.
    #[error("host `{host}` is served by a newer agent (session {newest}; this one is {epoch})")]
    SessionLost {
        /// The host.
        host: String,
        /// The session that asked.
        epoch: u64,
        /// The newest.
        newest: u64,
    },
    /// Events that were asked for have been pruned.
    #[error("events up to number {up_to} are gone")]
    Pruned {
        /// The highest number that is gone.
        up_to: u64,
    },
    /// No room to write. Reading goes on.
    #[error("no room left to write: {0}")]
    Full(String),
    /// The store cannot be reached, or failed; asking again may help.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be understood.
    #[error("{kind} `{id}` cannot be read: {reason}")]
    Corrupt {
        /// The record's kind.
        kind: &'static str,
        /// The record's id.
        id: String,
        /// Why.
        reason: String,
    },
}

/// The error as it is written for another program: nothing of it is lost.
#[derive(Serialize, Deserialize)]
#[serde(tag = "error", rename_all = "kebab-case", rename_all_fields = "camelCase")]
enum Written {
    NotFound { kind: String, id: String },
    Conflict { kind: String, id: String },
    Invalid { kind: String, id: String, reason: String },
    Refused { task: String, refusal: Refusal },
    SessionLost { host: String, epoch: u64, newest: u64 },
    Pruned { up_to: u64 },
    Full { reason: String },
    Unavailable { reason: String },
    Corrupt { kind: String, id: String, reason: String },
}

impl From<StoreError> for Written {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { kind, id } => Self::NotFound { kind: kind.to_owned(), id },
            StoreError::Conflict { kind, id } => Self::Conflict { kind: kind.to_owned(), id },
            StoreError::Invalid { kind, id, reason } => Self::Invalid { kind: kind.to_owned(), id, reason },
            StoreError::Refused { task, refusal } => Self::Refused { task, refusal },
            StoreError::SessionLost { host, epoch, newest } => Self::SessionLost { host, epoch, newest },
            StoreError::Pruned { up_to } => Self::Pruned { up_to },
            StoreError::Full(reason) => Self::Full { reason },
            StoreError::Unavailable(reason) => Self::Unavailable { reason },
            StoreError::Corrupt { kind, id, reason } => Self::Corrupt { kind: kind.to_owned(), id, reason },
        }
    }
}

// Not derived: for the sake of `kind` that would read texts only that live for ever.
impl<'de> Deserialize<'de> for StoreError {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Written::deserialize(deserializer).map(Self::from)
    }
}

impl From<Written> for StoreError {
    fn from(written: Written) -> Self {
        match written {
            Written::NotFound { kind, id } => Self::NotFound { kind: known(&kind), id },
            Written::Conflict { kind, id } => Self::Conflict { kind: known(&kind), id },
            Written::Invalid { kind, id, reason } => Self::Invalid { kind: known(&kind), id, reason },
            Written::Refused { task, refusal } => Self::Refused { task, refusal },
            Written::SessionLost { host, epoch, newest } => Self::SessionLost { host, epoch, newest },
            Written::Pruned { up_to } => Self::Pruned { up_to },
            Written::Full { reason } => Self::Full(reason),
            Written::Unavailable { reason } => Self::Unavailable(reason),
            Written::Corrupt { kind, id, reason } => Self::Corrupt { kind: known(&kind), id, reason },
        }
    }
}

/// Kinds of things that errors are of, beside those of records.
const OTHERS: [&str; 5] = ["task", "event", "session", "submission", "call"];

/// The kind as this program writes it; `record`: a newer program knows of another.
fn known(kind: &str) -> &'static str {
    let kinds = OTHERS.into_iter().chain(Kind::ALL.map(Kind::as_str));
    kinds.into_iter().find(|known| *known == kind).unwrap_or("record")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskStatus;
    use std::error::Error;

    #[test]
    fn every_error_is_read_as_it_was_written() -> Result<(), Box<dyn Error>> {
        let (task, reason, status) = ("task:1".to_owned(), "why \"so\"".to_owned(), TaskStatus::Failed);
        let refusals = [
            Refusal::Ended(status),
            Refusal::LeaseLost { status, attempt: 3 },
            Refusal::NotClaimable(status),
            Refusal::NotRetryable(status),
            Refusal::Blocked { task: "deploy:db".to_owned(), status },
            Refusal::NotExpired,
        ];
        let mut errors: Vec<StoreError> =
            refusals.into_iter().map(|refusal| StoreError::Refused { task: task.clone(), refusal }).collect();
        for kind in OTHERS.into_iter().chain(Kind::ALL.map(Kind::as_str)) {
            errors.extend([
                StoreError::NotFound { kind, id: task.clone() },
                StoreError::Conflict { kind, id: task.clone() },
                StoreError::Invalid { kind, id: task.clone(), reason: reason.clone() },
                StoreError::Corrupt { kind, id: task.clone(), reason: reason.clone() },
            ]);
        }
        errors.extend([
            StoreError::SessionLost { host: "vm1".to_owned(), epoch: 1, newest: u64::MAX },
            StoreError::Pruned { up_to: u64::MAX },
            StoreError::Full(reason.clone()),
            StoreError::Unavailable(reason),
        ]);
        for error in errors {
            let text = serde_json::to_string(&error)?;
            assert_eq!(serde_json::from_str::<StoreError>(&text)?, error, "{text}");
        }
        Ok(())
    }
}
