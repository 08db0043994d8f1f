//! What the engine's drivers of networks, volumes and logs are asked for: each of them works on the host, outside of every container.

use super::{
    Admission, Allowance,
    allowance::is_part,
    check::{Denied, host_path, wanted},
};
use crate::stack::{Logging, Network, TextMap, Volume};

/// The driver of networks that joins containers to each other, and to nothing of the host's.
const BRIDGE: &str = "bridge";

/// Its options that are about its own network alone. `com.docker.network.bridge.name` is none: it joins what the host has.
const OF_ITS_OWN: [&str; 5] = [
    "com.docker.network.bridge.enable_icc",
    "com.docker.network.bridge.enable_ip_masquerade",
    "com.docker.network.bridge.host_binding_ipv4",
    "com.docker.network.container_iface_prefix",
    "com.docker.network.driver.mtu",
];

/// Addresses that are nobody's but those who use them (RFC 1918, RFC 4193).
const PRIVATE: [&str; 4] = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"];

/// Drivers of logs that keep them with the engine, or not at all. Their options name neither places nor addresses, and they
/// refuse those that they do not know.
const OF_THE_ENGINE: [&str; 3] = ["json-file", "local", "none"];

/// Options that those have: without a driver they are for the engine's own, which may be any.
const OF_A_FILE: [&str; 8] = ["compress", "env", "env-regex", "labels", "labels-regex", "max-file", "max-size", "tag"];

/// File systems of volumes that are of the network or of memory, and nothing of the host's.
const OF_NO_HOST: [&str; 6] = ["tmpfs", "nfs", "nfs4", "cifs", "smb3", "ceph"];

impl Admission {
    /// What a network wants and may not have: its driver may put containers on the host's own wire.
    pub fn network(&self, network: &Network) -> Vec<Denied> {
        let driver = network.driver.as_deref().filter(|driver| !driver.is_empty()).unwrap_or(BRIDGE);
        let allowance = || Allowance::NetworkDriver(driver.to_owned());
        if network.external || self.covers(&allowance()) {
            return Vec::new();
        }
        if driver != BRIDGE {
            return vec![wanted(format!("the network driver `{driver}`"), "network", allowance())];
        }
        let reaching = network.options.keys().filter(|key| !OF_ITS_OWN.contains(&key.as_str()));
        let what = |key| format!("the option `{key}` of the network driver `{driver}`");
        let options = reaching.map(|key| wanted(what(key), "network", allowance()));
        options.chain(self.addresses(network)).collect()
    }

    /// A host that has a network sends there whatever is for its addresses, be it its own or of another container.
    fn addresses(&self, network: &Network) -> Option<Denied> {
        let subnet = network.subnet.as_deref().filter(|subnet| !PRIVATE.iter().any(|own| is_part(subnet, own)))?;
        let allowance = Allowance::Subnet(subnet.to_owned());
        let what = format!("a network with the addresses `{subnet}`, which are not private ones,");
        (!self.covers(&allowance)).then(|| wanted(what, "network", allowance))
    }

    /// What a volume wants and may not have: options of its driver can mount whatever the host has.
    pub fn volume(&self, volume: &Volume) -> Vec<Denied> {
        if volume.external {
            return Vec::new();
        }
        let is_local = volume.driver.as_deref().is_none_or(|driver| driver == "local");
        let mut wants = if is_local { local(volume) } else { paths(&volume.driver_opts) };
        wants.retain(|denied| !self.covers(&denied.wanted));
        for denied in &mut wants {
            denied.what = format!("{}, by the options of the volume `{}`,", denied.what, volume.name);
        }
        wants
    }
}

/// Where the engine is asked to send what a container writes: it calls whatever address or socket it is given, as the host and not
/// as the container, and reads files for that.
pub(super) fn logging(logging: &Logging) -> Vec<Denied> {
    match logging.driver.as_deref().filter(|driver| !driver.is_empty()) {
        Some(driver) if OF_THE_ENGINE.contains(&driver) => Vec::new(),
        Some(driver) => {
            vec![wanted(format!("the log driver `{driver}`"), "logging", Allowance::LogDriver(driver.to_owned()))]
        }
        None => {
            let reaching = logging.options.keys().filter(|key| !OF_A_FILE.contains(&key.as_str()));
            let what = |key| format!("the option `{key}` of a log driver that is not named");
            reaching.map(|key| wanted(what(key), "logging", Allowance::All)).collect()
        }
    }
}

