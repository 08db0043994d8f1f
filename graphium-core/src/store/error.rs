//! What can go wrong with a store, by what a caller can do about it.

use crate::task::Refusal;

/// Why a store did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
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
