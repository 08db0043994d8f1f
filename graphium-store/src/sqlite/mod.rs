//! A store in one SQLite file.
//!
//! One at a time decides, with the [`Ledger`](graphium_core::store::ledger::Ledger) of unfinished work, and puts what a command
//! changes into rows: whoever asks where memory knows all ([`desk`]), else a thread. One thread writes: it puts the rows of as many
//! commands as are waiting on the disk in **one** transaction, and lets their answers go; another brings pages from the log into the
//! database ([`checkpoint`]). While one batch is on its way to the disk the next is decided; if it does not arrive there, what was
//! decided upon it is refused too, and the ledger is read anew. A few threads read, each through a connection of its own, and see
//! what was committed; records that they have read before are not parsed again, and some that every call asks for not even looked
//! for.

mod ahead;
mod backup;
mod bodies;
mod check;
mod checkpoint;
mod command;
mod decide;
mod desk;
mod draft;
mod error;
mod file;
mod journal;
mod kept;
mod keys;
mod progress;
mod prune;
mod query;
mod reader;
mod row;
#[cfg(test)]
mod scan_tests;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

pub use backup::{CopyError, Existing, Restored};
pub use check::Verdict;

use crate::open::{OpenError, Options};
use async_trait::async_trait;
use bodies::Bodies;
use command::{Command, Submit};
use decide::Decider;
use desk::Desk;
use graphium_core::{
    event::Event,
    id::TaskId,
    store::{
        Acted, ClaimRequest, Cut, Key, Page, Pruned, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use kept::{Found, Kept};
use progress::Progress;
use prune::Walk;
use reader::Readers;
use std::{
    fmt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    thread,
};
use tokio::sync::{mpsc, oneshot};

/// Commands that wait to be decided, and decisions that wait to be written, before those who bring more have to wait.
const QUEUE: usize = 1024;

/// A [`TaskStore`] in one SQLite file.
///
/// It needs no async runtime of its own. Dropping it waits until what was accepted is on the disk and the file is free.
pub struct SqliteStore {
    path: PathBuf,
    commands: Option<mpsc::Sender<Command>>,
    readers: Readers,
    bodies: Arc<Bodies>,
    kept: Arc<Kept>,
    desk: Arc<Desk>,
    /// How far pruning has come.
    walk: Mutex<Walk>,
    /// The one that decides what nobody else does ends when there are no more commands, and then the one that writes.
    _threads: [Thread; 2],
}

impl SqliteStore {
    /// Opens a database, and makes it where there is none.
    ///
    /// # Errors
    /// [`OpenError`]: it is in use, was written by a newer version, or cannot be read.
    pub async fn open(path: impl AsRef<Path>, options: Options) -> Result<Self, OpenError> {
        let path = path.as_ref().to_owned();
        let (commands, queue) = mpsc::channel(QUEUE);
        let (writes, decided) = mpsc::channel(QUEUE);
        let (written, spare) = mpsc::channel(writer::BATCH);
        let (progress, kept) = (Arc::new(Progress::default()), Arc::new(Kept::default()));
        let writer = Thread::start("store-writer", &path, {
            let (path, progress, kept) = (path.clone(), Arc::clone(&progress), Arc::clone(&kept));
            move |started| writer::run(&path, progress, kept, decided, written, started)
        });
        let writer = writer.await?;
        let desk: Arc<Desk> = Arc::default();
        let decider = Thread::start("store-decider", &path, {
            let (desk, path, kept) = (Arc::clone(&desk), path.clone(), Arc::clone(&kept));
            move |started| {
                let decider = |connection| Decider::new(connection, (progress, kept), spare, options);
                desk::run(&path, &desk, decider, writes, queue, started);
            }
        });
        let threads = [decider.await?, writer];
        let readers = Readers::open(&path)?;
        Ok(Self {
            path,
            commands: Some(commands),
            readers,
            bodies: Arc::default(),
            kept,
            desk,
            walk: Mutex::default(),
            _threads: threads,
        })
    }

    /// Copies a database as it is at one moment to a file, whether or not a server has it open; that goes on meanwhile.
    ///
    /// The copy is checked, and whole from the moment in which it has its name. It waits for the disk: not for async code.
    ///
    /// # Errors
    /// [`CopyError`]: nothing is at `to` then, or what was there before.
    pub fn backup(database: impl AsRef<Path>, to: impl AsRef<Path>, existing: Existing) -> Result<Verdict, CopyError> {
        backup::backup(database.as_ref(), to.as_ref(), existing)
    }

    /// Puts a copy in the place of a database, which is kept beside it under a name with the time `now`.
    ///
    /// The copy is brought to the present schema and checked first. It waits for the disk: not for async code.
    ///
    /// # Errors
    /// [`CopyError`]; above all [`OpenError::InUse`] while a process has the database open. It is as it was then.
    pub fn restore(database: impl AsRef<Path>, from: impl AsRef<Path>, now: Timestamp) -> Result<Restored, CopyError> {
        backup::restore(database.as_ref(), from.as_ref(), now)
    }

    /// Whether a database is sound: the file, and what its tables say of each other. A server may have it open.
    ///
    /// # Errors
    /// [`OpenError`]: it is not there, not Graphium's, written by a newer version, or too damaged to be looked at.
    pub fn check(database: impl AsRef<Path>) -> Result<Verdict, OpenError> {
        let path = database.as_ref();
        check::check(&schema::existing(path)?, path)
    }

    /// Has a command decided, here or by the thread for that, and waits for its answer.
    async fn ask<T>(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<T, StoreError>>) -> Command,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("its threads have ended".to_owned());
        let commands = self.commands.as_ref().ok_or_else(gone)?;
        if let Some(command) = self.desk.decide(command(reply)) {
            commands.send(command).await.map_err(|_| gone())?;
        }
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
        if self.desk.finds_nothing(&request) {
            return Ok(Vec::new());
        }
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
        let look = match self.kept.look(key) {
            Found::Kept(record) => return Ok(Some(record)),
            Found::Unknown(look) => look,
        };
        let (key, bodies) = (key.clone(), Arc::clone(&self.bodies));
        let record = self.readers.ask(move |connection| query::record(connection, &bodies, &key)).await?;
        if let (Some(look), Some(record)) = (look, &record) {
            look.keep(record);
        }
        Ok(record)
    }

    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        let (query, bodies) = (query.clone(), Arc::clone(&self.bodies));
        self.readers.ask(move |connection| query::records(connection, &bodies, &query)).await
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
        self.readers.ask(move |connection| journal::events(connection, after, limit)).await
    }

    async fn last_event(&self) -> Result<u64, StoreError> {
        self.readers.ask(journal::last_event).await
    }

    async fn prune(&self, cut: &Cut) -> Result<Option<Pruned>, StoreError> {
        let walk = std::mem::take(&mut *self.walk.lock().unwrap_or_else(PoisonError::into_inner));
        let cut = cut.clone();
        let (stale, walk) = self.readers.ask(move |connection| prune::stale(connection, &cut, walk)).await?;
        *self.walk.lock().unwrap_or_else(PoisonError::into_inner) = walk;
        if stale.is_empty() {
            return Ok(Some(Pruned { more: stale.more, ..Pruned::default() }));
        }
        self.ask(|reply| Command::Prune { stale, reply }).await.map(Some)
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
    }
}

/// How a thread says that it is ready, or why it cannot be.
type Started = oneshot::Sender<Result<(), OpenError>>;

/// A thread that is waited for when it is let go of.
struct Thread(Option<thread::JoinHandle<()>>);

impl Thread {
    /// Starts a thread and waits until it is ready.
    async fn start(name: &str, path: &Path, body: impl FnOnce(Started) + Send + 'static) -> Result<Self, OpenError> {
        let (started, when_started) = oneshot::channel();
        let thread = Self(Some(spawn(name, path, move || body(started))?));
        let ended = |_| {
            let source = StoreError::Unavailable(format!("the thread `{name}` has ended"));
            Err(OpenError::Read { path: path.to_owned(), source })
        };
        when_started.await.unwrap_or_else(ended).map(|()| thread)
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // One that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

fn spawn(name: &str, path: &Path, body: impl FnOnce() + Send + 'static) -> Result<thread::JoinHandle<()>, OpenError> {
    let thread = thread::Builder::new().name(name.to_owned()).spawn(body);
    thread.map_err(|source| OpenError::Io { path: path.to_owned(), source })
}
