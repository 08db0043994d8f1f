//! Moves that wait for a host which is away.

use super::tries::brings_up;
use crate::{
    action::Action,
    control::{Control, ControlError, Placement},
    id::{DeploymentId, HostId, TaskId},
    inventory::Host,
    store::{TaskQuery, TaskStoreExt},
    task::{Task, TaskStatus},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// So long a move waits for a host that is to take something and is away.
const PATIENCE: SignedDuration = SignedDuration::from_mins(5);

impl Control {
    /// Gives up a move that can only wait for hosts which are away and were to take something: what moves serves on where it
    /// was, and another host may take it.
    pub(in crate::control) async fn give_up_targets(&self, id: &DeploymentId) -> Result<(), ControlError> {
        let state = self.deployment(id).await?;
        let Some(leaving) = &state.leaving else { return Ok(()) };
        let query = TaskQuery { deployment: Some(id.clone()), ..TaskQuery::default() };
        let tasks = self.store.all_tasks(query).await?;
        let open = tasks.iter().filter(|task| !task.status.is_terminal());
        let hosts = self.hosts_of(open.clone().map(|task| &task.host_id)).await?;
        let now = self.environment.now();
        let late: BTreeSet<HostId> =
            hosts.values().filter(|host| is_late(host, now)).map(|host| host.id.clone()).collect();
        // Of what moves: others may be made anew where they are, and wait for their hosts.
        let places: Vec<&Placement> = leaving.moved.iter().filter_map(|name| state.placements.get(name)).collect();
        let is_for_one = |task: &&Task| {
            places
                .iter()
                .filter(|place| place.host_id == task.host_id && late.contains(&place.host_id))
                .any(|place| brings_up(task) && task.payload.subject() == place.container_name || prepares(task))
        };
        if let Some(host) = open.clone().find(is_for_one).and_then(|task| hosts.get(&task.host_id))
            && wait_only_for(&tasks, &late)
        {
            self.cancel_open(&tasks, &words(host)).await?;
        }
        Ok(())
    }
}

fn prepares(task: &Task) -> bool {
    matches!(*task.payload, Action::Pull { .. } | Action::Network { .. } | Action::Volume { .. })
}

/// Since when nothing can be done on a host.
fn since(host: &Host) -> Option<Timestamp> {
    host.offline_since.or(host.engine_away_since).filter(|_| host.is_away())
}

fn is_late(host: &Host, now: Timestamp) -> bool {
    since(host).is_some_and(|since| now.duration_since(since) >= PATIENCE)
}

fn words(host: &Host) -> String {
    match (host.offline_since, host.engine_away_since) {
        (Some(since), _) => format!("host `{}`, which was to take it, is offline since {since}", host.id),
        (None, since) => {
            let since = since.map(|since| format!(" since {since}")).unwrap_or_default();
            format!("the engine of host `{}`, which was to take it, does not answer{since}", host.id)
        }
    }
}

/// Whether nothing that is open of these tasks can be done before one of these hosts is back.
pub(in crate::control) fn wait_only_for(tasks: &[Task], hosts: &BTreeSet<HostId>) -> bool {
    let mut open: Vec<&Task> = tasks.iter().filter(|task| !task.status.is_terminal()).collect();
    let mut waiting: BTreeSet<&TaskId> = BTreeSet::new();
    if open.is_empty() {
        return false;
    }
    loop {
        let before = open.len();
        open.retain(|task| {
            let waits = hosts.contains(&task.host_id)
                || task.status == TaskStatus::Pending && task.depends_on.iter().any(|first| waiting.contains(first));
            if waits {
                waiting.insert(&task.id);
            }
            !waits
        });
        if open.is_empty() || open.len() == before {
            return open.is_empty();
        }
    }
}
