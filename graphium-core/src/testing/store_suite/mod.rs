//! The conformance suite of [`TaskStore`]: every sentence of its contract that can be observed, as a named case.
//!
//! Whoever writes a store says how to make one and gets a test per case:
//!
//! ```
//! use async_trait::async_trait;
//! use graphium_core::{
//!     store::{MemoryStore, TaskStore},
//!     testing::store_suite::{Harness, Stop},
//! };
//! use std::sync::Arc;
//!
//! struct Memory;
//!
//! #[async_trait(?Send)]
//! impl Harness for Memory {
//!     async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
//!         Ok(Arc::new(MemoryStore::new()))
//!     }
//! }
//!
//! graphium_core::store_suite!(Memory);
//! ```
//!
//! A store that survives its process implements [`Harness::reopen`] too, and one that several servers share
//! [`Harness::second`]; where they are lacking the cases that need them say so, past the capture of the test's output. One
//! that wraps another says which ([`Harness::wrapped`]), and lacks nothing that this one has.

mod cancel;
mod claim;
mod event;
mod fixture;
mod lease;
mod read;
mod reopen;
mod retention;
mod retry;
mod saboteur;
mod second;
mod session;
mod submit;
#[cfg(test)]
mod tests;
mod trial;

pub use saboteur::{Sabotage, Saboteur};
pub use trial::{Stop, Trial, Verdict};

use crate::store::{MemoryStore, TaskStore};
use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use jiff::Timestamp;
use std::{
    io::{self, Write},
    sync::Arc,
};

/// How the suite gets at the stores of one kind. Each case has a harness of its own.
#[async_trait(?Send)]
pub trait Harness {
    /// A store with nothing in it.
    ///
    /// # Errors
    /// [`Stop::Broken`] when none can be made.
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop>;

    /// Closes a store and opens what it left behind, at the given time and with a grace of a minute.
    ///
    /// # Errors
    /// [`Stop::Lacking`] when nothing outlives a store of this kind.
    async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        let _ = (store, now);
        Err(Stop::Lacking("reopen"))
    }

    /// Another handle on what is in a store, as a second server has it while the first goes on.
    ///
    /// # Errors
    /// [`Stop::Lacking`] when stores of this kind have one owner.
    async fn second(&self, store: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
        let _ = store;
        Err(Stop::Lacking("second handle"))
    }

    /// What a store of this kind wraps, if it does: it must be able to do all that those can.
    fn wrapped(&self) -> Option<&dyn Harness> {
        None
    }

    /// Runs a case, on whatever the store needs to run.
    fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
        futures::executor::block_on(case)
    }
}

/// The harness of [`MemoryStore`], which most wrappers are tried over.
///
/// # Example
/// ```
/// use async_trait::async_trait;
/// use graphium_core::{
///     store::{MemoryStore, TaskStore},
///     testing::{Decorated, StoreDecorator, store_suite::{Harness, Memory, Stop, run_as_test}},
/// };
/// use std::sync::Arc;
///
/// #[derive(Debug, Default)]
/// struct Watched(MemoryStore);
///
/// impl StoreDecorator for Watched {
///     fn inner(&self) -> &dyn TaskStore {
///         &self.0
///     }
/// }
///
/// struct OfWatched;
///
/// #[async_trait(?Send)]
/// impl Harness for OfWatched {
///     async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
///         Ok(Arc::new(Decorated(Watched::default())))
///     }
///
///     fn wrapped(&self) -> Option<&dyn Harness> {
///         Some(&Memory)
///     }
/// }
///
/// assert_eq!(run_as_test(&OfWatched, "what_ended_long_ago_goes_and_what_is_live_stays"), Ok(()));
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Memory;

#[async_trait(?Send)]
impl Harness for Memory {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Ok(Arc::new(MemoryStore::new()))
    }
}

/// A case by its name.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    /// What it proves, as a sentence.
    pub name: &'static str,
    run: for<'a> fn(Trial<'a>) -> LocalBoxFuture<'a, Verdict>,
}

