//! The agent over a fake engine and a real store, in virtual time.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod admission;
mod adopt;
mod bed;
mod beside;
mod contact;
mod execs;
mod faults;
mod health;
mod house;
mod link;
mod logs;
mod refresh;
mod secrets;
mod sessions;
mod settings;
mod watch;
mod work;
