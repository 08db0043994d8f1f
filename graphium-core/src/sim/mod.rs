//! A seeded simulation of everything: control plane, agents, engines, network and store, in virtual time, on one thread.
//!
//! ```
//! use graphium_core::sim::{Setup, simulate};
//!
//! let report = simulate(7, &Setup::default())?;
//! assert!(report.tasks > 0);
//! # Ok::<(), Box<graphium_core::sim::Failure>>(())
//! ```
//!
//! What runs is the real [`Control`](crate::control::Control), the real [`Agent`](crate::agent::Agent) of every host and the
//! real state machine; store and engines are those of [`testing`](crate::testing). All that they ask of the world around them
//! comes from the seed: time, random numbers, who goes on first, what messages and calls become of, who crashes at which await.
//! After every step the [promises](Promise) are looked at. When the storm is over everything must come to rest in time; then every
//! stack is deployed once more, which must work, and removed, and nothing may be left.
//!
//! The same seed and setup give the same run, to the byte of its trace.

mod adopt;
mod bug;
mod bug_store;
mod chaos;
mod dice;
mod drain;
mod drift;
mod engine;
mod executor;
mod faults;
mod finale;
mod foreign;
mod held;
mod inspect;
mod journal;
mod judge;
mod line;
mod link;
mod lose;
mod network;
mod operator;
mod overseer;
mod programs;
mod promise;
mod readers;
mod reading;
mod retain;
mod run;
mod setup;
mod stacks;
mod store;
mod trace;
mod world;

pub use bug::Bug;
pub use faults::Faults;
pub use promise::{Breach, Promise};
pub use run::{Failure, Recording, Report, record, simulate};
pub use setup::Setup;
