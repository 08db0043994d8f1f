//! `schemas.json` is what the sources say: `UPDATE=1 cargo test -p graphium-server --test api schemas` writes it.
//!
//! The core knows nothing of OpenAPI. Its types, what serde is told of them, and their comments are read from the sources here.

mod build;
mod source;

use build::Builder;
use graphium_server::api::openapi::{Answer, Body, operations};
use serde_json::{Value, json};
use source::Sources;
use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            let name = object.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next());
            found.extend(name.map(str::to_owned));
            object.values().for_each(|value| references(value, found));
        }
        Value::Array(all) => all.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

#[test]
fn the_schemas_are_those_of_the_types() {
    let api = workspace().join("graphium-server/src/api");
    let sources = Sources::read(&[workspace().join("graphium-core/src"), api.clone()]);
    let mut builder = Builder::new(&sources);
    let wire = api.join("wire.rs");
    builder.reference("Envelope", &wire);
    builder.reference("Body", &api.join("problem.rs"));
    let mut parameters = serde_json::Map::new();
    for operation in operations() {
        if let Body::Json(name) = operation.body {
            builder.reference(name, &wire);
        }
        for answer in operation.answers {
            match *answer {
                Answer::Json(_, name) | Answer::At(_, name) => drop(builder.reference(name, &wire)),
                Answer::Either(_, one, other) => drop([one, other].map(|name| builder.reference(name, &wire))),
                Answer::Opaque(_) | Answer::Empty(_) | Answer::Text(..) | Answer::WebSocket => {}
            }
        }
        for set in operation.query {
            let (module, name) = set.split_once('.').unwrap();
            let found = builder.parameters(name, &api.join(format!("{module}.rs")));
            parameters.insert((*set).to_owned(), found);
        }
    }
    builder.reference("SavedPlan", &wire);
    let mut schemas = builder.schemas;
    // Types whose fields are among those of others are nobody's answer by themselves.
    let mut used = BTreeSet::new();
    let roots = operations().flat_map(|operation| operation.answers).flat_map(|answer| match *answer {
        Answer::Json(_, name) | Answer::At(_, name) => vec![name],
        Answer::Either(_, one, other) => vec![one, other],
        _ => Vec::new(),
    });
    let bodies = operations().filter_map(|operation| match operation.body {
        Body::Json(name) => Some(name),
        _ => None,
    });
    let mut next: Vec<String> =
        roots.chain(bodies).chain(["Envelope", "Problem", "SavedPlan"]).map(str::to_owned).collect();
    references(&Value::Object(parameters.clone()), &mut next);
    while let Some(name) = next.pop() {
        if used.insert(name.clone()) {
            references(&schemas[&name], &mut next);
        }
    }
    schemas.retain(|name, _| used.contains(name));
    let written = json!({"schemas": schemas, "parameters": parameters});
    let written = serde_json::to_string_pretty(&written).unwrap() + "\n";
    let file = api.join("openapi/schemas.json");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &written).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    let differs = kept.lines().zip(written.lines()).position(|(kept, written)| kept != written);
    assert!(
        kept == written,
        "{} does not say what the types say (line {differs:?}): UPDATE=1 writes it, and the server is built again",
        file.display()
    );
}