impl Case {
    /// The case of that name.
    ///
    /// # Errors
    /// [`Stop::Broken`] when there is none.
    pub fn named(name: &str) -> Result<&'static Self, Stop> {
        CASES.iter().find(|case| case.name == name).ok_or_else(|| Stop::Broken(format!("no case `{name}`")))
    }

    /// Runs it on a fresh store.
    ///
    /// # Errors
    /// [`Stop`]: what did not hold, or what the store lacks.
    pub fn run(&self, harness: &dyn Harness) -> Verdict {
        harness.block_on(Box::pin(async move {
            let store = harness.fresh().await?;
            (self.run)(Trial::new(harness, store)).await
        }))
    }
}

/// Runs a case as a test. What a store lacks is said and is no failure, unless it wraps one that has it.
///
/// # Errors
/// [`Stop::Broken`]: what did not hold.
pub fn run_as_test(harness: &dyn Harness, name: &str) -> Verdict {
    let case = Case::named(name)?;
    match case.run(harness) {
        Err(Stop::Lacking(capability)) => {
            let has_it = |wrapped: &dyn Harness| !matches!(case.run(wrapped), Err(Stop::Lacking(_)));
            if harness.wrapped().is_some_and(has_it) {
                return Err(Stop::Broken(format!("it lacks `{capability}`, which the store that it wraps has")));
            }
            // Written by hand, for what a test prints is shown only when it fails. Nobody is left to tell where that fails.
            let _ = writeln!(io::stderr(), "not tested: `{name}` needs `{capability}`, which this store lacks");
            Ok(())
        }
        verdict => verdict,
    }
}

