//! The stack as the planner sees it: typed, complete, free of JSON-LD.
//!
//! A [`Stack`] comes out of [`crate::document::read`] or is built by hand. Names are canonical
//! (see the stack format); every value is already checked by whoever made it, and
//! [`Stack`] serialises to the canonical JSON that plans and stored revisions carry. What has no order in a document has one
//! here: [`Stack::canonical`].
//!
//! [`Container`] and its parts as JSON:
//! ```
//! use graphium_core::stack::*;
//! use serde_json::json;
//! use std::time::Duration;
//!
//! let container: Container = serde_json::from_value(json!({
//!     "@id": "container:db", "name": "db", "image": "postgres:15",
//!     "ports": [{"containerPort": 5432, "hostPort": 15432, "hostIP": "127.0.0.1"}],
//!     "environment": [{"name": "LANG", "value": "C"}, {"name": "PASSWORD", "fromSecret": "db-password"}],
//!     "volumeMounts": [{"type": "volume", "source": "data", "target": "/var/lib/postgresql/data"}],
//!     "healthCheck": {"type": "tcp", "port": 5432, "interval": 5},
//!     "resources": {"limits": {"cpus": 1.5, "memory": 536870912}, "reservations": {"memory": 268435456}},
//!     "requirements": {"labels": {"disk": "ssd"}},
//!     "dependsOn": [{"container": "init", "condition": "completed"}],
//!     "restartPolicy": "on-failure:3",
//!     "ulimits": [{"name": "nofile", "soft": 1024, "hard": 4096}],
//!     "devices": [{"hostPath": "/dev/fuse", "containerPath": "/dev/fuse", "permissions": "rwm"}],
//!     "logging": {"driver": "json-file", "options": {"max-size": "10m"}},
//!     "pullPolicy": "always"
//! }))?;
//! let port: &Port = &container.ports[0];
//! assert_eq!((port.host_port, port.protocol), (Some(15432), Protocol::Tcp));
//! let password: &EnvVar = &container.environment[1];
//! assert_eq!(password.value, EnvValue::FromSecret("db-password".into()));
//! assert_eq!(format!("{:?}", container.environment[0].value), "Literal(…)", "values are shown to nobody");
//! let mount: &Mount = &container.volume_mounts[0];
//! assert!(matches!(&mount.kind, MountKind::Volume { source: Some(name), .. } if name == "data"));
//!
//! let check: &HealthCheck = container.health_check.as_ref().unwrap();
//! assert_eq!((&check.test, check.interval), (&HealthTest::Tcp { port: 5432 }, Some(Duration::from_secs(5))));
//! assert!(check.test.is_networked());
//!
//! let limits = Limits { cpus: Some(1.5), memory: Some(512 << 20), ..Limits::default() };
//! let reservations = Reservations { memory: Some(256 << 20), ..Reservations::default() };
//! assert_eq!(container.resources, Resources { limits, reservations });
//! let requirements: &Requirements = &container.requirements;
//! assert_eq!(requirements.labels["disk"], "ssd");
//! assert_eq!(container.depends_on, [Dependency { container: "init".into(), condition: Condition::Completed }]);
//! assert_eq!(container.restart_policy, RestartPolicy::OnFailure(Some(3)));
//! assert!(!container.restart_policy.is_endless());
//!
//! assert_eq!(container.ulimits, [Ulimit { name: "nofile".into(), soft: 1024, hard: 4096 }]);
//! let device: &Device = &container.devices[0];
//! assert_eq!(device.permissions, "rwm");
//! let logging: &Logging = container.logging.as_ref().unwrap();
//! assert_eq!(logging.options["max-size"], "10m");
//! assert_eq!(container.pull_policy, PullPolicy::Always);
//!
//! // It is written as it was read.
//! assert_eq!(serde_json::from_value::<Container>(serde_json::to_value(&container)?)?, container);
//! # Ok::<(), serde_json::Error>(())
//! ```

mod canonical;
mod container;
mod engine;
mod mount;

pub use container::{
    Condition, Container, Dependency, EnvValue, EnvVar, HealthCheck, HealthTest, Limits, Port, Protocol, Requirements,
    Reservations, Resources, RestartPolicy,
};
pub use engine::{Device, Logging, PullPolicy, Ulimit};
pub use mount::{Mount, MountKind};

use crate::id::{HostId, StackId};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, sync::Arc};

