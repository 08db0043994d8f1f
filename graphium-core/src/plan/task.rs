//! How the tasks of every plan are made.

use super::{LastingKind, PlannedTask, slack};
use crate::{
    action::Action,
    id::{HostId, PlanTaskId},
    stack::Condition,
};
use std::borrow::Cow;

/// What each of some tasks waits for, by number, all in one vector.
#[derive(Debug, Default)]
pub(super) struct Waits {
    first: Vec<usize>,
    /// Where those of each end.
    ends: Vec<usize>,
}

impl Waits {
    /// What a task waits for.
    pub(super) fn first(&self, task: usize) -> &[usize] {
        let start = if task == 0 { 0 } else { self.ends[task - 1] };
        &self.first[start..self.ends[task]]
    }
}

/// The tasks of a plan while it is made, each known by its number.
#[derive(Debug, Default)]
pub(super) struct Tasks {
    list: Vec<PlannedTask>,
    waits: Waits,
    /// By number: the last task that was found to wait for it, itself at first.
    awaited_by: Vec<usize>,
    /// The last id that was put together, for its memory.
    id: String,
}

impl Tasks {
    pub(super) fn with_capacity(tasks: usize) -> Self {
        let waits = Waits { first: Vec::with_capacity(tasks * 4), ends: Vec::with_capacity(tasks) };
        Self { list: Vec::with_capacity(tasks), waits, awaited_by: Vec::with_capacity(tasks), id: String::new() }
    }

    /// An id of these parts.
    pub(super) fn id(&mut self, parts: [&str; 2]) -> PlanTaskId {
        self.id.clear();
        self.id.extend(parts);
        PlanTaskId::from(&*self.id)
    }

    /// Adds a task that waits for others, each of which counts once, and returns its number.
    pub(super) fn add(&mut self, mut task: PlannedTask, first: impl IntoIterator<Item = usize>) -> usize {
        let Waits { first: all, ends } = &mut self.waits;
        let (start, current) = (all.len(), self.list.len());
        for number in first {
            if std::mem::replace(&mut self.awaited_by[number], current) != current {
                all.push(number);
            }
        }
        task.depends_on.extend(all[start..].iter().map(|&number| self.list[number].id.clone()));
        ends.push(all.len());
        self.list.push(task);
        self.awaited_by.push(current);
        current
    }

    pub(super) fn list(&self) -> &[PlannedTask] {
        &self.list
    }

    /// The tasks, each with its slack.
    pub(super) fn finish(self) -> Vec<PlannedTask> {
        let Self { mut list, waits, .. } = self;
        slack::give(&mut list, &waits);
        list
    }
}

/// A task without dependencies.
pub(super) fn task(
    id: impl Into<PlanTaskId>,
    action: Action,
    host: &HostId,
    why: impl Into<Cow<'static, str>>,
) -> PlannedTask {
    PlannedTask {
        id: id.into(),
        action,
        host: host.clone(),
        container: None,
        depends_on: Vec::new(),
        slack: 0,
        why: why.into(),
        undo: None,
        lasting: None,
    }
}

impl PlannedTask {
    pub(super) fn of_container(mut self, name: &str) -> Self {
        self.container = Some(name.to_owned());
        self
    }

    pub(super) fn undone_by(mut self, undo: Option<Action>) -> Self {
        self.undo = undo;
        self
    }

    pub(super) fn leaving(mut self, lasting: Option<LastingKind>) -> Self {
        self.lasting = lasting;
        self
    }
}

/// The id of the task that waits for a condition.
pub(super) fn check_id(name: &str, condition: Condition) -> String {
    let condition = match condition {
        Condition::Started => "started",
        Condition::Healthy => "healthy",
        Condition::Completed => "completed",
    };
    ["check:", name, ":", condition].concat()
}
