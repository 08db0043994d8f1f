//! Decides, and puts what was decided into rows.

use super::{
    ahead::{Ahead, Ids},
    command::{Command, Reply, Submit, answer},
    draft::{Change, Draft, Write},
    error::store_error,
    kept::Kept,
    progress::Progress,
    prune::Stale,
    query,
};
use crate::open::Options;
use graphium_core::{
    id::TaskId,
    store::{
        Acted, ClaimRequest, Expect, Key, Kind, Pruned, RecordWrite, StoreError, Submission, Submitted,
        ledger::{Decision, Ended, Ledger, Work},
    },
    task::Input,
};
use jiff::Timestamp;
use rusqlite::Connection;
use std::{sync::Arc, time::Duration};
use tokio::sync::mpsc;

/// So many tasks or records are few: to decide on them takes no longer than to wake a thread.
const FEW: usize = 16;

/// Unfinished work in memory, and a connection that reads what else was committed.
///
/// It is ahead of the disk by what was decided and not yet committed; that is kept in memory until it is.
pub(super) struct Decider {
    connection: Connection,
    /// Absent while it does not agree with the disk.
    ledger: Option<Ledger>,
    /// The [generation](Progress::generation) of the ledger.
    generation: u64,
    /// Of the last write.
    number: u64,
    /// Of the last one that was handed on to be written.
    handed_on: u64,
    ahead: Ahead,
    ids: Ids,
    progress: Arc<Progress>,
    kept: Arc<Kept>,
    /// Drafts that were written, to be used again.
    spare: mpsc::Receiver<Draft>,
    /// One that was not needed.
    unused: Option<Draft>,
    /// The latest time that a command has brought.
    now: Timestamp,
    grace: Duration,
}

impl Decider {
    pub(super) fn new(
        connection: Connection,
        (progress, kept): (Arc<Progress>, Arc<Kept>),
        spare: mpsc::Receiver<Draft>,
        options: Options,
    ) -> Result<Self, StoreError> {
        let mut decider = Self {
            connection,
            ledger: None,
            generation: progress.generation(),
            number: 0,
            handed_on: 0,
            ahead: Ahead::default(),
            ids: Ids::default(),
            progress,
            kept,
            spare,
            unused: None,
            now: options.now,
            grace: options.grace,
        };
        decider.ledger = Some(decider.load()?);
        Ok(decider)
    }

    /// Reads the ledger from the disk. Leases get their full time anew: nobody may have been able to renew them.
    fn load(&mut self) -> Result<Ledger, StoreError> {
        let mut ledger = Ledger::default();
        for session in query::sessions(&self.connection)? {
            ledger.load_session(session);
        }
        ledger.load(query::unfinished(&self.connection)?, self.now);
        ledger.grant_grace(self.now.saturating_add(self.grace).unwrap_or(Timestamp::MAX));
        self.ids = Ids::above(query::last_task(&self.connection)?);
        Ok(ledger)
    }

    #[cfg(test)]
    pub(super) fn holds(&self, id: &TaskId) -> bool {
        self.ledger.as_ref().is_some_and(|ledger| ledger.task(id).is_some())
    }

    /// Decides, and answers or says what is to be handed on to be written.
    pub(super) fn take_up(&mut self, command: Command) -> Option<Write> {
        let is_claim = matches!(command, Command::Claim { .. });
        let write = self.carry_out(command);
        // Most claims find nothing.
        let write = if is_claim { self.answered(write)? } else { write };
        self.hand_on(&write);
        Some(write)
    }

    /// Whether a command can be decided by what is in memory, and soon.
    pub(super) fn knows_all_for(&mut self, command: &Command) -> bool {
        let Some(ledger) = self.ledger.as_mut().filter(|_| self.progress.generation() == self.generation) else {
            return false;
        };
        self.ahead.forget(self.progress.committed(), |work| ledger.forget(work));
        let is_known = |id: &TaskId| ledger.task(id).is_some() || !self.ids.may_be_stored(id);
        let has_version = |key: &Key| self.ahead.version(key).is_some() || self.kept.version(key).is_some();
        match command {
            Command::Submit { submit, .. } => {
                let Submission { tasks, records, idempotency_key, retry, .. } = &submit.submission;
                let mut ids =
                    tasks.iter().flat_map(|task| std::iter::once(&task.id).chain(&task.depends_on)).chain(retry);
                tasks.len() + records.len() <= FEW
                    && idempotency_key.as_ref().is_none_or(|key| self.ahead.seen(key).is_some())
                    && records.iter().all(|write| has_version(&write.key))
                    && ids.all(is_known)
            }
            Command::Claim { request, .. } => request.expect.as_ref().is_none_or(|(key, _)| has_version(key)),
            Command::Act { task, .. } => is_known(task),
            Command::Renew { leases, .. } => leases.len() <= FEW,
            Command::NextWakeup { .. } => true,
            Command::OpenSession { .. } | Command::Expire { .. } | Command::Prune { .. } => false,
        }
    }

