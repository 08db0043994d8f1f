//! Decorators of a [`TaskStore`]: they do something of their own at some calls, and hand on the others as they are.

use crate::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt;

/// What a decorated store does: each method is that of [`TaskStore`], and goes to the store beneath where it is not written.
///
/// # Example
/// A store that is full.
/// ```
/// use async_trait::async_trait;
/// use graphium_core::{
///     store::{MemoryStore, StoreError, Submission, Submitted, TaskStore},
///     testing::{Decorated, StoreDecorator},
/// };
/// use jiff::Timestamp;
///
/// #[derive(Debug, Default)]
/// struct Full(MemoryStore);
///
/// #[async_trait]
/// impl StoreDecorator for Full {
///     fn inner(&self) -> &dyn TaskStore {
///         &self.0
///     }
///
///     async fn submit(&self, _: Submission, _: Timestamp) -> Result<Submitted, StoreError> {
///         Err(StoreError::Full("no space left on device".to_owned()))
///     }
/// }
///
/// # futures::executor::block_on(async {
/// let store = Decorated(Full::default());
/// assert!(store.submit(Submission::default(), Timestamp::UNIX_EPOCH).await.is_err());
/// assert_eq!(store.last_event().await?, 0, "it is read as ever");
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
#[allow(missing_docs, reason = "the methods are those of `TaskStore`")]
#[async_trait]
pub trait StoreDecorator: Send + Sync + fmt::Debug {
    /// The store beneath; where there are several, the one for this call.
    fn inner(&self) -> &dyn TaskStore;

    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.inner().submit(submission, now).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.inner().open_session(request, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.inner().claim(request, now).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.inner().act(task, input, now).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.inner().renew(leases, expires_at).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.inner().expire(now).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.inner().next_wakeup().await
    }

    fn is_shared(&self) -> bool {
        self.inner().is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner().record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.inner().records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.inner().task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.inner().tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.inner().events(after, limit).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.inner().last_event().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.inner().ready().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        self.inner().prune(cut).await
    }
}

/// A store with its [decorator](StoreDecorator).
#[derive(Debug, Default)]
pub struct Decorated<D>(pub D);

#[async_trait]
impl<D: StoreDecorator> TaskStore for Decorated<D> {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.0.submit(submission, now).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.0.open_session(request, now).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.claim(request, now).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.0.act(task, input, now).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.renew(leases, expires_at).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.0.expire(now).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.0.next_wakeup().await
    }

    fn is_shared(&self) -> bool {
        self.0.is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.0.record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.0.records(query).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.0.task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.0.tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0.events(after, limit).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.0.last_event().await
    }

    async fn ready(&self) -> Result<(), StoreError> {
        self.0.ready().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        self.0.prune(cut).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        store::MemoryStore,
        testing::store_suite::{Harness, Memory, Stop},
    };
    use std::sync::Arc;

    #[derive(Debug, Default)]
    struct Plain(MemoryStore);

    impl StoreDecorator for Plain {
        fn inner(&self) -> &dyn TaskStore {
            &self.0
        }
    }

    struct Wrapped;

    #[async_trait(?Send)]
    impl Harness for Wrapped {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            Ok(Arc::new(Decorated(Plain::default())))
        }

        fn wrapped(&self) -> Option<&dyn Harness> {
            Some(&Memory)
        }
    }

    crate::store_suite!(Wrapped);
}
