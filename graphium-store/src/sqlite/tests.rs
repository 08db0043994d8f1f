//! Deciding and writing, step by step, without threads.

use super::{
    SqliteStore,
    bodies::Bodies,
    command::{Command, Reply, Submit},
    decide::Decider,
    draft::{Draft, Write},
    file, journal,
    kept::{Found, Kept},
    progress::Progress,
    prune::{self, Walk},
    query, schema,
    writer::Writer,
};
use crate::open::Options;
use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    id::{ClaimId, TaskId},
    store::{
        Acted, ClaimRequest, Cut, Expect, Key, Kind, RecordWrite, SessionRequest, StoreError, Submission, Submitted,
        TaskQuery, TaskStore,
    },
    task::{Input, Outcome, Task, TaskResult, TaskStatus},
};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use std::{
    error::Error,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

type Checked = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Whoever has heard that a record was written never finds the one before, however many read it meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_record_that_is_kept_is_never_an_older_one() -> Checked {
    let folder = tempfile::tempdir()?;
    let store = Arc::new(SqliteStore::open(folder.path().join("graphium.db"), Options::at(NOW)).await?);
    let (key, written) = (Key::new(Kind::Token, "token-1"), Arc::new(AtomicU64::new(0)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let (store, key, written) = (Arc::clone(&store), key.clone(), Arc::clone(&written));
            tokio::spawn(async move {
                loop {
                    let known = written.load(Ordering::SeqCst);
                    let found = store.record(&key).await.unwrap().map_or(0, |record| record.version);
                    assert!(found >= known, "version {known} is written, and {found} is found");
                    if known == WRITES {
                        return;
                    }
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    for version in 1..=WRITES {
        let write = RecordWrite {
            key: key.clone(),
            expect: if version == 1 { Expect::Absent } else { Expect::Version(version - 1) },
            stack: None,
            host: None,
            body: Some(Arc::new(json!({"version": version}))),
        };
        store.submit(Submission { records: vec![write], ..Submission::default() }, NOW).await?;
        written.store(version, Ordering::SeqCst);
    }
    for reader in readers {
        reader.await?;
    }
    let gone = RecordWrite { key: key.clone(), expect: Expect::Any, stack: None, host: None, body: None };
    store.submit(Submission { records: vec![gone], ..Submission::default() }, NOW).await?;
    assert_eq!(store.record(&key).await?, None, "a token that was revoked is found");
    Ok(())
}

/// How often it is written.
const WRITES: u64 = 200;

/// One that decides and one that writes, over one file.
struct Pair<'c> {
    decider: Decider,
    writer: Writer<'c>,
    kept: Arc<Kept>,
}

/// An answer that has not come yet.
type Awaited<T> = oneshot::Receiver<Result<T, StoreError>>;

impl<'c> Pair<'c> {
    fn new(path: &Path, connection: &'c Connection) -> Result<Self, Box<dyn Error>> {
        let progress = Arc::new(Progress::default());
        let (written, spare) = mpsc::channel(1);
        let kept: Arc<Kept> = Arc::default();
        let writer = Writer::new(connection, Arc::clone(&progress), Arc::clone(&kept), written)?;
        let decider = Decider::new(schema::reader(path)?, (progress, Arc::clone(&kept)), spare, Options::at(NOW))?;
        Ok(Self { decider, writer, kept })
    }

    fn decide<T>(&mut self, command: impl FnOnce(Reply<T>) -> Command) -> (Write, Awaited<T>) {
        let (reply, answer) = oneshot::channel();
        (self.decider.carry_out(command(reply)), answer)
    }

    fn submit(&mut self, submission: Submission) -> Result<(Write, Awaited<Submitted>), StoreError> {
        let submit = Box::new(Submit::new(submission, NOW)?);
        Ok(self.decide(|reply| Command::Submit { submit, reply }))
    }

    fn act(&mut self, task: &str, input: Input) -> (Write, Awaited<Acted>) {
        self.decide(|reply| Command::Act { task: task.into(), input: Box::new(input), now: NOW, reply })
    }

    /// Writes some in one transaction, or, where that fails, the rest of them in the next.
    fn write(&mut self, writes: impl IntoIterator<Item = Write>) {
        let Self { decider, writer, .. } = self;
        let mut writes = writes.into_iter().inspect(|write| decider.hand_on(write));
        while let Some(first) = writes.next() {
            writer.write(first, || writes.next());
        }
    }

    /// Opens a session of `vm1` and claims what is ready.
    fn claim(&mut self) -> Result<Vec<Task>, Box<dyn Error>> {
        let request = SessionRequest { host: "vm1".into(), nonce: "a".to_owned(), seen_epoch: 0 };
        let (opened, session) = self.decide(|reply| Command::OpenSession { request, now: NOW, reply });
        self.write([opened]);
        let epoch = answer(session)?.epoch;
        let request = ClaimRequest {
            host: "vm1".into(),
            epoch,
            claim: ClaimId::from("claim"),
            max: 10,
            expires_at: NOW + jiff::SignedDuration::from_secs(60),
            expect: None,
        };
        let (claimed, tasks) = self.decide(|reply| Command::Claim { request, now: NOW, reply });
        self.write([claimed]);
        Ok(answer(tasks)?)
    }
}

fn answer<T>(mut answer: Awaited<T>) -> Result<T, StoreError> {
    answer.try_recv().unwrap_or_else(|error| Err(StoreError::Unavailable(error.to_string())))
}

fn task(id: &str) -> Task {
    Task::new(id.into(), "vm1".into(), Action::Start { name: "x".repeat(2000) }, NOW)
}

fn tasks(tasks: impl IntoIterator<Item = Task>) -> Submission {
    Submission { tasks: tasks.into_iter().collect(), ..Submission::default() }
}

fn record(expect: Expect) -> RecordWrite {
    RecordWrite {
        key: Key::new(Kind::Stack, "stack:shop"),
        expect,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"name": "shop"}))),
    }
}

/// Leaves room for so many pages more.
fn limit(connection: &Connection, more: i64) -> rusqlite::Result<()> {
    let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
    connection.query_row(&format!("PRAGMA max_page_count = {}", pages + more), [], |_| Ok(()))
}

/// Decides and writes some submissions.
pub(super) fn write(path: &Path, connection: &Connection, submissions: Vec<Submission>) -> Checked {
    let mut pair = Pair::new(path, connection)?;
    for submission in submissions {
        let (write, answered) = pair.submit(submission)?;
        pair.write([write]);
        answer(answered)?;
    }
    Ok(())
}

/// A database in a directory of its own.
pub(super) fn database() -> Result<(tempfile::TempDir, std::path::PathBuf, Connection), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    file::create(&path)?;
    let connection = schema::writer(&path)?;
    Ok((directory, path, connection))
}

