//! Servers and agents of different ages.

use crate::bed::Bed;
use axum::{
    Json, Router,
    extract::{Path, Request, State},
    http::StatusCode,
    routing::{post, put},
};
use graphium_core::{
    agent::{Agent, AgentLink, AgentSettings, ClaimCall, LinkError, MemoryJournal},
    control::Role,
    id::{ClaimId, TaskId},
    task::Task,
    testing::FakeRuntime,
};
use graphium_server::{
    client::{Client, HttpLink},
    environment::TokioEnvironment,
};
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

#[tokio::test]
async fn every_call_of_an_agent_is_looked_at_for_the_session_may_be_of_another_server() {
    let bed = Bed::new().await;
    let token = bed.token(Role::Agent, Some("vm1")).await;
    let ask = async |method: Method, path: &str, versions: &str| {
        let request = bed.request(method, path).bearer_auth(&token).header("graphium-protocol", versions);
        let answer = request.json(&json!({})).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap_or_default())
    };
    let agents = |call: &str| format!("/api/v1/agents/vm1/{call}");
    for (method, path) in [
        (Method::POST, agents("session")),
        (Method::POST, agents("claim")),
        (Method::POST, agents("renew")),
        (Method::PUT, agents("observation")),
        (Method::POST, agents("streams")),
        (Method::POST, agents("streams/any")),
        (Method::GET, agents("streams/any")),
    ] {
        for (versions, code, help) in
            [("0", "agent-too-old", "update the agent"), ("2-3", "server-too-old", "update the server")]
        {
            let (status, told) = ask(method.clone(), &path, versions).await;
            assert_eq!((status, &told["code"]), (426, &json!(code)), "{method} {path}: {told}");
            let words = told["detail"].as_str().unwrap();
            assert!(words.contains(help) && words.contains("vm1"), "{words}");
        }
        let (status, told) = ask(method.clone(), &path, "1-2").await;
        assert_ne!(status, 426, "{method} {path}: {told}");
    }
}

/// A server that is replaced while a session lasts.
#[derive(Default)]
struct Replaced {
    /// What it answers by now, but to the first call, instead of its own answer.
    answer: Mutex<Option<(u16, Value)>>,
    calls: Mutex<Vec<String>>,
}

#[tokio::test]
async fn an_agent_says_who_is_to_be_updated_once_and_goes_on_when_that_is_done() {
    let replaced = Arc::new(Replaced::default());
    let answer = async |State(replaced): State<Arc<Replaced>>, request: Request| {
        let call = request.uri().path().rsplit('/').next().unwrap_or_default().to_owned();
        assert_eq!(request.headers()["graphium-protocol"], "1", "{call}");
        replaced.calls.lock().unwrap().push(call.clone());
        let other = replaced.answer.lock().unwrap().clone();
        let (status, body) = other.unwrap_or_else(|| match &*call {
            "session" => {
                let session = json!({"host": "vm1", "epoch": 1, "nonce": "n"});
                (200, json!({"session": session, "leaseSeconds": 30, "serverVersion": "1"}))
            }
            "renew" => (200, json!({"held": []})),
            "observation" => (204, json!(null)),
            _ => (200, json!({"tasks": [], "requests": []})),
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        (StatusCode::from_u16(status).unwrap(), Json(body))
    };
    let router = Router::new().fallback(answer).with_state(Arc::clone(&replaced));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });

    let notices: Arc<Mutex<Vec<String>>> = Arc::default();
    let told = Arc::clone(&notices);
    let settings = AgentSettings {
        notify: Arc::new(move |notice| told.lock().unwrap().push(notice.to_string())),
        ..AgentSettings::new("vm1".into(), 2)
    };
    let environment = Arc::new(TokioEnvironment::new());
    let engine = FakeRuntime::with_environment(Arc::new(TokioEnvironment::new()));
    let link = Arc::new(HttpLink::new(Client::new(&url, None).unwrap()));
    let agent = Agent::new(link, Arc::new(engine), environment, Box::new(MemoryJournal::default()), settings);
    let agent = tokio::spawn(agent.run(std::future::pending()));
    let asked = async |wanted: &[&str]| {
        replaced.calls.lock().unwrap().clear();
        // Ever longer pauses lie between calls that fail.
        let has_asked = || {
            let calls = replaced.calls.lock().unwrap();
            wanted.iter().all(|wanted| calls.iter().any(|call| call == wanted))
        };
        for _ in 0..400 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            if has_asked() {
                return tokio::time::sleep(Duration::from_millis(300)).await;
            }
        }
        panic!("{wanted:?} is not asked any more");
    };
    asked(&["claim"]).await;
    let problem = |code: &str, detail: &str| json!({"code": code, "detail": detail});
    for (status, answer, words) in [
        (426, problem("agent-too-old", "update the agent"), "update the agent"),
        (404, problem("no-such-route", "there is nothing at `/x`"), "a server that is older is to be updated"),
        (422, problem("wrong-shape", "`x` is missing"), "update the older of the two"),
    ] {
        notices.lock().unwrap().clear();
        *replaced.answer.lock().unwrap() = Some((status, answer));
        for _ in 0..2 {
            asked(&["claim"]).await;
        }
        let told: Vec<String> =
            notices.lock().unwrap().iter().filter(|told| told.contains("rejects")).cloned().collect();
        assert!(!told.is_empty() && told.iter().all(|told| told.contains(words)), "{told:?}");
        for call in ["/claim", "/observation"] {
            assert!(told.iter().filter(|told| told.contains(call)).count() <= 1, "each is told once: {told:?}");
        }
    }
    *replaced.answer.lock().unwrap() = None;
    asked(&["claim"]).await;
    assert!(!agent.is_finished(), "it waits for who fits it");
    agent.abort();
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
