//! What concurrent clients of the memory store are answered could have been answered to one after the other.

use futures::executor::block_on;
use graphium_core::{
    store::MemoryStore,
    testing::{
        linearize::{Settings, check_histories},
        store_suite::{Stop, Verdict},
    },
};

#[test]
fn histories_of_the_memory_store_are_linearizable() -> Verdict {
    let tally = check_histories(&MemoryStore::new(), Settings::default(), 0..1000, &|work| block_on(work))?;
    if tally.contended * 4 > tally.calls {
        Ok(())
    } else {
        Err(Stop::Broken(format!("the clients hardly meet: {tally:?}")))
    }
}
