#![allow(
    clippy::unwrap_used,
    clippy::needless_pass_by_value,
    reason = "a table reads best without ceremony, and a test that cannot go on should stop"
)]
//! Every field of a container, from its canonical JSON to its place in the request body.

use super::*;
use graphium_core::{
    runtime::{NetworkSpec, VolumeSpec},
    stack::{Network, Volume},
};
use serde_json::{Value, json};
use std::sync::Arc;

const OLD: ApiVersion = ApiVersion(1, 41);
const NEW: ApiVersion = ApiVersion(1, 45);

fn spec(definition: Value) -> ContainerSpec {
    ContainerSpec::new("shop-web", serde_json::from_value::<Container>(definition).unwrap())
}

fn body(definition: Value, api: ApiVersion) -> Value {
    serde_json::to_value(container(&spec(definition), api).unwrap()).unwrap()
}

/// Checks that `definition` puts `expected` at `pointer`.
fn puts(definition: Value, pointer: &str, expected: Value) {
    let body = body(definition.clone(), NEW);
    assert_eq!(body.pointer(pointer), Some(&expected), "{definition} at {pointer} of {body}");
}

#[test]
fn an_empty_definition_asks_for_nothing_but_our_labels() {
    let made = body(json!({"image": "nginx:alpine"}), OLD);
    let keys: Vec<_> = made.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["Image", "Labels", "HostConfig"]);
    assert_eq!(made["Image"], "nginx:alpine");
    assert_eq!(made["HostConfig"], json!({}));
    assert_eq!(made["Labels"]["graphium.managed"], "true");
    assert_eq!(made["Labels"]["graphium.spec-hash"].as_str().unwrap().len(), 64);
}

#[test]
fn process() {
    puts(json!({"command": ["a", "b"]}), "/Cmd", json!(["a", "b"]));
    puts(json!({"command": ["a"], "args": ["-x", "y"]}), "/Cmd", json!(["a", "-x", "y"]));
    puts(json!({"args": ["-x"]}), "/Cmd", json!(["-x"]));
    puts(json!({"entrypoint": ["/run", "it"]}), "/Entrypoint", json!(["/run", "it"]));
    puts(json!({"entrypoint": []}), "/Entrypoint", json!([""]));
    puts(
        json!({"environment": [{"name": "A", "value": "b=c"}, {"name": "E", "value": ""}]}),
        "/Env",
        json!(["A=b=c", "E="]),
    );
    puts(json!({"workingDir": "/srv"}), "/WorkingDir", json!("/srv"));
    puts(json!({"user": "1000:100"}), "/User", json!("1000:100"));
    puts(json!({"hostname": "db"}), "/Hostname", json!("db"));
    puts(json!({"init": true}), "/HostConfig/Init", json!(true));
    puts(json!({"init": false}), "/HostConfig/Init", json!(false));
    puts(json!({"tty": true}), "/Tty", json!(true));
    puts(json!({"stdinOpen": true}), "/OpenStdin", json!(true));
    puts(json!({"stopSignal": "SIGINT"}), "/StopSignal", json!("SIGINT"));
    puts(json!({"stopGracePeriod": 90}), "/StopTimeout", json!(90));
    puts(json!({"stopGracePeriod": 1.5}), "/StopTimeout", json!(2));
}

#[test]
fn restart_policies() {
    puts(json!({"restartPolicy": "always"}), "/HostConfig/RestartPolicy", json!({"Name": "always"}));
    puts(json!({"restartPolicy": "unless-stopped"}), "/HostConfig/RestartPolicy", json!({"Name": "unless-stopped"}));
    puts(json!({"restartPolicy": "on-failure"}), "/HostConfig/RestartPolicy", json!({"Name": "on-failure"}));
    let bounded = json!({"Name": "on-failure", "MaximumRetryCount": 3});
    puts(json!({"restartPolicy": "on-failure:3"}), "/HostConfig/RestartPolicy", bounded);
}

