//! The proof on real hosts: three Docker engines in network namespaces, the built binary, and what goes wrong between them.
//!
//! Needs root on Linux with Docker and nginx, as `tests/run` installs them; elsewhere these tests fail and say what is missing.

#![allow(unreachable_pub, reason = "a program of its own, in several files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "what happened when, for whoever reads a failure")]
#![allow(dead_code, reason = "the benchmarks use more of the estate")]

mod adjusts;
mod adopts;
mod canaries;
mod chaos;
#[path = "../traces/collector.rs"]
mod collector;
mod crashes;
mod deploys;
mod drains;
mod drift;
mod estate;
mod exec;
mod failures;
mod faulty;
mod frozen;
mod goes_back;
mod health;
mod logins;
mod logs;
mod lost;
mod orphans;
mod paused;
mod planted;
mod pulls;
mod registry;
mod rollback;
mod secrets;
mod silent;
mod start_first;
mod stops;
mod waits;
