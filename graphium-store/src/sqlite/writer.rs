//! The one thread that writes.

use super::{
    Started,
    bodies::Rows,
    checkpoint,
    command::Answer,
    draft::{Change, Draft, Write},
    error::store_error,
    file::{self, Lock},
    journal::{self, Journal},
    kept::Kept,
    keys::Keys,
    progress::Progress,
    prune, schema,
};
use graphium_core::store::{Kind, StoreError, ledger::Work};
use rusqlite::{Connection, Statement, params};
use std::{ops::Range, path::Path, sync::Arc};
use tokio::sync::mpsc;

/// Writes that share one transaction at most: one wait for the disk is shared by as many as came meanwhile. With more,
/// a hundred who ask would all wait for the same transaction, and nothing be left to decide while it is on its way.
pub(super) const BATCH: usize = 64;

/// Opens a database, and writes to it until nobody decides any more.
pub(super) fn run(
    path: &Path,
    progress: Arc<Progress>,
    kept: Arc<Kept>,
    mut queue: mpsc::Receiver<Write>,
    written: mpsc::Sender<Draft>,
    started: Started,
) {
    let opened = file::refuse_foreign(path).and_then(|()| Lock::take(path)).and_then(|lock| {
        file::create(path)?;
        Ok((lock, checkpoint::start(path, schema::writer(path)?)?))
    });
    // Where nobody waits to hear of it, nobody wants the store.
    let (_lock, (_helper, connection)) = match opened {
        Ok(opened) => opened,
        Err(error) => return drop(started.send(Err(error))),
    };
    let mut writer = match Writer::new(&connection, progress, kept, written) {
        Ok(writer) => writer,
        Err(source) => return drop(started.send(Err(schema::read_error(path, source)))),
    };
    if started.send(Ok(())).is_ok() {
        while let Some(first) = queue.blocking_recv() {
            writer.write(first, || queue.try_recv().ok());
        }
    }
}

/// The connection that writes, with the statements that write most.
pub(super) struct Writer<'c> {
    connection: &'c Connection,
    begin: Statement<'c>,
    commit: Statement<'c>,
    body: Statement<'c>,
    create: Statement<'c>,
    hold: Statement<'c>,
    release: Statement<'c>,
    pub(super) keys: Keys<'c>,
    journal: Journal<'c>,
    rows: Rows,
    progress: Arc<Progress>,
    kept: Arc<Kept>,
    /// Where drafts go when they are done with.
    written: mpsc::Sender<Draft>,
    /// Why the present generation began: what was decided in an earlier one is refused for that.
    failure: Option<StoreError>,
    /// Whether a transaction has failed since the last one that did not.
    is_behind: bool,
}

impl<'c> Writer<'c> {
    pub(super) fn new(
        connection: &'c Connection,
        progress: Arc<Progress>,
        kept: Arc<Kept>,
        written: mpsc::Sender<Draft>,
    ) -> Result<Self, StoreError> {
        let prepare = |sql: &str| connection.prepare(sql).map_err(|error| store_error(&error));
        Ok(Self {
            connection,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            body: prepare("INSERT INTO task_bodies (body) VALUES (?)")?,
            create: prepare(
                "INSERT INTO tasks (key, id, host, stack, deployment, container, status, open, state)
                 VALUES (last_insert_rowid(), ?, ?, ?, ?, ?, ?, ?, ?)",
            )?,
            // What is leased was open before. Not to name the column leaves its index alone.
            hold: prepare("UPDATE tasks SET status = ?2, state = ?3 WHERE key = ?1")?,
            release: prepare("UPDATE tasks SET status = ?2, open = ?3, state = ?4 WHERE key = ?1")?,
            keys: Keys::new(connection).map_err(|error| store_error(&error))?,
            journal: Journal::new(connection)?,
            rows: Rows::after_those_of(connection).map_err(|error| store_error(&error))?,
            progress,
            kept,
            written,
            failure: None,
            is_behind: false,
        })
    }

    /// Writes all that is there, or nothing of it, in one transaction, and lets the answers go.
    pub(super) fn write(&mut self, first: Write, more: impl FnMut() -> Option<Write>) {
        let mut answers = Vec::with_capacity(BATCH);
        let result = self.transaction(first, more, &mut answers);
        match &result {
            Ok(last) => self.progress.commit(*last),
            Err(failure) => {
                // What cannot be taken back now is so before the next transaction.
                let _ = self.roll_back();
                self.failure = Some(failure.clone());
                self.progress.fail();
            }
        }
        self.kept.is_written();
        for answer in answers {
            answer(result.as_ref().map(|_| ()));
        }
    }

    /// One transaction. Answers with the number of the last write in it.
    fn transaction(
        &mut self,
        first: Write,
        mut more: impl FnMut() -> Option<Write>,
        answers: &mut Vec<Answer>,
    ) -> Result<u64, StoreError> {
        let generation = self.progress.generation();
        let (mut next, mut last) = (Some(first), self.progress.committed());
        while let Some(Write { number, generation: decided_in, mut draft, answer }) = next {
            if decided_in == generation {
                answers.push(answer);
                self.carry_out(&mut draft)?;
                last = number;
                if let Some(draft) = draft.emptied() {
                    // Where there are enough already, one more is not needed.
                    let _ = self.written.try_send(draft);
                }
            } else if let Some(failure) = &self.failure {
                answer(Err(failure));
            }
            next = if answers.len() < BATCH { more() } else { None };
        }
        if !self.connection.is_autocommit() {
            let committed = self.journal.flush().and_then(|()| self.commit.execute([]));
            committed.map_err(|error| store_error(&error))?;
        }
        Ok(last)
    }

