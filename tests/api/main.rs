//! The server through real sockets: routes, problems, roles, streams, limits, and the agents' protocol, over a store in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod admission;
mod agent;
mod bed;
mod exec;
mod full;
mod limits;
mod logs;
mod people;
mod plans;
mod reach;
mod roles;
mod routes;
mod servers;
mod streams;
mod tls;
mod versions;
