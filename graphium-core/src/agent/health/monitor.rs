//! The records of a host's containers, and the questions that are due.

use super::{Record, check_in};
use crate::{
    environment::Environment,
    inventory::{ContainerStatus, Health},
    runtime::{ContainerRuntime, ContainerState, Probe, RuntimeError, label},
    stack::{HealthCheck, HealthTest},
};
use event_listener::{Event, EventListener};
use futures::{
    StreamExt as _,
    future::{Either, select},
    stream::FuturesUnordered,
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// No more is kept of what a check shows: as much as Docker keeps.
const MOST_OUTPUT: usize = 4096;
/// An engine may take so long, beside the check's own time, to say where its container is asked.
const ENGINE: Duration = Duration::from_secs(60);

/// Makes the checks of one host that no engine makes.
///
/// Two may ask for the same container, the agent's own [round](Self::run) and a task that waits for it:
/// whoever comes first asks, and both see the answer.
#[derive(Debug, Default)]
pub struct HealthMonitor {
    patients: Mutex<Patients>,
    /// Containers came or went.
    seen: Event,
    /// The health of a container is another.
    changed: Event,
}

/// The containers that have a check of ours, by name.
#[derive(Debug, Default)]
struct Patients {
    by_name: BTreeMap<String, Patient>,
    /// How many runs there have been so far.
    runs: u64,
}

/// One run of one container: a name, and even an id, may have several, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run(u64);

/// One run of one container, and what is known of it.
#[derive(Debug)]
struct Patient {
    run: Run,
    id: String,
    started_at: Option<Timestamp>,
    check: HealthCheck,
    record: Record,
    is_being_asked: bool,
}

/// How a container stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Standing {
    pub(in super::super) health: Health,
    /// What the last check has shown.
    pub(in super::super) last: Option<String>,
}

impl HealthMonitor {
    /// Looks at a container that was inspected just now, makes its check if that is due, and says how it stands.
    ///
    /// `None` where there is no check for the agent to make, or the container does not run.
    pub(in super::super) async fn attend(
        &self,
        runtime: &dyn ContainerRuntime,
        environment: &dyn Environment,
        state: &ContainerState,
    ) -> Option<Standing> {
        let name = &state.observed.name;
        if !self.admit(environment, state) {
            return None;
        }
        if let Some(asking) = self.begin(name, environment.elapsed()) {
            asking.ask(runtime, environment).await;
        }
        self.standing(name)
    }

    /// Makes every check when it is due; it ends with whoever polls it.
    pub async fn run(&self, runtime: &dyn ContainerRuntime, environment: &dyn Environment) {
        let mut asked = FuturesUnordered::new();
        loop {
            let seen = self.seen.listen();
            let now = environment.elapsed();
            for asking in self.due(now).into_iter().filter_map(|name| self.begin(&name, now)) {
                asked.push(asking.look_and_ask(runtime, environment));
            }
            let pause = self.next_due().map(|due| due.saturating_sub(environment.elapsed()));
            let sleep = pin!(async {
                match pause {
                    Some(pause) => environment.sleep(pause).await,
                    None => futures::future::pending().await,
                }
            });
            let answer = pin!(async {
                match asked.is_empty() {
                    false => asked.next().await,
                    true => futures::future::pending().await,
                }
            });
            drop(select(answer, select(sleep, seen)).await);
        }
    }

    /// Notes which of our containers run, fills in how they stand, and forgets those that are there no more.
    pub(in super::super) fn show(&self, environment: &dyn Environment, listed: &mut [ContainerState]) {
        let is_there = |name: &String| listed.iter().any(|state| state.observed.name == *name);
        self.patients().by_name.retain(|name, _| is_there(name));
        listed.iter_mut().for_each(|state| self.fill(environment, state));
        self.seen.notify(usize::MAX);
    }

    /// Makes a container as it may be told of: with its health, and without what its check is.
    pub(in super::super) fn fill(&self, environment: &dyn Environment, state: &mut ContainerState) {
        if self.admit(environment, state) {
            state.observed.health = self.standing(&state.observed.name).map(|standing| standing.health);
        }
        // What it says may be for nobody else to read: headers of a request.
        state.observed.labels.shift_remove(label::HEALTH_CHECK);
    }

    /// A container goes on under another name, with what is known of it.
    pub(in super::super) fn renamed(&self, name: &str, to: &str) {
        let by_name = &mut self.patients().by_name;
        if let Some(mut patient) = by_name.remove(name) {
            // A check that is under way is of the old name, and says nothing of this one.
            patient.is_being_asked = false;
            by_name.insert(to.to_owned(), patient);
        }
    }

    /// Ends with the next change of a container's health.
    pub(in super::super) fn change(&self) -> EventListener {
        self.changed.listen()
    }

    /// Whether there is a check to make of a container as it was seen; a record of another run of it is dropped.
    fn admit(&self, environment: &dyn Environment, state: &ContainerState) -> bool {
        let observed = &state.observed;
        let runs = state.is_managed() && state.status() == ContainerStatus::Running;
        let check = check_in(&observed.labels).filter(|_| runs);
        let mut patients = self.patients();
        let Some(check) = check else {
            patients.by_name.remove(&observed.name);
            return false;
        };
        let is_known = patients.by_name.get_mut(&observed.name).is_some_and(|patient| patient.is_same_run(state));
        if !is_known {
            // A list does not tell when it has started; then it was made at that time or later.
            let since = state.started_at.or(observed.date_created);
            let running_for = since.and_then(|since| Duration::try_from(environment.now() - since).ok());
            let record = Record::new(&check, environment.elapsed(), running_for.unwrap_or_default());
            patients.runs += 1;
            let (run, id, started_at) = (Run(patients.runs), observed.id.clone(), state.started_at);
            let patient = Patient { run, id, started_at, check, record, is_being_asked: false };
            patients.by_name.insert(observed.name.clone(), patient);
        }
        true
    }

