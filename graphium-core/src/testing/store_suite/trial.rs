//! What a case has in its hands.

use super::{Harness, fixture::at};
use crate::{
    event::Event,
    id::{HostId, TaskId},
    store::{
        Acted, ClaimRequest, Session, SessionRequest, StoreError, Submission, Submitted, TaskQuery, TaskStore,
        TaskStoreExt,
    },
    task::{Input, Lease, Outcome, Refusal, Task, TaskStatus},
};
use std::{fmt, sync::Arc};

/// Why a case did not come to its end.
#[derive(Clone, PartialEq, Eq)]
pub enum Stop {
    /// What should hold does not.
    Broken(String),
    /// The store cannot do what the case needs.
    Lacking(&'static str),
}

impl fmt::Debug for Stop {
    // A test that ends with an error prints this form.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Broken(what) => f.write_str(what),
            Self::Lacking(capability) => write!(f, "this store lacks `{capability}`"),
        }
    }
}

impl<E: std::error::Error> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Broken(format!("unexpected error: {error}"))
    }
}

/// How a case ends.
pub type Verdict = Result<(), Stop>;

/// Seconds that a lease of the suite lasts.
pub(super) const LEASE: i64 = 30;

/// A store on trial.
pub struct Trial<'a> {
    harness: &'a dyn Harness,
    pub(super) store: Arc<dyn TaskStore>,
}

impl fmt::Debug for Trial<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Trial").field(&self.store).finish()
    }
}

impl<'a> Trial<'a> {
    pub(super) fn new(harness: &'a dyn Harness, store: Arc<dyn TaskStore>) -> Self {
        Self { harness, store }
    }

    /// The same store after it was closed and opened.
    pub(super) async fn reopened(self, now: i64) -> Result<Self, Stop> {
        let Self { harness, store } = self;
        Ok(Self { harness, store: harness.reopen(store, at(now)).await? })
    }

    /// The same store through another handle.
    pub(super) async fn second(&self) -> Result<Self, Stop> {
        Ok(Self { harness: self.harness, store: self.harness.second(&self.store).await? })
    }

    pub(super) async fn submit(&self, tasks: Vec<Task>) -> Result<Submitted, StoreError> {
        self.store.submit(Submission { tasks, ..Submission::default() }, at(0)).await
    }

    pub(super) async fn session(&self, host: &str, nonce: &str, seen_epoch: u64) -> Result<Session, StoreError> {
        let request = SessionRequest { host: HostId::from(host), nonce: nonce.to_owned(), seen_epoch };
        self.store.open_session(request, at(0)).await
    }

    pub(super) async fn claim(&self, session: &Session, claim: &str, now: i64) -> Result<Vec<Task>, StoreError> {
        self.claim_up_to(100, session, claim, now).await
    }

    pub(super) async fn claim_up_to(
        &self,
        max: usize,
        session: &Session,
        claim: &str,
        now: i64,
    ) -> Result<Vec<Task>, StoreError> {
        let (host, epoch) = (session.host.clone(), session.epoch);
        let request = ClaimRequest { host, epoch, claim: claim.into(), max, expires_at: at(now + LEASE), expect: None };
        self.store.claim(request, at(now)).await
    }

    pub(super) async fn report(&self, task: &Task, outcome: Outcome, now: i64) -> Result<Acted, Stop> {
        Ok(self.store.act(&task.id, Input::Report { lease: lease(task)?, outcome }, at(now)).await?)
    }

    pub(super) async fn act(&self, id: &str, input: Input, now: i64) -> Result<Acted, StoreError> {
        self.store.act(&TaskId::from(id), input, at(now)).await
    }

    pub(super) async fn cancel(&self, id: &str, now: i64) -> Result<Acted, StoreError> {
        self.act(id, Input::Cancel { reason: "enough".to_owned() }, now).await
    }

    pub(super) async fn task(&self, id: &str) -> Result<Task, Stop> {
        let task = self.store.task(&TaskId::from(id)).await?;
        task.ok_or_else(|| Stop::Broken(format!("task `{id}` is not there")))
    }

    /// Whether tasks stand as is said.
    pub(super) async fn stand(&self, wanted: &[(&str, TaskStatus)]) -> Verdict {
        for (id, status) in wanted {
            equal(&format!("status of `{id}`"), &self.task(id).await?.status, status)?;
        }
        Ok(())
    }

    pub(super) async fn all_tasks(&self) -> Result<Vec<Task>, StoreError> {
        self.store.all_tasks(TaskQuery::default()).await
    }

    pub(super) async fn events(&self) -> Result<Vec<Event>, StoreError> {
        self.store.events(0, 10_000).await
    }
}

/// The lease that a task was granted with.
pub(super) fn lease(task: &Task) -> Result<Lease, Stop> {
    task.lease.clone().ok_or_else(|| Stop::Broken(format!("`{}` was granted without a lease", task.id)))
}

/// One of the tasks that were answered with.
pub(super) fn nth(tasks: &[Task], place: usize) -> Result<&Task, Stop> {
    let missing = || Stop::Broken(format!("no task {place} among those that were answered with: {:?}", ids(tasks)));
    tasks.get(place).ok_or_else(missing)
}

/// The ids of tasks, in order.
pub(super) fn ids(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.id.as_str()).collect()
}

pub(super) fn equal<A: PartialEq<B> + fmt::Debug + ?Sized, B: fmt::Debug + ?Sized>(
    what: &str,
    is: &A,
    wanted: &B,
) -> Verdict {
    hold(is == wanted, || format!("{what}: is {is:?}, should be {wanted:?}"))
}

pub(super) fn hold(condition: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if condition { Ok(()) } else { Err(Stop::Broken(otherwise())) }
}

/// That the state machine has refused.
pub(super) fn refused<T: fmt::Debug>(result: Result<T, StoreError>) -> Result<Refusal, Stop> {
    match result {
        Err(StoreError::Refused { refusal, .. }) => Ok(refusal),
        other => Err(Stop::Broken(format!("should be refused, and is {other:?}"))),
    }
}

/// That a lease was found to be lost.
pub(super) fn lost<T: fmt::Debug>(result: Result<T, StoreError>) -> Verdict {
    let refusal = refused(result)?;
    hold(matches!(refusal, Refusal::LeaseLost { .. }), || format!("should be a lost lease, and is {refusal:?}"))
}
