#![allow(clippy::panic, clippy::expect_used, reason = "a case of the suite says by a panic what is wrong")]
//! The conformance suite of [`ContainerRuntime`]: what every implementation must do, as named cases.
//!
//! Write a [`RuntimeHarness`] and call [`runtime_conformance!`](crate::runtime_conformance) with it in a test file:
//! every case becomes a `#[test]` of its own, those that later versions add included.
//!
//! ```text
//! graphium_core::runtime_conformance!(MyHarness::new());
//! ```
//!
//! A case makes things named `graphium-suite-<number>-…`, and takes them away before and after. Cases may run at the
//! same time, on one engine or on several.
//!
//! # Example
//! ```
//! use futures::{executor::block_on, future::LocalBoxFuture};
//! use graphium_core::{runtime::ContainerRuntime, testing::{FakeRuntime, Program}};
//! use graphium_core::testing::runtime_suite::{Chore, FILE, LISTENS_AT, RuntimeHarness, Thing, Workload};
//! use graphium_core::testing::runtime_suite::{names, run, run_unreachable};
//! use std::sync::Arc;
//!
//! struct Own(FakeRuntime);
//!
//! impl RuntimeHarness for Own {
//!     fn runtime(&self) -> Arc<dyn ContainerRuntime> {
//!         Arc::new(self.0.clone())
//!     }
//!     fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>> {
//!         let engine = FakeRuntime::new();
//!         engine.disconnect();
//!         Some(Arc::new(engine))
//!     }
//!     fn workload(&self, workload: Workload) -> (String, Vec<String>) {
//!         let program = match workload {
//!             Workload::Runs => Program::runs(),
//!             Workload::Speaks => Program::exits(3).saying(["one", "two", "three"]),
//!             Workload::Murmurs => Program::runs().saying(["out"]).complaining(["err"]),
//!             Workload::Listens => Program::runs().listening(LISTENS_AT),
//!         };
//!         let image = format!("{workload:?}").to_lowercase();
//!         self.0.put_image(&image, program);
//!         (image, Vec::new())
//!     }
//!     fn command(&self, chore: Chore) -> Vec<String> {
//!         let words = match chore {
//!             Chore::Echoes => vec!["cat"],
//!             Chore::Speaks => vec!["say", "out", "err", "3"],
//!             Chore::Measures => vec!["size"],
//!             Chore::Waits => vec!["wait"],
//!             Chore::Shows => vec!["show", FILE],
//!         };
//!         words.into_iter().map(str::to_owned).collect()
//!     }
//!     fn absent_image(&self) -> String {
//!         "absent".to_owned()
//!     }
//!     fn make_foreign(&self, thing: Thing, name: &str) {
//!         self.0.make_foreign(thing, name);
//!     }
//!     fn remove_foreign(&self, thing: Thing, name: &str) {
//!         self.0.remove_foreign(thing, name);
//!     }
//!     fn block_on(&self, case: LocalBoxFuture<'_, ()>) {
//!         block_on(case);
//!     }
//! }
//!
//! // A program that is no test runs the cases by their names; one that does not hold panics.
//! let cases: Vec<&str> = names().collect();
//! assert!(cases.len() > 30);
//! run(cases[0], &Own(FakeRuntime::new()));
//! run_unreachable(&Own(FakeRuntime::new()));
//! ```

mod adoptions;
mod bench;
mod containers;
mod engine;
mod execs;
mod logs;
mod networks;
mod probes;
mod settings;
#[cfg(test)]
mod tests;
mod volumes;

use crate::runtime::ContainerRuntime;
use adoptions::*;
use bench::Bench;
use containers::*;
use engine::*;
use execs::*;
use futures::future::LocalBoxFuture;
use logs::*;
use networks::*;
use probes::*;
use settings::*;
use std::sync::Arc;
use volumes::*;

pub use crate::testing::Thing;

