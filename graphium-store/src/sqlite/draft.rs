//! What was decided, on its way to the disk.

use super::{command::Answer, row};
use graphium_core::{
    event::{EventType, NewEvent},
    id::{HostId, StackId},
    store::{
        Key, RecordWrite, Session, StoreError, event_for,
        ledger::{Changes, Work},
    },
    task::{Summary, Task},
};
use jiff::Timestamp;
use serde::Serialize;
use std::{ops::Range, sync::Arc};

/// What one command has changed, and the answer that waits until that is on the disk.
pub(super) struct Write {
    /// Rises by one with each.
    pub(super) number: u64,
    /// The [generation](super::progress::Progress::generation) in which it was decided.
    pub(super) generation: u64,
    pub(super) draft: Draft,
    pub(super) answer: Answer,
}

/// Changes as text, made by whoever decides, so that the one that writes has little to do.
///
/// It goes to that thread and comes back empty: memory that one thread takes and another gives back would have both wait
/// for the allocator.
#[derive(Default)]
pub(super) struct Draft {
    pub(super) rows: Vec<Change>,
    /// What the ranges of the rows are of.
    pub(super) text: String,
    /// A line each.
    pub(super) events: String,
    /// Why it cannot be written.
    pub(super) failure: Option<StoreError>,
}

/// A change of one row.
pub(super) enum Change {
    /// A new task: as it was submitted, and what moves of it.
    Create {
        task: Arc<Task>,
        body: Range<usize>,
        state: Range<usize>,
    },
    /// What moves of a task.
    Move {
        task: Arc<Task>,
        state: Range<usize>,
    },
    Session(Session),
    /// A record, or its end.
    Record {
        key: Key,
        version: u64,
        stack: Option<StackId>,
        host: Option<HostId>,
        body: Option<String>,
    },
    /// An idempotency key, and what it led to.
    Submission {
        key: String,
        at: i64,
        keys: String,
    },
    /// The end of work that has ended.
    Prune(Work),
    /// The end of events: of all rows up to this one.
    PruneEvents {
        row: u64,
    },
    /// The end of idempotency keys from before a time.
    PruneKeys {
        before: i64,
    },
}

/// Bytes of a draft's texts beyond which its memory is not kept for the next.
const KEPT: usize = 64 * 1024;

impl Draft {
    /// Empties it for the next command; nothing where a large one has made it large.
    pub(super) fn emptied(mut self) -> Option<Self> {
        self.rows.clear();
        self.text.clear();
        self.events.clear();
        self.failure = None;
        (self.text.capacity() + self.events.capacity() <= KEPT).then_some(self)
    }

    /// Whether there is nothing to write.
    pub(super) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.events.is_empty() && self.failure.is_none()
    }

    /// Writes a record, which is there in the given version, and its event.
    pub(super) fn record(&mut self, write: RecordWrite, body: Option<String>, present: Option<u64>, now: Timestamp) {
        if let Some(event) = event_for(&write, present.is_some()) {
            self.event(&event, now);
        }
        let RecordWrite { key, stack, host, .. } = write;
        self.rows.push(Change::Record { key, version: present.unwrap_or(0) + 1, stack, host, body });
    }

    /// Writes what the ledger has changed, with its events. `body` gives the text of a new task.
    pub(super) fn changes<'a>(&mut self, changes: Changes, now: Timestamp, body: impl Fn(&Task) -> &'a str) {
        self.rows.extend(changes.session.map(Change::Session));
        for change in changes.tasks {
            let task = &change.task;
            self.line(change.kind, task.id.as_str(), &Summary::from(&**task), now);
            let before = self.text.len();
            if let Err(failure) = row::state(&mut self.text, task) {
                self.failure = Some(failure);
            }
            let state = before..self.text.len();
            self.rows.push(if change.is_new() {
                self.text.push_str(body(task));
                Change::Create { body: state.end..self.text.len(), state, task: change.task }
            } else {
                Change::Move { task: change.task, state }
            });
        }
    }

    pub(super) fn submission(&mut self, key: String, keys: &[Key], now: Timestamp) {
        match row::text("submission", &key, keys) {
            Ok(keys) => self.rows.push(Change::Submission { key, at: row::time(now), keys }),
            Err(failure) => self.failure = Some(failure),
        }
    }

    pub(super) fn event(&mut self, event: &NewEvent, now: Timestamp) {
        self.line(event.kind, "", &event.data, now);
    }

    fn line(&mut self, kind: EventType, id: &str, data: &impl Serialize, now: Timestamp) {
        match row::append(&mut self.events, "event", id, &(kind, row::time(now), data)) {
            Ok(()) => self.events.push('\n'),
            Err(failure) => self.failure = Some(failure),
        }
    }
}
