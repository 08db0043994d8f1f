//! The attempts that an agent holds: which may run, which must end.

use super::{Held, Key, Phase, Step};
use crate::{
    action::Action,
    agent::link::Renewal,
    runtime::beside,
    task::{ENGINE_AWAY, Lease, Outcome, Task, TaskError},
};
use std::{sync::Arc, time::Duration};

/// The most attempts that are held at once, however many of them merely wait.
const MOST: usize = 64;

/// Attempts in the order in which they were granted.
#[derive(Debug)]
pub(super) struct Hands {
    concurrency: usize,
    attempts: Vec<Attempt>,
}

#[derive(Debug)]
struct Attempt {
    key: Key,
    task: Arc<Task>,
    lease: Lease,
    /// The right to act ends here unless it is renewed.
    valid_until: Duration,
    /// It has failed if it has not ended by then.
    deadline: Duration,
    run: Option<Run>,
    step: Option<Step>,
    news: News,
}

/// Whether the last step is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum News {
    /// It is.
    Told,
    /// It is not, and goes with the next renewal: more bytes of the same image, say.
    More,
    /// It is not, and is worth a renewal of its own.
    New,
}

/// An attempt that was begun.
#[derive(Debug)]
struct Run {
    /// Since when it is in its present phase.
    since: Duration,
    /// Whether it counts among those that keep the container engine busy.
    has_slot: bool,
}

/// An attempt that is held no longer.
#[derive(Debug)]
pub(super) struct Parting {
    pub(super) key: Key,
    pub(super) was_running: bool,
    pub(super) report: Option<(Lease, Outcome)>,
}

impl Hands {
    pub(super) fn new(concurrency: usize) -> Self {
        Self { concurrency: concurrency.max(1), attempts: Vec::new() }
    }

    /// Takes a granted attempt; an older attempt of the same task is no longer ours, and is returned to be stopped.
    pub(super) fn admit(&mut self, task: Task, now: Duration, valid_until: Duration) -> Option<Key> {
        let lease = task.lease.clone()?;
        let key = Key::of(&lease);
        let older = self.attempts.iter().position(|held| held.key.task == key.task);
        if older.is_some_and(|place| self.attempts[place].key.attempt >= key.attempt) {
            return None;
        }
        let older = older.map(|place| self.attempts.remove(place));
        self.attempts.push(Attempt {
            key,
            deadline: now + time_limit(&task),
            task: Arc::new(task),
            lease,
            valid_until,
            run: None,
            step: None,
            news: News::Told,
        });
        older.filter(|held| held.run.is_some()).map(|held| held.key)
    }

    /// How many more may be asked for: what can begin at once, and as many again, to be at hand when a slot is free.
    pub(super) fn room(&self) -> usize {
        let ahead = (0..self.attempts.len()).filter(|place| self.may_begin(*place)).count();
        let taken = self.busy() + ahead;
        (2 * self.concurrency).saturating_sub(taken).min(MOST.saturating_sub(self.attempts.len()))
    }

    /// Begins what may begin: the oldest of its subject, by priority, while slots are free.
    pub(super) fn begin(&mut self, now: Duration) -> impl Iterator<Item = (Key, Arc<Task>)> + use<> {
        let mut begun = Vec::new();
        while self.busy() < self.concurrency {
            let Some(place) = self.next_to_begin() else { break };
            let held = &mut self.attempts[place];
            held.run = Some(Run { since: now, has_slot: true });
            held.deadline = now + time_limit(&held.task);
            begun.push((held.key.clone(), Arc::clone(&held.task)));
        }
        begun.into_iter()
    }

    fn next_to_begin(&self) -> Option<usize> {
        let ready = (0..self.attempts.len()).filter(|place| self.may_begin(*place));
        // Of equals the last maximum is taken, so the oldest comes last.
        ready.rev().max_by_key(|place| self.attempts[*place].task.priority)
    }

