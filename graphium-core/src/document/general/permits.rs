//! How much may go on at a time.

use std::{
    sync::{Condvar, Mutex, PoisonError},
    time::Duration,
};

/// Permits that are handed out and come back.
pub(super) struct Permits {
    free: Mutex<usize>,
    returned: Condvar,
}

/// One of them. It comes back when it is dropped.
pub(super) struct Permit(&'static Permits);

impl Permits {
    pub(super) const fn new(count: usize) -> Self {
        Self { free: Mutex::new(count), returned: Condvar::new() }
    }

    /// A permit, as soon as there is one; `None` where that takes too long.
    pub(super) fn take(&'static self, patience: Duration) -> Option<Permit> {
        // A number is whole even where somebody panicked who held the lock.
        let free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.returned.wait_timeout_while(free, patience, |free| *free == 0);
        let (mut free, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *free = free.checked_sub(1)?;
        Some(Permit(self))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *self.0.free.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.0.returned.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn there_are_so_many_and_they_come_back() {
        static PERMITS: Permits = Permits::new(2);
        let first = PERMITS.take(Duration::ZERO).unwrap();
        let second = PERMITS.take(Duration::ZERO).unwrap();
        assert!(PERMITS.take(Duration::from_millis(10)).is_none());
        drop(first);
        let third = PERMITS.take(Duration::ZERO);
        assert!(third.is_some() && PERMITS.take(Duration::ZERO).is_none());
        // Who waits is told.
        let waiting = thread::spawn(|| PERMITS.take(Duration::from_secs(30)).is_some());
        drop(second);
        assert!(waiting.join().unwrap());
    }

    #[test]
    fn a_panic_gives_its_permit_back() {
        static PERMITS: Permits = Permits::new(1);
        let permit = PERMITS.take(Duration::ZERO).unwrap();
        let thread = thread::spawn(move || {
            let _permit = permit;
            std::panic::resume_unwind(Box::new(()));
        });
        assert!(thread.join().is_err());
        assert!(PERMITS.take(Duration::ZERO).is_some());
    }
}
