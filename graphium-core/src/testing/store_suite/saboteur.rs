//! Stores that are broken in one way each: the proof that the suite can fail.

use crate::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Expect, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Refusal, Task},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::{Arc, Mutex, PoisonError};

/// In which way a [`Saboteur`] is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sabotage {
    /// It hands out again what it has handed out to another claim.
    GrantsTwice,
    /// It takes the report of a lease that is lost for good.
    BelievesStaleReports,
    /// It leaves out an event.
    SkipsAnEvent,
    /// It does not look at what a writer expects.
    IgnoresExpectations,
    /// It does not look at slack.
    IgnoresSlack,
    /// It forgets idempotency keys.
    ForgetsKeys,
    /// It lets go of what is present.
    PrunesWhatIsLive,
}

/// A store that is right in everything but one.
#[derive(Debug)]
pub struct Saboteur {
    inner: Arc<dyn TaskStore>,
    sabotage: Sabotage,
    granted: Mutex<Vec<Task>>,
}

impl Saboteur {
    /// Breaks a store.
    pub fn new(inner: Arc<dyn TaskStore>, sabotage: Sabotage) -> Self {
        Self { inner, sabotage, granted: Mutex::default() }
    }
}

#[async_trait]
impl TaskStore for Saboteur {
    async fn submit(&self, mut submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        match self.sabotage {
            Sabotage::IgnoresExpectations => submission.records.iter_mut().for_each(|write| write.expect = Expect::Any),
            // All of them alike, so that the order is as if nobody looked, though each still has some.
            Sabotage::IgnoresSlack => submission.tasks.iter_mut().for_each(|task| task.slack = 20),
            Sabotage::ForgetsKeys => submission.idempotency_key = None,
            _ => {}
        }
        self.inner.submit(submission, now).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.inner.open_session(request, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        let mut tasks = self.inner.claim(request, now).await?;
        if self.sabotage == Sabotage::GrantsTwice {
            let mut granted = self.granted.lock().unwrap_or_else(PoisonError::into_inner);
            let new = tasks.clone();
            tasks.append(&mut granted);
            granted.extend(new);
        }
        Ok(tasks)
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let is_report = matches!(input, Input::Report { .. });
        match self.inner.act(task, input, now).await {
            Err(StoreError::Refused { refusal: Refusal::LeaseLost { .. }, .. })
                if is_report && self.sabotage == Sabotage::BelievesStaleReports =>
            {
                Ok(Acted::default())
            }
            result => result,
        }
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.inner.renew(leases, expires_at).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.inner.expire(now).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner.next_wakeup().await
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.inner.records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.inner.task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.inner.tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        let mut events = self.inner.events(after, limit).await?;
        if self.sabotage == Sabotage::SkipsAnEvent {
            events.retain(|event| event.seq != 5);
        }
        Ok(events)
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.inner.last_event().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        let mut cut = cut.clone();
        if self.sabotage == Sabotage::PrunesWhatIsLive {
            cut.live.clear();
        }
        self.inner.prune(&cut).await
    }
}
