//! The REST API, base `/api/v1`.
//!
//! A handler reads the request, asks the control plane, and puts its answer into a form: nothing is decided here. What every
//! request goes through, from the outside in: `trace` gives it an id and makes every error a problem, the gate of [`auth`](crate::auth)
//! finds it a place (`crowd`) and looks at its token, `repeat` answers a repeated `Idempotency-Key`.

mod adoptions;
mod agents;
pub(crate) mod around;
pub(crate) mod audit;
mod containers;
pub(crate) mod crowd;
mod deployments;
mod events;
mod exec;
pub(crate) mod frames;
mod health;
mod hosts;
mod input;
mod logs;
mod metrics;
pub mod openapi;
mod orphans;
mod page;
pub(crate) mod people;
mod place;
mod plans;
pub mod problem;
mod pump;
mod refusal;
mod repeat;
mod revisions;
mod router;
mod secrets;
mod socket;
mod stacks;
mod state;
mod store;
mod streams;
mod submission;
mod tasks;
mod tokens;
mod trace;
mod upgrade;
mod users;
pub mod wire;

pub(crate) use containers::find as container_of;
pub use router::router;
pub use state::{AppState, Peer};
