//! Requests: what the server was asked, and by whom that was asked in turn.

use super::{is_traced, tracer};
use crate::api::around::Within;
use axum::{
    extract::Request,
    http::{HeaderMap, HeaderValue, Method},
    response::Response,
};
use futures::future::BoxFuture;
use opentelemetry::{
    Context, KeyValue,
    propagation::{Extractor, Injector, TextMapPropagator as _},
    trace::{FutureExt as _, SpanKind, Status, TraceContextExt as _, Tracer as _},
};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use reqwest::header::HeaderName;

const TRACEPARENT: &str = "traceparent";

/// What comes again and again for as long as somebody is there, and tells nothing by having come: a thousand idle agents would have
/// hundreds of spans a second.
const QUIET: [&str; 11] = [
    "/livez",
    "/readyz",
    "/healthz",
    "/metrics",
    "/api/v1/livez",
    "/api/v1/readyz",
    "/api/v1/healthz",
    "/api/v1/agents/{id}/claim",
    "/api/v1/agents/{id}/renew",
    "/api/v1/agents/{id}/streams",
    "/api/v1/agents/{id}/observation",
];

/// Answers a request within a span, if it is one to be told of. The span ends with the head of the answer, or when whoever asked is gone.
pub(crate) fn follow(route: Option<&str>, request: Request, within: Within) -> BoxFuture<'static, Response> {
    match begin(route, &request) {
        None => within.answer(request),
        Some(context) => {
            let answered = within.answer(request).with_context(context.clone());
            Box::pin(traced(context, answered))
        }
    }
}

async fn traced(context: Context, answered: impl Future<Output = Response>) -> Response {
    let response = answered.await;
    let status = response.status();
    let span = context.span();
    span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status.as_u16())));
    if status.is_server_error() {
        span.set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
        span.set_status(Status::error(""));
    }
    span.end();
    response
}

/// A path may hold a code that logs somebody in, a query a token: the route as it is declared says enough.
fn begin(route: Option<&str>, request: &Request) -> Option<Context> {
    let route = route.filter(|route| !QUIET.contains(route))?.to_owned();
    let method = known(request.method());
    let caller = TraceContextPropagator::new().extract_with_context(&Context::new(), &Parent(request.headers()));
    let tracer = tracer();
    let span = tracer
        .span_builder(format!("{method} {route}"))
        .with_kind(SpanKind::Server)
        .with_attributes([KeyValue::new("http.request.method", method), KeyValue::new("http.route", route)]);
    let context = caller.with_span(span.start_with_context(&tracer, &caller));
    context.span().span_context().is_valid().then_some(context)
}

/// Somebody's own word for a method becomes no name of a span.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}

/// Goes on within the present span in a task of its own.
pub(crate) fn here<F: Future>(future: F) -> impl Future<Output = F::Output> {
    future.with_context(Context::current())
}

/// Tells whom a request is for which span it belongs to.
pub(crate) fn hand_on(request: &mut reqwest::Request) {
    let context = Context::current();
    if is_traced(&context) {
        TraceContextPropagator::new().inject_context(&context, &mut Child(request.headers_mut()));
    }
}

/// Of the header's two only the one with ids: the other is whatever text its sender likes.
struct Parent<'a>(&'a HeaderMap);

impl Extractor for Parent<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT { self.0.get(TRACEPARENT)?.to_str().ok() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT]
    }
}

struct Child<'a>(&'a mut HeaderMap);

impl Injector for Child<'_> {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT
            && let Ok(value) = HeaderValue::from_str(&value)
        {
            self.0.insert(HeaderName::from_static(TRACEPARENT), value);
        }
    }
}
