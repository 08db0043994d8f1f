use super::{CASES, Case, Harness, Sabotage, Saboteur, Stop, Verdict};
use crate::store::{MemoryStore, TaskStore};
use async_trait::async_trait;
use jiff::Timestamp;
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
fn each_saboteur_is_found_by_the_cases_that_should_find_it() -> Verdict {
    for (sabotage, cases) in Sabotage::FOUND_BY {
        for case in *cases {
            is_found(*sabotage, case)?;
        }
    }
    Ok(())
}

#[test]
fn a_saboteur_is_right_in_most() {
    for (sabotage, _) in Sabotage::FOUND_BY {
        let sound =
            CASES.iter().filter(|case| !matches!(case.run(&Sabotaged(*sabotage)), Err(Stop::Broken(_)))).count();
        assert!(sound * 3 > CASES.len() * 2, "{sabotage:?} fails all but {sound} of {} cases", CASES.len());
    }
}

/// What a store of its process makes of being opened again.
struct Forgetful;

#[async_trait(?Send)]
impl Harness for Forgetful {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Memory.fresh().await
    }

    async fn reopen(&self, _: Arc<dyn TaskStore>, _: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        Memory.fresh().await
    }

    async fn second(&self, _: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
        Memory.fresh().await
    }
}

#[test]
fn a_store_that_outlives_nothing_and_shares_nothing_is_found_by_every_case_that_asks() {
    let asks = |case: &&Case| matches!(case.run(&Memory), Err(Stop::Lacking(_)));
    let cases: Vec<_> = CASES.iter().filter(asks).collect();
    assert!(cases.len() >= 10, "{cases:?}");
    for case in cases {
        let verdict = case.run(&Forgetful);
        assert!(matches!(verdict, Err(Stop::Broken(_))), "`{}` did not find it: {verdict:?}", case.name);
    }
}

#[test]
fn a_store_that_prunes_what_is_live_is_found() -> Verdict {
    is_found(Sabotage::PrunesWhatIsLive, "what_ended_long_ago_goes_and_what_is_live_stays")
}
