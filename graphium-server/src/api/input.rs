//! Bodies and queries, read within bounds; what does not fit is a problem that says where.

use super::{crowd::Seat, problem::Problem};
use crate::serve::Limits;
use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{header, request::Parts},
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use std::{pin::pin, time::Duration};

const MIB: usize = 1024 * 1024;

/// The most that any body may have: a saved plan.
pub(super) const LARGEST: usize = 64 * MIB;

/// A JSON body of at most 1 MiB.
pub(super) struct Input<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for Input<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, MIB).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// The JSON of a call of the store: at most as much as its client sends.
pub(super) struct LargeInput<T>(pub(super) T);

impl<T: DeserializeOwned, S: Sync> FromRequest<S> for LargeInput<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = read(request, graphium_store::http::LIMIT).await?;
        Ok(Self(parse(&bytes)?))
    }
}

/// A document's bytes, as they are: at most 8 MiB.
pub(super) struct Source(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for Source {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(read(request, 8 * MIB).await?))
    }
}

/// A saved plan's bytes: at most 64 MiB, for a plan is larger than its document.
pub(super) struct SavedText(pub(super) Bytes);

impl<S: Sync> FromRequest<S> for SavedText {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        Ok(Self(read(request, LARGEST).await?))
    }
}

/// The query of a URL.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(value)) => Ok(Self(value)),
            Err(rejection) => Err(Problem::new(400, "bad-query", rejection.body_text())),
        }
    }
}

/// Reads JSON of our own form.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => {
            Problem::new(422, "wrong-shape", format!("the body does not fit: {error}"))
        }
        _ => Problem::new(400, "not-json", format!("the body is not JSON: {error}")),
    })
}

/// For so long a body may keep its request's place while it comes.
const PROMPT: Duration = Duration::from_millis(100);

/// A body of at most so many bytes, in the time that its peer has for it.
pub(super) async fn read(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let deadline = request.extensions().get::<Limits>().copied().unwrap_or_default().body;
    let too_large = || Problem::new(413, "too-large", format!("the body is larger than {} MiB", limit / MIB));
    let announced = request.headers().get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large());
    }
    let (parts, body) = request.into_parts();
    let mut whole = pin!(Limited::<Body>::new(body, limit).collect());
    let prompt = tokio::time::timeout(PROMPT.min(deadline), whole.as_mut()).await;
    let read = match prompt {
        Ok(whole) => Ok(whole),
        Err(_) => {
            let rest = deadline.saturating_sub(PROMPT);
            Seat::leave(&parts.extensions, tokio::time::timeout(rest, whole)).await?
        }
    };
    match read {
        Err(_) => {
            Err(Problem::new(408, "too-slow", format!("the body did not arrive within {} s", deadline.as_secs())))
        }
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::new(400, "broken-body", format!("the body broke off: {error}"))),
    }
}
