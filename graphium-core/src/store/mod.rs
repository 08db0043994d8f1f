//! Where tasks, records and events lie: the trait [`TaskStore`].
//!
//! The store persists; the core decides. Every backend moves tasks by
//! [`transition`](crate::task::transition) alone.
//!
//! # Example
//! ```
//! use graphium_core::{action::Action, store::*, task::{Input, Outcome, Task, TaskResult, TaskStatus}};
//! use jiff::{SignedDuration, Timestamp};
//! # futures::executor::block_on(async {
//! let at = |seconds| Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
//! let store = MemoryStore::new();
//! let task = Task::new("task:1".into(), "vm1".into(), Action::Start { name: "shop-web".to_owned() }, at(0));
//! let submission = Submission { tasks: vec![task], idempotency_key: Some("once".to_owned()), ..Submission::default() };
//! let submitted: Submitted = store.submit(submission.clone(), at(0)).await?;
//! assert_eq!(submitted.ready, ["vm1".into()]);
//! assert!(store.submit(submission, at(0)).await?.repeated);
//!
//! // The agent of the host: a session, a claim, a report.
//! let request = SessionRequest { host: "vm1".into(), nonce: "first".to_owned(), seen_epoch: 0 };
//! let session: Session = store.open_session(request, at(1)).await?;
//! let claim = ClaimRequest {
//!     host: "vm1".into(), epoch: session.epoch, claim: "claim".into(), max: 4, expires_at: at(31), expect: None,
//! };
//! let granted = store.claim(claim.clone(), at(1)).await?;
//! let lease = granted[0].lease.clone().unwrap();
//! let report = Input::Report { lease, outcome: Outcome::Completed(TaskResult::default()) };
//! let acted: Acted = store.act(&"task:1".into(), report, at(2)).await?;
//! assert_eq!(acted.tasks[0].status, TaskStatus::Completed);
//!
//! // A newer agent takes over, and the one before is told.
//! store.open_session(SessionRequest { host: "vm1".into(), nonce: "second".to_owned(), seen_epoch: 0 }, at(3)).await?;
//! let lost = store.claim(ClaimRequest { claim: "next".into(), ..claim }, at(4)).await.unwrap_err();
//! assert!(matches!(lost, StoreError::SessionLost { .. }), "{lost}");
//!
//! // Everything has left its event; what is over may go.
//! assert_eq!(store.events(0, 10).await?.len() as u64, store.last_event().await?);
//! let ended = TaskQuery { statuses: vec![TaskStatus::Completed], ..TaskQuery::default() };
//! let page: Page<Task> = store.tasks(&ended).await?;
//! assert_eq!((page.items.len(), page.next), (1, None));
//! let cut = Cut { ended_before: at(60), ..Cut::nothing() };
//! let pruned: Pruned = store.prune(&cut).await?.unwrap();
//! assert_eq!(pruned.tasks, 1);
//! # Ok::<(), StoreError>(())
//! # }).unwrap();
//! ```

mod error;
mod ext;
pub mod ledger;
mod memory;
mod model;
mod record;
mod retention;

pub use error::StoreError;
pub use ext::{Document, TaskStoreExt, Versioned};
pub use memory::MemoryStore;
pub use model::{
    Acted, ClaimRequest, Expect, Key, Kind, Page, Record, RecordQuery, RecordWrite, Session, SessionRequest,
    Submission, Submitted, TaskQuery,
};
pub use record::{event_for, key_twice};
pub use retention::{Cut, Pruned};

