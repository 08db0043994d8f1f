//! One step of the ledger: moves tasks, and settles what follows from it.

use super::{Changes, Entry, Ledger, TaskChange, desk::Filed, graph};
use crate::{
    event::EventType,
    id::{DeploymentId, HostId, TaskId},
    store::{ClaimRequest, StoreError},
    task::{Input, Progress, Task, TaskStatus, advance},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

/// The code of a task's error when what it waited for failed: such a task is revived with the one that failed.
const DEPENDENCY_FAILED: &str = "dependency-failed";

pub(super) struct Step<'a> {
    ledger: &'a mut Ledger,
    now: Timestamp,
    changed: IndexMap<TaskId, EventType>,
    ready: BTreeSet<HostId>,
    /// Ended without success: what waits for them ends too.
    ended: VecDeque<TaskId>,
    /// Wait again after an operator's retry: what ended because of them waits again too.
    revived: VecDeque<TaskId>,
}

impl<'a> Step<'a> {
    pub(super) fn new(ledger: &'a mut Ledger, now: Timestamp) -> Self {
        Self {
            ledger,
            now,
            changed: IndexMap::new(),
            ready: BTreeSet::new(),
            ended: VecDeque::new(),
            revived: VecDeque::new(),
        }
    }

    /// Adds tasks that are not there yet.
    pub(super) fn insert(&mut self, tasks: Vec<Task>) {
        let ids: Vec<TaskId> = tasks.iter().map(|task| task.id.clone()).collect();
        for task in tasks {
            if let Some(deployment) = &task.deployment_id {
                let part = self.ledger.parts.entry(deployment.clone()).or_default();
                part.tasks.push(task.id.clone());
                part.open += usize::from(!task.status.is_terminal());
            }
            let entry = Entry { task: Arc::new(task), unmet: 0, dependants: Vec::new() };
            self.ledger.entries.insert(entry.task.id.clone(), entry);
        }
        for id in &ids {
            self.link(id);
        }
        for id in ids {
            self.file(&id);
            if let Some(task) = self.ledger.task(&id)
                && let Some(first) = graph::blocker(self.ledger, task)
            {
                self.ended.push_back(first.id.clone());
            }
            self.changed.insert(id, EventType::TaskCreated);
        }
    }

    /// Counts what holds a task up, and makes it known to those that it waits for.
    fn link(&mut self, id: &TaskId) {
        let Some(task) = self.arc(id) else { return };
        let mut unmet = 0;
        for first in &task.depends_on {
            if let Some(first) = self.ledger.entries.get_mut(first) {
                unmet += usize::from(!graph::is_met(&task, first.task.status));
                first.dependants.push(id.clone());
            }
        }
        if let Some(entry) = self.ledger.entries.get_mut(id) {
            entry.unmet = unmet;
        }
    }

    /// Moves a task by one input and returns it.
    pub(super) fn apply(&mut self, id: &TaskId, input: &Input) -> Result<Arc<Task>, StoreError> {
        let Some(entry) = self.ledger.entries.get_mut(id) else {
            return Err(StoreError::NotFound { kind: "task", id: id.as_str().to_owned() });
        };
        let before = Before::of(&entry.task);
        if let Some(desk) = self.ledger.desks.get_mut(&entry.task.host_id) {
            desk.unfile(&entry.task);
        }
        // In place: nobody else looks at it, so the payload, which is most of it, is not copied.
        let moved = advance(Arc::make_mut(&mut entry.task), input, self.now);
        let task = Arc::clone(&entry.task);
        self.file(id);
        moved.map_err(|refusal| StoreError::Refused { task: id.as_str().to_owned(), refusal })?;
        if before.is_visibly_other(&task) {
            self.changed.entry(id.clone()).or_insert(EventType::TaskUpdated);
        }
        if before.status != task.status {
            self.tell_dependants(&task, before.status);
            self.count(&task, before.status);
        }
        if *input == Input::Retry {
            self.revived.push_back(id.clone());
        }
        Ok(task)
    }

    /// Puts a task that is there in the place of its earlier self, and gives one that is not there back.
    pub(super) fn replace(&mut self, task: Task) -> Option<Task> {
        let Some(before) = self.arc(&task.id) else { return Some(task) };
        self.unfile(&before);
        let task = Arc::new(task);
        if let Some(entry) = self.ledger.entries.get_mut(&task.id) {
            entry.task = Arc::clone(&task);
        }
        self.file(&task.id);
        if before.status != task.status {
            self.tell_dependants(&task, before.status);
            self.count(&task, before.status);
        }
        None
    }