    fn carry_out(&mut self, draft: &mut Draft) -> Result<(), StoreError> {
        let Draft { rows, text, events, failure } = draft;
        if let Some(failure) = failure {
            return Err(failure.clone());
        }
        if rows.is_empty() && events.is_empty() {
            return Ok(());
        }
        let failed = |error: rusqlite::Error| store_error(&error);
        if self.is_behind {
            self.roll_back()?;
            self.journal.go_on_after(journal::last_event(self.connection)?);
            self.is_behind = false;
        }
        if self.connection.is_autocommit() {
            self.begin.execute([]).map_err(failed)?;
        }
        // Each is dropped at once: whoever acts on a task next finds it in one hand.
        for row in rows.drain(..) {
            self.change(row, text).map_err(failed)?;
        }
        self.journal.push(events).map_err(failed)
    }

    fn change(&mut self, row: Change, text: &str) -> rusqlite::Result<()> {
        let part = |range: Range<usize>| text.get(range).unwrap_or_default();
        match row {
            Change::Create { task, body, state } => {
                self.body.execute(params![part(body)])?;
                let (stack, deployment) = (task.stack_id.as_ref(), task.deployment_id.as_ref());
                let (stack, deployment) = (stack.map(|id| id.as_str()), deployment.map(|id| id.as_str()));
                let (id, host, container) = (task.id.as_str(), task.host_id.as_str(), task.container_id.as_deref());
                let (status, open) = (task.status.as_str(), !task.status.is_terminal());
                self.create.execute(params![id, host, stack, deployment, container, status, open, part(state)])?;
                self.keys.put(&task, self.connection.last_insert_rowid());
            }
            Change::Move { task, state } => {
                let (key, status, state) = (self.keys.of(&task)?, task.status.as_str(), part(state));
                if task.status.is_leased() {
                    self.hold.execute(params![key, status, state])?;
                } else {
                    self.release.execute(params![key, status, !task.status.is_terminal(), state])?;
                }
                self.keys.put(&task, key);
            }
            Change::Session(session) => {
                let sql = "INSERT INTO sessions (host, epoch, nonce) VALUES (?1, ?2, ?3)
                           ON CONFLICT (host) DO UPDATE SET epoch = ?2, nonce = ?3";
                self.rarely(sql, params![session.host.as_str(), session.epoch, session.nonce])?;
            }
            Change::Record { key, body: None, .. } => {
                self.kept.strike(&key);
                self.rarely("DELETE FROM records WHERE kind = ? AND id = ?", params![key.kind.as_str(), key.id])?;
            }
            Change::Record { key, version, stack, host, body: Some(body) } => {
                self.kept.strike(&key);
                let sql = "INSERT INTO records (kind, id, version, stack, host, body, rowid) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
                           ON CONFLICT (kind, id) DO UPDATE SET version = ?3, stack = ?4, host = ?5, body = ?6";
                let (stack, host) = (stack.as_ref().map(|id| id.as_str()), host.as_ref().map(|id| id.as_str()));
                let row = self.rows.next();
                self.rarely(sql, params![key.kind.as_str(), key.id, version, stack, host, body, row])?;
            }
            Change::Submission { key, at, keys } => {
                self.rarely("INSERT INTO submissions (key, at, keys) VALUES (?, ?, ?)", params![key, at, keys])?;
            }
            Change::Prune(Work::Deployment(id)) => {
                self.delete_tasks("deployment = ?", id.as_str())?;
                self.rarely(
                    "DELETE FROM records WHERE kind = ? AND id = ?",
                    params![Kind::Deployment.as_str(), id.as_str()],
                )?;
            }
            Change::Prune(Work::Task(id)) => self.delete_tasks("id = ?", id.as_str())?,
            Change::PruneEvents { row } => self.rarely("DELETE FROM events WHERE first <= ?", [row])?,
            Change::PruneKeys { before } => {
                let sql = "DELETE FROM submissions WHERE key IN
                           (SELECT key FROM submissions WHERE at < ? ORDER BY at LIMIT ?)";
                self.rarely(sql, params![before, prune::KEYS])?;
            }
        }
        Ok(())
    }

    fn delete_tasks(&self, condition: &str, id: &str) -> rusqlite::Result<()> {
        let bodies = format!("DELETE FROM task_bodies WHERE key IN (SELECT key FROM tasks WHERE {condition})");
        self.rarely(&bodies, [id])?;
        self.rarely(&format!("DELETE FROM tasks WHERE {condition}"), [id])
    }

    fn rarely(&self, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<()> {
        self.connection.prepare_cached(sql)?.execute(values).map(drop)
    }

    fn roll_back(&mut self) -> Result<(), StoreError> {
        self.is_behind = true;
        self.keys.clear();
        if self.connection.is_autocommit() {
            return Ok(());
        }
        self.connection.execute_batch("ROLLBACK").map_err(|error| store_error(&error))
    }
}
