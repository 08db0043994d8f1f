//! The control plane: deploys, removes, watches, finishes what is in flight.
//!
//! [`Control`] is a library type over a store, a sink of events and the world's clock. The server is a
//! thin face on it; so is a test, and somebody else's program. It keeps nothing that the store does not
//! have, but for who was heard last, who waits and who reads a log.

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
    store::{Expect, TaskStore},
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
    /// When the store cannot be read.
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
        control.recall_deployments().await?;
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
