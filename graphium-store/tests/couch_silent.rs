//! A CouchDB that says nothing: the first who ask it wait for an answer, everybody else is told at once, until it answers again.

#![cfg(feature = "couchdb")]

use graphium_core::store::{StoreError, Submission, TaskStore};
use graphium_store::{
    Options,
    couch::Retention,
    open,
    testing::{FakeCluster, FakeCouch},
};
use jiff::Timestamp;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

type Checked = Result<(), Box<dyn Error>>;
type Store = Arc<dyn TaskStore>;

/// What nobody waits for takes less.
const AT_ONCE: Duration = Duration::from_millis(200);

/// How long a call may go without an answer before the database counts as silent, and some more for a busy machine.
const PATIENCE: Duration = Duration::from_secs(7);

async fn submit(store: &dyn TaskStore, key: &str) -> Result<(), StoreError> {
    let submission = Submission { idempotency_key: Some(key.to_owned()), ..Submission::default() };
    store.submit(submission, Timestamp::UNIX_EPOCH).await.map(drop)
}

/// The words of a refusal, and how long it took.
async fn refused<T: std::fmt::Debug>(
    asked: impl Future<Output = Result<T, StoreError>>,
) -> Result<(String, Duration), Box<dyn Error>> {
    let begun = Instant::now();
    match asked.await {
        Err(StoreError::Unavailable(words)) => Ok((words, begun.elapsed())),
        other => Err(format!("not refused: {other:?}").into()),
    }
}

