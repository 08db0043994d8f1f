//! Graphium.

pub mod testbed;