#[test]
fn a_claim_finds_nothing_only_where_memory_and_disk_say_so() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    assert_eq!(pair.claim()?, []);
    let host = Key::new(Kind::Host, "vm1");
    let request = |expect| ClaimRequest {
        host: "vm1".into(),
        epoch: 1,
        claim: "next".into(),
        max: 1,
        expires_at: NOW,
        expect: Some((host.clone(), expect)),
    };
    let any = ClaimRequest { expect: None, ..request(Expect::Absent) };
    assert!(pair.decider.finds_nothing(&any));
    assert!(!pair.decider.finds_nothing(&ClaimRequest { epoch: 2, ..any.clone() }), "it is of no session");
    assert!(
        !pair.decider.finds_nothing(&ClaimRequest { host: "vm2".into(), ..any.clone() }),
        "nor is one of this host"
    );

    // A host, and what is known of it.
    let written = RecordWrite { key: host.clone(), ..record(Expect::Absent) };
    let (write, answered) = pair.submit(Submission { records: vec![written], ..Submission::default() })?;
    pair.decider.hand_on(&write);
    assert!(!pair.decider.finds_nothing(&any), "something is not on the disk");
    pair.write([write]);
    answer(answered)?;
    assert!(!pair.decider.finds_nothing(&request(Expect::Version(1))), "nobody has looked at the host");
    let bodies = Bodies::default();
    if let (Found::Unknown(Some(look)), Some(found)) =
        (pair.kept.look(&host), query::record(&connection, &bodies, &host)?)
    {
        look.keep(&found);
    }
    assert!(pair.decider.finds_nothing(&request(Expect::Version(1))));
    assert!(
        !pair.decider.finds_nothing(&request(Expect::Version(2)))
            && !pair.decider.finds_nothing(&request(Expect::Absent))
    );

    // Work, until it has ended.
    let (write, answered) = pair.submit(tasks([task("task:1")]))?;
    pair.write([write]);
    answer(answered)?;
    assert!(!pair.decider.finds_nothing(&any));
    let (write, answered) = pair.act("task:1", Input::Cancel { reason: "not needed".to_owned() });
    pair.write([write]);
    answer(answered)?;
    assert!(pair.decider.finds_nothing(&any));
    Ok(())
}

