//! A container gives way to a successor that runs beside it first.
//!
//! The successor is made under a [name of its own](beside), started, and watched until it does its work. Then the two change
//! names, and the old one stops and goes. Until then the old one is as it was: where the successor fails, it alone is taken
//! away. Every step is known by who is there under which name, so that whoever comes next goes on from it, forward or back;
//! [`tidy`](Job::tidy) leaves one container and none beside it, whatever the next task is.

use super::{
    Job, Trouble,
    adjust::step,
    deploy::{Wanted, stranger},
};
use crate::{
    agent::step::Phase,
    inventory::ContainerStatus,
    runtime::{ContainerSpec, ContainerState, LiveStep, RuntimeError, beside},
    stack::{Condition, HealthTest, UpdateOrder},
    task::{TaskError, TaskResult},
};
use futures::{
    future::{Either, select},
    try_join,
};
use std::{pin::pin, time::Duration};

/// What is kept of an attempt's time to take away a successor that does not become healthy.
const TO_CLEAR: Duration = Duration::from_secs(15);

/// What there is under a name and beside it.
pub(super) struct There {
    pub(super) present: Option<ContainerState>,
    pub(super) successor: Option<ContainerState>,
    pub(super) former: Option<ContainerState>,
}

impl There {
    /// Whether the one that is there is to stay until its successor does its work, though it stops first: no definition brings
    /// its image back. One that was broken off amid that goes on so.
    pub(super) fn is_for_swap(&self, wanted: Wanted<'_>) -> bool {
        let mut others = [&self.successor, &self.former].into_iter().flatten();
        wanted.image.is_some()
            && (self.present.as_ref().is_some_and(|present| wanted.has_moved_since(present))
                || others.any(ContainerState::is_managed))
    }
}

