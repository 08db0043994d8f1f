//! A store in one SQLite file.
//!
//! One thread writes. It owns the [`Ledger`](graphium_core::store::ledger::Ledger) of unfinished work, takes commands off
//! a bounded queue, writes what as many of them as are waiting have changed in **one** transaction, and answers when
//! that is on the disk. A few threads read, each through a connection of its own, and see what was committed.

mod book;
mod command;
mod error;
mod file;
mod query;
mod reader;
mod row;
mod schema;
mod write;
mod writer;

use crate::open::{OpenError, Options};
use async_trait::async_trait;
use command::{Command, Submit};
use file::Lock;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Key, Page, Record, RecordQuery, Session, SessionRequest, StoreError, Submission,
        Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use reader::Readers;
use std::{
    fmt,
    path::{Path, PathBuf},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait for the writer before those who bring more have to wait themselves.
const QUEUE: usize = 1024;

/// A [`TaskStore`] in one SQLite file.
///
/// It needs no async runtime of its own. Dropping it waits until what was accepted is on the disk and the file is free.
pub struct SqliteStore {
    path: PathBuf,
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<thread::JoinHandle<()>>,
    readers: Readers,
}

impl SqliteStore {
    /// Opens a database, and makes it where there is none.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, was written by a newer version, or cannot be read.
    pub async fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let (opened, when_opened) = oneshot::channel();
        let (commands, queue) = mpsc::channel(QUEUE);
        let writer = spawn("store-writer", &path, {
            let path = path.clone();
            move || match Lock::take(&path).and_then(|lock| Ok((lock, book::Book::open(&path, options)?))) {
                Ok((_lock, book)) => {
                    if opened.send(Ok(())).is_ok() {
                        writer::run(book, queue);
                    }
                }
                // Nobody waits for the answer: nobody wants the store.
                Err(error) => drop(opened.send(Err(error))),
            }
        })?;
        when_opened.await.unwrap_or_else(|_| {
            Err(OpenError::Read { path: path.clone(), source: StoreError::Unavailable("its writer ended".to_owned()) })
        })?;
        let readers = Readers::open(&path)?;
        Ok(Self { path, commands: Some(commands), writer: Some(writer), readers })
    }

    /// Hands a command to the writer and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("its writer has ended".to_owned());
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        commands.send(command(reply)).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl TaskStore for SqliteStore {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        // Made into text here, where many can do so at once, and not by the one writer.
        let submit = Box::new(Submit::new(submission, now)?);
        self.ask(|reply| Command::Submit { submit, reply }).await
    }

    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.ask(|reply| Command::OpenSession { request, now, reply }).await
    }

    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.ask(|reply| Command::Claim { request, now, reply }).await
    }

    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        let (task, input) = (task.clone(), Box::new(input));
        self.ask(|reply| Command::Act { task, input, now, reply }).await
    }

    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        let leases = leases.to_vec();
        self.ask(|reply| Command::Renew { leases, expires_at, reply }).await
    }

    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.ask(|reply| Command::Expire { now, reply }).await
    }

    async fn next_wakeup(&self) -> Result<Option<Timestamp>, StoreError> {
        self.ask(|reply| Command::NextWakeup { reply }).await
    }

    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let key = key.clone();
        self.readers.ask(move |connection| query::record(connection, &key)).await
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        let query = query.clone();
        self.readers.ask(move |connection| query::records(connection, &query)).await
    }

    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        let id = id.clone();
        self.readers.ask(move |connection| query::task(connection, &id)).await
    }

    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        let query = query.clone();
        self.readers.ask(move |connection| query::tasks(connection, &query)).await
    }

    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.readers.ask(move |connection| query::events(connection, after, limit)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.readers.ask(query::last_event).await
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.readers.close();
        self.commands.take();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing left to wait for.
            let _ = writer.join();
        }
    }
}

fn spawn(name: &str, path: &Path, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, OpenError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}