/// A map of text; in a [canonical](Stack::canonical) stack by its keys.
pub type TextMap = IndexMap<String, String>;

/// A stack of containers that is deployed, changed and removed as one.
///
/// # Example
/// ```
/// use graphium_core::stack::*;
/// use serde_json::json;
///
/// let stack: Stack = serde_json::from_value(json!({
///     "@id": "stack:shop", "name": "shop",
///     "network": {"driver": "bridge", "subnet": "10.7.0.0/24"},
///     "volumes": [{"name": "data"}],
///     "hosts": [{"@id": "host:vm1", "locatedInDatacenter": "dc:east"}],
///     "datacenters": [{"@id": "dc:east", "name": "east"}],
///     "deployment": {
///         "mode": "single-host", "placementStrategy": "auto",
///         "hostConstraints": [{"containerName": "db", "minMemory": 1073741824}],
///         "update": {"order": "start-first", "onFailure": "rollback"}
///     },
///     "hasPart": [
///         {"name": "db", "image": "postgres:15", "environment": [{"name": "PASSWORD", "fromSecret": "db-password"}]},
///         {"name": "web", "image": "nginx:alpine", "dependsOn": [{"container": "db"}]}
///     ]
/// }))?;
/// assert_eq!(stack.container("web").unwrap().image, "nginx:alpine");
/// assert_eq!(stack.engine_name("web"), "shop-web");
/// assert!(stack.secret_names().contains("db-password"));
///
/// let network = Network { driver: Some("bridge".into()), subnet: Some("10.7.0.0/24".into()), ..Network::default() };
/// assert_eq!(stack.network, Some(network));
/// assert_eq!(stack.volumes, [Volume { name: "data".into(), ..Volume::default() }]);
/// assert_eq!(stack.hosts, [DocumentHost { id: "vm1".into(), rack: None, datacenter: Some("dc:east".into()) }]);
/// assert_eq!(stack.datacenters, [NamedDatacenter { id: "dc:east".into(), name: "east".into() }]);
///
/// // What is not said has a value all the same.
/// let deployment: &Deployment = &stack.deployment;
/// assert_eq!((deployment.mode, deployment.placement_strategy), (Mode::SingleHost, Some(Strategy::Auto)));
/// assert_eq!(deployment.network_mode, StackNetworkMode::HostPort);
/// let update = Update { order: UpdateOrder::StartFirst, max_parallel: 1, on_failure: Some(OnFailure::Rollback) };
/// assert_eq!(deployment.update, update);
/// let constraint: &HostConstraint = &deployment.host_constraints[0];
/// assert_eq!((constraint.container_name.as_str(), constraint.min_memory), ("db", Some(1 << 30)));
/// assert_eq!(OnDrift::default().as_str(), "repair");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", remote = "Self")]
pub struct Stack {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: StackId,
    /// Its name: lower-case letters, digits, `-`, `_`, `.`; part of every name it gives to the engine.
    pub name: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Labels of the stack itself; copied to everything it makes.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// The host for every container that names none.
    #[serde(default, rename = "locatedInHost", skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Its network; each host that runs a part of it gets one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// Its containers, by name, each with a name of its own.
    #[serde(rename = "hasPart")]
    pub containers: Vec<Arc<Container>>,
    /// How it is placed and updated.
    #[serde(default)]
    pub deployment: Deployment,
    /// Names or ids of stacks that run before this one: a plan warns where nothing of them is seen to run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// Volumes that need more than a name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub volumes: Vec<Volume>,
    /// Names of the secrets that its containers may ask for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Hosts that the document itself describes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<DocumentHost>,
    /// Datacenters that the document gives another name than their id.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datacenters: Vec<NamedDatacenter>,
    /// Values under declared foreign prefixes (`x:owner`), carried and otherwise ignored.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, serde_json::Value>,
}

/// A host that a document describes, with its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentHost {
    /// Which host.
    #[serde(rename = "@id")]
    pub id: HostId,
    /// Its rack.
    #[serde(default, rename = "locatedInRack", skip_serializing_if = "Option::is_none")]
    pub rack: Option<String>,
    /// Its datacenter, its own or its rack's.
    #[serde(default, rename = "locatedInDatacenter", skip_serializing_if = "Option::is_none")]
    pub datacenter: Option<String>,
}

