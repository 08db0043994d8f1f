//! The statements that write, each within the present transaction.

use super::{book::Book, error::store_error, row};
use graphium_core::{
    event::{EventType, NewEvent},
    store::{
        Key, RecordWrite, Session, StoreError, event_for,
        ledger::{Changes, TaskChange},
    },
    task::Summary,
};
use jiff::Timestamp;
use rusqlite::{OptionalExtension, Params, params};

impl Book {
    /// What a submission with this key led to, if there was one.
    pub(super) fn seen(&self, key: &str) -> Result<Option<Vec<Key>>, StoreError> {
        let found: Option<String> = self.look("SELECT keys FROM submissions WHERE key = ?", params![key])?;
        found.map(|keys| row::parse("submission", key, &keys)).transpose()
    }

    /// The versions of the records that are to be written, if they are as expected.
    pub(super) fn versions(&self, writes: &[RecordWrite]) -> Result<Vec<Option<u64>>, StoreError> {
        let version = |write: &RecordWrite| {
            let (kind, id) = (write.key.kind.as_str(), &write.key.id);
            let present = self.look("SELECT version FROM records WHERE kind = ? AND id = ?", params![kind, id])?;
            if write.expect.holds(present) { Ok(present) } else { Err(StoreError::Conflict { kind, id: id.clone() }) }
        };
        writes.iter().map(version).collect()
    }

    /// Writes a record, which is there in the given version, and its event.
    pub(super) fn write_record(
        &mut self,
        write: &RecordWrite,
        body: Option<String>,
        present: Option<u64>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(event) = event_for(write, present.is_some()) {
            self.write_event(&event, now)?;
        }
        let (kind, id) = (write.key.kind.as_str(), &write.key.id);
        let Some(body) = body else {
            return self.run("DELETE FROM records WHERE kind = ? AND id = ?", params![kind, id]);
        };
        let stack = write.stack.as_ref().map(|id| id.as_str());
        let host = write.host.as_ref().map(|id| id.as_str());
        let sql = "INSERT INTO records (kind, id, version, stack, host, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                   ON CONFLICT (kind, id) DO UPDATE SET version = ?3, stack = ?4, host = ?5, body = ?6";
        self.run(sql, params![kind, id, present.unwrap_or(0) + 1, stack, host, body])
    }

    /// Writes what the ledger has changed, with its events. `body` gives the text of a new task.
    pub(super) fn write_changes<'a>(
        &mut self,
        changes: &Changes,
        now: Timestamp,
        body: impl Fn(&TaskChange) -> Option<&'a str>,
    ) -> Result<(), StoreError> {
        if let Some(session) = &changes.session {
            self.write_session(session)?;
        }
        for change in &changes.tasks {
            let task = &change.task;
            let id = task.id.as_str();
            let (status, open, state) = (task.status.as_str(), !task.status.is_terminal(), row::state(task)?);
            if change.is_new() {
                self.run("INSERT INTO task_bodies (body) VALUES (?)", params![body(change)])?;
                let sql = "INSERT INTO tasks (id, host, stack, deployment, container, status, open, body, state)
                           VALUES (?, ?, ?, ?, ?, ?, ?, last_insert_rowid(), ?)";
                let (stack, deployment) = (task.stack_id.as_ref(), task.deployment_id.as_ref());
                let (stack, deployment) = (stack.map(|id| id.as_str()), deployment.map(|id| id.as_str()));
                let (host, container) = (task.host_id.as_str(), task.container_id.as_deref());
                self.run(sql, params![id, host, stack, deployment, container, status, open, state])?;
            } else if task.status.is_leased() {
                // What is leased was open before. Not to name the column leaves its index alone.
                self.run("UPDATE tasks SET status = ?2, state = ?3 WHERE id = ?1", params![id, status, state])?;
            } else {
                let sql = "UPDATE tasks SET status = ?2, open = ?3, state = ?4 WHERE id = ?1";
                self.run(sql, params![id, status, open, state])?;
            }
            self.append_event(change.kind, &row::text("task", id, &Summary::from(&**task))?, now)?;
        }
        Ok(())
    }

    fn write_session(&self, session: &Session) -> Result<(), StoreError> {
        let sql = "INSERT INTO sessions (host, epoch, nonce) VALUES (?1, ?2, ?3)
                   ON CONFLICT (host) DO UPDATE SET epoch = ?2, nonce = ?3";
        self.run(sql, params![session.host.as_str(), session.epoch, session.nonce])
    }

    pub(super) fn write_submission(&self, key: &str, keys: &[Key], now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO submissions (key, at, keys) VALUES (?, ?, ?)";
        self.run(sql, params![key, row::time(now), row::text("submission", key, keys)?])
    }

    pub(super) fn write_event(&mut self, event: &NewEvent, now: Timestamp) -> Result<(), StoreError> {
        self.append_event(event.kind, &event.data.to_string(), now)
    }

    fn append_event(&mut self, kind: EventType, data: &str, now: Timestamp) -> Result<(), StoreError> {
        self.seq += 1;
        let sql = "INSERT INTO events (seq, kind, at, data) VALUES (?, ?, ?, ?)";
        self.run(sql, params![self.seq, row::kind(kind), row::time(now), data])
    }

    fn look<T: rusqlite::types::FromSql>(&self, sql: &str, values: impl Params) -> Result<Option<T>, StoreError> {
        let mut statement = self.connection.prepare_cached(sql).map_err(|error| store_error(&error))?;
        statement.query_row(values, |row| row.get(0)).optional().map_err(|error| store_error(&error))
    }

    /// Runs one statement, which is prepared the first time only.
    pub(super) fn run(&self, sql: &str, values: impl Params) -> Result<(), StoreError> {
        let done = self.connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values));
        done.map(|_| ()).map_err(|error| store_error(&error))
    }
}
