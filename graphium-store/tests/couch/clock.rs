//! Tokio's time, which may be virtual, as the world's.

use async_trait::async_trait;
use graphium_core::{environment::Environment, testing::ManualEnvironment};
use jiff::{SignedDuration, Timestamp};
use std::{fmt, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

/// The time of a run, the same for everybody who is given the same beginning.
pub(crate) struct Clock {
    begun: Instant,
    dice: ManualEnvironment,
}

impl Clock {
    /// Its dice are those of the seed.
    pub(crate) fn since(begun: Instant, seed: u64) -> Arc<Self> {
        Arc::new(Self { begun, dice: ManualEnvironment::seeded(seed) })
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").finish_non_exhaustive()
    }
}

#[async_trait]
impl Environment for Clock {
    fn now(&self) -> Timestamp {
        let elapsed = SignedDuration::try_from(self.elapsed()).unwrap_or_default();
        Timestamp::UNIX_EPOCH.saturating_add(elapsed).unwrap_or(Timestamp::MAX)
    }

    fn elapsed(&self) -> Duration {
        self.begun.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        sleep(time).await;
    }

    fn random(&self) -> u128 {
        self.dice.random()
    }
}
