//! Starting a container, once in an attempt.
//!
//! An attempt goes on from what is there when its engine is back, and cannot tell by that alone whether its own start took effect:
//! a container that has ended since looks as it did before.

use super::{Job, Trouble};
use crate::{
    agent::step::Phase,
    runtime::{ContainerState, RuntimeError},
    task::TaskResult,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// What an attempt has asked its engine to start, by name, as it was before where that was looked at.
#[derive(Debug, Default)]
pub(super) struct Starts(Mutex<BTreeMap<String, Option<Run>>>, AtomicBool);

/// One run of one container.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Run {
    id: String,
    started_at: Option<Timestamp>,
}

impl Run {
    fn of(state: &ContainerState) -> Self {
        Self { id: state.observed.id.clone(), started_at: state.started_at }
    }
}

impl Starts {
    /// Whether the attempt has found a run that it had begun before its engine went away. What has ended since may have ended with its
    /// engine: that says nothing of it.
    pub(super) fn were_interrupted(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }

    pub(super) fn knows(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(name)
    }

    fn get(&self, name: &str) -> Option<Run> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned().flatten()
    }

    fn note(&self, name: &str, before: Option<Run>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), before);
    }
}

impl Job<'_> {
    /// Starts what this attempt has found or made. What it made itself has no run before the one that this begins, so it is looked at
    /// only when the attempt comes here again.
    pub(super) async fn start_made(&self, name: &str) -> Result<(), RuntimeError> {
        if self.starts.knows(name) {
            return self.start_once(name).await;
        }
        self.starts.note(name, None);
        self.whole(self.runtime().start(name)).await
    }

    /// Has the engine start a container, unless it has done so for this attempt.
    pub(super) async fn start_once(&self, name: &str) -> Result<(), RuntimeError> {
        if let Some(state) = self.runtime().inspect(name).await? {
            let now = Run::of(&state);
            let has_begun = match self.starts.get(name) {
                Some(before) => before.id == now.id && before.started_at != now.started_at,
                None if !self.starts.knows(name) => false,
                None if self.is_made_here(&state) => now.started_at.is_some(),
                // An earlier attempt made it. The engine's clock is nearly always the agent's own.
                None => now.started_at.is_some_and(|at| at >= self.begun_at),
            };
            if has_begun {
                self.starts.1.store(true, Ordering::Relaxed);
                return Ok(());
            }
            let (id, was_stopped) = (now.id.clone(), self.place.keeper.starts(&now.id));
            self.starts.note(name, Some(now));
            let started = self.whole(self.runtime().start(name)).await;
            if started.is_err() && was_stopped {
                self.place.keeper.has_stopped(&id);
            }
            return started;
        }
        self.whole(self.runtime().start(name)).await
    }

    pub(super) async fn start(&self, name: &str) -> Result<TaskResult, Trouble> {
        self.enter(Phase::Starting);
        self.start_once(name).await?;
        self.settle(name).await
    }

    pub(super) async fn restart(&self, name: &str) -> Result<TaskResult, Trouble> {
        // Who is at the start has stopped it before.
        if !self.starts.knows(name) {
            self.stop(name).await?;
        }
        self.enter(Phase::Starting);
        if let Err(error) = self.start_once(name).await {
            // Nobody else had to bring it back before.
            if let Ok(Some(found)) = self.runtime().inspect(name).await
                && !super::beside::is_up(&found)
            {
                self.place.keeper.has_stopped(&found.observed.id);
            }
            return Err(error.into());
        }
        self.settle(name).await
    }
}
