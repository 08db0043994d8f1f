//! What a store may let go of.

use super::ledger::{Ended, Work};
use crate::id::DeploymentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What is old enough, or too much, to be kept.
///
/// # Example
/// ```
/// use graphium_core::store::{Cut, ledger::{Ended, Work}};
/// use jiff::{SignedDuration, Timestamp};
///
/// let hour = SignedDuration::from_hours(1);
/// let ended = Ended { work: Work::Deployment("deployment:1".into()), at: Timestamp::UNIX_EPOCH, tasks: 5 };
/// let mut cut = Cut { ended_before: Timestamp::UNIX_EPOCH + hour, ..Cut::nothing() };
/// assert!(cut.takes(&ended, 0), "it is old enough");
/// cut.live.insert("deployment:1".into());
/// assert!(!cut.takes(&ended, 100), "and yet it stays: it is the present one of its stack");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cut {
    /// Work that has ended before goes. Idempotency keys of submissions from before go too.
    pub ended_before: Timestamp,
    /// Work that has ended goes, in the order of its tasks' ids, while there are more tasks than this.
    pub max_tasks: u64,
    /// Events from before go.
    pub events_before: Timestamp,
    /// Events go, the oldest first, while there are more than this.
    pub max_events: u64,
    /// Deployments of which nothing goes, however old: the present ones of stacks.
    pub live: BTreeSet<DeploymentId>,
}

impl Cut {
    /// One that lets go of nothing.
    pub fn nothing() -> Self {
        Self {
            ended_before: Timestamp::MIN,
            max_tasks: u64::MAX,
            events_before: Timestamp::MIN,
            max_events: u64::MAX,
            live: BTreeSet::new(),
        }
    }

    /// Whether work that has ended goes; `excess` is by how many tasks there are too many.
    pub fn takes(&self, ended: &Ended, excess: u64) -> bool {
        let is_live = matches!(&ended.work, Work::Deployment(id) if self.live.contains(id));
        !is_live && (excess > 0 || ended.at < self.ended_before)
    }
}

/// What a store has let go of in one call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// How many tasks.
    pub tasks: u64,
    /// How many events.
    pub events: u64,
    /// Whether there may be more to let go of: a call does a bounded part only.
    pub more: bool,
}
