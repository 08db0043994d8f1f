//! One client of a history: what it asks at random, and what the answers mean for each task.

use super::{
    Timed,
    run::Stage,
    task::{Asked, Claimed},
};
use crate::{
    environment::Environment,
    id::{ClaimId, TaskId},
    store::{ClaimRequest, SessionRequest, StoreError, TaskStore},
    task::{Input, Lease, Outcome, Task, TaskError, TaskResult},
    testing::{ManualEnvironment, store_suite::Stop},
};
use jiff::SignedDuration;
use std::{thread, time::Duration};

/// Of so many things to do one is chosen.
const CHOICES: u64 = 20;

/// Seconds that a lease of a history lasts.
const LEASE: i64 = 30;

pub(super) struct Client<'a> {
    pub(super) stage: &'a Stage,
    pub(super) store: &'a dyn TaskStore,
    pub(super) number: usize,
    pub(super) dice: ManualEnvironment,
    /// Claims that were granted something.
    pub(super) granted: Vec<ClaimId>,
    /// What was asked of which task.
    pub(super) log: Vec<(TaskId, Timed<Asked>)>,
}

impl Client<'_> {
    /// Does so many things.
    pub(super) async fn run(&mut self, operations: usize) -> Result<(), Stop> {
        for step in 0..operations {
            match self.roll(CHOICES) {
                0..=4 => self.claim(ClaimId::new(format!("c{}.{step}", self.number))).await?,
                5 => match self.granted.last().cloned() {
                    Some(claim) => self.claim_again(claim).await?,
                    None => self.read().await?,
                },
                6..=8 => self.renew().await?,
                9 | 10 => self.renew_many().await?,
                11..=14 => self.report().await?,
                15 => self.cancel().await?,
                16 | 17 => self.retry().await?,
                18 if self.roll(2) == 0 => self.expire().await?,
                18 if self.roll(4) == 0 => self.session(format!("n{}.{step}", self.number)).await?,
                _ => self.read().await?,
            }
        }
        Ok(())
    }

    fn roll(&self, sides: u64) -> u64 {
        u64::try_from(self.dice.random() % u128::from(sides)).unwrap_or_default()
    }

    fn any_task(&self) -> TaskId {
        let tasks = &self.stage.tasks;
        let place = usize::try_from(self.roll(tasks.len() as u64)).unwrap_or_default();
        tasks.get(place).cloned().unwrap_or_else(|| TaskId::from("none"))
    }

    /// A lease that anybody was granted: mostly one of the newest.
    fn any_lease(&self) -> Option<Lease> {
        let leases = self.stage.leases();
        let back = if self.roll(4) == 0 { self.roll(leases.len().max(1) as u64) } else { self.roll(4) };
        let back = usize::try_from(back).unwrap_or_default();
        leases.get(leases.len().saturating_sub(1 + back)).cloned()
    }

    fn note(&mut self, task: &TaskId, begin: u64, end: u64, operation: Asked) {
        self.log.push((task.clone(), Timed { begin, end, operation }));
    }

    async fn claim(&mut self, claim: ClaimId) -> Result<(), Stop> {
        let (now, epoch) = (self.stage.now(), self.stage.epoch(self.roll(10) == 0));
        let max = if self.roll(2) == 0 { 1 } else { 100 };
        let expires_at = now + SignedDuration::from_secs(LEASE);
        let host = self.stage.host.clone();
        let request = ClaimRequest { host, epoch, claim: claim.clone(), max, expires_at, expect: None };
        let begin = self.stage.begin();
        let result = self.store.claim(request, now).await;
        let input = Input::Claim { epoch, claim: claim.clone(), expires_at };
        let asked = |answer| Asked::Claim { epoch, input: input.clone(), now, answer };
        let (granted, end) = match result {
            Err(StoreError::SessionLost { .. }) => {
                let end = self.stage.moment();
                self.note_all(begin, end, |_| Some(asked(Claimed::SessionLost)));
                return Ok(());
            }
            result => self.answered(result)?,
        };
        let Some(granted) = granted else {
            self.note_all(begin, end, |_| Some(asked(Claimed::Unknown)));
            return Ok(());
        };
        if !granted.is_empty() {
            self.granted.push(claim);
        }
        self.stage.grant(granted.iter().filter_map(|task| task.lease.clone()));
        // Who was given as much as was asked for says nothing of the others.
        let is_all = granted.len() < max;
        self.note_all(begin, end, |id| match granted.iter().find(|task| task.id == *id) {
            Some(task) => Some(asked(Claimed::Granted(Box::new(task.clone())))),
            None => is_all.then(|| asked(Claimed::NotGranted)),
        });
        Ok(())
    }

    async fn claim_again(&mut self, claim: ClaimId) -> Result<(), Stop> {
        let (now, epoch) = (self.stage.now(), self.stage.epoch(false));
        let expires_at = now + SignedDuration::from_secs(LEASE);
        let host = self.stage.host.clone();
        let request = ClaimRequest { host, epoch, claim: claim.clone(), max: 100, expires_at, expect: None };
        let begin = self.stage.begin();
        let (held, end) = match self.store.claim(request, now).await {
            // A newer session: this claim is no longer of any use.
            Err(StoreError::SessionLost { .. }) => return Ok(()),
            result => self.answered(result)?,
        };
        let asked = |held| Asked::ClaimAgain { claim: claim.clone(), expires_at, held };
        self.note_all(begin, end, |id| Some(asked(held.as_ref().map(|held| one_of(held, id)))));
        Ok(())
    }

    async fn renew_many(&mut self) -> Result<(), Stop> {
        let mut leases: Vec<Lease> = (0..2).filter_map(|_| self.any_lease()).collect();
        leases.dedup_by(|one, other| one.task == other.task);
        let expires_at = self.stage.now() + SignedDuration::from_secs(LEASE);
        let begin = self.stage.begin();
        let (held, end) = self.answered(self.store.renew(&leases, expires_at).await)?;
        for lease in leases {
            let (id, held) = (lease.task.clone(), held.as_ref().map(|held| one_of(held, &lease.task)));
            self.note(&id, begin, end, Asked::Renew { lease, expires_at, held });
        }
        Ok(())
    }

    async fn renew(&mut self) -> Result<(), Stop> {
        let Some(lease) = self.any_lease() else { return self.read().await };
        let expires_at = self.stage.now() + SignedDuration::from_secs(LEASE);
        self.act(lease.task.clone(), Input::Renew { lease, expires_at, progress: None }).await
    }

    async fn report(&mut self) -> Result<(), Stop> {
        let Some(lease) = self.any_lease() else { return self.read().await };
        let retryable = self.roll(2) == 0;
        let outcome = match self.roll(4) {
            0 => Outcome::Completed(TaskResult { success: true, ..TaskResult::default() }),
            1 => Outcome::Cancelled,
            _ => {
                let (code, message) = ("exited".to_owned(), "exit code 1".to_owned());
                Outcome::Failed(TaskError { code, message, help: None, log: Vec::new(), retryable })
            }
        };
        self.act(lease.task.clone(), Input::Report { lease, outcome }).await
    }

    async fn cancel(&mut self) -> Result<(), Stop> {
        self.act(self.any_task(), Input::Cancel { reason: format!("by {}", self.number) }).await
    }

    async fn retry(&mut self) -> Result<(), Stop> {
        self.act(self.any_task(), Input::Retry).await
    }

    async fn act(&mut self, id: TaskId, input: Input) -> Result<(), Stop> {
        let now = self.stage.now();
        let begin = self.stage.begin();
        let result = match self.store.act(&id, input.clone(), now).await {
            Ok(acted) => {
                let none = || Stop::Broken(format!("an input of `{id}` was taken, and the answer does not tell of it"));
                Ok(Ok(one_of(&acted.tasks, &id).ok_or_else(none)?))
            }
            Err(StoreError::Refused { refusal, .. }) => Ok(Err(refusal)),
            Err(other) => Err(other),
        };
        let (answer, end) = self.answered(result)?;
        self.note(&id, begin, end, Asked::Act { input: Box::new(input), now, answer });
        Ok(())
    }

    async fn expire(&mut self) -> Result<(), Stop> {
        let now = self.stage.now();
        let begin = self.stage.begin();
        let (acted, end) = self.answered(self.store.expire(now).await)?;
        let changed = |id: &TaskId| acted.as_ref().map(|acted| one_of(&acted.tasks, id));
        self.note_all(begin, end, |id| Some(Asked::Expire { now, changed: changed(id) }));
        Ok(())
    }

    async fn session(&mut self, nonce: String) -> Result<(), Stop> {
        let (now, host) = (self.stage.now(), self.stage.host.clone());
        let begin = self.stage.begin();
        let request = SessionRequest { host, nonce, seen_epoch: 0 };
        let session = until_answered(|| self.store.open_session(request.clone(), now)).await?;
        let end = self.stage.moment();
        self.stage.open(session.epoch);
        self.note_all(begin, end, |_| Some(Asked::Session { epoch: session.epoch, now }));
        Ok(())
    }

    async fn read(&mut self) -> Result<(), Stop> {
        let id = self.any_task();
        let begin = self.stage.begin();
        let (Some(task), end) = self.answered(self.store.task(&id).await)? else { return Ok(()) };
        let task = task.ok_or_else(|| Stop::Broken(format!("task `{id}` is not there")))?;
        let claim = task.lease.map(|lease| lease.claim);
        self.note(&id, begin, end, Asked::Read { status: task.status, attempt: task.attempt, claim });
        Ok(())
    }

    /// An answer and when it came; none, and no end, where nobody knows what has become of the call.
    fn answered<T>(&self, result: Result<T, StoreError>) -> Result<(Option<T>, u64), Stop> {
        match result {
            Ok(answer) => Ok((Some(answer), self.stage.moment())),
            Err(StoreError::Unavailable(_)) => {
                // Who is turned away at once, and asks at once again, makes a history of nothing but open questions.
                thread::sleep(REST);
                Ok((None, u64::MAX))
            }
            Err(other) => Err(other.into()),
        }
    }

    /// Notes for each task what an answer means for it.
    fn note_all(&mut self, begin: u64, end: u64, mut meaning: impl FnMut(&TaskId) -> Option<Asked>) {
        let stage = self.stage;
        for id in &stage.tasks {
            if let Some(operation) = meaning(id) {
                self.note(id, begin, end, operation);
            }
        }
    }
}

/// How long a client rests that was not answered. Each has a thread of its own.
const REST: Duration = Duration::from_millis(20);

/// How often a call is made that a history cannot do without.
const TRIES: usize = 1_000;

/// Makes a call, which has one effect however often it is made, until it is answered.
pub(super) async fn until_answered<T, F>(call: impl Fn() -> F) -> Result<T, Stop>
where
    F: Future<Output = Result<T, StoreError>>,
{
    for _ in 0..TRIES {
        match call().await {
            Err(StoreError::Unavailable(_)) => thread::sleep(REST),
            answer => return Ok(answer?),
        }
    }
    Err(Stop::Broken(format!("the store is not available, however often it is asked ({TRIES} times)")))
}

fn one_of(tasks: &[Task], id: &TaskId) -> Option<Box<Task>> {
    tasks.iter().find(|task| task.id == *id).cloned().map(Box::new)
}