/// The one list of cases: calls the macro `$then` with it.
#[doc(hidden)]
#[macro_export]
macro_rules! store_suite_cases {
    ($then:ident $(, $harness:expr)?) => {
        $crate::$then! {
            $($harness;)?
            submit::a_submission_whose_expectation_fails_changes_nothing,
            submit::a_repeated_key_changes_nothing_and_answers_as_before,
            submit::a_task_that_exists_is_left_as_it_is,
            submit::tasks_that_could_never_begin_are_refused,
            submit::a_record_is_written_once_in_a_step,
            submit::what_is_superseded_is_asked_to_end,
            submit::hosts_with_something_to_do_are_named,
            submit::a_submission_that_is_refused_leaves_nothing_behind,
            submit::what_waits_for_a_failure_is_cancelled_when_it_comes,
            submit::a_task_counts_once_in_a_submission,
            submit::a_key_counts_once_however_many_bring_it,
            submit::a_call_that_was_dropped_has_happened_whole_or_not_at_all,
            submit::what_has_ended_is_superseded_by_nothing,
            claim::a_task_waits_until_those_before_it_are_completed,
            claim::a_failure_cancels_what_waits_for_it_and_so_on,
            claim::a_removal_waits_for_an_end_however_it_comes,
            claim::tasks_come_by_priority_then_age_then_id,
            claim::of_one_age_those_with_the_least_slack_come_first,
            claim::the_same_claim_is_granted_the_same,
            claim::a_claim_takes_what_is_of_its_host_and_no_more_than_it_asks,
            claim::a_claim_whose_expectation_fails_is_granted_nothing,
            claim::nothing_is_granted_twice,
            claim::a_grant_belongs_to_the_claim_that_asked,
            claim::a_claim_that_got_nothing_may_get_something_later,
            claim::a_claim_that_is_repeated_is_held_for_longer,
            claim::a_claim_is_no_act,
            session::epochs_grow_and_pass_what_was_seen,
            session::a_nonce_gets_its_epoch_again,
            session::an_older_session_claims_nothing,
            session::a_newer_session_ends_the_leases_of_the_older,
            session::a_session_of_one_host_leaves_the_others_alone,
            session::a_nonce_does_not_keep_an_epoch_below_what_was_seen,
            lease::a_stale_lease_renews_and_reports_nothing,
            lease::a_renewal_begins_the_attempt_and_tells_of_it,
            lease::renewing_many_returns_what_is_held_and_begins_nothing,
            lease::a_lease_that_ran_out_gives_its_task_back,
            lease::a_renewed_lease_runs_out_later,
            lease::an_attempt_past_its_deadline_ends,
            lease::a_task_that_loses_every_agent_ends_at_last,
            lease::a_deadline_and_a_report_have_one_outcome,
            lease::an_attempt_past_its_deadline_is_tried_again_while_retries_are_left,
            lease::a_wakeup_that_is_named_is_when_something_runs_out,
            retry::a_retryable_failure_waits_its_time,
            retry::no_retry_waits_for_a_clock_that_went_back,
            retry::retries_are_bounded,
            retry::an_operator_tries_again_what_failed,
            retry::a_submission_tries_again_or_is_refused_whole,
            retry::what_was_dragged_along_is_revived_and_no_sooner,
            retry::the_wait_before_a_retry_doubles_and_varies,
            cancel::a_pending_task_is_cancelled_at_once,
            cancel::a_running_task_is_asked_to_end,
            cancel::an_end_is_final,
            cancel::what_was_asked_to_end_is_not_tried_again,
            cancel::what_was_done_before_it_heard_is_done,
            cancel::what_waits_for_its_next_attempt_is_cancelled_at_once,
            cancel::a_cancellation_and_a_report_agree_on_one_end,
            read::tasks_are_filtered_and_paged,
            read::records_are_filtered_and_paged,
            read::a_record_changes_only_from_the_version_that_was_expected,
            read::what_is_not_there_is_said_to_be_missing,
            read::a_page_has_a_bound_of_its_own,
            read::pages_leave_out_and_repeat_nothing_while_others_write,
            read::what_was_answered_is_there_to_be_read,
            event::every_change_is_an_event_and_none_is_left_out,
            event::events_are_resumed_after_any_number,
            event::what_changes_nothing_tells_nothing,
            event::no_event_holds_a_secret,
            event::records_tell_of_their_coming_their_change_and_their_end,
            event::the_events_tell_where_every_task_stands,
            event::events_have_no_gap_also_when_many_write_at_once,
            event::any_number_and_any_limit_may_be_asked_for,
            retention::what_ended_long_ago_goes_and_what_is_live_stays,
            retention::what_has_not_ended_keeps_its_whole_deployment,
            retention::of_too_many_tasks_the_oldest_go,
            retention::pruned_events_are_answered_for_and_numbers_go_on,
            retention::a_key_is_forgotten_with_its_time,
            retention::what_was_pruned_stays_away,
            reopen::what_was_acknowledged_outlives_the_store,
            reopen::leases_get_their_time_anew,
            reopen::finished_work_can_be_tried_again,
            reopen::epochs_outlive_the_store,
            reopen::waits_and_wishes_outlive_the_store,
            reopen::the_order_of_claims_outlives_the_store,
            second::what_one_handle_writes_the_other_reads,
            second::a_lease_of_one_handle_holds_at_the_other,
            second::a_session_at_one_handle_ends_those_at_the_other,
            second::what_two_handles_claim_at_once_is_granted_once,
            second::what_two_may_have_is_said_to_be_shared,
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_suite_table {
    ($($room:ident :: $case:ident),* $(,)?) => {
        /// Every case.
        pub const CASES: &[Case] =
            &[$(Case { name: stringify!($case), run: |trial| Box::pin($room::$case(trial)) }),*];
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! store_suite_tests {
    ($harness:expr; $($room:ident :: $case:ident),* $(,)?) => {
        $(
            #[test]
            fn $case() -> $crate::testing::store_suite::Verdict {
                $crate::testing::store_suite::run_as_test(&$harness, stringify!($case))
            }
        )*
    };
}

/// Makes a `#[test]` of every case, each with a harness of its own: `store_suite!(MyHarness::new());`.
#[macro_export]
macro_rules! store_suite {
    ($harness:expr) => {
        $crate::store_suite_cases!(store_suite_tests, $harness);
    };
}

store_suite_cases!(store_suite_table);
