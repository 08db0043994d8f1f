//! `GET /events`: as Server-Sent Events, or as a JSON list.

use super::{
    AppState,
    input::Params,
    problem::Problem,
    wire::{EventList, Listing},
};
use crate::{
    auth::{Identity, Lifeline, Reach},
    events::{Follower, Frame, stack_of},
};
use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use futures::stream;
use graphium_core::store::StoreError;
use serde::Deserialize;
use std::time::Duration;

/// How often a silent stream says that it lives.
const ALIVE: Duration = Duration::from_secs(15);

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct EventQuery {
    /// Events above this number. Absent: a stream begins with what comes next, a list with the first.
    pub(super) after: Option<u64>,
    limit: Option<usize>,
    follow: Option<bool>,
}

pub(super) async fn events(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let streams =
        accept.contains("text/event-stream") || !(accept.contains("application/json") || query.follow == Some(false));
    if !streams {
        return list(&state, &query, &caller.reach).await;
    }
    // A browser that reconnects says by itself where it was.
    let seen = headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let (follower, backlog) = open(&state, seen.or(query.after)).await?;
    let tail = Tail {
        reach: caller.reach.clone(),
        follower,
        lifeline: Lifeline::new(&state, &caller),
        backlog: Some(backlog),
        left: query.limit.unwrap_or(usize::MAX),
        follow: query.follow != Some(false),
    };
    let body = stream::unfold(tail, |mut tail| async move {
        let chunk = tail.next().await?;
        Some((chunk, tail))
    });
    let headers = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::CACHE_CONTROL, "no-store"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// A reader that stands after the number, with what is there already; with no number, after everything.
pub(super) async fn open(state: &AppState, after: Option<u64>) -> Result<(Follower, Vec<Frame>), Problem> {
    let store = state.control.store();
    let after = match after {
        Some(after) => after,
        None => store.last_event().await?,
    };
    let mut follower = state.broadcast.follow(store.clone(), after);
    // Read before the answer begins: events that are gone are an error, and not a stream that breaks.
    let backlog = match follower.next().await {
        Ok(backlog) => backlog,
        Err(failure) => {
            follower = state.broadcast.follow(store.clone(), first_left(after, failure)?);
            follower.next().await?
        }
    };
    Ok((follower, backlog))
}

/// Whoever has seen nothing misses nothing: it begins with the first event that is left.
fn first_left(after: u64, failure: StoreError) -> Result<u64, StoreError> {
    match failure {
        StoreError::Pruned { up_to } if after == 0 => Ok(up_to),
        failure => Err(failure),
    }
}

async fn list(state: &AppState, query: &EventQuery, reach: &Reach) -> Result<Response, Problem> {
    let after = query.after.unwrap_or(0);
    let limit = query.limit.unwrap_or(100).clamp(1, 1000);
    let store = state.control.store();
    let events = match store.events(after, limit).await {
        Ok(events) => events,
        Err(failure) => store.events(first_left(after, failure)?, limit).await?,
    };
    let next = events.last().filter(|_| events.len() == limit).map(|event| event.seq.to_string());
    let events = events.into_iter().filter(|event| reach.includes(stack_of(event))).collect();
    Ok(Json(EventList::page(events, next)).into_response())
}

struct Tail {
    reach: Reach,
    follower: Follower,
    lifeline: Lifeline,
    /// What was there at the beginning.
    backlog: Option<Vec<Frame>>,
    left: usize,
    follow: bool,
}

impl Tail {
    /// The next bytes of the stream; `None` ends it.
    async fn next(&mut self) -> Option<Result<Bytes, StoreError>> {
        if self.left == 0 {
            return None;
        }
        let frames = match self.backlog.take() {
            Some(backlog) => backlog,
            None => match self.more().await? {
                Ok(frames) => frames,
                Err(error) => return Some(Err(error)),
            },
        };
        // Without an event a comment: the headers leave at once, and a silent stream is known to live.
        let mut bytes = BytesMut::new();
        if frames.is_empty() {
            bytes.extend_from_slice(b":\n\n");
        }
        for Frame { seq, json, .. } in
            frames.iter().take(self.left).filter(|frame| self.reach.includes(frame.stack.as_deref()))
        {
            bytes.extend_from_slice(format!("id: {seq}\ndata: {json}\n\n").as_bytes());
        }
        self.left = self.left.saturating_sub(frames.len());
        Some(Ok(bytes.freeze()))
    }

    /// More events, or none after a silence; `None`: there will be no more.
    async fn more(&mut self) -> Option<Result<Vec<Frame>, StoreError>> {
        // Also who is far behind, and never waits, is heard no longer than its token is good; a list that ends by itself is not
        // cut, for it would look as if it were whole.
        let frames = tokio::select! {
            biased;
            _ = self.lifeline.cut(), if self.follow => return None,
            frames = self.follower.next() => frames,
        };
        match frames {
            Ok(frames) if frames.is_empty() && self.follow => {}
            Ok(frames) if frames.is_empty() => return None,
            other => return Some(other),
        }
        tokio::select! {
            _ = self.lifeline.cut() => None,
            () = self.follower.wait() => Some(self.follower.next().await),
            () = tokio::time::sleep(ALIVE) => Some(Ok(Vec::new())),
        }
    }
}
