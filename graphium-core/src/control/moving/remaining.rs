//! What is left on a host that drains, and why.

use super::{Standing, TRIES, Tried, Tries, asked, plan_of_move, standing, told, waits_for};
use crate::{
    control::{Control, ControlError, StackRecord, reserve::Estate},
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{Host, HostStatus},
    plan::Plan,
    store::TaskStoreExt,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A host, and what is still to leave it.
///
/// # Example
/// ```
/// use graphium_core::control::{Drain, Remaining, RemainingState, Tried};
/// use graphium_core::inventory::HostStatus;
///
/// let drain: Drain = serde_json::from_value(serde_json::json!({
///     "@id": "vm1", "name": "vm1", "status": "draining",
///     "remaining": [{
///         "stack": "shop", "container": "db", "state": "waiting", "why": "it fits on no other host",
///         "tried": [{"container": "db", "hostId": "vm2", "attempt": 1, "error": "the disk is full"}]
///     }]
/// }))?;
/// assert_eq!(drain.host.status, HostStatus::Draining);
/// let remaining: &Remaining = &drain.remaining[0];
/// assert_eq!((remaining.state, remaining.state.as_str()), (RemainingState::Waiting, "waiting"));
/// let tried: &Tried = &remaining.tried[0];
/// assert_eq!((tried.host_id.as_str(), tried.attempt), ("vm2", 1));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Drain {
    /// The host.
    #[serde(flatten)]
    pub host: Host,
    /// Containers of stacks on a host that drains, by stack and name; empty where it does not drain.
    pub remaining: Vec<Remaining>,
}

/// A container on a host that drains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Remaining {
    /// Its stack's name.
    pub stack: String,
    /// Its name within the stack.
    pub container: String,
    /// Whether it goes.
    pub state: RemainingState,
    /// Why it is still there.
    pub why: String,
    /// Where it was tried, and what failed there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
}

/// Whether a container leaves a host that drains.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RemainingState {
    /// It is on its way.
    Moving,
    /// It goes when its turn comes.
    Waiting,
    /// It stays as long as nothing else changes.
    Staying,
}

impl RemainingState {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Moving => "moving",
            Self::Waiting => "waiting",
            Self::Staying => "staying",
        }
    }
}

impl Control {
    /// A host, and what is still to leave it if it drains.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    ///
    /// # Example
    /// ```
    /// # use graphium_core::control::{Control, ControlError, Settings};
    /// # use graphium_core::inventory::{Host, HostStatus};
    /// # use graphium_core::{event::NoSink, store::MemoryStore, testing::ManualEnvironment};
    /// # use std::sync::Arc;
    /// # let world = Arc::new(ManualEnvironment::default());
    /// # world.run(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
    /// control.register_host(Host::named("vm1".into())).await?;
    /// control.set_host_status(&"vm1".into(), HostStatus::Draining).await?;
    /// let drain = control.drain(&"vm1".into()).await?;
    /// assert!(drain.remaining.is_empty(), "it may be switched off");
    /// # Ok::<(), ControlError>(())
    /// # })?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn drain(&self, id: &HostId) -> Result<Drain, ControlError> {
        let found = self.store.document::<Host>(id.as_str()).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "host", id: id.to_string() })?.value;
        let mut remaining = Vec::new();
        if found.status == HostStatus::Draining {
            let estate = self.estate().await?;
            for stack in &estate.stacks {
                self.remaining_of(stack, &estate, &found, &mut remaining).await?;
            }
        }
        Ok(Drain { host: self.shown(found), remaining })
    }

    async fn remaining_of(
        &self,
        stack: &StackRecord,
        estate: &Estate,
        host: &Host,
        remaining: &mut Vec<Remaining>,
    ) -> Result<(), ControlError> {
        let placed = stack.applied.placements.iter().filter(|(_, at)| **at == host.id).map(|(name, _)| name);
        let traces = stack.traces.iter().filter(|trace| trace.host == host.id).map(|trace| &trace.name);
        let names: BTreeSet<&String> = placed.chain(traces).collect();
        if names.is_empty() {
            return Ok(());
        }
        let (last, tasks) = self.last_of(stack).await?;
        let tries = Tries::of(&last, &tasks);
        let standing = standing(stack.status, &last, &tasks, asked(estate.hosts()), self.environment.now());
        let plan = plan_of_move(stack, &self.inventory_of(estate, &stack.id).await?, &tries);
        let moved = last.leaving.as_ref().filter(|_| standing == Standing::Moves).map(|leaving| &leaving.moved);
        for name in names {
            let is_moved = moved.is_some_and(|moved| moved.contains(name));
            let stays = plan.as_ref().ok().and_then(|plan| plan.staying.get(name)).filter(|_| !is_moved);
            let error = || stack.error_message.clone().unwrap_or_default();
            let (state, why) = match (&standing, stays) {
                (Standing::Stopped, _) => {
                    (RemainingState::Staying, "its stack is stopped; it moves when that has been started".to_owned())
                }
                (Standing::NotRemoved, _) => (
                    RemainingState::Staying,
                    format!("the removal of its stack has failed; ask for it again when that is mended: {}", error()),
                ),
                (Standing::Failed, _) => (
                    RemainingState::Staying,
                    "the last deployment of its stack has failed; it moves when that has been deployed again"
                        .to_owned(),
                ),
                (Standing::Moves | Standing::Ready { .. }, Some(why)) => (RemainingState::Staying, why.clone()),
                (Standing::Moves, None) => (RemainingState::Moving, "another takes its place".to_owned()),
                (Standing::Busy, _) => {
                    (RemainingState::Waiting, "what is under way in its stack comes first".to_owned())
                }
                (Standing::Later { at, failed }, _) => (
                    RemainingState::Waiting,
                    format!("try {failed} of {TRIES} failed, the next is at {at}: {}", error()),
                ),
                (Standing::GivenUp { failed }, _) => (
                    RemainingState::Staying,
                    format!("all of {failed} tries failed; ask for the drain again when that is mended: {}", error()),
                ),
                (Standing::Ready { .. }, None) => prospect(stack, &plan, name, host, estate.hosts()),
            };
            let tried = tries.of_container(name);
            let (stack, container, why) = (stack.name.clone(), name.clone(), format!("{why}{}", told(&tried)));
            remaining.push(Remaining { stack, container, state, why, tried });
        }
        Ok(())
    }
}

/// What a plan makes of a container that may leave its host now.
fn prospect(
    stack: &StackRecord,
    plan: &Result<Plan, Vec<Diagnostic>>,
    name: &str,
    host: &Host,
    hosts: &[Host],
) -> (RemainingState, String) {
    let plan = match plan {
        _ if host.offline_since.is_some() => {
            return (RemainingState::Waiting, "its host is offline; it moves when the agent is heard again".to_owned());
        }
        Err(found) => {
            let why = found.first().map(|one| one.message.clone()).unwrap_or_default();
            return (RemainingState::Staying, why);
        }
        Ok(plan) => plan,
    };
    let when = match waits_for(plan, hosts) {
        Some(host) => format!("goes when something can be done on `{}`, too", host.id),
        None => "goes when its turn comes".to_owned(),
    };
    let why = match (stack.applied.placements.get(name), plan.placements.get(name)) {
        (None, _) => format!("an earlier deployment has left it here; it {when}"),
        (Some(at), _) if *at != host.id => {
            format!("it is on `{at}` already; what an earlier deployment has left here {when}")
        }
        (Some(at), Some(to)) if to != at => format!("it goes to `{to}` when its turn comes"),
        _ => "it goes when its turn comes".to_owned(),
    };
    (RemainingState::Waiting, why)
}
