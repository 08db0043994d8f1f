//! What an agent remembers over its own end.
//!
//! It is little, because the containers' labels say the rest: the highest epoch that it has seen, so
//! that no store that was set back gives it an old one again, the reports that nobody has taken yet, what was adopted (such
//! containers have no labels that say it), and what tasks have stopped, which no engine knows.

mod file;

pub use file::FileJournal;

use crate::{
    runtime::Adoption,
    task::{Lease, Outcome},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::BTreeSet,
    fmt,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

/// The most reports that are kept; the oldest go first. Each is at worst done again.
const MOST_REPORTS: usize = 1000;
/// The most containers of which it is kept that a task has stopped them.
const MOST_STOPPED: usize = 10_000;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Memory {
    /// The highest epoch of a session.
    pub epoch: u64,
    /// Reports that were not acknowledged, oldest first.
    pub reports: Vec<(Lease, Outcome)>,
    /// Containers that others have made and that are ours. Those of which nothing is there any more go when the next is adopted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub adopted: Vec<Adoption>,
    /// Containers that tasks have stopped or were about to, by their ids. What runs again or is gone is forgotten with the next look.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub stopped: BTreeSet<String>,
}

impl Memory {
    /// Bounds what is kept.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let surplus = self.reports.len().saturating_sub(MOST_REPORTS);
        self.reports.drain(..surplus);
        while self.stopped.len() > MOST_STOPPED {
            self.stopped.pop_first();
        }
        self
    }
}

/// Keeps an agent's [`Memory`].
///
/// # Example
/// ```
/// use graphium_core::agent::{FileJournal, Journal, JournalError, Keeper, Memory};
///
/// let directory = std::env::temp_dir().join(format!("graphium-journal-{}", std::process::id()));
/// let mut journal: Box<dyn Journal> = Box::new(FileJournal::open(&directory)?);
/// assert_eq!(journal.load()?, Memory::default(), "the first time");
/// journal.save(&Memory { epoch: 7, ..Memory::default() })?;
///
/// // Two programs cannot have it at the same time.
/// let taken: JournalError = FileJournal::open(&directory).unwrap_err();
/// assert!(matches!(taken, JournalError::InUse { .. }), "{taken}");
/// drop(journal);
///
/// // The agent's own keeper of it.
/// let keeper = Keeper::new(Box::new(FileJournal::open(&directory)?));
/// assert_eq!(keeper.load()?.epoch, 7);
/// keeper.change(|memory| memory.epoch += 1)?;
/// assert_eq!(keeper.memory().epoch, 8);
/// # drop(keeper);
/// # std::fs::remove_dir_all(&directory).unwrap();
/// # Ok::<(), JournalError>(())
/// ```
pub trait Journal: Send + Sync + fmt::Debug {
    /// What was saved last; nothing, the first time.
    ///
    /// # Errors
    /// When it cannot be read. What can be read and not understood is set aside, and is no error.
    fn load(&mut self) -> Result<Memory, JournalError>;

    /// Replaces what was saved. *Atomicity*: after a crash it is the old or the new.
    ///
    /// # Errors
    /// When it cannot be written.
    fn save(&mut self, memory: &Memory) -> Result<(), JournalError>;
}

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum JournalError {
    /// Another process uses it.
    #[error("{holder} uses the state directory `{}` already", .directory.display())]
    InUse {
        /// The directory.
        directory: PathBuf,
        /// Who, as far as is known.
        holder: String,
    },
    /// The operating system says no.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It does not serialise: a defect.
    #[error("the agent's state cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

/// A journal that ends with the program. Clones share it, as a test of restarts wants.
#[derive(Clone, Debug, Default)]
pub struct MemoryJournal(Arc<Mutex<Memory>>);

impl MemoryJournal {
    /// What is remembered now.
    pub fn memory(&self) -> Memory {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Journal for MemoryJournal {
    fn load(&mut self) -> Result<Memory, JournalError> {
        Ok(self.memory())
    }

    fn save(&mut self, memory: &Memory) -> Result<(), JournalError> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = memory.clone();
        Ok(())
    }
}
