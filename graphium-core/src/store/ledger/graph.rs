//! Who waits for whom: what fits together, and what holds a task up.

use super::Ledger;
use crate::{
    id::TaskId,
    store::StoreError,
    task::{Input, Refusal, Task, TaskStatus},
};
use std::collections::{HashMap, HashSet};

/// Whether a task that waits for one with the given status is held up by it no longer.
pub(super) fn is_met(waiting: &Task, status: TaskStatus) -> bool {
    waiting.gate.is_opened_by(status)
}

/// Whether a task that waits for one with the given status waits in vain.
pub(super) fn is_in_vain(waiting: &Task, status: TaskStatus) -> bool {
    status.is_terminal() && !is_met(waiting, status)
}

/// The tasks of a submission that are new, if each waits for tasks of its own deployment and none for itself.
pub(super) fn accept(ledger: &Ledger, tasks: Vec<Task>) -> Result<Vec<Task>, StoreError> {
    let mut seen = HashSet::new();
    let new: Vec<Task> =
        tasks.into_iter().filter(|task| ledger.task(&task.id).is_none() && seen.insert(task.id.clone())).collect();
    if new.iter().all(|task| task.depends_on.is_empty()) {
        return Ok(new);
    }
    let by_id: HashMap<&TaskId, &Task> = new.iter().map(|task| (&task.id, task)).collect();
    for task in &new {
        for id in &task.depends_on {
            let first = by_id.get(id).copied().or_else(|| ledger.task(id));
            let problem = match first {
                None => "is not there",
                Some(first) if first.deployment_id != task.deployment_id => "is of another deployment",
                Some(_) if task.deployment_id.is_none() => "is no reason to wait outside of a deployment",
                Some(_) => continue,
            };
            return Err(invalid(&task.id, format!("`{id}`, which it waits for, {problem}")));
        }
    }
    match cycle(&by_id) {
        Some(id) => Err(invalid(id, "it waits for itself".to_owned())),
        None => Ok(new),
    }
}

/// A task that waits for itself, by way of others (Kahn's algorithm: what is left when nothing can begin).
fn cycle<'a>(tasks: &HashMap<&'a TaskId, &'a Task>) -> Option<&'a TaskId> {
    let mut dependants: HashMap<&TaskId, Vec<&'a TaskId>> = HashMap::new();
    let mut unmet: HashMap<&'a TaskId, usize> = HashMap::new();
    for (&id, task) in tasks {
        let inside = task.depends_on.iter().filter(|first| tasks.contains_key(first));
        unmet.insert(id, inside.clone().count());
        for first in inside {
            dependants.entry(first).or_default().push(id);
        }
    }
    let mut free: Vec<&TaskId> = unmet.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(id) = free.pop() {
        unmet.remove(id);
        for next in dependants.remove(id).unwrap_or_default() {
            if let Some(count) = unmet.get_mut(next) {
                *count -= 1;
                if *count == 0 {
                    free.push(next);
                }
            }
        }
    }
    unmet.into_keys().min()
}

/// Whether an input may be tried on a task at all.
pub(super) fn admit(ledger: &Ledger, id: &TaskId, input: &Input) -> Result<(), StoreError> {
    let task = ledger.task(id).ok_or_else(|| StoreError::NotFound { kind: "task", id: id.as_str().to_owned() })?;
    match input {
        Input::Claim { .. } => Err(invalid(id, "tasks are claimed through `claim`".to_owned())),
        Input::Retry => match blocker(ledger, task) {
            Some(first) => Err(StoreError::Refused {
                task: id.as_str().to_owned(),
                refusal: Refusal::Blocked { task: first.plan_id.clone(), status: first.status },
            }),
            None => Ok(()),
        },
        _ => Ok(()),
    }
}

/// A task that the given one waits for in vain.
pub(super) fn blocker<'a>(ledger: &'a Ledger, task: &Task) -> Option<&'a Task> {
    task.depends_on.iter().filter_map(|id| ledger.task(id)).find(|first| is_in_vain(task, first.status))
}

fn invalid(id: &TaskId, reason: String) -> StoreError {
    StoreError::Invalid { kind: "task", id: id.as_str().to_owned(), reason }
}
