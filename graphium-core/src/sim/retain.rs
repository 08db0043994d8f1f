//! What is over is let go of, soon, in some runs: nothing else may go, and in the end nothing of it is left.

use super::{
    dice::Dice,
    executor::Process,
    promise::Promise,
    store::SimStore,
    world::{NodeEnvironment, World},
};
use crate::{
    control::{DeploymentState, Retention},
    event::Event,
    id::{DeploymentId, TaskId},
    store::{Cut, Document, Pruned, RecordQuery, StoreError, Submission, TaskStore, TaskStoreExt},
};
use futures::FutureExt as _;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// How much later than its time something may go: the monitor's own times, and a store that is slow.
const SLACK: Duration = Duration::from_secs(15);
/// How many events somebody reads at a time.
const BATCH: usize = 20;

/// What of a run is let go of soon, if anything.
pub(super) fn soon(dice: &mut Dice, per_mille: u16) -> Option<Retention> {
    if !dice.chance(per_mille) {
        return None;
    }
    let mut retention = Retention { every: dice.millis(1_000, 10_000), ..Retention::default() };
    // By age, by number, or both.
    let how = dice.below(3);
    if how != 0 {
        retention.tasks = dice.millis(10_000, 90_000);
        retention.events = dice.millis(5_000, 60_000);
    }
    if how != 1 {
        retention.max_tasks = 5 + dice.below(60) as u64;
        retention.max_events = 10 + dice.below(200) as u64;
    }
    Some(retention)
}

/// Deployments of which a submission takes the records away.
pub(super) fn gone(submission: &Submission) -> Vec<DeploymentId> {
    let gone =
        submission.records.iter().filter(|write| write.key.kind == DeploymentState::KIND && write.body.is_none());
    gone.map(|write| DeploymentId::new(&*write.key.id)).collect()
}

/// What there was before the store let go of some of it.
pub(super) struct Before {
    /// How many tasks, by deployment.
    tasks: BTreeMap<DeploymentId, usize>,
    records: BTreeSet<DeploymentId>,
    events: Vec<Arc<Event>>,
}

impl World {
    /// Whether anything is let go of in this run.
    pub(super) fn prunes(&self) -> bool {
        self.setup.control.retention != Retention::default()
    }

    pub(super) fn before_pruning(&self) -> Before {
        let tasks = self.kept_tasks();
        Before { tasks, records: self.deployment_records(), events: self.store.events_after(self.pruned_up_to()) }
    }

    /// Work went whole, ended, old or too much, and not what a stack does or did last; of the events the first ones.
    pub(super) fn look_at_pruned(&self, before: &Before, cut: &Cut, pruned: Pruned) {
        self.tell("store", || format!("lets go of {} tasks and {} events", pruned.tasks, pruned.events));
        self.look_at_pruned_events(before, cut);
        let (tasks, records, present) = (self.kept_tasks(), self.deployment_records(), self.present_deployments());
        let too_many = before.tasks.values().sum::<usize>() as u64 > cut.max_tasks;
        let mut judge = self.judge();
        for (id, had) in &before.tasks {
            let left = tasks.get(id).copied().unwrap_or_default();
            let is_whole = left == *had && before.records.contains(id) == records.contains(id);
            if is_whole {
                continue;
            }
            judge.pruned.insert(id.clone());
            let open = judge.statuses(id).find(|status| !status.is_terminal());
            let is_old = judge.end_of(id).is_some_and(|end| end < cut.ended_before);
            let wrong = match open {
                Some(status) => format!("{id} went with a task that is {}", status.as_str()),
                None if left > 0 || records.contains(id) => format!("{id} went, and something of it did not"),
                None if present.contains(id) => format!("{id} went, and is what its stack did last"),
                None if !is_old && !too_many => format!("{id} went, and is neither old nor one of too many"),
                None => continue,
            };
            judge.accuse(Promise::OnlyOverGoes, wrong);
        }
    }

    /// The records that a submission takes away of deployments: those that had nothing to do, and are not what a stack did last.
    pub(super) fn look_at_idle(&self, gone: &[DeploymentId]) {
        if gone.is_empty() {
            return;
        }
        let present = self.present_deployments();
        let mut judge = self.judge();
        for id in gone {
            if present.contains(id) || judge.statuses(id).next().is_some() {
                judge.accuse(
                    Promise::OnlyOverGoes,
                    format!("{id} went, and had something to do or is what its stack did last"),
                );
            }
            judge.pruned.insert(id.clone());
        }
    }

