//! The agent's memory, written down before anything rests on it.

use super::journal::{Journal, JournalError, Memory, MemoryJournal};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Keeps what an agent remembers, for all that happens in it at the same time.
#[derive(Debug)]
pub struct Keeper(Mutex<(Box<dyn Journal>, Memory)>);

impl Keeper {
    /// One that has read nothing yet.
    pub fn new(journal: Box<dyn Journal>) -> Self {
        Self(Mutex::new((journal, Memory::default())))
    }

    /// Reads what was saved last.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self) -> Result<Memory, JournalError> {
        let mut kept = self.lock();
        kept.1 = kept.0.load()?;
        Ok(kept.1.clone())
    }

    /// What is remembered now.
    pub fn memory(&self) -> Memory {
        self.lock().1.clone()
    }

    /// Changes what is remembered: when this returns well it is saved. Where nothing changes nothing is written.
    ///
    /// # Errors
    /// When it cannot be written; then it is as it was.
    pub fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<(), JournalError> {
        let mut kept = self.lock();
        let mut memory = kept.1.clone();
        change(&mut memory);
        let memory = memory.bounded();
        if memory != kept.1 {
            kept.0.save(&memory)?;
            kept.1 = memory;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (Box<dyn Journal>, Memory)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Keeper {
    /// One that forgets everything with the program.
    fn default() -> Self {
        Self::new(Box::new(MemoryJournal::default()))
    }
}
