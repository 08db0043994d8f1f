//! Runs of a seed in virtual time, and what goes wrong in them.

use graphium_core::{environment::Environment, testing::ManualEnvironment};
use graphium_store::testing::{FakeCluster, Network};
use std::{env, ops::Range, sync::Mutex, thread, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// How long things go wrong.
const TROUBLE: Duration = Duration::from_secs(60);

/// How long everything may take.
const ENDLESS: Duration = Duration::from_secs(1_200);

/// Chance, the same from the same seed.
pub(crate) struct Dice(ManualEnvironment);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(ManualEnvironment::seeded(seed))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        u64::try_from(self.0.random() % u128::from(bound)).unwrap_or_default()
    }

    pub(crate) fn milliseconds(&self, bound: u64) -> Duration {
        Duration::from_millis(self.below(bound))
    }
}

/// Lets things go wrong for a minute.
pub(crate) async fn trouble(cluster: &FakeCluster, dice: Dice) {
    let chance = |percent: u64| f64::from(u32::try_from(dice.below(percent)).unwrap_or_default()) / 100.0;
    cluster.set_network(Network { lost: chance(10), late: chance(10), late_copies: chance(20), incident: chance(8) });
    let begun = Instant::now();
    while begun.elapsed() < TROUBLE {
        sleep(dice.milliseconds(3_000)).await;
        for _ in 0..=dice.below(2) {
            let who = usize::try_from(dice.below(3)).unwrap_or_default();
            match dice.below(4) {
                0 | 1 => cluster.cut_off(who),
                2 => cluster.hang_node(who, dice.milliseconds(9_000)),
                _ => cluster.stop_server(who, dice.milliseconds(9_000)),
            }
            sleep(dice.milliseconds(1_000)).await;
        }
        // At times for longer than a turn: the others go on meanwhile.
        sleep(dice.milliseconds(14_000)).await;
        cluster.connect();
    }
    cluster.set_network(Network::default());
    cluster.connect();
}

/// The seeds of one run; `GRAPHIUM_CLUSTER_SEEDS` (`from..to`) names others.
pub(crate) fn seeds(ours: Range<u64>) -> Range<u64> {
    let named = env::var("GRAPHIUM_CLUSTER_SEEDS").ok();
    let range = named.as_deref().and_then(|range| range.split_once(".."));
    range.and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?)).unwrap_or(ours)
}

/// Runs one to its end. Answers with how much was acknowledged.
pub(crate) fn in_virtual_time(round: impl Future<Output = Result<usize, String>>) -> Result<usize, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    let ended = runtime.map_err(|error| error.to_string())?.block_on(async { timeout(ENDLESS, round).await });
    ended.unwrap_or_else(|_| Err("it does not end".to_owned()))
}

/// Runs every seed, on all processors, and adds up what was acknowledged. The first failure names its seed.
pub(crate) fn every_seed<F>(seeds: Range<u64>, round: impl Fn(u64) -> F + Sync) -> Result<usize, String>
where
    F: Future<Output = Result<usize, String>>,
{
    let left = Mutex::new(seeds);
    let work = || -> Result<usize, String> {
        let mut acknowledged = 0;
        loop {
            let next = left.lock().map_err(|_| "another seed panicked")?.next();
            let Some(seed) = next else { return Ok(acknowledged) };
            acknowledged += in_virtual_time(round(seed)).map_err(|why| format!("seed {seed}: {why}"))?;
        }
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        workers.into_iter().map(|worker| worker.join().map_err(|_| "a seed panicked")?).sum()
    })
}
