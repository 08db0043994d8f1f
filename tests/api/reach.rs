//! Who is granted some stacks sees those and nothing of others, by whatever way.

use crate::bed::{Bed, stack};
use graphium_core::{control::Role, store::TaskQuery};
use graphium_server::api::wire::TokenRequest;
use reqwest::Method;
use serde_json::{Value, json};

async fn granted(bed: &Bed, role: Role, stacks: &[&str]) -> String {
    let stacks = stacks.iter().map(|stack| (*stack).to_owned()).collect();
    bed.admin.create_token(&TokenRequest { stacks, ..TokenRequest::new(role) }).await.unwrap().token
}

async fn asked(bed: &Bed, token: &str, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
    let mut request = bed.request(method, path).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(body);
    }
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap_or(Value::Null))
}

/// Two stacks on a host, and what there is of each.
async fn two() -> (Bed, [Vec<String>; 2]) {
    let bed = Bed::new().await;
    let _vm1 = bed.host("vm1").await;
    let mut all = [Vec::new(), Vec::new()];
    for (name, paths) in ["mine", "theirs"].iter().zip(&mut all) {
        let started = bed.deploy(&stack(name, "vm1")).await;
        let query = TaskQuery { stack: Some(started.stack_id.clone()), ..TaskQuery::default() };
        let tasks = bed.server.control().store().tasks(&query).await.unwrap();
        let task = &tasks.items[0].id;
        paths.extend([
            format!("/api/v1/stacks/{name}"),
            format!("/api/v1/stacks/stack:{name}"),
            format!("/api/v1/stacks/{name}/status"),
            format!("/api/v1/stacks/{name}/revisions"),
            format!("/api/v1/stacks/jsonld/deployments/{}", started.deployment_id),
            format!("/api/v1/tasks/{task}"),
        ]);
    }
    (bed, all)
}

#[tokio::test]
async fn what_is_of_other_stacks_is_neither_shown_nor_changed() {
    let (bed, [mine, theirs]) = two().await;
    for by in ["mine", "stack:mine"] {
        let operator = granted(&bed, Role::Operator, &[by]).await;
        for path in &mine {
            assert_eq!(asked(&bed, &operator, Method::GET, path, None).await.0, 200, "{path}");
        }
        for path in
            theirs.iter().map(String::as_str).chain(["/api/v1/stacks/none", "/api/v1/orphans", "/api/v1/tasks/stats"])
        {
            let (status, problem) = asked(&bed, &operator, Method::GET, path, None).await;
            assert_eq!((status, problem["code"].as_str()), (403, Some("not-granted")), "{path}");
            assert!(problem["detail"].as_str().unwrap().contains(&format!("`{by}`")), "{problem}");
        }
        for (method, path) in [
            (Method::DELETE, "/api/v1/stacks/theirs"),
            (Method::POST, "/api/v1/stacks/theirs/stop"),
            (Method::POST, "/api/v1/stacks/stack:theirs/rollback"),
            (Method::POST, "/api/v1/tasks"),
            (Method::POST, "/api/v1/adoptions"),
            (Method::DELETE, "/api/v1/orphans/vm1/theirs-web"),
        ] {
            assert_eq!(asked(&bed, &operator, method, path, None).await.0, 403, "{path}");
        }
    }
}

#[tokio::test]
async fn lists_and_events_have_what_was_granted_alone() {
    let (bed, _) = two().await;
    let viewer = granted(&bed, Role::Viewer, &["mine"]).await;
    for (path, list) in [
        ("/api/v1/stacks", "stacks"),
        ("/api/v1/tasks", "tasks"),
        ("/api/v1/stacks/jsonld/deployments", "deployments"),
        ("/api/v1/events?follow=false&limit=1000", "events"),
        ("/api/v1/containers", "containers"),
    ] {
        let (status, answer) = asked(&bed, &viewer, Method::GET, path, None).await;
        assert_eq!(status, 200, "{path}: {answer}");
        let text = answer.to_string();
        assert!(!text.contains("theirs"), "{path}: {text}");
        assert!(list == "containers" || text.contains("mine"), "{path}: {text}");
    }
    let request = bed.request(Method::GET, "/api/v1/events?after=0&limit=5").bearer_auth(&viewer);
    let stream = request.header("accept", "text/event-stream").send().await.unwrap();
    let text = tokio::time::timeout(std::time::Duration::from_secs(2), stream.text()).await;
    let text = text.map(Result::unwrap).unwrap_or_default();
    assert!(!text.contains("theirs"), "{text}");
}

#[tokio::test]
async fn a_document_is_of_a_granted_stack_by_its_id_and_its_name() {
    let (bed, _) = two().await;
    let operator = granted(&bed, Role::Operator, &["mine", "stack:new"]).await;
    let post = async |document: &Value, path: &str| asked(&bed, &operator, Method::POST, path, Some(document)).await.0;
    let mut stolen = stack("theirs", "vm1");
    stolen["name"] = json!("mine");
    for path in ["/api/v1/stacks", "/api/v1/stacks/plan", "/api/v1/stacks/plan/save", "/api/v1/stacks/jsonld/validate"]
    {
        assert_eq!(post(&stack("theirs", "vm1"), path).await, 403, "{path}");
        assert_eq!(post(&stolen, path).await, 403, "under a name that is granted: {path}");
        assert!(post(&stack("new", "vm1"), path).await < 300, "{path}");
        assert!(post(&stack("mine", "vm1"), path).await < 300, "{path}");
    }
    let saved = bed.json(Method::POST, "/api/v1/stacks/plan/save", Some(stack("theirs", "vm1")), 200).await;
    assert_eq!(post(&saved, "/api/v1/stacks/plan/apply").await, 403);
}
