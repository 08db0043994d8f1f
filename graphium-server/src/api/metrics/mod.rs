//! `GET /metrics`: what the server does and what there is, for Prometheus. `docs/metrics.md` tells of each.
//!
//! Labels have few values: routes as they are declared (never what a request names), statuses, words of ours.

mod estate;
mod process;

use super::{AppState, problem::Problem};
use axum::{
    extract::{MatchedPath, State},
    http::{Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use estate::Estate;
use prometheus_client::{
    encoding::{
        EncodeLabelSet,
        text::{encode_eof, encode_registry},
    },
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{
    fmt,
    time::{Duration, Instant, SystemTime},
};
use tokio::sync::Mutex;

/// For so long what there is counts as known, however often is asked.
const FRESH: Duration = Duration::from_secs(1);

/// Seconds; a parked poll is in the last one.
const BUCKETS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// What is counted while the server runs.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Answered, Counter>,
    seconds: Family<Asked, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    claims: Gauge,
    streams: Gauge,
    audit_lost: Counter,
    begun: f64,
    /// What there was when somebody asked last.
    estate: Mutex<Option<(Instant, Estate)>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Asked {
    method: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Polled {
    poll: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Version {
    version: &'static str,
}

/// One more of something, as long as it is held.
#[derive(Debug)]
pub(crate) struct Counted(Gauge);

impl Counted {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::default();
        let requests = Family::<Answered, Counter>::default();
        registry.register("graphium_http_requests", "Requests that were answered", requests.clone());
        let histogram: fn() -> Histogram = || Histogram::new(BUCKETS);
        let seconds = Family::new_with_constructor(histogram);
        registry.register_with_unit(
            "graphium_http_request_duration",
            "Time from a request's head to the head of its answer",
            Unit::Seconds,
            seconds.clone(),
        );
        let in_flight = Gauge::default();
        registry.register("graphium_http_requests_in_flight", "Requests that have no answer yet", in_flight.clone());
        let polls = Family::<Polled, Gauge>::default();
        registry.register("graphium_agent_polls_parked", "Questions of agents that wait for an answer", polls.clone());
        let claims = polls.get_or_create_owned(&Polled { poll: "claim" });
        let streams = polls.get_or_create_owned(&Polled { poll: "streams" });
        let audit_lost = Counter::default();
        registry.register("graphium_audit_lost", "Entries of the audit that could not be written", audit_lost.clone());
        let build = Family::<Version, Gauge>::default();
        build.get_or_create_owned(&Version { version: env!("CARGO_PKG_VERSION") }).set(1);
        registry.register("graphium_build_info", "Always 1; the version is a label", build);
        let begun = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs_f64();
        Self { registry, requests, seconds, in_flight, claims, streams, audit_lost, begun, estate: Mutex::default() }
    }
}

impl Metrics {
    /// A request has come.
    pub(super) fn begin(&self) -> Counted {
        Counted::new(&self.in_flight)
    }

    /// A request was answered.
    pub(super) fn answered(&self, method: &Method, route: Option<&MatchedPath>, status: StatusCode, took: Duration) {
        let (method, route) = (name(method), route.map_or("other", MatchedPath::as_str).to_owned());
        self.seconds.get_or_create(&Asked { method, route: route.clone() }).observe(took.as_secs_f64());
        self.requests.get_or_create(&Answered { method, route, status: status.as_u16() }).inc();
    }

    /// An entry of the audit could not be written.
    pub(super) fn audit_lost(&self) {
        self.audit_lost.inc();
    }

    /// An agent waits for work.
    pub(super) fn claim(&self) -> Counted {
        Counted::new(&self.claims)
    }

    /// An agent waits for logs and commands.
    pub(super) fn stream(&self) -> Counted {
        Counted::new(&self.streams)
    }
}

/// Methods that anybody may think of must not become labels.
fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

pub(super) async fn show(State(state): State<AppState>) -> Result<Response, Problem> {
    let metrics = &state.metrics;
    let mut text = String::with_capacity(32 * 1024);
    encode_registry(&mut text, &metrics.registry).map_err(unwritable)?;
    // Whoever asks at the same time waits for the one answer.
    let mut kept = metrics.estate.lock().await;
    let estate = match kept.take().filter(|(since, _)| since.elapsed() < FRESH) {
        Some(fresh) => fresh,
        None => (Instant::now(), Estate::read(&state).await),
    };
    let mut now = Registry::default();
    estate.1.register(&mut now);
    *kept = Some(estate);
    drop(kept);
    state.broadcast.register(&mut now);
    process::register(&mut now, metrics.begun);
    encode_registry(&mut text, &now).map_err(unwritable)?;
    encode_eof(&mut text).map_err(unwritable)?;
    let headers = [
        (header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, text).into_response())
}

fn unwritable(error: fmt::Error) -> Problem {
    Problem::new(500, "internal", format!("the metrics cannot be written: {error}"))
}
