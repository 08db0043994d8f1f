//! A document with some members at one place, and nothing else of interest.

use super::super::schema::{self, Place};
use serde_json::{Value, json};

pub(super) const NATIVE: &str = "https://graphium.io/context/v1.jsonld";
pub(super) const OLDER: &str = "https://schema.org";

macro_rules! places {
    ($($name:ident)*) => { pub(super) const PLACES: &[(&str, &Place)] = &[$((stringify!($name), &schema::$name)),*]; };
}
places! {
    BIND_OPTIONS CONTAINER DEPENDENCY DEPLOYMENT DEVICE DOCUMENT ENVELOPE ENV_SOURCE ENV_VAR HEALTH_CHECK HOST
    HOST_CONSTRAINT LIMITS LIST_ITEM LOGGING MOUNT NAMED NETWORK PORT PROPERTY_VALUE RACK REFERENCE REQUIREMENTS
    RESERVATIONS RESOURCES RESOURCE_REQUIREMENTS STACK TMPFS_OPTIONS ULIMIT UPDATE VOLUME VOLUME_OPTIONS
}

/// A document in which the place has these members, and what it needs beside them.
pub(super) fn document(context: &str, place: &str, members: &str) -> String {
    let members: Value = serde_json::from_str(&format!("{{{members}}}")).unwrap();
    whole(context, place, members).to_string()
}

fn whole(context: &str, place: &str, members: Value) -> Value {
    let in_stack = |key: &str, value: Value| with_context(context, stack(json!({ key: value })));
    let in_container = |key: &str, value: Value| with_context(context, holding(json!({ key: value })));
    let mount = |word: &str, source: Option<&str>, options: &str| {
        let mount = json!({ "type": word, "target": "/t", options: members });
        let source = source.map(|source| json!({ "source": source })).unwrap_or_else(|| json!({}));
        in_container("volumeMounts", json!([joined(mount, source)]))
    };
    let has = |key: &str| members.get(key).is_some();
    let needs = |keys: &[&str], base: Value| defaulted(members.clone(), keys, base);
    match place {
        "DOCUMENT" if has("@id") => with_context(context, joined(members, json!({ "@graph": [stack(json!({}))] }))),
        "DOCUMENT" => with_context(context, json!({ "@graph": [stack(json!({}))] })),
        "ENVELOPE" if has("@context") => json!({ "@context": context, "stackDefinition": stack(json!({})) }),
        "ENVELOPE" if has("stackDefinition") => json!({ "stackDefinition": with_context(context, stack(json!({}))) }),
        "ENVELOPE" => needs(&["-"], json!({ "stackDefinition": with_context(context, stack(json!({}))) })),
        "STACK" => with_context(context, stack(members)),
        "CONTAINER" => with_context(context, holding(members)),
        "LIST_ITEM" if context == NATIVE => in_stack("hasPart", json!([only()])),
        "LIST_ITEM" => in_stack("itemListElement", json!([needs(&["item"], json!({ "item": only() }))])),
        "NETWORK" => in_stack("network", members),
        "VOLUME" => in_stack("volumes", json!([needs(&["name"], json!({ "name": "v" }))])),
        "DEPLOYMENT" => {
            let strategy = members.get("placementStrategy").or(members.get("strategy")).and_then(Value::as_str);
            // A stack whose containers nobody may place is none.
            match strategy.map(str::to_ascii_lowercase).as_deref() {
                Some("manual") => {
                    with_context(context, stack(json!({ "deployment": members, "locatedInHost": "vm1" })))
                }
                Some("datacenter") => in_stack(
                    "deployment",
                    defaulted(members, &["targetDatacenter"], json!({ "targetDatacenter": "dc1" })),
                ),
                _ => in_stack("deployment", members),
            }
        }
        "UPDATE" => in_stack("deployment", json!({ "update": members })),
        "HOST_CONSTRAINT" => {
            let constraint = needs(&["containerName"], json!({ "containerName": "c" }));
            in_stack("deployment", json!({ "hostConstraints": [constraint] }))
        }
        "REFERENCE" => in_container("locatedInHost", needs(&["@id", "name"], json!({ "@id": "vm1" }))),
        "NAMED" => in_stack("secrets", json!([needs(&["name"], json!({ "name": "token" }))])),
        "HOST" | "RACK" => with_context(context, topology(place, members)),
        "PORT" => {
            let port = needs(&["containerPort", "portNumber"], json!({ "containerPort": 80 }));
            in_container("ports", json!([port]))
        }
        "PROPERTY_VALUE" => in_container("ports", json!([needs(&["value"], json!({ "value": "80" }))])),
        "ENV_VAR" => {
            let variable = needs(&["name"], json!({ "name": "A" }));
            let variable = defaulted(variable, &["value", "fromSecret", "fromHost"], json!({ "value": "b" }));
            in_container("environment", json!([variable]))
        }
        "ENV_SOURCE" => in_container("environment", json!({ "A": members })),
        "MOUNT" => in_container("volumeMounts", json!([needs(&["target", "mountPath"], json!({ "target": "/t" }))])),
        "VOLUME_OPTIONS" => mount("volume", Some("v"), "volumeOptions"),
        "BIND_OPTIONS" => mount("bind", Some("/s"), "bindOptions"),
        "TMPFS_OPTIONS" => mount("tmpfs", None, "tmpfsOptions"),
        "HEALTH_CHECK" => {
            let check = needs(&["type", "command", "test", "path"], json!({ "type": "tcp" }));
            let asks = check["type"].as_str().is_some_and(|word| word.eq_ignore_ascii_case("tcp"));
            let check = if asks { defaulted(check, &["port"], json!({ "port": 80 })) } else { check };
            in_container("healthCheck", check)
        }
        "RESOURCES" => in_container("resources", members),
        "LIMITS" => in_container("resources", json!({ "limits": members })),
        "RESERVATIONS" => in_container("resources", json!({ "reservations": members })),
        "RESOURCE_REQUIREMENTS" => in_container("resourceRequirements", members),
        "REQUIREMENTS" => in_container("requirements", members),
        "DEPENDENCY" => in_container("dependsOn", json!([needs(&["@id", "name"], json!({ "@id": "b" }))])),
        "ULIMIT" => {
            let limit = defaulted(needs(&["name"], json!({ "name": "nofile" })), &["hard"], json!({ "hard": 5 }));
            in_container("ulimits", json!([limit]))
        }
        "DEVICE" => in_container("devices", json!([needs(&["hostPath"], json!({ "hostPath": "/dev/a" }))])),
        "LOGGING" => in_container("logging", members),
        other => panic!("no document for {other}"),
    }
}

