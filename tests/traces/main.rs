//! Traces of the built server and of an agent, as a collector gets them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod collector;
mod program;

use collector::{Collector, Mood, Span};
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::{Role, StackStatus},
    secret::SecretText,
    testing::FakeRuntime,
};
use graphium_server::{
    api::wire::TokenRequest,
    client::{Client, HttpLink},
    environment::TokioEnvironment,
    traces::{Attempts, Exporting, Target},
};
use program::Server;
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const CANARY: &str = "canary-3f1c";
const CALLER: (&str, &str) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");

/// A stack with a canary wherever a document has room for one.
fn stack(image: &str) -> Value {
    json!({
        "@context": "https://graphium.io/context/v1.jsonld",
        "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop", "description": CANARY,
        "locatedInHost": {"@id": "host:vm1"},
        "hasPart": [{
            "@type": "datacenter:Container", "@id": "container:shop-web", "name": "web", "image": image,
            "environment": [{"name": "PASSWORD", "value": CANARY}], "labels": {"note": CANARY}, "command": ["serve", CANARY],
            "volumeMounts": [{"type": "secret", "source": "db", "target": "/run/secrets/db"}]
        }]
    })
}

async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..400 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{what}: not within 10 s");
}

/// Deploys as somebody's own program would that has a trace already; the deployment's id.
async fn deploy(server: &Server, document: &Value) -> String {
    graphium_server::tls::ready();
    let request = reqwest::Client::new().post(format!("{}/api/v1/stacks/jsonld?note={CANARY}", server.url));
    let request = request.bearer_auth(&server.token).json(document);
    let (trace, span) = CALLER;
    let request =
        request.header("traceparent", format!("00-{trace}-{span}-01")).header("tracestate", format!("x={CANARY}"));
    let response = request.send().await.unwrap();
    let (status, text) = (response.status(), response.text().await.unwrap());
    assert_eq!(status, 202, "{text}");
    let started: Value = serde_json::from_str(&text).unwrap();
    started["deploymentId"].as_str().unwrap().to_owned()
}

async fn reaches(admin: &Client, deployment: &str, status: StackStatus) {
    eventually(status.as_str(), async || {
        let now = admin.status(deployment).await.unwrap();
        (now.overall_status == status).then_some(())
    })
    .await;
}

