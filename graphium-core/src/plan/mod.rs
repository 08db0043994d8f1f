//! The planner: what is wanted and what is there, turned into a graph of tasks.
//!
//! [`plan`] and [`plan_removal`] are pure: no store, no engine, no clock and no random number is in
//! reach of their types, so a plan changes nothing, and the same input gives the same bytes.

mod before;
mod deploy;
#[cfg(any(test, feature = "testing"))]
pub mod fixtures;
mod graph;
mod handover;
mod hosts;
mod layout;
mod leftover;
mod lifecycle;
mod members;
mod model;
mod nearest;
mod order;
mod place;
mod ports;
mod reach;
mod removal;
mod retire;
mod room;
mod seal;
mod setup;
mod task;
mod verdict;
mod warn;

pub use deploy::plan;
pub use graph::{dot, waves};
pub use lifecycle::{StackAction, plan_action};
pub use model::{Applied, Endpoint, Options, Plan, PlannedTask};
pub use removal::plan_removal;