    fn standing(&self, name: &str) -> Option<Standing> {
        let patients = self.patients();
        let record = &patients.by_name.get(name)?.record;
        Some(Standing { health: record.health(), last: record.last().map(str::to_owned) })
    }

    fn due(&self, now: Duration) -> Vec<String> {
        let patients = self.patients();
        let due = patients.by_name.iter().filter(|(_, patient)| !patient.is_being_asked && patient.record.due() <= now);
        due.map(|(name, _)| name.clone()).collect()
    }

    fn next_due(&self) -> Option<Duration> {
        let patients = self.patients();
        patients.by_name.values().filter(|patient| !patient.is_being_asked).map(|patient| patient.record.due()).min()
    }

    /// Takes it upon the caller to make a check that is due; `None` where it is not, or another makes it.
    fn begin(&self, name: &str, now: Duration) -> Option<Asking<'_>> {
        let mut patients = self.patients();
        let patient = patients.by_name.get_mut(name)?;
        if patient.is_being_asked || patient.record.due() > now {
            return None;
        }
        patient.is_being_asked = true;
        let (run, test, timeout) = (patient.run, patient.check.test.clone(), patient.record.timeout());
        Some(Asking { monitor: self, name: name.to_owned(), run, test, timeout })
    }

    fn patients(&self) -> MutexGuard<'_, Patients> {
        self.patients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Patients {
    /// What is known of this run, unless another of that name is there by now.
    fn of(&mut self, name: &str, run: Run) -> Option<&mut Patient> {
        self.by_name.get_mut(name).filter(|patient| patient.run == run)
    }
}

impl Patient {
    /// Whether it is this run that was seen; what a list has left out is learnt.
    fn is_same_run(&mut self, state: &ContainerState) -> bool {
        let is_same = self.id == state.observed.id
            && (state.started_at.is_none() || self.started_at.is_none() || self.started_at == state.started_at);
        self.started_at = self.started_at.or(state.started_at);
        is_same
    }
}

/// A check that one caller makes of one run. Dropped, it is another's to make.
struct Asking<'m> {
    monitor: &'m HealthMonitor,
    name: String,
    run: Run,
    test: HealthTest,
    timeout: Duration,
}

impl Asking<'_> {
    /// Sees first whether it is still the same container that runs, and then makes the check.
    async fn look_and_ask(self, runtime: &dyn ContainerRuntime, environment: &dyn Environment) {
        match runtime.inspect(&self.name).await {
            Ok(Some(state)) => {
                if self.monitor.admit(environment, &state) && self.is_still() {
                    self.ask(runtime, environment).await;
                }
            }
            Ok(None) => self.forget(),
            // Silence of the engine is no verdict on its containers.
            Err(_) => self.conclude(|record| record.postpone(environment.elapsed())),
        }
    }

    async fn ask(self, runtime: &dyn ContainerRuntime, environment: &dyn Environment) {
        let begun = environment.elapsed();
        let answer = {
            let question = runtime.probe(&self.name, &self.test, self.timeout);
            // The container's own silence is an answer within its time; what is late beyond that is the engine.
            match select(question, pin!(environment.sleep(self.timeout.saturating_add(ENGINE)))).await {
                Either::Left((answer, _)) => Some(answer),
                Either::Right(_) => None,
            }
        };
        let ended = environment.elapsed();
        let Some(answer) = answer else { return self.conclude(|record| record.postpone(ended)) };
        match answer {
            Ok(probe) => self.conclude(|record| record.take_in(begun, ended, bounded(probe))),
            // A test that this runtime cannot make is one that fails.
            Err(RuntimeError::Refused(words)) => {
                self.conclude(|record| record.take_in(begun, ended, Probe::failed(words)));
            }
            Err(RuntimeError::NotFound(_)) => self.forget(),
            Err(_) => self.conclude(|record| record.postpone(ended)),
        }
    }

    /// Whether the run that it was begun for is the present one.
    fn is_still(&self) -> bool {
        self.monitor.patients().of(&self.name, self.run).is_some()
    }

    /// The run is over.
    fn forget(&self) {
        let mut patients = self.monitor.patients();
        if patients.of(&self.name, self.run).is_some() {
            patients.by_name.remove(&self.name);
        }
    }

    fn conclude(&self, change: impl FnOnce(&mut Record)) {
        let mut patients = self.monitor.patients();
        let Some(patient) = patients.of(&self.name, self.run) else { return };
        let before = patient.record.health();
        change(&mut patient.record);
        if patient.record.health() != before {
            self.monitor.changed.notify(usize::MAX);
        }
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if let Some(patient) = self.monitor.patients().of(&self.name, self.run) {
            patient.is_being_asked = false;
        }
    }
}

fn bounded(mut probe: Probe) -> Probe {
    if probe.output.len() > MOST_OUTPUT {
        let end = (0..=MOST_OUTPUT).rev().find(|end| probe.output.is_char_boundary(*end)).unwrap_or(0);
        probe.output.truncate(end);
    }
    probe
}

#[cfg(all(test, feature = "testing"))]
mod tests;
