use super::{Case, Harness, Sabotage, Saboteur, Stop, Verdict};
use crate::store::{MemoryStore, TaskStore};
use async_trait::async_trait;
use std::sync::Arc;

mod memory {
    use super::Memory;

    crate::store_suite!(Memory);
}

struct Memory;

#[async_trait(?Send)]
impl Harness for Memory {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Ok(Arc::new(MemoryStore::new()))
    }
}

struct Sabotaged(Sabotage);

#[async_trait(?Send)]
impl Harness for Sabotaged {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Ok(Arc::new(Saboteur::new(Arc::new(MemoryStore::new()), self.0)))
    }
}

fn is_found(sabotage: Sabotage, case: &str) -> Verdict {
    match Case::named(case)?.run(&Sabotaged(sabotage)) {
        Err(Stop::Broken(_)) => Ok(()),
        other => Err(Stop::Broken(format!("{sabotage:?} was not found by `{case}`: {other:?}"))),
    }
}

#[test]
fn a_store_that_grants_twice_is_found() -> Verdict {
    is_found(Sabotage::GrantsTwice, "nothing_is_granted_twice")
}

#[test]
fn a_store_that_believes_stale_reports_is_found() -> Verdict {
    is_found(Sabotage::BelievesStaleReports, "a_stale_lease_renews_and_reports_nothing")
}

#[test]
fn a_store_that_skips_an_event_is_found() -> Verdict {
    is_found(Sabotage::SkipsAnEvent, "every_change_is_an_event_and_none_is_left_out")?;
    is_found(Sabotage::SkipsAnEvent, "events_are_resumed_after_any_number")
}

#[test]
fn a_store_that_ignores_expectations_is_found() -> Verdict {
    is_found(Sabotage::IgnoresExpectations, "a_submission_whose_expectation_fails_changes_nothing")?;
    is_found(Sabotage::IgnoresExpectations, "a_record_changes_only_from_the_version_that_was_expected")
}

#[test]
fn a_store_that_ignores_slack_is_found() -> Verdict {
    is_found(Sabotage::IgnoresSlack, "of_one_age_those_with_the_least_slack_come_first")
}

#[test]
fn a_store_that_forgets_keys_is_found() -> Verdict {
    is_found(Sabotage::ForgetsKeys, "a_repeated_key_changes_nothing_and_answers_as_before")
}

#[test]
fn a_store_that_prunes_what_is_live_is_found() -> Verdict {
    is_found(Sabotage::PrunesWhatIsLive, "what_ended_long_ago_goes_and_what_is_live_stays")
}
