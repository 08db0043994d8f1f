//! The contract of the task store, on CouchDB: a fake of our own, as one node and as a cluster, well and with faults; and
//! the server that `GRAPHIUM_TEST_COUCHDB_URL` (`couchdb://USER:PASSWORD@HOST:5984`) names, or the nodes, with commas in between.

#![cfg(feature = "couchdb")]

use async_trait::async_trait;
use futures::future::LocalBoxFuture;
use graphium_core::{
    store::TaskStore,
    testing::store_suite::{Harness, Stop, Verdict},
};
use graphium_store::{
    Options, open,
    testing::{FakeCouch, Fault, Faults},
};
use jiff::Timestamp;
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::runtime::Runtime;

#[path = "couch/patient.rs"]
mod patient;
#[path = "couch/real.rs"]
mod real;
#[path = "couch/spread.rs"]
mod spread;
#[path = "couch/weather.rs"]
mod weather;

struct Couch {
    runtime: Runtime,
    fake: OnceLock<Arc<FakeCouch>>,
    copies: u32,
    faults: Faults,
}

impl Couch {
    fn new(copies: u32, faults: Faults) -> Result<Self, Stop> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        Ok(Self { runtime, fake: OnceLock::new(), copies, faults })
    }

    async fn open(&self, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        let fake = self.fake.get().ok_or_else(|| Stop::Broken("there is no CouchDB".to_owned()))?;
        Ok(open(&fake.url(), Options::at(now)).await?)
    }
}

#[async_trait(?Send)]
impl Harness for Couch {
    async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
        let fake = FakeCouch::start(self.copies).await?;
        fake.set_faults(self.faults.clone());
        self.fake.set(Arc::new(fake)).map_err(|_| Stop::Broken("a case has one store".to_owned()))?;
        self.open(Timestamp::UNIX_EPOCH).await
    }

    async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
        drop(store);
        self.open(now).await
    }

    async fn second(&self, _: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
        self.open(Timestamp::UNIX_EPOCH).await
    }

    fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
        self.runtime.block_on(case)
    }
}

/// One node, of which nothing goes wrong.
mod one_node {
    use super::*;
    graphium_core::store_suite!(Couch::new(1, Faults::none())?);
}

/// A cluster, of which nothing goes wrong.
mod cluster {
    use super::*;
    graphium_core::store_suite!(Couch::new(3, Faults::none())?);
}

/// One node, and a network that loses answers.
mod one_node_with_faults {
    use super::*;

    fn faults() -> Faults {
        Faults::from_seed(1)
            .with(Fault::BrokenAfterCommit, 0.1)
            .with(Fault::BrokenBefore, 0.1)
            .with(Fault::ServerError, 0.1)
            .with(Fault::StoredLater(Duration::from_millis(20)), 0.05)
            .with(Fault::LateConflict(Duration::from_millis(100)), 0.03)
    }

    graphium_core::store_suite!(Couch::new(1, faults())?);
}

/// A cluster whose documents get leaves of others, and a network that loses answers.
mod cluster_with_faults {
    use super::*;

    fn faults() -> Faults {
        Faults::from_seed(2)
            .with(Fault::StrayLeaf, 0.2)
            .with(Fault::BrokenAfterCommit, 0.1)
            .with(Fault::BrokenBefore, 0.1)
            .with(Fault::StoredLater(Duration::from_millis(20)), 0.05)
            .with(Fault::LateConflict(Duration::from_millis(100)), 0.03)
    }

    graphium_core::store_suite!(Couch::new(3, faults())?);
}

/// Several servers, of which each call has another.
mod spread_over {
    use super::*;
    use crate::spread::Spread;

    /// So many servers over one fake of CouchDB.
    struct Servers(usize, Couch);

    impl Servers {
        fn new(number: usize) -> Result<Self, Stop> {
            Ok(Self(number, Couch::new(1, Faults::none())?))
        }

        async fn open(&self, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
            let mut servers = Vec::new();
            for _ in 0..self.0 {
                servers.push(self.1.open(now).await?);
            }
            Ok(Arc::new(Spread::over(servers)))
        }
    }

    #[async_trait(?Send)]
    impl Harness for Servers {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            drop(self.1.fresh().await?);
            self.open(Timestamp::UNIX_EPOCH).await
        }

        async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
            drop(store);
            self.open(now).await
        }

        async fn second(&self, _: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
            self.open(Timestamp::UNIX_EPOCH).await
        }

        fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
            self.1.block_on(case)
        }
    }

    mod one {
        use super::Servers;
        graphium_core::store_suite!(Servers::new(1)?);
    }

    mod three {
        use super::Servers;
        graphium_core::store_suite!(Servers::new(3)?);
    }
}

