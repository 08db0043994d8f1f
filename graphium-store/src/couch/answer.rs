//! What CouchDB answers: how far a write has come, what was found, and why a question has no answer.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::cmp::Ordering;

/// The revision of a document: `3-5f…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Rev(String);

impl Rev {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// CouchDB's own order: the deeper one wins, of one depth the higher hash.
    pub fn rank(&self, other: &Self) -> Ordering {
        self.parts().cmp(&other.parts())
    }

    fn parts(&self) -> (u64, &str) {
        let (depth, hash) = self.0.split_once('-').unwrap_or_default();
        (depth.parse().unwrap_or_default(), hash)
    }
}

/// How far a write has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// 201: a majority of the nodes that keep the document have it.
    Quorum(Rev),
    /// 202: some node has it. It is not ours: it may be lost, or win later over what a majority has.
    Accepted(Rev),
    /// 409: somebody else was faster.
    Conflict,
    /// Nobody knows: no answer in time, a broken connection, or a server that failed. It may have happened, or happen yet.
    Unknown(String),
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// No answer in time, a broken connection, or a server that failed.
    #[error("no answer from `{place}`: {reason}")]
    Unreachable {
        /// The database, without credentials.
        place: String,
        /// What happened.
        reason: String,
    },
    /// It answered, and will not do it.
    #[error("`{place}` refuses ({status}): {reason}")]
    Refused {
        /// The database, without credentials.
        place: String,
        /// The status of its answer.
        status: u16,
        /// In its own words.
        reason: String,
    },
    /// It answered with what cannot be understood.
    #[error("`{place}` answered with what cannot be read: {reason}")]
    Unreadable {
        /// The database, without credentials.
        place: String,
        /// Why.
        reason: String,
    },
}

/// How far the making of a database has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is there, since now or since earlier.
    Ready,
    /// 202: only a minority of the nodes knows of it.
    Accepted,
}

/// A document that was found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Found {
    /// The revision that wins for now.
    #[serde(rename = "_rev")]
    pub rev: Rev,
    /// Others that are in conflict with it.
    #[serde(default, rename = "_conflicts")]
    pub conflicts: Vec<Rev>,
    /// It is a tombstone.
    #[serde(default, rename = "_deleted")]
    pub is_deleted: bool,
    /// Its own fields.
    #[serde(flatten)]
    pub body: Map<String, Value>,
}

/// What a database says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct DatabaseInfo {
    /// On how many nodes a document is kept. Absent: on one.
    pub cluster: Cluster,
}

/// How a cluster keeps a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub struct Cluster {
    /// Copies of every document.
    pub n: u32,
}

impl Default for Cluster {
    fn default() -> Self {
        Self { n: 1 }
    }
}
