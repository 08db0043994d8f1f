//! Several servers on one CouchDB: what one has acknowledged holds for all, whatever the database does in between.

#![cfg(feature = "couchdb")]

use graphium_core::{
    action::Action,
    id::{HostId, TaskId},
    store::{
        ClaimRequest, Expect, Key, Kind, RecordWrite, SessionRequest, StoreError, Submission, TaskQuery, TaskStore,
        TaskStoreExt,
    },
    task::{Input, Outcome, Refusal, Task, TaskResult, TaskStatus},
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

#[path = "couch/real.rs"]
mod real;

type Checked = Result<(), Box<dyn Error>>;
type Store = Arc<dyn TaskStore>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

async fn server(fake: &FakeCouch) -> Result<Store, Box<dyn Error>> {
    Ok(open(&fake.url(), Options::at(at(0))).await?)
}

fn task(id: &str, host: &str) -> Task {
    let action = Action::Start { name: id.to_owned() };
    Task { deployment_id: Some("deployment:1".into()), ..Task::new(id.into(), host.into(), action, at(0)) }
}

async fn submit(store: &Store, tasks: Vec<Task>) -> Result<Vec<HostId>, StoreError> {
    Ok(store.submit(Submission { tasks, ..Submission::default() }, at(0)).await?.ready)
}

fn record(id: &str, expect: Expect) -> Submission {
    let body = Some(Arc::new(json!({"name": id})));
    let write = RecordWrite { key: Key::new(Kind::Stack, id), expect, stack: None, host: None, body };
    Submission { records: vec![write], ..Submission::default() }
}

async fn session(store: &Store, host: &str, nonce: &str) -> Result<u64, StoreError> {
    let request = SessionRequest { host: host.into(), nonce: nonce.to_owned(), seen_epoch: 0 };
    Ok(store.open_session(request, at(0)).await?.epoch)
}

async fn claim(store: &Store, host: &str, epoch: u64, claim: &str, max: usize) -> Result<Vec<Task>, StoreError> {
    let request = ClaimRequest { host: host.into(), epoch, claim: claim.into(), max, expires_at: at(30), expect: None };
    store.claim(request, at(1)).await
}

fn done() -> Outcome {
    Outcome::Completed(TaskResult { success: true, ..TaskResult::default() })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_server_has_acknowledged_every_other_sees_at_once() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    for number in 0..10 {
        let (writer, reader) = if number % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let id = format!("task:{number}");
        submit(writer, vec![task(&id, "vm1")]).await?;
        assert!(reader.task(&TaskId::from(&*id)).await?.is_some(), "`{id}` is not seen");
        assert_eq!(reader.last_event().await?, number + 1);
    }
    let epoch = session(&a, "vm1", "n").await?;
    let granted = claim(&b, "vm1", epoch, "c1", 3).await?;
    assert_eq!(granted.len(), 3);
    assert_eq!(claim(&a, "vm1", epoch, "c1", 3).await?, granted, "the same claim at another server");
    let lease = granted[0].lease.clone().ok_or("no lease")?;
    a.act(&granted[0].id, Input::Report { lease, outcome: done() }, at(2)).await?;
    let again = claim(&b, "vm1", epoch, "c1", 3).await?;
    assert_eq!(again.iter().map(|task| &task.id).collect::<Vec<_>>(), [&granted[1].id, &granted[2].id]);
    assert_eq!(a.events(0, 100).await?, b.events(0, 100).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_servers_that_change_one_record_one_is_refused() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    a.submit(record("s", Expect::Absent), at(0)).await?;
    for version in 1..10 {
        let write = || record("s", Expect::Version(version));
        let (one, other) = tokio::join!(a.submit(write(), at(0)), b.submit(write(), at(0)));
        assert!(one.is_ok() != other.is_ok(), "{one:?} and {other:?}");
        let refused = one.err().or(other.err());
        assert_eq!(refused, Some(StoreError::Conflict { kind: "stack", id: "s".to_owned() }));
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_is_renewed_at_one_server_is_not_ended_by_another() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    submit(&a, vec![task("a", "vm1")]).await?;
    let epoch = session(&a, "vm1", "n").await?;
    let lease = claim(&a, "vm1", epoch, "c", 1).await?[0].lease.clone().ok_or("no lease")?;
    b.expire(at(5)).await?;
    a.renew(std::slice::from_ref(&lease), at(200)).await?;
    assert_eq!(b.expire(at(199)).await?.tasks, []);
    assert_eq!(b.expire(at(200)).await?.tasks.len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_learns_that_others_have_brought_its_hosts_work() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    b.expire(at(0)).await?;
    submit(&a, vec![task("a", "vm1")]).await?;
    assert_eq!(b.expire(at(1)).await?.ready, [HostId::from("vm1")]);
    assert_eq!(b.expire(at(1)).await?.ready, [], "it is told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_quorum_nothing_is_acknowledged_and_reading_goes_on() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    submit(&store, vec![task("a", "vm1")]).await?;
    fake.lose_quorum();
    let begun = Instant::now();
    for id in ["b", "c"] {
        let refused = submit(&store, vec![task(id, "vm1")]).await;
        assert!(matches!(&refused, Err(StoreError::Unavailable(reason)) if reason.contains("quorum")), "{refused:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
    assert!(store.task(&TaskId::from("a")).await?.is_some());
    let unready = store.ready().await;
    assert!(matches!(&unready, Err(StoreError::Unavailable(reason)) if reason.contains("quorum")), "{unready:?}");
    fake.heal();
    store.ready().await?;
    submit(&store, vec![task("d", "vm1")]).await?;
    let ids = store.all_tasks(TaskQuery::default()).await?.into_iter().map(|task| task.id.to_string());
    let ids: Vec<String> = ids.filter(|id| id == "a" || id == "d").collect();
    assert_eq!(ids, ["a", "d"]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_lost_node_took_alone_wins_over_nothing_that_was_acknowledged() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    submit(&store, vec![task("a", "vm1")]).await?;
    // The entry of `b` reaches one node alone; the place is taken by another entry before that node is heard again.
    fake.set_faults(Faults::none().then([Fault::AcceptedElsewhere]));
    assert!(submit(&store, vec![task("b", "vm1")]).await.is_err());
    submit(&store, vec![task("c", "vm1")]).await?;
    fake.heal();
    submit(&store, vec![task("d", "vm1")]).await?;
    let other = server(&fake).await?;
    let ids: Vec<String> =
        other.all_tasks(TaskQuery::default()).await?.into_iter().map(|task| task.id.to_string()).collect();
    assert_eq!(ids, ["a", "c", "d"]);
    assert_eq!(other.events(0, 100).await?, store.events(0, 100).await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_turn_of_a_server_that_died_is_taken_when_it_has_run_out() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    let ghost = json!({"type": "lease", "term": 7, "holder": "ghost", "nonce": "x", "confirmed": true});
    fake.put("lease:writer", ghost);
    let begun = Instant::now();
    submit(&store, vec![task("a", "vm1")]).await?;
    let waited = begun.elapsed();
    assert!(waited >= Duration::from_secs(5) && waited < Duration::from_secs(9), "{waited:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_that_nobody_confirmed_is_read_by_nobody_until_a_writer_decides_it() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    let slip = json!({
        "type": "log-entry", "format": 1, "term": 1, "nonce": "n1", "previous": "", "confirmed": false, "first_event": 1,
        "body": json!({"submissions": [["key", at(0), []]]}).to_string(),
    });
    fake.put("log:0000000000000001", slip);
    assert!(a.all_tasks(TaskQuery::default()).await?.is_empty());
    let again = Submission { idempotency_key: Some("key".to_owned()), ..record("s", Expect::Absent) };
    let repeated = b.submit(again.clone(), at(0)).await?.repeated;
    let other = a.submit(again, at(0)).await?.repeated;
    // Before anybody writes it is not in force, and whoever writes puts it in force: either is an answer, and it stays one.
    assert!(other, "{repeated}");
    assert_eq!(a.last_event().await?, b.last_event().await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_lag_behind_hide_nothing() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    submit(&store, vec![task("a", "vm1")]).await?;
    fake.freeze_lists();
    for number in 0..20 {
        submit(&store, vec![task(&format!("b{number:02}"), "vm1")]).await?;
    }
    let other = server(&fake).await?;
    assert_eq!(other.all_tasks(TaskQuery::default()).await?.len(), 21);
    assert_eq!(other.last_event().await?, 21);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_error_tells_the_password() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let url = fake.url();
    let store = server(&fake).await?;
    drop(fake);
    let mut refused = String::new();
    while refused.is_empty() {
        // It ends a moment later.
        tokio::task::yield_now().await;
        refused = store.last_event().await.err().map(|error| error.to_string()).unwrap_or_default();
    }
    let error = open(&url, Options::at(at(0))).await.err().ok_or("opened")?;
    let mut texts = vec![refused, format!("{error:?}"), format!("{store:?}")];
    let mut cause: Option<&dyn Error> = Some(&error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    assert!(texts.iter().all(|text| !text.contains("secret") && !text.is_empty()), "{texts:?}");
    assert!(texts[0].contains("no answer from `http://127.0.0.1:"), "{texts:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_is_too_long_for_a_document_is_stored_whole() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    let why = "ü".repeat(20_000);
    let tasks = (0..200).map(|number| Task { why: why.clone(), ..task(&format!("task:{number:03}"), "vm1") });
    submit(&a, tasks.collect()).await?;
    let longest = fake.ids().iter().filter_map(|id| Some(fake.document(id)?.to_string().len())).max();
    assert!(longest < Some(7_000_000), "{longest:?}");
    assert_eq!(b.all_tasks(TaskQuery::default()).await?, a.all_tasks(TaskQuery::default()).await?);
    assert_eq!(b.events(0, 1000).await?.len(), 200);
    submit(&b, vec![task("task:last", "vm1")]).await?;
    assert_eq!(server(&fake).await?.all_tasks(TaskQuery::default()).await?.len(), 201);
    Ok(())
}

/// Grants by task and attempt: the claim that got it.
type Grants = Mutex<BTreeMap<(TaskId, u32), String>>;

/// Claims and reports until everything has ended, through whichever server; what nobody answered is asked again.
async fn work(number: usize, servers: Vec<Store>, host: String, epoch: u64, grants: Arc<Grants>) -> Result<(), String> {
    let begun = Instant::now();
    for round in 0_usize.. {
        if begun.elapsed() > Duration::from_secs(60) {
            break;
        }
        let store = &servers[(number + round) % servers.len()];
        let name = format!("c{number}.{round}");
        let mut granted = None;
        for retry in 0..20 {
            match claim(&servers[(number + round + retry) % servers.len()], &host, epoch, &name, 2).await {
                Ok(tasks) => {
                    granted = Some(tasks);
                    break;
                }
                Err(StoreError::Unavailable(_)) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        for task in granted.ok_or("no answer to a claim")? {
            let before = grants
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert((task.id.clone(), task.attempt), name.clone());
            if before.as_ref().is_some_and(|before| *before != name) {
                return Err(format!("`{}` was granted to {before:?} and {name}", task.id));
            }
            let lease = task.lease.clone().ok_or("granted without a lease")?;
            report(&servers, &task, lease).await?;
        }
        let query = TaskQuery { host: Some(HostId::from(&*host)), ..TaskQuery::default() };
        if let Ok(tasks) = store.all_tasks(query).await
            && tasks.iter().all(|task| task.status.is_terminal())
        {
            return Ok(());
        }
    }
    Err("it never ended".to_owned())
}

async fn report(servers: &[Store], task: &Task, lease: graphium_core::task::Lease) -> Result<(), String> {
    for retry in 0..20 {
        let input = Input::Report { lease: lease.clone(), outcome: done() };
        match servers[retry % servers.len()].act(&task.id, input, at(2)).await {
            Ok(_) => return Ok(()),
            // It came before, and its answer was lost.
            Err(StoreError::Refused {
                refusal: Refusal::LeaseLost { status: TaskStatus::Completed, attempt }, ..
            }) if retry > 0 && attempt == lease.attempt => {
                return Ok(());
            }
            Err(StoreError::Unavailable(_)) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
    Err("no answer to a report".to_owned())
}

const TASKS: usize = 120;

/// Three servers, tasks of four hosts, and the epochs of those.
async fn prepare(urls: [&str; 3]) -> Result<(Vec<Store>, Vec<u64>), Box<dyn Error>> {
    let mut servers = Vec::new();
    for url in urls {
        servers.push(open(url, Options::at(at(0))).await?);
    }
    let tasks = (0..TASKS).map(|number| task(&format!("task:{number:03}"), &format!("vm{}", number % 4)));
    submit(&servers[0], tasks.collect()).await?;
    let mut epochs = Vec::new();
    for host in 0..4 {
        epochs.push(session(&servers[1], &format!("vm{host}"), "n").await?);
    }
    Ok((servers, epochs))
}

/// Twelve workers of four hosts, through three servers, until everything has ended.
async fn race(servers: &[Store], epochs: &[u64]) -> Checked {
    let grants = Arc::new(Grants::default());
    let workers = (0..12).map(|number| {
        let host = number % 4;
        tokio::spawn(work(number, servers.to_vec(), format!("vm{host}"), epochs[host], Arc::clone(&grants)))
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await??;
    }
    assert_eq!(grants.lock().unwrap_or_else(PoisonError::into_inner).len(), TASKS);
    Ok(())
}

/// Everything was done once, and every server says the same of it, one that was opened just now among them.
async fn check(url: &str, servers: &[Store]) -> Checked {
    let fresh = open(url, Options::at(at(0))).await?;
    let tasks = fresh.all_tasks(TaskQuery::default()).await?;
    assert_eq!(tasks.len(), TASKS);
    for task in &tasks {
        assert_eq!((task.status, task.attempt), (TaskStatus::Completed, 1), "`{}`", task.id);
    }
    let events = fresh.events(0, usize::MAX).await?;
    assert!(events.iter().zip(1..).all(|(event, number)| event.seq == number), "the events have a gap");
    // Made, assigned, completed.
    assert_eq!(events.len(), TASKS * 3);
    for server in servers {
        assert_eq!(server.events(0, usize::MAX).await?, events);
    }
    Ok(())
}

async fn race_on_a_fake(copies: u32, faults: Faults) -> Checked {
    let fake = FakeCouch::start(copies).await?;
    let url = fake.url();
    let (servers, epochs) = prepare([&url; 3]).await?;
    fake.set_faults(faults);
    race(&servers, &epochs).await?;
    fake.set_faults(Faults::none());
    fake.heal();
    check(&url, &servers).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_workers_get_every_task_once() -> Checked {
    race_on_a_fake(1, Faults::none()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_workers_get_every_task_once_while_answers_are_lost() -> Checked {
    let faults = Faults::from_seed(3)
        .with(Fault::BrokenAfterCommit, 0.08)
        .with(Fault::BrokenBefore, 0.08)
        .with(Fault::ServerError, 0.05)
        .with(Fault::StoredLater(Duration::from_millis(15)), 0.08)
        .with(Fault::LateConflict(Duration::from_millis(50)), 0.03);
    race_on_a_fake(1, faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twelve_workers_get_every_task_once_while_a_cluster_disagrees() -> Checked {
    let faults = Faults::from_seed(4)
        .with(Fault::Accepted, 0.03)
        .with(Fault::AcceptedElsewhere, 0.02)
        .with(Fault::StrayLeaf, 0.1)
        .with(Fault::BrokenAfterCommit, 0.03)
        .with(Fault::BrokenBefore, 0.03)
        .with(Fault::StoredLater(Duration::from_millis(15)), 0.03);
    race_on_a_fake(3, faults).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stderr, reason = "a test says what it did not test")]
async fn twelve_workers_get_every_task_once_on_a_real_server() -> Checked {
    let Some(database) = real::Database::new() else {
        eprintln!("not tested: the race on a real server needs GRAPHIUM_TEST_COUCHDB_URL");
        return Ok(());
    };
    let (servers, epochs) = prepare([database.at(0), database.at(1), database.at(2)]).await?;
    race(&servers, &epochs).await?;
    check(database.at(0), &servers).await?;
    drop(servers);
    Ok(database.remove().await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_read_what_is_not_in_force_begins_anew() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    submit(&a, vec![task("a", "vm1")]).await?;
    let slip = |nonce: &str, previous: &str, place: u64| {
        json!({
            "type": "log-entry", "format": 1, "term": 1, "nonce": nonce, "previous": previous, "confirmed": true,
            "first_event": place, "body": json!({"submissions": [[nonce, at(0), []]]}).to_string(),
        })
    };
    let tip = fake.document("log:0000000000000001").ok_or("no first entry")?["nonce"].clone();
    let tip = tip.as_str().ok_or("no nonce")?;
    // One node alone shows `b` an entry that another one takes the place of.
    fake.put("log:0000000000000002", slip("wrong", tip, 2));
    assert_eq!(b.last_event().await?, 1);
    fake.put("log:0000000000000002", slip("right", tip, 2));
    fake.put("log:0000000000000003", slip("next", "right", 2));
    let keyed = |key: &str| Submission { idempotency_key: Some(key.to_owned()), ..Submission::default() };
    let seen = [b.submit(keyed("wrong"), at(0)).await?.repeated, b.submit(keyed("right"), at(0)).await?.repeated];
    assert_eq!(seen, [false, true]);
    Ok(())
}
