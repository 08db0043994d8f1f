//! Snapshots of the log, and what is swept away after them; also on the real server or cluster that `GRAPHIUM_TEST_COUCHDB_URL` names.

#![cfg(feature = "couchdb")]

use graphium_core::{
    action::Action,
    id::TaskId,
    store::{ClaimRequest, SessionRequest, StoreError, Submission, TaskQuery, TaskStore, TaskStoreExt},
    task::{Input, Outcome, Task, TaskResult},
};
use graphium_store::{
    CouchStore, Options,
    couch::{CouchAddress, CouchClient, Retention},
    testing::{FakeCouch, Fault, Faults},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    env,
    error::Error,
    process::Command,
    time::{Duration, Instant},
};

#[path = "couch/real.rs"]
mod real;

type Checked = Result<(), Box<dyn Error>>;

const SMALL: Retention = Retention { snapshot_every: 10, keep: 5 };

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

async fn server(fake: &FakeCouch) -> Result<CouchStore, Box<dyn Error>> {
    server_at(&fake.url()).await
}

async fn server_at(url: &str) -> Result<CouchStore, Box<dyn Error>> {
    Ok(CouchStore::open_with(CouchAddress::parse(url)?, Options::at(at(0)), SMALL).await?)
}

async fn submit(store: &CouchStore, id: &str, after: &[&str]) -> Result<(), StoreError> {
    let action = Action::Start { name: id.to_owned() };
    let task = Task {
        deployment_id: Some("deployment:1".into()),
        depends_on: after.iter().map(|id| TaskId::from(*id)).collect(),
        ..Task::new(id.into(), "vm1".into(), action, at(0))
    };
    let key = Some(format!("key of {id}"));
    store.submit(Submission { tasks: vec![task], idempotency_key: key, ..Submission::default() }, at(0)).await?;
    Ok(())
}

async fn fill(store: &CouchStore, from: usize, to: usize) -> Result<(), StoreError> {
    for number in from..to {
        submit(store, &format!("t{number:03}"), &[]).await?;
    }
    Ok(())
}

