//! Formatting writes native and legacy documents in the native form, loses nothing, and has nothing to do a second time.

use graphium_core::document::{Formatted, Profile, ReadContext, format, read};
use proptest::prelude::*;
use std::{
    env, fs,
    path::PathBuf,
    time::{Duration, Instant},
};

const NATIVE: &str = "https://graphium.io/context/v1.jsonld";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn examples() -> Vec<(String, String)> {
    let folder = root().join("../examples/stacks");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), fs::read_to_string(path).unwrap())).collect()
}

fn formatted(source: &str) -> Formatted {
    format(source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"))
}

fn set(name: &str) -> Option<String> {
    Some(format!("value-of-{}", name.to_lowercase()))
}

/// The properties that every formatted document has.
fn keeps_everything(source: &str) -> String {
    let new = formatted(source);
    for variables in [&set as &dyn Fn(&str) -> Option<String>, &|_: &str| None] {
        let context = ReadContext::new(variables);
        let Ok(before) = read(source, &context) else { continue };
        let after = read(&new.text, &context).unwrap_or_else(|mistakes| panic!("{}\n{mistakes:#?}", new.text));
        assert_eq!((after.profile, &after.options), (Profile::Native, &before.options));
        assert_eq!(after.stack, before.stack, "{source}\n{}", new.text);
        let stale = after.notes.iter().find(|note| ["alias", "older-form", "left-out"].contains(&note.code.as_ref()));
        assert_eq!(stale, None, "{}", new.text);
    }
    let again = formatted(&new.text);
    assert_eq!(again.text, new.text);
    let left: Vec<_> = again.notes.iter().filter(|note| note.code != "not-compared").collect();
    assert!(left.is_empty(), "{}\n{left:#?}", new.text);
    new.text
}

fn container(context: &str, keys: &str) -> String {
    format!(
        r#"{{"@context": "{context}", "@type": "datacenter:Stack", "@id": "stack:s", "name": "s", "hasPart": [
        {{"@type": "datacenter:Container", "@id": "container:c", "name": "c", "image": "i", {keys}}}]}}"#
    )
}

fn older(keys: &str) -> String {
    container("https://schema.org", keys)
}

/// The keys of the one container after `image`, without white space.
fn keys_of(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let mut keys = value["hasPart"][0].as_object().unwrap().clone();
    ["@id", "@type", "name", "image"].into_iter().for_each(|key| drop(keys.shift_remove(key)));
    serde_json::to_string(&keys).unwrap()
}

#[test]
fn the_examples_are_formatted_as_their_golden_files() {
    for (name, source) in examples() {
        let text = keeps_everything(&source);
        let path = root().join(format!("tests/golden/{name}.native.json"));
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &text).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap_or_default() == text, "{name}: look at it and run with UPDATE=1");
    }
}

