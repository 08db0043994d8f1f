//! What tests and rehearsals use in the place of the real world.

mod environment;

pub use environment::ManualEnvironment;
