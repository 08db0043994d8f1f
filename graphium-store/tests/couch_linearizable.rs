//! What concurrent clients of CouchDB are answered could have been answered to one after the other: by one server, and by three
//! that share a database.

#![cfg(feature = "couchdb")]

use graphium_core::testing::{
    linearize::{Settings, Tally, check_histories},
    store_suite::{Stop, Verdict},
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::Timestamp;
use spread::Spread;
use tokio::runtime::Runtime;

#[path = "couch/real.rs"]
mod real;
#[path = "couch/spread.rs"]
mod spread;

/// Histories that have one database.
const STAGE: u64 = 50;

/// Histories on a real server, which waits for its disks.
const REAL: u64 = 20;

fn runtime() -> Result<Runtime, Stop> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

/// A server at each of these.
async fn servers(urls: &[&str]) -> Result<Spread, Stop> {
    let mut servers = Vec::new();
    for url in urls {
        servers.push(open(url, Options::at(Timestamp::UNIX_EPOCH)).await?);
    }
    Ok(Spread::over(servers))
}

fn check(copies: u32, number: usize, faults: fn(u64) -> Faults, histories: u64) -> Verdict {
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

#[test]
#[expect(clippy::print_stderr, reason = "a test says what it did not test")]
fn histories_of_a_real_server_are_linearizable() -> Verdict {
    let Some(database) = real::Database::new() else {
        eprintln!("not tested: histories of a real server need GRAPHIUM_TEST_COUCHDB_URL");
        return Ok(());
    };
    let runtime = runtime()?;
    let store = runtime.block_on(servers(&[database.at(0), database.at(1), database.at(2)]))?;
    let tally = check_histories(&store, Settings::default(), 0..REAL, &|work| runtime.block_on(work))?;
    drop(store);
    runtime.block_on(database.remove())?;
    tally.verdict()
}
