//! Threads that read, each through a connection of its own.

use super::{schema, spawn};
use crate::open::OpenError;
use graphium_core::store::StoreError;
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
};
use tokio::sync::oneshot;

/// How many read at a time: SQLite reads from memory mostly, so more would only take turns.
const READERS: usize = 4;

type Question = Box<dyn FnOnce(&Connection) + Send>;

pub(super) struct Readers {
    questions: Option<mpsc::Sender<Question>>,
    threads: Vec<thread::JoinHandle<()>>,
}

impl Readers {
    pub(super) fn open(path: &Path) -> Result<Self, OpenError> {
        let (questions, queue) = mpsc::channel::<Question>();
        let queue = Arc::new(Mutex::new(queue));
        let mut threads = Vec::with_capacity(READERS);
        for _ in 0..READERS {
            let connection = schema::reader(path)?;
            let queue = Arc::clone(&queue);
            threads.push(spawn("store-reader", path, move || {
                while let Some(question) = next(&queue) {
                    question(&connection);
                }
            })?);
        }
        Ok(Self { questions: Some(questions), threads })
    }

    /// Has a question answered by whichever thread is free.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let gone = || StoreError::Unavailable("its readers have ended".to_owned());
        let ask: Question = Box::new(move |connection| {
            // Whoever asked may have gone.
            let _ = reply.send(question(connection));
        });
        self.questions.as_ref().ok_or_else(gone)?.send(ask).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Ends the threads once they have answered what they were asked.
    pub(super) fn close(&mut self) {
        self.questions.take();
        for thread in self.threads.drain(..) {
            // A reader that panicked has nothing left to wait for.
            let _ = thread.join();
        }
    }
}

fn next(queue: &Mutex<mpsc::Receiver<Question>>) -> Option<Question> {
    // Held while it waits: the others wait for the lock instead of for the queue, which comes to the same.
    queue.lock().unwrap_or_else(PoisonError::into_inner).recv().ok()
}
