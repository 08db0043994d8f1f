//! From what the engine shows of a container to the definition that it could have been made from. Pure; the other way round is
//! [`convert`](crate::convert).

use crate::{observe, settings::Enforced};
use bollard::models::{
    ContainerConfig, ContainerInspectResponse, HealthConfig, HostConfig, ImageConfig, Mount as EngineMount, MountType,
    NetworkSettings, SystemInfo,
};
use graphium_core::{
    runtime::Description,
    stack::{
        Container, Device, EnvValue, EnvVar, HealthCheck, HealthTest, Logging, Mount, MountKind, Port, Protocol,
        TextMap, Ulimit,
    },
};
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

/// What an engine gives a container's shared memory.
const USUAL_SHM: u64 = 64 << 20;
/// Of a host's side of a container what no document says, by the engine's words.
const BEYOND: [&str; 24] = [
    "AutoRemove",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeight",
    "BlkioWeightDevice",
    "CgroupParent",
    "CpuPeriod",
    "CpuQuota",
    "CpuRealtimePeriod",
    "CpuRealtimeRuntime",
    "CpusetCpus",
    "CpusetMems",
    "DeviceCgroupRules",
    "DnsOptions",
    "DnsSearch",
    "Links",
    "OomKillDisable",
    "OomScoreAdj",
    "PublishAllPorts",
    "UTSMode",
    "UsernsMode",
    "VolumesFrom",
];

/// A container, with its image and what its engine says of itself.
pub(crate) fn describe(
    shown: ContainerInspectResponse,
    image: ImageConfig,
    info: &SystemInfo,
    enforced: Enforced,
) -> Description {
    let config = shown.config.unwrap_or_default();
    let host = shown.host_config.unwrap_or_default();
    let mut beyond = beyond(&config, &host);
    let image_volumes = image.volumes.clone().unwrap_or_default();
    let usual = usual(image, info, shown.id.as_deref().unwrap_or_default());
    let mut container = own(config, &image_volumes, &host, &mut beyond);
    if container.network_mode.as_deref() == Some("host") && container.hostname == info.name {
        container.hostname = None;
    }
    Description {
        name: observe::bare(&shown.name.unwrap_or_default()).to_owned(),
        container,
        usual,
        settings: crate::settings::shown(&host, enforced),
        networks: networks(shown.network_settings),
        beyond,
    }
}

fn networks(settings: Option<NetworkSettings>) -> BTreeMap<String, Vec<String>> {
    let networks = settings.and_then(|settings| settings.networks).unwrap_or_default();
    networks.into_iter().map(|(name, endpoint)| (name, endpoint.aliases.unwrap_or_default())).collect()
}

/// What image and engine fill in.
fn usual(image: ImageConfig, info: &SystemInfo, id: &str) -> Container {
    Container {
        environment: variables(image.env),
        command: image.cmd,
        entrypoint: image.entrypoint,
        working_dir: said(image.working_dir),
        user: said(image.user),
        stop_signal: said(image.stop_signal),
        expose: image.exposed_ports.unwrap_or_default(),
        labels: observe::sorted(image.labels.unwrap_or_default()),
        health_check: image.healthcheck.and_then(health_check),
        hostname: id.get(..12).map(str::to_owned),
        logging: info.logging_driver.clone().map(|driver| Logging { driver: Some(driver), ..Logging::default() }),
        runtime: info.default_runtime.clone(),
        ipc: Some("private".to_owned()),
        shm_size: Some(USUAL_SHM),
        ..Container::default()
    }
}

fn own(
    config: ContainerConfig,
    image_volumes: &[String],
    host: &HostConfig,
    beyond: &mut BTreeMap<String, Value>,
) -> Container {
    let logging = host.log_config.clone().unwrap_or_default();
    let mut mounts = mounts(host, beyond);
    // Made for it, with a name that nobody chose; where its image asks for it, it comes with that.
    let nameless = config
        .volumes
        .unwrap_or_default()
        .into_iter()
        .filter(|target| !image_volumes.contains(target) && !mounts.iter().any(|mount| mount.target == *target));
    let nameless: Vec<Mount> = nameless
        .map(|target| Mount {
            kind: MountKind::Volume { source: None, no_copy: false, subpath: None },
            target,
            read_only: false,
        })
        .collect();
    mounts.extend(nameless);
    Container {
        image: config.image.unwrap_or_default(),
        ports: ports(host, beyond),
        environment: variables(config.env),
        volume_mounts: mounts,
        health_check: config.healthcheck.and_then(health_check),
        command: config.cmd,
        entrypoint: config.entrypoint,
        working_dir: said(config.working_dir),
        user: said(config.user),
        hostname: said(config.hostname),
        init: host.init,
        tty: config.tty.unwrap_or(false),
        stdin_open: config.open_stdin.unwrap_or(false),
        stop_signal: said(config.stop_signal),
        stop_grace_period: config.stop_timeout.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs),
        network_mode: said(host.network_mode.clone()),
        expose: config.exposed_ports.unwrap_or_default(),
        extra_hosts: extra_hosts(host),
        dns: host.dns.clone().unwrap_or_default(),
        cap_add: host.cap_add.clone().unwrap_or_default(),
        cap_drop: host.cap_drop.clone().unwrap_or_default(),
        privileged: host.privileged.unwrap_or(false),
        security_opt: host.security_opt.clone().unwrap_or_default(),
        read_only_rootfs: host.readonly_rootfs.unwrap_or(false),
        shm_size: host.shm_size.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
        ulimits: ulimits(host),
        devices: devices(host),
        gpus: gpus(host, beyond),
        sysctls: observe::sorted(host.sysctls.clone().unwrap_or_default()),
        logging: Some(Logging {
            driver: said(logging.typ),
            options: observe::sorted(logging.config.unwrap_or_default()),
        }),
        pid: said(host.pid_mode.clone()),
        ipc: said(host.ipc_mode.clone()),
        group_add: host.group_add.clone().unwrap_or_default(),
        runtime: said(host.runtime.clone()),
        labels: observe::sorted(config.labels.unwrap_or_default()),
        ..Container::default()
    }
}

