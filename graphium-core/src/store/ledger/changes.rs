//! What the ledger decided, as data for whoever writes it down.

use crate::{
    event::{EventType, NewEvent},
    store::Session,
    task::{self, Task},
};
use std::sync::Arc;

/// An answer, and what must be written before it is given.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision<T> {
    /// The answer.
    pub reply: T,
    /// What has changed.
    pub changes: Changes,
}

/// What has changed in one step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Tasks, each once, in the order in which they first changed. Each is an event.
    pub tasks: Vec<TaskChange>,
    /// A session that was opened.
    pub session: Option<Session>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.tasks.is_empty() && self.session.is_none()
    }

    /// The tasks as they are now.
    pub(super) fn moved(&self) -> Vec<Task> {
        self.tasks.iter().map(|change| Task::clone(&change.task)).collect()
    }

    /// The events that tell of it, in order.
    pub fn events(&self) -> impl Iterator<Item = NewEvent> {
        self.tasks.iter().map(TaskChange::event)
    }
}

/// A task that was made or moved.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskChange {
    /// Whether it is new: [`EventType::TaskCreated`] or [`EventType::TaskUpdated`].
    pub kind: EventType,
    /// As it is now.
    pub task: Arc<Task>,
}

impl TaskChange {
    /// Whether the task is new.
    pub fn is_new(&self) -> bool {
        self.kind == EventType::TaskCreated
    }

    /// The event that tells of it.
    pub fn event(&self) -> NewEvent {
        NewEvent { kind: self.kind, data: task::summary(&self.task) }
    }
}