#[test]
fn a_full_disk_is_said_forgotten_and_recovered_from() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let (first, answered) = pair.submit(tasks([task("task:0")]))?;
    pair.write([first]);
    answer(answered)?;
    limit(&connection, 4)?;
    let mut written = 1;
    let failure = loop {
        let (next, answered) = pair.submit(tasks([task(&format!("task:{written}"))]))?;
        pair.write([next]);
        match answer(answered) {
            Ok(_) => written += 1,
            Err(failure) => break failure,
        }
    };
    assert!(matches!(failure, StoreError::Full(_)), "{failure}");
    assert_eq!(journal::last_event(&connection)?, written);
    limit(&connection, 1000)?;
    let (more, answered) = pair.submit(tasks([task("task:more")]))?;
    pair.write([more]);
    answer(answered)?;
    assert_eq!(journal::last_event(&connection)?, written + 1, "a number that was not written is given again");
    let forgotten = TaskId::new(format!("task:{written}"));
    assert!(!pair.decider.holds(&forgotten), "what was not written is forgotten");
    assert_eq!(query::task(&connection, &forgotten)?, None);
    assert!(pair.decider.holds(&"task:0".into()));
    Ok(())
}

#[test]
fn what_was_decided_upon_something_that_could_not_be_written_is_refused_too() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    limit(&connection, 0)?;
    let (large, too_large) = pair.submit(tasks((0..100).map(|number| task(&format!("task:{number}")))))?;
    let (cancel, cancelled) = pair.act("task:7", Input::Cancel { reason: "why not".to_owned() });
    let (another, decided_before) = pair.submit(tasks([task("task:b")]))?;
    pair.write([large, cancel]);
    assert!(matches!(answer(too_large), Err(StoreError::Full(_))));
    assert!(matches!(answer(cancelled), Err(StoreError::Full(_))));
    limit(&connection, 1000)?;
    let (fresh, decided_after) = pair.submit(tasks([task("task:c")]))?;
    pair.write([another, fresh]);
    assert!(matches!(answer(decided_before), Err(StoreError::Full(_))), "its ledger held what is not on the disk");
    answer(decided_after)?;
    assert_eq!(query::task(&connection, &"task:b".into())?, None);
    assert_eq!(journal::last_event(&connection)?, 1);
    let (gone, cancelled) = pair.act("task:7", Input::Cancel { reason: "why not".to_owned() });
    pair.write([gone]);
    assert!(matches!(answer(cancelled), Err(StoreError::NotFound { .. })));
    Ok(())
}

#[test]
fn what_is_submitted_again_after_a_full_disk_is_changed_where_it_is() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    // There is room for some of them.
    limit(&connection, 20)?;
    let (all, full) = pair.submit(tasks((0..100).map(|number| task(&format!("task:{number}")))))?;
    pair.write([all]);
    assert!(matches!(answer(full), Err(StoreError::Full(_))));
    assert!(pair.writer.keys.is_empty(), "numbers of rows that were taken back are kept");
    limit(&connection, 1000)?;
    for id in ["task:9", "task:0", "task:1"] {
        let (one, submitted) = pair.submit(tasks([task(id)]))?;
        pair.write([one]);
        answer(submitted)?;
    }
    let (cancel, cancelled) = pair.act("task:0", Input::Cancel { reason: "not needed".to_owned() });
    pair.write([cancel]);
    answer(cancelled)?;
    for (id, status) in [("task:0", "cancelled"), ("task:1", "pending"), ("task:9", "pending")] {
        let found = query::task(&connection, &id.into())?.ok_or("there is no such task")?;
        assert_eq!((found.id.as_str(), found.status.as_str()), (id, status));
    }
    Ok(())
}

