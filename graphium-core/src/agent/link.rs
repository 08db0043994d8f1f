//! What an agent asks of the control plane. It asks; nobody calls it.

use crate::{
    id::{ClaimId, HostId, TaskId},
    inventory::ObservedContainer,
    secret::SecretText,
    store::{Session, SessionRequest},
    stream::StreamLink,
    task::{Lease, Outcome, Progress, Task},
};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, net::IpAddr, sync::Arc, time::Duration};

/// How much longer than its wait a claim may take, at least and at most.
const LEAST_MARGIN: Duration = Duration::from_secs(2);
const MOST_MARGIN: Duration = Duration::from_secs(8);

/// The agent's way to the control plane: a call within one program, or HTTP.
///
/// Every call may be repeated after an error: sessions by their nonce, claims by their id, reports by their lease.
///
/// # Example
/// What an agent says to the control plane, call by call.
/// ```
/// use graphium_core::agent::*;
/// use graphium_core::control::{Control, Settings, TaskRequest};
/// use graphium_core::{action::Action, event::NoSink, store::{MemoryStore, SessionRequest}, task::{Outcome, TaskResult}};
/// use graphium_core::testing::ManualEnvironment;
/// use std::{sync::Arc, time::Duration};
/// # use serde_json::json;
///
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await.unwrap();
///     let link: &dyn AgentLink = &*control;
///     let hello = SessionRequest { host: "vm1".into(), nonce: "first".to_owned(), seen_epoch: 0 };
///     let grant: SessionGrant = link.open_session(&hello).await?;
///     assert_eq!(grant.lease_seconds, 30);
///
///     // How its host stands.
///     let report: HostReport = serde_json::from_value(json!({
///         "host": "vm1", "epoch": grant.session.epoch, "agentVersion": "1", "containers": [],
///         "usage": {"cpu": 0.25, "memory": 1073741824}
///     })).unwrap();
///     assert_eq!(report.usage, Some(Usage { cpu: 0.25, memory: 1 << 30 }));
///     link.observe(&report).await?;
///
///     let stop = Action::Stop { name: "shop-web".to_owned() };
///     let request = TaskRequest {
///         host_id: "vm1".into(), payload: stop, priority: None, timeout_seconds: None, max_retries: None,
///     };
///     control.create_task(request, None).await.unwrap();
///     let call = ClaimCall {
///         host: "vm1".into(), epoch: grant.session.epoch, claim: "claim".into(), max: 1, wait: Duration::from_secs(1),
///     };
///     let task = link.claim(&call).await?.remove(0);
///     let lease = task.lease.unwrap();
///
///     // It renews the lease while it works, and reports the end once.
///     let leases = vec![Renewal { lease: lease.clone(), progress: None }];
///     let held: Vec<Held> = link.renew(&RenewCall { host: "vm1".into(), epoch: grant.session.epoch, leases }).await?;
///     assert_eq!((held[0].attempt, &held[0].cancel), (1, &None));
///     link.report(&lease, &Outcome::Completed(TaskResult::default())).await?;
///
///     // A newer agent of the host ends this one.
///     link.open_session(&SessionRequest { nonce: "second".to_owned(), ..hello }).await?;
///     let lost: LinkError = link.claim(&ClaimCall { claim: "next".into(), ..call }).await.unwrap_err();
///     assert!(matches!(lost, LinkError::SessionLost(_)), "{lost}");
///     Ok::<(), LinkError>(())
/// })?;
/// # Ok::<(), LinkError>(())
/// ```
#[async_trait]
pub trait AgentLink: Send + Sync + fmt::Debug {
    /// Introduces the agent and ends older sessions of its host.
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError>;

    /// Asks for work and waits for it up to `wait`; an empty answer says that there was none.
    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError>;

    /// Renews leases and tells how the attempts go. Also without leases it shows that the agent lives.
    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError>;

    /// Tells how an attempt ended. `Ok` is the acknowledgement: until then the agent repeats it.
    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError>;

    /// Tells what the host is and what runs there.
    async fn observe(&self, report: &HostReport) -> Result<(), LinkError>;

    /// The secrets that the container asks for that an attempt is about, for the agent that holds it: each by its name, `None` where
    /// the control plane has none of that name for this stack. By default it has none at all.
    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        let _ = lease;
        Ok(BTreeMap::new())
    }

    /// The ways to those who read logs and have commands run: one for each server that the agent knows, for they may be at any of them.
    /// By default there are none.
    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        Vec::new()
    }
}

