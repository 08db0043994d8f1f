//! The page: as a browser gets it, without one; and in Chromium, on a server with hosts that tests play, and on real ones.
//!
//! What needs Chromium needs `chromium` and `chromedriver`, as `tests/run` installs them; elsewhere those tests fail and say so. A
//! picture of every page stays in the target directory, below `tmp/web`.

#![allow(unreachable_pub, reason = "a program of its own, in several files")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "how fast a page was, for whoever reads a failure")]
#![allow(dead_code, reason = "other tests use more of what is shared")]

mod account;
mod acts;
#[path = "../api/answers.rs"]
mod answers;
mod audit;
#[path = "../api/bed.rs"]
mod bed;
mod browser;
mod cookie;
#[path = "../hosts/estate.rs"]
mod estate;
mod forms;
mod keys;
mod life;
mod live;
mod looks;
mod pages;
mod played;
mod reach;
mod secrets;
mod sessions;
mod tokens;
mod users;
mod visitor;
