//! The tasks of one host that something can happen to.

use crate::{
    id::{ClaimId, TaskId},
    store::Session,
    task::{Task, TaskStatus, last_put_off},
};
use jiff::Timestamp;
use std::{
    cmp::Reverse,
    collections::{BTreeSet, VecDeque},
};

/// Claims that a host's agent may still ask for again: it has a few under way at most.
const CLAIMS: usize = 64;

/// A place in the queue of a host: priority, then age, then slack, then id.
///
/// The tasks of a deployment are of one age: among them its critical path goes first, and no newer deployment goes before
/// an older one.
pub(super) type Place = (Reverse<u8>, Timestamp, u32, TaskId);

#[derive(Debug, Default)]
pub(super) struct Desk {
    pub(super) session: Option<Session>,
    /// May be handed out.
    ready: BTreeSet<Place>,
    /// May be handed out from the given time on.
    later: BTreeSet<(Timestamp, TaskId)>,
    /// Leased.
    held: BTreeSet<TaskId>,
    /// The newest claims that were granted something.
    claims: VecDeque<ClaimId>,
}

/// Where a task was put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Filed {
    Ready,
    Elsewhere,
}

impl Desk {
    pub(super) fn epoch(&self) -> u64 {
        self.session.as_ref().map_or(0, |session| session.epoch)
    }

    /// Puts a task where it belongs; `unmet` is the number of tasks that it waits for.
    pub(super) fn file(&mut self, task: &Task, unmet: usize, now: Timestamp) -> Filed {
        match (task.status, task.put_off(now)) {
            (TaskStatus::Pending, Some(moment)) if unmet == 0 => {
                self.later.insert((moment, task.id.clone()));
            }
            (TaskStatus::Pending, _) if unmet == 0 => {
                self.ready.insert(place(task));
                return Filed::Ready;
            }
            (TaskStatus::Assigned | TaskStatus::Running, _) => {
                self.held.insert(task.id.clone());
            }
            _ => {}
        }
        Filed::Elsewhere
    }

    /// Takes a task away from wherever it was put.
    pub(super) fn unfile(&mut self, task: &Task) {
        match task.status {
            TaskStatus::Pending => {
                self.ready.remove(&place(task));
                if let Some(moment) = task.not_before {
                    self.later.remove(&(moment, task.id.clone()));
                }
            }
            TaskStatus::Assigned | TaskStatus::Running => {
                self.held.remove(task.id.as_str());
            }
            TaskStatus::Completed | TaskStatus::Failed | TaskStatus::Cancelled => {}
        }
    }

    /// The next task to hand out.
    pub(super) fn first(&self) -> Option<&TaskId> {
        self.ready.first().map(|(_, _, _, id)| id)
    }

    pub(super) fn held(&self) -> impl Iterator<Item = &TaskId> {
        self.held.iter()
    }

    /// Tasks whose time has come, or is further away than any can be put off: the clock has gone back since.
    pub(super) fn due(&self, now: Timestamp) -> impl Iterator<Item = &TaskId> {
        let last = last_put_off(now);
        let come = self.later.iter().take_while(move |(moment, _)| *moment <= now);
        let too_far = self.later.iter().rev().take_while(move |(moment, _)| *moment > last);
        come.chain(too_far).map(|(_, id)| id)
    }

    /// When the next task's time comes.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        self.later.first().map(|(moment, _)| *moment)
    }

    /// Whether nothing may be handed out, now or later.
    pub(super) fn is_empty(&self) -> bool {
        self.ready.is_empty() && self.later.is_empty()
    }

    pub(super) fn has_granted(&self, claim: &ClaimId) -> bool {
        self.claims.contains(claim)
    }

    pub(super) fn remember_grant(&mut self, claim: &ClaimId) {
        if self.has_granted(claim) {
            return;
        }
        if self.claims.len() == CLAIMS {
            self.claims.pop_front();
        }
        self.claims.push_back(claim.clone());
    }
}

fn place(task: &Task) -> Place {
    (Reverse(task.priority), task.date_created, task.slack, task.id.clone())
}