#[test]
fn ports() {
    let ports = json!({"ports": [
        {"containerPort": 80, "hostPort": 8081},
        {"containerPort": 80, "hostPort": 8082, "hostIP": "127.0.0.1"},
        {"containerPort": 53, "protocol": "udp"},
    ], "expose": ["9000", "53/udp", "80/tcp"]});
    puts(ports.clone(), "/ExposedPorts", json!({"53/udp": {}, "80/tcp": {}, "9000/tcp": {}}));
    let bindings = json!({
        "80/tcp": [{"HostPort": "8081"}, {"HostIp": "127.0.0.1", "HostPort": "8082"}],
        "53/udp": [{"HostPort": ""}],
    });
    puts(ports, "/HostConfig/PortBindings", bindings);
}

#[test]
fn mounts() {
    let mount =
        |mount: Value, expected: Value| puts(json!({"volumeMounts": [mount]}), "/HostConfig/Mounts/0", expected);
    mount(
        json!({"type": "volume", "source": "data", "target": "/d", "readOnly": true}),
        json!({"Target": "/d", "Source": "data", "Type": "volume", "ReadOnly": true}),
    );
    mount(json!({"type": "volume", "target": "/d"}), json!({"Target": "/d", "Type": "volume"}));
    mount(
        json!({"type": "volume", "source": "data", "target": "/d", "noCopy": true, "subpath": "in/it"}),
        json!({"Target": "/d", "Source": "data", "Type": "volume", "VolumeOptions": {"NoCopy": true, "Subpath": "in/it"}}),
    );
    mount(
        json!({"type": "bind", "source": "/etc/x", "target": "/x", "propagation": "rshared"}),
        json!({"Target": "/x", "Source": "/etc/x", "Type": "bind", "BindOptions": {"Propagation": "rshared"}}),
    );
    mount(
        json!({"type": "tmpfs", "target": "/t", "size": 1048576, "mode": 1023}),
        json!({"Target": "/t", "Type": "tmpfs", "TmpfsOptions": {"SizeBytes": 1048576, "Mode": 1023}}),
    );
    let on_demand = json!({"type": "bind", "source": "/srv/x", "target": "/x", "createHostPath": true,
        "propagation": "slave", "readOnly": true});
    puts(json!({"volumeMounts": [on_demand]}), "/HostConfig/Binds", json!(["/srv/x:/x:ro,slave"]));
}

