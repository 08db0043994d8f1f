//! Leaves in conflict, and a CouchDB that is slow to answer: what a server makes of them.

#![cfg(feature = "couchdb")]

use graphium_core::{
    action::Action,
    id::HostId,
    store::{
        ClaimRequest, Expect, Key, Kind, RecordWrite, SessionRequest, StoreError, Submission, TaskQuery, TaskStore,
        TaskStoreExt,
    },
    task::Task,
};
use graphium_store::{
    CouchStore, Options,
    couch::{CouchAddress, Retention},
    open,
    testing::{FakeCluster, FakeCouch},
};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{
    error::Error,
    sync::Arc,
    time::{Duration, Instant},
};

type Checked = Result<(), Box<dyn Error>>;
type Store = Arc<dyn TaskStore>;

fn at(seconds: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
}

async fn server(fake: &FakeCouch) -> Result<Store, Box<dyn Error>> {
    Ok(open(&fake.url(), Options::at(at(0))).await?)
}

async fn submit(store: &dyn TaskStore, id: &str) -> Result<(), StoreError> {
    let action = Action::Start { name: id.to_owned() };
    let task = Task { deployment_id: Some("deployment:1".into()), ..Task::new(id.into(), "vm1".into(), action, at(0)) };
    store.submit(Submission { tasks: vec![task], ..Submission::default() }, at(0)).await?;
    Ok(())
}

/// A server that keeps little of the log.
async fn sweeping(fake: &FakeCouch) -> Result<CouchStore, Box<dyn Error>> {
    let few = Retention { snapshot_every: 10, keep: 5 };
    Ok(CouchStore::open_with(CouchAddress::parse(&fake.url())?, Options::at(at(0)), few).await?)
}

