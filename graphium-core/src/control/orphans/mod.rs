//! What is ours and what no living record accounts for: containers, networks, volumes.

mod holdings;

use super::{Control, ControlError, Forgotten, StackRecord, StackStatus, TaskView};
use crate::{
    action::Action,
    id::{DeploymentId, HostId, StackId, TaskId},
    inventory::{ContainerStatus, HoldingKind, ObservedContainer},
    runtime::beside,
    store::{Kind, RecordQuery, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::{Task, TaskStatus},
};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, btree_map::Entry},
    fmt,
};

/// What bears our labels, and what nothing that lives here wants where it is.
///
/// # Example
/// ```
/// use graphium_core::control::{Orphan, OrphanKind, OrphanReason};
///
/// let orphan: Orphan = serde_json::from_value(serde_json::json!({
///     "@id": "vm1/shop_data", "hostId": "vm1", "stackId": "stack:shop",
///     "kind": "volume", "volumeName": "shop_data", "reason": {"code": "moved", "to": "vm2"}
/// }))?;
/// assert_eq!(orphan.what, OrphanKind::Volume { volume_name: "shop_data".to_owned() });
/// assert_eq!(orphan.reason, OrphanReason::Moved { to: "vm2".into() });
/// assert_eq!(format!("{}: {}", orphan.what, orphan.reason), "volume `shop_data`: its stack has it on host `vm2`");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// `<host>/<name>`; of a network `<host>/network:<name>`, of a volume `<host>/volume:<name>`.
    #[serde(rename = "@id")]
    pub id: String,
    /// The host that it is on.
    pub host_id: HostId,
    /// What it is.
    #[serde(flatten)]
    pub what: OrphanKind,
    /// The stack that its labels name.
    pub stack_id: StackId,
    /// Why nobody wants it.
    pub reason: OrphanReason,
}

/// What an orphan is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum OrphanKind {
    /// A container.
    Container {
        /// Its name on the engine.
        container_name: String,
        /// The engine's id.
        container_id: String,
        /// Its image.
        image: String,
        /// What it does.
        status: ContainerStatus,
    },
    /// A network.
    Network {
        /// Its name on the engine.
        network_name: String,
    },
    /// A volume, with its data.
    Volume {
        /// Its name on the engine.
        volume_name: String,
    },
}

impl OrphanKind {
    fn of(kind: HoldingKind, name: String) -> Self {
        match kind {
            HoldingKind::Network => Self::Network { network_name: name },
            HoldingKind::Volume => Self::Volume { volume_name: name },
        }
    }

    fn id(&self, host: &HostId) -> String {
        match self {
            Self::Container { container_name, .. } => format!("{host}/{container_name}"),
            Self::Network { network_name } => format!("{host}/network:{network_name}"),
            Self::Volume { volume_name } => format!("{host}/volume:{volume_name}"),
        }
    }

    /// The task that removes it, by its verb, and what that is about.
    fn removal(&self) -> (&'static str, &str, Action) {
        match self {
            Self::Container { container_name: name, .. } => ("delete", name, Action::Delete { name: name.clone() }),
            Self::Network { network_name: name } => {
                ("remove-network", name, Action::RemoveNetwork { name: name.clone() })
            }
            Self::Volume { volume_name: name } => ("remove-volume", name, Action::RemoveVolume { name: name.clone() }),
        }
    }
}

impl fmt::Display for OrphanKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { container_name, .. } => write!(f, "container `{container_name}`"),
            Self::Network { network_name } => write!(f, "network `{network_name}`"),
            Self::Volume { volume_name } => write!(f, "volume `{volume_name}`"),
        }
    }
}

/// Why something of ours is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum OrphanReason {
    /// There is no such stack: it was removed, or another installation has deployed it.
    NoStack,
    /// Its stack has nothing of that name there.
    NotWanted,
    /// Its stack has it on another host.
    Moved {
        /// That one.
        to: HostId,
    },
    /// Its stack was removed while its host was away; it is removed when the agent returns.
    Forgotten {
        /// When the stack was removed.
        at: jiff::Timestamp,
        /// Why it could not be removed when that was tried last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// Its stack was rescheduled while its host was away, and has it elsewhere; it is removed when the agent returns.
    Rescheduled {
        /// When that was decided.
        at: jiff::Timestamp,
        /// Why it could not be removed when that was tried last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<String>,
    },
    /// It was to take the place of one of its stack's, or has given it up, and that was broken off.
    BrokenOff,
    /// It was to be removed, by itself or with its stack, and could not be.
    NotRemoved {
        /// What went wrong.
        error: String,
    },
}