fn said(text: Option<String>) -> Option<String> {
    text.filter(|text| !text.is_empty())
}

fn beyond(config: &ContainerConfig, host: &HostConfig) -> BTreeMap<String, Value> {
    let shown = serde_json::to_value(host).unwrap_or_default();
    let mut beyond: BTreeMap<String, Value> = BEYOND
        .into_iter()
        .filter_map(|word| Some((word.to_owned(), shown.get(word)?.clone())))
        .filter(|(_, value)| is_something(value))
        .collect();
    if let Some(name) = said(config.domainname.clone()) {
        beyond.insert("Domainname".to_owned(), name.into());
    }
    beyond
}

fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(is_so) => *is_so,
        Value::Number(number) => number.as_i64() != Some(0),
        Value::String(text) => !text.is_empty(),
        Value::Array(list) => !list.is_empty(),
        Value::Object(object) => !object.is_empty(),
    }
}

fn variables(lines: Option<Vec<String>>) -> Vec<EnvVar> {
    let variable = |line: String| {
        let (name, value) = line.split_once('=').unwrap_or((&line, ""));
        EnvVar { name: name.to_owned(), value: EnvValue::Literal(value.to_owned()) }
    };
    lines.unwrap_or_default().into_iter().map(variable).collect()
}

fn health_check(check: HealthConfig) -> Option<HealthCheck> {
    let words = check.test.unwrap_or_default();
    let (first, rest) = words.split_first()?;
    let test = match (first.as_str(), rest) {
        ("NONE", _) => HealthTest::None,
        ("CMD-SHELL", rest) => HealthTest::Shell { command: rest.join(" ") },
        (_, rest) => HealthTest::Exec { command: rest.to_vec() },
    };
    let time = |nanoseconds: Option<i64>| {
        nanoseconds.and_then(|time| u64::try_from(time).ok()).filter(|time| *time > 0).map(Duration::from_nanos)
    };
    Some(HealthCheck {
        test,
        interval: time(check.interval),
        timeout: time(check.timeout),
        retries: check.retries.and_then(|times| u32::try_from(times).ok()).filter(|times| *times > 0),
        start_period: time(check.start_period),
    })
}

fn ports(host: &HostConfig, beyond: &mut BTreeMap<String, Value>) -> Vec<Port> {
    let mut ports = Vec::new();
    for (key, bindings) in host.port_bindings.iter().flatten() {
        let (number, word) = key.split_once('/').unwrap_or((key, "tcp"));
        let protocol = match word {
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => Protocol::Tcp,
        };
        for binding in bindings.iter().flatten() {
            let wanted = binding.host_port.as_deref().unwrap_or_default();
            let host_port = wanted.parse().ok().filter(|number| *number != 0);
            let Ok(container_port) = number.parse() else { continue };
            if host_port.is_none() && !matches!(wanted, "" | "0") {
                // One of a range, which the engine chooses.
                beyond.insert(format!("PortBindings.{key}"), wanted.into());
            }
            let host_ip = binding.host_ip.as_deref().and_then(|text| text.parse().ok());
            ports.push(Port { container_port, host_port, protocol, host_ip });
        }
    }
    ports
}

fn extra_hosts(host: &HostConfig) -> TextMap {
    let lines = host.extra_hosts.iter().flatten();
    let mut hosts: TextMap = lines
        .filter_map(|line| line.split_once([':', '=']))
        .map(|(name, address)| (name.to_owned(), address.to_owned()))
        .collect();
    hosts.sort_keys();
    hosts
}

fn ulimits(host: &HostConfig) -> Vec<Ulimit> {
    let each = host.ulimits.iter().flatten().map(|limit| Ulimit {
        name: limit.name.clone().unwrap_or_default(),
        soft: limit.soft.unwrap_or(0),
        hard: limit.hard.unwrap_or(0),
    });
    each.collect()
}

