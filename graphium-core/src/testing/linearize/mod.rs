//! Linearizability: whether what concurrent clients of a [`TaskStore`](crate::store::TaskStore) were answered could have been answered
//! to one client after the other.
//!
//! [`check_histories`] lets clients claim, renew, report, cancel, retry, let time pass and open sessions at once, on real threads, and
//! holds the history of each task to [`transition`](crate::task::transition), which is the specification. [`check`] is the checker
//! alone, for any [`Model`].

mod checker;
mod client;
mod run;
mod task;
#[cfg(test)]
mod tests;

pub use checker::{Model, Timed, Verdict, check};
pub use run::{Settings, Tally, check_histories};
