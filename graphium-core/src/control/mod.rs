//! The control plane: deploys, removes, watches, finishes what is in flight.
//!
//! [`Control`] is a library type over a store, a sink of events and the world's clock. The server is a
//! thin face on it; so is a test, and somebody else's program. It keeps nothing that the store does not
//! have, but for who was heard last, who waits and who reads a log.
//!
//! # Example
//! A control plane, an agent and an engine in one program, in virtual time: a stack is deployed, looked at and removed.
//! ```
//! use futures::future::{join, pending, select};
//! use graphium_core::agent::{Agent, AgentSettings, MemoryJournal};
//! use graphium_core::control::{Control, ControlError, DeployOptions, RemoveOptions, Settings};
//! use graphium_core::control::{StackStatus, Standing, Started, StatusView};
//! use graphium_core::environment::Environment;
//! use graphium_core::testing::{FakeRuntime, ManualEnvironment, Program};
//! use graphium_core::{event::NoSink, inventory::ContainerStatus, store::MemoryStore};
//! use graphium_core::plan::fixtures::{container, stack};
//! use std::{pin::pin, sync::Arc, time::Duration};
//!
//! let environment = ManualEnvironment::default();
//! let world = Arc::new(environment.clone());
//! let engine = FakeRuntime::with_environment(world.clone());
//! engine.put_image("nginx:alpine", Program::runs());
//!
//! environment.run(async {
//!     let store = Arc::new(MemoryStore::new());
//!     let control: Arc<Control> = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
//!     let settings = AgentSettings::new("vm1".into(), 4);
//!     let journal = Box::new(MemoryJournal::default());
//!     let agent = Agent::new(control.clone(), Arc::new(engine.clone()), world.clone(), journal, settings);
//!
//!     let script = async {
//!         while control.hosts().await?.is_empty() {
//!             world.sleep(Duration::from_secs(1)).await;
//!         }
//!         let started: Started = control.deploy(stack("shop", vec![container("web")]), DeployOptions::default()).await?;
//!         assert_eq!((started.stack_name.as_str(), started.status), ("shop", StackStatus::Deploying));
//!         while control.status("shop").await?.overall_status != StackStatus::Running {
//!             world.sleep(Duration::from_secs(1)).await;
//!         }
//!         let status: StatusView = control.status("shop").await?;
//!         assert_eq!((status.progress, status.error_message), (100, None));
//!         let web: &Standing = &status.containers[0];
//!         assert_eq!((web.host_id.as_str(), web.status), ("vm1", Some(ContainerStatus::Running)));
//!         assert!(engine.container("shop-web").is_some());
//!
//!         control.remove("shop", RemoveOptions::default()).await?;
//!         while control.stack("shop").await.is_ok() {
//!             world.sleep(Duration::from_secs(1)).await;
//!         }
//!         assert!(engine.container("shop-web").is_none());
//!         Ok::<(), ControlError>(())
//!     };
//!     let others = join(agent.run(pending()), control.clone().run());
//!     match select(pin!(script), pin!(others)).await {
//!         futures::future::Either::Left((outcome, _)) => outcome,
//!         futures::future::Either::Right(_) => unreachable!("agents and monitors go on"),
//!     }
//! })?;
//! # Ok::<(), ControlError>(())
//! ```

mod adopt;
mod agents;
mod apply;
mod audit;
mod code;
mod company;
mod credential;
mod crossed;
mod deploy;
mod draft;
mod drift;
mod error;
mod fold;
mod forget;
mod history;
mod hosts;
mod matching;
mod memo;
mod model;
mod monitor;
mod moving;
mod observation;
mod orphans;
mod overtaken;
mod planned;
mod planning;
mod policy;
mod presence;
mod request;
mod reschedule;
mod reserve;
mod retention;
mod revision;
mod rollback;
mod rotation;
mod secrets;
mod sessions;
mod settle;
mod shown;
mod stacks;
mod status;
mod tasks;
mod tokens;
mod users;
mod vacate;
mod view;

