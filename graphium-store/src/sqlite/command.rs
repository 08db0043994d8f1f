//! What the writer is asked to do.

use super::{prune::Stale, row};
use graphium_core::{
    id::TaskId,
    store::{Acted, ClaimRequest, Pruned, Session, SessionRequest, StoreError, Submission, Submitted, key_twice},
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use std::{
    collections::{HashMap, hash_map::Entry},
    ops::Range,
};
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
    Prune { stale: Stale, reply: Reply<Pruned> },
    NextWakeup { reply: Reply<Option<Timestamp>> },
}

/// A submission with its tasks and records as they will be stored.
pub(super) struct Submit {
    pub(super) submission: Submission,
    pub(super) bodies: Bodies,
    /// In the order of the submission's records; `None` removes.
    pub(super) records: Vec<Option<String>>,
    pub(super) now: Timestamp,
}

impl Submit {
    pub(super) fn new(submission: Submission, now: Timestamp) -> Result<Self, StoreError> {
        key_twice(&submission.records)?;
        let bodies = Bodies::of(&submission.tasks)?;
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

/// The text of every task of a submission.
pub(super) struct Bodies {
    text: String,
    places: HashMap<TaskId, Range<usize>>,
}

/// Bytes of a task's text that are expected.
const BODY: usize = 1024;

impl Bodies {
    fn of(tasks: &[Task]) -> Result<Self, StoreError> {
        let mut text = String::with_capacity(tasks.len() * BODY);
        let mut places = HashMap::with_capacity(tasks.len());
        for task in tasks {
            // Of one that comes twice the first counts, as it does for the ledger.
            if let Entry::Vacant(place) = places.entry(task.id.clone()) {
                let start = text.len();
                row::append(&mut text, "task", task.id.as_str(), task)?;
                place.insert(start..text.len());
            }
        }
        Ok(Self { text, places })
    }

    pub(super) fn has(&self, id: &TaskId) -> bool {
        self.places.contains_key(id)
    }

    /// The text of a task of the submission; of another it is empty.
    pub(super) fn of_task(&self, id: &TaskId) -> &str {
        self.places.get(id).and_then(|place| self.text.get(place.clone())).unwrap_or_default()
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
