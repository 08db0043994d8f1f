//! How the tasks of every plan are made.

use super::{LastingKind, PlannedTask};
use crate::{action::Action, id::HostId, stack::Condition};

/// A task without dependencies.
pub(super) fn task(id: String, action: Action, host: &HostId, why: impl Into<String>) -> PlannedTask {
    PlannedTask {
        id,
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

    /// Waits for these, each once.
    pub(super) fn after(mut self, ids: impl IntoIterator<Item = String>) -> Self {
        for id in ids {
            if !self.depends_on.contains(&id) {
                self.depends_on.push(id);
            }
        }
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
