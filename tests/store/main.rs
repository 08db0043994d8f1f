//! The store over HTTP, against a live server: the whole contract over a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod contract;
mod face;
mod histories;
mod shared;