    /// Whether a claim would be granted nothing, by what is in memory and on the disk alike.
    pub(super) fn finds_nothing(&self, request: &ClaimRequest) -> bool {
        let is_as_expected = match &request.expect {
            None => true,
            Some((key, Expect::Version(version))) => self.kept.version(key) == Some(*version),
            Some(_) => false,
        };
        let has_nothing = |ledger: &Ledger| ledger.has_nothing_for(request);
        is_as_expected && self.is_settled() && self.ledger.as_ref().is_some_and(has_nothing)
    }

    /// Whether all that was decided is on the disk.
    fn is_settled(&self) -> bool {
        self.progress.committed() == self.handed_on && self.progress.generation() == self.generation
    }

    /// Decides. The answer may go out once what it tells of is on the disk.
    pub(super) fn carry_out(&mut self, command: Command) -> Write {
        match command {
            Command::Submit { submit, reply } => {
                let now = submit.now;
                self.step(reply, now, |decider, ledger, draft| decider.submit(ledger, *submit, draft))
            }
            Command::OpenSession { request, now, reply } => self.step(reply, now, |decider, ledger, draft| {
                Ok(decider.keep(ledger.open_session(&request, now), now, draft))
            }),
            Command::Claim { request, now, reply } => self.step(reply, now, |decider, ledger, draft| {
                if let Some((key, expect)) = &request.expect {
                    decider.expected(key, *expect)?;
                }
                Ok(decider.keep(ledger.claim(&request, now)?, now, draft))
            }),
            Command::Act { task, input, now, reply } => {
                self.step(reply, now, |decider, ledger, draft| decider.act(ledger, &task, &input, now, draft))
            }
            Command::Renew { leases, expires_at, reply } => {
                self.step(reply, self.now, |_, ledger, _| Ok(ledger.renew(&leases, expires_at)))
            }
            Command::Expire { now, reply } => {
                self.step(reply, now, |decider, ledger, draft| Ok(decider.keep(ledger.expire(now), now, draft)))
            }
            Command::Prune { stale, reply } => {
                self.step(reply, self.now, |decider, ledger, draft| Ok(decider.prune(ledger, stale, draft)))
            }
            Command::NextWakeup { reply } => self.step(reply, self.now, |_, ledger, _| Ok(ledger.next_wakeup())),
        }
    }

