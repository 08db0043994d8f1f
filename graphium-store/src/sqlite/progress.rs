//! What those who decide must know of the thread that writes.

use std::sync::atomic::{AtomicU64, Ordering};

/// How far the writing has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    committed: AtomicU64,
    generation: AtomicU64,
}

impl Progress {
    /// The number of the last [`Write`](super::draft::Write) that is on the disk: all before it are too, or were refused.
    pub(super) fn committed(&self) -> u64 {
        self.committed.load(Ordering::Acquire)
    }

    /// Rises whenever something that was decided could not be written: what was decided upon it does not hold either.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Ordering::Acquire)
    }

    pub(super) fn commit(&self, number: u64) {
        self.committed.store(number, Ordering::Release);
    }

    pub(super) fn fail(&self) {
        self.generation.fetch_add(1, Ordering::Release);
    }
}