impl fmt::Display for OrphanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStack => f.write_str("its stack is not known here"),
            Self::NotWanted => f.write_str("its stack wants nothing of that name there"),
            Self::Moved { to } => write!(f, "its stack has it on host `{to}`"),
            Self::Forgotten { at, error } => {
                write!(f, "its stack was removed at {at} while the host was away; it goes when the agent returns")?;
                error.iter().try_for_each(|error| write!(f, "; the last try failed: {error}"))
            }
            Self::Rescheduled { at, error } => {
                write!(f, "it was placed elsewhere at {at} while the host was away; it goes when the agent returns")?;
                error.iter().try_for_each(|error| write!(f, "; the last try failed: {error}"))
            }
            Self::BrokenOff => f.write_str("a replacement was broken off, and left it beside its stack's own"),
            Self::NotRemoved { error } => write!(f, "it could not be removed: {error}"),
        }
    }
}

impl Control {
    /// What is ours and what no living record accounts for, by host and name.
    ///
    /// Not among them are those of a stack on which something is under way: that has an end, and takes them along or fails. Nor
    /// what an earlier deployment has left where the last one has failed: it may be what serves, and the next one finds it. A
    /// network or a volume that any stack's container uses is none, whatever its labels say.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn orphans(&self) -> Result<Vec<Orphan>, ControlError> {
        let stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await?;
        let mut living = BTreeMap::new();
        for Versioned { value, .. } in stacks {
            living.insert(value.id.clone(), self.living(value).await?);
        }
        let seen = self.store.documents::<ObservedContainer>(RecordQuery::of(Kind::Container)).await?;
        let orphans = seen.into_iter().filter_map(|seen| orphan(seen.value, &living));
        let holdings = self.orphaned_holdings(&living).await?;
        // What was forgotten says better why it is there.
        let forgotten = self.forgotten().await?.into_iter().flat_map(forgotten);
        let all: BTreeMap<(HostId, String), Orphan> =
            orphans.chain(holdings).map(|orphan| ((orphan.host_id.clone(), orphan.id.clone()), orphan)).collect();
        let all = forgotten.fold(all, |mut all, orphan| {
            match all.entry((orphan.host_id.clone(), orphan.id.clone())) {
                Entry::Occupied(mut known) => known.get_mut().reason = orphan.reason,
                Entry::Vacant(place) => _ = place.insert(orphan),
            }
            all
        });
        Ok(all.into_values().collect())
    }

    async fn living(&self, record: StackRecord) -> Result<Living, ControlError> {
        let tasks = if matches!(record.status, StackStatus::Error | StackStatus::Deleting) {
            let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
            self.store.all_tasks(query).await?
        } else {
            Vec::new()
        };
        let is_under_way = record.status.is_transitional() || tasks.iter().any(|task| !task.status.is_terminal());
        let not_deleted = tasks.into_iter().filter(|task| task.status == TaskStatus::Failed);
        let not_deleted = not_deleted.filter_map(|task| Some((orphan_id(&task)?, task.error?.message)));
        Ok(Living { not_deleted: not_deleted.collect(), is_under_way, record })
    }

    /// Takes the removal of an orphan on, as a task of its host; asked again while that is under way, it is the same task. A
    /// deployment of its stack takes the place of what has not begun of it. `name` is what follows the host in [`Orphan::id`].
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where it is none: what a stack wants is not removed this way. [`ControlError::Conflict`] for a
    /// volume, unless `volumes` says that data may go.
    pub async fn remove_orphan(
        &self,
        host: &HostId,
        name: &str,
        volumes: bool,
        by: Option<String>,
    ) -> Result<TaskView, ControlError> {
        // As a plan is stored: a stack that is deployed meanwhile may want it.
        self.alone(|| self.remove_orphan_alone(host, name, volumes, by.clone()).boxed()).await
    }

    async fn remove_orphan_alone(
        &self,
        host: &HostId,
        name: &str,
        volumes: bool,
        by: Option<String>,
    ) -> Result<TaskView, ControlError> {
        let id = format!("{host}/{name}");
        let Some(orphan) = self.orphans().await?.into_iter().find(|orphan| orphan.id == id) else {
            return Err(ControlError::NotFound { kind: "orphan", id });
        };
        if matches!(orphan.what, OrphanKind::Volume { .. }) && !volumes {
            let message = format!("`{id}` is a volume: its data would go with it; say that volumes may be removed");
            return Err(ControlError::Conflict { code: "data-would-go", message });
        }
        let under_way = self.open_tasks(TaskQuery { host: Some(host.clone()), ..TaskQuery::default() }).await?;
        if let Some(task) = under_way.into_iter().find(|task| orphan_id(task).as_ref() == Some(&id)) {
            return self.task(&task.id).await;
        }
        let (now, uuid) = (self.environment.now(), self.environment.uuid());
        let (verb, subject, action) = orphan.what.removal();
        let task = Task {
            stack_id: Some(orphan.stack_id),
            // One of its own, which the stack's next one takes the place of.
            deployment_id: Some(DeploymentId::new(format!("deployment:{uuid}"))),
            plan_id: format!("{verb}:{subject}@{host}"),
            why: format!("nobody wants it: {}", orphan.reason),
            created_by: by,
            scheduled_by: "operator".to_owned(),
            ..Task::new(TaskId::new(format!("task:{uuid}.000000")), host.clone(), action, now)
        };
        let records = self.planned()?.into_iter().collect();
        let submission = Submission { tasks: vec![task.clone()], records, ..Submission::default() };
        let submitted = self.store.submit(submission, now).await?;
        self.work_is_ready(&submitted.ready);
        self.task(&task.id).await
    }

    /// Tasks that have not ended.
    pub(super) async fn open_tasks(&self, query: TaskQuery) -> Result<Vec<Task>, ControlError> {
        let statuses = TaskStatus::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
        Ok(self.store.all_tasks(TaskQuery { statuses, ..query }).await?)
    }
}

