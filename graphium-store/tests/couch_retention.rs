//! Several servers on one CouchDB, of which one prunes: all let go of the same.

#![cfg(feature = "couchdb")]

use graphium_core::{
    action::Action,
    event::{EventType, NewEvent},
    store::{
        ClaimRequest, Cut, Expect, Key, Kind, Pruned, RecordWrite, SessionRequest, StoreError, Submission, TaskQuery,
        TaskStore, TaskStoreExt,
    },
    task::{Input, Outcome, Task, TaskResult, TaskStatus},
};
use graphium_store::{
    CouchStore, Options,
    couch::{CouchAddress, Retention},
    testing::FakeCouch,
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{error::Error, sync::Arc};

type Checked = Result<(), Box<dyn Error>>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

async fn server(fake: &FakeCouch, retention: Retention) -> Result<CouchStore, Box<dyn Error>> {
    Ok(CouchStore::open_with(CouchAddress::parse(&fake.url())?, Options::at(at(0)), retention).await?)
}

/// A deployment with its record and an idempotency key, whose tasks end at a time.
async fn deployment(store: &CouchStore, id: &str, parts: usize, end: i64) -> Checked {
    let task = |part: usize| Task {
        deployment_id: Some(id.into()),
        max_retries: 0,
        ..Task::new(format!("{id}.{part:04}").into(), "vm1".into(), Action::Start { name: "x".to_owned() }, at(0))
    };
    let key = Key::new(Kind::Deployment, id);
    let record = RecordWrite { key, expect: Expect::Absent, stack: None, host: None, body: Some(Arc::new(json!({}))) };
    let submission = Submission {
        records: vec![record],
        tasks: (0..parts).map(task).collect(),
        idempotency_key: Some(format!("key of {id}")),
        ..Submission::default()
    };
    store.submit(submission, at(end)).await?;
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let epoch = store.open_session(request, at(end)).await?.epoch;
    let claim = ClaimRequest {
        host: "vm1".into(),
        epoch,
        claim: id.into(),
        max: parts,
        expires_at: at(end + 60),
        expect: None,
    };
    for task in store.claim(claim, at(end)).await? {
        let lease = task.lease.ok_or("no lease")?;
        let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
        store.act(&task.id, Input::Report { lease, outcome }, at(end)).await?;
    }
    Ok(())
}

/// What a server holds of all this.
async fn held(store: &CouchStore) -> Result<(Vec<Task>, Vec<bool>, Vec<bool>, StoreError), Box<dyn Error>> {
    let (mut records, mut keys) = (Vec::new(), Vec::new());
    for id in ["a", "b"] {
        records.push(store.record(&Key::new(Kind::Deployment, id)).await?.is_some());
        let again = Submission { idempotency_key: Some(format!("key of {id}")), ..Submission::default() };
        // One that is forgotten would be remembered from now on: so it is refused for another reason.
        let record = Key::new(Kind::Stack, "none");
        let write = RecordWrite { key: record, expect: Expect::Version(7), stack: None, host: None, body: None };
        keys.push(store.submit(Submission { records: vec![write], ..again }, at(50)).await.is_ok());
    }
    let events = store.events(0, 10).await.err().ok_or("no event is gone")?;
    Ok((store.all_tasks(TaskQuery::default()).await?, records, keys, events))
}

/// Snapshots are written beside them.
fn entries(fake: &FakeCouch) -> usize {
    fake.ids().iter().filter(|id| id.starts_with("log:")).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_prunes_is_gone_at_the_others_and_in_the_snapshot() -> Checked {
    for copies in [1, 3] {
        let fake = FakeCouch::start(copies).await?;
        let small = Retention { snapshot_every: 5, keep: 50 };
        let (one, other) = (server(&fake, small).await?, server(&fake, small).await?);
        deployment(&one, "a", 2, 10).await?;
        deployment(&other, "b", 2, 20).await?;
        let cut = Cut { ended_before: at(15), events_before: at(15), ..Cut::nothing() };
        let pruned = other.prune(&cut).await?.ok_or("it prunes nothing")?;
        assert_eq!((pruned.tasks, pruned.more), (2, false));
        assert!(pruned.events > 0);
        // Whoever comes second has nothing to do, and writes nothing.
        let written = entries(&fake);
        assert_eq!(one.prune(&cut).await?, Some(Pruned::default()));
        assert_eq!(entries(&fake), written);
        let tasks = one.all_tasks(TaskQuery::default()).await?;
        assert_eq!(tasks.iter().map(|task| task.id.as_str()).collect::<Vec<_>>(), ["b.0000", "b.0001"]);
        let retry = one.act(&"a.0000".into(), Input::Retry, at(30)).await;
        assert!(matches!(retry, Err(StoreError::NotFound { .. })), "{retry:?}");
        let expected = (tasks, vec![false, true], vec![false, true], StoreError::Pruned { up_to: pruned.events });
        assert_eq!(held(&one).await?, expected);
        assert_eq!(held(&other).await?, expected);
        // Until it is in a snapshot, and read from there.
        for number in 0..10 {
            let events = vec![NewEvent { kind: EventType::HostUpdated, data: json!({"number": number}) }];
            one.submit(Submission { events, ..Submission::default() }, at(40)).await?;
        }
        let third = server(&fake, small).await?;
        let (tasks, records, keys, _) = held(&third).await?;
        assert_eq!((tasks, records, keys), (expected.0, expected.1, expected.2));
        let by_age = third.prune(&Cut { events_before: at(35), ..Cut::nothing() }).await?.ok_or("it prunes nothing")?;
        assert_eq!(third.events(0, 1).await, Err(StoreError::Pruned { up_to: pruned.events + by_age.events }));
        assert_eq!(third.events(pruned.events + by_age.events, 1).await?[0].data["number"], 0);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_step_prunes_a_bounded_part_and_what_was_taken_up_again_stays() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake, Retention::default()).await?;
    for (id, end) in [("a", 10), ("b", 20), ("c", 30)] {
        deployment(&store, id, 600, end).await?;
    }
    store.submit(Submission { tasks: Vec::new(), ..Submission::default() }, at(30)).await?;
    let cut = Cut { max_tasks: 0, ended_before: at(100), ..Cut::nothing() };
    let first = store.prune(&cut).await?.ok_or("it prunes nothing")?;
    assert_eq!((first.tasks, first.more), (1200, true));
    // What is cancelled may be tried again: it is live from then on.
    let late = Task {
        deployment_id: Some("d".into()),
        ..Task::new("d.1".into(), "vm1".into(), Action::Start { name: "x".into() }, at(40))
    };
    store.submit(Submission { tasks: vec![late], ..Submission::default() }, at(40)).await?;
    store.act(&"d.1".into(), Input::Cancel { reason: "a test".into() }, at(41)).await?;
    store.act(&"d.1".into(), Input::Retry, at(42)).await?;
    let second = store.prune(&cut).await?.ok_or("it prunes nothing")?;
    assert_eq!((second.tasks, second.more), (600, false));
    let left = store.all_tasks(TaskQuery::default()).await?;
    assert_eq!(
        left.iter().map(|task| (task.id.as_str(), task.status)).collect::<Vec<_>>(),
        [("d.1", TaskStatus::Pending)]
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_and_a_prune_of_the_same_moment_agree() -> Checked {
    // Commands that come together become one step: whichever comes first, nothing is half gone.
    for round in 0..40 {
        let fake = FakeCouch::start(1).await?;
        let store = server(&fake, Retention::default()).await?;
        deployment(&store, "a", 1, 10).await?;
        let task = Task {
            deployment_id: Some("b".into()),
            ..Task::new("b.1".into(), "vm1".into(), Action::Start { name: "x".into() }, at(10))
        };
        store.submit(Submission { tasks: vec![task], ..Submission::default() }, at(10)).await?;
        store.act(&"b.1".into(), Input::Cancel { reason: "a test".into() }, at(11)).await?;
        let cut = Cut { ended_before: at(100), ..Cut::nothing() };
        let id = "b.1".into();
        let (pruned, retried) = if round % 2 == 0 {
            futures::future::join(store.prune(&cut), store.act(&id, Input::Retry, at(12))).await
        } else {
            let (retried, pruned) =
                futures::future::join(store.act(&id, Input::Retry, at(12)), store.prune(&cut)).await;
            (pruned, retried)
        };
        let is_there = store.task(&id).await?.map(|task| task.status);
        let expected = retried.is_ok().then_some(TaskStatus::Pending);
        assert_eq!(is_there, expected, "round {round}: {pruned:?}, {retried:?}");
        let other = server(&fake, Retention::default()).await?;
        assert_eq!(other.task(&id).await?.map(|task| task.status), expected, "round {round}");
    }
    Ok(())
}
