//! What the writer is asked to do.

use super::row;
use graphium_core::{
    id::TaskId,
    store::{Acted, ClaimRequest, Session, SessionRequest, StoreError, Submission, Submitted, key_twice},
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use std::collections::HashMap;
use tokio::sync::oneshot;

/// Where an answer goes.
pub(super) type Reply<T> = oneshot::Sender<Result<T, StoreError>>;

pub(super) enum Command {
    Submit { submit: Box<Submit>, reply: Reply<Submitted> },
    OpenSession { request: SessionRequest, now: Timestamp, reply: Reply<Session> },
    Claim { request: ClaimRequest, now: Timestamp, reply: Reply<Vec<Task>> },
    Act { task: TaskId, input: Box<Input>, now: Timestamp, reply: Reply<Acted> },
    Renew { leases: Vec<Lease>, expires_at: Timestamp, reply: Reply<Vec<Task>> },
    Expire { now: Timestamp, reply: Reply<Acted> },
    NextWakeup { reply: Reply<Option<Timestamp>> },
}

/// A submission with its tasks and records as they will be stored.
pub(super) struct Submit {
    pub(super) submission: Submission,
    /// By task.
    pub(super) bodies: HashMap<TaskId, String>,
    /// In the order of the submission's records; `None` removes.
    pub(super) records: Vec<Option<String>>,
    pub(super) now: Timestamp,
}

impl Submit {
    pub(super) fn new(submission: Submission, now: Timestamp) -> Result<Self, StoreError> {
        key_twice(&submission.records)?;
        let bodies = submission
            .tasks
            .iter()
            .map(|task| Ok((task.id.clone(), row::text("task", task.id.as_str(), task)?)))
            .collect::<Result<_, StoreError>>()?;
        let records = submission
            .records
            .iter()
            .map(|write| {
                let body = write.body.as_ref();
                body.map(|body| row::text(write.key.kind.as_str(), &write.key.id, &**body)).transpose()
            })
            .collect::<Result<_, StoreError>>()?;
        Ok(Self { submission, bodies, records, now })
    }
}

/// An answer that waits until what it tells of is on the disk.
pub(super) type Answer = Box<dyn FnOnce(Result<(), &StoreError>) + Send>;

/// Keeps a result back; a failure to commit takes its place.
pub(super) fn answer<T: Send + 'static>(reply: Reply<T>, result: Result<T, StoreError>) -> Answer {
    Box::new(move |committed| {
        let result = match committed {
            Ok(()) => result,
            Err(failure) => Err(failure.clone()),
        };
        // Whoever asked may have gone; the change holds all the same.
        let _ = reply.send(result);
    })
}