#[test]
fn what_is_not_on_the_disk_yet_is_known() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let keyed = |expect| Submission {
        records: vec![record(expect)],
        idempotency_key: Some("key".to_owned()),
        ..Submission::default()
    };
    let (first, made) = pair.submit(keyed(Expect::Absent))?;
    let (second, again) = pair.submit(keyed(Expect::Absent))?;
    let without_key = |expect| Submission { records: vec![record(expect)], ..Submission::default() };
    let (third, conflict) = pair.submit(without_key(Expect::Absent))?;
    let (fourth, changed) = pair.submit(without_key(Expect::Version(1)))?;
    pair.write([first, second, third, fourth]);
    assert!(!answer(made)?.repeated);
    assert!(answer(again)?.repeated, "the key was seen, and is not on the disk");
    assert!(matches!(answer(conflict), Err(StoreError::Conflict { .. })));
    answer(changed)?;
    let (fifth, changed) = pair.submit(without_key(Expect::Version(2)))?;
    let (sixth, repeated) = pair.submit(keyed(Expect::Absent))?;
    pair.write([fifth, sixth]);
    answer(changed)?;
    assert!(answer(repeated)?.repeated, "now the disk is asked");
    assert_eq!(query::version(&connection, &Key::new(Kind::Stack, "stack:shop"))?, Some(3));
    Ok(())
}

#[test]
fn a_claim_that_finds_nothing_is_answered_at_once_where_the_disk_knows_all() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let request = |claim: &str| ClaimRequest {
        host: "vm1".into(),
        epoch: 1,
        claim: ClaimId::from(claim),
        max: 10,
        expires_at: NOW + jiff::SignedDuration::from_secs(60),
        expect: None,
    };
    pair.claim()?;
    let (claim, found) = pair.decide(|reply| Command::Claim { request: request("one"), now: NOW, reply });
    assert!(pair.decider.answered(claim).is_none(), "there is nothing to write");
    assert_eq!(answer(found)?, []);
    let (submitted, _) = pair.submit(tasks([task("task:a")]))?;
    pair.decider.hand_on(&submitted);
    // There is nothing for it, but it may have heard of what is not on the disk yet.
    let nobody = ClaimRequest { host: "vm2".into(), ..request("two") };
    let (claim, mut found) = pair.decide(|reply| Command::Claim { request: nobody, now: NOW, reply });
    let claim = pair.decider.answered(claim).ok_or("answered before what it may tell of is on the disk")?;
    assert!(found.try_recv().is_err());
    pair.write([submitted, claim]);
    assert!(answer(found).is_err(), "it has no session");
    let (claim, found) = pair.decide(|reply| Command::Claim { request: request("three"), now: NOW, reply });
    let claim = pair.decider.answered(claim).ok_or("what is granted is to be written")?;
    pair.write([claim]);
    assert_eq!(answer(found)?.len(), 1);
    Ok(())
}

#[test]
fn what_has_ended_is_held_until_the_disk_knows() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let (submitted, _) = pair.submit(tasks([task("task:a")]))?;
    pair.write([submitted]);
    let lease = pair.claim()?.first().and_then(|task| task.lease.clone()).ok_or("no lease")?;
    let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
    let (done, ended) = pair.act("task:a", Input::Report { lease, outcome });
    // Decided while the disk still says that it is assigned.
    let (again, refused) = pair.act("task:a", Input::Cancel { reason: "too late".to_owned() });
    assert!(pair.decider.holds(&"task:a".into()));
    pair.write([done, again]);
    answer(ended)?;
    assert!(matches!(answer(refused), Err(StoreError::Refused { .. })));
    let (next, wakeup) = pair.decide(|reply| Command::NextWakeup { reply });
    pair.write([next]);
    assert_eq!(answer(wakeup)?, None);
    assert!(!pair.decider.holds(&"task:a".into()), "the disk knows");
    assert_eq!(query::task(&connection, &"task:a".into())?.map(|task| task.status), Some(TaskStatus::Completed));
    let (known, twice) = pair.submit(tasks([task("task:a")]))?;
    pair.write([known]);
    answer(twice)?;
    assert_eq!(query::task(&connection, &"task:a".into())?.map(|task| task.status), Some(TaskStatus::Completed));
    Ok(())
}

