//! The ledger: everything that a store decides about tasks, in memory and without a clock.
//!
//! A backend owns one, asks it, writes down the [`Changes`] that it returns, and answers when they are safe. It
//! holds every task of unfinished work; tasks move by [`transition`](crate::task::transition) alone.
//!
//! # Example
//! ```
//! use graphium_core::store::{ClaimRequest, SessionRequest, ledger::*};
//! use graphium_core::{action::Action, event::EventType, task::{Input, Task}};
//! use jiff::Timestamp;
//!
//! let now = Timestamp::UNIX_EPOCH;
//! let mut ledger = Ledger::default();
//! let task = Task::new("task:1".into(), "vm1".into(), Action::Start { name: "shop-web".to_owned() }, now);
//! let decision: Decision<_> = ledger.submit(vec![task], &[], None, now)?;
//! assert_eq!(decision.reply, ["vm1".into()], "this host has something to do");
//!
//! // What a backend has to write down, with the events of it.
//! let changes: Changes = decision.changes;
//! let created: &TaskChange = &changes.tasks[0];
//! assert!(created.is_new());
//! assert_eq!(created.event().kind, EventType::TaskCreated);
//!
//! // Its agent would be given it, as long as it is not cancelled.
//! let hello = SessionRequest { host: "vm1".into(), nonce: "first".to_owned(), seen_epoch: 0 };
//! let epoch = ledger.open_session(&hello, now).reply.epoch;
//! let claim = ClaimRequest {
//!     host: "vm1".into(), epoch, claim: "claim".into(), max: 1, expires_at: now, expect: None,
//! };
//! assert!(!ledger.has_nothing_for(&claim));
//! ledger.act(&"task:1".into(), &Input::Cancel { reason: "not needed".to_owned() }, now)?;
//! assert!(ledger.has_nothing_for(&claim));
//! let ended: Vec<Ended> = ledger.ended();
//! assert_eq!((&ended[0].work, ended[0].tasks), (&Work::Task("task:1".into()), 1));
//! ledger.forget(&ended[0].work);
//! assert!(ledger.task(&"task:1".into()).is_none());
//! # Ok::<(), graphium_core::store::StoreError>(())
//! ```

mod changes;
mod desk;
mod ended;
mod graph;
mod step;
#[cfg(test)]
mod tests;

pub use changes::{Changes, Decision, TaskChange};
pub use ended::Ended;

use crate::{
    id::{ClaimId, DeploymentId, HostId, TaskId},
    store::{Acted, ClaimRequest, Session, SessionRequest, StoreError},
    task::{Input, Lease, Task, deadline},
};
use desk::Desk;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::Arc,
};
use step::Step;

/// Tasks, sessions and who waits for whom.
#[derive(Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<TaskId, Entry>,
    desks: BTreeMap<HostId, Desk>,
    parts: HashMap<DeploymentId, Part>,
    /// No attempt runs out before.
    grace: Option<Timestamp>,
}

/// What is held in memory, and let go of, as one: a deployment, or a task of none.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// All tasks of a deployment.
    Deployment(DeploymentId),
    /// A task of its own.
    Task(TaskId),
}

impl Work {
    /// The work that a task is part of.
    pub fn of(task: &Task) -> Self {
        match &task.deployment_id {
            Some(deployment) => Self::Deployment(deployment.clone()),
            None => Self::Task(task.id.clone()),
        }
    }
}

/// A task and its place in the graph.
#[derive(Debug)]
struct Entry {
    task: Arc<Task>,
    /// How many of those that it waits for still hold it up.
    unmet: usize,
    /// Tasks that wait for it.
    dependants: Vec<TaskId>,
}

/// The tasks of one deployment.
#[derive(Debug, Default)]
struct Part {
    tasks: Vec<TaskId>,
    /// How many have not ended.
    open: usize,
}