/// How long it takes until a command is carried out.
async fn carried_out(store: &dyn TaskStore, key: &str) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    for step in 0.. {
        match submit(store, &format!("{key}.{step}")).await {
            Ok(()) => break,
            Err(StoreError::Unavailable(_)) if begun.elapsed() < Duration::from_secs(30) => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(begun.elapsed())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_database_is_silent_everybody_is_told_so_at_once() -> Checked {
    let fake = FakeCouch::start(3).await?;
    let store = open(&fake.url(), Options::at(Timestamp::UNIX_EPOCH)).await?;
    submit(store.as_ref(), "before").await?;
    fake.hang(Duration::from_secs(16));
    let begun = Instant::now();
    let ask = |number: usize| {
        let store: Store = Arc::clone(&store);
        tokio::spawn(async move {
            // They do not come at the same moment, and each would wait for its own answer.
            sleep(Duration::from_millis(150) * u32::try_from(number).unwrap_or_default()).await;
            if number.is_multiple_of(2) {
                submit(store.as_ref(), &number.to_string()).await
            } else {
                store.last_event().await.map(drop)
            }
        })
    };
    for waiting in (0..20).map(ask).collect::<Vec<_>>() {
        let answer = waiting.await?;
        assert!(matches!(answer, Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(begun.elapsed() < PATIENCE, "those who waited were told after {:?}", begun.elapsed());

    let before = fake.requests();
    let listened = Instant::now();
    for round in 0..20 {
        let (words, taken) = refused(submit(store.as_ref(), &format!("later {round}"))).await?;
        assert!(taken < AT_ONCE, "a command was refused after {taken:?}: {words}");
        for part in ["127.0.0.1", "has said nothing since", "last answered at"] {
            assert!(words.contains(part), "{words}");
        }
        assert!(!words.contains("secret"), "{words}");
        let (words, taken) = refused(store.last_event()).await?;
        assert!(taken < AT_ONCE, "a question was refused after {taken:?}: {words}");
        sleep(Duration::from_millis(200)).await;
    }
    // One probe at a time, which asks again and again beside itself as every question does.
    let asked = fake.requests() - before;
    assert!(asked > 0, "nobody looks whether it answers again");
    let bound = 8 * (listened.elapsed().as_secs() / 5 + 2);
    assert!(asked <= bound, "{asked} requests in {:?}", listened.elapsed());

    sleep(Duration::from_secs(16).saturating_sub(begun.elapsed())).await;
    let taken = carried_out(store.as_ref(), "after").await?;
    assert!(taken < Duration::from_secs(3), "it stores again after {taken:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_refuses_connections_is_not_silent() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = open(&fake.url(), Options::at(Timestamp::UNIX_EPOCH)).await?;
    submit(store.as_ref(), "before").await?;
    drop(fake);
    // It ends a moment later.
    sleep(Duration::from_millis(200)).await;
    for _ in 0..3 {
        let (words, taken) = refused(store.last_event()).await?;
        assert!(taken < Duration::from_secs(1), "{taken:?}: {words}");
        assert!(words.contains("no answer from") && !words.contains("has said nothing"), "{words}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silence_ends_when_nobody_listens_any_more() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = open(&fake.url(), Options::at(Timestamp::UNIX_EPOCH)).await?;
    fake.hang(Duration::from_secs(60));
    refused(store.last_event()).await?;
    let (words, _) = refused(store.last_event()).await?;
    assert!(words.contains("has said nothing since"), "{words}");
    // From now on connections to it are refused: who asks is told that, and nothing of a silence.
    drop(fake);
    let told = timeout(Duration::from_secs(10), async {
        loop {
            let (words, taken) = refused(store.last_event()).await?;
            assert!(taken < Duration::from_secs(6), "{taken:?}");
            if !words.contains("has said nothing") {
                return Ok::<_, Box<dyn Error>>(words);
            }
            sleep(Duration::from_millis(50)).await;
        }
    });
    let words = told.await??;
    assert!(words.contains("no answer from"), "{words}");
    Ok(())
}

/// Three servers, each at a node of its own, of which one hangs: in virtual time.
#[tokio::test(start_paused = true)]
async fn a_server_at_a_node_that_hangs_refuses_at_once_and_the_others_go_on() -> Checked {
    for seed in 0..3 {
        let cluster = FakeCluster::start(seed);
        let mut servers = Vec::new();
        for number in 0..3 {
            let options = Options::at(Timestamp::UNIX_EPOCH);
            servers.push(cluster.open(number, options, Retention::default()).await?);
        }
        for (number, server) in servers.iter().enumerate() {
            submit(server, &format!("first {number}")).await?;
        }
        cluster.hang_node(1, Duration::from_secs(40));
        let begun = Instant::now();
        let (_, first) = refused(servers[1].last_event()).await?;
        assert!(first < PATIENCE, "seed {seed}: the first was refused after {first:?}");
        // A turn that the silent one had runs out meanwhile.
        carried_out(&servers[0], "goes on").await?;
        while begun.elapsed() < Duration::from_secs(35) {
            let (words, taken) = refused(submit(&servers[1], "refused")).await?;
            assert!(taken < AT_ONCE, "seed {seed}: refused after {taken:?}: {words}");
            submit(&servers[2], &format!("at {:?}", begun.elapsed())).await?;
            sleep(Duration::from_secs(1)).await;
        }
        sleep(Duration::from_secs(40).saturating_sub(begun.elapsed())).await;
        let taken = carried_out(&servers[1], "again").await?;
        assert!(taken < Duration::from_secs(3), "seed {seed}: it stores again after {taken:?}");
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_dropped_while_its_database_is_silent_asks_nobody_any_more() -> Checked {
    let cluster = FakeCluster::start(1);
    let store = cluster.open(0, Options::at(Timestamp::UNIX_EPOCH), Retention::default()).await?;
    submit(&store, "before").await?;
    cluster.hang_node(0, Duration::from_secs(600));
    refused(store.last_event()).await?;
    sleep(Duration::from_secs(20)).await;
    let before = cluster.requests();
    sleep(Duration::from_secs(20)).await;
    assert!(cluster.requests() > before, "nobody looks whether it answers again");
    drop(store);
    sleep(Duration::from_secs(20)).await;
    let before = cluster.requests();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(cluster.requests(), before);
    Ok(())
}
