//! Everything that there is while a simulation runs.

use super::{
    bug::Bug,
    dice::Dice,
    executor::{Process, Spawner},
    faults::Faults,
    foreign::Owners,
    judge::Judge,
    readers, retain,
    setup::Setup,
    trace::Trace,
};
use crate::{
    agent::MemoryJournal,
    control::Control,
    environment::Environment,
    id::{HostId, StackId, TaskId},
    store::MemoryStore,
    testing::{FakeRuntime, ManualEnvironment},
};
use async_trait::async_trait;
use futures::{channel::oneshot, future::Shared};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// All that outlives a crash, and those who decide what happens next.
pub(super) struct World {
    pub(super) clock: ManualEnvironment,
    pub(super) spawner: Spawner,
    pub(super) setup: Setup,
    pub(super) store: Arc<MemoryStore>,
    pub(super) hosts: Vec<HostNode>,
    /// Nobody takes what a stack may want.
    pub(super) is_unobstructed: bool,
    state: Mutex<State>,
    judge: Mutex<Judge>,
    owners: Mutex<Owners>,
    readers: Mutex<readers::Desk>,
    trace: Mutex<Trace>,
    traced: bool,
}

/// A host: what its agent's crash leaves.
pub(super) struct HostNode {
    pub(super) id: HostId,
    pub(super) runtime: FakeRuntime,
    pub(super) journal: MemoryJournal,
    /// Told when the engine no longer hangs.
    pub(super) released: event_listener::Event,
}

/// What changes all the time.
pub(super) struct State {
    pub(super) dice: Dice,
    pub(super) faults: Faults,
    pub(super) server: Option<Arc<Control>>,
    pub(super) wires: Vec<Wires>,
    pub(super) hung: Vec<bool>,
    pub(super) agent_up: Vec<bool>,
    pub(super) store_is_down: bool,
    /// Since when the server and the store have worked without a break.
    pub(super) works_since: Option<Duration>,
    /// When the server last heard of each host.
    pub(super) heard: Vec<Duration>,
    /// The server's clock has jumped ahead: leases ended before their time.
    pub(super) clock_jumped_ahead: bool,
    /// How far the wall clock of each program is off.
    pub(super) walls: HashMap<Process, SignedDuration>,
    pub(super) desks: Vec<AgentDesk>,
    /// Something of others is in the way of what may be deployed.
    pub(super) has_excuse: bool,
    /// Containers, by host, that an engine has stopped for an attempt which was cut off, and that were not started since.
    pub(super) stopped_late: BTreeSet<(HostId, String)>,
    /// Successors, by host, that an engine has made late beside what they were to follow, for an attempt which was cut off: never
    /// started, and listed as broken off.
    pub(super) made_late: BTreeSet<(HostId, String)>,
    /// Stacks of which an adoption was acknowledged last, or may have been: it takes nothing away.
    pub(super) adopted_last: BTreeSet<StackId>,
    /// Nothing goes wrong any more.
    pub(super) is_calm: bool,
    pub(super) is_over: bool,
}

/// Which ways between a host and the server are cut.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wires {
    pub(super) to_server_cut: bool,
    pub(super) from_server_cut: bool,
}

/// What an agent was granted and does, as it tells itself; and calls under way on its engine.
#[derive(Default)]
pub(super) struct AgentDesk {
    pub(super) grants: Vec<Grant>,
    pub(super) running: Vec<Grant>,
    /// The end of the last call for each name: an engine does one after another.
    pub(super) tails: BTreeMap<String, Tail>,
}

/// Ends with the last call for a name.
pub(super) type Tail = Shared<oneshot::Receiver<()>>;

/// An attempt in an agent's hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Grant {
    pub(super) task: TaskId,
    pub(super) attempt: u32,
    pub(super) epoch: u64,
    pub(super) kind: crate::action::TaskType,
    pub(super) subject: String,
}

