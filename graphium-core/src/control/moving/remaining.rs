//! What is left on a host that drains, and why.

use super::{Standing, TRIES, Tried, Tries, asked, plan_of_move, standing, told};
use crate::{
    control::{Control, ControlError, StackRecord, reserve::Estate},
    id::HostId,
    inventory::{Host, HostStatus},
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
        let mut tell = |name: &String, state, why: String| {
            let (stack, container, tried) = (stack.name.clone(), name.clone(), tries.of_container(name));
            let why = format!("{why}{}", told(&tried));
            remaining.push(Remaining { stack, container, state, why, tried });
        };
        let error = || stack.error_message.clone().unwrap_or_default();
        let (state, why) = match standing(stack.status, &last, &tasks, asked(estate.hosts()), self.environment.now()) {
            Standing::Moves => (RemainingState::Moving, "another takes its place".to_owned()),
            Standing::Busy => (RemainingState::Waiting, "what is under way in its stack comes first".to_owned()),
            Standing::Stopped => {
                (RemainingState::Staying, "its stack is stopped; it moves when that has been started".to_owned())
            }
            Standing::NotRemoved => (
                RemainingState::Staying,
                format!("the removal of its stack has failed; ask for it again when that is mended: {}", error()),
            ),
            Standing::Failed => (
                RemainingState::Staying,
                "the last deployment of its stack has failed; it moves when that has been deployed again".to_owned(),
            ),
            Standing::Later { at, failed } => {
                (RemainingState::Waiting, format!("try {failed} of {TRIES} failed, the next is at {at}: {}", error()))
            }
            Standing::GivenUp { failed } => (
                RemainingState::Staying,
                format!("all of {failed} tries failed; ask for the drain again when that is mended: {}", error()),
            ),
            Standing::Ready { .. } if host.offline_since.is_some() => {
                (RemainingState::Waiting, "its host is offline; it moves when the agent is heard again".to_owned())
            }
            Standing::Ready { .. } => {
                let inventory = self.inventory_of(estate, &stack.id).await?;
                let plan = plan_of_move(stack, &inventory, &tries);
                for name in names {
                    match &plan {
                        Err(found) => {
                            let why = found.iter().map(|one| one.message.as_str()).next().unwrap_or_default();
                            tell(name, RemainingState::Staying, why.to_owned());
                        }
                        Ok(plan) => match (plan.staying.get(name), plan.placements.get(name)) {
                            (Some(why), _) => tell(name, RemainingState::Staying, why.clone()),
                            (None, Some(to)) if *to != host.id => {
                                tell(name, RemainingState::Waiting, format!("it goes to `{to}` when its turn comes"));
                            }
                            (None, _) => {
                                tell(name, RemainingState::Waiting, "it goes when its turn comes".to_owned());
                            }
                        },
                    }
                }
                return Ok(());
            }
        };
        names.into_iter().for_each(|name| tell(name, state, why.clone()));
        Ok(())
    }
}
