//! Graphium's server as a library: the REST API over a [`Control`](graphium_core::control::Control), the client of that API,
//! and what `graphium demo` needs besides.
//!
//! The server is a thin face: every decision is the control plane's, every byte of storage the store's. What is decided here is who may
//! ask ([`auth`]), how requests and answers look ([`api`]), and how long a peer may take ([`serve`]).

#![forbid(unsafe_code)]

pub mod api;
pub mod auth;
pub mod client;
pub mod environment;
pub mod events;
pub mod notify;
pub mod protocol;
pub mod secrets;
pub mod serve;
pub mod start;
pub mod stop;
pub mod testbed;
pub mod tls;
pub mod traces;
mod web;

pub use api::{AppState, router};
pub use start::{PortChoice, RunningServer, ServerOptions, StartError, StoreAccess, start, start_with};

/// The README's example runs.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

/// The guides' examples run.
#[cfg(doctest)]
mod guides {
    #[doc = include_str!("../../docs/guides/embed.md")]
    struct Embed;
    #[doc = include_str!("../../docs/guides/store.md")]
    struct Store;
    #[doc = include_str!("../../docs/guides/runtime.md")]
    struct Runtime;
    #[doc = include_str!("../../docs/guides/agent.md")]
    struct Agent;
    #[doc = include_str!("../../docs/guides/sink.md")]
    struct Sink;
}
