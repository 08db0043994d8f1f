//! Time and randomness, as inputs.

use async_trait::async_trait;
use jiff::Timestamp;
use std::{fmt, time::Duration};
use uuid::Uuid;

/// What the control plane and the agent ask of the world around them.
///
/// A program gives the real thing (`graphium-server` has one over tokio); a test or a simulation
/// gives a clock that it turns by hand.
#[async_trait]
pub trait Environment: Send + Sync + fmt::Debug {
    /// The wall clock, for what people read. It may jump.
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, never going back: for leases and deadlines on one machine.
    fn elapsed(&self) -> Duration;

    /// Returns after the given time.
    ///
    /// Cancellation: dropping the future ends the wait.
    async fn sleep(&self, time: Duration);

    /// 128 random bits, unpredictable where they guard something.
    fn random(&self) -> u128;

    /// A new UUID of version 7 (RFC 9562), from [`now`](Self::now) and [`random`](Self::random).
    fn uuid(&self) -> Uuid {
        let millis = u64::try_from(self.now().as_millisecond()).unwrap_or(0);
        let random = self.random().to_be_bytes();
        let mut tail = [0; 10];
        tail.copy_from_slice(&random[..10]);
        uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid()
    }
}