pub use adopt::{AdoptOptions, Comparison, MOST_ADOPTED};
pub use audit::{AuditActor, AuditEntry, AuditObject};
pub use code::CODES;
pub use credential::{Grants, Purpose, Role, TokenRecord, UserRecord};
pub use drift::Repairs;
pub use error::ControlError;
pub use fold::{Fold, fold};
pub use forget::{Forgotten, ForgottenContainer};
pub use history::{DifferenceView, LiveDifferenceView, RevisionView, Sighting};
use model::StackHead;
pub use model::{DeploymentEvent, DeploymentKind, DeploymentState, Placement, StackRecord, StackStatus};
pub use moving::{Drain, Leaving, Remaining, RemainingState, Tried};
pub use orphans::{Orphan, OrphanKind, OrphanReason};
pub use planned::Planned;
pub use policy::{MAX_RESCHEDULE_AFTER, PolicyChange, StackPolicy};
pub use request::{DeployOptions, RemoveOptions, Started, TaskRequest};
pub use reschedule::Away;
pub use retention::Retention;
pub use revision::{Revision, RevisionOutcome, RollbackState, TakesBack};
pub use secrets::{MAX_SECRET, MAX_SECRETS, RemovalOfSecret, SecretChange, SecretRecord, SecretView};
pub use shown::{StackView, Standing, StatusView, TaskStats, TaskView, Waiting};
pub use tokens::Redeemed;

use crate::{
    admission::Admission,
    environment::Environment,
    event::EventSink,
    id::{DeploymentId, HostId, StackId},
    secret::SecretSealer,
    store::{Expect, StoreError, TaskStore},
    stream::StreamExchange,
};
use jiff::Timestamp;
use presence::Presence;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

/// The times that the control plane keeps to, and what it allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long a lease lasts from its grant or renewal.
    pub lease: Duration,
    /// How often the monitor looks without being woken.
    pub tick: Duration,
    /// After how long without a word a host counts as offline.
    pub offline_after: Duration,
    /// How long what is over is kept.
    pub retention: Retention,
    /// What stacks may ask of their hosts.
    pub admission: Admission,
    /// How long an agent's credential is good; it is replaced when a third of that is left.
    pub agents_credential: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            lease: Duration::from_secs(30),
            tick: Duration::from_secs(10),
            offline_after: Duration::from_secs(15),
            retention: Retention::default(),
            admission: Admission::default(),
            agents_credential: Duration::from_secs(90 * 24 * 60 * 60),
        }
    }
}