impl World {
    pub(super) fn new(seed: u64, mut setup: Setup, trace: Trace, traced: bool) -> Self {
        let mut dice = Dice::new(seed);
        // What a run is made of has dice of its own: all else is as it is without.
        let mut apart = Dice::new(!seed);
        if let Some(retention) = retain::soon(&mut apart.fork(), setup.pruned) {
            setup.control.retention = retention;
        }
        let is_unobstructed = apart.chance(setup.unobstructed);
        let clock = ManualEnvironment::seeded(dice.next());
        let host = |id: &HostId| HostNode {
            id: id.clone(),
            runtime: FakeRuntime::with_environment(Arc::new(clock.clone())),
            journal: MemoryJournal::default(),
            released: event_listener::Event::new(),
        };
        let hosts: Vec<HostNode> = setup.hosts.iter().map(host).collect();
        let state = State {
            dice: dice.fork(),
            faults: setup.faults.clone(),
            server: None,
            wires: vec![Wires::default(); hosts.len()],
            hung: vec![false; hosts.len()],
            agent_up: vec![false; hosts.len()],
            store_is_down: false,
            works_since: None,
            heard: vec![Duration::ZERO; hosts.len()],
            clock_jumped_ahead: false,
            walls: HashMap::new(),
            desks: hosts.iter().map(|_| AgentDesk::default()).collect(),
            has_excuse: false,
            stopped_late: BTreeSet::new(),
            made_late: BTreeSet::new(),
            adopted_last: BTreeSet::new(),
            is_calm: false,
            is_over: false,
        };
        Self {
            clock,
            spawner: Spawner::default(),
            setup,
            store: Arc::new(MemoryStore::new()),
            hosts,
            is_unobstructed,
            state: Mutex::new(state),
            judge: Mutex::default(),
            owners: Mutex::default(),
            readers: Mutex::default(),
            trace: Mutex::new(trace),
            traced,
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn judge(&self) -> MutexGuard<'_, Judge> {
        self.judge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose what is on the hosts.
    pub(super) fn owners(&self) -> MutexGuard<'_, Owners> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who reads what.
    pub(super) fn readers(&self) -> MutexGuard<'_, readers::Desk> {
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_trace(&self) -> String {
        self.trace.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Writes a line of the trace.
    pub(super) fn tell(&self, who: &str, what: impl FnOnce() -> String) {
        if self.traced {
            let at = self.clock.elapsed();
            self.trace.lock().unwrap_or_else(PoisonError::into_inner).tell(at, who, what);
        }
    }

    pub(super) fn has(&self, bug: Bug) -> bool {
        self.setup.bug == Some(bug)
    }

    /// A choice.
    pub(super) fn throw<T>(&self, choose: impl FnOnce(&mut Dice) -> T) -> T {
        choose(&mut self.state().dice)
    }

    pub(super) fn chance(&self, per_mille: u16) -> bool {
        per_mille > 0 && self.state().dice.chance(per_mille)
    }

    /// Time since the beginning.
    pub(super) fn elapsed(&self) -> Duration {
        self.clock.elapsed()
    }

    pub(super) async fn sleep(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// Lets others go first: an await at which the caller may end.
    pub(super) async fn give_way(&self) {
        let mut waited = false;
        futures::future::poll_fn(|context| {
            if std::mem::replace(&mut waited, true) {
                return std::task::Poll::Ready(());
            }
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        })
        .await;
    }

    pub(super) fn spawn(self: &Arc<Self>, process: Process, future: impl Future<Output = ()> + Send + 'static) {
        self.spawner.spawn(process, future);
    }

    /// The name of a process in the trace.
    pub(super) fn name(&self, process: Process) -> String {
        match process {
            Process::Server => "server".to_owned(),
            Process::Agent(host) => self.hosts[host].id.to_string(),
            Process::Engine(host) => format!("{}/eng", self.hosts[host].id),
            Process::Wire => "wire".to_owned(),
            Process::World => "world".to_owned(),
        }
    }
}

/// The world as one program sees it: its own wall clock and its own random numbers.
pub(super) struct NodeEnvironment {
    world: Arc<World>,
    process: Process,
    dice: Mutex<Dice>,
}

impl NodeEnvironment {
    pub(super) fn of(world: &Arc<World>, process: Process) -> Self {
        let dice = Mutex::new(world.throw(Dice::fork));
        Self { world: Arc::clone(world), process, dice }
    }

    /// The wall clock of a program.
    pub(super) fn wall(world: &World, process: Process) -> Timestamp {
        let offset = world.state().walls.get(&process).copied().unwrap_or_default();
        world.clock.now().saturating_add(offset).unwrap_or_default()
    }
}

impl std::fmt::Debug for NodeEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeEnvironment").finish_non_exhaustive()
    }
}

#[async_trait]
impl Environment for NodeEnvironment {
    fn now(&self) -> Timestamp {
        Self::wall(&self.world, self.process)
    }

    fn elapsed(&self) -> Duration {
        self.world.clock.elapsed()
    }

    async fn sleep(&self, time: Duration) {
        self.world.clock.sleep(time).await;
    }

    fn random(&self) -> u128 {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        u128::from(dice.next()) << 64 | u128::from(dice.next())
    }
}