#[test]
fn what_is_tried_again_between_the_search_and_the_decision_stays() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let deployment = |name: &str| Task { deployment_id: Some(name.into()), ..task(&format!("task:{name}")) };
    let all = ["a", "b"].map(deployment).into_iter().chain(["task:c", "task:d"].map(task));
    let (submitted, _) = pair.submit(tasks(all))?;
    pair.write([submitted]);
    for id in ["task:a", "task:b", "task:c", "task:d"] {
        let (cancelled, answered) = pair.act(id, Input::Cancel { reason: "enough".to_owned() });
        pair.write([cancelled]);
        answer(answered)?;
    }
    let (stale, _) = prune::stale(&connection, &Cut { max_tasks: 0, ..Cut::nothing() }, Walk::default())?;
    assert_eq!(stale.works.len(), 4);
    let retries = ["task:a", "task:c"].map(|id| pair.act(id, Input::Retry).0);
    let (pruned, answered) = pair.decide(|reply| Command::Prune { stale, reply });
    pair.write(retries.into_iter().chain([pruned]));
    assert_eq!(answer(answered)?.tasks, 2);
    let left = query::tasks(&connection, &TaskQuery::default())?;
    assert_eq!(left.items.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["task:a", "task:c"]);
    Ok(())
}

#[test]
fn events_are_found_by_number_over_all_their_rows() -> Checked {
    let (_directory, path, connection) = database()?;
    let mut pair = Pair::new(&path, &connection)?;
    let event = |number: usize| NewEvent {
        kind: EventType::HostUpdated,
        data: json!({"number": number, "text": "line\nbreak ".repeat(number % 500)}),
    };
    let mut sent = Vec::new();
    for size in [1, 700, 0, 3, 40] {
        let events: Vec<NewEvent> = (sent.len()..sent.len() + size).map(event).collect();
        sent.extend(events.clone());
        let (write, answered) = pair.submit(Submission { events, ..Submission::default() })?;
        pair.write([write]);
        answer(answered)?;
    }
    let widest: usize = connection.query_row("SELECT max(length(lines)) FROM events", [], |row| row.get(0))?;
    assert!(widest < 80 * 1024, "a row of {widest} bytes");
    let rows: u64 = connection.query_row("SELECT count(*) FROM events", [], |row| row.get(0))?;
    assert!((20..100).contains(&rows), "{rows} rows");
    assert_eq!(journal::last_event(&connection)?, 744);
    for after in (0..750).step_by(7) {
        for size in [0, 1, 100, 1000] {
            let events = journal::events(&connection, after, size)?;
            let place = usize::try_from(after)?.min(sent.len());
            let expected: Vec<_> = sent[place..].iter().take(size).collect();
            assert_eq!(
                events.iter().map(|event| &event.data).collect::<Vec<_>>(),
                expected.iter().map(|e| &e.data).collect::<Vec<_>>()
            );
            assert!(events.iter().zip(after + 1..).all(|(event, seq)| event.seq == seq));
        }
    }
    connection.execute("DELETE FROM events WHERE last < 300", [])?;
    let first: u64 = connection.query_row("SELECT min(first) FROM events", [], |row| row.get(0))?;
    let up_to = first - 1;
    assert_eq!(journal::events(&connection, up_to - 1, 5), Err(StoreError::Pruned { up_to }));
    assert_eq!(journal::events(&connection, up_to, 5)?.len(), 5);
    Ok(())
}

#[test]
fn a_draft_comes_back_empty_and_a_large_one_not_at_all() {
    let mut draft = Draft::default();
    draft.event(&NewEvent { kind: EventType::HostUpdated, data: json!({}) }, NOW);
    assert!(draft.emptied().is_some_and(|draft| draft.events.is_empty() && draft.events.capacity() > 0));
    let mut large = Draft::default();
    large.event(&NewEvent { kind: EventType::HostUpdated, data: json!("x".repeat(100_000)) }, NOW);
    assert!(large.emptied().is_none());
}