/// The control plane.
///
/// # Example
/// What a control plane knows of a stack whose host is not there yet.
/// ```
/// use graphium_core::control::*;
/// use graphium_core::{action::Action, event::NoSink, inventory::Host, plan::fixtures::{container, hosts, stack}};
/// use graphium_core::store::{Kind, MemoryStore, RecordQuery, TaskQuery, TaskStoreExt, Versioned};
/// use graphium_core::{task::TaskStatus, testing::ManualEnvironment};
/// use std::{sync::Arc, time::Duration};
///
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let retention = Retention { tasks: Duration::from_secs(3600), ..Retention::default() };
///     let settings = Settings { retention, ..Settings::default() };
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store.clone(), Arc::new(NoSink), world.clone(), settings).await?;
///     control.register_host(Host::named("vm1".into())).await?;
///
///     let mut shop = stack("shop", vec![container("web")]);
///     shop.host = Some("vm1".into());
///     let preview = control.preview(&shop, &DeployOptions::default()).await?;
///     let policy = PolicyChange { reschedule_after: Some(Duration::from_secs(600)), ..PolicyChange::default() };
///     let by = Some("alice".to_owned());
///     let started = control.deploy(shop.clone(), DeployOptions { policy, by, ..DeployOptions::default() }).await?;
///     assert_eq!(started.task_count, preview.tasks.len());
///
///     // Every task says what it waits for, and since when.
///     let task: TaskView = control.tasks(TaskQuery::default()).await?.items.remove(0);
///     let waiting: Waiting = task.waiting.unwrap();
///     assert_eq!((waiting.reason.as_str(), waiting.on.as_str()), ("host", "host vm1, whose agent has never connected"));
///     let stats: TaskStats = control.task_stats().await?;
///     assert_eq!(stats.by_status[&TaskStatus::Pending], started.task_count);
///
///     let shown: StackView = control.stack("shop").await?;
///     let policy: StackPolicy = shown.policy;
///     assert_eq!((shown.revision, policy.reschedule_after), (1, Some(600)));
///     let deployment: DeploymentState = control.deployment(&started.deployment_id).await?;
///     assert_eq!((deployment.kind, deployment.kind.deploys()), (DeploymentKind::Deploy, true));
///     let placement: &Placement = &deployment.placements["web"];
///     assert_eq!((placement.container_name.as_str(), placement.host_id.as_str()), ("shop-web", "vm1"));
///     let first: &DeploymentEvent = &deployment.events[0];
///     assert!(!first.message.is_empty());
///
///     // Its revisions, and how they differ from each other and from what runs.
///     let revision: RevisionView = control.history("shop", None, 10).await?.remove(0);
///     assert_eq!((revision.created_by.as_deref(), revision.is_current), (Some("alice"), true));
///     let kept: Vec<Versioned<Revision>> = store.documents(RecordQuery::of(Kind::Revision)).await?;
///     assert_eq!(kept[0].value.definition, shop);
///     let newer = stack("shop", vec![container("web"), container("cache")]);
///     let difference: DifferenceView = control.difference_to("shop", None, &newer).await?;
///     assert_eq!(difference.difference.brief(), "+ cache, ~ locatedInHost");
///     let live: LiveDifferenceView = control.live_difference("shop").await?;
///     assert_eq!(live.differences[0].container, "web");
///     let seen: &Sighting = &live.hosts[0];
///     assert_eq!((seen.host_id.as_str(), seen.last_seen), ("vm1", None));
///
///     // The record itself, as the store has it.
///     let record: StackRecord = store.document("stack:shop").await?.unwrap().value;
///     assert_eq!(record.status, StackStatus::Deploying);
///     assert!(!record.repairs.contains_key("web"));
///
///     // A task of its own, and an error.
///     let restart = Action::Restart { name: "shop-web".to_owned() };
///     let request = TaskRequest {
///         host_id: "vm1".into(), payload: restart, priority: Some(9), timeout_seconds: None, max_retries: None,
///     };
///     let created = control.create_task(request, None).await?;
///     assert_eq!(control.cancel_task(&created.task.id, "alice").await?.task.status, TaskStatus::Cancelled);
///     let error: ControlError = control.stack("nothing").await.unwrap_err();
///     assert_eq!(error.to_string(), "no stack `nothing`");
///     Ok::<(), ControlError>(())
/// })?;
/// # Ok::<(), ControlError>(())
/// ```
#[derive(Debug)]
pub struct Control {
    store: Arc<dyn TaskStore>,
    sink: Arc<dyn EventSink>,
    environment: Arc<dyn Environment>,
    settings: Settings,
    /// One plan at a time: what a plan takes (ports, room) must be seen by the next.
    planning: futures::lock::Mutex<()>,
    /// Held while an observation is written, and to note that a task's result is newer than what is on its way.
    observing: futures::lock::Mutex<()>,
    /// Wakes the monitor.
    wake: event_listener::Event,
    streams: Arc<StreamExchange>,
    audit: audit::Writer,
    /// Seals and opens secrets; unset: there are none.
    sealer: OnceLock<Arc<dyn SecretSealer>>,
    /// Hears of every plan.
    hears_plans: planned::Listener,
    state: Mutex<State>,
    memos: memo::Memos,
}

