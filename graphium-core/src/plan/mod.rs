//! The planner: what is wanted and what is there, turned into a graph of tasks.
//!
//! [`plan`] and [`plan_removal`] are pure: no store, no engine, no clock and no random number is in
//! reach of their types, so a plan changes nothing, and the same input gives the same bytes.

mod model;

pub use model::{Applied, Endpoint, Options, Plan, PlannedTask};