/// A stack that there is.
struct Living {
    record: StackRecord,
    /// Whether something of its last deployment is still to come.
    is_under_way: bool,
    /// What that could not remove, by the id of an orphan, and why.
    not_deleted: BTreeMap<String, String>,
}

/// The id under which what a task removes is an orphan, if it removes something.
fn orphan_id(task: &Task) -> Option<String> {
    let host = &task.host_id;
    match &*task.payload {
        Action::Delete { name } => Some(format!("{host}/{name}")),
        Action::RemoveNetwork { name } => Some(OrphanKind::of(HoldingKind::Network, name.clone()).id(host)),
        Action::RemoveVolume { name } => Some(OrphanKind::of(HoldingKind::Volume, name.clone()).id(host)),
        _ => None,
    }
}

/// What may be left on a host that was away.
fn forgotten(one: Forgotten) -> Vec<Orphan> {
    let Forgotten { stack_id, host_id, containers, networks, volumes, forgotten_at: at, error, moved_by, .. } = one;
    let containers = containers.into_iter().map(|container| OrphanKind::Container {
        container_name: container.name,
        container_id: container.container_id,
        image: container.image,
        status: container.status,
    });
    let networks = networks.into_iter().map(|name| OrphanKind::of(HoldingKind::Network, name));
    let volumes = volumes.into_iter().map(|name| OrphanKind::of(HoldingKind::Volume, name));
    let each = containers.chain(networks).chain(volumes).map(|what| Orphan {
        id: what.id(&host_id),
        host_id: host_id.clone(),
        what,
        stack_id: stack_id.clone(),
        reason: match moved_by {
            Some(_) => OrphanReason::Rescheduled { at, error: error.clone() },
            None => OrphanReason::Forgotten { at, error: error.clone() },
        },
    });
    each.collect()
}

fn orphan(seen: ObservedContainer, living: &BTreeMap<StackId, Living>) -> Option<Orphan> {
    let stack_id = seen.stack()?;
    let reason = match living.get(&stack_id) {
        None => OrphanReason::NoStack,
        Some(stack) => stack.reason(&seen)?,
    };
    let ObservedContainer { id: container_id, name: container_name, image, status, hosted_on: host_id, .. } = seen;
    let what = OrphanKind::Container { container_name, container_id, image, status };
    Some(Orphan { id: what.id(&host_id), host_id, what, stack_id, reason })
}

/// What a stack's last deployment says of something that may be an orphan.
enum Told {
    /// It is one.
    Yes(OrphanReason),
    /// What is under way has an end that says so, or takes it along.
    Later,
    Nothing,
}

impl Living {
    /// What the last deployment says of something by the id that it has as an orphan.
    fn tells(&self, id: &str) -> Told {
        let not_removed = |error: &String| Told::Yes(OrphanReason::NotRemoved { error: error.clone() });
        if self.record.status == StackStatus::Deleting {
            return self.record.error_message.as_ref().map_or(Told::Later, not_removed);
        }
        if self.is_under_way {
            return Told::Later;
        }
        self.not_deleted.get(id).map_or(Told::Nothing, not_removed)
    }

    /// Why the stack does not want a container that bears its label.
    fn reason(&self, seen: &ObservedContainer) -> Option<OrphanReason> {
        let record = &self.record;
        match self.tells(&format!("{}/{}", seen.hosted_on, seen.name)) {
            Told::Yes(reason) => return Some(reason),
            Told::Later => return None,
            Told::Nothing => {}
        }
        if record.traces.iter().any(|trace| trace.host == seen.hosted_on && trace.engine_name == seen.name) {
            return None;
        }
        let stack = &record.applied.stack;
        let name = seen.name_in(&stack.name);
        match record.applied.placements.get(name) {
            Some(host) if *host != seen.hosted_on => Some(OrphanReason::Moved { to: host.clone() }),
            // The stack, or its container, had another name when this one was made.
            Some(_) if stack.engine_name(name) == seen.name => None,
            Some(_) if beside::principal(&seen.name).is_some() => Some(OrphanReason::BrokenOff),
            Some(_) | None => Some(OrphanReason::NotWanted),
        }
    }
}
