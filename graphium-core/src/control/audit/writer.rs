//! Entries on their way into the store: those that come while one step is written go with the next.

use super::{AuditEntry, number};
use crate::store::{Kind, RecordQuery, StoreError, Submission, TaskStore};
use futures::{channel::oneshot, lock::Mutex as Turn};
use jiff::Timestamp;
use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Entries that are written in one step.
const AT_ONCE: usize = 100;
/// Entries that wait to be written.
const MOST: usize = 10_000;
/// How often a number is chosen anew because another server has taken it.
const TRIES: usize = 20;

/// Gives entries their numbers, and writes them.
#[derive(Debug, Default)]
pub(in crate::control) struct Writer {
    waiting: Mutex<Vec<Waiting>>,
    turn: Turn<()>,
    /// The highest number that is known to be taken.
    known: AtomicU64,
}

#[derive(Debug)]
struct Waiting {
    entry: AuditEntry,
    done: oneshot::Sender<Result<(), StoreError>>,
}

impl Writer {
    pub(super) fn known(&self) -> u64 {
        self.known.load(Ordering::Relaxed)
    }

    pub(super) async fn append(
        &self,
        store: &dyn TaskStore,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let (done, mut answer) = oneshot::channel();
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.len() >= MOST {
                return Err(StoreError::Unavailable(format!("{MOST} entries of the audit wait to be written already")));
            }
            waiting.push(Waiting { entry, done });
        }
        let gone = || StoreError::Unavailable("whoever was writing the audit has gone".to_owned());
        let _turn = self.turn.lock().await;
        // Another's turn may have written it; else it is among those that wait, and this turn brings it there.
        loop {
            match answer.try_recv() {
                Ok(Some(result)) => return result,
                Err(oneshot::Canceled) => return Err(gone()),
                Ok(None) => self.write(store, now).await,
            }
        }
    }

    /// Writes the first of those that wait, and tells them how it went.
    async fn write(&self, store: &dyn TaskStore, now: Timestamp) {
        let taken: Vec<Waiting> = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            let many = waiting.len().min(AT_ONCE);
            waiting.drain(..many).collect()
        };
        let (mut entries, tellers): (Vec<_>, Vec<_>) = taken.into_iter().map(|one| (one.entry, one.done)).unzip();
        let result = self.submit(store, &mut entries, now).await;
        for teller in tellers {
            // Nobody may wait for it any more.
            let _ = teller.send(result.clone());
        }
    }

    async fn submit(
        &self,
        store: &dyn TaskStore,
        entries: &mut [AuditEntry],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            let known = self.known();
            let mut seq = if tries == 0 && known > 0 { known } else { last(store, known).await? };
            for entry in entries.iter_mut() {
                seq += 1;
                entry.seq = seq;
            }
            let records = entries.iter().map(AuditEntry::write).collect::<Result<_, _>>()?;
            match store.submit(Submission { records, ..Submission::default() }, now).await {
                Ok(_) => {
                    self.known.fetch_max(seq, Ordering::Relaxed);
                    return Ok(());
                }
                // Another server was faster: it has these numbers.
                Err(StoreError::Conflict { .. }) if tries < TRIES => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

/// The number of the last entry, where that of one before it, or 0, is known.
pub(super) async fn last(store: &dyn TaskStore, known: u64) -> Result<u64, StoreError> {
    // By steps that double until there is nothing behind one, then by halves.
    let (mut low, mut step) = (known, 1);
    let mut high = loop {
        match first_after(store, low.saturating_add(step - 1)).await? {
            Some(found) => {
                low = found;
                step = step.saturating_mul(2);
            }
            None => break low.saturating_add(step - 1),
        }
    };
    while low < high {
        let middle = low + (high - low).div_ceil(2);
        match first_after(store, middle - 1).await? {
            Some(found) => low = found,
            None => high = middle - 1,
        }
    }
    Ok(low)
}

async fn first_after(store: &dyn TaskStore, after: u64) -> Result<Option<u64>, StoreError> {
    let query = RecordQuery { after: Some(AuditEntry::id(after)), limit: 1, ..RecordQuery::of(Kind::Audit) };
    Ok(store.records(&query).await?.items.first().map(number))
}
