//! From what the engine shows to what Graphium knows. Pure; the environment of a container is never read.

use crate::settings::{self, Enforced};
use bollard::models::{
    ContainerInspectResponse, ContainerSummary, EndpointSettings, HealthStatusEnum, PortMap, PortSummary,
};
use graphium_core::{
    id::HostId,
    inventory::{ContainerStatus, Health, ObservedContainer, ObservedPort},
    runtime::ContainerState,
    stack::{Protocol, TextMap},
};
use jiff::Timestamp;
use std::{collections::HashMap, net::IpAddr};

/// A container as the engine lists it, without its last start, its restarts and its settings: these cost an inspection.
pub(crate) fn summary(summary: ContainerSummary) -> ContainerState {
    let status_text = summary.status.unwrap_or_default();
    let status = status(&summary.state.map(|state| state.to_string()).unwrap_or_default());
    let network = summary.host_config.and_then(|config| config.network_mode);
    let networks = summary.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    // A legacy link adds a name of the form `/other/alias`.
    let names = summary.names.unwrap_or_default();
    let name = names.iter().map(|name| bare(name)).find(|name| !name.contains('/')).unwrap_or_default();
    ContainerState {
        observed: ObservedContainer {
            id: summary.id.unwrap_or_default(),
            name: name.to_owned(),
            image: summary.image.unwrap_or_default(),
            status,
            hosted_on: HostId::new(""),
            ports: listed_ports(summary.ports.unwrap_or_default()),
            labels: sorted(summary.labels.unwrap_or_default()),
            health: health_in(&status_text),
            exit_code: exit_code_in(&status_text).filter(|_| has_ended(status)),
            ended_with_engine: false,
            ended_by_task: false,
            ip_address: address(&networks, network.as_deref()),
            date_created: summary.created.and_then(|seconds| Timestamp::from_second(seconds).ok()),
            settings: None,
        },
        image_id: summary.image_id.filter(|id| !id.is_empty()),
        started_at: None,
        restart_count: 0,
        error: None,
        health_output: None,
    }
}

/// A container as the engine shows it alone.
pub(crate) fn inspection(shown: ContainerInspectResponse, enforced: Enforced) -> ContainerState {
    let state = shown.state.unwrap_or_default();
    let config = shown.config.unwrap_or_default();
    let settings = shown.network_settings.unwrap_or_default();
    let own_settings = shown.host_config.as_ref().map(|config| settings::shown(config, enforced));
    let network = shown.host_config.and_then(|config| config.network_mode);
    let status = status(&state.status.map(|status| status.to_string()).unwrap_or_default());
    let checked = state.health.as_ref();
    let last = checked.and_then(|checked| checked.log.as_ref()).and_then(|log| log.last());
    let health_output = last.and_then(|last| last.output.clone());
    let error = state.error.filter(|words| !words.is_empty());
    let memory = state.oom_killed.unwrap_or(false).then(|| "the kernel killed it: out of memory".to_owned());
    ContainerState {
        observed: ObservedContainer {
            id: shown.id.unwrap_or_default(),
            name: bare(&shown.name.unwrap_or_default()).to_owned(),
            image: config.image.unwrap_or_default(),
            status,
            hosted_on: HostId::new(""),
            ports: bound_ports(settings.ports.unwrap_or_default()),
            labels: sorted(config.labels.unwrap_or_default()),
            health: checked.and_then(|checked| checked.status).and_then(health),
            exit_code: state.exit_code.filter(|_| has_ended(status)),
            ended_with_engine: false,
            ended_by_task: false,
            ip_address: address(&settings.networks.unwrap_or_default(), network.as_deref()),
            date_created: shown.created.and_then(|time| time.parse().ok()),
            settings: own_settings,
        },
        image_id: shown.image.filter(|id| !id.is_empty()),
        started_at: state.started_at.and_then(|time| time.parse().ok()).filter(|time| *time > Timestamp::UNIX_EPOCH),
        restart_count: shown.restart_count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0),
        error: error.or(memory),
        health_output,
    }
}

/// A name without the slash that the engine puts before it.
pub(crate) fn bare(name: &str) -> &str {
    name.strip_prefix('/').unwrap_or(name)
}

