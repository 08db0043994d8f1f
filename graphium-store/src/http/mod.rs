//! The store of another server, over its API.
//!
//! One route takes a [`Call`] as JSON and answers with what the store answered: `{"Ok": …}` or `{"Err": …}`. Errors of the store come
//! through as they are; what goes wrong on the way is [`StoreError::Unavailable`].

mod call;
mod client;

pub use call::{Answer, Call};
pub use client::HttpStore;

#[cfg(doc)]
use graphium_core::store::StoreError;

/// Where a server takes calls of its store.
pub const PATH: &str = "/api/v1/store";

/// Bytes of a call, and of an answer, that are read at most: a plan is large, and so is a page of tasks.
pub const LIMIT: usize = 64 * 1024 * 1024;
