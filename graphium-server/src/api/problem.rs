//! Errors as `application/problem+json` (RFC 9457).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::diagnostic::Diagnostic;
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, fmt};

/// Why a request was not done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Body", into = "Body")]
pub struct Problem {
    /// The HTTP status.
    pub status: u16,
    /// Stable, kebab-case.
    pub code: Cow<'static, str>,
    /// What is wrong and what to do, for people.
    pub detail: String,
    /// The `x-request-id` of the answer, for finding it in the server's log.
    pub request_id: String,
    /// For documents: everything that was found.
    pub diagnostics: Vec<Diagnostic>,
    /// After how many seconds asking again makes sense; sent as `Retry-After`.
    pub retry_after: Option<u64>,
}

/// A problem as it is sent.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    /// Names the kind of problem and leads nowhere.
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    title: Cow<'static, str>,
    #[serde(default)]
    status: u16,
    code: Cow<'static, str>,
    #[serde(default)]
    detail: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    request_id: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    diagnostics: Vec<Diagnostic>,
}

impl From<Body> for Problem {
    fn from(body: Body) -> Self {
        let Body { status, code, detail, request_id, diagnostics, kind: _, title: _ } = body;
        Self { status, code, detail, request_id, diagnostics, retry_after: None }
    }
}

impl From<Problem> for Body {
    fn from(problem: Problem) -> Self {
        let title = StatusCode::from_u16(problem.status).ok().and_then(|status| status.canonical_reason());
        let Problem { status, code, detail, request_id, diagnostics, retry_after: _ } = problem;
        let title = Cow::Borrowed(title.unwrap_or("Error"));
        Self { kind: format!("urn:graphium:problem:{code}"), title, status, code, detail, request_id, diagnostics }
    }
}

impl Problem {
    /// A problem of that status and code.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            request_id: String::new(),
            diagnostics: Vec::new(),
            retry_after: None,
        }
    }

    /// The same, with the time after which asking again makes sense.
    #[must_use]
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The same with what was found in a document.
    #[must_use]
    pub fn with_diagnostics(mut self, diagnostics: Vec<Diagnostic>) -> Self {
        self.diagnostics = diagnostics;
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.detail, self.code)
    }
}

impl std::error::Error for Problem {}

impl IntoResponse for Problem {
    /// Carries the problem also as an extension, for the outermost layer to put the request's id into it.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(&self)).into_response();
        let problem = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, problem);
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}