/// A cluster that takes writes with 202, loses its majority, shows what was, and hangs, asked again by whoever is not answered.
mod bad_weather {
    use super::*;
    use crate::{
        patient::Patient,
        weather::{Weather, bad_writes},
    };
    use graphium_core::testing::store_suite::{CASES, Case};
    use std::{
        sync::atomic::{AtomicBool, AtomicUsize, Ordering},
        thread,
    };

    /// How often a case is run in which a change stayed without an answer, and which then failed: that says nothing.
    const RUNS: u64 = 20;

    struct Bad {
        couch: Couch,
        weather: OnceLock<Weather>,
        is_unclear: Arc<AtomicBool>,
    }

    impl Bad {
        fn new(seed: u64) -> Result<Self, Stop> {
            Ok(Self { couch: Couch::new(3, bad_writes(seed))?, weather: OnceLock::new(), is_unclear: Arc::default() })
        }

        fn patient(&self, store: Arc<dyn TaskStore>) -> Arc<dyn TaskStore> {
            Arc::new(Patient::over(store, &self.is_unclear))
        }
    }

    #[async_trait(?Send)]
    impl Harness for Bad {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            let store = self.couch.fresh().await?;
            if let Some(fake) = self.couch.fake.get() {
                self.weather.get_or_init(|| Weather::over(Arc::clone(fake)));
            }
            Ok(self.patient(store))
        }

        async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
            Ok(self.patient(self.couch.reopen(store, now).await?))
        }

        async fn second(&self, store: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
            Ok(self.patient(self.couch.second(store).await?))
        }

        fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
            self.couch.block_on(case)
        }
    }

    /// Whether a case holds, and how often it was run.
    fn judge(case: &Case) -> Result<u64, Stop> {
        for seed in 0..RUNS {
            let bad = Bad::new(seed)?;
            match case.run(&bad) {
                Err(Stop::Broken(_)) if bad.is_unclear.load(Ordering::Relaxed) => {}
                Err(Stop::Broken(why)) => return Err(Stop::Broken(format!("`{}`, seed {seed}: {why}", case.name))),
                verdict => return verdict.map(|()| seed + 1),
            }
        }
        Err(Stop::Broken(format!(
            "`{}` says nothing, for each of {RUNS} runs had a change without an answer",
            case.name
        )))
    }

    #[test]
    fn every_case_holds() -> Verdict {
        let next = AtomicUsize::new(0);
        let work = || {
            let mut runs = 0;
            while let Some(case) = CASES.get(next.fetch_add(1, Ordering::Relaxed)) {
                runs += judge(case)?;
            }
            Ok::<u64, Stop>(runs)
        };
        let runs: Vec<_> = thread::scope(|scope| {
            let workers: Vec<_> = (0..4).map(|_| scope.spawn(work)).collect();
            workers
                .into_iter()
                .map(|worker| worker.join().map_err(|_| Stop::Broken("a case panicked".to_owned()))?)
                .collect::<Result<_, _>>()
        })?;
        // Most say something the first time.
        let (runs, cases) = (runs.into_iter().sum::<u64>(), CASES.len() as u64);
        if runs < cases * 2 { Ok(()) } else { Err(Stop::Broken(format!("{cases} cases took {runs} runs"))) }
    }
}

/// A real server, each case in a database of its own.
mod real_server {
    use super::*;
    use crate::real::Database;

    struct Real {
        runtime: Runtime,
        database: Option<Database>,
    }

    impl Real {
        fn new() -> Result<Self, Stop> {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
            Ok(Self { runtime, database: Database::new() })
        }

        async fn open(&self, node: usize, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
            let database = self.database.as_ref().ok_or(Stop::Lacking("a server at GRAPHIUM_TEST_COUCHDB_URL"))?;
            Ok(open(database.at(node), Options::at(now)).await?)
        }
    }

    #[async_trait(?Send)]
    impl Harness for Real {
        async fn fresh(&self) -> Result<Arc<dyn TaskStore>, Stop> {
            self.open(0, Timestamp::UNIX_EPOCH).await
        }

        async fn reopen(&self, store: Arc<dyn TaskStore>, now: Timestamp) -> Result<Arc<dyn TaskStore>, Stop> {
            drop(store);
            self.open(1, now).await
        }

        async fn second(&self, _: &Arc<dyn TaskStore>) -> Result<Arc<dyn TaskStore>, Stop> {
            self.open(2, Timestamp::UNIX_EPOCH).await
        }

        fn block_on(&self, case: LocalBoxFuture<'_, Verdict>) -> Verdict {
            self.runtime.block_on(async {
                let verdict = case.await;
                if let Some(database) = &self.database {
                    database.remove().await?;
                }
                verdict
            })
        }
    }

    graphium_core::store_suite!(Real::new()?);
}
