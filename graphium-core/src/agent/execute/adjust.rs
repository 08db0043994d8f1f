//! Giving a container other settings while it runs.

use super::{Job, Trouble, settle::vanished};
use crate::{
    agent::step::Phase,
    inventory::ContainerStatus,
    runtime::{ContainerState, LiveSettings, LiveStep, RuntimeError},
    stack::Container,
    task::{TaskError, TaskResult},
};

impl Job<'_> {
    /// Gives a container these settings, and sees whether it has stayed: one may run out of memory by them.
    pub(super) async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<TaskResult, Trouble> {
        let Some(before) = self.runtime().inspect(name).await? else { return Err(vanished(name)) };
        let is_so = before.observed.settings.is_some_and(|present| present.step_to(settings) == LiveStep::None);
        if is_so && before.is_managed() {
            return Ok(self.done_with(before, "already so"));
        }
        self.set(name, settings).await?;
        if before.status() == ContainerStatus::Running {
            self.settle(name).await?;
        }
        let Some(after) = self.runtime().inspect(name).await? else { return Err(vanished(name)) };
        let message = match after.restart_count > before.restart_count {
            true => "adjusted; its process ended meanwhile, and the engine has started it again",
            false => "adjusted",
        };
        Ok(self.done_with(after, message))
    }

    /// Has the engine set them.
    pub(super) async fn set(&self, name: &str, settings: &LiveSettings) -> Result<(), Trouble> {
        self.enter(Phase::Adjusting);
        match self.whole(self.runtime().adjust(name, settings)).await {
            Err(RuntimeError::NotFound(_)) => Err(vanished(name)),
            Err(RuntimeError::Refused(reason)) => Err(Trouble::Task(TaskError {
                code: "engine-refused".to_owned(),
                message: format!("container `{name}` keeps the settings that it has: {reason}"),
                help: Some(
                    "it runs on as it was; ask for limits that its host has and above what it uses now, or delete the \
                     container and deploy its stack again"
                        .to_owned(),
                ),
                log: Vec::new(),
                retryable: false,
            })),
            outcome => Ok(outcome?),
        }
    }
}

/// What makes the settings of a definition of those that a container has.
pub(super) fn step(present: &ContainerState, wanted: &Container) -> LiveStep {
    present.observed.settings.unwrap_or_default().step_to(&LiveSettings::of(wanted))
}
