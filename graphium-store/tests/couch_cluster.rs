//! Several servers on a cluster whose nodes hang and are cut off, whose messages are late or lost: what was acknowledged is there
//! in the end, once, in one order that all servers tell. In virtual time, the same from the same seed.

#![cfg(feature = "couchdb")]

#[path = "couch/trouble.rs"]
mod trouble;

use graphium_core::{
    event::Event,
    store::{Expect, Key, Kind, RecordQuery, RecordWrite, StoreError, Submission, TaskStore},
};
use graphium_store::{CouchStore, Options, couch::Retention, testing::FakeCluster};
use jiff::Timestamp;
use serde_json::json;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};
use trouble::{Dice, every_seed, in_virtual_time, seeds, trouble};

type Checked = Result<(), Box<dyn Error>>;

/// Seeds of one run.
const SEEDS: std::ops::Range<u64> = 0..30;

/// Servers on the cluster.
const SERVERS: usize = 3;

/// Commands of each server.
const COMMANDS: usize = 30;

/// What of the log is kept on every second seed: snapshots come often, and no server is ever away for as long as the rest lasts.
const LITTLE: Retention = Retention { snapshot_every: 10, keep: 60 };

async fn server(cluster: &FakeCluster, number: usize, retention: Retention) -> Result<Arc<CouchStore>, StoreError> {
    Ok(Arc::new(cluster.open(number, Options::at(Timestamp::UNIX_EPOCH), retention).await?))
}

/// A record of its own, and one that everybody counts up: `seen` is the version that it had before.
fn command(name: &str, seen: Option<u64>) -> Submission {
    let own = RecordWrite {
        key: Key::new(Kind::Stack, name),
        expect: Expect::Absent,
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"name": name}))),
    };
    let counted = RecordWrite {
        key: Key::new(Kind::Stack, "count"),
        expect: seen.map_or(Expect::Absent, Expect::Version),
        stack: None,
        host: None,
        body: Some(Arc::new(json!({"by": name}))),
    };
    let idempotency_key = Some(format!("key of {name}"));
    Submission { records: vec![own, counted], idempotency_key, ..Submission::default() }
}

