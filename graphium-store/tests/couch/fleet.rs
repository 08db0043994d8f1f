//! Servers on a cluster of CouchDB, and hosts with their agents.

use crate::clock::Clock;
use async_trait::async_trait;
use futures::future::{Either, select};
use graphium_core::{
    agent::{
        Agent, AgentLink, AgentSettings, ClaimCall, Held, HostReport, LinkError, MemoryJournal, RenewCall, SessionGrant,
    },
    control::{Control, ControlError, Settings, StackStatus},
    environment::Environment,
    event::NoSink,
    id::{ClaimId, HostId, TaskId},
    inventory::ContainerStatus,
    store::SessionRequest,
    task::{Lease, Outcome, Task},
    testing::FakeRuntime,
};
use graphium_store::{CouchStore, Options, couch::Retention, testing::FakeCluster};
use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio::{
    sync::watch,
    task::AbortHandle,
    time::{Instant, sleep},
};

/// Servers, and nodes of the cluster; as many hosts.
const SERVERS: usize = 3;

/// For so long a server that has crashed says nothing more.
const FOR_EVER: Duration = Duration::from_secs(100_000);

pub(crate) struct Fleet {
    pub(crate) cluster: FakeCluster,
    seed: u64,
    begun: Instant,
    state: Mutex<State>,
    engines: Vec<FakeRuntime>,
}

struct State {
    servers: [Option<Server>; SERVERS],
    /// How many servers were started: each talks to the cluster under a number of its own.
    started: usize,
    /// To which claims attempts were granted.
    grants: BTreeMap<(TaskId, u32), Vec<ClaimId>>,
}

struct Server {
    number: usize,
    store: Arc<CouchStore>,
    control: Arc<Control>,
    monitor: AbortHandle,
    /// Whoever waits for an answer sees the end of it.
    _life: watch::Sender<()>,
    life: watch::Receiver<()>,
}

