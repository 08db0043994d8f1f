//! What people see: the same things without the values of variables, of headers and of drivers' options.

use super::{HIDDEN, SealedPlan};
use crate::{
    action::Action,
    stack::{Container, EnvValue, HealthTest, TextMap},
};
use std::sync::Arc;

impl SealedPlan {
    /// The plan for people, with the hash that it has with all values.
    #[must_use]
    pub fn without_values(&self) -> Self {
        let mut shown = self.clone();
        for task in &mut shown.plan.tasks {
            hide_in(&mut task.action);
            task.undo.iter_mut().for_each(hide_in);
        }
        shown
    }
}

/// Hides the values in what is to be done.
pub(crate) fn hide_in(action: &mut Action) {
    match action {
        Action::Deploy { spec } | Action::Update { spec, .. } | Action::Adopt { spec, .. } => {
            hide(Arc::make_mut(&mut spec.container));
        }
        Action::Network { spec } => hide_all(&mut spec.network.options),
        Action::Volume { spec } => hide_all(&mut spec.volume.driver_opts),
        _ => {}
    }
}

/// Hides the values in a definition.
pub(crate) fn hide(container: &mut Container) {
    for variable in &mut container.environment {
        if let EnvValue::Literal(value) = &mut variable.value {
            HIDDEN.clone_into(value);
        }
    }
    if let Some(HealthTest::Http { headers, .. }) = container.health_check.as_mut().map(|check| &mut check.test) {
        hide_all(headers);
    }
    if let Some(logging) = &mut container.logging {
        hide_all(&mut logging.options);
    }
}

fn hide_all(values: &mut TextMap) {
    values.values_mut().for_each(|value| HIDDEN.clone_into(value));
}