use crate::{
    event::Event,
    id::TaskId,
    task::{Input, Lease, Task},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::fmt;

/// Keeps what must survive, and hands out tasks.
///
/// For every method that writes:
/// * **Atomicity**: all of it or nothing, the events that tell of it included.
/// * **Durability**: what has returned `Ok` survives a crash of the program and of the machine (unless the backend says that it is for tests).
/// * **Events**: a change of a task is an event `task_created` or `task_updated` without further ado; a record's change is one where its
///   kind has events. Numbers are gapless and in the order of the changes.
/// * **Cancellation**: a dropped future may have taken effect.
/// * **Errors**: [`StoreError::Unavailable`] and [`StoreError::Full`] may pass; the others are answers.
///
/// Reading never waits for a writer.
///
/// # Example
/// Whoever works with a store takes it by the trait; `docs/store-contract.md` says what it promises, and
/// `testing::store_suite` proves it of one.
/// ```
/// use graphium_core::store::{MemoryStore, StoreError, TaskQuery, TaskStore};
/// use std::sync::Arc;
/// # futures::executor::block_on(async {
/// let store: Arc<dyn TaskStore> = Arc::new(MemoryStore::new());
/// assert!(store.tasks(&TaskQuery::default()).await?.items.is_empty());
/// assert_eq!(store.last_event().await?, 0);
/// assert!(!store.is_shared(), "this program has it for itself");
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
#[async_trait]
pub trait TaskStore: Send + Sync + fmt::Debug {
    /// Writes records, tasks and events in one step.
    ///
    /// *Ordering*: the events of the records come first, then those of the submission, then those of the tasks.
    /// *Idempotency*: a submission whose `idempotency_key` was seen before changes nothing and returns the records' keys of the first.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when an expectation on a record does not hold; [`StoreError::Invalid`] when a record is written
    /// twice, or a task waits for one that is not of its deployment or for itself.
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError>;

    /// Opens a session for the agent of a host and ends those before it.
    ///
    /// The epoch is higher than every one that the store has given for this host and than `seen_epoch`. Leases of older
    /// sessions end at once and their tasks wait again.
    /// *Idempotency*: the same `nonce` again, while it is the newest, returns the same epoch.
    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError>;

    /// Hands out up to `max` tasks of a host that may begin: pending, their time has come, everything that they wait for has ended well
    /// (for [`Gate::Ended`](crate::task::Gate): has ended). Order: priority, then age,
    /// then [slack](Task::slack), the least first, then id.
    ///
    /// *Idempotency*: the same claim id again returns what it was granted before, as far as it still holds that.
    /// A claim that is granted nothing writes nothing.
    ///
    /// # Errors
    /// [`StoreError::SessionLost`] when the epoch is not the host's newest; [`StoreError::Conflict`] when a record is not as the
    /// claim expects it, be it that it was granted something before.
    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError>;

    /// Moves one task by an input other than a claim.
    ///
    /// What waits for a task that ended without success is cancelled in the same step, and so on; an operator's retry
    /// lets wait again what was cancelled only for its sake.
    ///
    /// # Errors
    /// [`StoreError::Refused`] with the reason when the input does not apply, [`StoreError::NotFound`],
    /// [`StoreError::Invalid`] for a claim.
    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError>;

    /// Renews leases of a host without saying more: those that are still held.
    ///
    /// A lease that is missing in the answer is lost. Tasks whose cancellation was asked for have `cancel_requested`.
    /// Need not be durable: after a restart every lease gets its full time anew.
    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError>;

    /// Ends leases and attempts whose time has passed. The hosts of tasks whose `not_before` has come are among the ready; one that is
    /// further away than any back-off ([`Task::put_off`]) has come.
    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError>;

    /// The earliest time at which [`expire`](Self::expire) has something to do, as far as the store knows without reading.
    ///
    /// `None`: it knows of none. A hint: what another server does to the same store may come sooner.
    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    /// Whether other servers may work on the same store at the same time.
    ///
    /// Then what they do comes to light by looking: [`expire`](Self::expire) names among the ready the hosts to which others
    /// have brought work since it was last asked.
    fn is_shared(&self) -> bool {
        false
    }

    /// One record.
    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError>;

    /// Records of one kind, ordered by id.
    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError>;

    /// One task.
    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError>;

    /// Tasks, ordered by id, which is by age.
    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError>;

    /// Up to `limit` events with numbers above `after`, in order.
    ///
    /// # Errors
    /// [`StoreError::Pruned`] when events above `after` are gone already.
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError>;

    /// The number of the last event, 0 when there is none.
    async fn last_event(&self) -> Result<u64, StoreError>;

    /// Whether it can work now, for whoever sends people and agents to servers that can. One that others share makes sure that
    /// a change would be taken: a part of a cluster that is alone goes on answering questions. One that is full can work: what is
    /// there is read, and what is new is refused by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], as a change would fail now.
    async fn ready(&self) -> Result<(), StoreError> {
        self.last_event().await.map(drop)
    }

    /// Lets go of what is old or too much, a bounded part at a call.
    ///
    /// Work goes as a whole: a deployment with all its tasks and its record, when each of its tasks has ended and it is not
    /// among those that are [live](Cut::live); a task of no deployment when it has ended. So nothing goes that something
    /// waits for. Its age is that of its last task's end. Events go from the first on; the last one always stays, so that
    /// numbers go on after it. Nothing tells of all that: there is no event. Of events a store may
    /// keep somewhat more than it is told to, never less.
    ///
    /// `None`: this store lets go of nothing.
    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        let _ = cut;
        Ok(None)
    }
}
