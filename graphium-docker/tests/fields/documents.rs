//! A document in which one place has some members, and what it needs beside them.

use serde_json::{Value, json};

/// The image of every container here, under its usual name.
pub(crate) const IMAGE: &str = "graphium-fields:usual";

/// The text of a stack of that name.
pub(crate) fn document(stack: &str, place: &str, members: &str) -> String {
    let members = members.replace("{stack}", stack);
    let members: Value = serde_json::from_str(&format!("{{{members}}}")).expect("members of a JSON object");
    let (parts, rest) = match place {
        "network" => (json!({}), json!({ "network": members })),
        "volume" => {
            let volume = with(members, json!({ "name": "v" }));
            let mount = json!({ "type": "volume", "source": volume["name"], "target": "/t" });
            (json!({ "volumeMounts": [mount] }), json!({ "volumes": [volume] }))
        }
        _ => (container(place, members), json!({})),
    };
    let base = |name: &str| json!({ "@type": "datacenter:Container", "name": name, "image": IMAGE });
    // A network of its own costs an engine more than all the rest, so only those have one that show something of it.
    let needs_network = place == "network" || parts.get("aliases").is_some();
    let parts = if needs_network { parts } else { with(parts, json!({ "networkMode": "bridge" })) };
    let b = with(base("b"), json!({ "healthCheck": { "type": "tcp", "port": 1 } }));
    let whole = json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": format!("stack:{stack}"), "name": stack, "hasPart": [with(parts, base("c")), b],
        "secrets": ["token"], "deployment": { "placementStrategy": "auto" },
    });
    with(whole, rest).to_string()
}

/// Members of the container.
fn container(place: &str, members: Value) -> Value {
    let mount = |word: &str, source: Value, options: &str, members: Value| {
        let mount = with(json!({ "type": word, "target": "/t", options: members }), source);
        json!({ "volumeMounts": [mount] })
    };
    match place {
        "container" => members,
        "port" => json!({ "ports": [with(members, json!({ "containerPort": 80 }))] }),
        "environmentVariable" => {
            let has_value = ["value", "fromSecret", "fromHost"].iter().any(|key| members.get(key).is_some());
            let value = if has_value { json!({}) } else { json!({ "value": "b" }) };
            json!({ "environment": [with(with(members, json!({ "name": "A" })), value)] })
        }
        "mount" => json!({ "volumeMounts": [with(members, json!({ "target": "/t" }))] }),
        "optionsOfVolumeMount" => mount("volume", json!({ "source": "v" }), "volumeOptions", members),
        "optionsOfBindMount" => mount("bind", json!({ "source": "/usr" }), "bindOptions", members),
        "optionsOfTmpfsMount" => mount("tmpfs", json!({}), "tmpfsOptions", members),
        "healthCheck" if members == json!({}) => json!({}),
        "healthCheck" => json!({ "healthCheck": members }),
        "resources" => json!({ "resources": members }),
        "limits" => json!({ "resources": { "limits": members } }),
        "reservations" => json!({ "resources": { "reservations": members } }),
        "requirements" => json!({ "requirements": members }),
        "dependency" => json!({ "dependsOn": [with(members, json!({ "@id": "b" }))] }),
        "ulimit" => {
            let limits =
                if members.get("soft").or(members.get("hard")).is_some() { json!({}) } else { json!({ "hard": 5 }) };
            json!({ "ulimits": [with(with(members, json!({ "name": "nofile" })), limits)] })
        }
        "device" => json!({ "devices": [with(members, json!({ "hostPath": "/dev/zero" }))] }),
        "logging" if members == json!({}) => json!({}),
        "logging" => json!({ "logging": members }),
        other => panic!("no document for {other}"),
    }
}

/// Members, and those of another where they are missing.
fn with(mut one: Value, other: Value) -> Value {
    let (Value::Object(members), Value::Object(more)) = (&mut one, other) else { panic!("not objects") };
    for (key, value) in more {
        members.entry(key).or_insert(value);
    }
    one
}