/// A datacenter and what people call it: hosts may name either.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedDatacenter {
    /// Which datacenter, without `datacenter:`.
    #[serde(rename = "@id")]
    pub id: String,
    /// What it is called.
    pub name: String,
}

/// The network of a stack on each of its hosts.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Network {
    /// Its name on the engine; by default `<stack>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The engine's driver; by default `bridge`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// IPv4 range in CIDR form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subnet: Option<String>,
    /// Address of the gateway within the subnet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The part of the subnet from which containers get addresses.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_range: Option<String>,
    /// Without a way out of the host.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub internal: bool,
    /// The network exists already and is not ours to make or remove.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
    /// Labels beside our own.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub options: TextMap,
}

/// A named volume that needs more than a name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    /// Its name in the document.
    pub name: String,
    /// The engine's driver; by default `local`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub driver_opts: TextMap,
    /// Labels beside our own.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// The volume exists already and is not ours to make or remove.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub external: bool,
}

/// How a stack is placed and updated.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Deployment {
    /// One host for all, or several.
    pub mode: Mode,
    /// How a host is chosen for a container that names none; absent: `manual` where every container has a host, else `spread`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub placement_strategy: Option<Strategy>,
    /// The datacenter for the strategy `datacenter`, and a preference for `auto`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_datacenter: Option<String>,
    /// How containers on different hosts reach each other.
    pub network_mode: StackNetworkMode,
    /// At most so many containers of this stack on one host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_instances_per_host: Option<u32>,
    /// Requirements by container.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub host_constraints: Vec<HostConstraint>,
    /// How changes are rolled out.
    pub update: Update,
}

/// One host for all containers, or several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// Each container is placed by itself.
    #[default]
    MultiHost,
    /// All containers on one host.
    SingleHost,
}

/// How a host is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strategy {
    /// Every container names its host, or a constraint does.
    Manual,
    /// The eligible host with the fewest containers.
    Spread,
    /// Spread within one datacenter.
    Datacenter,
    /// By score.
    Auto,
}

/// How containers on different hosts reach each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StackNetworkMode {
    /// Through ports published on the hosts.
    #[default]
    HostPort,
}

/// What a container asks of its host, given beside the containers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct HostConstraint {
    /// Which container.
    pub container_name: String,
    /// This host and no other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_host: Option<HostId>,
    /// A host of this datacenter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub required_datacenter: Option<String>,
    /// A host with at least so many processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_cpu: Option<f64>,
    /// A host with at least so many bytes of memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_memory: Option<u64>,
    /// A host with these labels.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
}

/// How changes are rolled out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Update {
    /// Which comes first, the end of the old or the start of the new.
    pub order: UpdateOrder,
    /// At most so many containers at a time.
    pub max_parallel: u32,
    /// What follows a failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
}

impl Default for Update {
    fn default() -> Self {
        Self { order: UpdateOrder::default(), max_parallel: 1, on_failure: None }
    }
}

/// Which comes first in an update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpdateOrder {
    /// The old container is stopped before the new one starts.
    #[default]
    StopFirst,
    /// The new container runs before the old one is stopped.
    StartFirst,
}

impl UpdateOrder {
    /// Whether it is what updates have of which nothing is said.
    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What follows a failed update.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// The whole stack goes back to the revision before.
    Rollback,
    /// Everything stays as it is.
    Pause,
}

/// What follows when a container of a stack that was deployed does not run any more although it should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum OnDrift {
    /// It is started again, and made again where it is gone.
    #[default]
    Repair,
    /// The stack is in error and says which; nothing is done.
    Report,
    /// Nothing: it may be so.
    Accept,
}

impl OnDrift {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Repair => "repair",
            Self::Report => "report",
            Self::Accept => "accept",
        }
    }
}

impl Stack {
    /// Whether a word is its name or its id.
    pub fn is_called(&self, word: &str) -> bool {
        word == self.name || word == self.id.as_str()
    }

    /// The container of that name.
    pub fn container(&self, name: &str) -> Option<&Container> {
        self.containers.iter().map(AsRef::as_ref).find(|container| container.name == name)
    }

    /// The names of the secrets that its containers ask for.
    pub fn secret_names(&self) -> BTreeSet<String> {
        self.containers.iter().flat_map(|container| container.secrets()).collect()
    }

    /// The name that a container bears on its engine: `<stack>-<container>`.
    pub fn engine_name(&self, container: &str) -> String {
        [&self.name, "-", container].concat()
    }
}
