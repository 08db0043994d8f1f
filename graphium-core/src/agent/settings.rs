//! What an agent is started with, what it tells its program, and why it ends.

use super::{engine::Quit, execute::Secrets, journal::JournalError, link::LinkError};
use crate::{
    action::TaskType,
    admission::Admission,
    id::{DeploymentId, HostId, StackId, TaskId},
    stack::TextMap,
};
use std::{fmt, net::IpAddr, sync::Arc, time::Duration};

/// What an agent is started with.
///
/// # Example
/// ```
/// use graphium_core::agent::AgentSettings;
/// use std::sync::Arc;
///
/// let mut settings = AgentSettings::new("vm1".into(), 4);
/// settings.location = Some("east".to_owned());
/// settings.secrets = Arc::new(|name| (name == "key").then(|| "hunter2".to_owned()));
/// assert_eq!((settings.concurrency, settings.host.as_str()), (4, "vm1"));
/// assert!(!format!("{settings:?}").contains("hunter2"));
/// ```
#[derive(Clone)]
pub struct AgentSettings {
    /// The name of its host.
    pub host: HostId,
    /// How many tasks may keep the container engine busy at once; at least one.
    pub concurrency: usize,
    /// The address at which other hosts reach this one's published ports.
    pub address: Option<IpAddr>,
    /// Labels of the host.
    pub labels: TextMap,
    /// Its datacenter.
    pub location: Option<String>,
    /// The agent's version, as the control plane shows it.
    pub version: String,
    /// How long a container that was just started is watched before it counts as running.
    pub settle: Duration,
    /// How long running attempts may go on after the agent was asked to end.
    pub grace: Duration,
    /// Looks up secrets that the host has of its own; they go before those of the control plane.
    pub secrets: Secrets,
    /// What the host allows, whatever the control plane does.
    pub admission: Arc<Admission>,
    /// Takes what a log should say.
    pub notify: Arc<dyn Fn(&Notice) + Send + Sync>,
}

impl AgentSettings {
    /// Settings that suit most hosts.
    pub fn new(host: HostId, concurrency: usize) -> Self {
        Self {
            host,
            concurrency,
            address: None,
            labels: TextMap::new(),
            location: None,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            settle: Duration::from_millis(100),
            grace: Duration::from_secs(10),
            secrets: Arc::new(|_| None),
            admission: Arc::default(),
            notify: Arc::new(|_| {}),
        }
    }
}

impl fmt::Debug for AgentSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AgentSettings")
            .field("host", &self.host)
            .field("concurrency", &self.concurrency)
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// Something that a log should say.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Notice {
    /// The control plane knows the agent.
    #[error("connected to the server (version {server_version}), session {epoch}")]
    Connected {
        /// The session's epoch.
        epoch: u64,
        /// Version of the control plane.
        server_version: String,
    },
    /// A call to the control plane failed; the agent goes on trying. Told once until it answers again.
    #[error("{0}; trying again")]
    LinkLost(LinkError),
    /// The control plane answers again.
    #[error("the server answers again")]
    LinkBack,
    /// The container engine does not answer. Told once until it answers again.
    #[error("{0}")]
    EngineLost(String),
    /// The container engine answers.
    #[error("container engine {version} at {endpoint}")]
    EngineBack {
        /// Its version.
        version: String,
        /// Where it was found.
        endpoint: String,
    },
    /// An attempt begins.
    #[error("{task} `{subject}` begins (attempt {attempt})")]
    Began {
        /// The task.
        id: TaskId,
        /// The kind of task.
        task: TaskType,
        /// What it acts on.
        subject: String,
        /// Which attempt.
        attempt: u32,
        /// The deployment that it is a part of.
        deployment: Option<DeploymentId>,
        /// The stack that it serves.
        stack: Option<StackId>,
    },
    /// An attempt ended.
    #[error("{task} `{subject}`: {how}")]
    Ended {
        /// The task.
        id: TaskId,
        /// The kind of task.
        task: TaskType,
        /// What it acts on.
        subject: String,
        /// Which attempt.
        attempt: u32,
        /// How.
        end: AttemptEnd,
        /// How, for people.
        how: String,
    },
    /// The journal cannot be written. The work goes on: what a crash would lose is found by looking at the host.
    #[error("{0}")]
    JournalLost(String),
}

/// How an attempt ended.
///
/// # Example
/// ```
/// use graphium_core::{action::TaskType, agent::{AttemptEnd, Notice}};
///
/// let notice = Notice::Ended {
///     id: "task:1".into(),
///     task: TaskType::Deploy,
///     subject: "shop-web".to_owned(),
///     attempt: 2,
///     end: AttemptEnd::Failed("port-taken".to_owned()),
///     how: "port 80 is taken".to_owned(),
/// };
/// assert_eq!(notice.to_string(), "deploy `shop-web`: port 80 is taken");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttemptEnd {
    /// It did what it was to do.
    Completed,
    /// It did not: the [code](crate::task::TaskError::code) of what went wrong.
    Failed(String),
    /// It was asked to end and did.
    Cancelled,
    /// It is not the agent's any more: its lease is lost, or its time is over.
    Stopped,
}

/// Why an agent ended without being asked to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// A newer agent serves this host.
    #[error("another agent has taken over host `{host}`: {reason}")]
    Superseded {
        /// The host.
        host: HostId,
        /// The control plane's words.
        reason: String,
    },
    /// The token does not allow it.
    #[error("the server does not let this agent serve host `{host}`: {reason}")]
    Denied {
        /// The host.
        host: HostId,
        /// The control plane's words.
        reason: String,
    },
    /// The control plane does not understand the agent.
    #[error("the server does not understand this agent: {0}")]
    Rejected(String),
    /// What earlier runs left cannot be read.
    #[error("the agent's state cannot be used")]
    Journal(#[from] JournalError),
}

impl AgentError {
    pub(super) fn new(host: &HostId, quit: Quit) -> Self {
        match quit {
            Quit::Superseded(reason) => Self::Superseded { host: host.clone(), reason },
            Quit::Denied(reason) => Self::Denied { host: host.clone(), reason },
            Quit::Rejected(reason) => Self::Rejected(reason),
        }
    }
}