/// A session and the rules that go with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionGrant {
    /// The session.
    pub session: Session,
    /// Seconds that a lease lasts from its grant or renewal.
    pub lease_seconds: u64,
    /// Version of the control plane.
    pub server_version: String,
    /// Milliseconds after which a claim is answered at the latest, work or none. An agent that holds no lease is then heard by its claims
    /// alone, and sends no renewals. Absent: the control plane is of an older version, and hears every agent by its renewals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_ms: Option<u64>,
}

impl SessionGrant {
    /// How often an agent that holds no lease is to be heard, where its claims count.
    pub fn contact(&self) -> Option<Duration> {
        self.contact_ms.map(Duration::from_millis)
    }

    /// The grant, where it is what was asked for.
    ///
    /// # Errors
    /// [`LinkError::Unreachable`] for a session that is not above all that the agent has seen: another server, or the same in a while,
    /// may know better.
    pub(super) fn answering(self, request: &SessionRequest) -> Result<Self, LinkError> {
        if request.is_answered_by(&self.session) {
            return Ok(self);
        }
        let (host, seen, epoch) = (&request.host, request.seen_epoch, self.session.epoch);
        Err(LinkError::Unreachable(format!(
            "it opens session {epoch} for `{host}`, whose agent has seen {seen}: its store was set back, or shows what is old"
        )))
    }
}

/// A request for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimCall {
    /// The agent's host.
    pub host: HostId,
    /// Its session.
    pub epoch: u64,
    /// Chosen at random; the same id asks again for the same grant.
    pub claim: ClaimId,
    /// How many tasks at most.
    pub max: usize,
    /// How long to wait for the first.
    pub wait: Duration,
}

impl ClaimCall {
    /// How long an answer is waited for: a third longer than it may take, within bounds. A line that is dead without a word must not keep
    /// an agent silent for longer than its host may be.
    pub fn patience(&self) -> Duration {
        self.wait + (self.wait / 3).clamp(LEAST_MARGIN, MOST_MARGIN)
    }
}

/// A sign of life, with what is held.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewCall {
    /// The agent's host.
    pub host: HostId,
    /// Its session.
    pub epoch: u64,
    /// What it holds.
    pub leases: Vec<Renewal>,
}

/// One lease that goes on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Renewal {
    /// The lease as it was granted.
    pub lease: Lease,
    /// News of the attempt since the last renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// A lease that is still held; one that is missing in the answer is lost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The task.
    pub task: TaskId,
    /// Its attempt.
    pub attempt: u32,
    /// Somebody asked that it end, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancel: Option<String>,
}

/// What a host is and what runs there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// The host.
    pub host: HostId,
    /// The agent's session.
    pub epoch: u64,
    /// The address at which other hosts reach its published ports, where the agent knows better than its connection tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// Version of the agent.
    pub agent_version: String,
    /// Facts about the engine; absent while it does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine: Option<crate::runtime::EngineInfo>,
    /// Why the engine does not answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_error: Option<String>,
    /// Whether the engine was away since the last report that was taken in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub engine_was_away: bool,
    /// Every container of the engine, complete; absent: unknown, or as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Vec<ObservedContainer>>,
    /// Networks and volumes of ours, complete; absent: unknown, or as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holdings: Option<Vec<crate::inventory::Holding>>,
    /// Milliseconds from the beginning of the look at the containers to the sending of this report.
    #[serde(default)]
    pub taken_ago_ms: u64,
    /// Labels and place that the agent was started with.
    #[serde(default, skip_serializing_if = "indexmap::IndexMap::is_empty")]
    pub labels: crate::stack::TextMap,
    /// Its datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Processors in use and bytes of memory in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// The load of a host.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Processors in use.
    pub cpu: f64,
    /// Bytes of memory in use.
    pub memory: u64,
}

/// Why a call to the control plane failed, by what the agent does about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LinkError {
    /// No answer, or one that may be better next time: go on, and ask again with growing pauses.
    #[error("the server does not answer: {0}")]
    Unreachable(String),
    /// A newer agent serves this host: stop.
    #[error("another agent serves this host: {0}")]
    SessionLost(String),
    /// The control plane does not know the session, nor a newer one: it was set back, or started empty. Open another.
    #[error("the server does not know this session: {0}")]
    SessionUnknown(String),
    /// The attempt was given to another: drop it.
    #[error("the lease is lost: {0}")]
    LeaseLost(String),
    /// The token does not allow it: stop and say so.
    #[error("the server refuses: {0}")]
    Denied(String),
    /// The server does not understand: a defect, or versions that do not fit.
    #[error("the server rejects the request: {0}")]
    Rejected(String),
}
