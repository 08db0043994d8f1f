//! Graphium's library: documents, planning, the task protocol, the agent and events.
//!
//! One way through the house, one noun per stage:
//!
//! ```text
//! bytes ─read→ Stack ─plan(Stack, Inventory)→ Plan ─submit→ TaskStore
//!       ─claim→ Agent ─execute→ ContainerRuntime ─report→ TaskStore ─→ Event ─→ EventSink
//! ```
//!
//! Nothing here knows HTTP, SQL or Docker's API, and nothing here reads a clock or makes a random
//! number: both come in through [`Environment`](environment::Environment).

pub mod action;
pub mod admission;
pub mod agent;
pub mod control;
pub mod diagnostic;
pub mod document;
pub mod environment;
pub mod event;
pub mod exec;
pub mod id;
pub mod inventory;
pub mod log;
pub mod plan;
pub mod runtime;
pub mod secret;
#[cfg(feature = "sim")]
pub mod sim;
pub mod stack;
pub mod store;
pub mod stream;
mod suggest;
pub mod task;
#[cfg(feature = "testing")]
pub mod testing;
