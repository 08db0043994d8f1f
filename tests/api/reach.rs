//! Who is granted some stacks sees those and nothing of others, by whatever way.

use crate::{
    bed::{Bed, report, stack},
    logs::within,
};
use futures::StreamExt as _;
use graphium_core::{agent::AgentLink as _, control::Role, exec::ExecInput, runtime::label, store::TaskQuery};
use graphium_server::{api::wire::TokenRequest, client::ClientError};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{connect_async, tungstenite::Message};

pub(crate) async fn granted(bed: &Bed, role: Role, stacks: &[&str]) -> String {
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

/// A container as the agent of its host sees it; with no stack, it is nobody's.
fn container(name: &str, stack: Option<&str>) -> Value {
    let labels = stack.map(|stack| json!({label::MANAGED: "true", label::STACK: format!("stack:{stack}")}));
    json!({"@id": format!("id-of-{name}"), "name": name, "hostedOn": "vm1", "labels": labels.unwrap_or(json!({}))})
}

/// Two stacks on a host, with a container of each and one of nobody's, and what there is of each.
async fn two() -> (Bed, [Vec<String>; 2]) {
    let bed = Bed::new().await;
    let (vm1, grant) = bed.host("vm1").await;
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
            format!("/api/v1/containers/vm1%2F{name}-web"),
            format!("/api/v1/containers/id-of-{name}-web"),
        ]);
    }
    let mut seen = report("vm1", grant.session.epoch);
    let there =
        [container("mine-web", Some("mine")), container("theirs-web", Some("theirs")), container("alien", None)];
    seen.containers = Some(serde_json::from_value(json!(there)).unwrap());
    vm1.observe(&seen).await.unwrap();
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
        for path in theirs
            .iter()
            .map(String::as_str)
            .chain(["/api/v1/stacks/none", "/api/v1/orphans", "/api/v1/tasks/stats"])
            .chain([
                "/api/v1/containers/vm1%2Ftheirs-web/logs",
                "/api/v1/containers/vm1%2Ftheirs-web/exec",
                "/api/v1/containers/id-of-theirs-web/exec",
                "/api/v1/containers/vm1%2Falien",
                "/api/v1/containers/vm1%2Falien/logs",
                "/api/v1/containers/vm1%2Fnone",
            ])
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

/// The path of the task among what there is of a stack.
fn task_of(paths: &[String]) -> &str {
    paths.iter().find(|path| path.contains("/tasks/")).unwrap()
}

#[tokio::test]
async fn a_task_of_another_stack_is_neither_cancelled_nor_tried_again() {
    let (bed, [mine, theirs]) = two().await;
    let operator = granted(&bed, Role::Operator, &["mine"]).await;
    let post = async |path: &str, what: &str| {
        let (status, answer) = asked(&bed, &operator, Method::POST, &format!("{path}/{what}"), None).await;
        (status, answer["code"].as_str().unwrap_or_default().to_owned())
    };
    for what in ["cancel", "retry"] {
        assert_eq!(post(task_of(&theirs), what).await, (403, "not-granted".to_owned()), "{what}");
        assert_eq!(post(task_of(&mine), what).await.0, 202, "{what}");
    }
    let task = bed.json(Method::GET, task_of(&theirs), None, 200).await;
    assert!(!["cancelled", "cancelling"].contains(&task["status"].as_str().unwrap()), "{task}");
}