fn status(word: &str) -> ContainerStatus {
    match word {
        "running" | "stopping" => ContainerStatus::Running,
        "paused" => ContainerStatus::Paused,
        "restarting" => ContainerStatus::Restarting,
        "removing" => ContainerStatus::Removing,
        "dead" => ContainerStatus::Dead,
        "created" => ContainerStatus::Created,
        _ => ContainerStatus::Exited,
    }
}

/// The engine shows 0 as the exit code of what never ended.
fn has_ended(status: ContainerStatus) -> bool {
    matches!(status, ContainerStatus::Exited | ContainerStatus::Dead | ContainerStatus::Restarting)
}

/// `Up 3 minutes (healthy)`, `Up 2 seconds (health: starting)`.
fn health_in(text: &str) -> Option<Health> {
    let (_, inner) = text.strip_suffix(')')?.rsplit_once('(')?;
    match inner {
        "healthy" => Some(Health::Healthy),
        "unhealthy" => Some(Health::Unhealthy),
        "health: starting" => Some(Health::Starting),
        _ => None,
    }
}

/// `Exited (137) 5 seconds ago`, `Restarting (1) 2 seconds ago`.
fn exit_code_in(text: &str) -> Option<i64> {
    let (_, rest) = text.split_once('(')?;
    rest.split_once(')')?.0.parse().ok()
}

fn health(status: HealthStatusEnum) -> Option<Health> {
    match status {
        HealthStatusEnum::STARTING => Some(Health::Starting),
        HealthStatusEnum::HEALTHY => Some(Health::Healthy),
        HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
        _ => None,
    }
}

fn listed_ports(ports: Vec<PortSummary>) -> Vec<ObservedPort> {
    let port = |port: PortSummary| ObservedPort {
        container_port: port.private_port,
        host_port: port.public_port,
        protocol: protocol(&port.typ.map(|typ| typ.to_string()).unwrap_or_default()),
        host_ip: port.ip.as_deref().and_then(specific),
    };
    in_order(ports.into_iter().map(port).collect())
}

fn bound_ports(ports: PortMap) -> Vec<ObservedPort> {
    let mut observed = Vec::new();
    for (key, bindings) in ports {
        let (number, word) = key.split_once('/').unwrap_or((&key, "tcp"));
        let Ok(container_port) = number.parse() else { continue };
        let inside = ObservedPort { container_port, host_port: None, protocol: protocol(word), host_ip: None };
        match bindings.filter(|bindings| !bindings.is_empty()) {
            None => observed.push(inside),
            Some(bindings) => observed.extend(bindings.into_iter().map(|binding| ObservedPort {
                host_port: binding.host_port.and_then(|port| port.parse().ok()),
                host_ip: binding.host_ip.as_deref().and_then(specific),
                ..inside.clone()
            })),
        }
    }
    in_order(observed)
}

/// Sorted, and once where the engine binds both families of addresses.
fn in_order(mut ports: Vec<ObservedPort>) -> Vec<ObservedPort> {
    ports.sort_by_key(|port| (port.container_port, port.protocol, port.host_port, port.host_ip));
    ports.dedup();
    ports
}

fn protocol(word: &str) -> Protocol {
    match word {
        "udp" => Protocol::Udp,
        "sctp" => Protocol::Sctp,
        _ => Protocol::Tcp,
    }
}

/// An address that is not all of them.
fn specific(text: &str) -> Option<IpAddr> {
    text.parse().ok().filter(|address: &IpAddr| !address.is_unspecified())
}

/// The address on the network that the container was made in, else the first of any by the networks' names.
pub(crate) fn address(networks: &HashMap<String, EndpointSettings>, preferred: Option<&str>) -> Option<IpAddr> {
    let of = |endpoint: &EndpointSettings| endpoint.ip_address.as_deref()?.parse().ok();
    if let Some(address) = preferred.and_then(|name| networks.get(name)).and_then(of) {
        return Some(address);
    }
    let mut addressed: Vec<_> = networks.iter().filter_map(|(name, endpoint)| Some((name, of(endpoint)?))).collect();
    addressed.sort();
    addressed.first().map(|(_, address)| *address)
}

/// The engine's maps have no order; ours have one that does not change.
pub(crate) fn sorted(labels: HashMap<String, String>) -> TextMap {
    let mut labels: TextMap = labels.into_iter().collect();
    labels.sort_keys();
    labels
}