/// The agent of vm1, whose spans go to the collector.
async fn agent(server: &Server, engine: &FakeRuntime) -> tokio::task::JoinHandle<()> {
    let request = TokenRequest { host: Some("vm1".into()), ..TokenRequest::new(Role::Agent) };
    let token = server.client(&server.token).create_token(&request).await.unwrap().token;
    let attempts = Arc::new(Attempts::new("vm1".into()));
    let link = Arc::new(attempts.link(HttpLink::new(server.client(&token))));
    let mut settings = AgentSettings { address: Some([10, 0, 0, 1].into()), ..AgentSettings::new("vm1".into(), 2) };
    settings.notify = Arc::new(move |notice| attempts.note(notice));
    let (environment, journal) = (Arc::new(TokioEnvironment::new()), Box::new(MemoryJournal::default()));
    let agent = Agent::new(link, Arc::new(engine.clone()), environment, journal, settings);
    tokio::spawn(async move {
        let _ended = agent.run(std::future::pending()).await;
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_and_what_came_of_it_on_its_host_are_told() {
    let collector = Collector::begin(Mood::Well).await;
    let mut server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_HEADERS", "x-key=open%20sesame"),
    ]);
    let endpoint = collector.url.clone();
    let target = Target::of(|name| (name == "OTEL_EXPORTER_OTLP_ENDPOINT").then(|| endpoint.clone()));
    let exporting = Exporting::to(target.unwrap().unwrap(), "graphium-agent");
    let admin = server.client(&server.token);
    let engine = FakeRuntime::with_environment(Arc::new(TokioEnvironment::new()));
    engine.deny_image("nginx:away");
    let works = agent(&server, &engine).await;
    eventually("the host", async || admin.host("vm1").await.ok()?.docker_version).await;
    admin.set_secret("db", &SecretText::new(CANARY), None).await.unwrap();

    let good = deploy(&server, &stack("nginx:1.27")).await;
    reaches(&admin, &good, StackStatus::Running).await;
    let bad = deploy(&server, &stack("nginx:away")).await;
    reaches(&admin, &bad, StackStatus::Error).await;
    works.abort();
    tokio::task::spawn_blocking(move || exporting.end()).await.unwrap();
    // What has not been sent yet is sent at the end.
    assert!(server.end().success());

    told_of_the_request(&collector, &good);
    told_of_the_deployment(&collector, &good);
    let failed = |span: &Span| span.attribute("graphium.deployment.id") == Some(&bad);
    let pull = collector.one("attempt pull", failed);
    assert_eq!((pull.attribute("graphium.task.outcome"), pull.is_error()), (Some("failed"), true), "{pull:?}");
    assert!(pull.attribute("error.type").is_some(), "{pull:?}");
    let all = collector.one("deployment", failed);
    assert_eq!((all.attribute("graphium.deployment.status"), all.is_error()), (Some("error"), true), "{all:?}");

    let everything = collector.everything();
    for secret in [CANARY, &server.token, "gph_"] {
        assert!(!everything.contains(secret), "`{secret}` is in a span");
    }
    assert!(collector.keys().iter().all(|key| key == "open sesame") && !collector.keys().is_empty());
    let noise = ["/claim", "/renew", "/streams", "/observation", "/healthz"];
    let names: Vec<String> = collector.spans().iter().map(|span| span.name().to_owned()).collect();
    assert!(!names.iter().any(|name| noise.iter().any(|end| name.ends_with(end))), "{names:?}");
}

/// The request belongs to its caller's trace, and what it needed to itself.
fn told_of_the_request(collector: &Collector, deployment: &str) {
    let its = |span: &Span| span.attribute("graphium.deployment.id") == Some(deployment);
    let request = collector.one("POST /api/v1/stacks/jsonld", its);
    assert_eq!((request.trace(), request.parent()), CALLER);
    assert_eq!(request.service, "graphium-server");
    assert_eq!(request.json["kind"], 2);
    assert_eq!(request.attribute("http.request.method"), Some("POST"));
    assert_eq!(request.attribute("http.route"), Some("/api/v1/stacks/jsonld"));
    assert_eq!(request.attribute("http.response.status_code"), Some("202"));
    let below = |span: &Span| span.trace() == request.trace() && span.parent() == request.id();
    let plan = collector.one("plan", below);
    assert_eq!(plan.attribute("graphium.stack.id"), Some("stack:shop"));
    assert_ne!(plan.attribute("graphium.tasks"), Some("0"));
    let stored = collector.one("store submit", |span| below(span) && !span.links().is_empty());
    assert!(plan.time("endTimeUnixNano") <= stored.time("startTimeUnixNano"), "planned after it was stored");
    assert!(request.time("startTimeUnixNano") <= plan.time("startTimeUnixNano"));
    let trace = deployment.trim_start_matches("deployment:").replace('-', "");
    assert_eq!(stored.links()[0].0, trace, "it points to the deployment's own trace");
}

/// The deployment's trace: one span for all of it, below that what was asked and what its host did.
fn told_of_the_deployment(collector: &Collector, deployment: &str) {
    let trace = deployment.trim_start_matches("deployment:").replace('-', "");
    let its = |span: &Span| span.trace() == trace;
    let all = collector.one("deployment", its);
    assert_eq!(all.parent(), "");
    assert_eq!(all.attribute("graphium.deployment.status"), Some("running"));
    assert_eq!(all.attribute("graphium.deployment.kind"), Some("deploy"));
    let below = |span: &Span| its(span) && span.parent() == all.id();
    let accepted = collector.one("deployment accepted", below);
    assert_eq!(accepted.links()[0].0, CALLER.0, "it points to the request");
    for kind in ["pull", "deploy"] {
        let attempt = collector.one(&format!("attempt {kind}"), below);
        assert_eq!(attempt.service, "graphium-agent");
        assert_eq!(attempt.attribute("graphium.host.id"), Some("vm1"));
        assert_eq!(attempt.attribute("graphium.task.type"), Some(kind));
        assert_eq!(attempt.attribute("graphium.task.attempt"), Some("1"));
        assert_eq!(attempt.attribute("graphium.task.outcome"), Some("completed"));
        assert_eq!(attempt.attribute("graphium.stack.id"), Some("stack:shop"));
        assert!(attempt.attribute("graphium.task.subject").is_some());
        assert!(all.time("startTimeUnixNano") <= attempt.time("startTimeUnixNano"));
        assert!(attempt.time("endTimeUnixNano") <= all.time("endTimeUnixNano"), "it ended after the deployment");
        // Its report is a request that the server has answered.
        let report = collector.one("PUT /api/v1/tasks/{id}/status", |span| its(span) && span.parent() == attempt.id());
        assert_eq!(report.service, "graphium-server");
        let stored = collector.one("store act", |span| its(span) && span.parent() == report.id());
        assert_eq!(stored.attribute("graphium.task.id"), attempt.attribute("graphium.task.id"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_slows_nothing_and_is_told_of_once() {
    let collector = Collector::begin(Mood::Hanging).await;
    let server = Server::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "1000"),
        ("OTEL_BSP_SCHEDULE_DELAY", "20"),
        // Far fewer than there will be: what finds no place is dropped.
        ("OTEL_BSP_MAX_QUEUE_SIZE", "16"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8"),
    ]);
    let admin = server.client(&server.token);
    let asked = async || {
        let begun = Instant::now();
        admin.hosts().await.unwrap();
        begun.elapsed()
    };
    let mut slowest = Duration::ZERO;
    eventually("several parts that were given up", async || {
        for _ in 0..10 {
            slowest = slowest.max(asked().await);
        }
        (collector.calls() >= 3).then_some(())
    })
    .await;
    assert!(slowest < Duration::from_millis(900), "a request took {slowest:?}, as if it had waited for the collector");
    let told = server.said("traces do not get through");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains(&collector.url), "{told:?}");

    // It recovers, and that is told, too.
    collector.becomes(Mood::Well);
    eventually("spans", async || {
        asked().await;
        (!collector.spans().is_empty()).then_some(())
    })
    .await;
    eventually("words of it", async || (server.said("traces get through").len() == 1).then_some(())).await;
    assert_eq!(server.said("traces do not get through").len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_ends_in_time_whatever_its_collector_does() {
    let collector = Collector::begin(Mood::Hanging).await;
    let mut server =
        Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "20")]);
    server.client(&server.token).hosts().await.unwrap();
    eventually("the exporter to wait", async || (collector.calls() > 0).then_some(())).await;
    let begun = Instant::now();
    assert!(server.end().success());
    assert!(begun.elapsed() < Duration::from_secs(6), "it took {:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_refuses_is_told_of_once_and_a_wrong_setting_by_its_name() {
    let collector = Collector::begin(Mood::Refusing).await;
    let server = Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("OTEL_BSP_SCHEDULE_DELAY", "20")]);
    let admin = server.client(&server.token);
    eventually("several parts", async || {
        admin.hosts().await.unwrap();
        (collector.calls() >= 4).then_some(())
    })
    .await;
    let told = server.said("traces do not get through");
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("500"), "{told:?}");

    let server =
        Server::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url), ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]);
    let told = server.said("traces are not exported");
    assert!(matches!(told.as_slice(), [line] if line.contains("OTEL_EXPORTER_OTLP_PROTOCOL")), "{told:?}");
    assert!(server.client(&server.token).hosts().await.is_ok(), "it serves nonetheless");
}
