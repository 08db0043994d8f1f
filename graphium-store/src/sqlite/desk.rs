//! Where commands are decided: by those who ask, or by a thread.
//!
//! Most take no more than a look at memory, and who asks decides them where he is: to wake a thread takes longer. What the disk must
//! be asked for, what is much, and what finds somebody else deciding is left to the thread; so nobody who asks is ever kept.

use super::{Started, command::Command, decide::Decider, draft::Write, schema};
use graphium_core::store::{ClaimRequest, StoreError};
use rusqlite::Connection;
use std::{
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::mpsc;

/// The one that decides, and where what was decided goes to be written, while the thread runs.
type Seat = Option<(Decider, mpsc::Sender<Write>)>;

#[derive(Default)]
pub(super) struct Desk(Mutex<Seat>);

impl Desk {
    /// Whether a claim finds nothing, so that no thread need be asked; not so whenever that takes more than a look.
    pub(super) fn finds_nothing(&self, request: &ClaimRequest) -> bool {
        self.0.try_lock().is_ok_and(|desk| desk.as_ref().is_some_and(|(decider, _)| decider.finds_nothing(request)))
    }

    /// Decides here and now, and hands on what is to be written; a command that is for the thread comes back.
    pub(super) fn decide(&self, command: Command) -> Option<Command> {
        let Ok(mut desk) = self.0.try_lock() else { return Some(command) };
        let Some((decider, writes)) = desk.as_mut() else { return Some(command) };
        let Ok(place) = writes.try_reserve() else { return Some(command) };
        if !decider.knows_all_for(&command) {
            return Some(command);
        }
        // Under the lock: what is decided first is written first.
        if let Some(write) = decider.take_up(command) {
            place.send(write);
        }
        None
    }

    fn lock(&self) -> MutexGuard<'_, Seat> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries out the commands that come to the thread, until nobody can send any.
pub(super) fn run(
    path: &Path,
    desk: &Desk,
    decider: impl FnOnce(Connection) -> Result<Decider, StoreError>,
    writes: mpsc::Sender<Write>,
    mut queue: mpsc::Receiver<Command>,
    started: Started,
) {
    let opened = schema::reader(path)
        .and_then(|connection| decider(connection).map_err(|source| schema::read_error(path, source)));
    // Where nobody waits to hear of it, nobody wants the store.
    match opened {
        Ok(decider) => *desk.lock() = Some((decider, writes)),
        Err(error) => return drop(started.send(Err(error))),
    }
    if started.send(Ok(())).is_ok() {
        while let Some(command) = queue.blocking_recv() {
            // A decision that broke off has left nobody knows what: the next start reads the disk.
            let Ok(mut desk) = desk.0.lock() else { break };
            let Some((decider, writes)) = desk.as_mut() else { break };
            // Without a writer there are no answers: whoever asks is told that it is gone.
            if decider.take_up(command).is_some_and(|write| writes.blocking_send(write).is_err()) {
                break;
            }
        }
    }
    // The file is free with the end of the thread.
    desk.lock().take();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        open::Options,
        sqlite::{command::Submit, draft::Draft, kept::Kept, progress::Progress, tests, writer::Writer},
    };
    use graphium_core::{
        action::Action,
        store::{Expect, Key, Kind, RecordWrite, SessionRequest, Submission},
        task::{Input, Task},
    };
    use jiff::Timestamp;
    use std::{error::Error, sync::Arc};
    use tokio::sync::oneshot;

    type Checked = Result<(), Box<dyn Error>>;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn task(id: &str) -> Task {
        Task::new(id.into(), "vm1".into(), Action::Start { name: "web".to_owned() }, NOW)
    }

    fn submit(submission: Submission) -> Command {
        let submit = Box::new(Submit::new(submission, NOW).unwrap());
        Command::Submit { submit, reply: oneshot::channel().0 }
    }

    fn tasks(ids: &[&str]) -> Command {
        submit(Submission { tasks: ids.iter().map(|id| task(id)).collect(), ..Submission::default() })
    }

    fn cancel(id: &str) -> Command {
        let input = Box::new(Input::Cancel { reason: "not needed".to_owned() });
        Command::Act { task: id.into(), input, now: NOW, reply: oneshot::channel().0 }
    }

    /// A desk with a place for so many writes.
    fn desk(
        path: &Path,
        progress: &Arc<Progress>,
        places: usize,
    ) -> Result<(Desk, mpsc::Receiver<Write>), Box<dyn Error>> {
        let kept = Arc::new(Kept::default());
        let (_, spare) = mpsc::channel::<Draft>(1);
        let decider = Decider::new(schema::reader(path)?, (Arc::clone(progress), kept), spare, Options::at(NOW))?;
        let (writes, written) = mpsc::channel(places);
        Ok((Desk(Mutex::new(Some((decider, writes)))), written))
    }

    #[test]
    fn what_the_disk_must_be_asked_for_is_left_to_the_thread() -> Checked {
        let (_directory, path, connection) = tests::database()?;
        tests::write(&path, &connection, vec![Submission { tasks: vec![task("task:5")], ..Submission::default() }])?;
        let progress: Arc<Progress> = Arc::default();
        let (desk, mut written) = desk(&path, &progress, 100)?;
        let is_here = |command| desk.decide(command).is_none();
        let record = RecordWrite {
            key: Key::new(Kind::Stack, "stack:shop"),
            expect: Expect::Any,
            stack: None,
            host: None,
            body: Some(Arc::new(serde_json::json!({}))),
        };
        let keyed = Submission { idempotency_key: Some("once".to_owned()), ..Submission::default() };
        assert!(is_here(tasks(&["task:6"])) && is_here(cancel("task:5")), "memory knows both");
        assert!(is_here(cancel("task:7")), "there is no such task, which memory knows too");
        assert!(!is_here(cancel("task:4")), "it may have ended long ago");
        assert!(!is_here(tasks(&["task:4"])));
        assert!(!is_here(submit(keyed.clone())), "the key may have been seen");
        assert!(!is_here(submit(Submission { records: vec![record.clone()], ..Submission::default() })));
        let many: Vec<String> = (100..200).map(|number| format!("task:{number}")).collect();
        assert!(!is_here(tasks(&many.iter().map(String::as_str).collect::<Vec<_>>())), "others would wait for it");
        let request = SessionRequest { host: "vm1".into(), nonce: "a".to_owned(), seen_epoch: 0 };
        assert!(!is_here(Command::OpenSession { request, now: NOW, reply: oneshot::channel().0 }));

        // What the thread has read or decided is known until it is on the disk.
        let mut both = Submission { records: vec![record], ..keyed };
        assert!(desk.lock().as_mut().is_some_and(|(decider, _)| decider.take_up(submit(both.clone())).is_some()));
        both.tasks = vec![task("task:8")];
        assert!(is_here(submit(both)));
        progress.commit(u64::MAX);
        assert!(!is_here(cancel("task:5")), "it is on the disk that it has ended");
        progress.fail();
        assert!(!is_here(cancel("task:6")), "memory does not agree with the disk");
        // In the order in which it was decided, without what was not decided here.
        let order: Vec<u64> = std::iter::from_fn(|| written.try_recv().ok()).map(|write| write.number).collect();
        assert_eq!(order, [1, 2, 3, 5]);
        Ok(())
    }

    #[test]
    fn nobody_waits_for_another_or_for_a_place() -> Checked {
        let (_directory, path, connection) = tests::database()?;
        let progress: Arc<Progress> = Arc::default();
        let (desk, mut written) = desk(&path, &progress, 1)?;
        let held = desk.lock();
        assert!(desk.decide(tasks(&["task:1"])).is_some(), "somebody else decides");
        drop(held);
        assert!(desk.decide(tasks(&["task:1"])).is_none());
        let Some(back) = desk.decide(tasks(&["task:2"])) else { return Err("there was no place for it".into()) };
        let first = written.try_recv()?;
        assert!(desk.decide(back).is_none());
        // It came back as it was: both are written.
        let (reused, _) = mpsc::channel(1);
        let mut writer = Writer::new(&connection, progress, Arc::default(), reused)?;
        writer.write(first, || written.try_recv().ok());
        let tasks: u64 = connection.query_row("SELECT count(*) FROM tasks", [], |row| row.get(0))?;
        assert_eq!(tasks, 2);
        desk.lock().take();
        assert!(desk.decide(cancel("task:1")).is_some(), "the thread has ended");
        Ok(())
    }

    #[test]
    fn a_decision_that_breaks_off_is_the_last() -> Checked {
        let (_directory, path, _connection) = tests::database()?;
        let (desk, _) = desk(&path, &Arc::default(), 10)?;
        let decider = desk.lock().take().map(|(decider, _)| decider).ok_or("there is none")?;
        let desk = Arc::new(desk);
        let (commands, queue) = mpsc::channel(10);
        let (writes, mut written) = mpsc::channel(10);
        let (started, when_started) = oneshot::channel();
        let thread = std::thread::spawn({
            let desk = Arc::clone(&desk);
            move || run(&path, &desk, |_| Ok(decider), writes, queue, started)
        });
        when_started.blocking_recv()??;
        let broken = Arc::clone(&desk);
        let breaks_off = move || {
            let _held = broken.lock();
            panic!("amid a decision");
        };
        assert!(std::thread::spawn(breaks_off).join().is_err());
        let Some(command) = desk.decide(tasks(&["task:1"])) else { return Err("it was decided".into()) };
        commands.blocking_send(command)?;
        assert!(written.blocking_recv().is_none(), "something was decided upon what is left");
        assert!(thread.join().is_ok() && commands.is_closed());
        Ok(())
    }
}
