//! The least that could be called the same: one writer thread over bare `rusqlite`.

use rusqlite::{Connection, params};
use std::{error::Error, path::Path, sync::Arc, thread};
use tokio::sync::{mpsc, oneshot};

type Failure = Box<dyn Error + Send + Sync>;

/// As many as the store puts into one transaction.
const BATCH: usize = 64;

enum Write {
    Submit { body: String },
    Update { status: &'static str },
}

struct Command {
    id: Arc<str>,
    write: Write,
    event: String,
    done: oneshot::Sender<bool>,
}

/// A table of tasks and one of events, written in batches.
pub(crate) struct Bare {
    commands: Option<mpsc::Sender<Command>>,
    writer: Option<thread::JoinHandle<()>>,
}

impl Bare {
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        let connection = Connection::open(path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;
             CREATE TABLE tasks (id TEXT PRIMARY KEY, status TEXT NOT NULL, body TEXT NOT NULL);
             CREATE TABLE events (seq INTEGER PRIMARY KEY, data TEXT NOT NULL);",
        )?;
        let (commands, queue) = mpsc::channel(1024);
        let writer = thread::spawn(move || {
            // The first error ends the thread, and with it every wait for an answer.
            let _ = write(&connection, queue);
        });
        Ok(Self { commands: Some(commands), writer: Some(writer) })
    }

    pub(crate) async fn submit(&self, id: Arc<str>, body: String, event: String) -> Result<(), Failure> {
        self.ask(id, Write::Submit { body }, event).await
    }

    pub(crate) async fn update(&self, id: Arc<str>, status: &'static str, event: String) -> Result<(), Failure> {
        self.ask(id, Write::Update { status }, event).await
    }

    async fn ask(&self, id: Arc<str>, write: Write, event: String) -> Result<(), Failure> {
        let (done, answer) = oneshot::channel();
        let commands = self.commands.as_ref().ok_or("closed")?;
        commands.send(Command { id, write, event, done }).await.map_err(|_| "the writer has ended")?;
        if answer.await? { Ok(()) } else { Err("nothing was changed".into()) }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.commands.take();
        if let Some(writer) = self.writer.take() {
            let _ = writer.join();
        }
    }
}

fn write(connection: &Connection, mut queue: mpsc::Receiver<Command>) -> rusqlite::Result<()> {
    let mut insert = connection.prepare("INSERT INTO tasks (id, status, body) VALUES (?, 'pending', ?)")?;
    let mut update = connection.prepare("UPDATE tasks SET status = ? WHERE id = ?")?;
    let mut tell = connection.prepare("INSERT INTO events (data) VALUES (?)")?;
    let (mut begin, mut commit) = (connection.prepare("BEGIN IMMEDIATE")?, connection.prepare("COMMIT")?);
    let mut answers = Vec::with_capacity(BATCH);
    while let Some(first) = queue.blocking_recv() {
        begin.execute([])?;
        let mut next = Some(first);
        while let Some(command) = next {
            let changed = match command.write {
                Write::Submit { body } => insert.execute(params![&*command.id, body])?,
                Write::Update { status } => update.execute(params![status, &*command.id])?,
            };
            tell.execute(params![command.event])?;
            answers.push((command.done, changed == 1));
            next = if answers.len() < BATCH { queue.try_recv().ok() } else { None };
        }
        commit.execute([])?;
        for (done, changed) in answers.drain(..) {
            let _ = done.send(changed);
        }
    }
    Ok(())
}
