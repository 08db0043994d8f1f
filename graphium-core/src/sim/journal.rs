//! The agents' journals, which now and then cannot be written.

use super::{bug::Bug, world::World};
use crate::agent::{Journal, JournalError, Memory, MemoryJournal};
use std::{fmt, io, sync::Arc};

/// A [`Journal`] that outlives its agent.
pub(super) struct SimJournal {
    world: Arc<World>,
    inner: MemoryJournal,
}

impl SimJournal {
    pub(super) fn new(world: &Arc<World>, inner: MemoryJournal) -> Self {
        Self { world: Arc::clone(world), inner }
    }
}

impl fmt::Debug for SimJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimJournal").finish_non_exhaustive()
    }
}

impl Journal for SimJournal {
    fn load(&mut self) -> Result<Memory, JournalError> {
        self.inner.load()
    }

    fn save(&mut self, memory: &Memory) -> Result<(), JournalError> {
        let rate = self.world.state().faults.journal_fails;
        if self.world.chance(rate) {
            let source = io::Error::new(io::ErrorKind::StorageFull, "no space left");
            return Err(JournalError::Io { action: "write", path: "agent.json".into(), source });
        }
        if self.world.has(Bug::AdoptionForgotten) && !memory.reports.is_empty() {
            return self.inner.save(&Memory { adopted: Vec::new(), ..memory.clone() });
        }
        self.inner.save(memory)
    }
}
