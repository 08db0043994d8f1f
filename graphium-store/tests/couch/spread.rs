//! Several servers, of which each call has another: as agents go from one to the next.

use async_trait::async_trait;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Key, Page, Record, RecordQuery, Session, SessionRequest, StoreError, Submission,
        Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

#[derive(Debug)]
pub(crate) struct Spread {
    servers: Vec<Arc<dyn TaskStore>>,
    next: AtomicUsize,
}

impl Spread {
    /// Over at least one.
    pub(crate) fn over(servers: Vec<Arc<dyn TaskStore>>) -> Self {
        Self { servers, next: AtomicUsize::new(0) }
    }

    fn server(&self) -> &dyn TaskStore {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers[number % self.servers.len()].as_ref()
    }
}

#[async_trait]
impl TaskStore for Spread {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.server().submit(submission, now).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.server().open_session(request, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.server().claim(request, now).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.server().act(task, input, now).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.server().renew(leases, expires_at).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.server().expire(now).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.server().record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.server().records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.server().task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.server().tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.server().events(after, limit).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.server().last_event().await
    }
}
