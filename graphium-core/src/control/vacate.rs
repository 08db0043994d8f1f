//! A stack that takes the name of one that was forgotten: what is left of that one goes first.
//!
//! A stack that was removed with `--forget` may have left containers on a host that was away. One of the same `@id` takes them
//! for its own. To one of another `@id` they are strangers under its names, so it waits until they are gone; so does one of another
//! name whose containers are called as they are.

use super::{Control, ControlError, Forgotten, StackRecord, forget::tasks_of};
use crate::{
    action::Action,
    id::{DeploymentId, StackId, TaskId},
    inventory::Inventory,
    plan,
    runtime::label,
    stack::Stack,
    store::{Document, Expect, Kind, RecordQuery, Submission, TaskQuery, TaskStoreExt, Versioned},
    task::{Task, TaskStatus},
};

/// Whether something was left by another stack that has gone, and one that comes has its name, or wants one of its things' names: the
/// container `b-c` of `a` and `c` of `a-b` are called alike on their engines.
fn is_predecessor(one: &Forgotten, id: &StackId, name: &str, wants: impl Fn(&Forgotten) -> bool) -> bool {
    one.moved_by.is_none() && one.stack_id != *id && (one.stack_name == name || wants(one))
}

/// Takes out of an inventory what will be gone before anything of a stack is made there.
fn hide(inventory: &mut Inventory, forgotten: &[Forgotten], stack: &Stack) {
    let names: Vec<String> = plan::adoptable(stack).into_iter().map(|(name, ..)| stack.engine_name(&name)).collect();
    let wants = |one: &Forgotten| names.iter().any(|name| one.has(name));
    let before: Vec<&Forgotten> =
        forgotten.iter().filter(|one| is_predecessor(one, &stack.id, &stack.name, wants)).collect();
    inventory.containers.retain(|seen| {
        let is_left = |one: &&Forgotten| {
            one.host_id == seen.hosted_on
                && one.has(&seen.name)
                && seen.label(label::STACK) == Some(one.stack_id.as_str())
        };
        !before.iter().any(is_left)
    });
}

/// Whether a task makes something that has a name.
fn makes(task: &Task) -> bool {
    matches!(
        *task.payload,
        Action::Deploy { .. } | Action::Update { .. } | Action::Network { .. } | Action::Volume { .. }
    )
}

/// Whether what a task makes is called as something that was forgotten.
fn is_called_as(task: &Task, one: &Forgotten) -> bool {
    match &*task.payload {
        Action::Deploy { spec } | Action::Update { spec, .. } => one.has(&spec.name),
        Action::Network { spec } => one.networks.contains(&spec.name),
        Action::Volume { spec } => one.volumes.contains(&spec.name),
        _ => false,
    }
}

impl Control {
    /// The inventory to plan a stack with that somebody wants.
    pub(super) async fn inventory_for(&self, stack: &Stack) -> Result<Inventory, ControlError> {
        let mut inventory = self.planning_inventory(&stack.id).await?;
        hide(&mut inventory, &self.forgotten().await?, stack);
        Ok(inventory)
    }

    /// Has what a submission makes wait until nothing is left under its stack's name of one that was forgotten: what removes that
    /// becomes a part of it, be its host there or not. The record stays until that is done.
    pub(super) async fn wait_for_forgotten(
        &self,
        submission: &mut Submission,
        record: &StackRecord,
    ) -> Result<(), ControlError> {
        for Versioned { version, value: one } in
            self.store.documents::<Forgotten>(RecordQuery::of(Kind::Forgotten)).await?
        {
            let is_there = |task: &&Task| task.host_id == one.host_id && makes(task);
            let made = || submission.tasks.iter().filter(is_there);
            let wants = |one: &Forgotten| made().any(|task| is_called_as(task, one));
            let is_met = made().next().is_some();
            if !is_predecessor(&one, &record.id, &record.name, wants) || !is_met {
                continue;
            }
            if let Some(deployment) = &one.deployment_id {
                let tasks = self.tasks_for(&one, deployment).await?;
                if !tasks.is_empty() && tasks.iter().all(|task| task.status == TaskStatus::Completed) {
                    continue;
                }
                // No task waits for one of another deployment: it is asked of the agent once more, and done once.
                submission.supersedes.push(deployment.clone());
            }
            let (now, uuid) = (self.environment.now(), self.environment.uuid().to_string());
            let stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await?;
            let removal = tasks_of(&one, &stacks, &record.deployment_id, &uuid, now);
            let first: Vec<TaskId> = removal.iter().map(|task| task.id.clone()).collect();
            for task in submission.tasks.iter_mut().filter(|task| is_there(&&**task)) {
                task.depends_on.extend(first.iter().cloned());
            }
            submission.tasks.extend(removal);
            let deployment_id = Some(record.deployment_id.clone());
            let one = Forgotten { deployment_id, error: None, not_before: None, ..one };
            submission.records.push(one.write(Expect::Version(version))?);
        }
        Ok(())
    }

    /// The tasks that remove what was forgotten: they may be a part of another stack's deployment.
    pub(super) async fn tasks_for(
        &self,
        one: &Forgotten,
        deployment: &DeploymentId,
    ) -> Result<Vec<Task>, ControlError> {
        let query = TaskQuery { deployment: Some(deployment.clone()), ..TaskQuery::default() };
        let mut tasks = self.store.all_tasks(query).await?;
        tasks.retain(|task| task.stack_id.as_ref() == Some(&one.stack_id));
        Ok(tasks)
    }
}