/// What the suite asks of those who run it.
pub trait RuntimeHarness {
    /// The runtime under test. It may be a new one for each call, or always the same engine.
    fn runtime(&self) -> Arc<dyn ContainerRuntime>;

    /// A runtime whose engine does not answer; `None` where none can be had, see
    /// [`runtime_conformance!`](crate::runtime_conformance).
    fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>>;

    /// An image that is present, and a command for it that does this.
    fn workload(&self, workload: Workload) -> (String, Vec<String>);

    /// A command that does this in a container of [`Workload::Runs`].
    fn command(&self, chore: Chore) -> Vec<String>;

    /// An image that is not present.
    fn absent_image(&self) -> String;

    /// Makes something of that name which is not Graphium's, past the runtime; a container of it need not run.
    fn make_foreign(&self, thing: Thing, name: &str);

    /// Takes it away again, past the runtime. One that is absent is no mistake.
    fn remove_foreign(&self, thing: Thing, name: &str);

    /// Runs a case to its end.
    fn block_on(&self, case: LocalBoxFuture<'_, ()>);
}

/// What a container of the suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// Runs until it is asked to stop, and then ends at once.
    Runs,
    /// Writes the lines `one`, `two` and `three`, and ends with exit code 3.
    Speaks,
    /// Writes the line `out` to its standard output and `err` to its standard error, and runs until it is asked to stop.
    Murmurs,
    /// Listens at TCP port [`LISTENS_AT`] until it is asked to stop, and answers HTTP there: `/` with 200, and what it does
    /// not have with 404.
    Listens,
}

/// What a command of the suite does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chore {
    /// Writes whatever it reads to its standard output, and ends well with its standard input.
    Echoes,
    /// Writes the line `out` to its standard output and `err` to its standard error, and ends with exit code 3.
    Speaks,
    /// Writes the size of its terminal as `ROWS COLUMNS`, at its beginning and soon after it became another, in
    /// lines of their own, until it is ended.
    Measures,
    /// Writes nothing, and runs until its container ends.
    Waits,
    /// Writes what is in [`FILE`] to its standard output, and ends well.
    Shows,
}

/// The file of [`Chore::Shows`].
pub const FILE: &str = "/run/secrets/suite";

/// The port of [`Workload::Listens`].
pub const LISTENS_AT: u16 = 8080;

type Case = for<'a> fn(&'a Bench<'a>) -> LocalBoxFuture<'a, ()>;

/// Hands the names of all cases to a macro: the one list of them.
#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_cases {
    ({$($then:tt)*} $($arguments:tt)*) => {
        $($then)*! { [$($arguments)*]
            an_absent_container_is_none_and_no_error
            creating_twice_creates_once
            creating_at_the_same_time_creates_once
            another_version_has_the_name
            a_container_made_anew_is_the_one_that_is_meant
            a_foreign_container_is_shown_and_never_touched
            an_absent_image_is_image_not_found
            an_unresolved_variable_is_refused
            a_file_that_was_put_is_there_after_every_start
            files_are_put_only_into_what_is_there_and_ours
            a_container_goes_on_under_another_name
            a_name_that_is_taken_is_given_to_no_other
            only_what_is_there_and_ours_is_renamed
            any_container_is_described_by_its_id
            an_adopted_container_is_the_same_and_one_of_ours
            a_container_of_another_stack_is_shown_as_that_of_its_new_one
            what_is_not_there_and_a_name_that_is_taken_are_not_adopted
            starting_twice_starts_once
            starting_what_is_absent_is_not_found
            stopping_twice_or_what_is_absent_succeeds
            removing_twice_succeeds_and_ends_what_runs
            labels_are_seen_again
            an_exit_code_and_the_last_lines_are_kept
            a_log_is_read_from_its_beginning_its_end_and_a_moment
            a_log_is_followed_until_its_container_ends
            a_followed_log_ends_when_its_container_is_removed
            a_foreign_log_is_not_read
            a_command_writes_to_both_and_ends_with_its_code
            a_command_reads_to_the_end_of_its_input
            a_command_has_a_terminal_of_the_size_that_is_asked_for
            a_command_ends_with_its_container
            a_command_runs_only_in_what_runs_and_is_ours
            a_taken_port_is_port_taken
            a_published_port_is_seen
            settings_change_in_place_and_are_read_back
            settings_that_are_not_named_stay
            a_limit_cannot_be_taken_away_in_place
            other_settings_are_told
            only_what_is_there_and_ours_is_adjusted
            a_port_that_somebody_listens_at_is_well
            a_port_that_nobody_listens_at_is_not_well
            what_does_not_run_is_not_well
            only_what_is_there_and_networked_is_asked
            a_network_is_made_once_and_removed_twice
            a_network_in_use_stays
            a_foreign_network_keeps_its_name
            an_external_network_must_exist
            a_volume_is_made_once_and_removed_twice
            a_volume_in_use_stays
            a_volume_that_comes_with_a_container_is_its_stacks
            a_foreign_volume_stays
            an_external_volume_must_exist
            a_present_image_asks_no_registry
            an_absent_image_is_not_pulled_by_never
            a_present_image_of_another_platform_is_absent
            a_container_tells_which_image_it_was_made_from
            an_engine_says_what_it_is_and_what_it_can_do
            changes_since_the_watch_are_told
        }
    };
}

