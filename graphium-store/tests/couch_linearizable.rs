//! What concurrent clients of CouchDB are answered could have been answered to one after the other: by one server, and by three
//! that share a database.
//!
//! `GRAPHIUM_TEST_HISTORIES` has more of them than each test makes by itself.
//!
//! On the server or cluster that `GRAPHIUM_TEST_COUCHDB_URL` names there are as many histories as `GRAPHIUM_TEST_COUCHDB_HISTORIES`
//! says: by default 20, or 10 on several nodes, where a call takes the turns of three servers and a history five to twenty seconds.

#![cfg(feature = "couchdb")]

use graphium_core::testing::{
    Decorated,
    linearize::{Settings, Tally, check_histories},
    store_suite::{Stop, Verdict},
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::Timestamp;
use spread::Spread;
use std::{
    env,
    panic::resume_unwind,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};
use tokio::{runtime::Runtime, time::timeout};
use weather::{Weather, bad_writes};

#[path = "couch/real.rs"]
mod real;
#[path = "couch/spread.rs"]
mod spread;
#[path = "couch/weather.rs"]
mod weather;

/// Histories that have one database.
const STAGE: u64 = 50;

/// Histories on a real server, which waits for its disks, and on several nodes, which wait for each other.
const REAL: u64 = 20;
const REAL_NODES: u64 = 10;

/// How long one of those may take: a call of it every half a second.
const LIMIT: Duration = Duration::from_secs(120);

fn runtime() -> Result<Runtime, Stop> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A server at each of these.
async fn servers(urls: &[&str]) -> Result<Decorated<Spread>, Stop> {
    let mut servers = Vec::new();
    for url in urls {
        servers.push(open(url, Options::at(Timestamp::UNIX_EPOCH)).await?);
    }
    Ok(Spread::over(servers))
}

/// How many: as said, unless `GRAPHIUM_TEST_HISTORIES` says more.
fn number_of(histories: u64) -> u64 {
    let named = env::var("GRAPHIUM_TEST_HISTORIES").ok().and_then(|number| number.parse().ok());
    named.unwrap_or(0).max(histories)
}

fn check(copies: u32, number: usize, faults: fn(u64) -> Faults, histories: u64) -> Verdict {
    let histories = number_of(histories);
    let runtime = runtime()?;
    let mut tally = Tally::default();
    for first in (0..histories).step_by(usize::try_from(STAGE).unwrap_or(1)) {
        let fake = runtime.block_on(FakeCouch::start(copies))?;
        let url = fake.url();
        let store = runtime.block_on(servers(&vec![&*url; number]))?;
        fake.set_faults(faults(first));
        let seeds = first..first + STAGE;
        tally += check_histories(&store, Settings::default(), seeds, &|work| runtime.block_on(work))?;
    }
    tally.verdict()
}

#[test]
fn histories_of_one_node_are_linearizable() -> Verdict {
    check(1, 1, |_| Faults::none(), 1000)
}

#[test]
fn histories_of_a_cluster_are_linearizable() -> Verdict {
    check(3, 1, |_| Faults::none(), 200)
}

#[test]
fn histories_of_a_cluster_with_strays_are_linearizable() -> Verdict {
    check(3, 1, |seed| Faults::from_seed(seed).with(Fault::StrayLeaf, 0.1), 100)
}

#[test]
fn histories_of_three_servers_are_linearizable() -> Verdict {
    check(3, 3, |_| Faults::none(), 50)
}

/// Calls that were not answered fit in many places, each of which may have to be tried.
const SHORT: Settings = Settings { clients: 8, calls: 15, tasks: 3, budget: 3_000_000 };

/// Histories at a time in bad weather: most of each is waiting.
const AT_ONCE: u64 = 5;

/// Through so many servers, on a cluster that nobody can rely on. Some calls stay without an answer.
fn check_in_bad_weather(number: usize, histories: u64) -> Verdict {
    let histories = number_of(histories);
    let parts: Vec<_> = thread::scope(|scope| {
        let part = |first| scope.spawn(move || bad_weather(number, (first..histories).step_by(AT_ONCE as usize)));
        let parts: Vec<_> = (0..AT_ONCE).map(part).collect();
        parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut tally = Tally::default();
    for part in parts {
        tally += part?;
    }
    if tally.unanswered > 0 { tally.verdict() } else { Err(Stop::Broken("the weather was good".to_owned())) }
}

fn bad_weather(number: usize, seeds: impl Iterator<Item = u64>) -> Result<Tally, Stop> {
    let runtime = runtime()?;
    let mut tally = Tally::default();
    for seed in seeds {
        let fake = Arc::new(runtime.block_on(FakeCouch::start(3))?);
        let url = fake.url();
        let store = runtime.block_on(servers(&vec![&*url; number]))?;
        fake.set_faults(bad_writes(seed));
        let _weather = runtime.block_on(async { Weather::over(Arc::clone(&fake)) });
        tally += check_histories(&store, SHORT, seed..seed + 1, &|work| runtime.block_on(work))?;
    }
    Ok(tally)
}

#[test]
fn histories_in_bad_weather_are_linearizable() -> Verdict {
    check_in_bad_weather(1, 20)
}

#[test]
fn histories_of_three_servers_in_bad_weather_are_linearizable() -> Verdict {
    check_in_bad_weather(3, 10)
}

/// One history on a real server, with what it tells and how long it took.
fn history(store: &Decorated<Spread>, runtime: &Runtime, seed: u64) -> Result<(Tally, Duration), Stop> {
    let begun = Instant::now();
    let late = AtomicUsize::new(0);
    let checked = check_histories(store, Settings::default(), seed..seed + 1, &|work| {
        let rest = LIMIT.saturating_sub(begun.elapsed());
        if runtime.block_on(async { timeout(rest, work).await }).is_err() {
            late.fetch_add(1, Ordering::SeqCst);
        }
    });
    match late.into_inner() {
        0 => Ok((checked?, begun.elapsed())),
        late => Err(Stop::Broken(format!(
            "history {seed}: {late} of its clients had not made their calls after {LIMIT:?}. No call waits longer than 30 s, so it is \
             slow and does not hang: give the nodes more of the machine"
        ))),
    }
}

#[test]
#[expect(clippy::print_stderr, reason = "a test says what it did not test, and how far it has come")]
fn histories_of_a_real_server_are_linearizable() -> Verdict {
    let Some(database) = real::Database::new() else {
        eprintln!("not tested: histories of a real server need GRAPHIUM_TEST_COUCHDB_URL");
        return Ok(());
    };
    let named = env::var("GRAPHIUM_TEST_COUCHDB_HISTORIES").ok().and_then(|number| number.parse().ok());
    let number = named.unwrap_or(if database.urls.len() > 1 { REAL_NODES } else { REAL });
    let runtime = runtime()?;
    let store = runtime.block_on(servers(&[database.at(0), database.at(1), database.at(2)]))?;
    let mut tally = Tally::default();
    for seed in 0..number {
        let (history, taken) = history(&store, &runtime, seed)?;
        eprintln!("history {} of {number}: linearizable, {} calls looked at, {taken:.1?}", seed + 1, history.calls);
        tally += history;
    }
    drop(store);
    runtime.block_on(database.remove())?;
    tally.verdict()
}