fn devices(host: &HostConfig) -> Vec<Device> {
    let each = host.devices.iter().flatten().map(|device| Device {
        host_path: device.path_on_host.clone().unwrap_or_default(),
        container_path: device.path_in_container.clone().unwrap_or_default(),
        permissions: device.cgroup_permissions.clone().unwrap_or_default(),
    });
    each.collect()
}

fn gpus(host: &HostConfig, beyond: &mut BTreeMap<String, Value>) -> Option<i64> {
    let requests = host.device_requests.as_deref().unwrap_or_default();
    let is_plain = |one: &&bollard::models::DeviceRequest| {
        let capabilities = one.capabilities.as_deref().unwrap_or_default();
        capabilities.iter().flatten().eq(["gpu"]) && one.device_ids.as_ref().is_none_or(Vec::is_empty)
    };
    match requests {
        [] => None,
        [one] if is_plain(&one) => one.count,
        several => {
            beyond.insert("DeviceRequests".to_owned(), serde_json::to_value(several).unwrap_or_default());
            None
        }
    }
}

fn mounts(host: &HostConfig, beyond: &mut BTreeMap<String, Value>) -> Vec<Mount> {
    let mut mounts = Vec::new();
    for line in host.binds.iter().flatten() {
        match bind(line) {
            Some(mount) => mounts.push(mount),
            None => drop(beyond.insert(format!("Binds.{line}"), line.as_str().into())),
        }
    }
    for mount in host.mounts.iter().flatten() {
        match engine_mount(mount) {
            Some(mount) => mounts.push(mount),
            None => {
                let target = mount.target.as_deref().unwrap_or_default();
                beyond.insert(format!("Mounts.{target}"), serde_json::to_value(mount).unwrap_or_default());
            }
        }
    }
    let tmpfs: HashMap<String, String> = host.tmpfs.clone().unwrap_or_default();
    for (target, options) in tmpfs {
        match memory(&options) {
            Some(kind) => mounts.push(Mount { kind, target, read_only: false }),
            None => drop(beyond.insert(format!("Tmpfs.{target}"), options.into())),
        }
    }
    mounts
}

/// `source:target[:options]`; a source that is no path is a volume. Nothing, where an option has no word in a document.
fn bind(line: &str) -> Option<Mount> {
    let mut parts = line.splitn(3, ':');
    let (source, target) = (parts.next()?, parts.next()?);
    let (mut read_only, mut no_copy, mut propagation) = (false, false, None);
    for word in parts.next().unwrap_or_default().split(',').filter(|word| !word.is_empty()) {
        match word {
            "rw" => {}
            "ro" => read_only = true,
            "nocopy" => no_copy = true,
            "private" | "rprivate" | "shared" | "rshared" | "slave" | "rslave" => propagation = Some(word.to_owned()),
            _ => return None,
        }
    }
    let source = source.to_owned();
    let kind = match source.starts_with('/') {
        true => MountKind::Bind { source, propagation, create_host_path: true },
        false => MountKind::Volume { source: Some(source), no_copy, subpath: None },
    };
    Some(Mount { kind, target: target.to_owned(), read_only })
}

fn engine_mount(mount: &EngineMount) -> Option<Mount> {
    let volume = mount.volume_options.clone().unwrap_or_default();
    let kind = match mount.typ? {
        MountType::VOLUME => MountKind::Volume {
            source: said(mount.source.clone()),
            no_copy: volume.no_copy.unwrap_or(false),
            subpath: said(volume.subpath),
        },
        MountType::BIND => {
            let options = mount.bind_options.clone().unwrap_or_default();
            MountKind::Bind {
                source: mount.source.clone().unwrap_or_default(),
                propagation: options.propagation.and_then(|word| said(Some(word.to_string()))),
                create_host_path: options.create_mountpoint.unwrap_or(false),
            }
        }
        MountType::TMPFS => {
            let options = mount.tmpfs_options.clone().unwrap_or_default();
            MountKind::Tmpfs {
                size: options.size_bytes.and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0),
                mode: options.mode.and_then(|mode| u32::try_from(mode).ok()).filter(|mode| *mode > 0),
            }
        }
        _ => return None,
    };
    Some(Mount { kind, target: mount.target.clone()?, read_only: mount.read_only.unwrap_or(false) })
}

/// `size=64m,mode=1777`.
fn memory(options: &str) -> Option<MountKind> {
    let (mut size, mut mode) = (None, None);
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option.split_once('=')? {
            ("size", text) => {
                let digits = text.trim_end_matches(['k', 'm', 'g', 'K', 'M', 'G']);
                let unit: u64 = match text[digits.len()..].to_ascii_lowercase().as_str() {
                    "" => 1,
                    "k" => 1 << 10,
                    "m" => 1 << 20,
                    "g" => 1 << 30,
                    _ => return None,
                };
                size = Some(digits.parse::<u64>().ok()?.checked_mul(unit)?);
            }
            ("mode", text) => mode = Some(u32::from_str_radix(text, 8).ok()?),
            _ => return None,
        }
    }
    Some(MountKind::Tmpfs { size, mode })
}

#[cfg(test)]
mod tests;
