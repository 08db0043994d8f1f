//! The description of the API and its page, compared with the router and with the policy.

use crate::bed::Bed;
use graphium_server::api::openapi::{Answer, Body, document, operations};
use reqwest::Method;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Every route that the sources declare.
fn declared() -> BTreeSet<String> {
    let inside = include_str!("../../graphium-server/src/api/router.rs");
    let health = include_str!("../../graphium-server/src/api/health.rs");
    let pages = include_str!("../../graphium-server/src/api/openapi/mod.rs");
    let routes = |text: &str| -> Vec<String> {
        text.split(".route(\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
    };
    let (below, above) = inside.split_once("Router::new()\n        .nest(").unwrap();
    let (above, agents) = above.split_once("fn agents(").unwrap();
    let nested =
        routes(below).into_iter().chain(routes(agents)).chain(routes(health)).map(|route| format!("/api/v1{route}"));
    nested.chain(routes(above)).chain(routes(health)).chain(routes(pages)).collect()
}

#[tokio::test]
async fn every_route_is_in_the_document_and_the_document_has_no_other() {
    let bed = Bed::new().await;
    let mut described = BTreeMap::<&str, BTreeSet<&str>>::new();
    for operation in operations() {
        described.entry(operation.path).or_default().insert(operation.method);
    }
    let declared = declared();
    let paths: BTreeSet<String> = described.keys().map(|path| (*path).to_owned()).collect();
    assert_eq!(paths, declared);
    // Which methods a route has it says itself, to whoever comes with another one.
    let client = reqwest::Client::new();
    for (path, methods) in &described {
        let url = format!("{}{}", bed.server.url(), path.replace(['{', '}'], ""));
        let refused =
            client.request(Method::from_bytes(b"LOCK").unwrap(), url).bearer_auth(&bed.token).send().await.unwrap();
        assert_eq!(refused.status(), 405, "{path}");
        let allowed = refused.headers()["allow"].to_str().unwrap().to_owned();
        let allowed: BTreeSet<&str> = allowed.split(',').filter(|method| *method != "HEAD").collect();
        assert_eq!(&allowed, methods, "{path}");
    }
}

#[test]
fn operations_have_names_of_their_own_and_say_what_they_answer() {
    let mut names = BTreeSet::new();
    for operation in operations() {
        assert!(names.insert(operation.id), "`{}` twice", operation.id);
        let path = operation.path;
        assert!(!operation.answers.is_empty() && !operation.summary.is_empty() && !operation.tag.is_empty(), "{path}");
        assert!(!operation.summary.ends_with('.'), "{path}");
        for answer in operation.answers {
            let status = match answer {
                Answer::Json(status, _)
                | Answer::Either(status, _, _)
                | Answer::At(status, _)
                | Answer::Opaque(status)
                | Answer::Empty(status)
                | Answer::Text(status, _) => *status,
                Answer::WebSocket => 101,
            };
            assert!(!operation.problems().contains_key(&status), "{path}: {status} is an answer and a problem");
        }
        assert!(operation.method != "GET" || operation.body == Body::None, "{path}");
    }
}

#[test]
fn references_lead_somewhere_and_types_are_used() {
    fn references<'v>(value: &'v Value, found: &mut BTreeSet<&'v str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str).and_then(|name| name.rsplit('/').next()));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(all) => all.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = BTreeSet::new();
    references(document(), &mut found);
    let types: BTreeSet<&str> =
        document()["components"]["schemas"].as_object().unwrap().keys().map(String::as_str).collect();
    let missing: Vec<_> = found.difference(&types).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let unused: Vec<_> = types.difference(&found).collect();
    assert!(unused.is_empty(), "{unused:?}");
}

#[test]
fn the_document_says_who_may_what() {
    let needs = |path: &str, method: &str| document()["paths"][path][method]["x-needs"].as_str().unwrap().to_owned();
    assert_eq!(needs("/api/v1/stacks", "get"), "viewer");
    assert_eq!(needs("/api/v1/agents/{id}/claim", "post"), "agent");
    assert_eq!(needs("/healthz", "get"), "nobody");
    for operation in operations() {
        let described = &document()["paths"][operation.path][operation.method.to_lowercase()];
        let is_open = described["security"].as_array().unwrap().is_empty();
        assert_eq!(is_open, described["x-needs"] == "nobody", "{}", operation.path);
    }
}

#[test]
fn every_code_of_a_problem_is_in_the_document() {
    let mut told = BTreeSet::new();
    for operation in operations() {
        told.extend(operation.problems().into_values().flatten());
    }
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/api");
    let mut missing = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let text = text.split("#[cfg(test)]").next().unwrap();
        for call in text.split("Problem::new(").skip(1).chain(text.split("Self::new(").skip(1)) {
            let mut words = call.split(',').map(str::trim);
            let (status, code) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            if status.parse::<u16>().is_ok()
                && let Some(code) = code.strip_prefix('"').and_then(|code| code.strip_suffix('"'))
                && !told.contains(code)
            {
                missing.insert(code.to_owned());
            }
        }
    }
    // What is said where there is no operation.
    for elsewhere in ["no-such-route", "method-not-allowed"] {
        missing.remove(elsewhere);
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[tokio::test]
async fn the_document_and_its_page_need_no_token_and_nothing_from_elsewhere() {
    let bed = Bed::new().await;
    for path in ["/api/v1/openapi.json", "/api/openapi.json"] {
        let answer = bed.request(Method::GET, path).send().await.unwrap();
        assert_eq!(answer.headers()["content-type"], "application/json");
        let served: Value = answer.json().await.unwrap();
        assert_eq!(&served, document());
        assert_eq!(served["openapi"], "3.1.0");
    }
    let page = bed.request(Method::GET, "/docs").send().await.unwrap();
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'self'"), "{policy}");
    let html = page.text().await.unwrap();
    for outside in ["<script", "style=", "http://", "https://", "onclick"] {
        assert!(!html.contains(outside), "`{outside}` on the page");
    }
    for operation in operations() {
        assert!(html.contains(&format!("id=\"{}\"", operation.id)), "{}", operation.id);
    }
    // Every link leads somewhere on the page.
    for target in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(html.contains(&format!("id=\"{target}\"")), "{target}");
    }
    let style = bed.request(Method::GET, "/docs/style.css").send().await.unwrap();
    assert_eq!(style.headers()["content-type"], "text/css; charset=utf-8");
    assert!(html.len() < 600_000, "{}", html.len());
}
