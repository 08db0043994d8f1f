//! What may be left on hosts that were away when their stack was removed: kept until their agents have removed it.
//!
//! A removal waits for every host. One that is asked to forget does not wait for those that are away: what may be left there
//! becomes a record of its own, in the same step. When the host is back the record becomes tasks of it, without anybody asking,
//! but for what a stack wants that lives by then; when these are done the record goes.
//!
//! What a stack that is [rescheduled](super::reschedule) leaves on a host that is away is kept the same way, by containers and
//! never by the stack as a whole. Until it is gone the host takes nothing new.

use super::{Control, ControlError, StackRecord, StackStatus, reschedule};
use crate::{
    action::Action,
    event::{EventType, NewEvent},
    id::{DeploymentId, HostId, StackId, TaskId},
    inventory::{ContainerStatus, Host, Inventory},
    plan::{Plan, Trace},
    runtime::beside,
    store::{Document, Expect, Kind, RecordQuery, RecordWrite, StoreError, Submission, TaskStoreExt, Versioned},
    task::{Gate, Task, TaskStatus},
};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, time::Duration};

/// Between two looks at what was forgotten.
const LOOK: Duration = Duration::from_secs(5);
/// How long after a failure it is tried again.
const AGAIN: SignedDuration = SignedDuration::from_mins(10);

/// What may be left on one host of a stack that was removed, or rescheduled, while the host was away.
///
/// # Example
/// ```
/// use graphium_core::control::{Forgotten, ForgottenContainer};
///
/// let forgotten: Forgotten = serde_json::from_value(serde_json::json!({
///     "@id": "vm1/stack:shop", "stackId": "stack:shop", "stackName": "shop", "hostId": "vm1",
///     "containers": [{"name": "shop-web", "status": "running"}],
///     "forgottenAt": "2026-01-02T03:04:05Z", "by": "alice"
/// }))?;
/// let left: &ForgottenContainer = &forgotten.containers[0];
/// assert_eq!((left.name.as_str(), left.container_id.as_str()), ("shop-web", ""));
/// assert!(forgotten.moved_by.is_none(), "its stack was removed, not moved");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Forgotten {
    /// Of the removal and the host.
    #[serde(rename = "@id")]
    pub id: String,
    /// The stack.
    pub stack_id: StackId,
    /// Its name.
    pub stack_name: String,
    /// The host.
    pub host_id: HostId,
    /// Containers that may be there.
    pub containers: Vec<ForgottenContainer>,
    /// Networks that may be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Volumes that may be there and were to be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<String>,
    /// When that was decided.
    pub forgotten_at: Timestamp,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Under which its tasks run, once the host is back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_id: Option<DeploymentId>,
    /// Why it could not be removed when it was tried last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Not before this is it tried again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<Timestamp>,
    /// The deployment that has placed these containers elsewhere; absent: the stack was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub moved_by: Option<DeploymentId>,
    /// Containers that stay there and are to be made anew when the host is back, by name on the engine: they were told where
    /// those were that have moved.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remake: Vec<String>,
}

impl Forgotten {
    /// Whether it keeps its host from taking anything new: something that runs elsewhere by now may run there still.
    pub(super) fn is_fence(&self) -> bool {
        self.moved_by.is_some() && !self.containers.is_empty()
    }

    /// Whether it tells of a container by this name on the engine, be it one that stands beside that.
    pub(super) fn has(&self, engine_name: &str) -> bool {
        let name = beside::principal(engine_name).unwrap_or(engine_name);
        self.containers.iter().any(|container| container.name == name)
    }

    /// Its containers as something that the stack may have there.
    pub(super) fn traces(&self) -> impl Iterator<Item = Trace> {
        self.containers.iter().map(|container| Trace {
            host: self.host_id.clone(),
            name: container.name.strip_prefix(&format!("{}-", self.stack_name)).unwrap_or(&container.name).to_owned(),
            engine_name: container.name.clone(),
        })
    }
}

