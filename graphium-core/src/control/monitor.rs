//! The monitor: finishes what is in flight.

use super::{Control, ControlError, DeploymentKind, StackHead, StackStatus};
use crate::{
    id::{DeploymentId, TaskId},
    store::{Key, Kind, RecordQuery, StoreError, TaskQuery, TaskStoreExt},
    task::{Input, Task},
};
use futures::future::select;
use jiff::Timestamp;
use serde::Deserialize;
use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

/// Between two looks while something is under way: attempts wait for their time, leases run out.
const BUSY_TICK: Duration = Duration::from_secs(1);

/// How many events go to the sink at a time.
const EVENT_BATCH: usize = 500;

impl Control {
    /// Watches over everything in flight. Never returns; drop it to stop.
    ///
    /// A store that does not answer is asked again at the next tick.
    pub async fn run(self: Arc<Self>) {
        self.run_telling(|_| {}).await;
    }

    /// The same, and says after each tick what it could not do: the first of what failed. It is tried again at the next one.
    pub async fn run_telling(self: Arc<Self>, mut tell: impl FnMut(Result<(), ControlError>)) {
        let mut last_tick = None;
        loop {
            let listener = self.wake.listen();
            // What fails here fails in the next tick, too, and is told then.
            let _ = self.catch_up().await;
            let elapsed = self.environment.elapsed();
            let pause = self.pause();
            let due = last_tick.map_or(Duration::ZERO, |last: Duration| (last + pause).saturating_sub(elapsed));
            if due.is_zero() {
                tell(self.tick().await);
                last_tick = Some(elapsed);
            } else {
                let sleep = pin!(self.environment.sleep(due));
                select(listener, sleep).await;
            }
        }
    }

    fn pause(&self) -> Duration {
        // What another server does to the same store wakes nobody here: looking does.
        if self.state().active.is_empty() && !self.store.is_shared() {
            self.settings.tick.min(self.settings.offline_after / 3)
        } else {
            BUSY_TICK.min(self.settings.tick)
        }
    }

    /// What the passing of time asks for: leases that ran out, hosts that fell silent, deployments past their deadline.
    ///
    /// # Errors
    /// When the store cannot be reached, or holds what cannot be read; what was not done is done at the next tick, and keeps nothing
    /// else from being done.
    pub async fn tick(&self) -> Result<(), ControlError> {
        let now = self.environment.now();
        let acted = self.store.expire(now).await?;
        for task in &acted.tasks {
            self.touch(task.deployment_id.as_ref());
        }
        if !acted.ready.is_empty() {
            self.work_is_ready(&acted.ready);
        }
        let mut failed = self.mend_times(now).await;
        // No host is called absent before what others have heard of it is known.
        failed = failed.and(match self.keep_company().await {
            Ok(()) => self.mark_absent().await,
            unknown => unknown,
        });
        failed = failed.and(self.sweep().await);
        let active: Vec<DeploymentId> = self.state().active.iter().cloned().collect();
        for id in active {
            failed = failed.and(self.enforce_deadline(&id).await);
            self.state().dirty.insert(id);
        }
        failed = failed.and(self.catch_up().await);
        failed.and(self.prune().await)
    }

    /// Settles what changed, then hands the events on.
    async fn catch_up(&self) -> Result<(), ControlError> {
        let seen = self.touch_stacks_that_were_seen().await;
        let mut failed = self.touch_stacks_of_turned().await.and(seen);
        let dirty = std::mem::take(&mut self.state().dirty);
        for id in dirty {
            // One that cannot be settled now is tried again, and keeps no other from it.
            if let Err(error) = self.settle(&id).await {
                self.state().dirty.insert(id);
                failed = failed.and(Err(error));
            }
        }
        let failed = self.move_away().await.and(failed);
        let failed = self.reschedule().await.and(failed);
        let failed = self.remember_forgotten().await.and(failed);
        self.publish().await.and(failed)
    }

