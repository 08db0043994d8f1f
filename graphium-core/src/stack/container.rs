//! One container of a stack.

use super::{Device, Logging, Mount, MountKind, PullPolicy, TextMap, Ulimit};
use crate::id::HostId;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeSet, fmt, time::Duration};

/// One container of a stack, with everything that its document says about it.
///
/// # Example
/// ```
/// use graphium_core::stack::{Container, EnvValue, EnvVar};
///
/// let container = Container {
///     name: "web".to_owned(),
///     image: "nginx:alpine".to_owned(),
///     environment: vec![EnvVar { name: "KEY".to_owned(), value: EnvValue::FromSecret("tls-key".to_owned()) }],
///     ..Container::default()
/// };
/// assert!(container.secrets().contains("tls-key"));
/// assert!(!container.is_replicated());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Container {
    /// The `@id` of its node.
    #[serde(rename = "@id")]
    pub id: String,
    /// Its name within the stack.
    pub name: String,
    /// Reference of its image, as the engine takes it.
    pub image: String,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_category: Option<String>,
    /// Ports, published or not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<Port>,
    /// Variables, no name twice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub environment: Vec<EnvVar>,
    /// Volumes, host folders, memory file systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub volume_mounts: Vec<Mount>,
    /// How to know that it is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheck>,
    /// Limits and reservations.
    #[serde(skip_serializing_if = "Resources::is_empty")]
    pub resources: Resources,
    /// What it asks of its host.
    #[serde(skip_serializing_if = "Requirements::is_empty")]
    pub requirements: Requirements,
    /// This host and no other.
    #[serde(rename = "locatedInHost", skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Containers of the same stack that come first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<Dependency>,
    /// Replaces the image's CMD.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
    /// Appended to the command.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub args: Vec<String>,
    /// Replaces the image's ENTRYPOINT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entrypoint: Option<Vec<String>>,
    /// Working directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_dir: Option<String>,
    /// User, `name|uid[:group|gid]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Host name inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Run an init process as PID 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<bool>,
    /// Allocate a terminal.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tty: bool,
    /// Keep standard input open.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub stdin_open: bool,
    /// Signal that asks it to stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stop_signal: Option<String>,
    /// How long it may take to stop before it is killed.
    #[serde(with = "crate::stack::engine::seconds_option", skip_serializing_if = "Option::is_none")]
    pub stop_grace_period: Option<Duration>,
    /// What the engine does when it ends.
    pub restart_policy: RestartPolicy,
    /// The engine's network mode (`host`, `none`, `container:…`); absent: the stack's network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub network_mode: Option<String>,
    /// Names beside its own on the stack's network.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Ports open to its network only, `80` or `80/udp`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub expose: Vec<String>,
    /// Lines for `/etc/hosts`: name to address.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub extra_hosts: TextMap,
    /// Name servers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dns: Vec<String>,
    /// Capabilities to add.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_add: Vec<String>,
    /// Capabilities to drop.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cap_drop: Vec<String>,
    /// Full rights on the host.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub privileged: bool,
    /// Options of the security modules.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub security_opt: Vec<String>,
    /// Root file system mounted read-only.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub read_only_rootfs: bool,
    /// Size of `/dev/shm` in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shm_size: Option<u64>,
    /// Limits of the kernel per process.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ulimits: Vec<Ulimit>,
    /// Devices of the host.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
    /// How many GPUs; -1 is all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<i64>,
    /// Kernel parameters of its namespaces.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub sysctls: TextMap,
    /// Where its output goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logging: Option<Logging>,
    /// Platform of the image, `os/arch[/variant]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// When its image is pulled.
    pub pull_policy: PullPolicy,
    /// PID namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<String>,
    /// IPC namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ipc: Option<String>,
    /// Groups beside the user's own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub group_add: Vec<String>,
    /// The engine's OCI runtime.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runtime: Option<String>,
    /// Labels beside our own.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// How many alike; absent: one. Of several each has a number behind its name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
    /// Values under declared foreign prefixes, carried and otherwise ignored.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub annotations: IndexMap<String, serde_json::Value>,
}

impl Container {
    /// Whether it stands for several containers, which have numbers behind its name.
    pub fn is_replicated(&self) -> bool {
        self.replicas.is_some_and(|count| count > 1)
    }

    /// The names of the secrets that it asks for, as variables or as files.
    pub fn secrets(&self) -> BTreeSet<String> {
        let variables = self.environment.iter().filter_map(|variable| match &variable.value {
            EnvValue::FromSecret(name) => Some(name),
            EnvValue::Literal(_) | EnvValue::FromHost(_) => None,
        });
        let files = self.volume_mounts.iter().filter_map(|mount| match &mount.kind {
            MountKind::Secret { source } => Some(source),
            MountKind::Volume { .. } | MountKind::Bind { .. } | MountKind::Tmpfs { .. } => None,
        });
        variables.chain(files).cloned().collect()
    }
}