macro_rules! list {
    ([] $($case:ident)*) => {
        /// Every case by name, but the one that needs an engine that does not answer.
        const CASES: &[(&str, Case)] = &[$((stringify!($case), |bench| Box::pin($case(bench)))),*];
    };
}
__runtime_cases! { {list} }

#[doc(hidden)]
#[macro_export]
macro_rules! __runtime_tests {
    ([$harness:expr] $($case:ident)*) => {
        $(
            #[test]
            fn $case() {
                $crate::testing::runtime_suite::run(stringify!($case), &$harness);
            }
        )*
    };
}

/// Makes a `#[test]` of every case of the [runtime suite](crate::testing::runtime_suite).
///
/// `runtime_conformance!(harness)` runs all of them. Where no unreachable engine can be had,
/// `runtime_conformance!(harness, without unreachable: "why")` shows that case as ignored, with the reason.
#[macro_export]
macro_rules! runtime_conformance {
    ($harness:expr) => {
        $crate::__runtime_cases! { {$crate::__runtime_tests} $harness }

        #[test]
        fn an_engine_that_does_not_answer_is_unreachable() {
            $crate::testing::runtime_suite::run_unreachable(&$harness);
        }
    };
    ($harness:expr, without unreachable: $reason:literal) => {
        $crate::__runtime_cases! { {$crate::__runtime_tests} $harness }

        #[test]
        #[ignore = $reason]
        fn an_engine_that_does_not_answer_is_unreachable() {}
    };
}

/// The names of all cases.
pub fn names() -> impl Iterator<Item = &'static str> {
    CASES.iter().map(|(name, _)| *name)
}

/// Runs one case; what is wrong is a panic.
pub fn run(case: &str, harness: &dyn RuntimeHarness) {
    let number = CASES.iter().position(|(name, _)| *name == case).expect("the suite has a case of that name");
    let bench = Bench::new(harness, number);
    harness.block_on(Box::pin(async {
        bench.clean().await;
        (CASES[number].1)(&bench).await;
        bench.clean().await;
    }));
}

/// Runs the case that needs an engine that does not answer.
pub fn run_unreachable(harness: &dyn RuntimeHarness) {
    let away = harness.unreachable().expect(
        "the harness has no engine that does not answer: \
         say `runtime_conformance!(harness, without unreachable: \"why\")` to show this case as ignored",
    );
    harness.block_on(Box::pin(async move { an_engine_that_does_not_answer_is_unreachable(&*away).await }));
}
