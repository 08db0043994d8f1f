//! The reference store: in memory, gone with the process.

use super::{
    Acted, ClaimRequest, Cut, Key, Kind, Page, Pruned, Record, RecordQuery, RecordWrite, Session, SessionRequest,
    StoreError, Submission, Submitted, TaskQuery, TaskStore, event_for, key_twice,
    ledger::{Changes, Ledger, Work},
};
use crate::{
    event::{Event, NewEvent},
    id::TaskId,
    task::{Input, Lease, Task},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::Bound,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A [`TaskStore`] in memory: what the others are measured against, and the store of tests and rehearsals.
///
/// It keeps what is not pruned for as long as it lives, and nothing longer.
///
/// # Example
/// ```
/// use graphium_core::store::{Kind, MemoryStore, RecordQuery, StoreError, TaskStore};
/// # futures::executor::block_on(async {
/// let store = MemoryStore::new();
/// assert!(store.records(&RecordQuery::of(Kind::Stack)).await?.items.is_empty());
/// assert!(store.events(0, 10).await?.is_empty());
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    ledger: Ledger,
    records: BTreeMap<Key, Record>,
    events: VecDeque<Arc<Event>>,
    /// What an idempotency key led to, and when.
    submissions: HashMap<String, (Timestamp, Vec<Key>)>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Opens the ledger anew from what it holds, as a store on a disk does after a crash: claims that were answered and not
    /// taken up are forgotten, and every lease gets time until `until`.
    #[cfg(feature = "sim")]
    pub(crate) fn reopen(&self, now: Timestamp, until: Timestamp) {
        let mut state = self.state();
        state.ledger = state.ledger.reopened(now, until);
    }

    /// The events after a number, none of them copied: whoever looks after every step looks often.
    #[cfg(feature = "sim")]
    pub(crate) fn events_after(&self, seq: u64) -> Vec<Arc<Event>> {
        self.state().events(seq).map(|events| events.cloned().collect()).unwrap_or_default()
    }

    /// What is asked of a task, without a copy of it.
    #[cfg(feature = "sim")]
    pub(crate) fn look_at_task<T>(&self, id: &TaskId, look: impl FnOnce(&Task) -> T) -> Option<T> {
        self.state().ledger.task(id).map(look)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing below panics between two changes; a poisoned lock guards a whole state.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn submit(&mut self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        if let Some((_, keys)) = submission.idempotency_key.as_ref().and_then(|key| self.submissions.get(key)) {
            return Ok(Submitted { repeated: true, keys: keys.clone(), ready: Vec::new() });
        }
        key_twice(&submission.records)?;
        for write in &submission.records {
            write.expect.check(&write.key, self.version(&write.key))?;
        }
        // The last step that can refuse; from here on everything holds.
        let retry = submission.retry.as_ref();
        let decision = self.ledger.submit(submission.tasks, &submission.supersedes, retry, now)?;
        let keys: Vec<Key> = submission.records.iter().map(|write| write.key.clone()).collect();
        for write in submission.records {
            self.write(write, now);
        }
        self.tell(submission.events, now);
        self.tell(decision.changes.events(), now);
        if let Some(key) = submission.idempotency_key {
            self.submissions.insert(key, (now, keys.clone()));
        }
        Ok(Submitted { repeated: false, keys, ready: decision.reply })
    }

    fn version(&self, key: &Key) -> Option<u64> {
        self.records.get(key).map(|record| record.version)
    }

    fn write(&mut self, write: RecordWrite, now: Timestamp) {
        let present = self.version(&write.key);
        self.tell(event_for(&write, present.is_some()), now);
        let RecordWrite { key, stack, host, body, .. } = write;
        match body {
            Some(body) => {
                let version = present.unwrap_or(0) + 1;
                self.records.insert(key.clone(), Record { key, version, stack, host, body });
            }
            None => {
                self.records.remove(&key);
            }
        }
    }

    fn tell(&mut self, events: impl IntoIterator<Item = NewEvent>, now: Timestamp) {
        for event in events {
            let seq = self.last_event() + 1;
            self.events.push_back(Arc::new(Event { seq, kind: event.kind, timestamp: now, data: event.data }));
        }
    }

    fn keep<T>(&mut self, reply: T, changes: &Changes, now: Timestamp) -> T {
        self.tell(changes.events(), now);
        reply
    }

    fn prune(&mut self, cut: &Cut) -> Pruned {
        let mut excess = (self.ledger.tasks(None, None).count() as u64).saturating_sub(cut.max_tasks);
        let mut pruned = Pruned::default();
        for ended in self.ledger.ended() {
            if cut.takes(&ended, excess) {
                self.ledger.forget(&ended.work);
                if let Work::Deployment(id) = ended.work {
                    self.records.remove(&Key::new(Kind::Deployment, id.as_str()));
                }
                excess = excess.saturating_sub(ended.tasks);
                pruned.tasks += ended.tasks;
            }
        }
        while self.events.len() > 1
            && (self.events.len() as u64 > cut.max_events
                || self.events.front().is_some_and(|first| first.timestamp < cut.events_before))
        {
            self.events.pop_front();
            pruned.events += 1;
        }
        self.submissions.retain(|_, (at, _)| *at >= cut.ended_before);
        pruned
    }

    fn events(&self, after: u64) -> Result<impl Iterator<Item = &Arc<Event>>, StoreError> {
        match self.events.front() {
            Some(first) if first.seq > after.saturating_add(1) => Err(StoreError::Pruned { up_to: first.seq - 1 }),
            _ => Ok(self.events.range(self.events.partition_point(|event| event.seq <= after)..)),
        }
    }

    fn last_event(&self) -> u64 {
        self.events.back().map_or(0, |event| event.seq)
    }
}

#[async_trait]
impl TaskStore for MemoryStore {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.state().submit(submission, now)
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        let mut state = self.state();
        let decision = state.ledger.open_session(&request, now);
        Ok(state.keep(decision.reply, &decision.changes, now))
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        let mut state = self.state();
        if let Some((key, expect)) = &request.expect {
            expect.check(key, state.version(key))?;
        }
        let decision = state.ledger.claim(&request, now)?;
        Ok(state.keep(decision.reply, &decision.changes, now))
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let mut state = self.state();
        let decision = state.ledger.act(task, &input, now)?;
        Ok(state.keep(decision.reply, &decision.changes, now))
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        Ok(self.state().ledger.renew(leases, expires_at))
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        let mut state = self.state();
        let decision = state.ledger.expire(now);
        Ok(state.keep(decision.reply, &decision.changes, now))
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().ledger.next_wakeup())
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(self.state().records.get(key).cloned())
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        let state = self.state();
        let start = match &query.after {
            Some(after) => Bound::Excluded(Key::new(query.kind, after.as_str())),
            None => Bound::Included(Key::new(query.kind, "")),
        };
        let records = state
            .records
            .range((start, Bound::Unbounded))
            .map(|(_, record)| record)
            .take_while(|record| record.key.kind == query.kind)
            .filter(|record| query.selects(record));
        Ok(Page::cut(records.cloned(), query.page_size(), |record| record.key.id.clone()))
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        Ok(self.state().ledger.task(id).cloned())
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        let state = self.state();
        let tasks = state.ledger.tasks(query.after.as_ref(), query.deployment.as_ref());
        let tasks = tasks.filter(|task| query.selects(task)).cloned();
        Ok(Page::cut(tasks, query.page_size(), |task| task.id.as_str().to_owned()))
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        Ok(self.state().events(after)?.take(limit).map(|event| Event::clone(event)).collect())
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        Ok(self.state().last_event())
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        Ok(Some(self.state().prune(cut)))
    }
}
