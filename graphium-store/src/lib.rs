//! Where Graphium's tasks, records and events lie: implementations of [`TaskStore`](graphium_core::store::TaskStore).
//!
//! [`open`] takes a URL:
//!
//! * `sqlite:PATH`: one file on this machine. Every acknowledged write survives the loss of power.
//! * `memory:`: gone with the process.
//! * `http://TOKEN@HOST:PORT` (with the feature `http`): the store of a server that shares it.

#[cfg(feature = "http")]
pub mod http;
mod open;
mod sqlite;

#[cfg(feature = "http")]
pub use http::HttpStore;
pub use open::{OpenError, Options, open, without_password};
pub use sqlite::SqliteStore;
