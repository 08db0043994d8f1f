//! More requests than the server takes on at a time.

use crate::bed::{Bed, stack};
use graphium_core::agent::{AgentLink as _, ClaimCall, RenewCall};
use graphium_server::{client::Client, serve::Limits};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

async fn refused(response: Response, status: u16, code: &str) {
    assert_eq!(response.status(), StatusCode::from_u16(status).unwrap());
    let seconds: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], code);
    assert!(problem["detail"].as_str().unwrap().contains("ask again in"), "{problem}");
}

#[tokio::test]
async fn a_server_without_a_place_for_people_still_serves_agents_and_probes() {
    let bed = Bed::with(Limits { reads: 0, waiting: 0, ..Limits::default() }).await;
    let (link, grant) = bed.host("vm1").await;
    let begun = Instant::now();
    for path in ["/api/v1/stacks", "/api/v1/events", "/api/v1/ws", "/api/v1/agents/vm1/tasks"] {
        refused(bed.send(Method::GET, path, None).await, 503, "overloaded").await;
    }
    // Also whoever is nobody: what it costs to find that out is not spent.
    refused(bed.request(Method::GET, "/api/v1/stacks").send().await.unwrap(), 503, "overloaded").await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());

    for path in ["/livez", "/readyz", "/healthz", "/metrics", "/api/v1/readyz", "/docs", "/api/v1/openapi.json"] {
        let response = bed.send(Method::GET, path, None).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
    }
    let epoch = grant.session.epoch;
    link.renew(&RenewCall { host: "vm1".into(), epoch, leases: Vec::new() }).await.unwrap();
    let wait = Duration::from_millis(10);
    link.claim(&ClaimCall { host: "vm1".into(), epoch, claim: "one".into(), max: 1, wait }).await.unwrap();
    // What changes something has places of its own.
    bed.json(Method::POST, "/api/v1/stacks", Some(stack("shop", "vm1")), 202).await;
}

#[tokio::test]
async fn of_many_at_once_some_are_served_and_the_others_hear_so_soon_and_then_all_is_well() {
    // Each waits for the disk.
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("graphium.db").display());
    let bed = Bed::over(&store, Limits { changes: 1, waiting: 2, ..Limits::default() }).await;
    bed.json(Method::POST, "/api/v1/hosts", Some(json!({"@id": "vm1", "name": "vm1"})), 201).await;
    let (client, url) = (reqwest::Client::new(), format!("{}/api/v1/tasks", bed.server.url()));
    let ask = json!({"hostId": "vm1", "payload": {"action": "stop", "name": "x"}});
    let asked = (0..100).map(|_| client.post(&url).bearer_auth(&bed.token).json(&ask).send());
    let begun = Instant::now();
    let (mut served, mut turned_away) = (0, 0);
    for response in futures::future::join_all(asked).await.into_iter().map(Result::unwrap) {
        if response.status() == StatusCode::ACCEPTED {
            served += 1;
        } else {
            turned_away += 1;
            refused(response, 503, "overloaded").await;
        }
    }
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
    assert!(served > 0 && turned_away > 0, "{served} served, {turned_away} turned away");
    let tasks = bed.json(Method::GET, "/api/v1/tasks?limit=500", None, 200).await;
    assert_eq!(tasks["tasks"].as_array().unwrap().len(), served, "what was turned away was not done");
    bed.json(Method::POST, "/api/v1/tasks", Some(ask), 202).await;
}

