//! What is known of the hosts and of what runs on them: the planner's second input.
//!
//! # Example
//! ```
//! use graphium_core::inventory::*;
//! use serde_json::json;
//!
//! let text = br#"{
//!   "hosts": [{"@id": "vm1", "cpu": 8, "memory": 17179869184, "ipAddress": "10.0.0.1", "location": "east",
//!              "engine": {"platforms": ["linux/amd64"], "runtimes": ["runc"], "apiVersion": "1.47"}}],
//!   "containers": [{"@id": "4f5e", "name": "proxy", "executableName": "nginx:alpine", "hostedOn": "vm1",
//!                   "health": "healthy", "ports": [{"containerPort": 80, "hostPort": 8080}]}]
//! }"#;
//! let inventory: Inventory = read(text).unwrap();
//! let host: &Host = inventory.host(&"vm1".into()).unwrap();
//! assert_eq!((host.name.as_str(), host.status), ("vm1", HostStatus::Active));
//! let engine: &Capabilities = &host.engine;
//! assert_eq!(engine.api_version, Some(ApiVersion(1, 47)));
//! assert!(ApiVersion(1, 47) > "1.9".parse()?, "versions are numbers");
//! let unknown: UnknownApiVersion = "new".parse::<ApiVersion>().unwrap_err();
//! assert!(unknown.to_string().contains("new"), "{unknown}");
//!
//! let proxy: &ObservedContainer = &inventory.containers[0];
//! assert_eq!((proxy.status, proxy.health), (ContainerStatus::Running, Some(Health::Healthy)));
//! assert_eq!(proxy.stack(), None, "it bears no label of ours");
//! let port: &ObservedPort = &proxy.ports[0];
//! assert_eq!(port.host_port, Some(8080));
//!
//! // All that is wrong is told at once.
//! let mistakes = read(br#"{"hosts": [{"@id": "vm1", "cpus": 8}, {"@id": "vm2", "memory": "much"}]}"#).unwrap_err();
//! assert_eq!(mistakes.len(), 2, "{mistakes:?}");
//!
//! // What an engine is asked to have, in words.
//! let gpus = Capability::Gpus;
//! assert_eq!(serde_json::to_value(&gpus)?, json!({"kind": "gpus"}));
//! assert!(platform_suits("linux/arm64", "linux/arm64/v8"));
//! assert!(!platform_suits("linux/amd64", "linux/arm64"));
//!
//! // Networks and volumes of ours on a host, as its agent tells of them.
//! let holdings: Holdings = serde_json::from_value(json!({
//!     "@id": "vm1", "takenAt": "2026-01-02T03:04:05Z",
//!     "holdings": [{"kind": "volume", "name": "shop_data", "stackId": "stack:shop"}]
//! }))?;
//! let volume: &Holding = &holdings.holdings[0];
//! assert_eq!((volume.kind, volume.kind.as_str()), (HoldingKind::Volume, "volume"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod capability;
mod holdings;
mod platform;
mod read;
mod words;

pub use capability::{ApiVersion, Capabilities, Capability, UnknownApiVersion};
pub(crate) use capability::{Need, needs};
pub use holdings::{Holding, HoldingKind, Holdings};
pub use platform::suits as platform_suits;
pub use read::read;

use crate::{
    id::{HostId, StackId},
    runtime::LiveSettings,
    stack::{Protocol, Reservations, TextMap},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// Hosts and the containers that were seen on them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Inventory {
    /// Every host that is known.
    pub hosts: Vec<Host>,
    /// Every container that was seen, ours and others.
    pub containers: Vec<ObservedContainer>,
}

impl Inventory {
    /// The host of that name.
    pub fn host(&self, id: &HostId) -> Option<&Host> {
        self.hosts.iter().find(|host| host.id == *id)
    }
}

