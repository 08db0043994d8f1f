//! What concurrent clients of the memory store are answered could have been answered to one after the other.

use futures::executor::block_on;
use graphium_core::{
    store::MemoryStore,
    testing::{
        linearize::{Settings, Tally, check_histories},
        store_suite::Verdict,
    },
};

#[test]
fn histories_of_the_memory_store_are_linearizable() -> Verdict {
    let mut tally = Tally::default();
    for first in (0..1000).step_by(50) {
        let store = MemoryStore::new();
        tally += check_histories(&store, Settings::default(), first..first + 50, &|work| block_on(work))?;
    }
    tally.verdict()
}
