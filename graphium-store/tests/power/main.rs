//! The loss of power: a child's writes are recorded, torn images of its database are made of them, and each must hold
//! everything that the child acknowledged before.

#![cfg(target_os = "linux")]

mod disk;
mod trace;

use disk::{Disk, Random};
use futures::executor::block_on;
use graphium_core::{
    action::Action,
    store::{Expect, Key, Kind, RecordWrite, Submission, TaskQuery, TaskStore, TaskStoreExt},
    task::Task,
};
use graphium_store::{Options, SqliteStore};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::json;
use std::{
    collections::HashSet,
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};
use trace::Step;

type Checked = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Names the database to the child process.
const DATABASE: &str = "GRAPHIUM_TEST_POWER_DATABASE";

/// How many images are made; `tests/deep` makes ten thousand.
const IMAGES: &str = "GRAPHIUM_TEST_POWER_IMAGES";

fn images() -> Result<u64, Box<dyn Error>> {
    Ok(env::var(IMAGES).unwrap_or_else(|_| "300".to_owned()).parse()?)
}

/// What a child wrote.
fn record(child: &str) -> Result<Vec<Step>, Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", child, "--nocapture", "--test-threads=1"]);
    command.env(DATABASE, folder.path().join("graphium.db"));
    trace::record(&command, &folder.path().join("trace"))
}

/// The disk after a number of steps.
fn disk_after(steps: &[Step]) -> Disk {
    let mut disk = Disk::default();
    steps.iter().for_each(|step| disk.carry_out(step));
    disk
}

/// Makes images at random moments after the first acknowledgement, and says how many of them have lost something.
fn lost(
    steps: &[Step],
    count: u64,
    stored: impl Fn(&Path) -> Result<HashSet<String>, Box<dyn Error>>,
) -> Result<u64, Box<dyn Error>> {
    let first = steps.iter().position(|step| matches!(step, Step::Acknowledge(_))).ok_or("nothing was acknowledged")?;
    let mut moments: Vec<(usize, u64)> =
        (0..count).map(|seed| (first + 1 + Random::new(seed).below(steps.len() - first), seed)).collect();
    // In their order, so that the disk goes on from one to the next.
    moments.sort_unstable();
    let (mut disk, mut done, mut lost) = (Disk::default(), 0, 0);
    for (moment, seed) in moments {
        steps[done..moment].iter().for_each(|step| disk.carry_out(step));
        done = moment;
        let folder = tempfile::tempdir()?;
        disk.lose_power(folder.path(), &mut Random::new(seed + 1_000_000))?;
        let found = stored(&folder.path().join("graphium.db"))
            .map_err(|error| format!("the image of seed {seed} after step {moment}: {error}"))?;
        lost += u64::from(disk.acknowledged.iter().any(|id| !found.contains(id)));
    }
    Ok(lost)
}

/// The ids in an image of a store, which must be sound and go on.
fn stored(path: &Path) -> Result<HashSet<String>, Box<dyn Error>> {
    let verdict = SqliteStore::check(path)?;
    if !verdict.findings.is_empty() {
        return Err(verdict.findings.join("; ").into());
    }
    let store = block_on(SqliteStore::open(path, Options::at(NOW)))?;
    let tasks = block_on(store.all_tasks(TaskQuery::default()))?;
    let mut ids = HashSet::new();
    for task in tasks {
        let id = task.id.as_str().to_owned();
        if block_on(store.record(&Key::new(Kind::Deployment, id.as_str())))?.is_none() {
            return Err(format!("half of `{id}`").into());
        }
        ids.insert(id);
    }
    block_on(store.submit(submission("after"), NOW))?;
    Ok(ids)
}

/// A recording in which the log began anew: how often it does depends on how the writers happen to meet.
fn eventful() -> Result<Vec<Step>, Box<dyn Error>> {
    let begins = |step: &&Step| matches!(step, Step::Write { file, offset: 0, .. } if file == "graphium.db-wal");
    for _ in 0..5 {
        let steps = record("the_child_submits_to_a_store")?;
        if steps.iter().filter(begins).count() > 1 {
            return Ok(steps);
        }
    }
    Err("the log never began anew".into())
}