/// A container that may be left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ForgottenContainer {
    /// Its name on the engine.
    pub name: String,
    /// The engine's id, if it was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub container_id: String,
    /// Its image, if it was seen.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub image: String,
    /// What it did when it was seen last.
    pub status: ContainerStatus,
}

impl Document for Forgotten {
    const KIND: Kind = Kind::Forgotten;
    fn id(&self) -> String {
        self.id.clone()
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.stack_id.clone())
    }
    fn host(&self) -> Option<HostId> {
        Some(self.host_id.clone())
    }
}

/// Whether a host is known and heard.
pub(super) fn is_there(id: &HostId, inventory: &Inventory) -> bool {
    inventory.host(id).is_some_and(|host| host.offline_since.is_none())
}

/// The hosts that are away on which a plan has something to do.
pub(super) fn away(plan: &Plan, inventory: &Inventory) -> BTreeSet<HostId> {
    plan.tasks.iter().map(|task| task.host.clone()).filter(|host| !is_there(host, inventory)).collect()
}

/// Takes out of a plan what is to be done on some hosts, as what may be left there.
pub(super) fn set_aside(
    plan: &mut Plan,
    away: &BTreeSet<HostId>,
    inventory: &Inventory,
    by: Option<&String>,
    now: Timestamp,
) -> Vec<Forgotten> {
    let mut forgotten = Vec::new();
    for host in away.iter().cloned() {
        let (mut containers, mut networks, mut volumes) = (Vec::new(), Vec::new(), Vec::new());
        let mut remake = Vec::new();
        for task in plan.tasks.iter().filter(|task| task.host == host) {
            match &task.action {
                Action::Delete { name } => {
                    let seen = inventory.containers.iter().find(|seen| seen.hosted_on == host && seen.name == *name);
                    containers.push(ForgottenContainer {
                        name: name.clone(),
                        container_id: seen.map(|seen| seen.id.clone()).unwrap_or_default(),
                        image: seen.map(|seen| seen.image.clone()).unwrap_or_default(),
                        status: seen.map_or(ContainerStatus::Created, |seen| seen.status),
                    });
                }
                Action::RemoveNetwork { name } => networks.push(name.clone()),
                Action::RemoveVolume { name } => volumes.push(name.clone()),
                Action::Deploy { spec } | Action::Update { spec, .. } => remake.push(spec.name.clone()),
                _ => {}
            }
        }
        plan.tasks.retain(|task| task.host != host);
        if containers.is_empty() && networks.is_empty() && volumes.is_empty() && remake.is_empty() {
            continue;
        }
        forgotten.push(Forgotten {
            id: String::new(),
            stack_id: plan.stack.clone(),
            stack_name: plan.stack_name.clone(),
            host_id: host,
            containers,
            networks,
            volumes,
            forgotten_at: now,
            by: by.cloned(),
            deployment_id: None,
            error: None,
            not_before: None,
            moved_by: None,
            remake,
        });
    }
    let kept: BTreeSet<_> = plan.tasks.iter().map(|task| task.id.clone()).collect();
    for task in &mut plan.tasks {
        task.depends_on.retain(|first| kept.contains(first));
    }
    forgotten
}

/// Takes out of an inventory what of a stack is to be fenced: it is nothing that the stack has, wherever it was seen. What the
/// stack wants there again is.
pub(super) fn hide(inventory: &mut Inventory, fences: &[Forgotten], stack: &StackRecord) {
    let applied = &stack.applied;
    let is_wanted = |host: &HostId, engine_name: &str| {
        let mut there = applied.placements.iter().filter(|(_, place)| *place == host);
        there.any(|(name, _)| applied.stack.engine_name(name) == engine_name)
    };
    let of_stack: Vec<&Forgotten> =
        fences.iter().filter(|fence| fence.is_fence() && fence.stack_id == stack.id).collect();
    inventory.containers.retain(|seen| {
        let is_fenced = of_stack.iter().any(|fence| fence.host_id == seen.hosted_on && fence.has(&seen.name));
        !is_fenced || is_wanted(&seen.hosted_on, beside::principal(&seen.name).unwrap_or(&seen.name))
    });
}

