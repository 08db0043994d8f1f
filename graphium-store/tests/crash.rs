//! What was acknowledged survives the end of the process, however it comes.

mod acknowledged;

use acknowledged::{Acknowledged, Checked, NOW, lost, take_over, work};
use futures::executor::block_on;
use graphium_store::{Options, SqliteStore, open};
use std::{
    env,
    io::{BufRead, BufReader},
    path::Path,
    process::{Command, Stdio},
};

/// Names the database to the child process.
const DATABASE: &str = "GRAPHIUM_TEST_CRASH_DATABASE";

#[test]
fn what_was_acknowledged_survives_kill_9() -> Checked {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("graphium.db");
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        acknowledged.extend(run_and_kill(&path, round * 97)?);
        assert_eq!(SqliteStore::check(&path)?.findings, [""; 0]);
        let store = block_on(SqliteStore::open(&path, Options::at(NOW)))?;
        assert_eq!(block_on(lost(&store, &acknowledged))?, [""; 0]);
        acknowledged.extend(block_on(take_over(&store, &acknowledged))?);
    }
    Ok(())
}

/// Runs the child below, kills it once it has told of so many answers, and returns all that it told.
fn run_and_kill(path: &Path, count: usize) -> Checked<Vec<Acknowledged>> {
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", "the_child_works_until_it_is_killed", "--nocapture"])
        .env(DATABASE, format!("sqlite:{}", path.display()))
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut acknowledged: Vec<Acknowledged> = Vec::new();
    for line in BufReader::new(output).lines() {
        if let Some(what) = line?.strip_prefix("acknowledged ") {
            acknowledged.push(what.parse()?);
        }
        if acknowledged.len() == count {
            child.kill()?;
        }
    }
    child.wait()?;
    assert!(acknowledged.len() >= count, "the child ended by itself");
    Ok(acknowledged)
}

/// Does nothing unless the test above runs it.
#[test]
fn the_child_works_until_it_is_killed() -> Checked {
    let Ok(url) = env::var(DATABASE) else { return Ok(()) };
    work(&block_on(open(&url, Options::at(NOW)))?, 4, 10_000)
}
