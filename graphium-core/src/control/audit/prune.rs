//! Retention: the oldest entries go, a few at a time; the last one stays, so that numbers go on after it.

use super::{AuditEntry, number};
use crate::{
    control::{Control, ControlError},
    store::{Expect, Kind, RecordQuery, RecordWrite, StoreError, Submission},
};
use jiff::Timestamp;

/// Entries that go in one step.
const AT_ONCE: usize = 200;
/// How many are kept where nothing else is said: of a store on a disk, and of one that every server holds in memory.
const MOST: u64 = 1_000_000;
const MOST_SHARED: u64 = 50_000;

impl Control {
    /// Lets the first entries go that are too old or too many; whether there may be more of them.
    pub(in crate::control) async fn prune_audit(&self) -> Result<bool, ControlError> {
        let retention = &self.settings.retention;
        let most = retention.max_audit.unwrap_or(if self.store.is_shared() { MOST_SHARED } else { MOST });
        let now = self.environment.now();
        let before = now.checked_sub(retention.audit).unwrap_or(Timestamp::MIN);
        let query = RecordQuery { limit: AT_ONCE, ..RecordQuery::of(Kind::Audit) };
        let oldest = self.store.records(&query).await?.items;
        if oldest.is_empty() {
            return Ok(false);
        }
        let last = self.last_audit().await?;
        let goes = |record: &crate::store::Record| {
            let seq = number(record);
            let is_old = || AuditEntry::read(record).is_ok_and(|entry| entry.timestamp < before);
            seq < last && (seq.saturating_add(most) <= last || is_old())
        };
        let records: Vec<RecordWrite> = oldest
            .into_iter()
            .take_while(goes)
            .map(|record| RecordWrite { key: record.key, expect: Expect::Any, stack: None, host: None, body: None })
            .collect();
        if records.is_empty() {
            return Ok(false);
        }
        let more = records.len() == AT_ONCE;
        match self.store.submit(Submission { records, ..Submission::default() }, now).await {
            Ok(_) => Ok(more),
            // A store that another server shares: that one prunes.
            Err(StoreError::Invalid { .. }) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}
