//! A CouchDB that nobody can rely on: writes that a minority takes, times in which there is no majority, lists of what was, and
//! silence.

use graphium_store::testing::{FakeCouch, Fault, Faults};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinHandle, time::sleep};

/// What goes wrong with single writes, at random from a seed.
pub(crate) fn bad_writes(seed: u64) -> Faults {
    Faults::from_seed(seed)
        .with(Fault::Accepted, 0.01)
        .with(Fault::AcceptedElsewhere, 0.04)
        .with(Fault::StrayLeaf, 0.05)
        .with(Fault::BrokenAfterCommit, 0.03)
        .with(Fault::BrokenBefore, 0.02)
        .with(Fault::ServerError, 0.02)
        .with(Fault::StoredLater(Duration::from_millis(20)), 0.02)
        .with(Fault::LateConflict(Duration::from_millis(50)), 0.02)
}

/// What goes wrong with the whole of it, until this is dropped.
#[derive(Debug)]
pub(crate) struct Weather(JoinHandle<()>);

impl Weather {
    /// In turn, with pauses in which all is well: every write is answered with 202, lists show what was, and nothing is answered.
    /// What a part of the cluster has taken alone comes to light when all is well again.
    pub(crate) fn over(fake: Arc<FakeCouch>) -> Self {
        Self(tokio::spawn(async move {
            loop {
                fake.freeze_lists();
                fake.lose_quorum();
                sleep(Duration::from_millis(10)).await;
                fake.heal();
                sleep(Duration::from_millis(150)).await;
                fake.thaw_lists();
                fake.hang(Duration::from_millis(20));
                sleep(Duration::from_millis(150)).await;
            }
        }))
    }
}

impl Drop for Weather {
    fn drop(&mut self) {
        self.0.abort();
    }
}
