//! Servers and agents of different ages.

use crate::bed::Bed;
use axum::{
    Json, Router,
    extract::{Path, State},
    routing::{post, put},
};
use graphium_core::{
    agent::{AgentLink, ClaimCall, LinkError},
    control::Role,
    id::{ClaimId, TaskId},
    task::Task,
};
use graphium_server::client::{Client, HttpLink};
use reqwest::Method;
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

#[tokio::test]
async fn a_session_takes_the_version_that_both_speak_and_says_who_is_too_old() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Agent, Some("vm1")).await;
    let open = async |versions: Option<&str>| {
        let mut request = bed.request(Method::POST, "/api/v1/agents/vm1/session").bearer_auth(&token);
        if let Some(versions) = versions {
            request = request.header("graphium-protocol", versions);
        }
        let body = json!({"host": "vm1", "nonce": format!("{versions:?}"), "seenEpoch": 0});
        let answer = request.json(&body).send().await.unwrap();
        let taken = answer.headers().get("graphium-protocol").map(|taken| taken.to_str().unwrap().to_owned());
        (answer.status().as_u16(), taken, answer.json::<Value>().await.unwrap())
    };
    for versions in [None, Some("1"), Some("1-2")] {
        let (status, taken, body) = open(versions).await;
        assert_eq!((status, taken.as_deref()), (200, Some("1")), "{versions:?}: {body}");
    }
    let (status, _, body) = open(Some("2-3")).await;
    assert_eq!((status, &body["code"]), (426, &json!("server-too-old")), "{body}");
    let told = body["detail"].as_str().unwrap();
    assert!(told.contains("vm1") && told.contains("2-3") && told.contains("update the server"), "{told}");
    assert_eq!(open(Some("0")).await.2["code"], "agent-too-old");
    assert_eq!(open(Some("new")).await.2["code"], "wrong-header");
}

/// What a server of the next version grants, and what it is told.
#[derive(Default)]
struct Newer {
    granted: Vec<Value>,
    told: Mutex<Vec<(String, Value)>>,
}

#[tokio::test]
async fn a_task_that_an_agent_does_not_know_fails_and_keeps_no_other_waiting() {
    let task = |number: u64, payload: Value| {
        let known = json!({"action": "stop", "name": "web"});
        let task = Task::new(
            TaskId::new(format!("task:{number}")),
            "vm1".into(),
            serde_json::from_value(known).unwrap(),
            jiff::Timestamp::UNIX_EPOCH,
        );
        let mut task = serde_json::to_value(task).unwrap();
        task["payload"] = payload;
        task["lease"] = json!({"task": format!("task:{number}"), "attempt": 1, "epoch": 1, "claim": "c", "expiresAt": "1970-01-01T00:01:00Z"});
        task["whatIsNew"] = json!({"x": 1});
        task
    };
    let granted = vec![
        task(1, json!({"action": "teleport", "name": "web"})),
        task(2, json!({"action": "stop", "name": "web", "gently": true})),
    ];
    let newer = Arc::new(Newer { granted, told: Mutex::default() });
    let router = Router::new()
        .route(
            "/api/v1/agents/vm1/claim",
            post(async |State(newer): State<Arc<Newer>>| Json(json!({"tasks": newer.granted}))),
        )
        .route(
            "/api/v1/tasks/{id}/status",
            put(async |State(newer): State<Arc<Newer>>, Path(id): Path<String>, Json(body): Json<Value>| {
                newer.told.lock().unwrap().push((id, body));
            }),
        )
        .with_state(Arc::clone(&newer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let link = HttpLink::new(Client::new(&url, None).unwrap());
    let call = ClaimCall { host: "vm1".into(), epoch: 1, claim: ClaimId::new("c"), max: 8, wait: Duration::ZERO };
    let tasks: Result<Vec<Task>, LinkError> = link.claim(&call).await;
    let ids: Vec<String> = tasks.unwrap().iter().map(|task| task.id.to_string()).collect();
    assert_eq!(ids, ["task:2"]);
    let told = newer.told.lock().unwrap();
    let [(id, report)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((id.as_str(), &report["status"]), ("task:1", &json!("failed")), "{report}");
    let text = report.to_string();
    assert!(text.contains("agent-too-old") && text.contains("teleport") && text.contains("update the agent"), "{text}");
}