/// A port of a container.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Port {
    /// Its number inside.
    pub container_port: u16,
    /// Its number on the host; absent: the engine chooses one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_port: Option<u16>,
    /// Its protocol.
    #[serde(default)]
    pub protocol: Protocol,
    /// The address of the host on which it is published; absent: all.
    #[serde(default, rename = "hostIP", skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<std::net::IpAddr>,
}

/// Protocol of a port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    /// `tcp`, `udp` or `sctp`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

/// One variable of the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvVar {
    /// Its name.
    pub name: String,
    /// Where its value comes from.
    #[serde(flatten)]
    pub value: EnvValue,
}

/// Where the value of a variable comes from.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnvValue {
    /// The document.
    #[serde(rename = "value")]
    Literal(String),
    /// A secret, resolved by the agent at the last moment.
    #[serde(rename = "fromSecret")]
    FromSecret(String),
    /// A fact of the host (`name`, `address`), resolved by the agent.
    #[serde(rename = "fromHost")]
    FromHost(String),
}

impl fmt::Debug for EnvValue {
    /// Without a value: it may have been a secret's.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(_) => f.write_str("Literal(…)"),
            Self::FromSecret(name) => f.debug_tuple("FromSecret").field(name).finish(),
            Self::FromHost(fact) => f.debug_tuple("FromHost").field(fact).finish(),
        }
    }
}

/// How to know that a container is well.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheck {
    /// What is asked.
    #[serde(flatten)]
    pub test: HealthTest,
    /// Time between two checks.
    #[serde(with = "crate::stack::engine::seconds_option", default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Duration>,
    /// How long one check may take.
    #[serde(with = "crate::stack::engine::seconds_option", default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// Failures in a row until it counts as unwell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Time after the start in which failures do not count.
    #[serde(with = "crate::stack::engine::seconds_option", default, skip_serializing_if = "Option::is_none")]
    pub start_period: Option<Duration>,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum HealthTest {
    /// A command inside; exit 0 is well.
    Exec {
        /// The command and its arguments.
        command: Vec<String>,
    },
    /// A command line for the container's own shell, as `CMD-SHELL`.
    Shell {
        /// The line, the document's own.
        command: String,
    },
    /// GET; 200–399 is well.
    Http {
        /// The path.
        path: String,
        /// The container's port.
        port: u16,
        /// Headers to send.
        #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
        headers: TextMap,
    },
    /// A connection that opens is well.
    Tcp {
        /// The container's port.
        port: u16,
    },
    /// grpc.health.v1.
    Grpc {
        /// The container's port.
        port: u16,
    },
    /// The image's own check is switched off.
    None,
}

impl HealthTest {
    /// Whether it asks over the network, which no engine does: the agent makes it.
    pub fn is_networked(&self) -> bool {
        matches!(self, Self::Http { .. } | Self::Tcp { .. } | Self::Grpc { .. })
    }
}

/// Limits and reservations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Resources {
    /// What it may use at most.
    pub limits: Limits,
    /// What its host keeps for it.
    pub reservations: Reservations,
}

impl Resources {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What a container may use at most.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Limits {
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Bytes of memory and swap together; -1 is unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_swap: Option<i64>,
    /// Processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pids: Option<i64>,
}

/// What a host keeps for a container.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Reservations {
    /// Processors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpus: Option<f64>,
    /// Bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
}

impl Reservations {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds another's.
    pub(crate) fn add(&mut self, other: &Self) {
        if let Some(cpus) = other.cpus {
            *self.cpus.get_or_insert(0.0) += cpus;
        }
        if let Some(memory) = other.memory {
            let sum = self.memory.get_or_insert(0);
            *sum = sum.saturating_add(memory);
        }
    }
}

/// What a container asks of its host.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Requirements {
    /// A host with these labels.
    #[serde(skip_serializing_if = "IndexMap::is_empty")]
    pub labels: TextMap,
    /// A host of this datacenter, if one is eligible.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_datacenter: Option<String>,
}

impl Requirements {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A container of the same stack that comes first.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Dependency {
    /// Its name within the stack.
    pub container: String,
    /// How far it must have come.
    #[serde(default)]
    pub condition: Condition,
}

/// How far a container must have come before those that depend on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It runs.
    #[default]
    Started,
    /// Its health check says that it is well.
    Healthy,
    /// It has ended with exit code 0.
    Completed,
}

/// What the engine does when a container ends.
///
/// # Example
/// ```
/// use graphium_core::stack::RestartPolicy;
///
/// let policy: RestartPolicy = "on-failure:3".parse().unwrap();
/// assert_eq!((policy, policy.to_string().as_str()), (RestartPolicy::OnFailure(Some(3)), "on-failure:3"));
/// let error = "sometimes".parse::<RestartPolicy>().unwrap_err();
/// assert_eq!(error.to_string(), "`sometimes` is no restart policy (no, always, unless-stopped, on-failure[:times])");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    /// Nothing.
    #[default]
    No,
    /// Starts it again.
    Always,
    /// Starts it again after a failure, at most so many times; `None` is without bound.
    OnFailure(Option<u32>),
    /// Starts it again unless it was stopped on purpose.
    UnlessStopped,
}