#[test]
fn variables_stay_as_they_are_and_need_not_be_set() {
    let cases = [
        (r#""user": "${WHO:?say who}""#, r#"{"user":"${WHO:?say who}"}"#),
        (
            r#""ports": [{"portNumber": "${PORT}", "hostPort": "${MAPPED:-8080}", "protocol": "${P:-TCP}"}]"#,
            r#"{"ports":[{"containerPort":"${PORT}","hostPort":"${MAPPED:-8080}","protocol":"${P:-tcp}"}]}"#,
        ),
        (
            r#""ports": {"@type": "PropertyValue", "name": "http", "value": "${PORT}", "description": "${MAPPED}:${PORT}"}"#,
            r#"{"ports":[{"containerPort":"${PORT}","hostPort":"${MAPPED}","name":"http"}]}"#,
        ),
        (
            r#""ports": {"value": "80", "description": "${MAPPED}:80"}"#,
            r#"{"ports":[{"containerPort":80,"hostPort":"${MAPPED}"}]}"#,
        ),
        (
            r#""ports": {"value": "80", "description": "${IP}:${MAPPED:-8080}:80"}"#,
            r#"{"ports":[{"containerPort":80,"hostPort":"${MAPPED:-8080}","hostIP":"${IP}"}]}"#,
        ),
        (r#""env": {"A": "${A:-${B}} $$ $HOME"}"#, r#"{"environment":[{"name":"A","value":"${A:-${B}} $$ $HOME"}]}"#),
        (r#""env": {"A$${B}": "1"}"#, r#"{"environment":[{"name":"A$$$${B}","value":"1"}]}"#),
        (r#""command": "sh -c 'echo $${X} $HOME'""#, r#"{"command":["sh","-c","echo $${X} $HOME"]}"#),
        (r#""command": "echo '${A:-x y}' ${B:-z}""#, r#"{"command":["echo","${A:-x y}","${B:-z}"]}"#),
        (r#""command": "run --user=${WHO} '${A} b'""#, r#"{"command":["run","--user=${WHO}","${A} b"]}"#),
        (
            r#""storageRequirement": "${DATA}:/data:ro""#,
            r#"{"volumeMounts":[{"source":"${DATA}","target":"/data","readOnly":true}]}"#,
        ),
        (r#""extraHosts": ["db:${DB}"]"#, r#"{"extraHosts":{"db":"${DB}"}}"#),
        (r#""devices": "${DEV}""#, r#"{"devices":[{"hostPath":"${DEV}"}]}"#),
        (
            r#""resources": {"cpu": "${CPU}", "memory": "${M:-512M}"}"#,
            r#"{"resources":{"limits":{"cpus":"${CPU}","memory":"${M:-512M}"}}}"#,
        ),
        (r#""tty": "${TTY}", "gpus": "${GPUS:-all}""#, r#"{"tty":"${TTY}","gpus":"${GPUS:-all}"}"#),
        (
            r#""volumeMounts": [{"type": "${KIND}", "source": "a", "target": "/a"}], "restartPolicy": "${R}""#,
            r#"{"volumeMounts":[{"type":"${KIND}","source":"a","target":"/a"}],"restartPolicy":"${R}"}"#,
        ),
        (
            r#""healthCheck": {"test": "curl ${URL}"}"#,
            r#"{"healthCheck":{"type":"exec","command":["CMD-SHELL","curl ${URL}"]}}"#,
        ),
    ];
    for (old, expected) in cases {
        assert_eq!(keys_of(&keeps_everything(&older(old))), expected);
    }
}

#[test]
fn what_was_assumed_of_a_variable_is_told() {
    let new = formatted(&older(r#""command": "run ${ARGS}", "user": "${WHO}""#));
    let told: Vec<_> = new.notes.iter().map(|note| (note.code.as_ref(), note.pointer.as_str())).collect();
    assert_eq!(told, [("kept-whole", "/hasPart/0/command")]);
}

#[test]
fn what_depends_on_a_variable_altogether_is_not_rewritten() {
    let cases = [
        (r#""storageRequirement": "${MOUNT}""#, "/hasPart/0/storageRequirement"),
        (r#""extraHosts": ["${HOST}:10.0.0.1"]"#, "/hasPart/0/extraHosts/0"),
        (r#""ports": {"value": "80", "description": "${MAP}"}"#, "/hasPart/0/ports/description"),
        (r#""ports": {"value": "${A}-${B}", "description": "a range"}"#, "/hasPart/0/ports/value"),
        // A default that is several parts is not one part.
        (r#""ports": {"value": "${A:-80/udp}"}"#, "/hasPart/0/ports/value"),
        (r#""ports": {"value": "80", "description": "${A:-127.0.0.1:8080}:80"}"#, "/hasPart/0/ports/description"),
        (r#""command": "echo ${A:-x y}""#, "/hasPart/0/command"),
        (r#""entrypoint": "${A:-}""#, "/hasPart/0/entrypoint"),
        (r#""storageRequirement": "${SRC:-a:b}:/data""#, "/hasPart/0/storageRequirement"),
        (r#""devices": ["${DEV:-/dev/a:/dev/b}"]"#, "/hasPart/0/devices/0"),
    ];
    for (keys, pointer) in cases {
        let mistakes = format(older(keys)).unwrap_err();
        let told: Vec<_> = mistakes.iter().map(|found| (found.code.as_ref(), found.pointer.as_str())).collect();
        assert_eq!(told, [("not-rewritable", pointer)]);
    }
}

#[test]
fn mistakes_are_told_whatever_the_variables_are_and_nothing_is_rewritten() {
    let keys = r#""user": "${WHO}", "imgae": "${X}", "dependsOn": ["dbb"], "ports": ["${P}"], "tty": "${BAD""#;
    let mistakes = format(older(keys)).unwrap_err();
    let codes: Vec<&str> = mistakes.iter().map(|mistake| mistake.code.as_ref()).collect();
    assert_eq!(codes, ["unknown-key", "unresolved-reference", "wrong-type", "bad-variable"]);
}

#[test]
fn what_takes_words_is_compared_and_what_cannot_be_is_told() {
    let compared = [
        r#""restartPolicy": "${POLICY}""#,
        r#""restartPolicy": "${POLICY}", "pullPolicy": "${PULL}", "hostname": "${HOST}", "replicas": "${N}""#,
        r#""ports": [{"containerPort": "${PORT}", "protocol": "${PROTOCOL}"}]"#,
        r#""volumeMounts": [{"type": "${KIND}", "source": "a", "target": "${TARGET}"}]"#,
        r#""healthCheck": {"type": "${CHECK}", "port": 80}"#,
        r#""dependsOn": [{"@id": "d", "condition": "${CONDITION}"}]"#,
    ];
    for keys in compared {
        let mut source = older(keys);
        if keys.contains("dependsOn") {
            source.truncate(source.len() - "]}".len());
            source.push_str(r#", {"@type": "datacenter:Container", "@id": "d", "name": "d", "image": "i"}]}"#);
        }
        assert_eq!(formatted(&source).notes, [], "{keys}");
    }
    let notes = formatted(&older(r#""dependsOn": ["${OTHER}"]"#)).notes;
    assert_eq!(notes.iter().map(|note| note.code.as_ref()).collect::<Vec<_>>(), ["not-compared"]);
}

#[test]
fn a_request_keeps_its_envelope() {
    let source = format!(
        r#"{{"pullImages": "true", "onDrift": "accept", "timeout": "5m", "rollbackOnError": true, "stackDefinition": {}}}"#,
        older(r#""hostedOn": "vm1""#)
    );
    let text = keeps_everything(&source);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    let keys: Vec<&String> = value.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["stackDefinition", "timeout", "rollbackOnError", "onDrift", "pullImages"]);
    assert_eq!(value["pullImages"], true);
    assert_eq!(value["stackDefinition"]["@context"], NATIVE);
}

#[test]
fn containers_move_into_their_stack_and_the_topology_stays_in_the_graph() {
    let source = r#"{"@context": ["https://schema.org", {"x": "https://example.org/x#", "dc": "https://graphium.io/vocab/datacenter#"}], "@graph": [
        {"@type": "DockerHost", "@id": "host:vm1", "ipAddress": "10.0.0.1", "locatedInRack": "rack:r1"},
        {"@type": "dc:Container", "@id": "container:a", "dc:name": "a", "image": "i", "x:tier": [1, {"k": 2.50}]},
        {"@type": "x:Team", "@id": "x:ops", "x:lead": "ada"},
        {"@type": ["dc:Stack", "x:Shop"], "@id": "stack:s", "name": "s", "hasPart": [{"@id": "container:a"}]},
        {"@type": "datacenter:Rack", "@id": "rack:r1", "locatedInDatacenter": {"@id": "datacenter:dc1"}}]}"#;
    let text = keeps_everything(source);
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["@context"], serde_json::json!([NATIVE, {"x": "https://example.org/x#"}]));
    let types: Vec<_> = value["@graph"].as_array().unwrap().iter().map(|node| node["@type"].to_string()).collect();
    let expected = [r#""datacenter:Host""#, r#""x:Team""#, r#"["datacenter:Stack","x:Shop"]"#, r#""datacenter:Rack""#];
    assert_eq!(types, expected);
    assert!(text.contains("2.50"), "a number of somebody else's is kept as it is written: {text}");
}

#[test]
fn what_only_people_read_is_left_out_with_a_word() {
    let new = formatted(&older(r#""ports": [{"containerPort": 80, "comment": "web"}]"#));
    assert_eq!(new.notes.iter().map(|note| note.code.as_ref()).collect::<Vec<_>>(), ["left-out"]);
    assert!(!new.text.contains("comment"));
}

#[test]
fn nodes_of_schema_org_are_left_out_with_a_word() {
    let source = r#"{"@context": "https://schema.org", "@graph": [
        {"@type": "Organization", "@id": "org", "name": "Shop Ltd", "employee": [{"@type": "Person", "name": "Ada"}]},
        {"@type": "Stack", "@id": "s", "name": "s", "hasPart": [{"name": "c", "image": "i", "@id": "c"}]}]}"#;
    let new = formatted(source);
    let told: Vec<_> = new.notes.iter().map(|note| (note.code.as_ref(), note.pointer.as_str())).collect();
    assert_eq!(told, [("left-out", "/@graph/0/@type")]);
    keeps_everything(source);
}

#[test]
fn comments_are_left_out_with_a_word_wherever_they_stand() {
    let source = older(r#""user": "u""#).replacen(
        r#""hasPart""#,
        r#""comment": "a", "network": {"comment": "b"}, "deployment": {"comment": "c", "update": {"comment": "d"}}, "hasPart""#,
        1,
    );
    let new = formatted(&source);
    let told: Vec<_> = new.notes.iter().map(|note| (note.code.as_ref(), note.pointer.as_str())).collect();
    let pointers = ["/comment", "/network/comment", "/deployment/comment", "/deployment/update/comment"];
    assert_eq!(told, pointers.map(|pointer| ("left-out", pointer)));
}

#[test]
fn what_is_said_in_two_places_alike_is_written_once() {
    let source = older(
        r#""resources": {"cpu": 2, "memory": "1G", "limits": {"cpus": "2.0"}}, "labels": {"b": "1", "a": 2},
        "resourceRequirements": {"minCPU": "0.5", "maxMemory": "1024M", "requiredLabels": {"a": "b"}},
        "requirements": {"labels": {"a": "b", "c": "d"}},
        "volumes": [{"name": "v", "mountPath": "/v", "driver": "local", "labels": {"l": "1"}, "volumeOptions": {"driver": "local", "labels": {"l": 1, "m": "3"}}},
            {"type": "bind", "source": "/a", "target": "/a", "driver": "nfs"}]"#,
    );
    let expected = r#"{"volumeMounts":[{"type":"volume","source":"v","target":"/v","volumeOptions":{"driver":"local","labels":{"l":"1","m":"3"}}},{"type":"bind","source":"/a","target":"/a"}],"resources":{"limits":{"cpus":2,"memory":"1024M"},"reservations":{"cpus":0.5}},"requirements":{"labels":{"a":"b","c":"d"}},"labels":{"b":"1","a":"2"}}"#;
    let new = formatted(&source);
    assert_eq!(keys_of(&new.text), expected);
    assert_eq!(new.notes.iter().map(|note| note.code.as_ref()).collect::<Vec<_>>(), ["left-out"]);
}

#[test]
fn a_large_document_is_formatted_in_bounded_time() {
    let begun = Instant::now();
    let container = |number: usize| {
        format!(r#"{{"name": "n{number}", "executableName": "i:${{TAG}}", "env": {{"A": 1}}, "containerPort": [80]}}"#)
    };
    let containers: Vec<String> = (0..1_000).map(container).collect();
    let labels: Vec<String> = (0..20_000).map(|number| format!(r#""l{number}": {number}"#)).collect();
    let source = format!(
        r#"{{"@context": "https://schema.org", "@type": "Stack", "name": "s", "labels": {{{}}}, "hasPart": [{}]}}"#,
        labels.join(","),
        containers.join(",")
    );
    assert!(formatted(&source).text.contains(r#""l19999": "19999""#));
    // Generous for debug builds on busy machines; what is quadratic takes minutes.
    assert!(begun.elapsed() < Duration::from_secs(60), "took {:?}", begun.elapsed());
}

#[test]
fn a_document_that_would_become_too_large_to_read_is_not_rewritten() {
    let variables: Vec<String> = (0..40_000).map(|number| format!(r#""V{number}": 1"#)).collect();
    let mistakes = format(older(&format!(r#""env": {{{}}}"#, variables.join(",")))).unwrap_err();
    assert_eq!(mistakes.iter().map(|mistake| mistake.code.as_ref()).collect::<Vec<_>>(), ["too-many-nodes"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_is_read_is_formatted_and_keeps_its_meaning(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let examples = examples();
        let mut value: serde_json::Value = serde_json::from_str(&which.get(&examples).1).unwrap();
        for (place, replacement) in changes {
            let pointers = pointers(&value);
            let odd = [
                serde_json::json!(true), serde_json::json!(0), serde_json::json!(-1.5), serde_json::json!("1.50"),
                serde_json::json!(""), serde_json::json!("${LONGER}"), serde_json::json!("$${A} $$$ ${B:-c}"),
                serde_json::json!([]), serde_json::json!({}), serde_json::json!({"@id": "x"}), serde_json::json!(["a"]),
                serde_json::json!({"name": "a", "value": "1:/2"}), serde_json::json!("a:/b:ro"), serde_json::json!("TCP"),
            ];
            if let Some(slot) = value.pointer_mut(place.get(&pointers).as_str()) { *slot = replacement.get(&odd).clone(); }
        }
        let source = serde_json::to_string(&value).unwrap();
        if format(&source).is_ok() {
            keeps_everything(&source);
        } else if !source.contains("${") {
            prop_assert!(read(&source, &ReadContext::default()).is_err(), "{source} is read and not formatted");
        }
    }
}

fn pointers(value: &serde_json::Value) -> Vec<String> {
    let mut all = Vec::new();
    let below: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Array(elements) => elements.iter().enumerate().map(|(at, e)| (at.to_string(), e)).collect(),
        serde_json::Value::Object(members) => members.iter().map(|(key, member)| (key.clone(), member)).collect(),
        _ => Vec::new(),
    };
    for (key, member) in below {
        all.push(format!("/{key}"));
        all.extend(pointers(member).into_iter().map(|below| format!("/{key}{below}")));
    }
    all
}
