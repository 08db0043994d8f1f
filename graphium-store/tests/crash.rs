//! What was acknowledged survives the end of the process, however it comes.

use futures::executor::block_on;
use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    id::TaskId,
    store::{Expect, Key, Kind, RecordWrite, SessionRequest, Submission, TaskQuery, TaskStore, TaskStoreExt},
    task::{Task, TaskStatus},
};
use graphium_store::{Options, open};
use jiff::Timestamp;
use serde_json::json;
use std::{
    env,
    error::Error,
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

type Checked = Result<(), Box<dyn Error>>;

/// Names the database to the child process.
const DATABASE: &str = "GRAPHIUM_TEST_CRASH_DATABASE";

#[test]
fn what_was_acknowledged_survives_kill_9() -> Checked {
    let directory = tempfile::tempdir()?;
    let url = format!("sqlite:{}", directory.path().join("graphium.db").display());
    let mut acknowledged = Vec::new();
    for round in 1..=5 {
        acknowledged.extend(run_and_kill(&url, round * 37)?);
        let store = block_on(open(&url, Options::at(Timestamp::UNIX_EPOCH)))?;
        block_on(check(&*store, &acknowledged))?;
    }
    Ok(())
}

/// Runs the child below, kills it once it has said that so many submissions were acknowledged, and returns all that it said.
fn run_and_kill(url: &str, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let mut child = Command::new(env::current_exe()?)
        .args(["--exact", "the_child_submits_until_it_is_killed", "--nocapture"])
        .env(DATABASE, url)
        .stdout(Stdio::piped())
        .spawn()?;
    let output = child.stdout.take().ok_or("no output")?;
    let mut acknowledged = Vec::new();
    for line in BufReader::new(output).lines() {
        if let Some(id) = line?.strip_prefix("acknowledged ") {
            acknowledged.push(id.to_owned());
        }
        if acknowledged.len() == count {
            child.kill()?;
        }
    }
    child.wait()?;
    assert!(acknowledged.len() >= count, "the child ended by itself");
    Ok(acknowledged)
}

async fn check(store: &dyn TaskStore, acknowledged: &[String]) -> Checked {
    for id in acknowledged {
        let task = store.task(&TaskId::from(id.as_str())).await?.ok_or_else(|| format!("`{id}` is lost"))?;
        assert_eq!(task.status, TaskStatus::Pending);
        assert!(store.record(&Key::new(Kind::Deployment, id)).await?.is_some(), "the record of `{id}` is lost");
    }
    // Of what was not acknowledged there is all or nothing.
    let tasks = store.all_tasks(TaskQuery::default()).await?;
    for task in &tasks {
        assert!(store.record(&Key::new(Kind::Deployment, task.id.as_str())).await?.is_some(), "half of `{}`", task.id);
    }
    let events = store.events(0, usize::MAX).await?;
    assert!(events.iter().zip(1..).all(|(event, number)| event.seq == number), "the events have a gap");
    assert_eq!(events.len(), tasks.len() * 2);
    Ok(())
}

/// Does nothing unless the test above runs it.
#[test]
fn the_child_submits_until_it_is_killed() -> Checked {
    let Ok(url) = env::var(DATABASE) else { return Ok(()) };
    let store = block_on(open(&url, Options::at(Timestamp::UNIX_EPOCH)))?;
    let request = SessionRequest { host: "vm1".into(), nonce: std::process::id().to_string(), seen_epoch: 0 };
    let run = block_on(store.open_session(request, Timestamp::UNIX_EPOCH))?.epoch;
    let workers: Vec<_> = (0..4)
        .map(|worker| {
            let store = Arc::clone(&store);
            thread::spawn(move || {
                for number in 0..100_000 {
                    let id = format!("task:{run}.{worker}.{number}");
                    if block_on(store.submit(submission(&id), Timestamp::UNIX_EPOCH)).is_ok() {
                        // One write per line: a line that is cut off was not acknowledged.
                        let _ = std::io::stdout().write_all(format!("acknowledged {id}\n").as_bytes());
                    }
                }
            })
        })
        .collect();
    workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked"))?;
    Ok(())
}

fn submission(id: &str) -> Submission {
    let write = RecordWrite {
        key: Key::new(Kind::Deployment, id),
        expect: Expect::Absent,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({}))),
    };
    let event = NewEvent { kind: EventType::StackDeploying, data: json!({}) };
    Submission { records: vec![write], tasks: vec![task(id)], events: vec![event], ..Submission::default() }
}

fn task(id: &str) -> Task {
    let payload = Action::Start { name: "web".to_owned() };
    Task { deployment_id: Some(id.into()), ..Task::new(id.into(), "vm1".into(), payload, Timestamp::UNIX_EPOCH) }
}
