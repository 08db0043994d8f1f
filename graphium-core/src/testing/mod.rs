//! What tests and rehearsals use in the place of the real world, and suites for implementations of the traits.

mod environment;
mod fake_runtime;
pub mod linearize;
pub mod runtime_suite;
pub mod store_suite;

pub use environment::ManualEnvironment;
pub use fake_runtime::{Effects, FakeRuntime, Operation, Program, Thing};
