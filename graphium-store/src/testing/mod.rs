//! What tests of stores need: [`FakeCouch`], a CouchDB that fails when it is told to.

mod document;
mod fake_couch;
mod fault;
mod reply;
mod wire;

pub use fake_couch::FakeCouch;
pub use fault::{Fault, Faults};
