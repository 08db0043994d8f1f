//! What is told of hosts that are away, of what may be placed elsewhere, and of what is to be removed when they are back.

use super::{Standing, Tries, due, hangs, plan_leaving};
use crate::{
    control::{Control, ControlError, Remaining, RemainingState, StackRecord, moving},
    id::{HostId, StackId},
    inventory::Host,
    store::TaskStoreExt,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// A host that is away, or was, and what a stack has there.
///
/// # Example
/// ```
/// use graphium_core::control::{Away, RemainingState};
///
/// let away: Away = serde_json::from_value(serde_json::json!({
///     "hostId": "vm1", "since": "2026-01-02T03:00:00Z", "at": "2026-01-02T03:10:00Z",
///     "remaining": [{"stack": "shop", "container": "web", "state": "moving", "why": "to `vm2`"}]
/// }))?;
/// assert!(away.at > away.since);
/// assert_eq!(away.remaining[0].state, RemainingState::Moving);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Away {
    /// The host.
    pub host_id: HostId,
    /// Since when it has been offline; absent: it is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// From when on what may go is placed elsewhere; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Containers that the stack has there, and what becomes of each.
    pub remaining: Vec<Remaining>,
    /// Names on the engine of what was placed elsewhere and may be there still: it is removed when the host is back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<String>,
    /// Why that could not be removed when it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Control {
    /// What a stack has on hosts that are away, where that may be placed elsewhere, and what is to be removed that was.
    pub(in crate::control) async fn away(&self, id: &StackId) -> Result<Vec<Away>, ControlError> {
        let hosts = self.known_hosts().await?;
        let mut away: BTreeMap<HostId, Away> = BTreeMap::new();
        let since = |id: &HostId| hosts.iter().find(|host| host.id == *id).and_then(|host| host.offline_since);
        let of = |id: &HostId| {
            let (host_id, since) = (id.clone(), since(id));
            Away { host_id, since, at: None, remaining: Vec::new(), left: Vec::new(), error: None }
        };
        for fence in self.moved_from(id).await?.into_iter().filter(|fence| fence.is_fence()) {
            let one = away.entry(fence.host_id.clone()).or_insert_with(|| of(&fence.host_id));
            one.left.extend(fence.containers.into_iter().map(|container| container.name));
            one.error = fence.error.or(one.error.take());
        }
        if hosts.iter().any(|host| host.offline_since.is_some())
            && let Some(head) = self.stack_head(id).await?
            && head.policy.reschedule_after.is_some()
        {
            let there = |host: &&Host| head.applied.placements.values().any(|place| *place == host.id);
            let offline = hosts.iter().filter(|host| host.offline_since.is_some()).filter(there);
            let offline: BTreeSet<HostId> = offline.map(|host| host.id.clone()).collect();
            if !offline.is_empty()
                && let Some(stack) = self.store.document::<StackRecord>(id.as_str()).await?
            {
                let told = self.remaining_without(&stack.value, &hosts, &offline).await?;
                for (host, remaining) in told {
                    let at = since(&host).and_then(|since| due(since, head.policy.reschedule_after));
                    let one = away.entry(host.clone()).or_insert_with(|| of(&host));
                    (one.at, one.remaining) = (at, remaining);
                }
            }
        }
        Ok(away.into_values().collect())
    }

    /// What becomes of each container on hosts that are away.
    async fn remaining_without(
        &self,
        stack: &StackRecord,
        hosts: &[Host],
        offline: &BTreeSet<HostId>,
    ) -> Result<BTreeMap<HostId, Vec<Remaining>>, ControlError> {
        let (last, tasks) = self.last_of(stack).await?;
        let stands = self.standing_of(stack, &last, &tasks, hosts, offline);
        let error = stack.error_message.clone().unwrap_or_default();
        let all = match stands {
            Standing::Ready { .. } => None,
            Standing::Moves | Standing::Busy if hangs(&last, &tasks, offline) => None,
            Standing::Moves | Standing::Busy => {
                Some((RemainingState::Waiting, "what is under way in its stack comes first".to_owned()))
            }
            Standing::Stopped => Some((RemainingState::Staying, "its stack is not to run".to_owned())),
            Standing::NotRemoved => {
                Some((RemainingState::Staying, format!("the removal of its stack has failed: {error}")))
            }
            Standing::Failed => Some((
                RemainingState::Staying,
                "the last deployment of its stack has failed; deploy it again when that is mended".to_owned(),
            )),
            Standing::Later { at, .. } => {
                Some((RemainingState::Waiting, format!("the last try failed, the next is at {at}: {error}")))
            }
            Standing::GivenUp { failed } => Some((
                RemainingState::Staying,
                format!("all of {failed} tries failed; deploy the stack again when that is mended: {error}"),
            )),
        };
        let inventory = self.planning_inventory(&stack.id).await?;
        let tries = Tries::of(&last, &tasks);
        let plan = plan_leaving(stack, &inventory, offline.clone(), &tries);
        let mut told: BTreeMap<HostId, Vec<Remaining>> = BTreeMap::new();
        for (name, host) in stack.applied.placements.iter().filter(|(_, host)| offline.contains(*host)) {
            let (state, why) = match (&all, &plan) {
                (Some(all), _) => all.clone(),
                (None, Err(found)) => {
                    let why = found.iter().map(|one| one.message.clone()).next().unwrap_or_default();
                    (RemainingState::Staying, why)
                }
                (None, Ok(plan)) => match (plan.staying.get(name), plan.placements.get(name)) {
                    (Some(why), _) => (RemainingState::Staying, why.clone()),
                    (None, Some(to)) if to != host => (RemainingState::Waiting, format!("it goes to `{to}`")),
                    (None, _) => (RemainingState::Waiting, "it goes when its turn comes".to_owned()),
                },
            };
            let tried = tries.of_container(name);
            let why = format!("{why}{}", moving::told(&tried));
            let one = Remaining { stack: stack.name.clone(), container: name.clone(), state, why, tried };
            told.entry(host.clone()).or_default().push(one);
        }
        Ok(told)
    }
}