impl Job<'_> {
    pub(super) async fn there(&self, name: &str) -> Result<There, Trouble> {
        let (next, old, runtime) = (beside::next(name), beside::old(name), self.runtime());
        let (present, successor, former) =
            try_join!(runtime.inspect(name), runtime.inspect(&next), runtime.inspect(&old))?;
        Ok(There { present, successor, former })
    }

    /// Puts a container in the place of one that runs, and that goes when its successor does its work. With stop-first it stops
    /// before that, and is started again where its successor fails.
    pub(super) async fn replace_beside(
        &self,
        wanted: Wanted<'_>,
        order: UpdateOrder,
        there: There,
    ) -> Result<TaskResult, Trouble> {
        let spec = wanted.spec;
        let stops_first = order == UpdateOrder::StopFirst;
        let (name, next, old) = (&spec.name, beside::next(&spec.name), beside::old(&spec.name));
        let runtime = self.runtime();
        let There { mut present, mut successor, mut former } = there;
        for found in [&present, &successor, &former].into_iter().flatten() {
            if let Some(holder) = stranger(spec, found) {
                return Err(RuntimeError::NameTaken { name: found.observed.name.clone(), holder }.into());
            }
        }
        let is_sound = successor.as_ref().is_some_and(|found| is_sound(wanted, found));
        if present.is_none() {
            // Broken off between two names; a successor that had come so far has done its work.
            let (heir, called) = if is_sound { (&mut successor, &next) } else { (&mut former, &old) };
            if heir.is_some() {
                self.rename(called, name).await?;
                present = heir.take();
            }
        }
        if former.is_some() {
            self.delete(&old).await?;
        }
        let is_there = present.as_ref().is_some_and(|present| wanted.is(present));
        if is_there || !is_sound && !present.as_ref().is_some_and(|present| stops_first || is_up(present)) {
            // It is the one that is wanted, or nothing that anybody misses.
            if successor.is_some() {
                self.delete(&next).await?;
            }
            return self.replace(wanted).await;
        }
        if successor.is_some() && !is_sound {
            self.delete(&next).await?;
        }
        if stops_first {
            self.stop_one(name, present.as_ref()).await?;
        }
        if let Err(trouble) = self.prove(&ContainerSpec { name: next.clone(), ..spec.clone() }).await {
            return Err(self.withdraw(trouble, name, stops_first).await);
        }
        match self.rename(name, &old).await {
            // Somebody has removed it meanwhile.
            Ok(()) | Err(Trouble::Engine(RuntimeError::NotFound(_))) => {}
            Err(trouble) => return Err(trouble),
        }
        self.rename(&next, name).await?;
        self.delete(&old).await?;
        match runtime.inspect(name).await? {
            Some(state) => Ok(self.done_with(state, "running")),
            None => Err(super::settle::vanished(name)),
        }
    }

    /// Leaves one container of a name and none beside it, where a replacement was broken off.
    pub(super) async fn tidy(&self, name: &str) -> Result<(), Trouble> {
        let (next, old) = (beside::next(name), beside::old(name));
        let runtime = self.runtime();
        let (successor, former) = try_join!(runtime.inspect(&next), runtime.inspect(&old))?;
        let mut left: Vec<&str> = [(&next, successor), (&old, former)]
            .into_iter()
            .filter(|(_, found)| found.as_ref().is_some_and(ContainerState::is_managed))
            .map(|(called, _)| called.as_str())
            .collect();
        if !left.is_empty() && runtime.inspect(name).await?.is_none() {
            self.rename(left.remove(0), name).await?;
        }
        for called in left {
            self.delete(called).await?;
        }
        Ok(())
    }

    /// Stops and removes a container and what stands beside it, that also where a stranger has its name by now.
    pub(super) async fn delete_all(&self, name: &str) -> Result<(), Trouble> {
        let stranger = match self.delete(name).await {
            Err(Trouble::Engine(error @ RuntimeError::NameTaken { .. })) => Some(error),
            deleted => deleted.map(|()| None)?,
        };
        if beside::principal(name).is_none() {
            let left = [beside::next(name), beside::old(name)];
            let runtime = self.runtime();
            let (successor, former) = try_join!(runtime.inspect(&left[0]), runtime.inspect(&left[1]))?;
            for found in [successor, former].into_iter().flatten().filter(ContainerState::is_managed) {
                self.delete(&found.observed.name).await?;
            }
        }
        stranger.map_or(Ok(()), |error| Err(error.into()))
    }

    async fn rename(&self, name: &str, to: &str) -> Result<(), Trouble> {
        self.whole(self.runtime().rename(name, to)).await?;
        self.place.health.renamed(name, to);
        Ok(())
    }

    /// Makes the successor and waits until it does its work.
    async fn prove(&self, successor: &ContainerSpec) -> Result<(), Trouble> {
        self.enter(Phase::Creating);
        self.create(successor).await?;
        self.launch(successor).await?;
        let check = successor.container.health_check.as_ref();
        if check.is_none_or(|check| check.test == HealthTest::None) {
            return Ok(());
        }
        let environment = &self.place.environment;
        let spent = environment.elapsed().saturating_sub(self.begun) + TO_CLEAR;
        let limit = Duration::from_secs(self.task.timeout_seconds).saturating_sub(spent);
        let healthy = pin!(self.check(&successor.name, Condition::Healthy));
        match select(healthy, pin!(environment.sleep(limit))).await {
            Either::Left((outcome, _)) => outcome.map(drop),
            Either::Right(_) => {
                let message = format!("container `{}` has not become healthy in time", successor.name);
                Err(self.failure("timed-out", &successor.name, message).await)
            }
        }
    }

    /// Takes a successor away that has failed, starts the one before it where that was stopped, and says so; one of which nothing is
    /// known stays for the next attempt.
    async fn withdraw(&self, trouble: Trouble, name: &str, was_stopped: bool) -> Trouble {
        let next = &beside::next(name);
        if matches!(trouble, Trouble::Engine(RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. })) {
            return trouble;
        }
        // The failure that led here is the one to be told. It has served nobody, so it is not asked to end: a stop that is cut off
        // goes on in the engine, and would end it after another attempt has found it running.
        self.enter(Phase::Removing);
        let is_gone = self.whole(self.runtime().remove(next)).await.is_ok();
        let former = match was_stopped {
            false => "is as it was".to_owned(),
            true => match self.start_once(name).await {
                Ok(()) => "runs again".to_owned(),
                Err(error) => format!("does not start again: {error}"),
            },
        };
        let Trouble::Task(error) = trouble else { return trouble };
        let lines = if error.log.is_empty() { "it wrote nothing" } else { "its last lines say more" };
        let fate =
            if is_gone { "it was taken away again" } else { "it could not be taken away, which the next task does" };
        Trouble::Task(TaskError {
            message: format!("{}; the one before it {former}", error.message.replace(next, name)),
            help: Some(format!("{lines}; {fate}")),
            ..error
        })
    }
}

/// Whether an earlier attempt's successor can go on: one that has ended before, or is of other settings, is made anew.
fn is_sound(wanted: Wanted<'_>, found: &ContainerState) -> bool {
    wanted.is(found)
        && step(found, &wanted.spec.container) == LiveStep::None
        && matches!(found.status(), ContainerStatus::Created | ContainerStatus::Running)
        && found.restart_count == 0
}

pub(super) fn is_up(found: &ContainerState) -> bool {
    matches!(found.status(), ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused)
}
