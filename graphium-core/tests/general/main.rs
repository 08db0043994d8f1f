//! Documents of the general profile: what they mean, what is refused, and that two processors agree about ours.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bed;
mod expansion;
mod forms;
mod hostile;
mod mistakes;
#[path = "../plan/permuted.rs"]
mod permuted;
mod rewriting;
mod shared;
mod terms;
