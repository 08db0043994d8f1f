//! What concurrent clients of the memory store are answered could have been answered to one after the other.

use futures::executor::block_on;
use graphium_core::{
    store::MemoryStore,
    testing::{
        linearize::{Settings, Tally, check_histories},
        store_suite::{Stop, Verdict},
    },
};

#[test]
fn histories_of_the_memory_store_are_linearizable() -> Verdict {
    let mut tally = Tally::default();
    for first in (0..1000).step_by(50) {
        // A new store now and then: what an earlier history has left makes the next slower, and is never looked at again.
        let store = MemoryStore::new();
        let more = check_histories(&store, Settings::default(), first..first + 50, &|work| block_on(work))?;
        tally.calls += more.calls;
        tally.contended += more.contended;
    }
    if tally.contended * 4 > tally.calls {
        Ok(())
    } else {
        Err(Stop::Broken(format!("the clients hardly meet: {tally:?}")))
    }
}
