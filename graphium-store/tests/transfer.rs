//! From SQLite to CouchDB and back: everything arrives as it was.

#![cfg(feature = "couchdb")]

use graphium_core::{
    action::Action,
    store::{
        ClaimRequest, Expect, Key, Kind, RecordQuery, RecordWrite, SessionRequest, Submission, TaskQuery, TaskStore,
        TaskStoreExt,
    },
    task::{Input, Outcome, Task, TaskError, TaskResult},
};
use graphium_store::{Options, TransferError, open, testing::FakeCouch, transfer};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{error::Error, sync::Arc};

type Checked = Result<(), Box<dyn Error>>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

fn task(id: &str, after: &[&str], deployment: Option<&str>) -> Task {
    let action = Action::Start { name: id.to_owned() };
    Task {
        deployment_id: deployment.map(Into::into),
        depends_on: after.iter().map(|id| (*id).into()).collect(),
        ..Task::new(id.into(), "vm1".into(), action, at(0))
    }
}

/// A store with something of everything: work that is done, failed, held and waiting.
async fn fill(store: &dyn TaskStore) -> Checked {
    let record = |kind, number: usize| RecordWrite {
        key: Key::new(kind, format!("{}:{number:03}", Kind::as_str(kind))),
        expect: Expect::Absent,
        stack: Some("stack:shop".into()),
        host: Some("vm1".into()),
        body: Some(Arc::new(json!({"name": "größe", "cpus": 0.1, "memory": 4.0, "big": u64::MAX, "number": number}))),
    };
    let records = Kind::ALL.into_iter().flat_map(|kind| (0..120).map(move |number| record(kind, number)));
    let tasks = vec![
        task("a", &[], Some("d1")),
        task("b", &[], Some("d1")),
        task("c", &["a", "b"], Some("d1")),
        task("d", &["a"], Some("d1")),
        task("e", &[], Some("d2")),
        task("f", &[], None),
    ];
    store.submit(Submission { records: records.collect(), tasks, ..Submission::default() }, at(0)).await?;
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let epoch = store.open_session(request, at(0)).await?.epoch;
    let claim = ClaimRequest { host: "vm1".into(), epoch, claim: "c".into(), max: 3, expires_at: at(30), expect: None };
    let granted = store.claim(claim, at(1)).await?;
    let error =
        TaskError { code: "exited".to_owned(), message: "1".to_owned(), help: None, log: vec![], retryable: false };
    for (task, outcome) in granted.iter().zip([Outcome::Completed(TaskResult::default()), Outcome::Failed(error)]) {
        let lease = task.lease.clone().ok_or("no lease")?;
        store.act(&task.id, Input::Report { lease, outcome }, at(2)).await?;
    }
    Ok(())
}

async fn same(one: &dyn TaskStore, other: &dyn TaskStore) -> Checked {
    assert_eq!(one.all_tasks(TaskQuery::default()).await?, other.all_tasks(TaskQuery::default()).await?);
    for kind in Kind::ALL {
        let query = RecordQuery { limit: 1000, ..RecordQuery::of(kind) };
        let (a, b) = (one.records(&query).await?.items, other.records(&query).await?.items);
        assert_eq!(a.len(), 120);
        for (a, b) in a.iter().zip(&b) {
            assert_eq!((&a.key, &a.stack, &a.host, &a.body), (&b.key, &b.stack, &b.host, &b.body));
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_installation_moves_from_sqlite_to_couchdb_and_back() -> Checked {
    let directory = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite:{}", directory.path().join(name).display());
    let fake = FakeCouch::start(3).await?;
    let sqlite = open(&file("a.db"), Options::at(at(0))).await?;
    let couch = open(&fake.url(), Options::at(at(0))).await?;
    let empty = transfer(&*sqlite, &*couch, at(3)).await;
    assert!(matches!(empty, Err(TransferError::Empty)), "{empty:?}");
    fill(&*sqlite).await?;
    let transferred = transfer(&*sqlite, &*couch, at(3)).await?;
    assert_eq!((transferred.records, transferred.tasks), (120 * Kind::ALL.len(), 6));
    same(&*sqlite, &*couch).await?;
    let again = transfer(&*sqlite, &*couch, at(4)).await;
    assert!(matches!(again, Err(TransferError::NotEmpty { .. })), "{again:?}");

    // The agent goes on: what it holds it reports, and its next session has a higher epoch.
    let held = couch.task(&"e".into()).await?.ok_or("no task")?;
    let lease = held.lease.clone().ok_or("not held")?;
    let report = Input::Report { lease: lease.clone(), outcome: Outcome::Completed(TaskResult::default()) };
    couch.act(&held.id, report, at(5)).await?;
    let request = SessionRequest { host: "vm1".into(), nonce: "m".to_owned(), seen_epoch: lease.epoch };
    assert!(couch.open_session(request, at(6)).await?.epoch > lease.epoch);

    let back = open(&file("b.db"), Options::at(at(0))).await?;
    transfer(&*couch, &*back, at(7)).await?;
    same(&*couch, &*back).await
}
