//! What a peer may take, and how the server ends.

use crate::bed::{Bed, eventually};
use futures::StreamExt;
use graphium_core::{
    agent::{AgentLink, ClaimCall, LinkError},
    id::ClaimId,
};
use graphium_server::{client::Client, serve::Limits};
use reqwest::Method;
use serde_json::Value;
use std::time::{Duration, Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SHORT: Duration = Duration::from_millis(700);

async fn impatient() -> Bed {
    Bed::with(Limits { head: SHORT, body: SHORT, ..Limits::default() }).await
}

/// Everything until the server closes the connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut text)).await;
    let _reset_is_an_end_too = read.expect("the connection is still open");
    String::from_utf8_lossy(&text).into_owned()
}

#[tokio::test]
async fn a_head_that_trickles_is_cut() {
    let bed = impatient().await;
    let mut stream = TcpStream::connect(bed.server.addr()).await.unwrap();
    let begun = Instant::now();
    let (mut reader, mut writer) = stream.split();
    let trickle = async {
        writer.write_all(b"GET /healthz HTTP/1.1\r\n").await.unwrap();
        loop {
            tokio::time::sleep(Duration::from_millis(100)).await;
            if writer.write_all(b"x-slow: 1\r\n").await.is_err() {
                break std::future::pending::<()>().await;
            }
        }
    };
    let mut answer = Vec::new();
    tokio::select! {
        () = trickle => {}
        _ = reader.read_to_end(&mut answer) => {}
        () = tokio::time::sleep(Duration::from_secs(10)) => panic!("still open"),
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_connection_that_says_nothing_is_cut_also_after_a_request() {
    let bed = impatient().await;
    let mut silent = TcpStream::connect(bed.server.addr()).await.unwrap();
    assert_eq!(rest(&mut silent).await, "");
    let mut used = TcpStream::connect(bed.server.addr()).await.unwrap();
    used.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    assert!(rest(&mut used).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_connection_for_which_there_is_no_room_hears_so_at_once() {
    let bed = Bed::with(Limits { connections: 2, ..Limits::default() }).await;
    let connect = async || TcpStream::connect(bed.server.addr()).await.unwrap();
    let (first, _second) = (connect().await, connect().await);
    let begun = Instant::now();
    for _ in 0..3 {
        let mut third = connect().await;
        let _told_already = third.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
        let answer = rest(&mut third).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
        let problem: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        assert_eq!(problem["code"], "overloaded");
    }
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(bed.server.is_alive(Duration::from_secs(1)).await);
    drop(first);
    eventually("there is room again", async || bed.admin.healthz().await.ok()).await;
}

#[tokio::test]
async fn a_websocket_has_a_place_among_the_connections_until_it_ends() {
    let bed = Bed::with(Limits { connections: 1, ..Limits::default() }).await;
    let mut socket = TcpStream::connect(bed.server.addr()).await.unwrap();
    let head = format!(
        "GET /api/v1/ws HTTP/1.1\r\nhost: {}\r\nauthorization: Bearer {}\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n",
        bed.server.addr(),
        bed.token
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    socket.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 101");
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut other = TcpStream::connect(bed.server.addr()).await.unwrap();
    let _told_already = other.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert!(rest(&mut other).await.starts_with("HTTP/1.1 503"));
    drop(socket);
    eventually("there is room again", async || bed.admin.healthz().await.ok()).await;
}

#[tokio::test]
async fn a_body_that_trickles_is_answered_408() {
    let bed = impatient().await;
    let mut stream = TcpStream::connect(bed.server.addr()).await.unwrap();
    let head = format!(
        "POST /api/v1/stacks HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-length: 100\r\n\r\n{{",
        bed.token
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("too-slow"), "{answer}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_answered_413() {
    let bed = Bed::new().await;
    for (path, size) in [("/api/v1/stacks", 8 << 20), ("/api/v1/tasks", 1 << 20)] {
        let body = " ".repeat(size + 1);
        let chunks = futures::stream::iter(
            body.clone()
                .into_bytes()
                .chunks(65536)
                .map(<[u8]>::to_vec)
                .map(Ok::<_, std::io::Error>)
                .collect::<Vec<_>>(),
        );
        for body in [reqwest::Body::from(body.clone()), reqwest::Body::wrap_stream(chunks)] {
            let request = bed.request(Method::POST, path).bearer_auth(&bed.token).body(body);
            // A server may close before all has been sent; the answer is there all the same, or the connection is reset.
            let Ok(response) = request.send().await else { continue };
            assert_eq!(response.status(), 413, "{path}");
            let problem: Value = response.json().await.unwrap();
            assert_eq!(problem["code"], "too-large");
        }
        // Within the limit it is read, and found to be no document.
        let request = bed.request(Method::POST, path).bearer_auth(&bed.token).body(" ".repeat(size));
        assert!(matches!(request.send().await.unwrap().status().as_u16(), 400 | 422), "{path}");
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_answered_431() {
    let bed = Bed::new().await;
    let mut stream = TcpStream::connect(bed.server.addr()).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nx-large: {}\r\n\r\n", "x".repeat(64 * 1024));
    let _cut_meanwhile = stream.write_all(head.as_bytes()).await;
    let answer = rest(&mut stream).await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn the_server_ends_within_two_seconds_with_everything_open() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    let url = bed.server.url();
    let mut events = Box::pin(bed.admin.events(0, true));
    events.next().await.unwrap().unwrap();
    let ws = format!("{}/api/v1/ws?after=0&access_token={}", url.replace("http", "ws"), bed.token);
    let (mut socket, _) = tokio_tungstenite::connect_async(ws).await.unwrap();
    socket.next().await.unwrap().unwrap();
    let idle = TcpStream::connect(bed.server.addr()).await.unwrap();
    let half = async {
        let mut half = TcpStream::connect(bed.server.addr()).await.unwrap();
        half.write_all(b"POST /api/v1/stacks HTTP/1.1\r\ncontent-length: 9\r\n").await.unwrap();
        half
    }
    .await;
    let call = ClaimCall {
        host: "vm1".into(),
        epoch: grant.session.epoch,
        claim: ClaimId::new("parked"),
        max: 1,
        wait: Duration::from_secs(30),
    };
    let parked = tokio::spawn(async move { link.claim(&call).await });
    tokio::time::sleep(Duration::from_millis(300)).await;

    let begun = Instant::now();
    bed.server.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let answer = parked.await.unwrap();
    assert!(matches!(answer, Err(LinkError::Unreachable(_))), "the agent asks again with the same claim: {answer:?}");
    let mut last = None;
    while let Some(Ok(message)) = socket.next().await {
        last = Some(message);
    }
    let Some(tokio_tungstenite::tungstenite::Message::Close(Some(frame))) = last else { panic!("{last:?}") };
    assert_eq!(u16::from(frame.code), 1001);
    drop((idle, half));
    assert!(Client::new(&url, None).unwrap().healthz().await.is_err());
}
