//! Where Graphium's tasks, records and events lie: implementations of [`TaskStore`](graphium_core::store::TaskStore).
//!
//! [`open`] takes a URL:
//!
//! * `sqlite:PATH`: one file on this machine. Every acknowledged write survives the loss of power.
//! * `memory:`: gone with the process.

mod open;
mod sqlite;

pub use open::{OpenError, Options, open, sqlite_path};
pub use sqlite::{CopyError, Existing, Restored, SqliteStore, Verdict};