/// What the engine's own driver is asked to mount, as `mount` would be.
fn local(volume: &Volume) -> Vec<Denied> {
    let option = |key: &str| volume.driver_opts.get(key).map(String::as_str);
    let (kind, device) = (option("type").unwrap_or("none"), option("device").unwrap_or_default());
    let is_bind =
        option("o").is_some_and(|options| options.split(',').any(|one| ["bind", "rbind"].contains(&one.trim())));
    match kind {
        _ if volume.driver_opts.is_empty() => Vec::new(),
        // What else stands among the options of a mount may name files, too (`lowerdir`).
        _ if is_bind => vec![host_path(device, "volumes")],
        kind if OF_NO_HOST.contains(&kind) => Vec::new(),
        "none" if device.is_empty() => Vec::new(),
        kind => {
            let what = format!("the host's file system `{device}` of the type `{kind}`");
            vec![wanted(what, "volumes", Allowance::Device(device.to_owned()))]
        }
    }
}

/// Paths among the options of another driver.
fn paths(options: &TextMap) -> Vec<Denied> {
    options.values().filter(|value| value.starts_with('/')).map(|value| host_path(value, "volumes")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Container;
    use serde_json::{Value, json};

    fn admission(allowed: &[&str]) -> Admission {
        allowed.iter().map(|text| text.parse::<Allowance>().unwrap()).collect()
    }

    fn told(denied: Vec<Denied>) -> Vec<String> {
        denied.iter().map(ToString::to_string).collect()
    }

    fn of_network(allowed: &[&str], network: Value) -> Vec<String> {
        told(admission(allowed).network(&serde_json::from_value(network).unwrap()))
    }

    fn of_logging(allowed: &[&str], logging: Value) -> Vec<String> {
        let container = Container { logging: serde_json::from_value(logging).unwrap(), ..Container::default() };
        told(admission(allowed).container(&container, &|_| false))
    }

    fn of_volume(allowed: &[&str], mut volume: Value) -> Vec<String> {
        volume["name"] = "v".into();
        told(admission(allowed).volume(&serde_json::from_value(volume).unwrap()))
    }

    #[test]
    fn a_network_joins_nothing_of_the_hosts() {
        let bridge = |key: &str, value: &str| json!({"driver": "bridge", "options": {key: value}});
        for (network, allowance, words) in [
            (json!({"driver": "macvlan", "options": {"parent": "eth0"}}), "macvlan", "the network driver `macvlan`"),
            (json!({"driver": "ipvlan", "options": {"ipvlan_mode": "l2"}}), "ipvlan", "the network driver `ipvlan`"),
            (json!({"driver": "overlay"}), "overlay", "the network driver `overlay`"),
            (json!({"driver": "host"}), "host", "the network driver `host`"),
            (json!({"driver": "acme/net:1"}), "acme/net:1", "the network driver `acme/net:1`"),
            (
                json!({"options": {"com.docker.network.bridge.name": "br0"}}),
                "bridge",
                "the option `com.docker.network.bridge.name` of the network driver `bridge`",
            ),
            (bridge("com.docker.network.bridge.trusted_host_interfaces", "eth0"), "bridge", "trusted_host_interfaces"),
            (bridge("COM.DOCKER.NETWORK.DRIVER.MTU", "1400"), "bridge", "the option `COM.DOCKER.NETWORK.DRIVER.MTU`"),
        ] {
            let denied = of_network(&[], network.clone());
            assert!(denied.len() == 1 && denied[0].contains(words), "{network}: {denied:?}");
            assert_eq!(of_network(&["privileged", "network-driver=other", "bind=/"], network.clone()), denied);
            for enough in [&format!("network-driver={allowance}"), "all"] {
                assert_eq!(of_network(&[enough], network.clone()), [""; 0], "{network} with {enough}");
            }
        }
        for network in [
            json!({}),
            json!({"driver": "bridge", "subnet": "10.7.0.0/24", "internal": true}),
            bridge("com.docker.network.driver.mtu", "1400"),
            bridge("com.docker.network.bridge.enable_icc", "false"),
            json!({"driver": "macvlan", "external": true, "options": {"parent": "eth0"}}),
        ] {
            assert_eq!(of_network(&[], network.clone()), [""; 0], "{network}");
        }
    }

    #[test]
    fn a_network_takes_no_addresses_that_are_somebody_elses() {
        for subnet in
            ["8.8.8.0/24", "0.0.0.0/0", "10.0.0.0/7", "172.32.0.0/16", "100.100.100.0/24", "2001:db8::/64", "any"]
        {
            let denied = of_network(&[], json!({"subnet": subnet}));
            let words =
                format!("a network with the addresses `{subnet}`, which are not private ones, is not allowed here");
            assert_eq!(denied, [words]);
            assert_eq!(of_network(&["subnet=9.0.0.0/8", "privileged"], json!({"subnet": subnet})), denied);
            assert_eq!(of_network(&["all"], json!({"subnet": subnet})), [""; 0]);
        }
        for allowed in ["subnet=8.8.8.0/24", "subnet=8.0.0.0/8", "network-driver=bridge"] {
            assert_eq!(of_network(&[allowed], json!({"subnet": "8.8.8.0/24"})), [""; 0], "{allowed}");
        }
        for subnet in ["10.7.0.0/24", "172.20.0.0/16", "192.168.4.0/22", "fd00:7::/64"] {
            assert_eq!(of_network(&[], json!({"subnet": subnet})), [""; 0], "{subnet}");
        }
        assert_eq!(of_network(&[], json!({"subnet": "8.8.8.0/24", "external": true})), [""; 0]);
    }

    #[test]
    fn logs_stay_with_the_engine() {
        for (driver, options) in [
            ("syslog", json!({"syslog-address": "unixgram:///dev/log"})),
            ("syslog", json!({"syslog-address": "tcp://127.0.0.1:6379"})),
            ("fluentd", json!({"fluentd-address": "unix:///var/run/docker.sock"})),
            ("gelf", json!({"gelf-address": "udp://10.0.0.1:12201"})),
            ("splunk", json!({"splunk-url": "https://10.0.0.1", "splunk-capath": "/etc/shadow"})),
            ("awslogs", json!({"awslogs-credentials-endpoint": "/x"})),
            ("journald", json!({})),
            ("acme/logs", json!({})),
        ] {
            let logging = json!({"driver": driver, "options": options});
            let denied = of_logging(&[], logging.clone());
            assert_eq!(denied, [format!("the log driver `{driver}` is not allowed here")], "{logging}");
            assert_eq!(of_logging(&["privileged", "log-driver=other", "network-driver=gelf"], logging.clone()), denied);
            for enough in [&format!("log-driver={driver}"), "all"] {
                assert_eq!(of_logging(&[enough], logging.clone()), [""; 0], "{logging} with {enough}");
            }
        }
        for unnamed in [json!({}), json!({"driver": ""})] {
            let mut unnamed = unnamed;
            unnamed["options"] = json!({"max-size": "1m", "syslog-address": "tcp://10.0.0.1:514"});
            let denied = of_logging(&["log-driver=syslog"], unnamed);
            assert_eq!(denied, ["the option `syslog-address` of a log driver that is not named is not allowed here"]);
        }
        for logging in [
            json!({}),
            json!({"driver": "none"}),
            json!({"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}),
            json!({"driver": "local", "options": {"compress": "true"}}),
            json!({"options": {"max-size": "10m", "tag": "{{.Name}}"}}),
        ] {
            assert_eq!(of_logging(&[], logging.clone()), [""; 0], "{logging}");
        }
    }

    #[test]
    fn a_volume_mounts_no_more_of_the_host_than_a_container_may() {
        let opts = |kind: &str, device: &str, o: &str| json!({"driverOpts": {"type": kind, "device": device, "o": o}});
        for (volume, allowance, words) in [
            (opts("none", "/etc", "bind"), "bind=/etc", "the host's `/etc`, by the options of the volume `v`"),
            (opts("tmpfs", "/etc", "ro,rbind"), "bind=/etc", "the host's `/etc`"),
            (opts("ext4", "/dev/sda1", ""), "device=/dev", "the host's file system `/dev/sda1` of the type `ext4`"),
            (opts("overlay", "overlay", "lowerdir=/etc,upperdir=/a,workdir=/b"), "all", "of the type `overlay`"),
            (opts("proc", "proc", ""), "all", "of the type `proc`"),
            (
                json!({"driver": "local-persist", "driverOpts": {"mountpoint": "/etc"}}),
                "bind=/etc",
                "the host's `/etc`",
            ),
        ] {
            let denied = of_volume(&[], volume.clone());
            assert!(denied.len() == 1 && denied[0].contains(words), "{volume}: {denied:?}");
            assert_eq!(of_volume(&[allowance], volume.clone()), [""; 0], "{volume}");
            assert_eq!(of_volume(&["bind=/srv", "device=/srv", "privileged"], volume), denied);
        }
        for volume in [
            json!({}),
            json!({"driverOpts": {"type": "nfs", "device": ":/export", "o": "addr=10.0.0.1,rw"}}),
            json!({"driverOpts": {"type": "tmpfs", "device": "tmpfs", "o": "size=10m"}}),
            json!({"driver": "rexray", "driverOpts": {"size": "10"}}),
            json!({"external": true, "driverOpts": {"o": "bind", "device": "/etc"}}),
        ] {
            assert_eq!(of_volume(&[], volume.clone()), [""; 0], "{volume}");
        }
    }
}