impl Fleet {
    /// Three servers and three agents, on a cluster that is well.
    pub(crate) async fn start(seed: u64) -> Arc<Self> {
        let state = State { servers: Default::default(), started: 0, grants: BTreeMap::new() };
        let engines = (0..SERVERS).map(|_| FakeRuntime::new()).collect();
        let (cluster, begun) = (FakeCluster::start(seed), Instant::now());
        let fleet = Arc::new(Self { cluster, seed, begun, state: Mutex::new(state), engines });
        for server in 0..SERVERS {
            fleet.start_server(server).await;
        }
        for (host, engine) in fleet.engines.iter().enumerate() {
            tokio::spawn(serve(Arc::clone(&fleet), host, engine.clone()));
        }
        fleet
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn clock(&self, salt: usize) -> Arc<Clock> {
        Clock::since(self.begun, self.seed.wrapping_mul(1_000).wrapping_add(salt as u64))
    }

    /// Starts a server, as often as it takes.
    pub(crate) async fn start_server(&self, server: usize) {
        loop {
            let number = {
                let mut state = self.state();
                state.started += 1;
                // The same node again.
                server + SERVERS * state.started
            };
            match self.open(number).await {
                Ok(opened) => {
                    self.state().servers[server] = Some(opened);
                    return;
                }
                Err(_) => sleep(Duration::from_secs(1)).await,
            }
        }
    }

    async fn open(&self, number: usize) -> Result<Server, ControlError> {
        let clock = self.clock(number);
        let store = Arc::new(self.cluster.open(number, Options::at(clock.now()), Retention::default()).await?);
        let control = Control::open(store.clone(), Arc::new(NoSink), clock, Settings::default()).await?;
        let monitor = tokio::spawn(Arc::clone(&control).run()).abort_handle();
        let (life_sender, life) = watch::channel(());
        Ok(Server { number, store, control, monitor, _life: life_sender, life })
    }

    /// Ends a server amid whatever it does.
    pub(crate) fn crash(&self, server: usize) {
        let crashed = self.state().servers[server].take();
        if let Some(server) = crashed {
            self.cluster.stop_server(server.number, FOR_EVER);
            server.monitor.abort();
        }
    }

    pub(crate) fn control(&self, server: usize) -> Option<Arc<Control>> {
        self.state().servers[server].as_ref().map(|server| Arc::clone(&server.control))
    }

    pub(crate) fn stores(&self) -> Vec<Arc<CouchStore>> {
        self.state().servers.iter().flatten().map(|server| Arc::clone(&server.store)).collect()
    }

    /// How a stack or a deployment stands, as each server says; nothing if it is not there.
    pub(crate) async fn views(&self, name: &str) -> Result<Vec<Option<StackStatus>>, String> {
        let mut views = Vec::new();
        for server in 0..SERVERS {
            let Some(control) = self.control(server) else { return Err("a server is not there".to_owned()) };
            views.push(match control.status(name).await {
                Ok(view) => Some(view.overall_status),
                Err(ControlError::NotFound { .. }) => None,
                Err(error) => return Err(error.to_string()),
            });
        }
        Ok(views)
    }

    /// The images of a stack's containers that run, on all hosts.
    pub(crate) fn images_of(&self, stack: &str) -> Vec<String> {
        let prefix = format!("{stack}-");
        let containers = self.engines.iter().flat_map(FakeRuntime::containers);
        let running = containers.filter(|container| container.observed.name.starts_with(&prefix));
        running
            .filter(|container| container.status() == ContainerStatus::Running)
            .map(|container| container.observed.image)
            .collect()
    }

    /// What is ours and a stack's, on all hosts.
    pub(crate) fn left_of(&self, stack: &str) -> Vec<String> {
        let ours = self.engines.iter().flat_map(FakeRuntime::ours);
        ours.filter(|thing| thing.contains(stack)).collect()
    }

    /// Nobody was given what somebody else had been given.
    pub(crate) fn grants_are_of_one_claim_each(&self) -> Result<(), String> {
        match self.state().grants.iter().find(|(_, claims)| claims.len() > 1) {
            Some(((task, attempt), claims)) => Err(format!("attempt {attempt} of {task} was granted to {claims:?}")),
            None => Ok(()),
        }
    }
}

/// Runs the agent of a host, again whenever it ends.
async fn serve(fleet: Arc<Fleet>, host: usize, engine: FakeRuntime) {
    let journal = MemoryJournal::default();
    let id = HostId::new(format!("vm{}", host + 1));
    loop {
        let link = Arc::new(Way { fleet: Arc::clone(&fleet), server: AtomicUsize::new(host) });
        let mut settings = AgentSettings::new(id.clone(), 2);
        settings.address = format!("10.0.0.{}", host + 1).parse().ok();
        let clock = fleet.clock(1_000_000 + host);
        let agent = Agent::new(link, Arc::new(engine.clone()), clock, Box::new(journal.clone()), settings);
        // Why it ended is seen in what becomes of its work.
        let _ = agent.run(std::future::pending()).await;
        sleep(Duration::from_secs(1)).await;
    }
}

/// An agent's way to one server, and to the next if that one does not answer.
struct Way {
    fleet: Arc<Fleet>,
    server: AtomicUsize,
}

impl fmt::Debug for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Way").finish_non_exhaustive()
    }
}

impl Way {
    async fn ask<T>(&self, question: impl AsyncFnOnce(&Control) -> Result<T, LinkError>) -> Result<T, LinkError> {
        let at = self.server.load(Ordering::Relaxed);
        let server =
            self.fleet.state().servers[at].as_ref().map(|server| (server.control.clone(), server.life.clone()));
        let gone = || LinkError::Unreachable("the server is gone".to_owned());
        let answer = match server {
            Some((control, mut life)) => match select(pin!(question(&control)), pin!(life.changed())).await {
                Either::Left((answer, _)) => answer,
                Either::Right(_) => Err(gone()),
            },
            None => Err(gone()),
        };
        if matches!(answer, Err(LinkError::Unreachable(_))) {
            self.server.store((at + 1) % SERVERS, Ordering::Relaxed);
        }
        answer
    }
}

#[async_trait]
impl AgentLink for Way {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.ask(async |control| control.open_session(request).await).await
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        let tasks = self.ask(async |control| control.claim(call).await).await?;
        for task in &tasks {
            let mut state = self.fleet.state();
            let claims = state.grants.entry((task.id.clone(), task.attempt)).or_default();
            if !claims.contains(&call.claim) {
                claims.push(call.claim.clone());
            }
        }
        Ok(tasks)
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.ask(async |control| control.renew(call).await).await
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.ask(async |control| control.report(lease, outcome).await).await
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.ask(async |control| control.observe(report).await).await
    }
}
