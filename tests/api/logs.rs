//! Logs over real sockets: an agent that dials out, an engine in memory, readers good and bad.

use crate::bed::{Bed, eventually, stack};
use futures::{FutureExt, StreamExt};
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::Role,
    log::{EndReason, LogFrame},
    runtime::{LogSource, Tail},
    stream::{StreamCall, StreamLink, Wanted},
    testing::{FakeRuntime, Thing},
};
use graphium_server::{
    client::{Client, ClientError, HttpLink, LogFrames, LogOptions},
    environment::TokioEnvironment,
    serve::Limits,
};
use reqwest::{Method, Response};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;

const LOGS: &str = "/api/v1/containers/vm1%2Fshop-web/logs";

/// An agent of vm1 in the place of a process of its own.
pub(crate) async fn agent(bed: &Bed, engine: &FakeRuntime) -> JoinHandle<()> {
    let token = bed.token(Role::Agent, Some("vm1")).await;
    serve(bed.client(&token), engine)
}

fn serve(client: Client, engine: &FakeRuntime) -> JoinHandle<()> {
    let link = Arc::new(HttpLink::new(client));
    let environment = Arc::new(TokioEnvironment::new());
    let settings = AgentSettings { address: Some([10, 0, 0, 1].into()), ..AgentSettings::new("vm1".into(), 2) };
    let journal = Box::new(MemoryJournal::default());
    let agent = Agent::new(link, Arc::new(engine.clone()), environment, journal, settings);
    tokio::spawn(async move {
        let _ended = agent.run(std::future::pending()).await;
    })
}

fn engine() -> FakeRuntime {
    FakeRuntime::with_environment(Arc::new(TokioEnvironment::new()))
}

/// A server, an agent, and a container that runs.
pub(crate) async fn world() -> (Bed, FakeRuntime, JoinHandle<()>) {
    world_with(Limits::default()).await
}

async fn world_with(limits: Limits) -> (Bed, FakeRuntime, JoinHandle<()>) {
    world_over("memory:", limits).await
}

async fn world_over(store: &str, limits: Limits) -> (Bed, FakeRuntime, JoinHandle<()>) {
    let bed = Bed::over(store, limits).await;
    let engine = engine();
    let agent = agent(&bed, &engine).await;
    eventually("the host", async || bed.admin.host("vm1").await.ok()?.docker_version).await;
    bed.deploy(&stack("shop", "vm1")).await;
    running(&bed).await;
    (bed, engine, agent)
}

async fn running(bed: &Bed) {
    eventually("the container", async || bed.admin.container("vm1/shop-web").await.ok()).await;
}

fn write(engine: &FakeRuntime, text: &str) {
    engine.write("shop-web", LogSource::Stdout, text.as_bytes());
}

pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), future).await.unwrap_or_else(|_| panic!("{what}: not within 10 s"))
}

async fn get(bed: &Bed, query: &str) -> Response {
    within("an answer", bed.send(Method::GET, &format!("{LOGS}{query}"), None)).await
}

fn following() -> LogOptions {
    LogOptions { follow: true, ..LogOptions::default() }
}

async fn read(client: &Client, options: &LogOptions) -> LogFrames {
    let mut frames = within("a log", client.container_logs("vm1/shop-web", options)).await.unwrap();
    let first = within("its beginning", frames.next()).await;
    assert!(matches!(first, Some(Ok(LogFrame::Begin(_)))), "{first:?}");
    frames
}

