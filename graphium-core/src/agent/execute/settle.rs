//! The moment after a start, in which many a container ends.

use super::{Job, Trouble};
use crate::{
    action::Action,
    agent::step::Phase,
    inventory::ContainerStatus,
    runtime::{ContainerState, label},
    task::{TaskError, TaskResult},
};
use std::time::Duration;

/// How much of a container's log an error carries.
const LOG_LINES: usize = 20;

/// How often, and how far apart, a container is looked at that was started again.
const RESTART_LOOKS: usize = 20;
const RESTART_LOOK: Duration = Duration::from_millis(100);

impl Job<'_> {
    /// Waits a moment after a start and sees whether the container has stayed.
    pub(super) async fn settle(&self, name: &str) -> Result<TaskResult, Trouble> {
        self.enter(Phase::Settling);
        self.place.environment.sleep(self.place.settle).await;
        let state = self.after_restarts(name).await?;
        match state.status() {
            ContainerStatus::Running => {
                let adopted = matches!(*self.task.payload, Action::Deploy { .. } | Action::Update { .. })
                    && !self.is_made_here(&state);
                let message = if adopted { "already running" } else { "running" };
                Ok(self.done_with(state, message))
            }
            ContainerStatus::Paused => Ok(self.done_with(state, "paused")),
            ContainerStatus::Exited | ContainerStatus::Stopped if state.observed.exit_code == Some(0) => {
                Ok(self.done_with(state, "ended with exit code 0"))
            }
            ContainerStatus::Restarting | ContainerStatus::Exited | ContainerStatus::Stopped => {
                let mut trouble = self.exited(&state, Some(self.place.settle)).await;
                if let Trouble::Task(error) = &mut trouble {
                    error.retryable |= self.starts.were_interrupted() || was_killed(&state);
                }
                Err(trouble)
            }
            ContainerStatus::Created | ContainerStatus::Removing | ContainerStatus::Dead => {
                Err(Trouble::Task(TaskError {
                    code: "not-started".to_owned(),
                    message: format!("container `{name}` was started and is {}", word(state.status())),
                    help: state.error,
                    log: Vec::new(),
                    retryable: true,
                }))
            }
        }
    }

    /// The container as it is, once that can be told: one that the engine has started again already is watched a while
    /// longer, for it either stays now or ends again and shows its exit code.
    async fn after_restarts(&self, name: &str) -> Result<ContainerState, Trouble> {
        for _ in 0..RESTART_LOOKS {
            let Some(state) = self.runtime().inspect(name).await? else { return Err(vanished(name)) };
            let started_again = state.status() == ContainerStatus::Running && state.restart_count > 0;
            if !started_again || !self.is_made_here(&state) {
                return Ok(state);
            }
            self.place.environment.sleep(RESTART_LOOK).await;
        }
        self.runtime().inspect(name).await?.ok_or_else(|| vanished(name))
    }

    /// A container that ended when it should run: its exit code, its last lines.
    pub(super) async fn exited(&self, state: &ContainerState, within: Option<Duration>) -> Trouble {
        let name = &state.observed.name;
        let mut message = match state.observed.exit_code {
            Some(code) => format!("container `{name}` exited with code {code}"),
            None => format!("container `{name}` exited"),
        };
        if let Some(time) = within {
            message.push_str(&format!(" within {} ms of its start", time.as_millis()));
        }
        if state.status() == ContainerStatus::Restarting || state.restart_count > 0 {
            message.push_str(&format!("; the engine has started it again {} time(s)", state.restart_count));
        }
        if was_killed(state) {
            message.push_str("; so ends what is killed: by an engine that starts anew, by somebody, or by the kernel");
        }
        if let Some(error) = state.error.as_deref().filter(|error| !error.is_empty()) {
            message.push_str(&format!("; {error}"));
        }
        self.failure("exited", name, message).await
    }

    /// A failure of a container that exists, with its last lines.
    pub(super) async fn failure(&self, code: &str, name: &str, message: String) -> Trouble {
        if !self.recall_secrets(name).await {
            let help = format!(
                "its last lines are not told, for the server does not say which secrets are in them; look at `docker logs {name}` on this host"
            );
            return Trouble::hopeless(code, message, &help);
        }
        // A log that cannot be had must not hide why it was wanted.
        let log = self.runtime().last_lines(name, LOG_LINES).await.unwrap_or_default();
        let help = if log.is_empty() {
            format!("it wrote nothing; run its command by hand, or look at `docker inspect {name}` on this host")
        } else {
            format!("its last lines say more; all of them, while it is there: `docker logs {name}` on this host")
        };
        Trouble::Task(TaskError { code: code.to_owned(), message, help: Some(help), log, retryable: false })
    }

    /// Whether the container was made by this attempt: otherwise its restarts are its own history.
    pub(super) fn is_made_here(&self, state: &ContainerState) -> bool {
        let attempt = self.task.attempt.to_string();
        state.observed.label(label::TASK) == Some(self.task.id.as_str())
            && state.observed.label(label::ATTEMPT) == Some(attempt.as_str())
    }
}

/// Whether a container ended by a signal with which engines and people end one (codes 137 and 143: killed and terminated), and not for
/// want of memory: that says nothing of its program. An engine that is killed kills at its next start what it finds running, and does not
/// always start it again.
pub(super) fn was_killed(state: &ContainerState) -> bool {
    matches!(state.observed.exit_code, Some(137 | 143)) && state.error.is_none()
}

pub(super) fn vanished(name: &str) -> Trouble {
    Trouble::hopeless(
        "container-gone",
        format!("container `{name}` is gone"),
        "somebody removed it; deploy its stack again",
    )
}

pub(super) fn word(status: ContainerStatus) -> &'static str {
    match status {
        ContainerStatus::Running => "running",
        ContainerStatus::Stopped => "stopped",
        ContainerStatus::Paused => "paused",
        ContainerStatus::Restarting => "restarting",
        ContainerStatus::Exited => "exited",
        ContainerStatus::Dead => "dead",
        ContainerStatus::Created => "not started",
        ContainerStatus::Removing => "being removed",
    }
}
