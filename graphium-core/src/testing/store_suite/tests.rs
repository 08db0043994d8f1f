use super::{CASES, Case, Harness, Memory, Sabotage, Saboteur, Stop, Verdict, run_as_test};
use crate::{
    store::{Cut, MemoryStore, Pruned, StoreError, TaskStore},
    testing::{Decorated, StoreDecorator},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::sync::Arc;

mod memory {
    use super::Memory;

    crate::store_suite!(Memory);
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

/// What a wrapper is that forgets the methods which a store need not have.
#[derive(Debug, Default)]
struct Narrow(MemoryStore);

#[async_trait]
impl StoreDecorator for Narrow {
    fn inner(&self) -> &dyn TaskStore {
        &self.0
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    async fn prune(&self, _: &Cut) -> Result<Option<Pruned>, StoreError> {
        Ok(None)
    }
}

/// Whether it says that it wraps something.
struct OfNarrow(Option<Memory>);

#[async_trait(?Send)]
impl Harness for OfNarrow {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        Ok(Arc::new(Decorated(Narrow::default())))
    }

    fn wrapped(&self) -> Option<&dyn Harness> {
        self.0.as_ref().map(|memory| memory as &dyn Harness)
    }
}

#[test]
fn a_wrapper_that_forgets_what_a_store_need_not_have_is_found() {
    for name in ["a_wakeup_that_is_named_is_when_something_runs_out", "of_too_many_tasks_the_oldest_go"] {
        let alone = Case::named(name).and_then(|case| case.run(&OfNarrow(None)));
        assert!(matches!(alone, Err(Stop::Lacking(_))), "`{name}`, of a store that wraps none: {alone:?}");
        assert!(matches!(run_as_test(&OfNarrow(Some(Memory)), name), Err(Stop::Broken(_))), "`{name}`");
    }
}
