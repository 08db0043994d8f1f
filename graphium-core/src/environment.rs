//! Time and randomness, as inputs.
//!
//! # Example
//! A world that stands still but for those who sleep in it.
//! ```
//! use async_trait::async_trait;
//! use graphium_core::environment::Environment;
//! use jiff::Timestamp;
//! use std::{sync::Mutex, time::Duration};
//!
//! #[derive(Debug, Default)]
//! struct Dream(Mutex<Duration>);
//!
//! #[async_trait]
//! impl Environment for Dream {
//!     fn now(&self) -> Timestamp {
//!         Timestamp::UNIX_EPOCH + self.elapsed()
//!     }
//!     fn elapsed(&self) -> Duration {
//!         *self.0.lock().unwrap()
//!     }
//!     async fn sleep(&self, time: Duration) {
//!         *self.0.lock().unwrap() += time;
//!     }
//!     fn random(&self) -> u128 {
//!         4
//!     }
//! }
//!
//! let dream = Dream::default();
//! futures::executor::block_on(dream.sleep(Duration::from_secs(60)));
//! assert_eq!(dream.now().to_string(), "1970-01-01T00:01:00Z");
//! assert_eq!(dream.uuid().get_version_num(), 7);
//! ```

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
