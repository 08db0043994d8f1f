//! The description of the API: OpenAPI 3.1, and the same as a page for people.
//!
//! It is put together from three things, so that nothing stands twice: the table of [`operations()`], the policy of
//! [`auth`](crate::auth) (who may), and `schemas.json`, which a test writes from the types themselves and their comments. Tests
//! compare the table with the router, and every answer that the API's tests get with the schemas.

mod document;
mod operation;
mod operations;
mod page;

pub use document::document;
pub use operation::{Answer, Body, Codes, Operation};
pub use operations::operations;

use super::AppState;
use axum::{
    Router,
    http::{HeaderName, header},
    response::{IntoResponse, Response},
    routing::get,
};
use std::sync::LazyLock;

/// Nothing but its own style: no script, no frame, nothing from elsewhere.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(super) fn pages() -> Router<AppState> {
    Router::new().route("/docs", get(docs)).route("/docs/style.css", get(style)).route("/api/openapi.json", get(json))
}

pub(super) async fn json() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| document().to_string());
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "no-cache")];
    (headers, TEXT.as_str()).into_response()
}

async fn docs() -> Response {
    static TEXT: LazyLock<String> = LazyLock::new(|| page::page(document()));
    let headers: [(HeaderName, &str); 4] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-cache"),
    ];
    (headers, TEXT.as_str()).into_response()
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], page::STYLE).into_response()
}
