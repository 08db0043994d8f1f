//! A collector of traces that keeps what it is sent, or is not well.

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use serde_json::Value;
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex},
    time::Duration,
};

/// How it takes what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    Well,
    /// It answers 500.
    Refusing,
    /// It takes connections and never answers.
    Hanging,
}

#[derive(Debug)]
struct Kept {
    mood: Mood,
    bodies: Vec<String>,
    keys: Vec<String>,
    calls: usize,
}

/// Listens until it is dropped.
pub(crate) struct Collector {
    kept: Arc<Mutex<Kept>>,
    pub(crate) url: String,
    serves: tokio::task::JoinHandle<()>,
}

/// A span as it came.
#[derive(Clone, Debug)]
pub(crate) struct Span {
    pub(crate) service: String,
    pub(crate) json: Value,
}

impl Span {
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    pub(crate) fn trace(&self) -> &str {
        self.text("traceId")
    }

    pub(crate) fn id(&self) -> &str {
        self.text("spanId")
    }

    /// Empty for the first of a trace.
    pub(crate) fn parent(&self) -> &str {
        self.text("parentSpanId")
    }

    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        let attributes = self.json["attributes"].as_array().unwrap();
        let value = &attributes.iter().find(|attribute| attribute["key"] == key)?["value"];
        value["stringValue"].as_str().or(value["intValue"].as_str())
    }

    /// The traces that it points to, and the spans there.
    pub(crate) fn links(&self) -> Vec<(&str, &str)> {
        let links = self.json["links"].as_array().unwrap();
        links.iter().map(|link| (link["traceId"].as_str().unwrap(), link["spanId"].as_str().unwrap())).collect()
    }

    pub(crate) fn is_error(&self) -> bool {
        self.json["status"]["code"] == 2
    }

    pub(crate) fn time(&self, key: &str) -> u64 {
        self.text(key).parse().unwrap()
    }

    fn text(&self, key: &str) -> &str {
        self.json[key].as_str().unwrap_or_default()
    }
}

impl Collector {
    pub(crate) async fn begin(mood: Mood) -> Self {
        Self::begin_at(Ipv4Addr::LOCALHOST.into(), mood).await
    }

    /// The same at another address of this machine.
    pub(crate) async fn begin_at(address: IpAddr, mood: Mood) -> Self {
        let kept = Kept { mood, bodies: Vec::new(), keys: Vec::new(), calls: 0 };
        let kept = Arc::new(Mutex::new(kept));
        let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/v1/traces", post(take)).with_state(Arc::clone(&kept));
        let serves = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { kept, url, serves }
    }

    pub(crate) fn becomes(&self, mood: Mood) {
        self.kept.lock().unwrap().mood = mood;
    }

    /// How often it was sent something, whatever came of it.
    pub(crate) fn calls(&self) -> usize {
        self.kept.lock().unwrap().calls
    }

    /// What it was sent, as it came.
    pub(crate) fn everything(&self) -> String {
        self.kept.lock().unwrap().bodies.concat()
    }

    /// The keys that it was shown.
    pub(crate) fn keys(&self) -> Vec<String> {
        self.kept.lock().unwrap().keys.clone()
    }

    pub(crate) fn spans(&self) -> Vec<Span> {
        let mut spans = Vec::new();
        for body in &self.kept.lock().unwrap().bodies {
            let body: Value = serde_json::from_str(body).unwrap();
            for resource in body["resourceSpans"].as_array().unwrap() {
                let attributes = resource["resource"]["attributes"].as_array().unwrap();
                let service = attributes.iter().find(|attribute| attribute["key"] == "service.name").unwrap();
                let service = service["value"]["stringValue"].as_str().unwrap().to_owned();
                for scope in resource["scopeSpans"].as_array().unwrap() {
                    assert_eq!(scope["scope"]["name"], "graphium");
                    let these = scope["spans"].as_array().unwrap().iter();
                    spans.extend(these.map(|json| Span { service: service.clone(), json: json.clone() }));
                }
            }
        }
        spans
    }

    /// The one span of that name, of those for which it is so.
    pub(crate) fn one(&self, name: &str, is_it: impl Fn(&Span) -> bool) -> Span {
        let mut found: Vec<Span> = self.spans().into_iter().filter(|span| span.name() == name && is_it(span)).collect();
        let names: Vec<String> = self.spans().iter().map(|span| span.name().to_owned()).collect();
        assert_eq!(found.len(), 1, "`{name}` among {names:?}: {found:#?}");
        found.remove(0)
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serves.abort();
    }
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mood = {
        let mut kept = kept.lock().unwrap();
        kept.calls += 1;
        kept.mood
    };
    match mood {
        Mood::Refusing => return StatusCode::INTERNAL_SERVER_ERROR,
        Mood::Hanging => tokio::time::sleep(Duration::from_secs(600)).await,
        Mood::Well => {}
    }
    assert_eq!(headers["content-type"], "application/json");
    let mut kept = kept.lock().unwrap();
    kept.keys.extend(headers.get("x-key").map(|key| key.to_str().unwrap().to_owned()));
    kept.bodies.push(String::from_utf8(body.to_vec()).unwrap());
    StatusCode::OK
}