impl Ledger {
    /// Adds the tasks of a submission, asks those of superseded deployments to end, and tries one again. Answers with the
    /// hosts that have something to do now.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] when the tasks do not fit together; those of [`act`](Self::act) where the task may not be tried
    /// again. Nothing has changed then.
    pub fn submit(
        &mut self,
        tasks: Vec<Task>,
        supersedes: &[DeploymentId],
        retry: Option<&TaskId>,
        now: Timestamp,
    ) -> Result<Decision<Vec<HostId>>, StoreError> {
        let new = graph::accept(self, tasks)?;
        if let Some(id) = retry {
            graph::admit(self, id, &Input::Retry)?;
        }
        let mut step = Step::new(self, now);
        // The last that can refuse, and the first that changes anything.
        if let Some(id) = retry {
            step.apply(id, &Input::Retry)?;
        }
        step.supersede(supersedes, new.first().and_then(|task| task.deployment_id.as_ref()));
        step.insert(new);
        step.settle();
        let (ready, changes) = step.finish();
        Ok(Decision { reply: ready, changes })
    }

    /// Opens a session; see [`TaskStore::open_session`](crate::store::TaskStore::open_session).
    pub fn open_session(&mut self, request: &SessionRequest, now: Timestamp) -> Decision<Session> {
        let desk = self.desks.entry(request.host.clone()).or_default();
        if let Some(session) = &desk.session
            && session.nonce == request.nonce
            && session.epoch >= request.seen_epoch
        {
            return Decision { reply: session.clone(), changes: Changes::default() };
        }
        let epoch = desk.epoch().max(request.seen_epoch).saturating_add(1);
        let session = Session { host: request.host.clone(), epoch, nonce: request.nonce.clone() };
        desk.session = Some(session.clone());
        let held: Vec<TaskId> = desk.held().cloned().collect();
        let mut step = Step::new(self, now);
        for id in held {
            // Refused where the lease is of this session already: then there is nothing to end.
            let _ = step.apply(&id, &Input::Supersede { epoch });
        }
        step.settle();
        let (_, mut changes) = step.finish();
        changes.session = Some(session.clone());
        Decision { reply: session, changes }
    }

    /// Hands out tasks; see [`TaskStore::claim`](crate::store::TaskStore::claim).
    ///
    /// # Errors
    /// [`StoreError::SessionLost`].
    pub fn claim(&mut self, request: &ClaimRequest, now: Timestamp) -> Result<Decision<Vec<Task>>, StoreError> {
        let newest = self.desks.get(&request.host).map_or(0, Desk::epoch);
        if newest != request.epoch || newest == 0 {
            let host = request.host.as_str().to_owned();
            return Err(StoreError::SessionLost { host, epoch: request.epoch, newest });
        }
        let desk = self.desks.entry(request.host.clone()).or_default();
        if desk.has_granted(&request.claim) {
            return Ok(Decision { reply: self.granted(request), changes: Changes::default() });
        }
        let mut step = Step::new(self, now);
        let granted = step.grant(request);
        let (_, changes) = step.finish();
        if !granted.is_empty() {
            self.desks.entry(request.host.clone()).or_default().remember_grant(&request.claim);
        }
        Ok(Decision { reply: granted, changes })
    }

    /// Whether [`claim`](Self::claim) would grant nothing and change nothing, whatever the time.
    pub fn has_nothing_for(&self, request: &ClaimRequest) -> bool {
        self.desks.get(&request.host).is_some_and(|desk| {
            let is_of_session = desk.session.as_ref().is_some_and(|session| session.epoch == request.epoch);
            is_of_session && desk.is_empty() && !desk.has_granted(&request.claim)
        })
    }

    /// What a claim was granted before and still holds.
    fn granted(&mut self, request: &ClaimRequest) -> Vec<Task> {
        let leases: Vec<Lease> = self
            .held_by(&request.host)
            .filter_map(|task| task.lease.as_ref().filter(|lease| lease.claim == request.claim).cloned())
            .collect();
        self.renew(&leases, request.expires_at)
    }

