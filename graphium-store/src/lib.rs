//! Where Graphium's tasks, records and events lie: implementations of [`TaskStore`](graphium_core::store::TaskStore).
//!
//! [`open`] takes a URL:
//!
//! * `sqlite:PATH`: one file on this machine. Every acknowledged write survives the loss of power.
//! * `couchdb://USER:PASSWORD@HOST:5984/DATABASE` (feature `couchdb`): a CouchDB or its cluster, which several servers share.
//! * `memory:`: gone with the process.
//! * `http://TOKEN@HOST:PORT` (with the feature `http`): the store of a server that shares it.

#![forbid(unsafe_code)]

#[cfg(feature = "couchdb")]
pub mod couch;
#[cfg(feature = "http")]
pub mod http;
mod open;
mod sqlite;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "http", feature = "couchdb"))]
mod tls;
mod transfer;

#[cfg(feature = "couchdb")]
pub use couch::CouchStore;
#[cfg(feature = "http")]
pub use http::HttpStore;
pub use open::{OpenError, Options, open, sqlite_path, without_password};
pub use sqlite::{CopyError, Existing, Restored, SqliteStore, Verdict};
pub use transfer::{TransferError, Transferred, transfer};