/// Gives commands, and answers with the names of those that were acknowledged. Some are asked for again, with their keys: a moment
/// later, for a server whose node says nothing refuses at once.
async fn client(number: usize, store: Arc<CouchStore>, dice: Dice) -> Result<Vec<String>, String> {
    let mut acknowledged = Vec::new();
    for step in 0..COMMANDS {
        sleep(dice.milliseconds(1_500)).await;
        let name = format!("{number}.{step}");
        for attempt in 0..=dice.below(3) {
            if attempt > 0 {
                sleep(dice.milliseconds(4_000)).await;
            }
            let read = store.record(&Key::new(Kind::Stack, "count")).await;
            let seen = match read {
                Ok(record) => record.map(|record| record.version),
                Err(StoreError::Unavailable(_)) => continue,
                Err(error) => return Err(error.to_string()),
            };
            match store.submit(command(&name, seen), Timestamp::UNIX_EPOCH).await {
                Ok(_) => {
                    acknowledged.push(name);
                    break;
                }
                Err(StoreError::Unavailable(_) | StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
    }
    Ok(acknowledged)
}

/// Names of what took effect, and all events that are left, which have its order.
async fn told(store: &CouchStore) -> Result<(Vec<String>, Vec<Event>), StoreError> {
    let query = RecordQuery::of(Kind::Stack);
    let mut names: Vec<String> = store.records(&query).await?.items.into_iter().map(|record| record.key.id).collect();
    names.retain(|name| name != "count");
    let mut after = 0;
    for _ in 0..5 {
        match store.events(after, usize::MAX).await {
            Err(StoreError::Pruned { up_to }) => after = up_to,
            // What is swept away while it is looked for is to be asked for again.
            Err(StoreError::Unavailable(_)) => {}
            events => return Ok((names, events?)),
        }
    }
    Err(StoreError::Unavailable("events were asked for five times".to_owned()))
}

async fn round(seed: u64) -> Result<usize, String> {
    let failed = |error: StoreError| error.to_string();
    let cluster = FakeCluster::start(seed);
    let retention = if seed.is_multiple_of(2) { Retention::default() } else { LITTLE };
    let mut stores = Vec::new();
    for number in 0..SERVERS {
        stores.push(server(&cluster, number, retention).await.map_err(failed)?);
    }
    let mut clients = JoinSet::new();
    for (number, store) in stores.iter().enumerate() {
        let dice = Dice::new(seed.wrapping_mul(31).wrapping_add(number as u64));
        clients.spawn(client(number, Arc::clone(store), dice));
    }
    trouble(&cluster, Dice::new(seed)).await;
    let mut acknowledged = Vec::new();
    while let Some(done) = clients.join_next().await {
        acknowledged.extend(done.map_err(|error| error.to_string())??);
    }
    // Longer than anything is late, and than a turn lasts.
    sleep(Duration::from_secs(30)).await;
    let last = Submission { idempotency_key: Some("the last".to_owned()), ..Submission::default() };
    stores[0].submit(last, Timestamp::UNIX_EPOCH).await.map_err(failed)?;
    let fresh = server(&cluster, 1, retention).await.map_err(failed)?;
    let (names, events) = told(&fresh).await.map_err(failed)?;
    for name in &acknowledged {
        if !names.contains(name) {
            return Err(format!("`{name}` was acknowledged and is not there"));
        }
    }
    let count = fresh.record(&Key::new(Kind::Stack, "count")).await.map_err(failed)?;
    let version = count.map_or(0, |record| record.version);
    if version != names.len() as u64 {
        return Err(format!("{} commands took effect, and were counted as {version}", names.len()));
    }
    for (number, store) in stores.iter().enumerate() {
        let (same_names, same_events) = told(store).await.map_err(failed)?;
        // One that was open all the time may have more of them in memory.
        let [one, other] = [&events, &same_events].map(|events| events.iter().rev());
        if same_names != names || same_events.len() < events.len() || one.zip(other).any(|(one, other)| one != other) {
            return Err(format!("server {number} tells other than one that was opened just now"));
        }
    }
    Ok(acknowledged.len())
}

#[test]
fn what_was_acknowledged_is_there_once_and_in_one_order_whatever_the_cluster_does() -> Checked {
    let seeds = seeds(SEEDS);
    let given = seeds.clone().count() * SERVERS * COMMANDS;
    let acknowledged = every_seed(seeds, round)?;
    assert!(acknowledged * 4 > given, "hardly anything was acknowledged: {acknowledged} of {given}");
    Ok(())
}

/// The longest that a command of one of two servers takes while the third node says nothing.
async fn beside_a_node_that_hangs(seed: u64) -> Result<Duration, StoreError> {
    let cluster = FakeCluster::start(seed);
    let mut servers = Vec::new();
    for number in 0..2 {
        servers.push(server(&cluster, number, Retention::default()).await?);
    }
    cluster.hang_node(2, Duration::from_secs(600));
    let mut work = JoinSet::new();
    for server in servers {
        work.spawn(async move {
            let mut longest = Duration::ZERO;
            for step in 0..100 {
                let begun = Instant::now();
                let name = format!("{step}");
                let submission = Submission { idempotency_key: Some(name), ..Submission::default() };
                server.submit(submission, Timestamp::UNIX_EPOCH).await?;
                longest = longest.max(begun.elapsed());
            }
            Ok::<_, StoreError>(longest)
        });
    }
    let mut longest = Duration::ZERO;
    while let Some(ended) = work.join_next().await {
        longest = longest.max(ended.map_err(|error| StoreError::Unavailable(error.to_string()))??);
    }
    Ok(longest)
}

#[test]
fn a_node_that_hangs_holds_two_servers_at_the_others_up_for_a_moment_only() -> Checked {
    for seed in 0..20 {
        let mut longest = Duration::MAX;
        in_virtual_time(async {
            longest = beside_a_node_that_hangs(seed).await.map_err(|error| error.to_string())?;
            Ok(0)
        })?;
        assert!(longest < Duration::from_secs(5), "seed {seed}: {longest:?}");
    }
    Ok(())
}

#[test]
fn a_server_at_a_node_that_is_alone_refuses_nothing_for_what_it_has_not_heard() -> Checked {
    in_virtual_time(async {
        let failed = |error: StoreError| error.to_string();
        let cluster = FakeCluster::start(1);
        let alone = server(&cluster, 0, Retention::default()).await.map_err(failed)?;
        let well = server(&cluster, 1, Retention::default()).await.map_err(failed)?;
        alone.submit(command("first", None), Timestamp::UNIX_EPOCH).await.map_err(failed)?;
        cluster.cut_off(0);
        well.submit(command("second", Some(1)), Timestamp::UNIX_EPOCH).await.map_err(failed)?;
        // Rightly refused by whoever has heard of the second, and rightly taken.
        for (name, seen) in [("first", Some(1)), ("third", Some(2))] {
            let submission = Submission { idempotency_key: None, ..command(name, seen) };
            let answer = alone.submit(submission, Timestamp::UNIX_EPOCH).await;
            if !matches!(answer, Err(StoreError::Unavailable(_))) {
                return Err(format!("`{name}` is answered with {answer:?}"));
            }
        }
        cluster.connect();
        sleep(Duration::from_secs(10)).await;
        match alone
            .submit(Submission { idempotency_key: None, ..command("first", Some(2)) }, Timestamp::UNIX_EPOCH)
            .await
        {
            Err(StoreError::Conflict { .. }) => Ok(1),
            answer => Err(format!("it is answered with {answer:?}")),
        }
    })?;
    Ok(())
}

#[test]
fn the_same_seed_gives_the_same_run() -> Checked {
    let run = || (0..5).map(|seed| in_virtual_time(round(seed))).collect::<Result<Vec<usize>, String>>();
    assert_eq!(run()?, run()?);
    Ok(())
}
