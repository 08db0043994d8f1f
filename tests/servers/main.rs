//! Several servers on one store, for real: the built binary on three Docker engines, its store a database on a disk, and
//! `kill -9` of whatever holds it together.
//!
//! Needs what `tests/hosts` needs, and Node: `tests/pouchdb/install` fetches pouchdb-server, which speaks as CouchDB does.

#![allow(unreachable_pub, reason = "a program of its own, in several files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what happened when is shown where it fails")]
#![allow(dead_code, reason = "tests/hosts use more of the estate")]

#[path = "../hosts/estate.rs"]
mod estate;
mod kills;
mod operator;
mod store;
mod witness;
