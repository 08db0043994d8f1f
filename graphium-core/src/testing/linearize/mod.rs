//! Linearizability: whether what concurrent clients of a [`TaskStore`](crate::store::TaskStore) were answered could have been answered
//! to one client after the other.
//!
//! [`check_histories`] lets clients claim, renew, report, cancel, retry, let time pass and open sessions at once, on real threads, and
//! holds the history of each task to [`transition`](crate::task::transition), which is the specification. [`check`] is the checker
//! alone, for any [`Model`].
//!
//! # Example
//! ```
//! use graphium_core::testing::linearize::{Model, Settings, Tally, Timed, Verdict, check, check_histories};
//! use graphium_core::{store::MemoryStore, testing::store_suite::Stop};
//!
//! /// A register: something that is written and read.
//! struct Register;
//!
//! enum Call {
//!     Write(u8),
//!     Read(u8),
//! }
//!
//! impl Model for Register {
//!     type State = u8;
//!     type Operation = Call;
//!     fn initial(&self) -> u8 {
//!         0
//!     }
//!     fn step(&self, state: &u8, operation: &Call) -> Option<u8> {
//!         match operation {
//!             Call::Write(value) => Some(*value),
//!             Call::Read(value) => (value == state).then_some(*state),
//!         }
//!     }
//! }
//!
//! let timed = |begin, end, operation| Timed { begin, end, operation };
//! // What overlaps may have happened in either order; what is over has happened.
//! let overlapping = [timed(0, 3, Call::Write(1)), timed(1, 2, Call::Read(0))];
//! assert_eq!(check(&Register, &overlapping, 1000), Verdict::Linearizable);
//! let after = [timed(0, 1, Call::Write(1)), timed(2, 3, Call::Read(0))];
//! assert!(matches!(check(&Register, &after, 1000), Verdict::NotLinearizable(_)));
//!
//! let store = MemoryStore::new();
//! let block_on = |work: futures::future::BoxFuture<'_, ()>| futures::executor::block_on(work);
//! let tally: Tally = check_histories(&store, Settings::default(), 0..3, &block_on)?;
//! assert!(tally.calls > 0);
//! # Ok::<(), Stop>(())
//! ```

mod checker;
mod client;
mod run;
mod task;
#[cfg(test)]
mod tests;

pub use checker::{Model, Timed, Verdict, check};
pub use run::{Settings, Tally, check_histories};