async fn line(frames: &mut LogFrames) -> String {
    match within("a line", frames.next()).await {
        Some(Ok(LogFrame::Line(line))) => String::from_utf8(line.entry.bytes).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// How a log ends, past whatever lines there are.
async fn end(frames: &mut LogFrames) -> EndReason {
    loop {
        match within("an end", frames.next()).await {
            Some(Ok(LogFrame::End(end))) => return end.reason,
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_log_is_read_as_text_and_as_objects_with_its_sources_apart() {
    let (bed, engine, _agent) = world().await;
    write(&engine, "grün\n");
    engine.write("shop-web", LogSource::Stderr, b"\xff\x00 raw\n");
    write(&engine, "no end");

    let answer = get(&bed, "").await;
    assert_eq!(answer.headers()["content-type"], "text/plain; charset=utf-8");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff");
    assert_eq!(answer.bytes().await.unwrap(), &b"gr\xc3\xbcn\n\xff\x00 raw\nno end\n"[..]);
    assert_eq!(get(&bed, "?tail=2").await.bytes().await.unwrap(), &b"\xff\x00 raw\nno end\n"[..]);
    assert_eq!(get(&bed, "?since=2100-01-01T00:00:00Z").await.text().await.unwrap(), "");
    let timed = get(&bed, "?timestamps=true&tail=1&since=10m").await.text().await.unwrap();
    let (time, text) = timed.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && text == "no end\n", "{timed}");

    let request = bed.request(Method::GET, LOGS).bearer_auth(&bed.token).header("accept", "application/x-ndjson");
    let text = within("objects", async { request.send().await.unwrap().text().await.unwrap() }).await;
    let objects: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(objects[0]["begin"]["containerId"].is_string(), "{text}");
    assert_eq!((&objects[1]["stream"], &objects[1]["text"]), (&"stdout".into(), &"grün".into()));
    assert!(objects[1]["time"].is_string());
    assert_eq!((&objects[2]["stream"], &objects[2]["base64"]), (&"stderr".into(), &"/wAgcmF3".into()));
    assert_eq!((&objects[3]["text"], &objects[3]["partial"]), (&"no end".into(), &true.into()));
    assert_eq!(objects[4], serde_json::json!({"end": {"reason": "complete"}}));
    assert_eq!(objects.len(), 5);

    // By the engine's id, too.
    let id = bed.admin.container("vm1/shop-web").await.unwrap().id;
    let by_id = bed.send(Method::GET, &format!("/api/v1/containers/{id}/logs?tail=1"), None).await;
    assert_eq!(by_id.text().await.unwrap(), "no end\n");
}

#[tokio::test]
async fn a_log_is_followed_line_by_line_to_its_end() {
    let (bed, engine, _agent) = world().await;
    write(&engine, "before\n");
    let mut frames = read(&bed.admin, &LogOptions { tail: Tail::Last(0), ..following() }).await;
    for number in 0..3 {
        write(&engine, &format!("{number}\n"));
        assert_eq!(line(&mut frames).await, format!("{number}\n"));
    }
    engine.exit("shop-web", 7);
    assert_eq!(end(&mut frames).await, EndReason::Exited);
    assert!(within("nothing", frames.next()).await.is_none());
}

#[tokio::test]
async fn nothing_of_a_long_log_is_left_out() {
    let (bed, engine, _agent) = world().await;
    let text: String = (0..5000).map(|number| format!("{number}\n")).collect();
    write(&engine, &text);
    assert_eq!(get(&bed, "").await.text().await.unwrap(), text);
    let mut frames = read(&bed.admin, &following()).await;
    for number in 0..5000 {
        assert_eq!(line(&mut frames).await, format!("{number}\n"));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_a_problem_with_words() {
    let (bed, engine, agent) = world().await;
    let problem = async |path: &str, status: u16| {
        let answer = bed.json(Method::GET, path, None, status).await;
        (answer["code"].as_str().unwrap().to_owned(), answer["detail"].as_str().unwrap().to_owned())
    };
    assert_eq!(problem("/api/v1/containers/vm1%2Fnone/logs", 404).await.0, "not-found");
    for query in ["?tail=some", "?since=yesterday", "?wait=-1", "?follow=perhaps"] {
        assert_eq!(problem(&format!("{LOGS}{query}"), 400).await.0, "bad-query", "{query}");
    }
    engine.make_foreign(Thing::Container, "theirs");
    // Of this the engine tells, and the agent looks at once.
    engine.make_foreign(Thing::Container, "another");
    engine.vanish("another");
    eventually("it is seen", async || bed.admin.container("vm1/theirs").await.ok()).await;
    assert_eq!(problem("/api/v1/containers/vm1%2Ftheirs/logs", 409).await.0, "not-ours");
    // What the server saw may be gone already.
    engine.vanish("shop-web");
    let (code, detail) = problem(LOGS, 404).await;
    assert!(code == "not-found" && detail.contains("shop-web"), "{detail}");
    // An agent that is away is waited for, as long as asked.
    agent.abort();
    let (code, detail) = problem(&format!("{LOGS}?wait=0.3"), 503).await;
    assert!(code == "host-away" && detail.contains("vm1"), "{detail}");
}

#[tokio::test]
async fn who_waits_for_an_agent_is_told_and_gets_the_log_when_it_comes() {
    let (bed, engine, agent) = world().await;
    write(&engine, "hello\n");
    agent.abort();
    let _gone = agent.await;
    let mut frames =
        within("a stream", bed.admin.container_logs("vm1/shop-web", &LogOptions::default())).await.unwrap();
    match within("a word", frames.next()).await {
        Some(Ok(LogFrame::Waiting(wait))) => {
            assert!(wait.detail.contains("vm1") && wait.detail.contains("waiting until"), "{}", wait.detail);
        }
        other => panic!("{other:?}"),
    }
    let _next = self::agent(&bed, &engine).await;
    assert!(matches!(within("its beginning", frames.next()).await, Some(Ok(LogFrame::Begin(_)))));
    assert_eq!(line(&mut frames).await, "hello\n");
    assert_eq!(end(&mut frames).await, EndReason::Complete);
}

#[tokio::test]
async fn an_agent_that_is_killed_ends_its_logs_with_words_and_text_breaks_off() {
    let (bed, engine, agent) = world().await;
    write(&engine, "hello\n");
    let mut frames = read(&bed.admin, &following()).await;
    assert_eq!(line(&mut frames).await, "hello\n");
    let text = tokio::spawn(get(&bed, "?follow=true").await.bytes());
    tokio::time::sleep(Duration::from_millis(300)).await;
    agent.abort();
    assert_eq!(end(&mut frames).await, EndReason::AgentLost);
    let text = within("the end of the text", text).await.unwrap();
    assert!(text.is_err(), "a text that is not whole does not look as if it were: {text:?}");
}

#[tokio::test]
async fn a_log_ends_with_the_token_of_its_reader_and_of_its_agent() {
    let (bed, _engine, _agent) = world().await;
    let token = bed.token(Role::Viewer, None).await;
    let mut frames = read(&bed.client(&token), &following()).await;
    let revoke = async |role: Role| {
        let tokens = bed.admin.tokens().await.unwrap();
        let id = &tokens.iter().find(|token| token.role == role).unwrap().id;
        bed.admin.revoke_token(id).await.unwrap();
    };
    revoke(Role::Viewer).await;
    assert_eq!(end(&mut frames).await, EndReason::Revoked);
    let refused = bed.client(&token).container_logs("vm1/shop-web", &following()).await;
    assert!(matches!(refused, Err(ClientError::Denied { status: 401, .. })), "{refused:?}");

    let mut frames = read(&bed.admin, &following()).await;
    revoke(Role::Agent).await;
    assert_eq!(end(&mut frames).await, EndReason::AgentLost);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_busy_log_ends_with_the_token_of_its_reader() {
    // On a disk, where it takes a while to look at a token.
    let folder = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", folder.path().join("graphium.db").display());
    let (bed, engine, _agent) = world_over(&store, Limits::default()).await;
    let token = bed.token(Role::Viewer, None).await;
    let mut frames = read(&bed.client(&token), &LogOptions { tail: Tail::Last(0), ..following() }).await;
    let writer = tokio::spawn(async move {
        loop {
            write(&engine, &"busy\n".repeat(200));
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    for _ in 0..1000 {
        assert_eq!(line(&mut frames).await, "busy\n");
    }
    let tokens = bed.admin.tokens().await.unwrap();
    let id = &tokens.iter().find(|token| token.role == Role::Viewer).unwrap().id;
    bed.admin.revoke_token(id).await.unwrap();
    assert_eq!(within("the end of a busy log", end(&mut frames)).await, EndReason::Revoked);
    writer.abort();
}

#[tokio::test]
async fn an_agent_answers_for_its_own_host_alone() {
    let bed = Bed::new().await;
    let logs = bed.server.control().streams();
    let mut reader = logs.read(&"vm1".into(), Wanted { container: "web".to_owned(), ..Wanted::default() }).unwrap();
    let call = StreamCall::new("vm1".into(), 1, Duration::ZERO);
    let asked = logs.asked(&call).await.unwrap();
    let stream = asked[0].stream();
    let send = async |host: &str, token: &str| {
        let path = format!("/api/v1/agents/{host}/streams/{stream}");
        let frame = "{\"stream\":\"stdout\",\"text\":\"x\"}\n";
        bed.request(Method::POST, &path).bearer_auth(token).body(frame).send().await.unwrap().status().as_u16()
    };
    let (own, other) = (bed.token(Role::Agent, Some("vm1")).await, bed.token(Role::Agent, Some("vm2")).await);
    assert_eq!(send("vm1", &other).await, 403);
    assert_eq!(send("vm2", &other).await, 204, "of vm2 nobody asked for it: it is over at once");
    assert!(reader.next().now_or_never().is_none(), "nothing of another host's agent arrives");
    assert_eq!(send("vm1", &own).await, 204);
    assert!(matches!(reader.next().await, Some(LogFrame::Line(_))));
    assert!(reader.next().await.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_does_not_read_is_cut_and_harms_nobody() {
    let limits = Limits { stall: Duration::from_secs(2), ..Limits::default() };
    let (bed, engine, _agent) = world_with(limits).await;
    // More than lies in the buffers on the way.
    let text = format!("{}\n", "x".repeat(8000)).repeat(1000);
    for _ in 0..4 {
        write(&engine, &text);
    }
    let slow = get(&bed, "?follow=true").await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(read(&bed.admin, &LogOptions { tail: Tail::Last(0), ..following() }).await);
    }
    for number in 0..20 {
        write(&engine, &format!("{number}\n"));
        for other in &mut others {
            assert_eq!(line(other).await, format!("{number}\n"));
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(bed.admin.host("vm1").await.unwrap().offline_since.is_none());
    bed.deploy(&stack("second", "vm1")).await;
    eventually("other work is done", async || bed.admin.container("vm1/second-web").await.ok()).await;
    // What it had not taken it does not get: the connection is gone.
    let mut body = slow.bytes_stream();
    let rest = within("its end", async {
        while let Some(part) = body.next().await {
            part?;
        }
        Ok::<(), reqwest::Error>(())
    });
    assert!(rest.await.is_err(), "it was not cut");
}

#[tokio::test]
async fn an_agent_that_knows_several_servers_serves_the_readers_of_each() {
    let (one, other) = (Bed::new().await, Bed::new().await);
    let engine = engine();
    // Two servers that share nothing but the agent: it works for the first, and its logs are read at both.
    let tokens = [one.token(Role::Agent, Some("vm1")).await, other.token(Role::Agent, Some("vm1")).await];
    let urls = [one.server.url(), other.server.url()];
    let servers = urls.iter().map(String::as_str).zip(tokens.map(Some));
    let _agent = serve(Client::of_several(servers).unwrap(), &engine);
    eventually("the host", async || one.admin.host("vm1").await.ok()?.docker_version).await;
    one.deploy(&stack("shop", "vm1")).await;
    running(&one).await;
    write(&engine, "hello\n");
    let wanted = Wanted { container: "shop-web".to_owned(), ..Wanted::default() };
    let mut reader = other.server.control().streams().read(&"vm1".into(), wanted).unwrap();
    assert!(matches!(within("its beginning", reader.next()).await, Some(LogFrame::Begin(_))));
    assert_eq!(get(&one, "").await.text().await.unwrap(), "hello\n");
}

#[tokio::test]
async fn a_server_that_ends_says_so_to_its_readers() {
    let (bed, _engine, _agent) = world().await;
    let mut frames = read(&bed.admin, &following()).await;
    let begun = std::time::Instant::now();
    bed.server.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(end(&mut frames).await, EndReason::Stopping);
}
