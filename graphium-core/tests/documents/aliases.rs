//! Older spellings give the same stack as the canonical ones, each with a note; native documents refuse them.

use graphium_core::{
    document::{Profile, ReadContext, Reading, format, read},
    stack::{EnvValue, MountKind, OnDrift, Stack},
};

fn document(context: &str, keys: &str, container: &str) -> String {
    format!(
        r#"{{"@context": "{context}", "@type": "datacenter:Stack", "@id": "stack:s", "name": "s"{keys}, "hasPart": [
        {{"@type": "datacenter:Container", "@id": "container:c", "name": "c"{container}}}]}}"#
    )
}

fn native(keys: &str, container: &str) -> String {
    document("https://graphium.io/context/v1.jsonld", keys, container)
}

fn older(keys: &str, container: &str) -> String {
    document("https://schema.org", keys, container)
}

fn reads(source: &str) -> Reading {
    read(source, &ReadContext::default()).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"))
}

fn stack(source: &str) -> Stack {
    let reading = reads(source);
    assert_eq!(reading.profile, Profile::Native);
    assert!(reading.notes.is_empty(), "a canonical document needs no note: {:#?}", reading.notes);
    reading.stack
}

/// Formatting makes a native document of it that reads to the same and stays as it is.
fn is_formatted(source: &str) -> String {
    let before = reads(source);
    let formatted = format(source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"));
    let after = reads(&formatted.text);
    assert_eq!((after.profile, &after.stack, after.options), (Profile::Native, &before.stack, before.options));
    let old: Vec<_> = after.notes.iter().filter(|note| matches!(note.code.as_ref(), "alias" | "older-form")).collect();
    assert!(old.is_empty(), "{}\n{old:#?}", formatted.text);
    assert_eq!(format(&formatted.text).unwrap().text, formatted.text);
    formatted.text
}

/// Older keys of a container, the canonical ones, and what a note must say.
const CONTAINER: &[(&str, &str, &str)] = &[
    (r#""executableName": "i""#, r#""image": "i""#, "`executableName` is called `image`"),
    (r#""hostedOn": {"@id": "host:vm1"}"#, r#""locatedInHost": "vm1""#, "`hostedOn` is called `locatedInHost`"),
    // Ports.
    (
        r#""containerPort": [{"@type": "Port", "portNumber": 80, "hostPort": 8081, "protocol": "TCP"}]"#,
        r#""ports": [{"containerPort": 80, "hostPort": 8081, "protocol": "tcp"}]"#,
        "`portNumber` is called `containerPort`",
    ),
    (
        r#""containerPort": [{"@type": "PropertyValue", "name": "http", "value": "80", "description": "8080:80"}]"#,
        r#""ports": [{"containerPort": 80, "hostPort": 8080}]"#,
        "a port as a `PropertyValue`",
    ),
    (
        r#""containerPort": {"@type": "PropertyValue", "name": "dns", "value": "53/udp", "description": "name service"}"#,
        r#""ports": [{"containerPort": 53, "protocol": "udp"}]"#,
        "write {\"containerPort\": 53, \"protocol\": \"udp\"}",
    ),
    (
        r#""containerPort": {"value": "80", "description": "127.0.0.1:8080:80"}"#,
        r#""ports": [{"containerPort": 80, "hostPort": 8080, "hostIP": "127.0.0.1"}]"#,
        "write {\"containerPort\": 80, \"hostPort\": 8080, \"hostIP\": \"127.0.0.1\"}",
    ),
    (
        r#""containerPort": {"value": "80", "description": "[::1]::80/udp"}"#,
        r#""ports": [{"containerPort": 80, "protocol": "udp", "hostIP": "::1"}]"#,
        "a port as a `PropertyValue`",
    ),
    (
        r#""containerPort": {"value": "80-82", "name": "web", "description": "8000-8002:80-82/TCP"}"#,
        r#""ports": [{"containerPort": 80, "hostPort": 8000}, {"containerPort": 81, "hostPort": 8001}, {"containerPort": 82, "hostPort": 8002}]"#,
        "for each port of the range",
    ),
    (
        r#""containerPort": {"value": "80-81/udp", "description": "the pages"}"#,
        r#""ports": [{"containerPort": 80, "protocol": "udp"}, {"containerPort": 81, "protocol": "udp"}]"#,
        "for each port of the range",
    ),
    (r#""containerPort": 80"#, r#""ports": [{"containerPort": 80}]"#, "a port as a bare number"),
    (
        r#""ports": [{"containerPort": "80", "hostIp": "::1"}]"#,
        r#""ports": [{"containerPort": 80, "hostIP": "::1"}]"#,
        "`hostIP`",
    ),
    // Environment.
    (
        r#""environment": {"type": "x", "N": 1, "F": true, "S": {"fromSecret": "s"}, "name": "n"}"#,
        r#""environment": [{"name": "type", "value": "x"}, {"name": "N", "value": "1"}, {"name": "F", "value": "true"},
            {"name": "S", "fromSecret": "s"}, {"name": "name", "value": "n"}]"#,
        "the environment as an object",
    ),
    (
        r#""environmentVariable": [{"@type": "PropertyValue", "name": "A", "value": "1"}]"#,
        r#""environment": [{"name": "A", "value": "1"}]"#,
        "`environmentVariable` is called `environment`",
    ),
    (
        r#""env": {"A": "1"}, "environmentVariable": {"name": "B", "value": "2"}"#,
        r#""environment": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]"#,
        "`env` is called `environment`",
    ),
    // Storage.
    (
        r#""volumes": [{"name": "data", "mountPath": "/data", "readOnly": true}]"#,
        r#""volumeMounts": [{"type": "volume", "source": "data", "target": "/data", "readOnly": true}]"#,
        "`mountPath` is called `target`",
    ),
    (
        r#""volumes": [{"name": "data", "mountPath": "/data", "driver": "nfs", "driverOpts": {"o": "1"}, "labels": {"l": "2"}}]"#,
        r#""volumeMounts": [{"type": "volume", "source": "data", "target": "/data",
            "volumeOptions": {"driver": "nfs", "driverOpts": {"o": "1"}, "labels": {"l": "2"}}}]"#,
        "`driverOpts` is called `volumeOptions.driverOpts`",
    ),
    (
        r#""volumeMount": [{"source": "/etc/x", "target": "/x"}]"#,
        r#""volumeMounts": [{"type": "bind", "source": "/etc/x", "target": "/x"}]"#,
        "`volumeMount` is called `volumeMounts`",
    ),
    (
        r#""volumeMount": [{"hostPath": "/etc/x", "target": "/x"}]"#,
        r#""volumeMounts": [{"type": "bind", "source": "/etc/x", "target": "/x"}]"#,
        "`hostPath` is called `source`",
    ),
    (
        r#""storageRequirement": [{"@type": "PropertyValue", "name": "d", "value": "data:/data"}, "/srv:/srv:ro"]"#,
        r#""volumeMounts": [{"type": "volume", "source": "data", "target": "/data"},
            {"type": "bind", "source": "/srv", "target": "/srv", "readOnly": true}]"#,
        "`source:target`",
    ),
    // Health.
    (
        r#""healthCheck": {"command": ["CMD", "true"], "interval": "30s"}"#,
        r#""healthCheck": {"type": "exec", "command": ["true"], "interval": 30}"#,
        "",
    ),
    (
        r#""healthcheck": {"test": ["CMD-SHELL", "a || b"], "interval": "1m30s"}"#,
        r#""healthCheck": {"type": "exec", "command": ["CMD-SHELL", "a || b"], "interval": 90}"#,
        "`test` is called `command`",
    ),
    (
        r#""healthCheck": {"test": "a || b", "startPeriodSeconds": 4}"#,
        r#""healthCheck": {"type": "exec", "command": ["CMD-SHELL", "a || b"], "startPeriod": "4s"}"#,
        "a health check as one string",
    ),
    (
        r#""healthCheck": {"type": "command", "command": ["a", "b"], "intervalSeconds": 10, "timeoutSeconds": 5}"#,
        r#""healthCheck": {"type": "exec", "command": ["a", "b"], "interval": "10s", "timeout": "5s"}"#,
        "`intervalSeconds` is called `interval`",
    ),
    (
        r#""healthCheck": {"path": "/up"}, "ports": [{"containerPort": 81}]"#,
        r#""healthCheck": {"type": "http", "path": "/up", "port": 81}, "ports": [{"containerPort": 81}]"#,
        "",
    ),
    (r#""healthCheck": {"test": ["NONE"]}"#, r#""healthCheck": {"type": "none"}"#, "`test`"),
    // Resources.
    (
        r#""resources": {"cpu": "0.5", "memory": "512M"}"#,
        r#""resources": {"limits": {"cpus": 0.5, "memory": 536870912}}"#,
        "`cpu` is called `limits.cpus`",
    ),
    (
        r#""resources": {"cpus": 2, "memorySwap": -1, "pids": 9}"#,
        r#""resources": {"limits": {"cpus": 2, "memorySwap": -1, "pids": 9}}"#,
        "`memorySwap` is called `limits.memorySwap`",
    ),
    (
        r#""resources": {"limits": {"cpu": 2}, "reservations": {"cpu": 1}}"#,
        r#""resources": {"limits": {"cpus": 2}, "reservations": {"cpus": 1}}"#,
        "`cpu` is called `cpus`",
    ),
    (
        r#""resourceRequirements": {"minCPU": 1, "maxCPU": 2, "minMemory": "1G", "maxMemory": "2G",
            "requiredLabels": {"disk": "ssd"}, "preferredDatacenter": "datacenter:dc1"}"#,
        r#""resources": {"limits": {"cpus": 2, "memory": "2G"}, "reservations": {"cpus": 1, "memory": "1G"}},
            "requirements": {"labels": {"disk": "ssd"}, "preferredDatacenter": "dc1"}"#,
        "`resourceRequirements` is said with `resources`",
    ),
    (
        r#""resourceRequirements": {"minCpu": 1, "maxCpu": 2}"#,
        r#""resources": {"limits": {"cpus": 2}, "reservations": {"cpus": 1}}"#,
        "`minCpu` is called `minCPU`",
    ),
    // Process and engine.
    (
        r#""command": "sh -c 'echo \"$HOME\"'""#,
        r#""command": ["sh", "-c", "echo \"$HOME\""]"#,
        "a command as one string",
    ),
    (r#""pullPolicy": "missing""#, r#""pullPolicy": "if-not-present""#, "`missing` is spelt `if-not-present`"),
    (r#""tty": "true", "replicas": "2""#, r#""tty": true, "replicas": 2"#, "a flag in quotes"),
    (r#""labels": {"n": 1}"#, r#""labels": {"n": "1"}"#, "write \"1\""),
    (r#""extraHosts": ["db:10.0.0.1"]"#, r#""extraHosts": {"db": "10.0.0.1"}"#, "an array of hosts"),
    (
        r#""ulimits": {"nproc": 7, "nofile": {"soft": 1, "hard": 2}}"#,
        r#""ulimits": [{"name": "nproc", "soft": 7, "hard": 7}, {"name": "nofile", "soft": 1, "hard": 2}]"#,
        "ulimits as an object",
    ),
    (
        r#""devices": ["/dev/a", "/dev/b:/dev/c:r"]"#,
        r#""devices": [{"hostPath": "/dev/a"}, {"hostPath": "/dev/b", "containerPath": "/dev/c", "permissions": "r"}]"#,
        "a device as a string",
    ),
    (r#""position": 1, "comment": "x""#, r#""user": "u""#, "`comment`"),
];

#[test]
fn older_spellings_of_a_container_mean_the_canonical_ones() {
    let user = |keys: &str| if keys.contains("comment") { r#", "user": "u""# } else { "" };
    for (old, canonical, note) in CONTAINER {
        let image = |keys: &str| match keys.contains(r#""executableName""#) || keys.contains(r#""image""#) {
            true => format!(", {keys}"),
            false => format!(r#", "image": "i", {keys}"#),
        };
        let reading = reads(&older("", &(image(old) + user(old))));
        assert_eq!(reading.stack, stack(&native("", &image(canonical))), "{old}");
        is_formatted(&older("", &(image(old) + user(old))));
        let texts: Vec<String> = reading.notes.iter().map(ToString::to_string).collect();
        assert!(texts.iter().any(|text| text.contains(note)) || note.is_empty(), "{old}: {texts:#?} lacks {note}");
        if !note.is_empty() {
            assert!(read(native("", &image(old)), &ReadContext::default()).is_err(), "native: {old}");
        }
    }
}

/// The same for keys of the stack.
const STACK: &[(&str, &str, &str)] = &[
    (r#""hostedOn": "vm1""#, r#""locatedInHost": {"@id": "host:vm1"}"#, "`hostedOn`"),
    (r#""network": {"createIfNotExists": false}"#, r#""network": {"external": true}"#, "`createIfNotExists`"),
    (r#""network": {"driverOpts": {"a": "b"}}"#, r#""network": {"options": {"a": "b"}}"#, "`options`"),
    (
        r#""deployment": {"strategy": "Spread", "mode": "MultiHost", "hostConstraints": {"containerName": "c", "minCPU": "2", "requiredLabels": {"a": "b"}}}"#,
        r#""deployment": {"placementStrategy": "spread", "mode": "multi-host", "hostConstraints": [{"containerName": "c", "minCpu": 2, "labels": {"a": "b"}}]}"#,
        "`strategy` is called `placementStrategy`",
    ),
];

#[test]
fn older_spellings_of_a_stack_mean_the_canonical_ones() {
    for (old, canonical, note) in STACK {
        let reading = reads(&older(&format!(", {old}"), r#", "image": "i""#));
        assert_eq!(reading.stack, stack(&native(&format!(", {canonical}"), r#", "image": "i""#)), "{old}");
        is_formatted(&older(&format!(", {old}"), r#", "image": "i""#));
        assert!(reading.notes.iter().any(|found| found.to_string().contains(note)), "{old}: {:#?}", reading.notes);
    }
}

#[test]
fn an_item_list_is_in_the_order_of_its_positions() {
    let source = r#"{"@context": "http://schema.org/", "@type": "ItemList", "name": "My Shop", "itemListElement": [
        {"@type": "SoftwareApplication", "position": 2, "name": "two", "image": "i"},
        {"@type": "ListItem", "position": 1, "item": {"@type": "SoftwareApplication", "name": "one", "image": "i"}}]}"#;
    is_formatted(source);
    let stack = reads(source).stack;
    assert_eq!((stack.name.as_str(), stack.id.as_str()), ("my-shop", "stack:my-shop"));
    assert_eq!(stack.containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(stack.containers[0].id, "container:my-shop/one");
}

#[test]
fn a_software_application_with_parts_is_a_stack() {
    let source = r#"{"@context": "https://schema.org/", "@graph": [{"@type": "SoftwareApplication", "name": "s",
        "hasPart": {"@type": "SoftwareApplication", "name": "c", "image": "i"}}]}"#;
    is_formatted(source);
    assert_eq!(reads(source).stack.containers.len(), 1);
}

#[test]
fn prefixes_of_ours_are_terms_and_foreign_ones_are_annotations() {
    let source = r#"{"@context": ["https://graphium.io/context/v1.jsonld", {"dc": "https://graphium.io/vocab/datacenter#", "x": "https://example.org/x#"}],
        "@type": "dc:Stack", "@id": "stack:s", "schema:name": "s", "x:owner": {"team": [1, 2.5, null]},
        "dc:hasPart": [{"@type": "https://graphium.io/vocab/datacenter#Container", "@id": "c", "name": "c",
        "docker:image": "i", "x:tier": "front", "http://schema.org/description": "d",
        "https://example.org/y#since": 2020, "urn:example:note": ["a"]}]}"#;
    is_formatted(source);
    let stack = stack(source);
    assert_eq!(stack.annotations["x:owner"], serde_json::json!({"team": [1, 2.5, null]}));
    assert_eq!(stack.containers[0].annotations["x:tier"], "front");
    assert_eq!(stack.containers[0].annotations["https://example.org/y#since"], 2020, "a whole IRI needs no prefix");
    assert_eq!(stack.containers[0].annotations["urn:example:note"], serde_json::json!(["a"]));
    assert_eq!(stack.containers[0].description.as_deref(), Some("d"));
}

#[test]
fn containers_may_stand_beside_their_stack() {
    let source = r#"{"@context": "https://graphium.io/context/v1.jsonld", "@graph": [
        {"@type": "Container", "@id": "container:b", "name": "b", "image": "i", "dependsOn": ["container:a"]},
        {"@type": "Stack", "@id": "stack:s", "name": "s", "hasPart": [{"@id": "container:a"}, "container:b"]},
        {"@type": "Container", "@id": "container:a", "name": "a", "image": "i"}]}"#;
    is_formatted(source);
    let stack = stack(source);
    assert_eq!(stack.containers.iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(stack.containers[1].depends_on[0].container, "a");
}

#[test]
fn hosts_know_their_racks_and_datacenters() {
    let source = r#"{"@context": "https://schema.org", "@graph": [
        {"@type": "datacenter:Datacenter", "@id": "datacenter:dc1", "name": "One"},
        {"@type": "datacenter:Rack", "@id": "rack:r1", "locatedInDatacenter": {"@id": "datacenter:dc1"}},
        {"@type": "datacenter:Host", "@id": "host:vm1", "ipAddress": "10.0.0.1", "locatedInRack": "rack:r1"},
        {"@type": "x:DockerHost", "@id": "vm2", "locatedInDatacenter": "dc2"},
        {"@type": "Stack", "@id": "s", "name": "s", "hasPart": [{"name": "c", "image": "i", "@id": "c"}]}]}"#;
    is_formatted(source);
    let hosts = reads(source).stack.hosts;
    let place = |at: usize| (hosts[at].id.as_str(), hosts[at].rack.as_deref(), hosts[at].datacenter.as_deref());
    assert_eq!(place(0), ("vm1", Some("r1"), Some("dc1")));
    assert_eq!(place(1), ("vm2", None, Some("dc2")));
}

#[test]
fn datacenters_and_racks_may_be_referred_to_by_what_people_call_them() {
    let source = r#"{"@context": "https://schema.org", "@graph": [
        {"@type": "datacenter:Datacenter", "@id": "datacenter:dc1", "name": "Frankfurt"},
        {"@type": "datacenter:Datacenter", "@id": "datacenter:dc2", "name": "dc1"},
        {"@type": "datacenter:Datacenter", "@id": "datacenter:dc3", "name": "Paris"},
        {"@type": "datacenter:Datacenter", "@id": "datacenter:dc4", "name": "Paris"},
        {"@type": "datacenter:Rack", "@id": "rack:r1", "name": "Window", "locatedInDatacenter": "Frankfurt"},
        {"@type": "datacenter:Host", "@id": "host:vm1", "locatedInRack": "Window"},
        {"@type": "datacenter:Host", "@id": "host:vm2", "locatedInDatacenter": "dc1"},
        {"@type": "datacenter:Host", "@id": "host:vm3", "locatedInDatacenter": "Paris"},
        {"@type": "Stack", "@id": "s", "name": "s", "hasPart": [{"name": "c", "image": "i", "@id": "c"}],
         "deployment": {"targetDatacenter": "Frankfurt"}}]}"#;
    let stack = reads(source).stack;
    let place = |at: usize| (stack.hosts[at].rack.as_deref(), stack.hosts[at].datacenter.as_deref());
    assert_eq!(place(0), (Some("r1"), Some("dc1")));
    // An `@id` comes before a name, and a name that two have is left as it is.
    assert_eq!((place(1), place(2)), ((None, Some("dc1")), (None, Some("Paris"))));
    assert_eq!(stack.deployment.target_datacenter.as_deref(), Some("dc1"));
    let names: Vec<_> = stack.datacenters.iter().map(|center| (center.id.as_str(), center.name.as_str())).collect();
    assert_eq!(names, [("dc1", "Frankfurt")]);
}

#[test]
fn a_request_carries_its_options() {
    let inner = older("", r#", "image": "i""#);
    let source = format!(
        r#"{{"stackDefinition": {inner}, "timeout": "5m", "rollbackOnError": true, "onDrift": "report", "pullImages": false}}"#
    );
    is_formatted(&source);
    let options = reads(&source).options;
    assert_eq!(options.timeout.map(|time| time.as_secs()), Some(300));
    assert_eq!((options.rollback_on_error, options.pull_images), (Some(true), Some(false)));
    assert_eq!(options.on_drift, Some(OnDrift::Report));
}

#[test]
fn a_secret_is_a_reference_and_never_its_value() {
    let variables = |name: &str| Some(format!("the value of {name}"));
    let source = native("", r#", "image": "i", "environment": [{"name": "A", "fromSecret": "token"}]"#);
    let stack = read(&source, &ReadContext::new(&variables)).unwrap().stack;
    assert_eq!(stack.containers[0].environment[0].value, EnvValue::FromSecret("token".to_owned()));
}

#[test]
fn variables_are_filled_in_wherever_a_value_is_read() {
    let variables = |name: &str| match name {
        "TAG" => Some("1.2".to_owned()),
        "PORT" => Some("8080".to_owned()),
        _ => None,
    };
    let source = native(
        r#", "locatedInHost": "${HOST:-vm1}""#,
        r#", "image": "app:${TAG}", "ports": [{"containerPort": "${PORT}"}], "command": ["echo", "$${TAG}", "$TAG"],
            "tty": "${TTY:-true}", "stopGracePeriod": "${GRACE:-20s}", "gpus": "${GPUS:-all}",
            "resources": {"limits": {"memorySwap": "${SWAP:--1}"}},
            "volumeMounts": [{"type": "tmpfs", "target": "/t", "tmpfsOptions": {"mode": "${MODE:-1777}"}}]"#,
    );
    let stack = read(&source, &ReadContext::new(&variables)).unwrap().stack;
    let container = &stack.containers[0];
    assert_eq!(container.image, "app:1.2");
    assert_eq!(container.ports[0].container_port, 8080);
    assert_eq!(container.command.as_deref().unwrap(), ["echo", "${TAG}", "$TAG"]);
    assert!(container.tty);
    assert_eq!((container.gpus, container.resources.limits.memory_swap), (Some(-1), Some(-1)));
    assert_eq!(container.volume_mounts[0].kind, MountKind::Tmpfs { size: None, mode: Some(0o1777) });
    assert_eq!(stack.host.unwrap().as_str(), "vm1");
}
