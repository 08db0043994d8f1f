//! What is to be done about one container where it is to be.

use crate::{
    inventory::{ContainerStatus, ObservedContainer},
    runtime::{ContainerSpec, LiveSettings, LiveStep, label},
    stack::{Container, RestartPolicy},
};
use std::borrow::Cow;

/// What is to be done about one container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is as it should be.
    Unchanged,
    /// It is not there.
    Absent,
    /// It is there, and has these settings where it is to have others, which its engine can set in place.
    Adjustable(Box<LiveSettings>),
    /// It is there, and must be replaced for this reason.
    Differs(Cow<'static, str>),
    /// It is as it should be, unless its image's name names another image by now.
    MayHaveMoved,
}

impl Verdict {
    /// Compares what is wanted with what was seen under its name; `awaited` says that another waits for its end, `applied`
    /// which settings it was given last.
    pub(super) fn on(
        spec: &ContainerSpec,
        seen: Option<&ObservedContainer>,
        awaited: bool,
        applied: impl FnOnce() -> Option<LiveSettings>,
    ) -> Self {
        let Some(seen) = seen else { return Self::Absent };
        match seen.label(label::HASH) {
            Some(hash) if spec.planned_hash().is(hash) => {}
            Some(_) => return Self::redefined(),
            None => return Self::Differs(Cow::Borrowed("nobody knows what it was made from")),
        }
        match seen.status {
            ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused => {
                Self::of_settings(spec, seen, applied)
            }
            ContainerStatus::Exited if has_done_its_work(&spec.container, seen, awaited) => {
                Self::of_settings(spec, seen, applied)
            }
            ContainerStatus::Exited if seen.ended_by_task => Self::Differs(Cow::Borrowed("was stopped")),
            ContainerStatus::Exited => Self::Differs(match seen.exit_code {
                Some(code) => Cow::Owned(format!("exited with code {code}")),
                None => Cow::Borrowed("exited"),
            }),
            ContainerStatus::Stopped => Self::Differs(Cow::Borrowed("is stopped")),
            ContainerStatus::Created => Self::Differs(Cow::Borrowed("was never started")),
            ContainerStatus::Dead => Self::Differs(Cow::Borrowed("could not be removed and is dead")),
            ContainerStatus::Removing => Self::Differs(Cow::Borrowed("is being removed")),
        }
    }

    /// It is there and does what it should: compares what can change meanwhile.
    fn of_settings(
        spec: &ContainerSpec,
        seen: &ObservedContainer,
        applied: impl FnOnce() -> Option<LiveSettings>,
    ) -> Self {
        let mut present = seen.settings.unwrap_or_default();
        if !present.is_complete() {
            present = present.or(applied().unwrap_or_default());
        }
        match present.step_to(&LiveSettings::of(&spec.container)) {
            LiveStep::None => Self::Unchanged,
            LiveStep::InPlace(_) => Self::Adjustable(Box::new(present)),
            LiveStep::Anew(limits) => {
                let limits: Vec<String> = limits.into_iter().map(|limit| format!("`{limit}`")).collect();
                Self::Differs(Cow::Owned(format!("no engine takes {} away in place", limits.join(", "))))
            }
        }
    }

    /// It is there, made from another definition.
    pub(super) fn redefined() -> Self {
        Self::Differs(Cow::Borrowed("its definition changed"))
    }

    /// It may be there, and its successor beside it: whoever looks goes on from that.
    pub(super) fn half_way() -> Self {
        Self::Differs(Cow::Borrowed("its replacement was broken off"))
    }

    pub(super) fn is_change(&self) -> bool {
        *self != Self::Unchanged
    }

    /// Whether a new container is made.
    pub(super) fn makes(&self) -> bool {
        matches!(self, Self::Absent | Self::Differs(_) | Self::MayHaveMoved)
    }
}

/// Whether any end of a container is one too many.
pub(crate) fn keeps_running(definition: &Container) -> bool {
    matches!(definition.restart_policy, RestartPolicy::Always | RestartPolicy::UnlessStopped)
}

/// Whether a container that ended was meant to: with code 0, and others wait for its end or its policy restarts failures only, and
/// it did not end with its engine. One that a task has stopped was not done.
pub(crate) fn has_done_its_work(definition: &Container, seen: &ObservedContainer, awaited: bool) -> bool {
    let meant = awaited || matches!(definition.restart_policy, RestartPolicy::OnFailure(_)) && !seen.ended_with_engine;
    has_ended_well(seen) && meant
}

/// Whether a container has ended by itself with code 0, or with its engine.
pub(crate) fn has_ended_well(seen: &ObservedContainer) -> bool {
    seen.status == ContainerStatus::Exited && seen.exit_code == Some(0) && !seen.ended_by_task
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;

    #[test]
    fn whether_an_end_was_meant_is_told_by_the_policy_the_code_and_who_ended_it() {
        let policies = [
            (RestartPolicy::No, false, false),
            (RestartPolicy::OnFailure(Some(3)), false, true),
            (RestartPolicy::UnlessStopped, true, false),
            (RestartPolicy::Always, true, false),
        ];
        let mut ended = fixtures::foreign("web", "vm1", None);
        (ended.status, ended.exit_code) = (ContainerStatus::Exited, Some(0));
        for (restart_policy, keeps, is_done) in policies {
            let definition = Container { restart_policy, ..fixtures::container("web") };
            assert_eq!(keeps_running(&definition), keeps, "{restart_policy:?}");
            let done = |seen: &ObservedContainer, awaited| has_done_its_work(&definition, seen, awaited);
            assert_eq!((done(&ended, false), done(&ended, true)), (is_done, true), "{restart_policy:?}");
            let by_engine = ObservedContainer { ended_with_engine: true, ..ended.clone() };
            assert_eq!((done(&by_engine, false), done(&by_engine, true)), (false, true), "{restart_policy:?}");
            let failed = ObservedContainer { exit_code: Some(1), ..ended.clone() };
            let by_task = ObservedContainer { ended_by_task: true, ..ended.clone() };
            let running = ObservedContainer { status: ContainerStatus::Running, ..ended.clone() };
            for seen in [failed, by_task, running] {
                assert!(!done(&seen, false) && !done(&seen, true), "{restart_policy:?} {seen:?}");
            }
        }
    }
}