/// The records of what a removal forgets.
pub(super) fn records(forgotten: Vec<Forgotten>, removal: &DeploymentId) -> Result<Vec<RecordWrite>, StoreError> {
    let each = forgotten.into_iter().map(|one| {
        let id = format!("{removal}@{}", one.host_id);
        Forgotten { id, ..one }.write(Expect::Absent)
    });
    each.collect()
}

impl Control {
    /// What may be left on hosts that were away when their stack was removed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn forgotten(&self) -> Result<Vec<Forgotten>, ControlError> {
        let all = self.store.documents::<Forgotten>(RecordQuery::of(Kind::Forgotten)).await?;
        Ok(all.into_iter().map(|one| one.value).collect())
    }

    /// What a stack that was rescheduled may have left on hosts that were away.
    pub(super) async fn moved_from(&self, stack: &StackId) -> Result<Vec<Forgotten>, ControlError> {
        let mut all = self.forgotten().await?;
        all.retain(|one| one.moved_by.is_some() && one.stack_id == *stack);
        Ok(all)
    }

    /// Has removed what was forgotten on hosts that are back.
    pub(super) async fn remember_forgotten(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        {
            let mut state = self.state();
            if elapsed < state.forgotten_due {
                return Ok(());
            }
            state.forgotten_due = elapsed + LOOK;
        }
        for one in self.forgotten().await? {
            let host = self.store.document::<Host>(one.host_id.as_str()).await?;
            let is_there = host.is_some_and(|host| !host.value.is_away());
            // One that is later than it can have been put off was noted before the clock went back.
            let now = self.environment.now();
            let is_early = one.not_before.is_some_and(|moment| moment > now && moment.duration_since(now) <= AGAIN);
            if !is_there || is_early || self.is_still_moving(&one).await? {
                continue;
            }
            match self.alone_or_later(|| self.remember(&one.id).boxed()).await {
                Ok(_) | Err(ControlError::Store(StoreError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decides what becomes of something forgotten, from what the store says now.
    async fn remember(&self, id: &str) -> Result<(), ControlError> {
        let Some(Versioned { version, value: one }) = self.store.document::<Forgotten>(id).await? else {
            return Ok(());
        };
        let now = self.environment.now();
        let mut submission = Submission { records: self.planned()?.into_iter().collect(), ..Submission::default() };
        let expect = Expect::Version(version);
        if let Some(deployment) = &one.deployment_id {
            let tasks = self.tasks_for(&one, deployment).await?;
            if tasks.iter().any(|task| !task.status.is_terminal()) {
                return Ok(());
            }
            let failed = tasks.iter().find(|task| task.status == TaskStatus::Failed);
            let was_cut_short = tasks.iter().any(|task| task.status == TaskStatus::Cancelled);
            submission.records.push(match failed {
                Some(task) => {
                    let words = task.error.as_ref().map(|error| error.message.clone());
                    let error = words.unwrap_or_else(|| format!("{} failed", task.plan_id));
                    let not_before = now.checked_add(AGAIN).ok();
                    Forgotten { deployment_id: None, error: Some(error), not_before, ..one.clone() }.write(expect)?
                }
                // A stack of that name was deployed meanwhile: what it does not want here still goes.
                None if was_cut_short => Forgotten { deployment_id: None, ..one.clone() }.write(expect)?,
                None => {
                    submission.events.extend(fenced(&one));
                    match one.remake.is_empty() {
                        true => one.removal(expect),
                        false => reschedule::rest_of(&one).write(expect)?,
                    }
                }
            });
            self.store.submit(submission, now).await?;
            return Ok(());
        }
        if one.moved_by.is_some() && one.containers.is_empty() && one.networks.is_empty() {
            return self.remake(Versioned { version, value: one }).await;
        }
        let uuid = self.environment.uuid();
        let deployment = DeploymentId::new(format!("deployment:{uuid}"));
        // What is being removed wants nothing any more, and its removal does nothing here.
        let mut stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await?;
        stacks.retain(|stack| stack.value.status != StackStatus::Deleting);
        let tasks = tasks_of(&one, &stacks, &deployment, &uuid.to_string(), now);
        submission.records.push(match (tasks.is_empty(), one.remake.is_empty()) {
            (true, true) => one.removal(expect),
            (true, false) => reschedule::rest_of(&one).write(expect)?,
            (false, _) => Forgotten { deployment_id: Some(deployment), ..one.clone() }.write(expect)?,
        });
        submission.tasks = tasks;
        let submitted = self.store.submit(submission, now).await?;
        self.work_is_ready(&submitted.ready);
        Ok(())
    }
}

/// Tells that nothing is left on a host of what runs elsewhere by now.
fn fenced(one: &Forgotten) -> Option<NewEvent> {
    let containers: Vec<&str> = one.containers.iter().map(|container| container.name.as_str()).collect();
    one.moved_by.as_ref().map(|deployment| NewEvent {
        kind: EventType::HostFenced,
        data: serde_json::json!({
            "@id": one.host_id,
            "stackId": one.stack_id,
            "stackName": one.stack_name,
            "deploymentId": deployment,
            "containers": containers,
        }),
    })
}

/// The tasks that remove what was forgotten, but for what its own stack wants again where it lives: that takes it for its own. One
/// of another `@id` under the same name waits until it is gone.
pub(super) fn tasks_of(
    one: &Forgotten,
    stacks: &[Versioned<StackRecord>],
    deployment: &DeploymentId,
    uuid: &str,
    now: Timestamp,
) -> Vec<Task> {
    let own = || stacks.iter().map(|stack| &stack.value).filter(|stack| stack.id == one.stack_id);
    let is_wanted = |engine_name: &str| {
        own().map(|stack| &stack.applied).any(|applied| {
            let mut there = applied.placements.iter().filter(|(_, host)| **host == one.host_id);
            there.any(|(name, _)| applied.stack.engine_name(name) == engine_name)
        })
    };
    // Its networks and volumes are called after the stack: one that has been deployed again needs them where it is.
    let is_there_again = own().any(|stack| {
        let mut hosts = stack.applied.placements.values().chain(stack.traces.iter().map(|trace| &trace.host));
        hosts.any(|host| *host == one.host_id)
    });
    let containers = one.containers.iter().filter(|container| !is_wanted(&container.name));
    let containers =
        containers.map(|container| ("delete", container.name.clone(), Action::Delete { name: container.name.clone() }));
    let others = (!is_there_again).then(|| {
        let networks = one.networks.iter();
        let networks =
            networks.map(|name| ("remove-network", name.clone(), Action::RemoveNetwork { name: name.clone() }));
        let volumes = one.volumes.iter();
        networks.chain(volumes.map(|name| ("remove-volume", name.clone(), Action::RemoveVolume { name: name.clone() })))
    });
    let mut tasks: Vec<Task> = Vec::new();
    for (verb, name, action) in containers.chain(others.into_iter().flatten()) {
        // What uses a network or a volume goes first.
        let first = if verb == "delete" { Vec::new() } else { tasks.iter().map(|task| task.id.clone()).collect() };
        let id = TaskId::new(format!("task:{uuid}.{:06}", tasks.len()));
        tasks.push(Task {
            stack_id: Some(one.stack_id.clone()),
            deployment_id: Some(deployment.clone()),
            plan_id: format!("{verb}:{name}@{}", one.host_id),
            why: match one.moved_by {
                Some(_) => format!("it was placed elsewhere while its host was away, {}", one.forgotten_at),
                None => format!("its host was away when the stack was removed, {}", one.forgotten_at),
            },
            depends_on: first,
            gate: Gate::Ended,
            created_by: one.by.clone(),
            scheduled_by: "planner".to_owned(),
            ..Task::new(id, one.host_id.clone(), action, now)
        });
    }
    tasks
}
