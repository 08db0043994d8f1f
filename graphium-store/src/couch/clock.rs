//! The time of day, beside the clock that only goes on: it goes on also while the machine sleeps.

use std::{fmt, sync::Arc, time::SystemTime};

/// Where it comes from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Clock(Arc<dyn Fn() -> SystemTime + Send + Sync>);

impl Clock {
    /// That of the operating system.
    pub(super) fn system() -> Self {
        Self::telling(SystemTime::now)
    }

    pub(crate) fn telling(tell: impl Fn() -> SystemTime + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(super) fn now(&self) -> SystemTime {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}