fn joined(mut one: Value, other: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut one, other) else { panic!("not objects") };
    for (key, value) in more {
        members.entry(key).or_insert(value);
    }
    one
}

/// Members, and `base` unless they have one of these keys.
fn defaulted(members: Value, keys: &[&str], base: Value) -> Value {
    if keys.iter().any(|key| members.get(key).is_some()) { members } else { joined(members, base) }
}

fn with_context(context: &str, document: Value) -> Value {
    joined(json!({ "@context": context }), document)
}

fn only() -> Value {
    json!({ "@type": "datacenter:Container", "name": "only", "image": "i" })
}

/// A stack of one container with these members, and two more for whoever refers to another.
fn holding(members: Value) -> Value {
    let base = json!({ "@type": "datacenter:Container", "@id": "container:c", "name": "c" });
    let container = defaulted(joined(members, base), &["image", "executableName"], json!({ "image": "i" }));
    let other = |name: &str| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": "i",
            "healthCheck": { "type": "tcp", "port": 1 },
        })
    };
    stack(json!({ "hasPart": [container, other("b"), other("d")] }))
}

fn stack(members: Value) -> Value {
    let stack = joined(members, json!({ "@type": "datacenter:Stack", "@id": "stack:s", "name": "s" }));
    match ["hasPart", "itemListElement"].iter().any(|key| stack.get(key).is_some()) {
        true => stack,
        false => joined(stack, json!({ "hasPart": holding(json!({}))["hasPart"] })),
    }
}

/// A host in a rack in a datacenter.
fn topology(place: &str, members: Value) -> Value {
    let (host, rack) = if place == "HOST" { (members, json!({})) } else { (json!({}), members) };
    let host = defaulted(host, &["@id", "name"], json!({ "@id": "host:vm1" }));
    let host = joined(host, json!({ "@type": "datacenter:Host", "locatedInRack": "rack:r1" }));
    let rack = defaulted(rack, &["@id", "name"], json!({ "@id": "rack:r1" }));
    let rack = joined(rack, json!({ "@type": "datacenter:Rack", "locatedInDatacenter": "datacenter:dc1" }));
    json!({ "@graph": [stack(json!({})), host, rack] })
}
