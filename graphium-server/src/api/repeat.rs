//! `Idempotency-Key`: a POST that comes again gets the answer of the first.
//!
//! Answers lie in memory for ten minutes, which covers a caller that lost the connection and asks again. A deployment's key is
//! in the store besides, with the deployment, and outlives the server. A key is of one request: with another body it is refused.

use super::{AppState, crowd::Seat, input, problem::Problem};
use crate::auth::Identity;
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode},
    middleware::Next,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{StreamExt as _, stream};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long an answer lies ready.
const KEPT: Duration = Duration::from_secs(600);

/// How many answers lie ready at most, and how large each may be.
const MOST: usize = 1000;
const LARGEST: usize = 64 * 1024;

/// Answers that were given, by caller, route and key.
#[derive(Default)]
pub(crate) struct Answers(Mutex<HashMap<String, Arc<Slot>>>);

struct Slot {
    since: Instant,
    /// Locked while the first request is worked on, so that a second one waits for its answer.
    answer: tokio::sync::Mutex<Option<Answer>>,
}

#[derive(Clone)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
    /// SHA-256 of what was asked; none: the body was not read.
    asked: Option<[u8; 32]>,
}

/// A body as it is read.
#[derive(Default)]
struct Seen {
    hash: Sha256,
    is_whole: bool,
}

impl fmt::Debug for Answers {
    /// Without the answers: one may hold a new token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

impl Answers {
    fn slot(&self, key: String) -> Arc<Slot> {
        let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST {
            slots.retain(|_, slot| slot.since.elapsed() < KEPT);
        }
        if slots.len() >= MOST {
            // Full of fresh answers: the oldest goes.
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.since).map(|(key, _)| key.clone());
            oldest.and_then(|key| slots.remove(&key));
        }
        let slot = slots.entry(key).or_insert_with(Slot::new);
        if slot.since.elapsed() >= KEPT {
            *slot = Slot::new();
        }
        Arc::clone(slot)
    }
}

impl Slot {
    fn new() -> Arc<Self> {
        Arc::new(Self { since: Instant::now(), answer: tokio::sync::Mutex::new(None) })
    }
}

pub(super) async fn answer(State(state): State<AppState>, request: Request, next: Next) -> Response {
    let key = request.headers().get("idempotency-key");
    let (Some(key), &Method::POST) = (key, request.method()) else { return next.run(request).await };
    let Some(key) = key.to_str().ok().filter(|key| (1..=255).contains(&key.len())) else {
        return Problem::new(400, "bad-idempotency-key", "`Idempotency-Key` has 1 to 255 plain characters")
            .into_response();
    };
    let caller = request.extensions().get::<Identity>().map_or("", |caller| &caller.token.hash);
    let slot = state.answers.slot(format!("{caller} {} {key}", request.uri()));
    let mut kept = match slot.answer.try_lock() {
        Ok(kept) => kept,
        Err(_) => match Seat::leave(request.extensions(), slot.answer.lock()).await {
            Ok(kept) => kept,
            Err(problem) => return problem.into_response(),
        },
    };
    if let Some(answer) = kept.as_ref() {
        return answer.again(request).await;
    }
    let (request, seen) = watched(request);
    let (response, answer) = keep(next.run(request).await, &seen).await;
    *kept = answer;
    response
}

impl Answer {
    async fn again(&self, request: Request) -> Response {
        if let Some(asked) = self.asked {
            // As much as any handler would take.
            match input::read(request, input::LARGEST).await {
                Ok(body) if Sha256::digest(&body)[..] == asked => {}
                Ok(_) => return reused().into_response(),
                Err(problem) => return problem.into_response(),
            }
        }
        let mut response = (self.status, Body::from(self.body.clone())).into_response();
        *response.headers_mut() = self.headers.clone();
        response.headers_mut().insert("idempotency-replayed", HeaderValue::from_static("true"));
        response
    }
}

fn reused() -> Problem {
    Problem::new(
        422,
        "idempotency-key-reused",
        "this `Idempotency-Key` came with another body before, and that was done; choose another key for another request",
    )
}

/// The request, and what is read of its body.
fn watched(request: Request) -> (Request, Arc<Mutex<Seen>>) {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let (parts, body) = request.into_parts();
    let stream = stream::unfold((body.into_data_stream(), Arc::clone(&seen)), |(mut body, seen)| async move {
        let next = body.next().await;
        {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            match &next {
                Some(Ok(bytes)) => seen.hash.update(bytes),
                Some(Err(_)) => {}
                None => seen.is_whole = true,
            }
        }
        Some((next?, (body, seen)))
    });
    (Request::from_parts(parts, Body::from_stream(stream)), seen)
}

impl Seen {
    fn content(&self) -> Option<[u8; 32]> {
        self.is_whole.then(|| self.hash.clone().finalize().into())
    }
}

/// Success is kept. After a refusal the caller may mend the cause and ask with the same key.
async fn keep(response: Response, seen: &Mutex<Seen>) -> (Response, Option<Answer>) {
    if !response.status().is_success() {
        return (response, None);
    }
    let (parts, body) = response.into_parts();
    match axum::body::to_bytes(body, usize::MAX).await {
        Ok(body) => {
            let asked = seen.lock().unwrap_or_else(PoisonError::into_inner).content();
            let answer = Answer { status: parts.status, headers: parts.headers.clone(), body: body.clone(), asked };
            let answer = (body.len() <= LARGEST).then_some(answer);
            (Response::from_parts(parts, Body::from(body)), answer)
        }
        Err(error) => (Problem::new(500, "internal", error.to_string()).into_response(), None),
    }
}
