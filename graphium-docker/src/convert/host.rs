//! The part of a container's body that concerns its host.

use super::{map, mount, some, some_map};
use crate::connection::ApiVersion;
use bollard::models::{
    DeviceMapping, DeviceRequest, HostConfig, HostConfigLogConfig, PortBinding, PortMap, ResourcesUlimits,
    RestartPolicy as EngineRestart, RestartPolicyNameEnum as RestartName,
};
use graphium_core::{
    runtime::{ContainerSpec, LiveSettings, RuntimeError},
    stack::{Container, Logging, Port, RestartPolicy},
};

pub(super) fn config(spec: &ContainerSpec, api: ApiVersion) -> Result<HostConfig, RuntimeError> {
    let container = &spec.container;
    let settings = LiveSettings::of(container);
    let limit = |limit: Option<i64>| limit.filter(|limit| *limit != 0);
    let mounted = mount::mounts(spec, api)?;
    Ok(HostConfig {
        network_mode: stack_network(spec).map(str::to_owned).or_else(|| container.network_mode.clone()),
        port_bindings: ports(&container.ports),
        mounts: some(mounted.mounts),
        binds: some(mounted.binds),
        restart_policy: settings.restart_policy.filter(|policy| *policy != RestartPolicy::No).map(restart),
        nano_cpus: limit(settings.nano_cpus),
        memory: limit(settings.memory),
        memory_swap: container.resources.limits.memory_swap,
        pids_limit: limit(settings.pids),
        cpu_shares: limit(settings.cpu_shares),
        memory_reservation: limit(settings.memory_reservation),
        extra_hosts: some(container.extra_hosts.iter().map(|(name, address)| format!("{name}:{address}")).collect()),
        dns: some(container.dns.clone()),
        cap_add: some(container.cap_add.clone()),
        cap_drop: some(container.cap_drop.clone()),
        privileged: container.privileged.then_some(true),
        security_opt: some(container.security_opt.clone()),
        readonly_rootfs: container.read_only_rootfs.then_some(true),
        shm_size: container.shm_size.map(bytes),
        ulimits: some(ulimits(container)),
        devices: some(devices(container)),
        device_requests: container.gpus.map(|count| vec![gpus(count)]),
        sysctls: some_map(&container.sysctls),
        log_config: container.logging.as_ref().map(logging),
        init: container.init,
        pid_mode: container.pid.clone(),
        ipc_mode: container.ipc.clone(),
        group_add: some(container.group_add.clone()),
        runtime: container.runtime.clone(),
        ..HostConfig::default()
    })
}

/// The stack's network, unless the definition has a network mode of its own.
pub(super) fn stack_network(spec: &ContainerSpec) -> Option<&str> {
    spec.network.as_deref().filter(|_| spec.container.network_mode.is_none())
}

/// `80/tcp`, as the engine names a port.
pub(super) fn port_key(port: &Port) -> String {
    format!("{}/{}", port.container_port, port.protocol.as_str())
}

/// An empty host port makes the engine choose one.
fn ports(ports: &[Port]) -> Option<PortMap> {
    let mut bindings = PortMap::new();
    for port in ports {
        let binding = PortBinding {
            host_ip: port.host_ip.map(|address| address.to_string()),
            host_port: Some(port.host_port.map(|number| number.to_string()).unwrap_or_default()),
        };
        bindings.entry(port_key(port)).or_default().get_or_insert_default().push(binding);
    }
    (!bindings.is_empty()).then_some(bindings)
}

/// A restart policy as the engine takes it.
pub(crate) fn restart(policy: RestartPolicy) -> EngineRestart {
    let (name, times) = match policy {
        RestartPolicy::No => (RestartName::NO, None),
        RestartPolicy::Always => (RestartName::ALWAYS, None),
        RestartPolicy::UnlessStopped => (RestartName::UNLESS_STOPPED, None),
        RestartPolicy::OnFailure(times) => (RestartName::ON_FAILURE, times.map(i64::from)),
    };
    EngineRestart { name: Some(name), maximum_retry_count: times }
}

fn ulimits(container: &Container) -> Vec<ResourcesUlimits> {
    let limit = |limit: &graphium_core::stack::Ulimit| ResourcesUlimits {
        name: Some(limit.name.clone()),
        soft: Some(limit.soft),
        hard: Some(limit.hard),
    };
    container.ulimits.iter().map(limit).collect()
}

fn devices(container: &Container) -> Vec<DeviceMapping> {
    let device = |device: &graphium_core::stack::Device| DeviceMapping {
        path_on_host: Some(device.host_path.clone()),
        path_in_container: Some(device.container_path.clone()),
        cgroup_permissions: Some(device.permissions.clone()),
    };
    container.devices.iter().map(device).collect()
}

fn gpus(count: i64) -> DeviceRequest {
    DeviceRequest { count: Some(count), capabilities: Some(vec![vec!["gpu".to_owned()]]), ..DeviceRequest::default() }
}

fn logging(logging: &Logging) -> HostConfigLogConfig {
    // The engine takes an absent driver for its default, also where options are given.
    HostConfigLogConfig { typ: logging.driver.clone(), config: Some(map(&logging.options)) }
}

fn bytes(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
