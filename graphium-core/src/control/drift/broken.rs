//! What of a stack does not run although it should: a function of its record and of what was seen.

use super::pace::{Repairs, Turn};
use crate::{
    control::{StackRecord, reserve::definition},
    id::HostId,
    inventory::{ContainerStatus, Host, HostStatus, ObservedContainer},
    plan::{has_done_its_work, keeps_running},
    stack::{Condition, Container, OnDrift, RestartPolicy, Stack},
};
use jiff::{SignedDuration, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a stack of which everything was done, and what follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::control) struct Drift {
    /// In words, one for each container.
    pub(in crate::control) words: Vec<String>,
    /// What is to be brought back now, by name within the stack.
    pub(in crate::control) due: BTreeSet<String>,
    /// When something else is.
    pub(in crate::control) next: Option<Timestamp>,
    /// The repairs that count, and what was given up.
    pub(in crate::control) repairs: BTreeMap<String, Repairs>,
    /// Whether nobody can say of something whether it runs.
    pub(in crate::control) is_unsure: bool,
}

/// What is wrong with one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Gone,
    Ended(Option<i64>),
    /// A task has stopped it, and what was to start it again was not done.
    Stopped,
    /// With its engine, whatever its code.
    CutOff,
    NeverStarted,
    Dead,
    /// The engine itself starts it again and again.
    Restarting,
}

/// Looks at everything that a stack should have.
///
/// `seen` has what was seen of the stack by `<host>/<name on the engine>`; `was` what each container was last known to do.
pub(in crate::control) fn drift(
    record: &StackRecord,
    seen: &BTreeMap<String, ObservedContainer>,
    was: impl Fn(&str) -> Option<ContainerStatus>,
    hosts: &BTreeMap<HostId, Host>,
    now: Timestamp,
) -> Drift {
    let mut drift = Drift { repairs: record.repairs.clone(), ..Drift::default() };
    if record.policy.on_drift == OnDrift::Accept {
        return drift;
    }
    let stack = &record.applied.stack;
    for (name, host) in &record.applied.placements {
        let Some(definition) = definition(stack, name) else { continue };
        let engine_name = stack.engine_name(name);
        let there = seen.get(&format!("{host}/{engine_name}"));
        let obstacle = hosts.get(host).map_or(Some(Obstacle::Away), obstacle);
        drift.is_unsure |= obstacle == Some(Obstacle::Away);
        let ends = is_awaited(stack, &definition.name);
        let Some(fault) = fault(definition, there, was(name), ends) else { continue };
        if fault == Fault::Gone && obstacle == Some(Obstacle::Away) {
            continue;
        }
        let place = format!("container `{engine_name}` on host `{host}` {}", fault.words());
        let repairs = drift.repairs.entry(name.clone()).or_default();
        if matches!(was(name), Some(ContainerStatus::Running | ContainerStatus::Paused)) {
            *repairs = repairs.since_it_ran(now);
        }
        let is_for_us = record.policy.on_drift == OnDrift::Repair && is_to_run_again(definition, fault, ends);
        drift.words.push(match (is_for_us, obstacle) {
            (false, _) | (true, Some(Obstacle::Away)) => place,
            (true, Some(Obstacle::TakesNothing(status))) => {
                format!("{place}; it is not started again while the host is {}", mood(status))
            }
            (true, None) => match repairs.turn(now) {
                Turn::Now => {
                    drift.due.insert(name.clone());
                    place
                }
                Turn::At(due) => {
                    drift.next = Some(drift.next.map_or(due, |next| next.min(due)));
                    format!("{place} once more; it is started again at {due}")
                }
                Turn::Never(times, within) => {
                    *repairs = repairs.given_up(now);
                    let within = span(within);
                    let remedy = if fault == Fault::Gone { "deployed" } else { "deployed, started or restarted" };
                    format!(
                        "{place}, {times} times within {within}; it is not started again until the stack is {remedy}"
                    )
                }
            },
        });
    }
    drift.repairs.retain(|_, repairs| *repairs != Repairs::default());
    drift
}

