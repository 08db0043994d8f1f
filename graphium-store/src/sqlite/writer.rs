//! The one thread that writes.

use super::{
    book::Book,
    command::{Answer, Command},
};
use tokio::sync::mpsc;

/// Commands whose changes share one transaction at most: one wait for the disk is shared by as many as came meanwhile.
const BATCH: usize = 256;

/// Carries out commands until nobody can send any.
pub(super) fn run(mut book: Book, mut queue: mpsc::Receiver<Command>) {
    let mut answers: Vec<Answer> = Vec::with_capacity(BATCH);
    while let Some(first) = queue.blocking_recv() {
        answers.push(book.carry_out(first));
        while answers.len() < BATCH
            && !book.has_failed()
            && let Ok(next) = queue.try_recv()
        {
            answers.push(book.carry_out(next));
        }
        let committed = book.commit();
        for answer in answers.drain(..) {
            answer(committed.as_ref().map(|&()| ()));
        }
    }
}
