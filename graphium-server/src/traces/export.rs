//! Sends spans to a collector: a part at a time, from a thread of its own, which nobody waits for.

use super::{Ids, Target, deployment::Sampling, otlp};
use opentelemetry::{KeyValue, global};
use opentelemetry_sdk::{
    Resource,
    error::{OTelSdkError, OTelSdkResult},
    trace::{Config, SdkTracerProvider, SpanData, SpanExporter},
};
use reqwest::{
    Client,
    header::{CONTENT_TYPE, HeaderValue},
};
use serde_json::Value;
use std::{
    env,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

/// How long the program may be held up at its end by what has not been sent.
const FAREWELL: Duration = Duration::from_secs(2);

/// How long a connection to the collector may take to come about.
const CONNECT: Duration = Duration::from_secs(3);

/// Spans on their way to a collector. How many wait, and for how long, is the SDK's, which reads `OTEL_BSP_…`: 2048 by default; what is
/// beyond that is dropped.
#[derive(Debug)]
pub struct Exporting {
    provider: Option<SdkTracerProvider>,
}

impl Exporting {
    /// Begins where the environment names a collector ([`Target::of`]), and makes it the program's way for spans. What is wrong there is
    /// logged, and nothing is exported: no server and no agent stays down for the want of traces.
    pub fn begin(program: &'static str) -> Self {
        let none = Self { provider: None };
        match Target::of(|name| env::var(name).ok()) {
            Ok(None) => none,
            Ok(Some(target)) => Self::to(target, program),
            Err(error) => {
                tracing::warn!("traces are not exported: {error}");
                none
            }
        }
    }

    /// Begins with that collector.
    pub fn to(target: Target, program: &'static str) -> Self {
        let place = target.shown();
        let exporter = match Exporter::new(target) {
            Ok(exporter) => exporter,
            Err(reason) => {
                tracing::warn!("traces are not exported: {reason}");
                return Self { provider: None };
            }
        };
        let provider = SdkTracerProvider::builder()
            .with_id_generator(Ids::default())
            // That of the environment (`OTEL_TRACES_SAMPLER`).
            .with_sampler(Sampling(Config::default().sampler))
            .with_resource(resource(program))
            .with_batch_exporter(exporter)
            .build();
        global::set_tracer_provider(provider.clone());
        tracing::info!("traces go to {place}");
        Self { provider: Some(provider) }
    }

    /// Sends what there is, and waits for that, for five seconds at most. Blocks its thread.
    pub fn flush(&self) {
        // What is wrong the exporter says.
        let _ = self.provider.as_ref().map(SdkTracerProvider::force_flush);
    }

    /// Sends what there is and ends, within two seconds. Blocks its thread.
    pub fn end(self) {
        let _ = self.provider.map(|provider| provider.shutdown_with_timeout(FAREWELL));
    }
}

/// Whose spans these are: what the environment says (`OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES`), and the program's name where it says none.
fn resource(program: &'static str) -> Resource {
    let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
    let told = Resource::builder().build();
    let named = told.get(&"service.name".into()).is_some_and(|name| !name.as_str().starts_with("unknown_service"));
    let resource = Resource::builder().with_attribute(version);
    if named { resource.build() } else { resource.with_service_name(program).build() }
}

/// Posts spans to a collector.
#[derive(Debug)]
struct Exporter {
    target: Target,
    http: Client,
    /// Its own: the program's may be busy, and the thread that exports has none.
    runtime: tokio::runtime::Runtime,
    resource: Value,
    /// Whether the last part was not taken.
    is_failing: AtomicBool,
}

impl Exporter {
    fn new(target: Target) -> Result<Self, String> {
        crate::tls::ready();
        let mut http = Client::builder()
            .connect_timeout(CONNECT)
            // A redirect would carry the collector's key to wherever it points.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("graphium/", env!("CARGO_PKG_VERSION")));
        if crate::client::is_loopback(&target.url) {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|error| crate::client::reason(&error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        Ok(Self { target, http, runtime, resource: Value::Null, is_failing: AtomicBool::new(false) })
    }

    async fn post(&self, body: Vec<u8>) -> Result<(), String> {
        let Target { url, headers, timeout } = &self.target;
        let request = self.http.post(url.clone()).headers(headers.clone());
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = request.timeout(*timeout).body(body).send().await;
        match answer.map(|answer| answer.status()) {
            Ok(status) if status.is_success() => Ok(()),
            Ok(status) => Err(format!("it answers {status}")),
            Err(error) => Err(crate::client::reason(&error)),
        }
    }
}

impl SpanExporter for Exporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let body = otlp::request(&self.resource, &batch);
        let sent = self.runtime.block_on(self.post(body));
        let was_failing = self.is_failing.swap(sent.is_err(), Ordering::Relaxed);
        match &sent {
            Err(reason) if !was_failing => {
                let place = self.target.shown();
                tracing::warn!("traces do not get through to {place} and are dropped until they do: {reason}");
            }
            Ok(()) if was_failing => tracing::info!("traces get through to {} again", self.target.shown()),
            _ => {}
        }
        sent.map_err(OTelSdkError::InternalFailure)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.resource = otlp::resource(resource);
    }
}