/// Stores enough for the beginning of the log to be swept away.
async fn fill(store: &CouchStore, fake: &FakeCouch) -> Checked {
    for number in 0..25 {
        submit(store, &format!("t{number:02}")).await?;
    }
    let begun = Instant::now();
    while fake.document(FIRST).is_some() {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing is swept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

fn lease(term: u64, holder: &str) -> Value {
    json!({"type": "lease", "term": term, "holder": holder, "nonce": format!("{term}"), "confirmed": true})
}

fn entry(term: u64, nonce: &str, previous: &str) -> [Value; 2] {
    let slip = |confirmed: bool| {
        json!({
            "type": "log-entry", "format": 1, "term": term, "turn": "t", "nonce": nonce, "previous": previous,
            "confirmed": confirmed, "first_event": 1, "body": json!({"submissions": [[nonce, Timestamp::UNIX_EPOCH, []]]}).to_string(),
        })
    };
    [slip(false), slip(true)]
}

/// Which entries are in force, as a server tells by their idempotency keys. What is not is made by asking.
async fn in_force(store: &Store, nonces: &[&str]) -> Result<Vec<bool>, StoreError> {
    let mut repeated = Vec::new();
    for nonce in nonces {
        let again = Submission { idempotency_key: Some((*nonce).to_owned()), ..Submission::default() };
        repeated.push(store.submit(again, at(0)).await?.repeated);
    }
    Ok(repeated)
}

const LEASE: &str = "lease:writer";
const FIRST: &str = "log:0000000000000001";
const SECOND: &str = "log:0000000000000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_holder_that_a_split_has_put_in_the_shade_keeps_its_turn() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    fake.branch("lease:writer", [lease(7, "ghost")]);
    // At the other side somebody took the turn twice and gave it back: that branch is deeper, and CouchDB shows it.
    fake.branch("lease:writer", [lease(5, "other"), lease(5, ""), lease(6, "other"), lease(6, "")]);
    let begun = Instant::now();
    submit(store.as_ref(), "a").await?;
    assert!(begun.elapsed() >= Duration::from_secs(5), "{:?}", begun.elapsed());
    let taken = fake.document("lease:writer").ok_or("no lease")?;
    assert!(taken["term"].as_u64() > Some(7), "{taken}");
    assert!(fake.conflicted().is_empty(), "{:?}", fake.conflicted());
    Ok(())
}

/// Every look at the turn reads them all, and CouchDB keeps them for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tombstones_of_turns_that_were_lost_do_not_pile_up() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = server(&fake).await?;
    for round in 0..5 {
        for loser in 0..30 {
            let nonce = format!("{round}.{loser}");
            fake.branch(LEASE, [json!({"type": "lease", "term": 1, "holder": "", "nonce": nonce, "confirmed": false})]);
        }
        // Longer than a turn is kept without being used.
        tokio::time::sleep(Duration::from_millis(400)).await;
        submit(store.as_ref(), &format!("t{round}")).await?;
    }
    let begun = Instant::now();
    while fake.leaves(LEASE) > 20 {
        assert!(begun.elapsed() < Duration::from_secs(30), "{} leaves are left", fake.leaves(LEASE));
        tokio::time::sleep(Duration::from_millis(400)).await;
        submit(store.as_ref(), &format!("{:?}", begun.elapsed())).await?;
    }
    let taken = fake.document(LEASE).ok_or("the turn is gone")?;
    assert!(taken["term"].as_u64() > Some(5), "{taken}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_confirmed_entries_all_servers_take_the_one_of_the_later_turn() -> Checked {
    for is_turned in [false, true] {
        let fake = FakeCouch::start(3).await?;
        let [early, late] = [entry(5, "early", ""), entry(6, "late", "")];
        let (first, second) = if is_turned { (late, early) } else { (early, late) };
        let (a, b) = (server(&fake).await?, server(&fake).await?);
        fake.branch(FIRST, first);
        fake.branch(FIRST, second);
        assert_eq!(in_force(&a, &["late", "early"]).await?, [true, false]);
        assert_eq!(a.last_event().await?, b.last_event().await?);
        assert_eq!(in_force(&b, &["late", "early"]).await?, [true, true]);
        assert_eq!(in_force(&server(&fake).await?, &["late", "early"]).await?, [true, true]);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_follows_tells_which_of_two_confirmed_entries_is_in_force() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    fake.branch(FIRST, entry(5, "early", ""));
    fake.branch(SECOND, entry(7, "next", "early"));
    assert_eq!(in_force(&a, &["early", "next"]).await?, [true, true]);
    // A confirmation arrives that nobody waits for any more.
    fake.branch(FIRST, entry(6, "late", ""));
    assert_eq!(in_force(&b, &["early", "next", "late"]).await?, [true, true, false]);
    assert_eq!(in_force(&a, &["early", "next", "late"]).await?, [true, true, true]);
    Ok(())
}

/// A server at each node but the last.
async fn two_servers(cluster: &FakeCluster) -> Result<[Store; 2], StoreError> {
    let open = |number| cluster.open(number, Options::at(at(0)), Retention::default());
    Ok([Arc::new(open(0).await?), Arc::new(open(1).await?)])
}

/// All nodes had an entry when the first was cut off, and its confirmation has reached that one only.
fn cut_off_with_a_confirmation(cluster: &FakeCluster) {
    let [made, confirmed] = entry(5, "early", "");
    for node in 0..3 {
        cluster.branch_at(node, "lease:writer", [lease(5, "ghost"), lease(5, "")]);
        let confirmed = (node == 0).then(|| confirmed.clone());
        cluster.branch_at(node, FIRST, [made.clone()].into_iter().chain(confirmed));
    }
    cluster.cut_off(0);
}

#[tokio::test(start_paused = true)]
async fn what_a_minority_alone_has_confirmed_is_promised_to_nobody() -> Checked {
    let cluster = FakeCluster::start(1);
    let [cut_off, other] = two_servers(&cluster).await?;
    cut_off_with_a_confirmation(&cluster);
    let told = in_force(&cut_off, &["early"]).await;
    assert!(matches!(told, Err(StoreError::Unavailable(_))), "{told:?}");
    assert_eq!(in_force(&other, &["late", "early"]).await?, [false, false]);
    cluster.connect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(in_force(&cut_off, &["late", "early"]).await?, [true, true]);
    assert_eq!(cut_off.last_event().await?, other.last_event().await?);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_a_minority_alone_has_confirmed_goes_into_no_snapshot() -> Checked {
    let cluster = FakeCluster::start(1);
    let open = |number, retention| cluster.open(number, Options::at(at(0)), retention);
    let cut_off = open(0, Retention { snapshot_every: 1, keep: 100 }).await?;
    let other: Store = Arc::new(open(1, Retention::default()).await?);
    cut_off_with_a_confirmation(&cluster);
    in_force(&other, &["late"]).await?;
    cut_off.expire(at(1)).await?;
    // What it makes of what it has read reaches all.
    cluster.connect();
    tokio::time::sleep(Duration::from_secs(5)).await;
    let fresh: Store = Arc::new(open(2, Retention::default()).await?);
    assert_eq!(in_force(&fresh, &["late", "early"]).await?, [true, false]);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn nothing_is_built_upon_what_was_read_of_a_minority() -> Checked {
    for seed in 0..20 {
        let cluster = FakeCluster::start(seed);
        let [cut_off, other] = two_servers(&cluster).await?;
        cut_off_with_a_confirmation(&cluster);
        assert_eq!(in_force(&other, &["late"]).await?, [false]);
        // It believes what its node shows.
        cut_off.last_event().await?;
        cluster.connect();
        assert_eq!(in_force(&cut_off, &["third"]).await?, [false], "seed {seed}");
        for store in [&cut_off, &other] {
            assert_eq!(in_force(store, &["late", "third"]).await?, [true, true], "seed {seed}");
        }
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_promised_again_is_made_sure_of_once() -> Checked {
    let cluster = FakeCluster::start(1);
    let [one, other] = two_servers(&cluster).await?;
    in_force(&one, &["a"]).await?;
    assert_eq!(in_force(&other, &["a"]).await?, [true]);
    // By now the turn was given back.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let lease = cluster.document(1, LEASE);
    assert_eq!(in_force(&other, &["a", "a"]).await?, [true, true]);
    assert_eq!(cluster.document(1, LEASE), lease, "another turn was taken");
    assert!(!cluster.has(1, SECOND), "nothing has changed");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn who_follows_one_that_died_in_its_turn_refuses_nothing_for_what_it_may_not_have_heard() -> Checked {
    for (holder, names_last) in [("", true), ("", false), ("ghost", true), ("ghost", false)] {
        let cluster = FakeCluster::start(1);
        let [one, other] = two_servers(&cluster).await?;
        in_force(&one, &["a"]).await?;
        tokio::time::sleep(Duration::from_secs(5)).await;
        let tip = cluster.document(1, LEASE).ok_or("no lease")?["tip"].clone();
        assert_eq!(tip["place"], 1, "{tip}");
        for node in 0..3 {
            let mut left = lease(9, holder);
            if names_last {
                left["tip"] = tip.clone();
            }
            cluster.branch_at(node, LEASE, [left]);
        }
        let gone = RecordWrite {
            key: Key::new(Kind::Stack, "gone"),
            expect: Expect::Version(1),
            stack: None,
            host: None,
            body: None,
        };
        let refused = other.submit(Submission { records: vec![gone], ..Submission::default() }, at(0)).await;
        assert!(matches!(refused, Err(StoreError::Conflict { .. })), "{refused:?}");
        // What the other may have stored there could not be: a majority has taken this.
        let is_sure = holder.is_empty() && names_last;
        assert_eq!(cluster.has(1, SECOND), !is_sure, "left by `{holder}`, the last entry named: {names_last}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_heads_of_snapshots_the_greater_place_is_in_force() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = sweeping(&fake).await?;
    fill(&store, &fake).await?;
    let mut older = fake.document("snapshot:head").ok_or("no head")?;
    let fields = older.as_object_mut().ok_or("no object")?;
    fields.retain(|name, _| !name.starts_with('_'));
    fields.extend([
        ("place".to_owned(), json!(2)),
        ("floor".to_owned(), json!(1)),
        ("parts".to_owned(), json!("gone")),
    ]);
    fake.branch(
        "snapshot:head",
        (0..9).map(|number| {
            older["last_event"] = json!(number);
            older.clone()
        }),
    );
    assert_eq!(server(&fake).await?.all_tasks(TaskQuery::default()).await?.len(), 25);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_that_are_too_long_keep_no_server_from_starting_and_nothing_from_being_swept() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = sweeping(&fake).await?;
    fake.break_long_lists();
    fill(&store, &fake).await?;
    assert_eq!(server(&fake).await?.all_tasks(TaskQuery::default()).await?.len(), 25);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_only_a_minority_has_made_is_not_opened() -> Checked {
    let fake = FakeCouch::start(3).await?;
    fake.lose_quorum();
    let refused = server(&fake).await.err().ok_or("opened")?;
    let cause = refused.source().map(ToString::to_string).unwrap_or_default();
    assert!(cause.contains("quorum"), "{refused}: {cause}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_waits_for_a_database_that_hangs_is_told_in_time() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    submit(store.as_ref(), "a").await?;
    fake.hang(Duration::from_secs(120));
    let begun = Instant::now();
    let readers = (0..12).map(|_| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.last_event().await })
    });
    for reader in readers.collect::<Vec<_>>() {
        let read = reader.await?;
        assert!(matches!(read, Err(StoreError::Unavailable(_))), "{read:?}");
    }
    assert!(begun.elapsed() < Duration::from_secs(12), "{:?}", begun.elapsed());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_just_opened_tells_hosts_of_work_that_waits() -> Checked {
    let fake = FakeCouch::start(1).await?;
    submit(server(&fake).await?.as_ref(), "a").await?;
    let other = server(&fake).await?;
    assert_eq!(other.expire(at(1)).await?.ready, [HostId::from("vm1")]);
    assert_eq!(other.expire(at(1)).await?.ready, [], "it is told once");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_that_another_server_has_ended_is_told_to_its_host() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let (a, b) = (server(&fake).await?, server(&fake).await?);
    submit(a.as_ref(), "a").await?;
    let request = SessionRequest { host: "vm1".into(), nonce: "n".to_owned(), seen_epoch: 0 };
    let epoch = a.open_session(request, at(0)).await?.epoch;
    let request =
        ClaimRequest { host: "vm1".into(), epoch, claim: "c".into(), max: 1, expires_at: at(200), expect: None };
    assert_eq!(a.claim(request, at(1)).await?.len(), 1);
    // What the other server was told before is of no account.
    b.expire(at(2)).await?;
    assert_eq!(b.expire(at(3)).await?.ready, []);
    assert_eq!(a.expire(at(201)).await?.tasks.len(), 1);
    let mut ready = Vec::new();
    for second in 202..300 {
        ready.extend(b.expire(at(second)).await?.ready);
    }
    assert_eq!(ready, [HostId::from("vm1")]);
    Ok(())
}
