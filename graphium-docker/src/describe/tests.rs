#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
//! What is asked of an engine is read back from it as it was.

use super::*;
use crate::{connection::ApiVersion, convert};
use graphium_core::{
    plan::{Told, deviations},
    runtime::ContainerSpec,
};
use serde_json::json;

fn enforced() -> Enforced {
    Enforced::of(&SystemInfo::default())
}

/// A container as an engine shows it that was asked for a definition, and fills in what engines do.
fn shown(spec: &ContainerSpec, image: &Value) -> Description {
    let body = serde_json::to_value(convert::container(spec, ApiVersion(1, 45)).unwrap()).unwrap();
    let mut config = body;
    let mut host = config.as_object_mut().unwrap().remove("HostConfig").unwrap();
    let mut default = |key: &str, value: Value| {
        host.as_object_mut().unwrap().entry(key).or_insert(value);
    };
    default("ShmSize", json!(67_108_864));
    default("IpcMode", json!("private"));
    default("Runtime", json!("runc"));
    default("LogConfig", json!({"Type": "json-file", "Config": {}}));
    default("RestartPolicy", json!({"Name": "no"}));
    let memory = host["Memory"].as_i64().unwrap_or(0);
    host.as_object_mut().unwrap().entry("MemorySwap").or_insert(json!(memory * 2));
    config.as_object_mut().unwrap().entry("Hostname").or_insert(json!("4f5a4f5a4f5a"));
    let config = serde_json::from_value(config).unwrap();
    let response = ContainerInspectResponse {
        id: Some("4f5a4f5a4f5a4f5a".to_owned()),
        name: Some("/shop-web".to_owned()),
        config: Some(config),
        host_config: Some(serde_json::from_value(host).unwrap()),
        ..ContainerInspectResponse::default()
    };
    let info = SystemInfo {
        logging_driver: Some("json-file".to_owned()),
        default_runtime: Some("runc".to_owned()),
        ..SystemInfo::default()
    };
    describe(response, serde_json::from_value(image.clone()).unwrap(), &info, enforced())
}

#[test]
fn whatever_was_asked_for_differs_in_nothing_and_something_else_does() {
    let definitions = [
        json!({"image": "nginx:alpine"}),
        json!({"image": "a:1", "command": ["a", "b"], "args": ["c"], "entrypoint": ["/run"], "workingDir": "/srv", "user": "1"}),
        json!({"image": "a:1", "environment": [{"name": "A", "value": "b=c"}, {"name": "E", "value": ""}], "hostname": "db"}),
        json!({"image": "a:1", "ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1"},
                                         {"containerPort": 53, "protocol": "udp"}], "expose": ["9000", "53/udp"]}),
        json!({"image": "a:1", "volumeMounts": [
            {"type": "volume", "source": "data", "target": "/d", "readOnly": true},
            {"type": "volume", "target": "/anonymous"},
            {"type": "bind", "source": "/etc/x", "target": "/x", "propagation": "rshared"},
            {"type": "bind", "source": "/srv/x", "target": "/y", "createHostPath": true, "readOnly": true},
            {"type": "tmpfs", "target": "/t", "size": 1048576, "mode": 1023}]}),
        json!({"image": "a:1", "healthCheck": {"type": "exec", "command": ["true", "-x"], "interval": 5, "retries": 2}}),
        json!({"image": "a:1", "healthCheck": {"type": "shell", "command": "true || false", "startPeriod": 1.5}}),
        json!({"image": "a:1", "healthCheck": {"type": "http", "path": "/", "port": 80}}),
        json!({"image": "a:1", "healthCheck": {"type": "none"}}),
        json!({"image": "a:1", "restartPolicy": "on-failure:3", "resources": {
            "limits": {"cpus": 0.5, "memory": 536870912, "pids": 64}, "reservations": {"cpus": 0.25, "memory": 1048576}}}),
        json!({"image": "a:1", "init": true, "tty": true, "stdinOpen": true, "stopSignal": "SIGINT", "stopGracePeriod": 90}),
        json!({"image": "a:1", "networkMode": "host", "pid": "host", "ipc": "host", "privileged": true}),
        json!({"image": "a:1", "extraHosts": {"db": "10.0.0.1"}, "dns": ["1.1.1.1"], "sysctls": {"net.core.somaxconn": "9"}}),
        json!({"image": "a:1", "capAdd": ["NET_ADMIN"], "capDrop": ["ALL"], "securityOpt": ["no-new-privileges"],
               "readOnlyRootfs": true, "groupAdd": ["9"]}),
        json!({"image": "a:1", "shmSize": 1048576, "ulimits": [{"name": "nofile", "soft": 1, "hard": 2}], "gpus": -1,
               "devices": [{"hostPath": "/dev/a", "containerPath": "/dev/b", "permissions": "rw"}]}),
        json!({"image": "a:1", "logging": {"driver": "local", "options": {"max-size": "1m"}}, "runtime": "crun"}),
        json!({"image": "a:1", "labels": {"tier": "front"}}),
    ];
    let image = json!({});
    let specs: Vec<ContainerSpec> = definitions
        .iter()
        .map(|definition| {
            let container: Container = serde_json::from_value(definition.clone()).unwrap();
            ContainerSpec::new("shop-web", container)
        })
        .collect();
    for (place, spec) in specs.iter().enumerate() {
        let description = shown(spec, &image);
        assert_eq!(deviations(spec, &Told::default(), &description), [], "{}", definitions[place]);
        assert_eq!(!deviations(&specs[0], &Told::default(), &description).is_empty(), place > 0);
        assert_eq!(description.name, "shop-web");
    }
}

#[test]
fn the_notations_of_compose_are_read() {
    let bound = |line: &str| bind(line).map(|mount| serde_json::to_value(mount).unwrap());
    assert_eq!(bound("shop_data:/data:rw"), Some(json!({"type": "volume", "source": "shop_data", "target": "/data"})));
    assert_eq!(
        bound("/srv:/srv:ro"),
        Some(json!({"type": "bind", "source": "/srv", "createHostPath": true, "target": "/srv", "readOnly": true}))
    );
    assert_eq!(bound("/srv:/srv:z"), None);
    assert_eq!(memory("size=64m,mode=1777"), Some(MountKind::Tmpfs { size: Some(64 << 20), mode: Some(0o1777) }));
    assert_eq!((memory("exec"), memory("")), (None, Some(MountKind::Tmpfs { size: None, mode: None })));
}

#[test]
fn what_no_document_can_say_is_told_in_the_engines_words() {
    let host: HostConfig = serde_json::from_value(json!({
        "CpusetCpus": "0", "Links": ["/db:/web/db"], "OomScoreAdj": 0, "AutoRemove": false, "Binds": ["/a:/a:z"],
        "PortBindings": {"80/tcp": [{"HostPort": "8000-8010"}]}
    }))
    .unwrap();
    let response = ContainerInspectResponse { host_config: Some(host), ..ContainerInspectResponse::default() };
    let shown = describe(response, ImageConfig::default(), &SystemInfo::default(), enforced());
    let words: Vec<&str> = shown.beyond.keys().map(String::as_str).collect();
    assert_eq!(words, ["Binds./a:/a:z", "CpusetCpus", "Links", "PortBindings.80/tcp"]);
}
