//! The ledger and the connection that writes down what it decides.

use super::{
    command::{Answer, Command, Submit, answer},
    error::store_error,
    file, query, schema,
};
use crate::open::{OpenError, Options};
use graphium_core::{
    id::TaskId,
    store::{
        Acted, Key, StoreError, Submitted,
        ledger::{Decision, Ledger},
    },
    task::Input,
};
use jiff::Timestamp;
use rusqlite::Connection;
use std::{path::Path, time::Duration};

/// Unfinished work in memory, and everything on the disk.
pub(super) struct Book {
    pub(super) connection: Connection,
    /// Absent while it does not agree with the disk.
    ledger: Option<Ledger>,
    /// Number of the last event, of this transaction too.
    pub(super) seq: u64,
    /// The latest time that a command has brought.
    now: Timestamp,
    grace: Duration,
    /// Why the present transaction cannot be committed.
    failure: Option<StoreError>,
}

impl Book {
    pub(super) fn open(path: &Path, options: Options) -> Result<Self, OpenError> {
        file::create(path)?;
        let Options { now, grace } = options;
        let connection = schema::writer(path)?;
        let mut book = Self { connection, ledger: None, seq: 0, now, grace, failure: None };
        book.ledger = Some(book.load().map_err(|source| schema::read_error(path, source))?);
        Ok(book)
    }

    /// Reads the ledger from the disk. Leases get their full time anew: nobody may have been able to renew them.
    fn load(&mut self) -> Result<Ledger, StoreError> {
        let mut ledger = Ledger::default();
        for session in query::sessions(&self.connection)? {
            ledger.load_session(session);
        }
        ledger.load(query::unfinished(&self.connection)?, self.now);
        ledger.grant_grace(self.now.saturating_add(self.grace).unwrap_or(Timestamp::MAX));
        self.seq = query::last_event(&self.connection)?;
        Ok(ledger)
    }

    /// Carries out a command within the present transaction. The answer may go out once that is committed.
    pub(super) fn carry_out(&mut self, command: Command) -> Answer {
        match command {
            Command::Submit { submit, reply } => {
                let now = submit.now;
                answer(reply, self.step(now, |book, ledger| book.submit(ledger, *submit)))
            }
            Command::OpenSession { request, now, reply } => {
                answer(reply, self.step(now, |book, ledger| book.keep(ledger.open_session(&request, now), now)))
            }
            Command::Claim { request, now, reply } => {
                answer(reply, self.step(now, |book, ledger| book.keep(ledger.claim(&request, now)?, now)))
            }
            Command::Act { task, input, now, reply } => {
                answer(reply, self.step(now, |book, ledger| book.act(ledger, &task, &input, now)))
            }
            Command::Renew { leases, expires_at, reply } => {
                answer(reply, self.step(self.now, |_, ledger| Ok(ledger.renew(&leases, expires_at))))
            }
            Command::Expire { now, reply } => {
                answer(reply, self.step(now, |book, ledger| book.keep(ledger.expire(now), now)))
            }
            Command::NextWakeup { reply } => answer(reply, self.step(self.now, |_, ledger| Ok(ledger.next_wakeup()))),
        }
    }

    /// Lets a command act on the ledger, which is read anew first if it does not agree with the disk.
    fn step<T>(
        &mut self,
        now: Timestamp,
        act: impl FnOnce(&mut Self, &mut Ledger) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.now = self.now.max(now);
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut ledger = match self.ledger.take() {
            Some(ledger) => ledger,
            None => self.load()?,
        };
        let result = act(self, &mut ledger);
        ledger.forget_ended();
        self.ledger = Some(ledger);
        result
    }

    /// Whether the present transaction cannot be committed any more.
    pub(super) fn has_failed(&self) -> bool {
        self.failure.is_some()
    }

    /// Puts everything since the last commit on the disk, or forgets it.
    pub(super) fn commit(&mut self) -> Result<(), StoreError> {
        let result = match self.failure.take() {
            Some(failure) => Err(failure),
            None if self.connection.is_autocommit() => Ok(()),
            None => self.run("COMMIT", []),
        };
        if result.is_err() {
            self.back_out();
        }
        result
    }

    fn back_out(&mut self) {
        self.ledger = None;
        if self.connection.is_autocommit() {
            return;
        }
        if let Err(error) = self.connection.execute_batch("ROLLBACK")
            && !self.connection.is_autocommit()
        {
            // Nothing may be added to a transaction that holds what was forgotten; the next command tries again.
            self.failure = Some(store_error(&error));
        }
    }

    fn submit(&mut self, ledger: &mut Ledger, submit: Submit) -> Result<Submitted, StoreError> {
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
                if *id == task.id || !bodies.contains_key(id) {
                    self.recall(ledger, id)?;
                }
            }
        }
        let decision = ledger.submit(submission.tasks, &submission.supersedes, now)?;
        let keys: Vec<Key> = submission.records.iter().map(|write| write.key.clone()).collect();
        self.writing(|book| {
            for ((write, body), version) in submission.records.iter().zip(records).zip(versions) {
                book.write_record(write, body, version, now)?;
            }
            for event in &submission.events {
                book.write_event(event, now)?;
            }
            book.write_changes(&decision.changes, now, |change| bodies.get(&change.task.id).map(String::as_str))?;
            match &submission.idempotency_key {
                Some(key) => book.write_submission(key, &keys, now),
                None => Ok(()),
            }
        })?;
        Ok(Submitted { repeated: false, keys, ready: decision.reply })
    }

    fn act(&mut self, ledger: &mut Ledger, id: &TaskId, input: &Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.recall(ledger, id)?;
        self.keep(ledger.act(id, input, now)?, now)
    }

    /// Takes a task that is not in memory into it, with the work that it is a part of.
    fn recall(&self, ledger: &mut Ledger, id: &TaskId) -> Result<(), StoreError> {
        if ledger.task(id).is_some() {
            return Ok(());
        }
        let tasks = match query::deployment_of(&self.connection, id).map_err(|error| store_error(&error))? {
            Some(Some(deployment)) => query::deployment(&self.connection, &deployment)?,
            Some(None) => query::task(&self.connection, id)?.into_iter().collect(),
            None => return Ok(()),
        };
        ledger.load(tasks, self.now);
        Ok(())
    }

    /// Writes what was decided and gives the answer.
    fn keep<T>(&mut self, decision: Decision<T>, now: Timestamp) -> Result<T, StoreError> {
        if !decision.changes.is_empty() {
            self.writing(|book| book.write_changes(&decision.changes, now, |_| None))?;
        }
        Ok(decision.reply)
    }

    /// Runs writes in the present transaction. The ledger is ahead of the disk here, so any error ends the transaction.
    fn writing(&mut self, write: impl FnOnce(&mut Self) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let begun = if self.connection.is_autocommit() { self.run("BEGIN IMMEDIATE", []) } else { Ok(()) };
        let result = begun.and_then(|()| write(self));
        if let Err(failure) = &result {
            self.failure = Some(failure.clone());
        }
        result
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