impl Fault {
    fn words(self) -> String {
        match self {
            Self::Gone => "is gone".to_owned(),
            Self::Ended(Some(code)) => format!("ended with exit code {code}"),
            Self::Ended(None) => "has ended".to_owned(),
            Self::Stopped => "is stopped".to_owned(),
            Self::CutOff => "ended when its engine went away".to_owned(),
            Self::NeverStarted => "was never started".to_owned(),
            Self::Dead => "is dead".to_owned(),
            Self::Restarting => "keeps ending and is started again and again".to_owned(),
        }
    }
}

/// What is wrong with a container; of one that is gone counts what it was last known to do, and whether another waits for its
/// end.
fn fault(
    definition: &Container,
    seen: Option<&ObservedContainer>,
    was: Option<ContainerStatus>,
    is_awaited: bool,
) -> Option<Fault> {
    let Some(seen) = seen else {
        let had_ended = matches!(was, Some(ContainerStatus::Exited | ContainerStatus::Stopped));
        return (!had_ended || keeps_running(definition) && !is_awaited).then_some(Fault::Gone);
    };
    match seen.status {
        ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Removing => None,
        ContainerStatus::Restarting => Some(Fault::Restarting),
        ContainerStatus::Dead => Some(Fault::Dead),
        ContainerStatus::Created => Some(Fault::NeverStarted),
        ContainerStatus::Exited | ContainerStatus::Stopped if seen.ended_with_engine && !is_awaited => {
            Some(Fault::CutOff)
        }
        ContainerStatus::Exited | ContainerStatus::Stopped if seen.ended_by_task => Some(Fault::Stopped),
        ContainerStatus::Exited | ContainerStatus::Stopped => {
            let is_well = has_done_its_work(definition, seen, is_awaited)
                || definition.restart_policy == RestartPolicy::No && matches!(seen.exit_code, None | Some(0));
            (!is_well).then_some(Fault::Ended(seen.exit_code))
        }
    }
}

/// What an engine says of a container whose process SIGKILL or SIGTERM has ended: somebody's hand, or the end of the engine.
const KILLED: [i64; 2] = [128 + 9, 128 + 15];

/// Whether it is for the control plane to start a container again: not where the engine does, and not where it has ended by itself
/// and its policy is that nobody does.
fn is_to_run_again(definition: &Container, fault: Fault, is_awaited: bool) -> bool {
    match fault {
        Fault::Restarting => false,
        Fault::Ended(code) => {
            let was_killed = code.is_some_and(|code| KILLED.contains(&code));
            definition.restart_policy != RestartPolicy::No || was_killed && !is_awaited
        }
        Fault::Gone | Fault::Stopped | Fault::NeverStarted | Fault::Dead | Fault::CutOff => true,
    }
}

/// Why nothing can be done on a host now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obstacle {
    /// Nobody knows what runs there.
    Away,
    /// It is to begin nothing new.
    TakesNothing(HostStatus),
}

fn obstacle(host: &Host) -> Option<Obstacle> {
    match host.status {
        _ if host.is_away() => Some(Obstacle::Away),
        HostStatus::Active => None,
        HostStatus::Offline => Some(Obstacle::Away),
        status @ (HostStatus::Maintenance | HostStatus::Draining) => Some(Obstacle::TakesNothing(status)),
    }
}

fn mood(status: HostStatus) -> &'static str {
    match status {
        HostStatus::Maintenance => "in maintenance",
        HostStatus::Draining => "draining",
        HostStatus::Active | HostStatus::Offline => "away",
    }
}

fn span(time: SignedDuration) -> String {
    match (time.as_secs() / 60, time.as_secs() % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// Whether another container of the stack waits for the end of one.
fn is_awaited(stack: &Stack, name: &str) -> bool {
    let mut edges = stack.containers.iter().flat_map(|container| &container.depends_on);
    edges.any(|edge| edge.container == name && edge.condition == Condition::Completed)
}