/// What is known only while this program runs.
#[derive(Debug, Default)]
struct State {
    /// Deployments whose tasks changed since they were last settled.
    dirty: BTreeSet<DeploymentId>,
    /// Whether the present deployment of every stack is to be settled: what keeps containers from running may have changed.
    is_to_sweep: bool,
    /// Deployments that have not ended.
    active: BTreeSet<DeploymentId>,
    /// Deployments that were handed to the store, and when: until they are seen there, the answer may be lost.
    expected: BTreeMap<DeploymentId, Duration>,
    /// What is expected of the record of plans by whoever plans now, where other servers plan, too.
    planned: Option<Expect>,
    /// Other servers on the same store.
    company: company::Company,
    /// The number of the last report of any host, or of what else has changed what is kept of one.
    reports: u64,
    /// Who was heard when.
    presence: BTreeMap<HostId, Presence>,
    /// Hosts that went offline or came back, and whose stacks do not say so yet.
    turned: BTreeSet<HostId>,
    /// Stacks of which something was seen anew, and that were not settled since.
    seen: BTreeSet<StackId>,
    /// Containers (host and name) that a task's result told of, and when: an older look at them does not count.
    noted: BTreeMap<(HostId, String), Duration>,
    /// The last event that the sink has.
    published: u64,
    /// When what is to move is looked at.
    moves: moving::Moves,
    /// When what is on hosts that are away is looked at.
    lost: moving::Moves,
    /// When what was forgotten is looked at next.
    forgotten_due: Duration,
    /// The time of the last tick: a clock that has gone back shows by it.
    clock: Option<Timestamp>,
    /// When the store is to be pruned next, in time since the start; absent: at once.
    prune_at: Option<Duration>,
}

impl Control {
    /// Takes up the work that the store holds. Nothing moves until [`run`](Self::run) is polled, or [`tick`](Self::tick) called.
    ///
    /// # Errors
    /// When the store does not answer. One stack or deployment that cannot be read keeps no other waiting: each tick names it.
    pub async fn open(
        store: Arc<dyn TaskStore>,
        sink: Arc<dyn EventSink>,
        environment: Arc<dyn Environment>,
        settings: Settings,
    ) -> Result<Arc<Self>, ControlError> {
        let state = State { published: store.last_event().await?, ..State::default() };
        let control = Self {
            streams: Arc::new(StreamExchange::new(Arc::clone(&environment))),
            store,
            sink,
            environment,
            settings,
            planning: futures::lock::Mutex::default(),
            observing: futures::lock::Mutex::default(),
            wake: event_listener::Event::new(),
            audit: audit::Writer::default(),
            sealer: OnceLock::new(),
            hears_plans: planned::Listener::default(),
            state: Mutex::new(state),
            memos: memo::Memos::default(),
        };
        control.recall_hosts().await?;
        match control.recall_deployments().await {
            Err(ControlError::Store(StoreError::Corrupt { .. })) => control.state().is_to_sweep = true,
            recalled => recalled?,
        }
        Ok(Arc::new(control))
    }

    /// The store that it works on.
    pub fn store(&self) -> &Arc<dyn TaskStore> {
        &self.store
    }

    /// The logs that are read and the commands that run through this control plane.
    pub fn streams(&self) -> &Arc<StreamExchange> {
        &self.streams
    }

    /// Somebody else has changed the store: agents of these hosts ask again at once, and the monitor looks.
    pub fn notice(&self, ready: &[HostId]) {
        self.work_is_ready(ready);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets agents that wait for work ask again, and the monitor look.
    fn work_is_ready(&self, hosts: &[HostId]) {
        for host in hosts {
            self.signal(host).notify(usize::MAX);
        }
        self.wake.notify(usize::MAX);
    }

    /// Marks a deployment to be settled.
    fn touch(&self, deployment: Option<&DeploymentId>) {
        if let Some(deployment) = deployment {
            self.state().dirty.insert(deployment.clone());
        }
        self.wake.notify(usize::MAX);
    }
}
