//! The seeded simulation: what it must keep to itself, and what it must find.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "tests, which say where they found what")]

mod bugs;

use graphium_core::{
    document::{ReadContext, read},
    sim::{Faults, Report, Setup, record, simulate},
};
use std::{
    sync::atomic::{AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// A number from the environment.
fn asked(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("`{name}` is no number: {text}")))
}

/// Runs seeds on all processors; the first failure ends the test with its seed and its trace.
fn run(from: u64, count: u64, setup: &Setup) -> Report {
    let next = AtomicU64::new(from);
    let work = || {
        let mut sum = Report::default();
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= from + count {
                return sum;
            }
            sum += simulate(seed, setup).unwrap_or_else(|failure| panic!("{failure}"));
        }
    };
    let threads = thread::available_parallelism().map_or(1, |count| count.get());
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        let mut sum = Report::default();
        for worker in workers {
            sum += worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
        sum
    })
}

/// `GRAPHIUM_SIM_SEEDS` says how many (`tests/run`: 10,000), `GRAPHIUM_SIM_FROM` from which on.
#[test]
fn every_seed_keeps_every_promise() {
    let count = asked("GRAPHIUM_SIM_SEEDS", 150);
    let report = run(asked("GRAPHIUM_SIM_FROM", 1), count, &Setup::default());
    println!("{count} seeds: {report:?}");
    assert!(report.tasks as u64 > 10 * count, "there is work to do: {report:?}");
    // What excuses a stack, or a lease, excuses it for a whole run: enough of them must have none.
    for excused in [report.obstructed, report.jumped_ahead] {
        assert!(excused as u64 * 10 < 6 * count, "too little is proven: {report:?}");
    }
    assert!(report.pruned as u64 * 5 > count, "enough is let go of: {report:?}");
}

#[test]
fn the_same_seed_gives_the_same_trace_byte_for_byte() {
    let mut traces = Vec::new();
    for seed in [3, 42, 1_000_003] {
        let (first, second) = (record(seed, &Setup::default()), record(seed, &Setup::default()));
        assert_eq!(first, second, "seed {seed}");
        assert_eq!(simulate(seed, &Setup::default()).ok(), first.verdict.ok(), "whether it is written down or not");
        traces.push(first.trace);
    }
    traces.dedup();
    assert_eq!(traces.len(), 3, "and another seed another");
}

#[test]
fn where_nothing_goes_wrong_everything_works() {
    let setup = Setup { faults: Faults::none(), storm: Duration::from_secs(20), ..Setup::default() };
    run(1, 20, &setup);
}

#[test]
fn stacks_of_ones_own_are_rehearsed_on_the_hosts_that_they_name() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/stacks/nginx-multihost-stack.json");
    let stack = read(std::fs::read(path).unwrap(), &ReadContext::default()).unwrap().stack;
    let setup = Setup::of(vec![stack]);
    assert!(setup.hosts.iter().any(|host| host.as_str() == "localhost-docker"));
    run(1, 10, &setup);
    assert!(record(1, &setup).trace.contains("deploy"));
}
