//! A store that asks again, as agents and servers do, until it is answered.
//!
//! Questions, claims, sessions and renewals may be asked again as they are. A change that was not answered may have been made: where it
//! is asked for again, the answer may be of one that finds it done.

use async_trait::async_trait;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::time::sleep;

/// How often it asks, and how long it waits in between.
const TRIES: usize = 1_000;
const REST: Duration = Duration::from_millis(5);

#[derive(Debug)]
pub(crate) struct Patient {
    store: Arc<dyn TaskStore>,
    /// A change was asked for more than once.
    is_unclear: Arc<AtomicBool>,
}

impl Patient {
    pub(crate) fn over(store: Arc<dyn TaskStore>, is_unclear: &Arc<AtomicBool>) -> Self {
        Self { store, is_unclear: Arc::clone(is_unclear) }
    }

    async fn change<T, F>(&self, call: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        match call().await {
            Err(StoreError::Unavailable(_)) => {
                self.is_unclear.store(true, Ordering::Relaxed);
                until_answered(call).await
            }
            answer => answer,
        }
    }
}

async fn until_answered<T, F>(call: impl Fn() -> F) -> Result<T, StoreError>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 0..TRIES {
        match call().await {
            Err(StoreError::Unavailable(_)) => sleep(REST).await,
            answer => return answer,
        }
    }
    call().await
}

#[async_trait]
impl TaskStore for Patient {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.change(|| self.store.submit(submission.clone(), now)).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        until_answered(|| self.store.open_session(request.clone(), now)).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        until_answered(|| self.store.claim(request.clone(), now)).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.change(|| self.store.act(task, input.clone(), now)).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        until_answered(|| self.store.renew(leases, expires_at)).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.change(|| self.store.expire(now)).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        until_answered(|| self.store.next_wakeup()).await
    }

    fn is_shared(&self) -> bool {
        self.store.is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        until_answered(|| self.store.record(key)).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        until_answered(|| self.store.records(query)).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        until_answered(|| self.store.task(id)).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        until_answered(|| self.store.tasks(query)).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        until_answered(|| self.store.events(after, limit)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        until_answered(|| self.store.last_event()).await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        until_answered(|| self.store.ready()).await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        self.change(|| self.store.prune(cut)).await
    }
}