#[test]
fn no_loss_of_power_takes_away_what_was_acknowledged() -> Checked {
    let steps = eventful()?;
    let of = |wanted: fn(&Step) -> bool| steps.iter().filter(|step| wanted(step)).count();
    assert_eq!(of(|step| matches!(step, Step::Acknowledge(_))), WORKERS * SUBMISSIONS);
    assert!(
        of(|step| matches!(step, Step::Sync { file } if file == "graphium.db")) > 2,
        "it never came to a checkpoint"
    );
    let whole = tempfile::tempdir()?;
    disk_after(&steps).lose_power(whole.path(), &mut Random::new(0))?;
    assert!(stored(&whole.path().join("graphium.db"))?.len() >= WORKERS * SUBMISSIONS);
    assert_eq!(lost(&steps, images()?, stored)?, 0);
    Ok(())
}

#[test]
fn with_synchronous_normal_the_same_images_lose_something() -> Checked {
    let steps = record("the_child_commits_without_waiting_for_the_disk")?;
    let rows = |path: &Path| {
        let connection = Connection::open(path)?;
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        assert_eq!(sound, "ok");
        let mut rows = connection.prepare("SELECT id FROM rows")?;
        let ids = rows.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
        Ok(ids)
    };
    let count = images()?.min(300);
    let lost = lost(&steps, count, rows)?;
    assert!(lost > count / 10, "{lost} of {count} images have lost something: the images are too good");
    Ok(())
}

const WORKERS: usize = 3;
const SUBMISSIONS: usize = 40;

fn acknowledge(id: &str) {
    // One write per line: a line that is cut off was not acknowledged.
    let _ = io::stdout().write_all(format!("acknowledged {id}\n").as_bytes());
}

/// Does nothing unless the test above runs it.
#[test]
fn the_child_submits_to_a_store() -> Checked {
    let Ok(path) = env::var(DATABASE) else { return Ok(()) };
    let store = Arc::new(block_on(SqliteStore::open(&path, Options::at(NOW)))?);
    let workers: Vec<_> = (0..WORKERS)
        .map(|worker| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for number in 0..SUBMISSIONS {
                    let id = format!("task:{worker}.{number}");
                    if block_on(store.submit(submission(&id), NOW)).is_ok() {
                        acknowledge(&id);
                    }
                }
            })
        })
        .collect();
    // The store's own checkpoints come after many megabytes; these are the same, and the log begins anew after each.
    let ended = Arc::new(AtomicBool::new(false));
    let checkpoints = thread::spawn({
        let ended = Arc::clone(&ended);
        move || -> rusqlite::Result<()> {
            let connection = Connection::open(path)?;
            connection.execute_batch("PRAGMA synchronous = FULL")?;
            while !ended.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(15));
                connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
            }
            Ok(())
        }
    });
    workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked"))?;
    ended.store(true, Ordering::Relaxed);
    checkpoints.join().map_err(|_| "the checkpoints panicked")??;
    Ok(())
}

/// Does nothing unless the test above runs it.
#[test]
fn the_child_commits_without_waiting_for_the_disk() -> Checked {
    let Ok(path) = env::var(DATABASE) else { return Ok(()) };
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE rows (id TEXT PRIMARY KEY, body TEXT);
         PRAGMA wal_checkpoint(TRUNCATE);",
    )?;
    for number in 0..120 {
        let id = format!("row:{number}");
        connection.execute("INSERT INTO rows VALUES (?, ?)", [&id, &"x".repeat(1000)])?;
        acknowledge(&id);
        if number % 30 == 29 {
            connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
    }
    Ok(())
}

/// A task with its record, some of them large.
fn submission(id: &str) -> Submission {
    let size = if id.ends_with('7') { 20_000 } else { 200 };
    let write = RecordWrite {
        key: Key::new(Kind::Deployment, id),
        expect: Expect::Absent,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"text": "x".repeat(size)}))),
    };
    let task = Task {
        deployment_id: Some(id.into()),
        ..Task::new(id.into(), "vm1".into(), Action::Start { name: "web".to_owned() }, NOW)
    };
    Submission { records: vec![write], tasks: vec![task], ..Submission::default() }
}