    async fn publish(&self) -> Result<(), ControlError> {
        loop {
            let after = self.state().published;
            let events = match self.store.events(after, EVENT_BATCH).await {
                Ok(events) => events,
                Err(StoreError::Pruned { up_to }) => {
                    self.state().published = up_to;
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let Some(last) = events.last() else { return Ok(()) };
            self.state().published = last.seq;
            self.sink.publish(&events);
        }
    }

    async fn enforce_deadline(&self, id: &DeploymentId) -> Result<(), ControlError> {
        let now = self.environment.now();
        let Some(record) = self.store.record(&Key::new(Kind::Deployment, id.as_str())).await? else { return Ok(()) };
        let Limit { deadline, kind } = record.read()?;
        if deadline.is_none_or(|deadline| deadline > now) {
            return if kind == DeploymentKind::Move { self.give_up_targets(id).await } else { Ok(()) };
        }
        let query = TaskQuery { deployment: Some(id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        self.cancel_open(&tasks, "the deployment's own deadline has passed").await.map(drop)
    }

    /// Asks those of some tasks to end that have not ended and were not asked; whether there was one.
    ///
    /// What waits for one that ends by it ends in the same step: of a large deployment few are asked one by one.
    pub(super) async fn cancel_open(&self, tasks: &[Task], reason: &str) -> Result<bool, ControlError> {
        let now = self.environment.now();
        let mut asked = false;
        let mut ended: BTreeSet<TaskId> = BTreeSet::new();
        for task in tasks.iter().filter(|task| !task.status.is_terminal() && task.cancel_requested.is_none()) {
            if ended.contains(&task.id) {
                continue;
            }
            asked = true;
            match self.store.act(&task.id, Input::Cancel { reason: reason.to_owned() }, now).await {
                Ok(acted) => {
                    ended.extend(acted.tasks.into_iter().filter(|task| task.status.is_terminal()).map(|task| task.id));
                }
                Err(StoreError::Refused { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(asked)
    }

    /// A clock that has gone back leaves hosts that are away since a time to come: what counts from then counts from now.
    async fn mend_times(&self, now: Timestamp) -> Result<(), ControlError> {
        let last = self.state().clock;
        if last.is_none_or(|last| last > now) {
            for host in self.known_hosts().await? {
                let is_ahead = |time: &Option<Timestamp>| time.is_some_and(|time| time > now);
                if is_ahead(&host.offline_since) || is_ahead(&host.engine_away_since) {
                    self.change_host(&host.id, |host| {
                        host.offline_since = host.offline_since.map(|since| since.min(now));
                        host.engine_away_since = host.engine_away_since.map(|since| since.min(now));
                    })
                    .await?;
                }
            }
        }
        self.state().clock = Some(now);
        Ok(())
    }

    async fn sweep(&self) -> Result<(), ControlError> {
        if std::mem::take(&mut self.state().is_to_sweep)
            && let Err(error) = self.recall_deployments().await
        {
            self.state().is_to_sweep = true;
            return Err(error);
        }
        Ok(())
    }

    /// Whatever is in flight, or was done last, is looked at.
    pub(super) async fn recall_deployments(&self) -> Result<(), ControlError> {
        let (stacks, unread) = self.legible_heads().await?;
        self.look_at(stacks.into_iter());
        self.follow_deployments().await.and(unread)
    }

    /// Whatever has not ended is followed, also what another deployment of its stack has overtaken. One that cannot be read keeps no
    /// other from it.
    pub(super) async fn follow_deployments(&self) -> Result<(), ControlError> {
        let mut unread = Ok(());
        for record in self.store.all_records(RecordQuery::of(Kind::Deployment)).await? {
            match record.read::<Standing>() {
                Ok(deployment) if deployment.status.is_transitional() => {
                    self.state().active.insert(DeploymentId::new(&*record.key.id));
                }
                Ok(_) => {}
                Err(error) => unread = unread.and(Err(error.into())),
            }
        }
        unread
    }

    /// Has the present deployments of these stacks settled, and followed where something is to come.
    pub(super) fn look_at(&self, stacks: impl Iterator<Item = StackHead>) {
        let mut state = self.state();
        for StackHead { deployment_id: id, status, next_repair, .. } in stacks {
            if status.is_transitional() || next_repair.is_some() {
                state.active.insert(id.clone());
            }
            state.dirty.insert(id);
        }
    }
}

/// Of a [`DeploymentState`](super::DeploymentState) what says whether it has ended.
#[derive(Deserialize)]
struct Standing {
    status: StackStatus,
}

/// Of a [`DeploymentState`](super::DeploymentState) what says when it is given up.
#[derive(Deserialize)]
struct Limit {
    #[serde(default)]
    deadline: Option<Timestamp>,
    kind: DeploymentKind,
}