    fn look_at_pruned_events(&self, before: &Before, cut: &Cut) {
        let gone_up_to = self.pruned_up_to();
        let left = self.store.events_after(gone_up_to);
        let last = before.events.last().map_or(0, |event| event.seq);
        let mut judge = self.judge();
        judge.pruned_up_to = gone_up_to;
        if !left.iter().map(|event| event.seq).eq(gone_up_to + 1..=last) {
            return judge.accuse(Promise::EventsGapless, format!("of the events {gone_up_to} to {last} some are gone"));
        }
        let gone = before.events.iter().take_while(|event| event.seq <= gone_up_to);
        let mut wrong = gone.filter(|event| event.timestamp >= cut.events_before && last - event.seq < cut.max_events);
        if let Some(event) = wrong.next() {
            let detail = format!("event {} went, and is neither old nor one of too many", event.seq);
            judge.accuse(Promise::OnlyOverGoes, detail);
        }
    }

    /// Somebody reads all events, a few at a time, and goes on with what is left where they are gone.
    pub(super) async fn follow_events(self: Arc<Self>) {
        let store = SimStore::new(&self);
        let mut after = 0;
        loop {
            let pause = self.throw(|dice| dice.millis(100, 20_000));
            self.sleep(pause).await;
            loop {
                match store.events(after, BATCH).await {
                    Ok(events) if events.is_empty() => break,
                    Ok(events) => {
                        for event in events {
                            if event.seq != after + 1 {
                                let detail = format!("whoever has read event {after} is given event {}", event.seq);
                                self.judge().accuse(Promise::EventsGapless, detail);
                            }
                            after = event.seq;
                        }
                    }
                    Err(StoreError::Pruned { up_to }) => {
                        let gone = self.judge().pruned_up_to;
                        if up_to <= after || up_to > gone {
                            let detail = format!(
                                "whoever has read event {after} is told that those up to {up_to} are gone: {gone} are"
                            );
                            self.judge().accuse(Promise::EventsGapless, detail);
                        }
                        after = up_to;
                    }
                    // A store that fails now is no news.
                    Err(_) => break,
                }
            }
        }
    }

    /// When nothing is done any more, what is over goes when its time has come.
    pub(super) async fn let_go(&self) {
        let retention = &self.setup.control.retention;
        if !self.prunes() || retention.tasks >= Retention::default().tasks {
            return;
        }
        // By the server's clock, which may have been ahead of what it is now.
        let last = self.judge().last_end();
        let ahead = last.map(|end| end.duration_since(NodeEnvironment::wall(self, Process::Server)));
        let ahead = ahead.and_then(|ahead| Duration::try_from(ahead).ok()).unwrap_or_default();
        self.sleep(ahead + retention.tasks + retention.every + self.setup.control.tick + SLACK).await;
        let present = self.present_deployments();
        let (tasks, records) = (self.kept_tasks(), self.deployment_records());
        if let Some(left) = tasks.keys().chain(&records).find(|id| !present.contains(*id)) {
            self.judge()
                .accuse(Promise::OnlyOverGoes, format!("{left} is over, and is there for longer than it is kept"));
        }
    }

    /// How many tasks of each deployment are there, of those that the events have told of.
    fn kept_tasks(&self) -> BTreeMap<DeploymentId, usize> {
        let judge = self.judge();
        let is_there = |id: &&TaskId| self.store.look_at_task(id, |_| ()).is_some();
        let kept = judge.deployments().map(|(id, tasks)| (id.clone(), tasks.iter().filter(is_there).count()));
        kept.filter(|(_, tasks)| *tasks > 0).collect()
    }

    fn deployment_records(&self) -> BTreeSet<DeploymentId> {
        let records = self.store.all_records(RecordQuery::of(DeploymentState::KIND)).now_or_never();
        let records = records.and_then(Result::ok).unwrap_or_default();
        records.iter().map(|record| DeploymentId::new(&*record.key.id)).collect()
    }

    /// What each stack does or did last.
    fn present_deployments(&self) -> BTreeSet<DeploymentId> {
        self.stack_records().into_iter().map(|record| record.value.deployment_id).collect()
    }

    /// Up to which event they are gone.
    fn pruned_up_to(&self) -> u64 {
        match self.store.events(0, 1).now_or_never() {
            Some(Err(StoreError::Pruned { up_to })) => up_to,
            _ => 0,
        }
    }
}
