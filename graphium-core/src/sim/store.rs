//! The store, with its awaits, its bad moments, and an eye on what is asked of it.

use super::{bug::Bug, retain, world::World};
use crate::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use async_trait::async_trait;
use jiff::Timestamp;
use std::{fmt, sync::Arc, time::Duration};

/// A [`TaskStore`] over the one that survives everything.
pub(super) struct SimStore {
    world: Arc<World>,
}

impl SimStore {
    pub(super) fn new(world: &Arc<World>) -> Self {
        Self { world: Arc::clone(world) }
    }

    /// The way to the store: an await, and perhaps its last word.
    async fn way_in(&self, what: &str) -> Result<(), StoreError> {
        let (pause, refused) = {
            let mut state = self.world.state();
            let rate = state.faults.store_refuses;
            let down = state.store_is_down;
            let dice = &mut state.dice;
            let pause = if dice.chance(250) {
                dice.between(Duration::from_micros(10), Duration::from_millis(2))
            } else {
                Duration::ZERO
            };
            (pause, down || dice.chance(rate))
        };
        if pause.is_zero() {
            self.world.give_way().await;
        } else {
            self.world.sleep(pause).await;
        }
        if refused {
            self.world.tell("store", || format!("does not {what}"));
            return Err(StoreError::Unavailable("the disk does not answer".to_owned()));
        }
        Ok(())
    }

    /// The way back: what was done is done, whether the caller learns of it or not.
    async fn way_back<T>(&self, what: &str, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        let unclear = {
            let mut state = self.world.state();
            let rate = state.faults.store_unclear;
            state.dice.chance(rate)
        };
        self.world.give_way().await;
        if unclear && answer.is_ok() {
            self.world.tell("store", || format!("has done what it was asked ({what}), and does not say so"));
            return Err(StoreError::Unavailable("the connection was lost".to_owned()));
        }
        answer
    }
}

impl fmt::Debug for SimStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl TaskStore for SimStore {
    async fn submit(&self, mut submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.way_in("submit").await?;
        self.world.judge().planned(&submission.tasks);
        let plans = !submission.tasks.is_empty();
        self.world.spoil_submission(&mut submission);
        if self.world.has(Bug::SubmissionForgotten) && plans && self.world.chance(200) {
            return Ok(Submitted::default());
        }
        let gone = retain::gone(&submission);
        let answer = self.world.store.submit(submission, now).await;
        if answer.is_ok() {
            self.world.look_at_idle(&gone);
        }
        self.way_back("submit", answer).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.way_in("open a session").await?;
        let answer = self.world.store.open_session(request, now).await;
        self.way_back("open a session", answer).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.way_in("grant").await?;
        let answer = self.world.store.claim(request, now).await;
        self.way_back("grant", answer).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.way_in("act").await?;
        let answer = self.world.store.act(task, input.clone(), now).await;
        let answer = self.world.spoil_act(task, input.clone(), now, answer).await;
        if let (Input::Report { lease, .. }, Ok(acted)) = (&input, &answer) {
            self.world.look_at_taken(lease, acted);
        }
        self.way_back("act", answer).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.way_in("renew").await?;
        let answer = self.world.store.renew(leases, expires_at).await;
        self.way_back("renew", answer).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.way_in("expire").await?;
        let answer = self.world.store.expire(now).await;
        self.way_back("expire", answer).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.world.store.next_wakeup().await
    }

    fn is_shared(&self) -> bool {
        self.world.store.is_shared()
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.way_in("read").await?;
        self.world.store.record(key).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        self.way_in("list").await?;
        let mut page = self.world.store.records(query).await?;
        self.world.spoil_records(query.kind, &mut page);
        Ok(page)
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.way_in("read").await?;
        self.world.store.task(id).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.way_in("list").await?;
        self.world.store.tasks(query).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.way_in("list").await?;
        let mut events = self.world.store.events(after, limit).await?;
        if self.world.has(Bug::EventSkipped) && events.len() > 2 && self.world.chance(50) {
            events.remove(1);
        }
        Ok(events)
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.way_in("list").await?;
        self.world.store.last_event().await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        if !self.world.prunes() {
            return Ok(None);
        }
        self.way_in("let go of anything").await?;
        let before = self.world.before_pruning();
        let answer = self.world.store.prune(&self.world.spoil_cut(cut)).await;
        if let Ok(Some(pruned)) = &answer {
            self.world.look_at_pruned(&before, cut, *pruned);
        }
        self.way_back("let go", answer).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        control::{Retention, Settings},
        sim::{Faults, Setup, trace::Trace},
        testing::store_suite::{Harness, Memory, Stop, Verdict},
    };
    use futures::future::LocalBoxFuture;

    /// The store of a simulation in which nothing goes wrong, and what is over is let go of.
    struct Calm(Arc<World>);

    impl Calm {
        fn new() -> Self {
            let retention = Retention { max_tasks: 1, ..Retention::default() };
            let control = Settings { retention, ..Settings::default() };
            let setup = Setup { faults: Faults::none(), control, ..Setup::default() };
            Self(Arc::new(World::new(1, setup, Trace::default(), false)))
        }
    }

    #[async_trait(?Send)]
    impl Harness for Calm {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            Ok(Arc::new(SimStore::new(&self.0)))
        }

        fn wrapped(&self) -> Option<&dyn Harness> {
            Some(&Memory)
        }

        fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
            self.0.clock.run(case)
        }
    }

    crate::store_suite!(Calm::new());
}
