//! What tests of stores need: [`FakeCouch`], a CouchDB that fails when it is told to, and [`FakeCluster`], three nodes of one,
//! with a network that loses, delays and splits.

mod cluster;
mod document;
mod fake_couch;
mod fault;
mod reply;
mod wire;

pub use cluster::{FakeCluster, Network};
pub use fake_couch::FakeCouch;
pub use fault::{Fault, Faults};
