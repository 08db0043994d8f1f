//! What concurrent clients of CouchDB are answered could have been answered to one after the other.

#![cfg(feature = "couchdb")]

use graphium_core::testing::{
    linearize::{Settings, Tally, check_histories},
    store_suite::Verdict,
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::Timestamp;

fn check(copies: u32, faults: fn(u64) -> Faults, histories: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut tally = Tally::default();
    for first in (0..histories).step_by(50) {
        let fake = runtime.block_on(FakeCouch::start(copies))?;
        let store = runtime.block_on(open(&fake.url(), Options::at(Timestamp::UNIX_EPOCH)))?;
        fake.set_faults(faults(first));
        let seeds = first..first + 50;
        tally += check_histories(store.as_ref(), Settings::default(), seeds, &|work| runtime.block_on(work))?;
    }
    tally.verdict()
}

#[test]
fn histories_of_one_node_are_linearizable() -> Verdict {
    check(1, |_| Faults::none(), 1000)
}

#[test]
fn histories_of_a_cluster_are_linearizable() -> Verdict {
    check(3, |_| Faults::none(), 200)
}

#[test]
fn histories_of_a_cluster_with_strays_are_linearizable() -> Verdict {
    check(3, |seed| Faults::from_seed(seed).with(Fault::StrayLeaf, 0.1), 100)
}