#[tokio::test]
async fn logs_and_commands_are_of_containers_of_granted_stacks_alone() {
    let (bed, _) = two().await;
    for role in [Role::Viewer, Role::Operator] {
        let token = granted(&bed, role, &["mine"]).await;
        let (status, list) = asked(&bed, &token, Method::GET, "/api/v1/containers", None).await;
        let names: Vec<_> = list["containers"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
        assert_eq!((status, names), (200, vec![json!("mine-web")]), "{role:?}");
        let logs = async |name: &str| {
            let path = format!("/api/v1/containers/vm1%2F{name}/logs?wait=0");
            let (status, problem) = asked(&bed, &token, Method::GET, &path, None).await;
            (status, problem["code"].as_str().unwrap_or_default().to_owned())
        };
        for other in ["theirs-web", "alien", "none"] {
            assert_eq!(logs(other).await, (403, "not-granted".to_owned()), "{role:?}: {other}");
        }
        // No agent is there that could answer: whoever may ask is told that.
        assert_eq!(logs("mine-web").await.0, 503, "{role:?}");

        let client = bed.client(&token);
        let spec = graphium_core::runtime::ExecSpec { command: vec!["cat".to_owned()], ..Default::default() };
        let wait = Some(std::time::Duration::ZERO);
        for other in ["vm1/theirs-web", "id-of-theirs-web", "vm1/alien"] {
            let refused = client.exec(other, &spec, wait).await.err();
            assert!(matches!(refused, Some(ClientError::Denied { status: 403, .. })), "{role:?}: {other}: {refused:?}");
        }
        let own = client.exec("vm1/mine-web", &spec, wait).await;
        assert_eq!(own.is_ok(), role == Role::Operator, "{role:?}");
        if let Ok(mut own) = own {
            let _gone = futures::SinkExt::send(&mut own.input, ExecInput::Close {}).await;
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
        assert!(
            answer[list].as_array().is_some_and(|list| !list.is_empty()) && text.contains("mine"),
            "{path}: {text}"
        );
    }
}

/// The number of the last event of what is granted, which events of the other stack precede.
async fn last_of_mine(bed: &Bed) -> u64 {
    let mut changed = stack("mine", "vm1");
    changed["hasPart"][0]["image"] = json!("nginx:1.28");
    bed.deploy(&changed).await;
    let list = bed.json(Method::GET, "/api/v1/events?follow=false&limit=1000", None, 200).await;
    let of = |name: &str| {
        let events = list["events"].as_array().unwrap().iter().filter(|event| event.to_string().contains(name));
        events.map(|event| event["seq"].as_u64().unwrap()).max().unwrap()
    };
    assert!(of("theirs") < of("mine"), "{list}");
    of("mine")
}

#[tokio::test]
async fn streams_have_what_was_granted_alone_up_to_the_last_event() {
    let (bed, _) = two().await;
    let viewer = granted(&bed, Role::Viewer, &["mine"]).await;
    let last = last_of_mine(&bed).await;
    let has_mine_alone = |what: &str, text: &str, first: &str| {
        assert!(text.contains("stack:mine") && !text.contains("theirs"), "{what}: {text}");
        assert!(!text.contains("vm1/alien") && !text.contains("id-of-alien"), "{what}: {text}");
        assert!(!text.contains(first), "the first event is of a host: {what}: {text}");
    };
    let request = bed.request(Method::GET, "/api/v1/events?after=0").bearer_auth(&viewer);
    let mut stream = request.header("accept", "text/event-stream").send().await.unwrap();
    let mut text = String::new();
    while !text.contains(&format!("id: {last}\n")) {
        let chunk = within("an event", stream.chunk()).await.unwrap().unwrap();
        text += std::str::from_utf8(&chunk).unwrap();
    }
    has_mine_alone("/events", &text, "id: 1\n");

    for path in ["/api/v1/ws", "/api/v1/ws/graph"] {
        let url = format!("{}{path}?after=0&access_token={viewer}", bed.server.url().replace("http", "ws"));
        let (mut socket, _) = connect_async(url).await.unwrap();
        let mut text = String::new();
        while !text.contains(&format!("\"seq\":{last},")) {
            match within("a frame", socket.next()).await.unwrap().unwrap() {
                Message::Text(frame) => text += &frame,
                Message::Ping(_) => {}
                other => panic!("{path}: {other:?}"),
            }
        }
        has_mine_alone(path, &text, "\"seq\":1,");
    }
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
