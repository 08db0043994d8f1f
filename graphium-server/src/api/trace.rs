//! The outermost layer: every request has an id, every error is a problem, and the log says what took how long.

use super::{around::Within, metrics::Metrics, problem::Problem};
use crate::traces;
use axum::{
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::future::BoxFuture;
use std::{sync::Arc, time::Instant};
use uuid::Uuid;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How much of an error's body is read that did not come from us.
const ENOUGH: usize = 4096;

/// Neither the query nor a header is logged: both may hold a token.
pub(super) fn trace(metrics: Arc<Metrics>, request: Request, within: Within) -> BoxFuture<'static, Response> {
    let begun = Instant::now();
    let in_flight = metrics.begin();
    let id = request.headers().get(REQUEST_ID).filter(|id| is_sound(id)).cloned().unwrap_or_else(new_id);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let answered = traces::follow(route.as_ref().map(MatchedPath::as_str), request, within);
    Box::pin(async move {
        let mut response = answered.await;
        let status = response.status();
        if status.is_client_error() || status.is_server_error() {
            // Boxed: a parked request should not carry it.
            response = Box::pin(as_problem(response, &id)).await;
        }
        drop(in_flight);
        metrics.answered(&method, route.as_ref(), status, begun.elapsed());
        let route = route.as_ref().map_or("-", MatchedPath::as_str);
        let (status, millis, id_text) = (status.as_u16(), begun.elapsed().as_millis(), id.to_str().unwrap_or_default());
        tracing::debug!(%method, route, status, millis, request_id = id_text, "answered");
        response.headers_mut().insert(REQUEST_ID, id);
        response
    })
}

/// An error with its request's id in it. What is no problem yet (an extractor's refusal) becomes one.
async fn as_problem(mut response: Response, id: &HeaderValue) -> Response {
    let status = response.status();
    let mut problem = match response.extensions_mut().remove::<Problem>() {
        Some(problem) => problem,
        None => {
            let body = std::mem::take(response.body_mut());
            let text = axum::body::to_bytes(body, ENOUGH).await.unwrap_or_default();
            let detail = String::from_utf8_lossy(&text).into_owned();
            let code = status.canonical_reason().unwrap_or("error").to_lowercase().replace(' ', "-");
            Problem::new(status.as_u16(), code, detail)
        }
    };
    problem.request_id = id.to_str().unwrap_or_default().to_owned();
    if status.is_server_error() {
        tracing::warn!(status = problem.status, code = %problem.code, request_id = problem.request_id, "{}", problem.detail);
    }
    let mut anew = problem.into_response();
    // `Allow`, `WWW-Authenticate` and their like stay.
    for (name, value) in response.headers() {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            anew.headers_mut().insert(name, value.clone());
        }
    }
    anew
}

/// An id that a caller gave is kept when it cannot do harm in a log.
fn is_sound(id: &HeaderValue) -> bool {
    (1..=64).contains(&id.len()) && id.as_bytes().iter().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(b))
}

fn new_id() -> HeaderValue {
    let mut bits = [0; 16];
    // Without random bits requests share an id: no reason to refuse them.
    let _unlikely = getrandom::fill(&mut bits);
    let id = uuid::Builder::from_random_bytes(bits).into_uuid();
    HeaderValue::from_str(id.simple().encode_lower(&mut Uuid::encode_buffer())).unwrap_or(HeaderValue::from_static("-"))
}
