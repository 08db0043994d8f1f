//! Containers of ours that no living record accounts for.

use super::{Control, ControlError, StackRecord, StackStatus, TaskRequest, TaskView};
use crate::{
    action::Action,
    id::{HostId, StackId},
    inventory::{ContainerStatus, ObservedContainer},
    runtime::label,
    store::{Kind, RecordQuery, TaskQuery, TaskStoreExt},
    task::{Task, TaskStatus},
};
use futures::FutureExt;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

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
    /// Its stack is being removed, and could not be.
    NotRemoved {
        /// What went wrong, as the stack tells it.
        error: String,
    },
}

impl fmt::Display for OrphanReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoStack => f.write_str("its stack is not known here"),
            Self::NotWanted => f.write_str("its stack has no such container"),
            Self::Moved { to } => write!(f, "its stack has it on host `{to}`"),
            Self::NotRemoved { error } => write!(f, "its stack could not be removed: {error}"),
        }
    }
}

impl Control {
    /// Containers of ours that no living record accounts for, by host and name. Those of a stack on which something is under
    /// way are not among them: that has an end, and takes them along or fails.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn orphans(&self) -> Result<Vec<Orphan>, ControlError> {
        let stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await?;
        let stacks: BTreeMap<StackId, StackRecord> =
            stacks.into_iter().map(|stack| (stack.value.id.clone(), stack.value)).collect();
        let seen = self.store.documents::<ObservedContainer>(RecordQuery::of(Kind::Container)).await?;
        let mut orphans: Vec<Orphan> = seen
            .into_iter()
            .filter_map(|seen| {
                let stack_id = seen.value.stack()?;
                let reason = reason(&seen.value, stacks.get(&stack_id))?;
                let ObservedContainer { id, name, image, status, hosted_on, .. } = seen.value;
                let (host_id, container_name, container_id) = (hosted_on, name, id);
                let id = format!("{host_id}/{container_name}");
                Some(Orphan { id, host_id, container_name, container_id, image, status, stack_id, reason })
            })
            .collect();
        orphans.sort_by(|one, other| (&one.host_id, &one.container_name).cmp(&(&other.host_id, &other.container_name)));
        Ok(orphans)
    }

    /// Takes the removal of an orphan on, as a task of its host; asked again while that is under way, it is the same task.
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
        let orphans = self.orphans().await?;
        let id = format!("{host}/{container}");
        let Some(orphan) = orphans.into_iter().find(|orphan| orphan.id == id) else {
            return Err(ControlError::NotFound { kind: "orphan", id });
        };
        let open = BTreeSet::from([TaskStatus::Pending, TaskStatus::Assigned, TaskStatus::Running]);
        let query =
            TaskQuery { host: Some(host.clone()), statuses: open.into_iter().collect(), ..TaskQuery::default() };
        let under_way = self.store.all_tasks(query).await?;
        let removes = |task: &Task| matches!(&*task.payload, Action::Delete { name } if name == container);
        if let Some(task) = under_way.into_iter().find(removes) {
            return self.task(&task.id).await;
        }
        let request = TaskRequest {
            host_id: host.clone(),
            payload: Action::Delete { name: container.to_owned() },
            priority: None,
            timeout_seconds: None,
            max_retries: None,
        };
        self.take_on_task(request, by, format!("nobody wants it: {}", orphan.reason)).await
    }
}

/// Why nobody wants a container; `stack` is the record of the one that its labels name.
fn reason(seen: &ObservedContainer, stack: Option<&StackRecord>) -> Option<OrphanReason> {
    let Some(stack) = stack else { return Some(OrphanReason::NoStack) };
    if stack.status.is_transitional() {
        let failed = stack.error_message.clone().filter(|_| stack.status == StackStatus::Deleting);
        return failed.map(|error| OrphanReason::NotRemoved { error });
    }
    let name = seen.label(label::CONTAINER).unwrap_or(&seen.name);
    match stack.applied.placements.get(name) {
        Some(host) if *host != seen.hosted_on => Some(OrphanReason::Moved { to: host.clone() }),
        // The stack, or its container, had another name when this one was made.
        Some(_) if stack.applied.stack.engine_name(name) == seen.name => None,
        Some(_) | None => Some(OrphanReason::NotWanted),
    }
}
