//! Where a move has failed: the next try prefers other hosts, and people are told.

use super::Leaving;
use crate::{
    action::Action,
    control::DeploymentState,
    id::{HostId, TaskId},
    inventory::Host,
    task::{Task, TaskStatus},
};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A host on which a container that was to move did not come up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Tried {
    /// The container's name within the stack.
    pub container: String,
    /// The host.
    pub host_id: HostId,
    /// Which try of the move it was.
    pub attempt: u32,
    /// What failed there, and how.
    pub error: String,
}

/// What is known of the tries of a move.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Tries {
    /// Containers that have another host than they had before the first.
    pub(super) moved: BTreeSet<String>,
    /// What failed, once for each container and host: the last time.
    pub(super) failed: Vec<Tried>,
}

impl Tries {
    /// Those of a stack's last deployment, and of the moves that it goes on from; none where that is no move.
    pub(in crate::control) fn of(last: &DeploymentState, tasks: &[Task]) -> Self {
        let Some(leaving) = &last.leaving else { return Self::default() };
        let mut tries = Self { moved: leaving.moved.clone(), failed: leaving.tried.clone() };
        for name in &leaving.moved {
            let Some(place) = last.placements.get(name) else { continue };
            let Some(error) = culprit(tasks, &place.host_id, &place.container_name).map(words) else { continue };
            tries.failed.retain(|tried| tried.container != *name || tried.host_id != place.host_id);
            let (container, host_id) = (name.clone(), place.host_id.clone());
            tries.failed.push(Tried { container, host_id, attempt: leaving.attempt, error });
        }
        tries
    }

    /// The hosts on which each container has failed.
    pub(in crate::control) fn avoid(&self) -> BTreeMap<String, BTreeSet<HostId>> {
        let mut avoid: BTreeMap<String, BTreeSet<HostId>> = BTreeMap::new();
        for tried in &self.failed {
            avoid.entry(tried.container.clone()).or_default().insert(tried.host_id.clone());
        }
        avoid
    }

    /// Hosts on which something failed and that nobody can reach now: what a try has left there is for later.
    pub(in crate::control) fn away(&self, hosts: &[Host]) -> BTreeSet<HostId> {
        let was_tried = |host: &&Host| self.failed.iter().any(|tried| tried.host_id == host.id);
        hosts.iter().filter(was_tried).filter(|host| host.is_away()).map(|host| host.id.clone()).collect()
    }

    /// Whether one that failed on a host would be tried again there, and nobody can reach it now: nothing comes of that.
    pub(in crate::control) fn lead_away(&self, placements: &BTreeMap<String, HostId>, away: &BTreeSet<HostId>) -> bool {
        let is_again = |tried: &&Tried| placements.get(&tried.container) == Some(&tried.host_id);
        self.failed.iter().filter(is_again).any(|tried| away.contains(&tried.host_id))
    }

    /// Of one container, in the order in which it was tried.
    pub(in crate::control) fn of_container(&self, name: &str) -> Vec<Tried> {
        self.failed.iter().filter(|tried| tried.container == name).cloned().collect()
    }

    /// What the next try is given to know.
    pub(in crate::control) fn go_on(
        self,
        before: &BTreeMap<String, HostId>,
        after: &BTreeMap<String, HostId>,
        leaving: Leaving,
    ) -> Leaving {
        let mut moved = self.moved;
        moved.extend(after.iter().filter(|(name, host)| before.get(*name) != Some(host)).map(|(name, _)| name.clone()));
        Leaving { moved, tried: self.failed, ..leaving }
    }
}

/// Where a container was tried, in words that follow what becomes of it; empty where it was not.
pub(in crate::control) fn told(tried: &[Tried]) -> String {
    let each = tried.iter().map(|one| format!("on `{}` (try {}): {}", one.host_id, one.attempt, one.error));
    match each.collect::<Vec<_>>() {
        each if each.is_empty() => String::new(),
        each => format!("; it failed {}", each.join("; ")),
    }
}

/// The task for which a container did not come up on its host: one of its own, or one that prepares the host for it.
fn culprit<'t>(tasks: &'t [Task], host: &HostId, engine_name: &str) -> Option<&'t Task> {
    let here = |task: &&&Task| task.host_id == *host;
    let own: Vec<&Task> =
        tasks.iter().filter(|task| brings_up(task) && task.payload.subject() == engine_name).collect();
    let first: BTreeSet<&TaskId> = own.iter().flat_map(|task| &task.depends_on).collect();
    let prepares = |task: &Task| {
        let payload = &*task.payload;
        first.contains(&task.id)
            && matches!(payload, Action::Pull { .. } | Action::Network { .. } | Action::Volume { .. })
    };
    let prepared: Vec<&Task> = tasks.iter().filter(|task| prepares(task)).collect();
    own.iter().chain(&prepared).filter(here).find(|task| has_failed(task)).copied()
}

/// Whether a task is one of those by which a container comes up.
pub(super) fn brings_up(task: &Task) -> bool {
    matches!(*task.payload, Action::Deploy { .. } | Action::Update { .. } | Action::Start { .. } | Action::Check { .. })
}

/// Whether a task has ended without success, and not because of another.
fn has_failed(task: &Task) -> bool {
    match task.status {
        TaskStatus::Failed => true,
        TaskStatus::Cancelled => task.error.as_ref().is_some_and(|error| error.code == "cancelled"),
        _ => false,
    }
}

fn words(task: &Task) -> String {
    match &task.error {
        Some(error) => format!("{}: {}", task.plan_id, error.message),
        None => format!("{} failed", task.plan_id),
    }
}
