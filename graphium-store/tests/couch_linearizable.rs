//! What concurrent clients of CouchDB are answered could have been answered to one after the other.

#![cfg(feature = "couchdb")]

use graphium_core::testing::{
    linearize::{Settings, check_histories},
    store_suite::{Stop, Verdict},
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::Timestamp;

fn check(copies: u32, faults: Faults, histories: u64) -> Verdict {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let fake = runtime.block_on(FakeCouch::start(copies))?;
    let store = runtime.block_on(open(&fake.url(), Options::at(Timestamp::UNIX_EPOCH)))?;
    fake.set_faults(faults);
    let tally = check_histories(store.as_ref(), Settings::default(), 0..histories, &|work| runtime.block_on(work))?;
    if tally.contended * 4 > tally.calls {
        Ok(())
    } else {
        Err(Stop::Broken(format!("the clients hardly meet: {tally:?}")))
    }
}

#[test]
fn histories_of_one_node_are_linearizable() -> Verdict {
    check(1, Faults::none(), 1000)
}

#[test]
fn histories_of_a_cluster_are_linearizable() -> Verdict {
    check(3, Faults::none(), 200)
}

#[test]
fn histories_of_a_cluster_with_strays_are_linearizable() -> Verdict {
    check(3, Faults::from_seed(5).with(Fault::StrayLeaf, 0.1), 100)
}
