//! Containers of ours that no living record accounts for.

use super::{Control, ControlError, Forgotten, StackRecord, StackStatus, TaskView};
use crate::{
    action::Action,
    id::{DeploymentId, HostId, StackId, TaskId},
    inventory::{ContainerStatus, ObservedContainer},
    runtime::{beside, label},
    store::{Kind, RecordQuery, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::{Task, TaskStatus},
};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A container that bears our labels, and that nothing which lives here wants where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Orphan {
    /// `<host>/<name>`.
    #[serde(rename = "@id")]
    pub id: String,
    /// The host that it is on.
    pub host_id: HostId,
    /// Its name on the engine.
    pub container_name: String,
    /// The engine's id.
    pub container_id: String,
    /// Its image.
    pub image: String,
    /// What it does.
    pub status: ContainerStatus,
    /// The stack that its labels name.
    pub stack_id: StackId,
    /// Why nobody wants it.
    pub reason: OrphanReason,
}

/// Why a container of ours is nobody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "code", rename_all = "kebab-case")]
pub enum OrphanReason {
    /// There is no such stack: it was removed, or another installation has deployed it.
    NoStack,
    /// Its stack has no such container.
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
        /// What else of the stack may be left there: networks, and volumes that were to go.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        also: Vec<String>,
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
            Self::NotWanted => f.write_str("its stack has no such container"),
            Self::Moved { to } => write!(f, "its stack has it on host `{to}`"),
            Self::Forgotten { at, also, error } => {
                write!(f, "its stack was removed at {at} while the host was away; it goes when the agent returns")?;
                if !also.is_empty() {
                    write!(f, ", with {}", also.join(", "))?;
                }
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
    /// Containers of ours that no living record accounts for, by host and name.
    ///
    /// Not among them are those of a stack on which something is under way: that has an end, and takes them along or fails. Nor
    /// what an earlier deployment has left where the last one has failed: it may be what serves, and the next one finds it.
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
        let mut orphans: Vec<Orphan> = seen.into_iter().filter_map(|seen| orphan(seen.value, &living)).collect();
        for orphan in self.forgotten().await?.into_iter().flat_map(forgotten) {
            match orphans.iter_mut().find(|known| known.id == orphan.id) {
                Some(known) => known.reason = orphan.reason,
                None => orphans.push(orphan),
            }
        }
        orphans.sort_by(|one, other| (&one.host_id, &one.container_name).cmp(&(&other.host_id, &other.container_name)));
        Ok(orphans)
    }

    async fn living(&self, record: StackRecord) -> Result<Living, ControlError> {
        let tasks = if record.status == StackStatus::Error {
            let query = TaskQuery { deployment: Some(record.deployment_id.clone()), ..TaskQuery::default() };
            self.store.all_tasks(query).await?
        } else {
            Vec::new()
        };
        let is_under_way = record.status.is_transitional() || tasks.iter().any(|task| !task.status.is_terminal());
        let not_deleted = tasks.into_iter().filter_map(|task| match (&*task.payload, task.status, task.error) {
            (Action::Delete { name }, TaskStatus::Failed, Some(error)) => {
                Some(((task.host_id.clone(), name.clone()), error.message))
            }
            _ => None,
        });
        Ok(Living { not_deleted: not_deleted.collect(), is_under_way, record })
    }

    /// Takes the removal of an orphan on, as a task of its host; asked again while that is under way, it is the same task. A
    /// deployment of its stack takes the place of what has not begun of it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where it is none: what a stack wants is not removed this way.
    pub async fn remove_orphan(
        &self,
        host: &HostId,
        container: &str,
        by: Option<String>,
    ) -> Result<TaskView, ControlError> {
        // As a plan is stored: a stack that is deployed meanwhile may want it.
        self.alone(|| self.remove_orphan_alone(host, container, by.clone()).boxed()).await
    }

    async fn remove_orphan_alone(
        &self,
        host: &HostId,
        container: &str,
        by: Option<String>,
    ) -> Result<TaskView, ControlError> {
        let id = format!("{host}/{container}");
        let Some(orphan) = self.orphans().await?.into_iter().find(|orphan| orphan.id == id) else {
            return Err(ControlError::NotFound { kind: "orphan", id });
        };
        let removes = |task: &Task| matches!(&*task.payload, Action::Delete { name } if name == container);
        let under_way = self.open_tasks(TaskQuery { host: Some(host.clone()), ..TaskQuery::default() }).await?;
        if let Some(task) = under_way.into_iter().find(removes) {
            return self.task(&task.id).await;
        }
        let (now, uuid) = (self.environment.now(), self.environment.uuid());
        let action = Action::Delete { name: container.to_owned() };
        let task = Task {
            stack_id: Some(orphan.stack_id),
            // One of its own, which the stack's next one takes the place of.
            deployment_id: Some(DeploymentId::new(format!("deployment:{uuid}"))),
            plan_id: format!("delete:{container}@{host}"),
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
    /// What that could not delete, by host and name, and why.
    not_deleted: BTreeMap<(HostId, String), String>,
}

/// What may be left on a host that was away.
fn forgotten(one: Forgotten) -> Vec<Orphan> {
    let Forgotten { stack_id, host_id, containers, networks, volumes, forgotten_at: at, error, moved_by, .. } = one;
    let networks = networks.into_iter().map(|name| format!("network `{name}`"));
    let also: Vec<String> = networks.chain(volumes.into_iter().map(|name| format!("volume `{name}`"))).collect();
    let each = containers.into_iter().map(|container| Orphan {
        id: format!("{host_id}/{}", container.name),
        host_id: host_id.clone(),
        container_name: container.name,
        container_id: container.container_id,
        image: container.image,
        status: container.status,
        stack_id: stack_id.clone(),
        reason: match moved_by {
            Some(_) => OrphanReason::Rescheduled { at, error: error.clone() },
            None => OrphanReason::Forgotten { at, also: also.clone(), error: error.clone() },
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
    let id = format!("{host_id}/{container_name}");
    Some(Orphan { id, host_id, container_name, container_id, image, status, stack_id, reason })
}

impl Living {
    /// Why the stack does not want a container that bears its label.
    fn reason(&self, seen: &ObservedContainer) -> Option<OrphanReason> {
        let record = &self.record;
        if record.status == StackStatus::Deleting {
            return record.error_message.clone().map(|error| OrphanReason::NotRemoved { error });
        }
        if self.is_under_way {
            return None;
        }
        if let Some(error) = self.not_deleted.get(&(seen.hosted_on.clone(), seen.name.clone())) {
            return Some(OrphanReason::NotRemoved { error: error.clone() });
        }
        if record.traces.iter().any(|trace| trace.host == seen.hosted_on && trace.engine_name == seen.name) {
            return None;
        }
        let stack = &record.applied.stack;
        // The older system gave its containers no label with their name.
        let name = seen.label(label::CONTAINER).or_else(|| seen.name.strip_prefix(&*stack.name)?.strip_prefix('-'));
        match record.applied.placements.get(name.unwrap_or(&seen.name)) {
            Some(host) if *host != seen.hosted_on => Some(OrphanReason::Moved { to: host.clone() }),
            // The stack, or its container, had another name when this one was made.
            Some(_) if name.is_some_and(|name| stack.engine_name(name) == seen.name) => None,
            Some(_) if beside::principal(&seen.name).is_some() => Some(OrphanReason::BrokenOff),
            Some(_) | None => Some(OrphanReason::NotWanted),
        }
    }
}
