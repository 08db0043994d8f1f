//! The loss of power: a child's writes are recorded, torn images of its database are made of them, and each must hold
//! everything that the child acknowledged before.

#![cfg(target_os = "linux")]

#[path = "../acknowledged/mod.rs"]
mod acknowledged;
mod disk;
mod trace;

use acknowledged::{Acknowledged, Checked, NOW, submission, take_over, tell, work};
use disk::{Disk, Random};
use futures::executor::block_on;
use graphium_core::store::TaskStore;
use graphium_store::{Options, SqliteStore};
use rusqlite::Connection;
use std::{
    collections::HashSet,
    env,
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

/// Names the database to the child process.
const DATABASE: &str = "GRAPHIUM_TEST_POWER_DATABASE";

/// How many images are made; `tests/deep` makes ten thousand.
const IMAGES: &str = "GRAPHIUM_TEST_POWER_IMAGES";

fn images() -> Checked<u64> {
    Ok(env::var(IMAGES).unwrap_or_else(|_| "300".to_owned()).parse()?)
}

/// What a child wrote.
fn record(child: &str) -> Checked<Vec<Step>> {
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

/// Makes images at random moments after the first acknowledgement, and says what has been lost in which.
fn losses(
    steps: &[Step],
    count: u64,
    lost: impl Fn(&Path, &[String]) -> Checked<Vec<String>>,
) -> Checked<Vec<(u64, Vec<String>)>> {
    let first = steps.iter().position(|step| matches!(step, Step::Acknowledge(_))).ok_or("nothing was acknowledged")?;
    let mut moments: Vec<(usize, u64)> =
        (0..count).map(|seed| (first + 1 + Random::new(seed).below(steps.len() - first), seed)).collect();
    // In their order, so that the disk goes on from one to the next.
    moments.sort_unstable();
    let (mut disk, mut done, mut losses) = (Disk::default(), 0, Vec::new());
    for (moment, seed) in moments {
        steps[done..moment].iter().for_each(|step| disk.carry_out(step));
        done = moment;
        let folder = tempfile::tempdir()?;
        disk.lose_power(folder.path(), &mut Random::new(seed + 1_000_000))?;
        let lost = lost(&folder.path().join("graphium.db"), &disk.acknowledged)
            .map_err(|error| format!("the image of seed {seed} after step {moment}: {error}"))?;
        if !lost.is_empty() {
            losses.push((seed, lost));
        }
    }
    Ok(losses)
}

/// What an image of a store, which must be sound and go on, has lost.
fn lost(path: &Path, acknowledged: &[String]) -> Checked<Vec<String>> {
    let verdict = SqliteStore::check(path)?;
    if !verdict.findings.is_empty() {
        return Err(verdict.findings.join("; ").into());
    }
    let acknowledged = acknowledged.iter().map(|line| line.parse()).collect::<Checked<Vec<Acknowledged>>>()?;
    let store = block_on(SqliteStore::open(path, Options::at(NOW)))?;
    let lost = block_on(acknowledged::lost(&store, &acknowledged))?;
    if lost.is_empty() {
        block_on(take_over(&store, &acknowledged))?;
        block_on(store.submit(submission(&"after".into(), &"vm0".into()), NOW))?;
    }
    Ok(lost)
}

/// A recording in which the log began anew: how often it does depends on how the writers happen to meet.
fn eventful() -> Checked<Vec<Step>> {
    let begins = |step: &&Step| matches!(step, Step::Write { file, offset: 0, .. } if file == "graphium.db-wal");
    for _ in 0..5 {
        let steps = record("the_child_works_with_a_store")?;
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
    for what in ["submitted", "epoch", "granted", "reported", "cancelled", "asked"] {
        let is_told = |step: &&Step| matches!(step, Step::Acknowledge(line) if line.starts_with(what));
        assert!(steps.iter().filter(is_told).count() >= HOSTS * SESSIONS, "few are {what}");
    }
    assert!(
        of(|step| matches!(step, Step::Sync { file } if file == "graphium.db")) > 2,
        "it never came to a checkpoint"
    );
    let whole = tempfile::tempdir()?;
    let disk = disk_after(&steps);
    disk.lose_power(whole.path(), &mut Random::new(0))?;
    assert_eq!(lost(&whole.path().join("graphium.db"), &disk.acknowledged)?, [""; 0]);
    assert_eq!(losses(&steps, images()?, lost)?.first(), None);
    Ok(())
}

#[test]
fn with_synchronous_normal_the_same_images_lose_something() -> Checked {
    let steps = record("the_child_commits_without_waiting_for_the_disk")?;
    let rows = |path: &Path, acknowledged: &[String]| {
        let connection = Connection::open(path)?;
        let sound: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
        assert_eq!(sound, "ok");
        let mut rows = connection.prepare("SELECT id FROM rows")?;
        let ids = rows.query_map([], |row| row.get(0))?.collect::<Result<HashSet<String>, _>>()?;
        Ok(acknowledged.iter().filter(|id| !ids.contains(*id)).cloned().collect())
    };
    let count = images()?.min(300);
    let lost = losses(&steps, count, rows)?.len() as u64;
    assert!(lost > count / 10, "{lost} of {count} images have lost something: the images are too good");
    Ok(())
}

const HOSTS: usize = 3;
const SESSIONS: usize = 3;

/// Does nothing unless the test above runs it.
#[test]
fn the_child_works_with_a_store() -> Checked {
    let Ok(path) = env::var(DATABASE) else { return Ok(()) };
    let store: Arc<dyn TaskStore> = Arc::new(block_on(SqliteStore::open(&path, Options::at(NOW)))?);
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
    let worked = work(&store, HOSTS, SESSIONS);
    ended.store(true, Ordering::Relaxed);
    checkpoints.join().map_err(|_| "the checkpoints panicked")??;
    worked
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
        tell(&id);
        if number % 30 == 29 {
            connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(()))?;
        }
    }
    Ok(())
}
