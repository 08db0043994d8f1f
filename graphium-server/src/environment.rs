//! The real clock and the real randomness, over tokio.

use async_trait::async_trait;
use graphium_core::environment::Environment;
use jiff::Timestamp;
use std::{
    hash::{BuildHasher, Hasher, RandomState},
    time::{Duration, Instant},
};

/// The world as it is: the machine's clocks, tokio's timer, the operating system's random numbers.
#[derive(Clone, Copy, Debug)]
pub struct TokioEnvironment {
    start: Instant,
}

impl TokioEnvironment {
    /// Time since now.
    pub fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Default for TokioEnvironment {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Environment for TokioEnvironment {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u128::from_ne_bytes(bytes),
            // No system that runs Docker is without random numbers, but this method cannot say so. Ids stay apart with
            // the keys of the standard library; tokens do not come this way (see `auth::Token`).
            Err(_) => {
                (u128::from(RandomState::new().build_hasher().finish()) << 64)
                    | u128::from(self.elapsed().as_nanos() as u64)
            }
        }
    }
}
