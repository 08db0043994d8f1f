//! The JSON Schema, checked by somebody else's validator, takes what the reader takes and refuses what it can know of.
//!
//! `UPDATE=1 cargo test -p graphium-core --test documents schema` writes `docs/stack.schema.json` anew.

use super::{
    cases,
    common::{NATIVE, unmark},
};
use graphium_core::document::{format, json_schema};
use jsonschema::Validator;
use serde_json::Value;
use std::{env, fs, path::PathBuf};

/// Codes of mistakes that a schema cannot express: they are about the text, other values, or the whole.
const BEYOND: &[&str] = &[
    "ambiguous-reference",
    "bad-form",
    "bad-variable",
    "context-place",
    "dependency-cycle",
    "duplicate-key",
    "duplicate-name",
    "healthy-without-check",
    "host-conflict",
    "host-port-clash",
    "lone-surrogate",
    "network-conflict",
    "never-completes",
    "nul-character",
    "number-out-of-range",
    "reservation-over-limit",
    "several-stacks",
    "no-stack",
    "start-first-port",
    "stray-container",
    "syntax",
    "undeclared-prefix",
    "unresolved-reference",
    "unset-variable",
    "volume-conflict",
];

/// Native documents that the reader refuses and a schema of single places cannot.
const EXCEPTIONS: &[&str] = &[
    // What one key allows depends on another.
    "\"bindOptions\"",
    "\"type\": \"secret\"",
    "\"type\": \"tcp\", \"port\": 1, \"path\"",
    "\"source\": \"/data\"",
    "\"type\": \"http\"}",
    // Nobody knows what a variable is.
    "${GATEWAY:-nowhere}",
    "${COUNT:-three}",
    "${IMAGE:-}",
    // What an engine makes of a signal, a size, a time, a path, an address or a mode is more than a pattern tells.
    "\"stopSignal\"",
    "\"memory\": \"4M\"",
    "\"memory\": 1024",
    "\"memorySwap\": \"32M\"",
    "\"timeout\": \"1ns\"",
    "\"interval\": 0.0001",
    "\"startPeriod\": \"999us\"",
    "\"target\": \"/\"",
    "\"target\": \"/a/../.\"",
    "\"volumeOptions\": {\"driver\": \"nfs\"}",
    "\"172.21.0.1\"",
    "\"172.0.0.0/8\"",
    "\"172.20.5.1/16\"",
    "\"172.20.0.0/33\"",
    "\"network\": {\"gateway\": \"172.20.0.1\"}",
    "\"networkMode\": \"service:",
    "\"networkMode\": \"ns:",
    "\"networkMode\": \"\"",
    "\"pid\": \"hots\"",
    "\"ipc\": \"public\"",
    // A network that is there already may have any name.
    "\"network\": {\"name\": \"bridge\"}",
    // Networks name their driver freely.
    "\"driver\": \"overlay\"",
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn validator() -> Validator {
    jsonschema::draft202012::new(&json_schema()).unwrap()
}

fn complaints(validator: &Validator, text: &str) -> Vec<String> {
    let value: Value = serde_json::from_str(text).unwrap();
    validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_file_is_up_to_date() {
    let text = format!("{}\n", serde_json::to_string_pretty(&json_schema()).unwrap());
    let path = root().join("../docs/stack.schema.json");
    if env::var_os("UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(fs::read_to_string(path).unwrap_or_default() == text, "docs/stack.schema.json is stale: run with UPDATE=1");
}

#[test]
fn the_schema_is_a_schema() {
    assert!(jsonschema::meta::validate(&json_schema()).is_ok());
}

#[test]
fn every_formatted_example_is_valid() {
    let validator = validator();
    let mut examples = 0;
    for entry in fs::read_dir(root().join("../examples/stacks")).unwrap() {
        let path = entry.unwrap().path();
        let formatted = format(fs::read(&path).unwrap()).unwrap();
        assert_eq!(complaints(&validator, &formatted.text), [""; 0], "{}", path.display());
        examples += 1;
    }
    assert!(examples >= 6);
}

#[test]
fn every_kind_of_document_is_valid() {
    let stack = r#""@type": "datacenter:Stack", "name": "s", "hasPart": [{"@type": "datacenter:Container", "name": "c", "image": "i:${TAG}",
        "ports": [{"containerPort": "${PORT}"}], "x:owner": {"a": 1}}]"#;
    let context = r#""@context": ["https://graphium.io/context/v1.jsonld", {"x": "https://example.org/x#"}]"#;
    let documents = [
        format!("{{{context}, {stack}}}"),
        format!(
            "{{{context}, \"@graph\": [{{{stack}}}, {{\"@type\": \"datacenter:Host\", \"@id\": \"vm1\"}}, {{\"@type\": \"x:Team\", \"x:a\": 1}}]}}"
        ),
        format!("{{\"stackDefinition\": {{{context}, {stack}}}, \"timeout\": \"5m\"}}"),
        format!("{{\"stackDefinition\": {{{context}, \"@graph\": [{{{stack}}}]}}, \"pullImages\": true}}"),
    ];
    let validator = validator();
    for document in documents {
        let formatted = format(&document).unwrap_or_else(|mistakes| panic!("{document}\n{mistakes:#?}"));
        assert_eq!(complaints(&validator, &formatted.text), [""; 0], "{}", formatted.text);
        assert_eq!(complaints(&validator, &document), [""; 0], "{document}");
    }
    assert_ne!(complaints(&validator, &format!("{{{context}}}")), [""; 0]);
}

#[test]
fn mistakes_that_a_schema_can_know_of_are_not_valid() {
    let validator = validator();
    let (mut checked, mut accepted) = (0, Vec::new());
    for (code, marked, ..) in cases() {
        let (source, _) = unmark(&marked);
        let is_error = graphium_core::document::Code::ALL
            .iter()
            .any(|known| known.as_str() == code && known.severity() == graphium_core::diagnostic::Severity::Error);
        let is_native = source.contains(NATIVE) || code == "context-entry" || code == "unknown-context";
        let known = !BEYOND.contains(&code) && !EXCEPTIONS.iter().any(|part| source.contains(part));
        if is_error && is_native && known {
            checked += 1;
            if complaints(&validator, &source).is_empty() {
                accepted.push(format!("{code}: {source}"));
            }
        }
    }
    assert!(accepted.is_empty(), "accepted:\n{}", accepted.join("\n"));
    assert!(checked >= 45, "only {checked} cases were checked");
}

#[test]
fn every_key_is_explained() {
    let schema = json_schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let text = property["description"].as_str().unwrap_or_default();
            let explained =
                !text.is_empty() && text.len() <= 120 && !text.ends_with('.') && property["title"].is_string();
            assert!(explained || key == "@context" && property.get("$ref").is_some(), "{name}.{key}: `{text}`");
        }
    }
}
