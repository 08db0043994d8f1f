//! Checks: tasks that end when a container has come as far as others ask.

use super::{
    PlannedTask,
    deploy::Draft,
    order::Edge,
    rollout::Rollout,
    task::{check_id, task},
    verdict::has_ended_well,
};
use crate::{action::Action, inventory::Health, stack::Condition};
use std::collections::BTreeMap;

/// A check that members wait for.
pub(super) struct Check {
    /// The first of them; absent: the whole deployment.
    pub(super) waiting: Option<usize>,
    /// Its task, once there is one.
    pub(super) task: Option<usize>,
}

impl Draft<'_, '_> {
    /// Checks that changing members or the roll-out wait for.
    pub(super) fn checks(&self, changing: &[usize], rollout: &Rollout) -> BTreeMap<(usize, Condition), Check> {
        let mut checks = BTreeMap::new();
        for &number in changing {
            for edge in self.layout.members.graph.dependencies(number) {
                if edge.condition != Condition::Started && !self.is_met(*edge) {
                    checks.entry((edge.on, edge.condition)).or_insert(Check { waiting: Some(number), task: None });
                }
            }
        }
        for (number, waiting) in rollout.checked() {
            checks.entry((number, Condition::Healthy)).or_insert(Check { waiting, task: None });
        }
        checks
    }

    pub(super) fn check(&self, number: usize, condition: Condition, waiting: Option<usize>) -> Option<PlannedTask> {
        let (host, name) = (self.layout.host(number)?, self.name(number));
        let action = Action::Check { name: self.layout.stack.engine_name(name), condition };
        let until = if condition == Condition::Healthy { "is healthy" } else { "has completed" };
        let why = match waiting {
            Some(waiting) => format!("`{}` waits until it {until}", self.name(waiting)),
            None => format!("the update has worked when it {until}"),
        };
        Some(task(check_id(name, condition), action, host, why).of_container(name))
    }

    /// Whether a condition holds already and will not be disturbed.
    fn is_met(&self, edge: Edge) -> bool {
        !self.makes(edge.on)
            && self.there[edge.on].is_some_and(|there| match edge.condition {
                Condition::Started => true,
                Condition::Healthy => there.health == Some(Health::Healthy),
                Condition::Completed => has_ended_well(there),
            })
    }
}
