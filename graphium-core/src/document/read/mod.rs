//! The parts of a stack, each read from its node.

mod container;
mod deployment;
mod engine;
mod environment;
mod foreign;
mod graph;
mod health;
mod mounts;
mod network;
mod places;
mod ports;
mod resources;
mod stack;
mod topology;

pub(super) use container::{ContainerDraft, listed_waits};
#[cfg(feature = "json-ld")]
pub(super) use graph::document_in;
pub(super) use graph::{Class, Document, Graph, context, document, local};
pub(super) use mounts::is_path;
pub(super) use places::places;