    /// Lets a command act on the ledger, which is read anew first if it does not agree with the disk.
    fn step<T: Send + 'static>(
        &mut self,
        reply: Reply<T>,
        now: Timestamp,
        act: impl FnOnce(&mut Self, &mut Ledger, &mut Draft) -> Result<T, StoreError>,
    ) -> Write {
        self.now = self.now.max(now);
        self.number += 1;
        let mut draft = self.unused.take().or_else(|| self.spare.try_recv().ok()).unwrap_or_default();
        let result = self.ledger().and_then(|mut ledger| {
            let result = act(self, &mut ledger, &mut draft);
            self.ledger = Some(ledger);
            result
        });
        Write { number: self.number, generation: self.generation, draft, answer: answer(reply, result) }
    }

    /// Notes that something is handed on to be written.
    pub(super) fn hand_on(&mut self, write: &Write) {
        self.handed_on = write.number;
    }

    /// Lets the answer go where nothing changes and all that was decided before is on the disk; else it comes back, to be written.
    pub(super) fn answered(&mut self, write: Write) -> Option<Write> {
        if !self.is_settled() || !write.draft.is_empty() {
            return Some(write);
        }
        self.unused = Some(write.draft);
        (write.answer)(Ok(()));
        None
    }

    /// The ledger as it is now.
    fn ledger(&mut self) -> Result<Ledger, StoreError> {
        let generation = self.progress.generation();
        if generation != self.generation {
            self.generation = generation;
            self.ledger = None;
            self.ahead = Ahead::default();
        }
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => self.load()?,
        };
        self.ahead.forget(self.progress.committed(), |work| ledger.forget(work));
        Ok(ledger)
    }

    fn submit(&mut self, ledger: &mut Ledger, submit: Submit, draft: &mut Draft) -> Result<Submitted, StoreError> {
        let Submit { submission, bodies, records, now } = submit;
        if let Some(key) = &submission.idempotency_key
            && let Some(keys) = self.seen(key)?
        {
            return Ok(Submitted { repeated: true, keys, ready: Vec::new() });
        }
        let versions = self.versions(&submission.records)?;
        for task in &submission.tasks {
            for id in std::iter::once(&task.id).chain(&task.depends_on) {
                // What is of the submission itself is not on the disk, unless it was submitted before.
                if *id == task.id || !bodies.has(id) {
                    self.recall(ledger, id)?;
                }
            }
        }
        if let Some(id) = &submission.retry {
            self.recall(ledger, id)?;
        }
        let decision = ledger.submit(submission.tasks, &submission.supersedes, submission.retry.as_ref(), now)?;
        let keys: Vec<Key> = submission.records.iter().map(|write| write.key.clone()).collect();
        for ((write, body), version) in submission.records.into_iter().zip(records).zip(versions) {
            self.ahead.record(write.key.clone(), body.is_some().then(|| version.unwrap_or(0) + 1), self.number);
            draft.record(write, body, version, now);
        }
        for event in &submission.events {
            draft.event(event, now);
        }
        for change in decision.changes.tasks.iter().filter(|change| change.is_new()) {
            self.ids.add(&change.task.id);
        }
        self.ended(&decision);
        draft.changes(decision.changes, now, |task| bodies.of_task(&task.id));
        if let Some(key) = submission.idempotency_key {
            draft.submission(key.clone(), &keys, now);
            self.ahead.submission(key, keys.clone(), self.number);
        }
        Ok(Submitted { repeated: false, keys, ready: decision.reply })
    }

    /// What a submission with this key led to, if there was one.
    fn seen(&self, key: &str) -> Result<Option<Vec<Key>>, StoreError> {
        match self.ahead.seen(key) {
            Some(keys) => Ok(Some(keys.clone())),
            None => query::submission(&self.connection, key),
        }
    }

    /// The versions of the records that are to be written, if they are as expected.
    fn versions(&self, writes: &[RecordWrite]) -> Result<Vec<Option<u64>>, StoreError> {
        writes.iter().map(|write| self.expected(&write.key, write.expect)).collect()
    }

    /// The version of a record, if it is as expected.
    fn expected(&self, key: &Key, expect: Expect) -> Result<Option<u64>, StoreError> {
        let present = match self.ahead.version(key) {
            Some(version) => version,
            None => match self.kept.version(key) {
                Some(version) => Some(version),
                None => query::version(&self.connection, key)?,
            },
        };
        expect.check(key, present)?;
        Ok(present)
    }

    fn act(
        &mut self,
        ledger: &mut Ledger,
        id: &TaskId,
        input: &Input,
        now: Timestamp,
        draft: &mut Draft,
    ) -> Result<Acted, StoreError> {
        self.recall(ledger, id)?;
        Ok(self.keep(ledger.act(id, input, now)?, now, draft))
    }

    /// Takes a task that is not in memory into it, with the work that it is a part of.
    fn recall(&mut self, ledger: &mut Ledger, id: &TaskId) -> Result<(), StoreError> {
        if ledger.task(id).is_some() || !self.ids.may_be_stored(id) {
            return Ok(());
        }
        // What is not in memory is as it was committed.
        let tasks = match query::deployment_of(&self.connection, id).map_err(|error| store_error(&error))? {
            Some(Some(deployment)) => query::deployment(&self.connection, &deployment)?,
            Some(None) => query::task(&self.connection, id)?.into_iter().collect(),
            None => return Ok(()),
        };
        if let Some(task) = tasks.first() {
            self.ahead.ended(Work::of(task), self.number);
        }
        ledger.load(tasks, self.now);
        Ok(())
    }

    /// Lets go of what was found to be stale, but for what has become live again.
    fn prune(&mut self, ledger: &Ledger, stale: Stale, draft: &mut Draft) -> Pruned {
        let mut pruned = Pruned { more: stale.more, ..Pruned::default() };
        for Ended { work, tasks, .. } in stale.works {
            match &work {
                Work::Task(id) if ledger.task(id).is_some() => continue,
                Work::Task(_) => {}
                Work::Deployment(id) => {
                    let record = Key::new(Kind::Deployment, id.as_str());
                    // What is in memory is unfinished, and what is on its way to the disk was not seen by the one who searched.
                    if ledger.knows_deployment(id) || self.ahead.version(&record).is_some() {
                        continue;
                    }
                    self.ahead.record(record, None, self.number);
                }
            }
            pruned.tasks += tasks;
            draft.rows.push(Change::Prune(work));
        }
        if let Some(gone) = stale.events {
            pruned.events = gone.count;
            draft.rows.push(Change::PruneEvents { row: gone.row });
        }
        draft.rows.extend(stale.keys_before.map(|before| Change::PruneKeys { before }));
        pruned
    }

    /// Puts what was decided into rows and gives the answer.
    fn keep<T>(&mut self, decision: Decision<T>, now: Timestamp, draft: &mut Draft) -> T {
        self.ended(&decision);
        // Nothing is new: new tasks come by submissions.
        draft.changes(decision.changes, now, |_| "");
        decision.reply
    }

    /// Remembers which work may be forgotten once the present write is on the disk.
    fn ended<T>(&mut self, decision: &Decision<T>) {
        for change in decision.changes.tasks.iter().filter(|change| change.task.status.is_terminal()) {
            self.ahead.ended(Work::of(&change.task), self.number);
        }
    }
}