    /// Whether an attempt waits for nothing but a slot: none before it acts on its subject.
    fn may_begin(&self, place: usize) -> bool {
        let subject = subject(&self.attempts[place]);
        let is_before = |(other, earlier): (usize, &Attempt)| {
            (other < place || earlier.run.is_some()) && self::subject(earlier) == subject
        };
        self.attempts[place].run.is_none() && !self.attempts.iter().enumerate().any(is_before)
    }

    fn busy(&self) -> usize {
        self.attempts.iter().filter(|held| held.run.as_ref().is_some_and(|run| run.has_slot)).count()
    }

    /// Notes what an attempt does; those that wait for the same pull do the same.
    pub(super) fn stepped(&mut self, key: &Key, step: &Step, now: Duration) {
        let Some(place) = self.running(key) else { return };
        let held = &mut self.attempts[place];
        if let Some(run) = &mut held.run {
            if held.step.as_ref().is_none_or(|last| last.phase != step.phase) {
                run.since = now;
            }
            run.has_slot &= step.phase.is_work();
        }
        let payload = held.task.payload.clone();
        for held in self.attempts.iter_mut().filter(|held| held.key == *key || shares(held, &payload)) {
            let goes_on = |last: &Step| last.phase == step.phase && last.bytes.is_some() == step.bytes.is_some();
            let news = if held.step.as_ref().is_some_and(goes_on) { News::More } else { News::New };
            held.news = held.news.max(news);
            held.step = Some(step.clone());
        }
    }

    /// An attempt has ended: what is to be reported, also of those that waited for the same pull and have what they wanted. One
    /// that failed has failed for itself: the next pulls itself.
    pub(super) fn ended(&mut self, key: &Key, outcome: Outcome) -> Vec<(Lease, Outcome)> {
        let Some(place) = self.running(key) else { return Vec::new() };
        let ended = self.attempts.remove(place);
        let has_come = matches!(outcome, Outcome::Completed(_));
        let followers = self.attempts.extract_if(.., |held| has_come && shares(held, &ended.task.payload));
        let mut reports: Vec<_> = followers.map(|held| (held.lease, outcome.clone())).collect();
        reports.insert(0, (ended.lease, outcome));
        reports
    }

    /// The answer to a renewal: what is still ours, what is not, and what is to be cancelled.
    pub(super) fn renewed(&mut self, asked: &[Key], answer: &[Held], valid_until: Duration) -> Vec<Parting> {
        let mut parted = Vec::new();
        self.attempts.retain_mut(|held| {
            if !asked.contains(&held.key) {
                return true;
            }
            let found = answer.iter().find(|one| one.task == held.key.task && one.attempt == held.key.attempt);
            match found {
                Some(Held { cancel: None, .. }) => {
                    held.valid_until = held.valid_until.max(valid_until);
                    true
                }
                Some(Held { cancel: Some(_), .. }) => {
                    parted.push(held.part(Some(Outcome::Cancelled)));
                    false
                }
                None => {
                    parted.push(held.part(None));
                    false
                }
            }
        });
        parted
    }

    /// Attempts whose right or time has run out. Slots of those that merely wait become free.
    pub(super) fn overdue(&mut self, now: Duration) -> Vec<Parting> {
        let mut parted = Vec::new();
        // All of them have one engine.
        let engine = self.attempts.iter().filter(|held| held.run.is_some()).find_map(Attempt::engine_away).cloned();
        self.attempts.retain_mut(|held| {
            if held.valid_until <= now {
                parted.push(held.part(None));
                return false;
            }
            if held.deadline <= now {
                parted.push(held.part(Some(Outcome::Failed(held.timed_out(engine.as_deref())))));
                return false;
            }
            if let Some(run) = &mut held.run {
                run.has_slot &= now < run.since + Phase::PATIENCE;
            }
            true
        });
        parted
    }