    fn tell_dependants(&mut self, task: &Task, before: TaskStatus) {
        let Some(entry) = self.ledger.entries.get_mut(&task.id) else { return };
        let dependants = std::mem::take(&mut entry.dependants);
        for id in &dependants {
            let Some(waiting) = self.arc(id) else { continue };
            let (was, is) = (graph::is_met(&waiting, before), graph::is_met(&waiting, task.status));
            if was == is {
                continue;
            }
            self.unfile(&waiting);
            if let Some(entry) = self.ledger.entries.get_mut(id) {
                entry.unmet = if is { entry.unmet.saturating_sub(1) } else { entry.unmet + 1 };
            }
            self.file(id);
        }
        if let Some(entry) = self.ledger.entries.get_mut(&task.id) {
            entry.dependants = dependants;
        }
        if matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled) {
            self.ended.push_back(task.id.clone());
        }
    }

    /// Keeps the number of a deployment's open tasks.
    fn count(&mut self, task: &Task, before: TaskStatus) {
        let (was, is) = (before.is_terminal(), task.status.is_terminal());
        if was == is {
            return;
        }
        if let Some(part) = task.deployment_id.as_ref().and_then(|id| self.ledger.parts.get_mut(id)) {
            part.open = if is { part.open.saturating_sub(1) } else { part.open + 1 };
        }
    }

    /// Hands out what a claim may have.
    pub(super) fn grant(&mut self, request: &ClaimRequest) -> Vec<Task> {
        self.wake(&request.host);
        let input = Input::Claim { epoch: request.epoch, claim: request.claim.clone(), expires_at: request.expires_at };
        let mut granted = Vec::new();
        while granted.len() < request.max {
            let Some(id) = self.ledger.desks.get(&request.host).and_then(|desk| desk.first().cloned()) else { break };
            match self.apply(&id, &input) {
                Ok(task) => granted.push(Task::clone(&task)),
                // Its time has not come: the clock has gone back since it was put here.
                Err(_) => self.refile(&id),
            }
        }
        granted
    }

    /// Puts tasks whose time has come among those that may be handed out.
    pub(super) fn wake(&mut self, host: &HostId) {
        let Some(desk) = self.ledger.desks.get(host) else { return };
        let due: Vec<TaskId> = desk.due(self.now).cloned().collect();
        for id in due {
            self.refile(&id);
        }
    }

    /// Asks every task of some deployments to end.
    pub(super) fn supersede(&mut self, deployments: &[DeploymentId], by: Option<&DeploymentId>) {
        let reason = by.map_or_else(|| "superseded".to_owned(), |id| format!("superseded by `{id}`"));
        let input = Input::Cancel { reason };
        for deployment in deployments {
            let tasks = self.ledger.parts.get(deployment).map(|part| part.tasks.clone()).unwrap_or_default();
            for id in tasks {
                // Refused where it has ended by itself.
                let _ = self.apply(&id, &input);
            }
        }
    }

    /// Lets every change have its consequences, and theirs.
    pub(super) fn settle(&mut self) {
        let mut woken = Vec::new();
        while let Some(id) = self.revived.pop_front() {
            for waiting in self.dependants(&id) {
                let was_dragged_along = waiting.status == TaskStatus::Cancelled
                    && waiting.error.as_ref().is_some_and(|error| error.code == DEPENDENCY_FAILED);
                if was_dragged_along && self.apply(&waiting.id, &Input::Retry).is_ok() {
                    woken.push(waiting.id.clone());
                }
            }
        }
        // Revived by one of those that they wait for, and held up for good by another.
        for id in woken {
            if let Some(task) = self.ledger.task(&id)
                && let Some(first) = graph::blocker(self.ledger, task)
            {
                self.ended.push_back(first.id.clone());
            }
        }
        while let Some(id) = self.ended.pop_front() {
            let Some(first) = self.arc(&id) else { continue };
            let reason = format!("`{}` {}", first.plan_id, verb(first.status));
            for waiting in self.dependants(&id) {
                if waiting.status == TaskStatus::Pending && graph::is_in_vain(&waiting, first.status) {
                    // A pending task is never refused this.
                    let _ = self.apply(&waiting.id, &Input::DependencyFailed { reason: reason.clone() });
                }
            }
        }
    }

    /// Hosts that have something to do now, and what has changed.
    pub(super) fn finish(self) -> (Vec<HostId>, Changes) {
        let tasks = self
            .changed
            .into_iter()
            .filter_map(|(id, kind)| Some(TaskChange { kind, task: Arc::clone(&self.ledger.entries.get(&id)?.task) }))
            .collect();
        let ledger = &self.ledger;
        let ready = self
            .ready
            .into_iter()
            .filter(|host| ledger.desks.get(host).is_some_and(|desk| desk.first().is_some()))
            .collect();
        (ready, Changes { tasks, session: None })
    }

    fn dependants(&self, id: &TaskId) -> Vec<Arc<Task>> {
        let dependants = self.ledger.entries.get(id).map(|entry| entry.dependants.as_slice()).unwrap_or_default();
        dependants.iter().filter_map(|id| self.arc(id)).collect()
    }

    fn arc(&self, id: &TaskId) -> Option<Arc<Task>> {
        self.ledger.entries.get(id).map(|entry| Arc::clone(&entry.task))
    }

    fn file(&mut self, id: &TaskId) {
        let Some(entry) = self.ledger.entries.get(id) else { return };
        let host = &entry.task.host_id;
        let desk = match self.ledger.desks.get_mut(host) {
            Some(desk) => desk,
            None => self.ledger.desks.entry(host.clone()).or_default(),
        };
        if desk.file(&entry.task, entry.unmet, self.now) == Filed::Ready && !self.ready.contains(host) {
            self.ready.insert(host.clone());
        }
    }

    fn unfile(&mut self, task: &Task) {
        if let Some(desk) = self.ledger.desks.get_mut(&task.host_id) {
            desk.unfile(task);
        }
    }

    fn refile(&mut self, id: &TaskId) {
        if let Some(task) = self.arc(id) {
            self.unfile(&task);
            self.file(id);
        }
    }
}

/// What shows whether a change is more than a lease that lasts longer.
struct Before {
    status: TaskStatus,
    attempt: u32,
    progress: Option<Progress>,
    was_asked_to_end: bool,
}

impl Before {
    fn of(task: &Task) -> Self {
        Self {
            status: task.status,
            attempt: task.attempt,
            progress: task.progress.clone(),
            was_asked_to_end: task.cancel_requested.is_some(),
        }
    }

    fn is_visibly_other(&self, task: &Task) -> bool {
        self.status != task.status
            || self.attempt != task.attempt
            || self.progress != task.progress
            || self.was_asked_to_end != task.cancel_requested.is_some()
    }
}

fn verb(status: TaskStatus) -> &'static str {
    match status {
        TaskStatus::Cancelled => "was cancelled",
        _ => "failed",
    }
}
