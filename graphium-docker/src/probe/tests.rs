#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
//! Questions to servers of our own.

use super::*;
use bytes::Bytes;
use graphium_core::stack::TextMap;
use hyper::Response;
use std::net::Ipv4Addr;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LIMIT: Duration = Duration::from_secs(5);

/// Answers one connection with this, and gives back what it was asked.
async fn server(answer: impl Into<Vec<u8>>) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let (port, answer) = (listener.local_addr().unwrap().port(), answer.into());
    let asked = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        // The other side may have heard enough.
        let _ = stream.write_all(&answer).await;
        String::from_utf8(head).unwrap()
    });
    (port, asked)
}

fn http(port: u16, headers: &[(&str, &str)]) -> HealthTest {
    let headers: TextMap = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    HealthTest::Http { path: "/up?x=1".to_owned(), port, headers }
}

#[tokio::test]
async fn the_status_of_a_page_decides_and_a_redirection_is_not_followed() {
    for (answer, is_well, output) in [
        ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nyes", true, "HTTP 200 OK: yes"),
        ("HTTP/1.1 204 No Content\r\n\r\n", true, "HTTP 204 No Content"),
        ("HTTP/1.1 302 Found\r\nlocation: http://192.0.2.1/\r\ncontent-length: 0\r\n\r\n", true, "HTTP 302 Found"),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 4\r\n\r\ngone", false, "HTTP 404 Not Found: gone"),
        ("HTTP/1.0 503 Busy\r\n\r\nstarting", false, "HTTP 503 Service Unavailable: starting"),
    ] {
        let (port, _) = server(answer).await;
        assert_eq!(ask(HERE, &http(port, &[]), LIMIT).await, Probe { is_well, output: output.to_owned() });
    }
}

#[tokio::test]
async fn a_document_says_path_and_headers() {
    let (port, asked) = server("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await;
    assert!(ask(HERE, &http(port, &[("X-Token", "abc"), ("Host", "shop.example")]), LIMIT).await.is_well);
    let asked = asked.await.unwrap().to_lowercase();
    assert!(asked.starts_with("get /up?x=1 http/1.1\r\n"), "{asked}");
    assert!(asked.contains("x-token: abc") && asked.contains("host: shop.example"), "{asked}");
    assert_eq!(asked.matches("host:").count(), 1, "{asked}");
    let wrong = ask(HERE, &http(port, &[("X Token", "hidden\n")]), LIMIT).await;
    assert!(!wrong.is_well && wrong.output.contains("`X Token`") && !wrong.output.contains("hidden"), "{wrong:?}");
}

#[tokio::test]
async fn an_answer_is_bounded_in_bytes_and_in_time() {
    let mut endless = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    endless.extend(std::iter::repeat_n(b'x', 1 << 20));
    let (port, _) = server(endless).await;
    let probe = ask(HERE, &http(port, &[]), LIMIT).await;
    assert!(probe.is_well && probe.output.len() < 5000, "{}", probe.output.len());
    // One that takes the question and says nothing.
    let silent = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = silent.local_addr().unwrap().port();
    for test in [http(port, &[]), HealthTest::Grpc { port }] {
        let probe = ask(HERE, &test, Duration::from_millis(200)).await;
        assert_eq!(probe, Probe::failed("no answer from 127.0.0.1 within 0.2 s"), "{test:?}");
    }
}

#[tokio::test]
async fn a_connection_that_opens_is_well_and_one_that_is_refused_is_not() {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    assert!(ask(HERE, &HealthTest::Tcp { port }, LIMIT).await.is_well);
    drop(listener);
    for test in [HealthTest::Tcp { port }, HealthTest::Grpc { port }, http(port, &[])] {
        let probe = ask(HERE, &test, LIMIT).await;
        assert_eq!(probe, Probe::failed(format!("127.0.0.1:{port}: connection refused")));
    }
}

/// A gRPC server that answers one call with this message and this status.
async fn grpc(message: &'static [u8], status: &'static str) -> (u16, tokio::task::JoinHandle<String>) {
    let listener = TcpListener::bind((HERE, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let (request, mut respond) = connection.accept().await.unwrap().unwrap();
        let (head, mut body) = request.into_parts();
        let serving = async move {
            let sent = body.data().await.unwrap().unwrap();
            let mut answer = respond.send_response(Response::new(()), false).unwrap();
            answer.send_data(Bytes::from_static(message), false).unwrap();
            let mut trailers = hyper::HeaderMap::new();
            trailers.insert("grpc-status", status.parse().unwrap());
            answer.send_trailers(trailers).unwrap();
            format!("{} {} {:?} {sent:?}", head.method, head.uri.path(), head.headers["content-type"])
        };
        // The connection is driven until the other side goes.
        let (asked, _) = tokio::join!(serving, async { while connection.accept().await.is_some() {} });
        asked
    });
    (port, asked)
}

#[tokio::test]
async fn a_grpc_server_is_asked_as_its_health_protocol_says() {
    let (port, asked) = grpc(&[0, 0, 0, 0, 2, 8, 1], "0").await;
    assert_eq!(ask(HERE, &HealthTest::Grpc { port }, LIMIT).await, Probe::passed("SERVING"));
    let asked = asked.await.unwrap();
    assert_eq!(asked, r#"POST /grpc.health.v1.Health/Check "application/grpc" b"\0\0\0\0\0""#);
    let (port, _) = grpc(&[0, 0, 0, 0, 2, 8, 2], "0").await;
    assert_eq!(ask(HERE, &HealthTest::Grpc { port }, LIMIT).await, Probe::failed("NOT_SERVING"));
    let (port, _) = grpc(&[], "12").await;
    let probe = ask(HERE, &HealthTest::Grpc { port }, LIMIT).await;
    assert!(!probe.is_well && probe.output.contains("no grpc.health.v1.Health"), "{probe:?}");
    let (port, _) = server("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let probe = ask(HERE, &HealthTest::Grpc { port }, LIMIT).await;
    assert!(!probe.is_well && probe.output.contains("does not speak gRPC"), "{probe:?}");
}
