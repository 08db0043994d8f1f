//! Waiting until a container has come as far as those that depend on it ask.

use super::{
    Job, Trouble,
    settle::{vanished, was_killed, word},
};
use crate::{
    agent::{
        health::Standing,
        step::{Phase, Step},
    },
    inventory::{ContainerStatus, Health},
    runtime::{ContainerState, RuntimeError},
    stack::Condition,
    task::TaskResult,
};
use std::time::Duration;

/// Pauses between two looks grow from the first to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(1));

/// What one look says.
enum Verdict {
    /// It has come as far, in words.
    Passed(&'static str),
    /// Not yet, and how it stands.
    Pending(String),
    /// It ended and will not pass.
    Ended,
    /// It will not pass.
    Hopeless { code: &'static str, message: String },
}

impl Job<'_> {
    /// Looks until the condition holds, or cannot hold any more. Its deadline is the task's.
    ///
    /// What somebody has killed, an engine that was itself killed before all, is started again once.
    pub(super) async fn check(&self, name: &str, condition: Condition) -> Result<TaskResult, Trouble> {
        let mut pause = PAUSES.0;
        let mut told = None;
        self.enter(Phase::Checking);
        loop {
            let standing = match self.runtime().inspect(name).await {
                Ok(None) => return Err(vanished(name)),
                Ok(Some(state)) => match self.judge(&state, condition).await {
                    Verdict::Passed(message) => return Ok(self.done_with(state, message)),
                    Verdict::Pending(standing) => standing,
                    Verdict::Ended if was_killed(&state) && !self.starts.knows(name) => {
                        self.start_once(name).await?;
                        "killed from outside, and started again".to_owned()
                    }
                    Verdict::Ended => return Err(self.exited(&state, None).await),
                    Verdict::Hopeless { code, message } => return Err(self.failure(code, name, message).await),
                },
                // One slow answer is no verdict on the container.
                Err(error @ RuntimeError::TimedOut { .. }) => error.to_string(),
                Err(error) => return Err(error.into()),
            };
            if told.as_ref() != Some(&standing) {
                (self.tell)(Step { phase: Phase::Checking, message: standing.clone(), bytes: None });
                told = Some(standing);
            }
            self.place.environment.sleep(pause).await;
            pause = (pause * 3 / 2).min(PAUSES.1);
        }
    }

    async fn judge(&self, state: &ContainerState, condition: Condition) -> Verdict {
        if (state.status(), condition) != (ContainerStatus::Running, Condition::Healthy) {
            return judge(state, condition);
        }
        let place = self.place;
        let standing = place.health.attend(&*place.runtime, &*place.environment, state).await;
        // What the engine itself checks it also tells.
        let own = || state.health().map(|health| Standing { health, last: state.health_output.clone() });
        judge_health(&state.observed.name, standing.or_else(own))
    }
}

fn judge(state: &ContainerState, condition: Condition) -> Verdict {
    let succeeded = state.observed.exit_code == Some(0);
    match (state.status(), condition) {
        (ContainerStatus::Exited | ContainerStatus::Stopped, Condition::Completed | Condition::Started)
            if succeeded =>
        {
            Verdict::Passed("ended with exit code 0")
        }
        (ContainerStatus::Exited | ContainerStatus::Stopped | ContainerStatus::Dead, _) => Verdict::Ended,
        (ContainerStatus::Running | ContainerStatus::Paused, Condition::Started) => Verdict::Passed("running"),
        (status, _) if state.restart_count > 0 => {
            Verdict::Pending(format!("{}, started again {} time(s)", word(status), state.restart_count))
        }
        (status, _) => Verdict::Pending(word(status).to_owned()),
    }
}

fn judge_health(name: &str, standing: Option<Standing>) -> Verdict {
    let said = |words: &str| match standing.as_ref().and_then(|standing| standing.last.as_deref()).map(str::trim) {
        Some(last) if !last.is_empty() => format!("{words}: {last}"),
        _ => words.to_owned(),
    };
    match standing.as_ref().map(|standing| standing.health) {
        Some(Health::Healthy) => Verdict::Passed("healthy"),
        Some(Health::Starting) => Verdict::Pending(said("running, health not known yet")),
        Some(Health::Unhealthy) => Verdict::Hopeless {
            code: "unhealthy",
            message: said(&format!("container `{name}` runs, and its health check says that it is not well")),
        },
        None => Verdict::Hopeless {
            code: "no-health-check",
            message: format!("container `{name}` is waited for to be healthy and has no health check"),
        },
    }
}
