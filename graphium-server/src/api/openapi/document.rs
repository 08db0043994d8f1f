//! The document as JSON.

use super::{Answer, Body, Operation, operations};
use crate::auth::Needs;
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::sync::LazyLock;

/// Written by the test `schemas` from the types of the core and of `api/`.
const SCHEMAS: &str = include_str!("schemas.json");

/// The whole API as an OpenAPI 3.1 document.
///
/// It describes what this version of the server does; no address is in it, so that it is the same everywhere.
pub fn document() -> &'static Value {
    static DOCUMENT: LazyLock<Value> = LazyLock::new(build);
    &DOCUMENT
}

fn build() -> Value {
    // A test reads the file before anybody else does.
    let mut types: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    let mut schemas = types["schemas"].take();
    let parameters = types["parameters"].take();
    if let Some(problem) = schemas.get_mut("Problem").and_then(Value::as_object_mut) {
        problem.insert("description".into(), "Why a request was not done (RFC 9457).".into());
    }
    let mut paths = Map::new();
    for operation in operations() {
        let path = paths.entry(operation.path).or_insert_with(|| json!({}));
        path[operation.method.to_lowercase()] = describe(operation, &parameters);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Graphium",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Deploys stacks of containers over Docker hosts. Errors are `application/problem+json` with a stable \
                            `code`. Lists take `limit` and `cursor`, and answer with the cursor of what follows in `next`. Fields \
                            that a client does not know are to be passed over.",
            "license": {"name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "`Authorization: Bearer gph_…`. Streams of a browser may show it as the WebSocket protocol `bearer, gph_…` or as `?access_token=`.",
            }},
        },
    })
}

fn tags() -> Vec<Value> {
    let mut tags: Vec<&str> = Vec::new();
    for operation in operations() {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
    }
    tags.into_iter().map(|name| json!({"name": name})).collect()
}

fn describe(operation: &Operation, sets: &Value) -> Value {
    let mut parameters: Vec<Value> = operation
        .path_parameters()
        .map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string", "minLength": 1}}))
        .collect();
    parameters.extend(operation.query.iter().filter_map(|set| sets.get(set)?.as_array()).flatten().cloned());
    if operation.is_repeatable {
        parameters.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Asked again with the same key, the answer is the first one. Plain characters.",
            "schema": {"type": "string", "minLength": 1, "maxLength": 255},
        }));
    }
    let needs = operation.needs();
    let mut described = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "x-needs": who(needs),
        "security": if needs == Needs::Nobody { json!([]) } else { json!([{"token": []}]) },
        "responses": responses(operation),
    });
    if !operation.description.is_empty() {
        described["description"] = operation.description.into();
    }
    if !parameters.is_empty() {
        described["parameters"] = parameters.into();
    }
    if let Some(body) = body(operation.body) {
        described["requestBody"] = body;
    }
    described
}

/// The role, as the policy calls it.
fn who(needs: Needs) -> String {
    let mut words = String::new();
    for letter in format!("{needs:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push('-');
        }
        words.extend(letter.to_lowercase());
    }
    words
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn body(body: Body) -> Option<Value> {
    let any = json!({"type": "object"});
    let content = match body {
        Body::None => return None,
        Body::Json(name) => json!({"application/json": {"schema": reference(name)}}),
        Body::Document => {
            let forms = json!({
                "description": "A document, or the envelope that holds it as JSON or as text (then with its variables).",
                "anyOf": [
                    {"type": "object", "description": "A stack's document; `graphium schema` prints its own JSON Schema."},
                    reference("Envelope"),
                ],
            });
            json!({"application/json": {"schema": forms}, "application/ld+json": {"schema": any}})
        }
        Body::SavedPlan => json!({"application/json": {"schema": {
            "type": "object",
            "description": "What `POST /api/v1/stacks/plan/save` has answered, as it was: it is carried out only unchanged.",
        }}}),
        Body::Frames => json!({"application/x-ndjson": {"schema": {"type": "string"}}}),
        Body::StoreCall => json!({"application/json": {"schema": {}}}),
    };
    Some(json!({"required": true, "content": content}))
}

fn responses(operation: &Operation) -> Value {
    let mut responses = Map::new();
    for answer in operation.answers {
        let (status, content, place) = match *answer {
            Answer::Json(status, name) => (status, Some(("application/json", reference(name))), false),
            Answer::At(status, name) => (status, Some(("application/json", reference(name))), true),
            Answer::Either(status, one, other) => {
                let either = json!({"anyOf": [reference(one), reference(other)]});
                (status, Some(("application/json", either)), false)
            }
            Answer::Opaque(status) => (status, Some(("application/json", json!({}))), false),
            Answer::Empty(status) => (status, None, false),
            Answer::Text(status, kind) => (status, Some((kind, json!({"type": "string"}))), false),
            Answer::WebSocket => (101, None, false),
        };
        let told = responses.entry(status.to_string()).or_insert_with(|| json!({"description": title(status)}));
        told["headers"] = headers(place, operation.is_repeatable);
        if let Some((kind, schema)) = content {
            told["content"][kind] = json!({"schema": schema});
        }
    }
    for (status, codes) in operation.problems() {
        let codes = codes.iter().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ");
        responses.insert(
            status.to_string(),
            json!({
                "description": format!("{}: {codes}", title(status)),
                "headers": headers(false, false),
                "content": {"application/problem+json": {"schema": reference("Problem")}},
            }),
        );
    }
    Value::Object(responses)
}

fn headers(place: bool, is_repeatable: bool) -> Value {
    let text = |about: &str| json!({"description": about, "schema": {"type": "string"}});
    let mut headers = json!({"x-request-id": text("For finding it in the server's log.")});
    if place {
        headers["location"] = text("Where to look how it goes, or at what was made.");
    }
    if is_repeatable {
        headers["idempotency-replayed"] = text("`true`: this is the answer of an earlier request with the same key.");
    }
    headers
}

fn title(status: u16) -> &'static str {
    StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Other")
}