/// A Docker host.
///
/// # Example
/// ```
/// use graphium_core::inventory::{Host, HostStatus};
///
/// let host = Host { cpu: 8.0, memory: 16 << 30, ..Host::named("vm1".into()) };
/// assert_eq!((host.id.as_str(), host.status), ("vm1", HostStatus::Active));
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Host {
    /// Its name, as its agent was started with.
    #[serde(rename = "@id")]
    pub id: HostId,
    /// For people; by default the id.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The address at which other hosts reach its published ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// Processors; 0 is unknown.
    #[serde(default)]
    pub cpu: f64,
    /// Bytes of memory; 0 is unknown.
    #[serde(default)]
    pub memory: u64,
    /// Whether it takes work.
    #[serde(default)]
    pub status: HostStatus,
    /// Its datacenter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Its rack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Labels, matched by constraints.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// What containers of other stacks than the one that is planned reserve of it.
    #[serde(default, skip_serializing_if = "Reservations::is_empty")]
    pub reserved: Reservations,
    /// Processors in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_usage: Option<f64>,
    /// Bytes in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_usage: Option<u64>,
    /// Part of the memory that is in use, 0–100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_usage_percent: Option<f64>,
    /// When the figures of use were taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_metrics_update: Option<Timestamp>,
    /// When its agent was last heard; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// Since when it has been offline; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offline_since: Option<Timestamp>,
    /// Since when it has been draining; absent: it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draining_since: Option<Timestamp>,
    /// Version of its agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// Version of its engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docker_version: Option<String>,
    /// What its engine can do.
    #[serde(default, skip_serializing_if = "Capabilities::is_unknown")]
    pub engine: Capabilities,
    /// Which boot of its machine this is; absent: unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub boot_id: Option<String>,
    /// Why its engine does not answer, in its own words; absent: it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_error: Option<String>,
    /// Since when it does not; absent: it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engine_away_since: Option<Timestamp>,
}

impl Host {
    /// A host of which nothing but the name is known.
    pub fn named(id: HostId) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            ip_address: None,
            cpu: 0.0,
            memory: 0,
            status: HostStatus::default(),
            location: None,
            rack: None,
            labels: TextMap::new(),
            reserved: Reservations::default(),
            cpu_usage: None,
            memory_usage: None,
            memory_usage_percent: None,
            last_metrics_update: None,
            last_seen: None,
            offline_since: None,
            draining_since: None,
            agent_version: None,
            docker_version: None,
            engine: Capabilities::default(),
            boot_id: None,
            engine_error: None,
            engine_away_since: None,
        }
    }

    /// Whether nothing can be done on it now, and nobody knows what runs there: its agent or its engine is missing.
    pub(crate) fn is_away(&self) -> bool {
        self.offline_since.is_some() || self.engine_error.is_some()
    }
}

/// Whether a host takes work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HostStatus {
    /// It does.
    #[default]
    Active,
    /// Nothing new is placed there.
    Maintenance,
    /// Nothing new is placed there, and what runs there moves away.
    Draining,
    /// Its agent has not been heard for too long, or never.
    Offline,
}

/// A container as an engine shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedContainer {
    /// The engine's id.
    #[serde(rename = "@id")]
    pub id: String,
    /// Its name on the engine.
    pub name: String,
    /// Reference of its image.
    #[serde(default, rename = "executableName")]
    pub image: String,
    /// What it does.
    #[serde(default)]
    pub status: ContainerStatus,
    /// The host that it was seen on.
    pub hosted_on: HostId,
    /// Its published ports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ObservedPort>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// What its health check says; absent: it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// Whether it ran when its engine went away, and had ended when the engine was back: then it did not end by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_with_engine: bool,
    /// Whether a task has stopped it: then it did not end by itself, and its work is not done.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended_by_task: bool,
    /// Its address on its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_created: Option<Timestamp>,
    /// Its restart policy and resources; absent: nobody looked, as with agents before this was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<LiveSettings>,
}

impl ObservedContainer {
    /// The value of one of our labels.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.get(name).map(String::as_str)
    }

    /// Its name within its stack, which is called `stack`. The older system gave its containers no label with that.
    pub(crate) fn name_in(&self, stack: &str) -> &str {
        let unmarked = || self.name.strip_prefix(stack)?.strip_prefix('-');
        self.label(crate::runtime::label::CONTAINER).or_else(unmarked).unwrap_or(&self.name)
    }

    /// Whether it ran once and runs no more.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.status, ContainerStatus::Exited | ContainerStatus::Stopped)
    }

    /// The stack that it belongs to, if it is ours.
    pub fn stack(&self) -> Option<StackId> {
        self.label(crate::runtime::label::STACK).map(StackId::new)
    }
}

/// A published port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedPort {
    /// Its number inside.
    pub container_port: u16,
    /// Its number on the host; absent: not published.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address of the host on which it is published; absent: all.
    #[serde(default, rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<IpAddr>,
}

/// What a container does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerStatus {
    /// It runs.
    #[default]
    Running,
    /// It was stopped on purpose.
    Stopped,
    /// Its processes are frozen.
    Paused,
    /// The engine is starting it again after an end.
    Restarting,
    /// It ended.
    Exited,
    /// It could not be removed.
    Dead,
    /// It was never started.
    Created,
    /// It is being removed.
    Removing,
}

impl ContainerStatus {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Paused => "paused",
            Self::Restarting => "restarting",
            Self::Exited => "exited",
            Self::Dead => "dead",
            Self::Created => "created",
            Self::Removing => "removing",
        }
    }
}

/// What a health check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// Nothing yet.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}
