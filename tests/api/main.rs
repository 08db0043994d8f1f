//! The server through real sockets: routes, problems, roles, streams, limits, and the agents' protocol, over a store in memory.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod admission;
mod agent;
mod answers;
mod audit;
mod bed;
mod callers;
mod crowd;
mod documents;
mod exec;
mod full;
mod idle;
mod limits;
mod logins;
mod logs;
mod metrics;
mod people;
mod plans;
mod reach;
mod ready;
mod roles;
mod rotation;
mod routes;
mod schemas;
mod secrets;
mod servers;
mod streams;
mod tls;
mod users;
mod versions;
