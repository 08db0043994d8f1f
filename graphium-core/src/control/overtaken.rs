//! What attempts may have changed of a stack that nobody has seen since: those of its present deployment, and of what that has
//! overtaken.
//!
//! A stack may have had very many tasks. All that was planned when all of it ran was planned for what was seen, so only what has
//! begun since is asked for: its record names the deployments.

use super::{Control, ControlError, StackRecord};
use crate::{
    action::TaskType,
    id::{DeploymentId, HostId, TaskId},
    inventory::{ContainerStatus, Inventory},
    store::{TaskQuery, TaskStoreExt},
    task::{Task, TaskStatus},
};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// So many deployments are named; of a stack with more, all tasks are read.
const NAMED: usize = 32;

/// The deployments that one overtakes which begins now, `open` being those with tasks that have not ended.
pub(super) fn overtaken(before: Option<&StackRecord>, open: &BTreeSet<DeploymentId>) -> BTreeSet<DeploymentId> {
    let Some(before) = before else { return open.clone() };
    let mut overtaken = open.clone();
    if !before.status.is_up() {
        overtaken.extend(before.overtaken.iter().cloned());
    }
    overtaken.insert(before.deployment_id.clone());
    while overtaken.len() > NAMED + 1 {
        overtaken.pop_first();
    }
    overtaken
}

impl Control {
    /// Every task that may tell of something that was not seen yet, and others.
    async fn recent_tasks(&self, stack: &StackRecord) -> Result<Vec<Task>, ControlError> {
        let all = TaskQuery { stack: Some(stack.id.clone()), ..TaskQuery::default() };
        if stack.overtaken.len() > NAMED {
            return Ok(self.store.all_tasks(all).await?);
        }
        // What removes orphans of it is of no deployment that there is a record of.
        let mut recent: BTreeMap<TaskId, Task> = BTreeMap::new();
        let mut add = |tasks: Vec<Task>| recent.extend(tasks.into_iter().map(|task| (task.id.clone(), task)));
        add(self.open_tasks(all.clone()).await?);
        for deployment in stack.overtaken.iter().chain([&stack.deployment_id]) {
            add(self.store.all_tasks(TaskQuery { deployment: Some(deployment.clone()), ..all.clone() }).await?);
        }
        Ok(recent.into_values().collect())
    }

    /// The tasks that may have changed what was seen of a stack that is not up: those of its present deployment, and of what that
    /// has overtaken whatever began at a container last, was not done, and is not made up for since.
    pub(super) async fn doubtful(&self, own: &StackRecord) -> Result<Vec<Task>, ControlError> {
        let is_present = |task: &Task| task.deployment_id.as_ref() == Some(&own.deployment_id);
        let (mut present, before): (Vec<Task>, Vec<Task>) =
            self.recent_tasks(own).await?.into_iter().partition(is_present);
        let mut last = last_attempts(before);
        last.retain(|_, task| task.status != TaskStatus::Completed);
        for task in present.iter().filter(|task| task.status == TaskStatus::Completed) {
            last.remove(&place(task));
        }
        present.extend(last.into_values());
        Ok(present)
    }

    /// Shows as stopped what a stop, or a change that begins with one, is at work on, or was when it was cut off: engines go on with
    /// it, and what was seen of it does not tell what it does in a moment.
    pub(super) async fn show_as_stopped(
        &self,
        stack: &StackRecord,
        inventory: &mut Inventory,
    ) -> Result<(), ControlError> {
        let last = last_attempts(self.recent_tasks(stack).await?);
        for seen in &mut inventory.containers {
            let last = last.get(&(seen.hosted_on.clone(), seen.name.clone()));
            let is_unsure = last.filter(|task| task.status != TaskStatus::Completed).is_some_and(|task| {
                match task.task_type {
                    TaskType::Stop | TaskType::Restart => true,
                    // What does not run any more tells how it has ended.
                    TaskType::Deploy | TaskType::Update | TaskType::Adjust | TaskType::Delete => {
                        seen.status == ContainerStatus::Running
                    }
                    _ => false,
                }
            });
            if is_unsure {
                (seen.status, seen.exit_code) = (ContainerStatus::Stopped, None);
            }
        }
        Ok(())
    }
}

/// The host, and what a task is about there.
type Place = (HostId, String);

fn place(task: &Task) -> Place {
    (task.host_id.clone(), task.payload.subject().to_owned())
}

/// Of each place what was attempted there last: what has ended last tells of it; one that has not ended comes after all that have.
fn last_attempts(mut tasks: Vec<Task>) -> BTreeMap<Place, Task> {
    tasks.retain(|task| task.attempt > 0 && task.task_type != TaskType::Check);
    tasks.sort_by_key(|task| task.completed_at.unwrap_or(Timestamp::MAX));
    tasks.into_iter().map(|task| (place(&task), task)).collect()
}