/// The head of a request that changes something, with a body that does not come.
async fn slow(bed: &Bed, key: &str) -> TcpStream {
    let mut stream = TcpStream::connect(bed.server.addr()).await.unwrap();
    let (token, body) = (&bed.token, stack("shop", "vm1").to_string());
    let length = body.len();
    let head = format!(
        "POST /api/v1/stacks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\nidempotency-key: {key}\r\n\
         connection: close\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test]
async fn whoever_is_slow_holds_no_place() {
    let bed = Bed::with(Limits { plans: 1, waiting: 0, ..Limits::default() }).await;
    bed.host("vm1").await;
    // The second waits for the first, for both have the same key, and the first for its peer.
    let mut first = slow(&bed, "one").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let second = slow(&bed, "one").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    bed.json(Method::POST, "/api/v1/stacks", Some(stack("blog", "vm1")), 202).await;
    drop(second);
    first.write_all(stack("shop", "vm1").to_string().as_bytes()).await.unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
}

#[tokio::test]
async fn a_token_that_changes_too_much_waits_and_no_other_does() {
    let bed = Bed::with(Limits { changes_per_second: 2, ..Limits::default() }).await;
    let other = bed.token(graphium_core::control::Role::Operator, None).await;
    let host = |number: usize| Some(json!({"@id": format!("h{number}"), "name": format!("h{number}")}));
    let mut made = 0;
    let last = loop {
        let response = bed.send(Method::POST, "/api/v1/hosts", host(made)).await;
        if response.status() != StatusCode::CREATED {
            break response;
        }
        made += 1;
        assert!(made < 100, "nothing is refused");
    };
    assert!(made >= 2, "{made}");
    refused(last, 429, "too-many-changes").await;
    // Looking is no change, and the other token has changed nothing yet.
    bed.json(Method::GET, "/api/v1/hosts", None, 200).await;
    let ask = json!({"hostId": "h0", "payload": {"action": "stop", "name": "x"}});
    let response = bed.request(Method::POST, "/api/v1/tasks").bearer_auth(&other).json(&ask).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::ACCEPTED);
    // It may go on after the time that it was told.
    tokio::time::sleep(Duration::from_secs(1)).await;
    bed.json(Method::POST, "/api/v1/hosts", host(made), 201).await;
}

#[tokio::test]
async fn whoever_plans_and_whoever_changes_something_else_are_not_in_each_others_way() {
    let bed = Bed::with(Limits { plans: 0, waiting: 0, ..Limits::default() }).await;
    bed.host("vm1").await;
    refused(bed.send(Method::POST, "/api/v1/stacks", Some(stack("shop", "vm1"))).await, 503, "overloaded").await;
    let ask = json!({"hostId": "vm1", "payload": {"action": "stop", "name": "x"}});
    bed.json(Method::POST, "/api/v1/tasks", Some(ask.clone()), 202).await;
    let bed = Bed::with(Limits { changes: 0, waiting: 0, ..Limits::default() }).await;
    refused(bed.send(Method::POST, "/api/v1/tasks", Some(ask)).await, 503, "overloaded").await;
}

#[tokio::test]
async fn a_client_that_is_turned_away_asks_again_and_not_for_ever() {
    // As a server that has too much to do for so many requests.
    async fn turned_away(times: usize) -> (Result<(), graphium_server::client::ClientError>, usize, Duration) {
        let asked = Arc::new(AtomicUsize::new(0));
        let answer = {
            let asked = Arc::clone(&asked);
            async move || {
                if asked.fetch_add(1, Ordering::Relaxed) < times {
                    let problem = json!({"status": 503, "code": "overloaded", "detail": "ask again in 1 s"});
                    return (StatusCode::SERVICE_UNAVAILABLE, axum::Json(problem));
                }
                (StatusCode::OK, axum::Json(json!({"hosts": []})))
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async { axum::serve(listener, axum::Router::new().fallback(answer)).await });
        let begun = Instant::now();
        let result = Client::new(&url, None::<String>).unwrap().hosts().await;
        (result.map(drop), asked.load(Ordering::Relaxed), begun.elapsed())
    }
    let (result, asked, took) = turned_away(2).await;
    assert!(result.is_ok() && asked == 3 && took >= Duration::from_secs(2), "{result:?} {asked} {took:?}");
    let (result, asked, _) = turned_away(usize::MAX).await;
    assert!(result.unwrap_err().to_string().contains("ask again in 1 s") && asked == 6, "{asked}");
}

#[tokio::test]
async fn strangers_wait_by_their_address() {
    let bed = Bed::with(Limits { changes_per_second: 4, ..Limits::default() }).await;
    let code = json!({"code": "gph_none", "token": "gph_none"});
    let mut statuses = Vec::new();
    for _ in 0..10 {
        let response = bed.request(Method::POST, "/api/v1/auth/join").json(&code).send().await.unwrap();
        statuses.push(response.status().as_u16());
        if response.status() == StatusCode::TOO_MANY_REQUESTS {
            return refused(response, 429, "too-many-changes").await;
        }
    }
    panic!("nothing is refused: {statuses:?}");
}