#[test]
fn a_volume_that_an_engine_makes_is_its_stacks_by_its_name() {
    let volumes = json!({"volumeMounts": [
        {"type": "volume", "source": "shop_data", "target": "/own"},
        {"type": "volume", "source": "shopping_data", "target": "/of-others"},
    ]});
    let mut spec = spec(volumes);
    let labels = [("graphium.stack", "stack:shop"), ("graphium.stack.name", "shop"), ("team", "blue")];
    spec.labels = Arc::new(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let made = serde_json::to_value(container(&spec, OLD).unwrap()).unwrap();
    let options = json!({"Labels": {
        "graphium.managed": "true", "graphium.stack": "stack:shop", "graphium.stack.name": "shop",
    }});
    assert_eq!(made["HostConfig"]["Mounts"][0]["VolumeOptions"], options);
    assert_eq!(made["HostConfig"]["Mounts"][1].get("VolumeOptions"), None);
}

#[test]
fn health_checks() {
    let check = |check: Value, expected: Value| puts(json!({"healthCheck": check}), "/Healthcheck", expected);
    check(
        json!({"type": "exec", "command": ["true"], "interval": 1.5, "timeout": 2, "retries": 3, "startPeriod": 4}),
        json!({"Test": ["CMD", "true"], "Interval": 1_500_000_000, "Timeout": 2_000_000_000_i64, "Retries": 3,
            "StartPeriod": 4_000_000_000_i64}),
    );
    check(json!({"type": "shell", "command": "test -e /ok"}), json!({"Test": ["CMD-SHELL", "test -e /ok"]}));
    check(json!({"type": "none", "interval": 3}), json!({"Test": ["NONE"]}));
    for ours in [
        json!({"type": "http", "path": "/", "port": 80}),
        json!({"type": "tcp", "port": 80}),
        json!({"type": "grpc", "port": 80}),
    ] {
        let made = body(json!({"healthCheck": ours}), NEW);
        assert_eq!(made["Healthcheck"], json!({"Test": ["NONE"]}), "the image's own must not speak beside it");
        let label: Value = serde_json::from_str(made["Labels"]["graphium.health-check"].as_str().unwrap()).unwrap();
        assert_eq!(label, ours, "by this the agent knows what to ask");
    }
}

#[test]
fn resources() {
    let resources = json!({"resources": {
        "limits": {"cpus": 1.5, "memory": 536870912, "memorySwap": -1, "pids": 100},
        "reservations": {"cpus": 0.25, "memory": 268435456},
    }});
    let expected = json!({"CpuShares": 256, "Memory": 536870912, "MemoryReservation": 268435456, "MemorySwap": -1,
        "NanoCpus": 1_500_000_000, "PidsLimit": 100});
    assert_eq!(body(resources, OLD)["HostConfig"].as_object().unwrap().len(), 6);
    for (key, value) in expected.as_object().unwrap() {
        let resources = json!({"resources": {
            "limits": {"cpus": 1.5, "memory": 536870912, "memorySwap": -1, "pids": 100},
            "reservations": {"cpus": 0.25, "memory": 268435456},
        }});
        puts(resources, &format!("/HostConfig/{key}"), value.clone());
    }
    puts(json!({"resources": {"reservations": {"cpus": 0.0001}}}), "/HostConfig/CpuShares", json!(2));
}

#[test]
fn engine_settings() {
    for (field, key, expected) in [
        (json!({"networkMode": "host"}), "NetworkMode", json!("host")),
        (json!({"extraHosts": {"db": "10.0.0.1", "six": "::1"}}), "ExtraHosts", json!(["db:10.0.0.1", "six:::1"])),
        (json!({"dns": ["1.1.1.1"]}), "Dns", json!(["1.1.1.1"])),
        (json!({"capAdd": ["NET_ADMIN"]}), "CapAdd", json!(["NET_ADMIN"])),
        (json!({"capDrop": ["ALL"]}), "CapDrop", json!(["ALL"])),
        (json!({"privileged": true}), "Privileged", json!(true)),
        (json!({"securityOpt": ["no-new-privileges"]}), "SecurityOpt", json!(["no-new-privileges"])),
        (json!({"readOnlyRootfs": true}), "ReadonlyRootfs", json!(true)),
        (json!({"shmSize": 67108864}), "ShmSize", json!(67108864)),
        (
            json!({"ulimits": [{"name": "nofile", "soft": 1, "hard": 2}]}),
            "Ulimits",
            json!([{"Name": "nofile", "Soft": 1, "Hard": 2}]),
        ),
        (
            json!({"devices": [{"hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": "rw"}]}),
            "Devices",
            json!([{"PathOnHost": "/dev/a", "PathInContainer": "/dev/b", "CgroupPermissions": "rw"}]),
        ),
        (json!({"gpus": -1}), "DeviceRequests", json!([{"Count": -1, "Capabilities": [["gpu"]]}])),
        (json!({"sysctls": {"net.core.somaxconn": "9"}}), "Sysctls", json!({"net.core.somaxconn": "9"})),
        (
            json!({"logging": {"driver": "json-file", "options": {"max-size": "1m"}}}),
            "LogConfig",
            json!({"Type": "json-file", "Config": {"max-size": "1m"}}),
        ),
        (json!({"pid": "host"}), "PidMode", json!("host")),
        (json!({"ipc": "shareable"}), "IpcMode", json!("shareable")),
        (json!({"groupAdd": ["video"]}), "GroupAdd", json!(["video"])),
        (json!({"runtime": "runsc"}), "Runtime", json!("runsc")),
    ] {
        puts(field, &format!("/HostConfig/{key}"), expected);
    }
}

#[test]
fn the_network_of_the_stack_comes_with_every_alias_once() {
    let mut asked = spec(json!({"name": "web-1", "aliases": ["www", "web"]}));
    asked.network = Some("shop".into());
    asked.aliases = vec!["web".to_owned()];
    let made = serde_json::to_value(container(&asked, OLD).unwrap()).unwrap();
    assert_eq!(made["HostConfig"]["NetworkMode"], "shop");
    assert_eq!(made["NetworkingConfig"], json!({"EndpointsConfig": {"shop": {"Aliases": ["web-1", "web", "www"]}}}));

    Arc::make_mut(&mut asked.container).network_mode = Some("none".to_owned());
    let made = serde_json::to_value(container(&asked, OLD).unwrap()).unwrap();
    assert_eq!(made["HostConfig"]["NetworkMode"], "none");
    assert_eq!(made.get("NetworkingConfig"), None);
}

#[test]
fn labels_of_the_specification_are_kept_and_ours_cannot_be_taken_away() {
    let planned = spec(json!({"name": "web"})).sealed();
    let hash = planned.planned_hash().to_string();
    let labels =
        TextMap::from([("graphium.managed", "false"), ("team", "blue")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    let asked = ContainerSpec { labels: labels.into(), ..planned };
    let made = serde_json::to_value(container(&asked, OLD).unwrap()).unwrap();
    let expected = json!({
        "graphium.managed": "true", "graphium.container": "web", "graphium.spec-hash": hash, "team": "blue",
        "graphium.health-check": ""
    });
    assert_eq!(made["Labels"], expected);
}

#[test]
fn what_would_be_misunderstood_is_refused_by_name() {
    for (definition, words) in [
        (json!({"environment": [{"name": "PW", "fromSecret": "db"}]}), "variable `PW` still waits for the secret `db`"),
        (json!({"environment": [{"name": "IP", "fromHost": "address"}]}), "variable `IP`"),
        (json!({"volumeMounts": [{"type": "volume", "source": "d", "target": "/d", "subpath": "x"}]}), "API 1.45"),
        (json!({"volumeMounts": [{"type": "bind", "source": "/a", "target": "/d", "propagation": "up"}]}), "`up`"),
        (
            json!({"volumeMounts": [{"type": "bind", "source": "/a:b", "target": "/d", "createHostPath": true}]}),
            "colon",
        ),
    ] {
        let error = container(&spec(definition), OLD).unwrap_err();
        assert!(matches!(&error, RuntimeError::Refused(said) if said.contains(words)), "{error}");
    }
}

#[test]
fn networks_and_volumes() {
    let definition: Network = serde_json::from_value(json!({"subnet": "10.1.0.0/24", "gateway": "10.1.0.1",
        "ipRange": "10.1.0.128/25", "internal": true, "options": {"mtu": "1400"}}))
    .unwrap();
    let asked = NetworkSpec { name: "shop".to_owned(), network: definition, labels: TextMap::new() };
    let expected = json!({"Name": "shop", "Driver": "bridge", "Internal": true,
        "IPAM": {"Config": [{"Subnet": "10.1.0.0/24", "IPRange": "10.1.0.128/25", "Gateway": "10.1.0.1"}]},
        "Options": {"mtu": "1400"}, "Labels": {"graphium.managed": "true"}});
    assert_eq!(serde_json::to_value(network(&asked)).unwrap(), expected);

    let definition: Volume =
        serde_json::from_value(json!({"name": "d", "driver": "nfs", "driverOpts": {"o": "ro"}})).unwrap();
    let asked = VolumeSpec { name: "shop-d".to_owned(), volume: definition, labels: TextMap::new() };
    let expected =
        json!({"Name": "shop-d", "Driver": "nfs", "DriverOpts": {"o": "ro"}, "Labels": {"graphium.managed": "true"}});
    assert_eq!(serde_json::to_value(volume(&asked)).unwrap(), expected);
}
