//! Events over SSE and WebSocket: resumed by number, without a gap, for as long as the token is good.

use crate::bed::{Bed, stack};
use futures::{SinkExt, StreamExt};
use graphium_core::{
    control::Role,
    event::{Event, EventType, NewEvent},
    store::{Cut, Submission},
};
use graphium_server::{
    ServerOptions,
    client::{Client, ClientError},
    start,
};
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("{what}: not within 10 s"))
}

fn url(bed: &Bed, query: &str) -> String {
    format!("{}/api/v1/ws{query}", bed.server.url().replace("http", "ws"))
}

/// Events of a WebSocket until one has this number.
async fn read_until(
    socket: &mut (impl futures::Stream<Item = Result<Message, tokio_tungstenite::tungstenite::Error>> + Unpin),
    last: u64,
) -> Vec<u64> {
    let mut seqs = Vec::new();
    while seqs.last() != Some(&last) {
        match within("a frame", socket.next()).await.unwrap().unwrap() {
            Message::Text(text) => {
                let frame: Value = serde_json::from_str(&text).unwrap();
                let keys: Vec<_> = frame.as_object().unwrap().keys().cloned().collect();
                assert_eq!(keys, ["seq", "type", "timestamp", "data"]);
                seqs.push(frame["seq"].as_u64().unwrap());
            }
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    seqs
}

#[tokio::test]
async fn a_websocket_resumes_by_number_without_a_gap() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    bed.deploy(&stack("one", "vm1")).await;
    let store = bed.server.control().store();
    let first = store.last_event().await.unwrap();
    let (mut socket, _) = connect_async(url(&bed, &format!("?after=0&access_token={}", bed.token))).await.unwrap();
    let mut seqs = read_until(&mut socket, first).await;
    drop(socket);

    // What happens meanwhile, and what happens while it is read again.
    bed.deploy(&stack("two", "vm1")).await;
    let query = format!("?after={first}&access_token={}", bed.token);
    let (mut socket, _) = connect_async(url(&bed, &query)).await.unwrap();
    bed.deploy(&stack("three", "vm1")).await;
    let last = store.last_event().await.unwrap();
    seqs.extend(read_until(&mut socket, last).await);
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_websocket_takes_its_token_as_a_browser_can_send_it() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let mut request = url(&bed, "?after=0").into_client_request().unwrap();
    let protocol = HeaderValue::from_str(&format!("bearer, {}", bed.token)).unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let (mut socket, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "bearer", "the token is not sent back");
    read_until(&mut socket, 1).await;
    socket.send(Message::Ping("hello".into())).await.unwrap();
    let pong = async {
        while let Some(Ok(message)) = socket.next().await {
            if matches!(message, Message::Pong(_)) {
                return;
            }
        }
        panic!("closed");
    };
    within("a pong", pong).await;
    assert!(connect_async(url(&bed, "?access_token=gph_wrong")).await.is_err());
    // On other routes a token in the address counts for nothing: addresses are written into logs.
    let path = format!("/api/v1/stacks?access_token={}", bed.token);
    assert_eq!(bed.request(Method::GET, &path).send().await.unwrap().status(), 401);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    let token = bed.token(Role::Viewer, None).await;
    let (mut socket, _) = connect_async(url(&bed, &format!("?access_token={token}"))).await.unwrap();
    let mut events = bed.client(&token).events(0, true);
    within("an event", events.next()).await.unwrap().unwrap();
    let id = bed.admin.tokens().await.unwrap().into_iter().find(|token| token.role == Role::Viewer).unwrap().id;
    bed.admin.revoke_token(&id).await.unwrap();
    let closed = async {
        loop {
            match socket.next().await {
                Some(Ok(Message::Close(Some(frame)))) => return u16::from(frame.code),
                Some(Ok(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(within("the close", closed).await, 4401);
    let end = async {
        loop {
            if let Err(error) = events.next().await.expect("an error is the last item") {
                return error;
            }
        }
    };
    let error = within("the end", end).await;
    assert!(matches!(error, ClientError::Denied { status: 401, .. }), "{error}");
    assert!(events.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_far_behind_is_cut_with_its_token_too() {
    let bed = Bed::new().await;
    // More than lies in the buffers on the way.
    const COUNT: u64 = 4000;
    let event = NewEvent { kind: EventType::TaskUpdated, data: "x".repeat(16 * 1024).into() };
    let store = bed.server.control().store();
    for _ in 0..COUNT / 100 {
        let submission = Submission { events: vec![event.clone(); 100], ..Submission::default() };
        store.submit(submission, jiff::Timestamp::now()).await.unwrap();
    }
    let token = bed.token(Role::Viewer, None).await;
    let mut events = bed.client(&token).events(0, true);
    within("an event", events.next()).await.unwrap().unwrap();
    let (mut socket, _) = connect_async(url(&bed, &format!("?after=0&access_token={token}"))).await.unwrap();
    within("a frame", socket.next()).await.unwrap().unwrap();
    let id = bed.admin.tokens().await.unwrap().into_iter().find(|token| token.role == Role::Viewer).unwrap().id;
    bed.admin.revoke_token(&id).await.unwrap();

    let (mut of_socket, mut of_events) = (1, 1);
    let code = loop {
        match within("a frame", socket.next()).await {
            Some(Ok(Message::Close(Some(frame)))) => break u16::from(frame.code),
            Some(Ok(Message::Text(_))) => of_socket += 1,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(code, 4401);
    let error = loop {
        match within("an event", events.next()).await.expect("an error is the last item") {
            Ok(_) => of_events += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, ClientError::Denied { status: 401, .. }), "{error}");
    assert!(of_socket < COUNT && of_events < COUNT, "{of_socket} and {of_events} were read of {COUNT}");
}

async fn numbers(events: impl futures::Stream<Item = Result<Event, ClientError>>) -> Vec<u64> {
    within("the end of the events", events.map(|event| event.unwrap().seq).collect()).await
}

#[tokio::test]
async fn what_has_happened_is_listed_and_read_to_its_end() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let last = bed.server.control().store().last_event().await.unwrap();
    assert_eq!(numbers(bed.admin.events(0, false)).await, (1..=last).collect::<Vec<_>>());
    assert_eq!(numbers(bed.admin.events(2, false)).await, (3..=last).collect::<Vec<_>>());
    let part = bed.json(Method::GET, "/api/v1/events?after=1&limit=2&follow=false", None, 200).await;
    let seqs: Vec<_> = part["events"].as_array().unwrap().iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert_eq!((seqs, &part["next"]), (vec![2, 3], &Value::from("3")));
}

#[tokio::test]
async fn events_that_were_pruned_are_answered_for_and_nobody_new_misses_them() {
    let bed = Bed::new().await;
    let _host = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let store = bed.server.control().store();
    let pruned = store.prune(&Cut { max_events: 3, ..Cut::nothing() }).await.unwrap().unwrap().events;
    let last = store.last_event().await.unwrap();
    assert_eq!(pruned, last - 3);
    for path in ["/api/v1/events?after=1", "/api/v1/events?after=1&follow=false"] {
        let refused = bed.json(Method::GET, path, None, 410).await;
        assert_eq!(refused["code"], "events-pruned", "{refused}");
        assert!(refused["detail"].as_str().unwrap().contains(&format!("`after={pruned}`")), "{refused}");
    }
    let left: Vec<u64> = (pruned + 1..=last).collect();
    assert_eq!(numbers(bed.admin.events(0, false)).await, left, "whoever has seen nothing begins with what is left");
    assert_eq!(numbers(bed.admin.events(pruned, false)).await, left);
    let list = bed.json(Method::GET, "/api/v1/events?follow=false&limit=2", None, 200).await;
    assert_eq!(list["events"][0]["seq"], left[0]);
}

#[tokio::test]
async fn a_followed_stream_outlives_its_server() {
    let folder = tempfile::tempdir().unwrap();
    let options = |listen: &str| ServerOptions {
        notes: None,
        ..ServerOptions::new(
            listen.parse().unwrap(),
            format!("sqlite:{}", folder.path().join("graphium.db").display()),
            folder.path(),
        )
    };
    let server = start(options("127.0.0.1:0")).await.unwrap();
    let addr = server.addr().to_string();
    let token = std::fs::read_to_string(server.admin_token_file()).unwrap();
    let client = Client::new(&server.url(), Some(token.trim().to_owned())).unwrap();
    let host = |name: &str| graphium_core::inventory::Host::named(name.into());
    client.register_host(&host("vm1")).await.unwrap();
    let mut events = client.events(0, true);
    let first = within("an event", events.next()).await.unwrap().unwrap();
    assert_eq!(first.seq, 1);

    server.shutdown().await;
    let server = start(options(&addr)).await.unwrap();
    client.register_host(&host("vm2")).await.unwrap();
    let last = server.control().store().last_event().await.unwrap();
    let mut seqs = vec![1];
    while seqs.last() != Some(&last) {
        seqs.push(within("an event", events.next()).await.unwrap().unwrap().seq);
    }
    assert_eq!(seqs, (1..=last).collect::<Vec<_>>());
    server.shutdown().await;
}