fn entries(fake: &FakeCouch) -> usize {
    fake.ids().iter().filter(|id| id.starts_with("log:")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_bounded_and_a_new_server_knows_everything() -> Checked {
    for copies in [1, 3] {
        let fake = FakeCouch::start(copies).await?;
        let store = server(&fake).await?;
        let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
        let session = store.open_session(request.clone(), at(0)).await?;
        fill(&store, 0, 57).await?;
        submit(&store, "u", &["t000"]).await?;
        // It is swept beside what is written.
        let parts = || fake.ids().iter().filter(|id| id.starts_with("snapshot:0")).count();
        for _ in 0..500 {
            if entries(&fake) <= 25 && parts() == 1 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(entries(&fake) <= 25, "{} entries", entries(&fake));
        assert!(!fake.ids().contains(&"log:0000000000000001".to_owned()), "what is old is still there");
        assert_eq!(parts(), 1, "{:?}", fake.ids());

        let other = server(&fake).await?;
        let all = store.all_tasks(TaskQuery::default()).await?;
        assert_eq!(all.len(), 58);
        assert!(other.all_tasks(TaskQuery::default()).await? == all, "another server knows other tasks");
        assert_eq!(other.last_event().await?, 58);
        assert_eq!(other.open_session(request, at(0)).await?, session);
        let claim = ClaimRequest {
            host: "vm1".into(),
            epoch: session.epoch,
            claim: "c".into(),
            max: 1,
            expires_at: at(30),
            expect: None,
        };
        let granted = other.claim(claim.clone(), at(1)).await?;
        assert_eq!(store.claim(claim, at(1)).await?, granted);
        let lease = granted[0].lease.clone().ok_or("no lease")?;
        let report = Input::Report { lease, outcome: Outcome::Completed(TaskResult::default()) };
        store.act(&granted[0].id, report, at(2)).await?;
        let again = Submission { idempotency_key: Some("key of t000".to_owned()), ..Submission::default() };
        assert!(other.submit(again, at(3)).await?.repeated);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_that_are_gone_are_said_to_be_gone_and_the_others_are_read() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    fill(&store, 0, 57).await?;
    let other = server(&fake).await?;
    let Err(StoreError::Pruned { up_to }) = other.events(0, 10).await else { return Err("not pruned".into()) };
    // The last snapshot is made beside what is written, so where it was made varies; the last entries are kept in any case.
    assert!(up_to > 30 && up_to <= 57 - SMALL.keep, "{up_to}");
    assert!(matches!(other.events(up_to - 1, 10).await, Err(StoreError::Pruned { .. })));
    for after in up_to..58 {
        let events = other.events(after, 100).await?;
        assert_eq!(events, store.events(after, 100).await?, "after {after}");
        assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (after + 1..=57).collect::<Vec<_>>());
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_away_does_not_write_where_the_log_was_swept() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (store, away) = (server(&fake).await?, server(&fake).await?);
    submit(&away, "first", &[]).await?;
    fill(&store, 0, 57).await?;
    submit(&away, "last", &[]).await?;
    let ids = |tasks: Vec<Task>| tasks.into_iter().map(|task| task.id).collect::<Vec<_>>();
    let all = ids(store.all_tasks(TaskQuery::default()).await?);
    assert_eq!(all.len(), 59);
    assert_eq!(ids(away.all_tasks(TaskQuery::default()).await?), all);
    assert_eq!(store.last_event().await?, 59);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_was_not_finished_is_nobodys_and_is_swept() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    let rest = "snapshot:0000000000000002:x:000000";
    fake.put(rest, json!({"type": "snapshot-part", "lines": "nonsense"}));
    fill(&store, 0, 5).await?;
    assert_eq!(server(&fake).await?.all_tasks(TaskQuery::default()).await?.len(), 5);
    assert!(fake.ids().contains(&rest.to_owned()));
    fill(&store, 5, 30).await?;
    assert!(!fake.ids().contains(&rest.to_owned()));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_fails_while_a_snapshot_is_made_fails_nobody() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    let faults = Faults::from_seed(9).with(Fault::BrokenBefore, 0.2).with(Fault::BrokenAfterCommit, 0.2);
    fake.set_faults(faults);
    fill(&store, 0, 100).await?;
    fake.set_faults(Faults::none());
    fill(&store, 100, 120).await?;
    let other = server(&fake).await?;
    assert_eq!(other.all_tasks(TaskQuery::default()).await?.len(), 120);
    assert_eq!(other.last_event().await?, 120);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_while_the_log_is_swept_misses_nothing() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    for round in 0..30 {
        fill(&store, round * 11, round * 11 + 11).await?;
        // The snapshot is made and the log is swept meanwhile.
        let tasks = server(&fake).await?.all_tasks(TaskQuery::default()).await?.len();
        assert_eq!(tasks, round * 11 + 11);
    }
    Ok(())
}

/// How long it may take until little of the log is left.
const SWEPT: Duration = Duration::from_secs(90);

/// What a node's list shows of the log and of the snapshot, in words; whether little of the log is left.
async fn left_at(url: &str) -> (bool, String) {
    let look = async {
        let client = CouchClient::new(CouchAddress::parse(url)?)?;
        let names = client.names("log:", "log;", 1_000).await?;
        let head = client.get("snapshot:head").await?.map(|found| found.body);
        let head = head.unwrap_or_default();
        let (place, floor) = (&head["place"], &head["floor"]);
        let span = names.first().zip(names.last()).map(|((first, _), (last, _))| format!("{first} to {last}"));
        let few = (1..=25).contains(&names.len()) && names.iter().all(|(id, _)| id != "log:0000000000000001");
        let span = span.unwrap_or_default();
        let words = format!("{} entries, {span}; the snapshot has place {place} and floor {floor}", names.len());
        Ok::<_, Box<dyn Error>>((few, words))
    };
    look.await.unwrap_or_else(|error| (false, error.to_string()))
}

/// Waits until little of the log is left at every node, as their lists have it. Meanwhile commands go on, as they do: each snapshot
/// sweeps what the one before it has left. Answers with how many commands there are then.
async fn wait_until_swept(store: &CouchStore, urls: &[String], mut number: usize) -> Result<usize, Box<dyn Error>> {
    let begun = Instant::now();
    loop {
        let mut all = Vec::new();
        for url in urls {
            all.push(left_at(url).await);
        }
        if all.iter().all(|(few, _)| *few) {
            return Ok(number);
        }
        if begun.elapsed() > SWEPT {
            let words: Vec<String> =
                (1..).zip(all).map(|(node, (_, words))| format!("\n  node {node}: {words}")).collect();
            return Err(format!("{SWEPT:?} after the last trouble much of the log is left:{}", words.concat()).into());
        }
        insist(store, number, number + 1).await?;
        number += 1;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

fn trouble(arguments: [&str; 2]) -> Checked {
    let Ok(program) = env::var("GRAPHIUM_TEST_COUCHDB_TROUBLE") else { return Ok(()) };
    let status = Command::new(&program).args(arguments).status()?;
    if status.success() { Ok(()) } else { Err(format!("`{program} {}` failed", arguments.join(" ")).into()) }
}

/// How long a command is asked for again. A node that was killed is looked for every forty seconds after it is back.
const INSISTENCE: Duration = Duration::from_secs(90);

/// As clients do: what was not acknowledged is asked for again.
async fn insist(store: &CouchStore, from: usize, to: usize) -> Checked {
    for number in from..to {
        let begun = Instant::now();
        for attempt in 1.. {
            match submit(store, &format!("t{number:03}"), &[]).await {
                Ok(()) => break,
                Err(StoreError::Unavailable(_)) if begun.elapsed() < INSISTENCE => {
                    tokio::time::sleep(Duration::from_millis(200)).await;
                }
                Err(error) => {
                    let taken = begun.elapsed();
                    return Err(
                        format!("command {number} was not stored: {attempt} attempts, {taken:.1?}: {error}").into()
                    );
                }
            }
        }
    }
    Ok(())
}

/// Where a program makes trouble (`couch_nodes` says how), the third node is away meanwhile, and has it all when it comes back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a test says what it did not test")]
async fn a_real_server_purges_what_a_snapshot_has_made_superfluous() -> Checked {
    let Some(database) = real::Database::new() else {
        eprintln!("not tested: a purge on a real server needs GRAPHIUM_TEST_COUCHDB_URL");
        return Ok(());
    };
    let (store, other) = (server_at(database.at(0)).await?, server_at(database.at(1)).await?);
    insist(&store, 0, 20).await?;
    trouble(["kill", "3"])?;
    for number in (20..120).step_by(10) {
        insist(&store, number, number + 5).await?;
        insist(&other, number + 5, number + 10).await?;
    }
    trouble(["start", "3"])?;
    insist(&store, 120, 140).await?;
    let number = wait_until_swept(&store, &database.urls, 140).await?;
    for node in 0..3 {
        let fresh = server_at(database.at(node)).await?;
        assert_eq!(fresh.all_tasks(TaskQuery::default()).await?.len(), number, "tasks by way of node {}", node + 1);
        assert_eq!(fresh.last_event().await?, number as u64, "events by way of node {}", node + 1);
    }
    drop((store, other));
    Ok(database.remove().await?)
}
