//! What people see: the same things without the values of variables.

use super::{StackRecord, StackView};
use crate::{
    plan::{hide, hide_in},
    stack::Container,
    task::Task,
};
use std::sync::Arc;

impl StackRecord {
    /// The stack as people see it.
    pub fn view(&self) -> StackView {
        let stack = &self.applied.stack;
        let containers = stack.containers.iter().map(|container| {
            let mut container = Container::clone(container);
            hide(&mut container);
            serde_json::to_value(container).unwrap_or_default()
        });
        StackView {
            id: self.id.clone(),
            kind: "Stack".to_owned(),
            name: self.name.clone(),
            description: stack.description.clone(),
            status: self.status,
            location: stack.deployment.target_datacenter.clone(),
            deployment: stack.deployment.clone(),
            containers: containers.collect(),
            endpoints: Vec::new(),
            placements: self.applied.placements.clone(),
            deployment_id: self.deployment_id.clone(),
            revision: self.revision,
            policy: self.policy,
            date_created: self.date_created,
            date_modified: self.date_modified,
            deployed_at: self.deployed_at,
            owner: self.owner.clone(),
            labels: stack.labels.clone(),
            error_message: self.error_message.clone(),
        }
    }
}

/// The task without the values of variables.
pub(super) fn without_values(mut task: Task) -> Task {
    hide_in(Arc::make_mut(&mut task.payload));
    if let Some(undo) = &mut task.undo {
        hide_in(Arc::make_mut(undo));
    }
    task
}