    /// Moves one task and settles what follows; see [`TaskStore::act`](crate::store::TaskStore::act).
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`StoreError::Refused`], [`StoreError::Invalid`] for a claim; nothing has changed then.
    pub fn act(&mut self, id: &TaskId, input: &Input, now: Timestamp) -> Result<Decision<Acted>, StoreError> {
        graph::admit(self, id, input)?;
        let mut step = Step::new(self, now);
        step.apply(id, input)?;
        step.settle();
        let (ready, changes) = step.finish();
        let mut tasks = changes.moved();
        if tasks.is_empty() {
            // A renewal that says nothing new is an answer, not a change.
            tasks.extend(self.task(id).cloned());
        }
        Ok(Decision { reply: Acted { tasks, ready }, changes })
    }

    /// Extends leases; see [`TaskStore::renew`](crate::store::TaskStore::renew). Nothing to write.
    pub fn renew(&mut self, leases: &[Lease], expires_at: Timestamp) -> Vec<Task> {
        // Extending asks no clock: the time is the lease's own.
        let mut step = Step::new(self, expires_at);
        leases
            .iter()
            .filter_map(|lease| step.apply(&lease.task, &Input::Extend { lease: lease.clone(), expires_at }).ok())
            .map(|task| Task::clone(&task))
            .collect()
    }

    /// Ends what has run out, and wakes what waited for a time; see [`TaskStore::expire`](crate::store::TaskStore::expire).
    pub fn expire(&mut self, now: Timestamp) -> Decision<Acted> {
        let held: Vec<TaskId> = self.ends().filter(|(_, end)| *end <= now).map(|(id, _)| id.clone()).collect();
        let is_due = |desk: &Desk| desk.due(now).next().is_some();
        let hosts: Vec<HostId> =
            self.desks.iter().filter(|(_, desk)| is_due(desk)).map(|(host, _)| host.clone()).collect();
        let mut step = Step::new(self, now);
        for id in held {
            // Never refused: each has run out.
            let _ = step.apply(&id, &Input::Expire);
        }
        for host in hosts {
            step.wake(&host);
        }
        step.settle();
        let (ready, changes) = step.finish();
        Decision { reply: Acted { tasks: changes.moved(), ready }, changes }
    }

    /// The earliest time at which [`expire`](Self::expire) has something to do: a lease or an attempt runs out, or a task's
    /// time comes. `None`: not before something else happens.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        let ends = self.ends().map(|(_, end)| end);
        self.desks.values().filter_map(Desk::next_due).chain(ends).min()
    }

    /// Every task that is held, and when its lease or its attempt runs out.
    fn ends(&self) -> impl Iterator<Item = (&TaskId, Timestamp)> {
        self.desks.values().flat_map(Desk::held).filter_map(|id| {
            let task = self.task(id)?;
            let deadline = deadline(task).map(|deadline| self.grace.map_or(deadline, |grace| deadline.max(grace)));
            let lease = task.lease.as_ref().map(|lease| lease.expires_at);
            Some((id, lease.into_iter().chain(deadline).min()?))
        })
    }

    /// Takes in tasks as they were stored, with those that they wait for.
    pub fn load(&mut self, tasks: Vec<Task>, now: Timestamp) {
        for task in &tasks {
            if let Some(lease) = &task.lease {
                self.desks.entry(task.host_id.clone()).or_default().remember_grant(&lease.claim);
            }
        }
        let mut step = Step::new(self, now);
        step.insert(tasks);
        // What was stored is settled: it is only put in its place.
        let _ = step.finish();
    }

    /// Takes in what another ledger has decided and its backend has stored: tasks as they are now, new ones among them.
    /// Nothing follows from it that the other has not decided. Answers with the hosts that have something to do now.
    ///
    /// A backend whose store is shared by several servers brings its ledger up to date by this.
    pub fn learn(&mut self, tasks: Vec<Task>, now: Timestamp) -> Vec<HostId> {
        for task in &tasks {
            if let Some(lease) = &task.lease {
                self.remember_grant(&task.host_id, &lease.claim);
            }
        }
        let mut step = Step::new(self, now);
        let new: Vec<Task> = tasks.into_iter().filter_map(|task| step.replace(task)).collect();
        step.insert(new);
        step.finish().0
    }

    /// Takes in that a claim was granted something: asked again it is granted no more.
    pub fn remember_grant(&mut self, host: &HostId, claim: &ClaimId) {
        self.desks.entry(host.clone()).or_default().remember_grant(claim);
    }

    /// Takes in a session as it was stored.
    pub fn load_session(&mut self, session: Session) {
        let desk = self.desks.entry(session.host.clone()).or_default();
        desk.session = Some(session);
    }

    /// Gives every lease and every attempt time until `until` at least: while the store was closed, nobody could renew or
    /// report.
    pub fn grant_grace(&mut self, until: Timestamp) {
        self.grace = Some(until);
        let leases: Vec<Lease> =
            self.desks.values().flat_map(Desk::held).filter_map(|id| self.task(id)?.lease.clone()).collect();
        self.renew(&leases, until);
    }

    /// Another of the same tasks and sessions, as it is read from a disk.
    #[cfg(feature = "sim")]
    pub(crate) fn reopened(&self, now: Timestamp, until: Timestamp) -> Self {
        let mut ledger = Self::default();
        ledger.load(self.tasks(None, None).cloned().collect(), now);
        self.desks.values().filter_map(|desk| desk.session.clone()).for_each(|session| ledger.load_session(session));
        ledger.grant_grace(until);
        ledger
    }

    /// Lets go of some work if all of it has ended; a store does so when the disk knows that, and brings it back by
    /// [`load`](Self::load) when somebody acts on it again.
    pub fn forget(&mut self, work: &Work) {
        match work {
            Work::Deployment(id) => {
                if self.parts.get(id).is_some_and(|part| part.open == 0) {
                    for id in self.parts.remove(id).unwrap_or_default().tasks {
                        self.entries.remove(&id);
                    }
                }
            }
            Work::Task(id) => {
                if self.task(id).is_some_and(|task| task.status.is_terminal()) {
                    self.entries.remove(id);
                }
            }
        }
    }

    /// A task, if it is held in memory.
    pub fn task(&self, id: &TaskId) -> Option<&Task> {
        self.entries.get(id).map(|entry| &*entry.task)
    }

    /// The tasks that are held in memory, ordered by id: those above `after`, of one deployment or of all.
    pub fn tasks<'a>(
        &'a self,
        after: Option<&'a TaskId>,
        deployment: Option<&DeploymentId>,
    ) -> Box<dyn Iterator<Item = &'a Task> + 'a> {
        let Some(deployment) = deployment else {
            let start = after.map_or(Bound::Unbounded, Bound::Excluded);
            return Box::new(self.entries.range::<TaskId, _>((start, Bound::Unbounded)).map(|(_, entry)| &*entry.task));
        };
        let mut ids: Vec<&TaskId> = self.parts.get(deployment).into_iter().flat_map(|part| &part.tasks).collect();
        ids.sort();
        Box::new(ids.into_iter().filter(move |id| after.is_none_or(|after| *id > after)).filter_map(|id| self.task(id)))
    }

    /// Whether the tasks of a deployment are held in memory.
    pub fn knows_deployment(&self, deployment: &DeploymentId) -> bool {
        self.parts.contains_key(deployment)
    }

    fn held_by(&self, host: &HostId) -> impl Iterator<Item = &Task> {
        self.desks.get(host).into_iter().flat_map(Desk::held).filter_map(|id| self.task(id))
    }
}