    /// When [`overdue`](Self::overdue) has something new to say.
    pub(super) fn next_change(&self, now: Duration) -> Option<Duration> {
        let moments = self.attempts.iter().flat_map(|held| {
            let slot = held.run.as_ref().filter(|run| run.has_slot).map(|run| run.since + Phase::PATIENCE);
            [Some(held.valid_until), Some(held.deadline), slot]
        });
        moments.flatten().filter(|moment| *moment > now).min()
    }

    /// Every lease, with what was not told yet.
    pub(super) fn renewals(&mut self) -> Vec<Renewal> {
        let renewal = |held: &mut Attempt| {
            let news = std::mem::replace(&mut held.news, News::Told);
            let progress = held.step.as_ref().filter(|_| news != News::Told).map(Step::progress);
            Renewal { lease: held.lease.clone(), progress }
        };
        self.attempts.iter_mut().map(renewal).collect()
    }

    /// What was told did not arrive.
    pub(super) fn tell_again(&mut self) {
        for held in &mut self.attempts {
            held.news = if held.step.is_some() { News::New } else { News::Told };
        }
    }

    /// Lets go of what was not begun.
    pub(super) fn drop_waiting(&mut self) {
        self.attempts.retain(|held| held.run.is_some());
    }

    /// Whether there is something to tell that is worth a renewal of its own.
    pub(super) fn has_news(&self) -> bool {
        self.attempts.iter().any(|held| held.news == News::New)
    }

    pub(super) fn is_idle(&self) -> bool {
        self.attempts.is_empty()
    }

    pub(super) fn drop_all(&mut self) -> impl Iterator<Item = Key> {
        self.attempts.drain(..).filter(|held| held.run.is_some()).map(|held| held.key)
    }

    fn running(&self, key: &Key) -> Option<usize> {
        self.attempts.iter().position(|held| held.key == *key && held.run.is_some())
    }
}

impl Attempt {
    fn part(&self, outcome: Option<Outcome>) -> Parting {
        Parting {
            key: self.key.clone(),
            was_running: self.run.is_some(),
            report: outcome.map(|outcome| (self.lease.clone(), outcome)),
        }
    }

    /// What was said of the engine, if it does not answer this attempt.
    fn engine_away(&self) -> Option<&String> {
        self.step.as_ref().filter(|step| step.phase == Phase::Away).map(|step| &step.message)
    }

    /// Why it has not ended in its time; `engine` is what was said of one that does not answer.
    fn timed_out(&self, engine: Option<&str>) -> TaskError {
        let subject = self.task.payload.subject();
        if let Some(engine) = engine {
            return TaskError {
                code: ENGINE_AWAY.to_owned(),
                message: format!("not done within {} s: {engine}", self.task.timeout_seconds),
                help: Some(
                    "see whether the engine runs on that host (`docker info`); the task goes on when it answers"
                        .to_owned(),
                ),
                log: Vec::new(),
                retryable: true,
            };
        }
        let last = match (&self.run, &self.step) {
            (None, _) => format!("waiting for an earlier task on `{subject}`"),
            (Some(_), None) => "begun".to_owned(),
            (Some(_), Some(step)) if step.message.is_empty() => step.phase.as_str().to_owned(),
            (Some(_), Some(step)) => format!("{} ({})", step.phase.as_str(), step.message),
        };
        TaskError {
            code: "timed-out".to_owned(),
            message: format!("not done within {} s; it was last {last}", self.task.timeout_seconds),
            help: Some(format!("see what holds `{subject}` up on this host, or give the task more time")),
            log: Vec::new(),
            retryable: true,
        }
    }
}

/// What an attempt acts on; what stands beside a container belongs to it.
fn subject(held: &Attempt) -> &str {
    let subject = held.task.payload.subject();
    beside::principal(subject).unwrap_or(subject)
}

/// Whether an attempt waits for a pull that is under way.
fn shares(held: &Attempt, payload: &Action) -> bool {
    held.run.is_none() && matches!(payload, Action::Pull { .. }) && *held.task.payload == *payload
}

fn time_limit(task: &Task) -> Duration {
    Duration::from_secs(task.timeout_seconds)
}
