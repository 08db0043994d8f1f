//! Every answer that the tests of the API get is what the document says: none says something that is not in it.

use axum::{
    body::Body,
    extract::{MatchedPath, Request},
    middleware::Next,
    response::Response,
};
use graphium_server::api::openapi::{Operation, document, operations};
use serde_json::{Map, Value, json};
use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

/// Around the whole router. A panic ends the connection, and with it the test.
pub(crate) async fn check(request: Request, next: Next) -> Response {
    let method = request.method().as_str().replace("HEAD", "GET");
    let route = request.extensions().get::<MatchedPath>().map(|route| route.as_str().to_owned());
    let response = next.run(request).await;
    let status = response.status().as_u16();
    // The page for people is no part of what the document describes.
    if route.as_deref().is_some_and(|route| route == "/" || route.starts_with("/web")) {
        return response;
    }
    let Some(route) = route else {
        assert!([404, 405].contains(&status), "{method} at no route: {status}");
        return response;
    };
    let found = operations().find(|operation| operation.method == method && operation.path == route);
    let Some(operation) = found else {
        assert_eq!(status, 405, "{method} {route} is not in the document");
        return response;
    };
    let (parts, body) = response.into_parts();
    let kind = parts.headers.get("content-type").map_or("", |kind| kind.to_str().unwrap()).to_owned();
    let kind = kind.split(';').next().unwrap().to_owned();
    assert!(parts.headers.contains_key("x-request-id"), "{method} {route}: no request id");
    let told = &document()["paths"][&route][method.to_lowercase()]["responses"][status.to_string()];
    assert!(told.is_object(), "{method} {route}: {status} is not in the document");
    for name in told["headers"].as_object().unwrap().keys() {
        let has = parts.headers.contains_key(name) || name == "idempotency-replayed";
        assert!(has, "{method} {route}: {status} without `{name}`");
    }
    let Some(contents) = told["content"].as_object() else {
        assert_eq!(kind, "", "{method} {route}: {status} has a body");
        return Response::from_parts(parts, body);
    };
    let schema = &contents.get(&kind).unwrap_or_else(|| panic!("{method} {route}: {status} is `{kind}`"))["schema"];
    if !["application/json", "application/problem+json"].contains(&&*kind) {
        return Response::from_parts(parts, body);
    }
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    // The answer to `HEAD` has none.
    if !bytes.is_empty() {
        let value: Value = serde_json::from_slice(&bytes).unwrap();
        fits(&format!("{method} {route}: {status}"), schema, &value);
        if kind == "application/problem+json" {
            is_told(operation, status, &value);
        }
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn is_told(operation: &Operation, status: u16, problem: &Value) {
    let code = problem["code"].as_str().unwrap();
    let (method, path) = (operation.method, operation.path);
    let problems = operation.problems();
    let codes = &problems[&status];
    assert!(codes.contains(&code), "{method} {path}: {status} `{code}` is not in the document: {problem}");
}

/// Whether a value is what a schema of the document says, and has nothing that it does not say.
pub(crate) fn fits(what: &str, schema: &Value, value: &Value) {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<jsonschema::Validator>>>> = LazyLock::new(Mutex::default);
    let validator = {
        let mut known = KNOWN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        Arc::clone(known.entry(schema.to_string()).or_insert_with(|| Arc::new(strict(schema))))
    };
    let wrong: Vec<String> =
        validator.iter_errors(value).map(|error| format!("at `{}`: {error}", error.instance_path())).collect();
    assert!(wrong.is_empty(), "{what} is not as the document says\n{}\n{value:#}", wrong.join("\n"));
}

fn strict(schema: &Value) -> jsonschema::Validator {
    static TYPES: LazyLock<Value> = LazyLock::new(|| {
        let types = document()["components"]["schemas"].as_object().unwrap();
        types.iter().map(|(name, schema)| (name.clone(), closed(schema))).collect::<Map<_, _>>().into()
    });
    let whole = json!({"allOf": [closed(schema)], "components": {"schemas": *TYPES}});
    jsonschema::options().with_draft(jsonschema::Draft::Draft202012).build(&whole).unwrap()
}

/// The schema, with nothing beside what it says. Variants are parts of the object around them, which alone is closed.
fn closed(schema: &Value) -> Value {
    fn walk(schema: &mut Value, is_part: bool) {
        let Some(object) = schema.as_object_mut() else { return };
        let is_object = object.contains_key("properties")
            || ["oneOf", "allOf"].iter().any(|key| object.get(*key).is_some_and(has_properties));
        for (key, value) in object.iter_mut() {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => {
                    properties.values_mut().for_each(|inner| walk(inner, false));
                }
                ("oneOf" | "allOf", Value::Array(all)) => all.iter_mut().for_each(|inner| walk(inner, true)),
                ("anyOf", Value::Array(all)) => all.iter_mut().for_each(|inner| walk(inner, false)),
                ("items" | "additionalProperties", inner) => walk(inner, false),
                _ => {}
            }
        }
        if is_object && !is_part && !object.contains_key("additionalProperties") {
            object.insert("unevaluatedProperties".into(), false.into());
        }
    }
    fn has_properties(all: &Value) -> bool {
        all.as_array().into_iter().flatten().any(|one| {
            one.get("properties").is_some()
                || ["oneOf", "allOf"].iter().any(|key| one.get(*key).is_some_and(has_properties))
        })
    }
    let mut schema = schema.clone();
    walk(&mut schema, false);
    schema
}

#[test]
fn what_the_document_does_not_say_is_found() {
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let fails = |schema: &Value, value: Value| std::panic::catch_unwind(|| fits("it", schema, &value)).is_err();
    let health = json!({"status": "ok", "version": "1"});
    fits("health", &reference("Health"), &health);
    assert!(fails(&reference("Health"), json!({"status": "ok", "version": "1", "more": 1})));
    assert!(fails(&reference("Health"), json!({"status": "ok"})));
    let orphan = |more: Value| {
        let mut orphan = json!({"@id": "vm1/x", "hostId": "vm1", "stackId": "stack:s", "reason": {"code": "no-stack"}});
        orphan.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        orphan
    };
    fits("an orphan", &reference("Orphan"), &orphan(json!({"kind": "network", "networkName": "n"})));
    assert!(fails(&reference("Orphan"), orphan(json!({"kind": "network", "volumeName": "n"}))));
    assert!(fails(&reference("Orphan"), orphan(json!({"kind": "network", "networkName": "n", "more": 1}))));
}
