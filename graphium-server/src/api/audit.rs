//! `GET /audit`: who did what, the newest first; or all of it as NDJSON, from the first on.

mod refusals;
mod trail;

pub(crate) use trail::{Deed, Told, Trail, kind_of, shown};

use super::{
    AppState,
    input::Params,
    page::Paging,
    problem::Problem,
    wire::{AuditList, Listing},
};
use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::{BufMut as _, BytesMut};
use futures::stream;
use graphium_core::control::{AuditEntry, Control, ControlError};
use jiff::Timestamp;
use serde::Deserialize;
use std::sync::Arc;

/// Entries that are read at once.
const WINDOW: u64 = 500;
/// So many times at most for one part of a list: what is not found by then is looked for with the next.
const WINDOWS: usize = 40;

#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct Filter {
    /// From this time on.
    since: Option<Timestamp>,
    /// Of whom: the name of a person or of a token.
    user: Option<String>,
    /// `ndjson`: all of it, one entry a line, the oldest first; as `Accept: application/x-ndjson` says, too.
    format: Option<String>,
}

impl Filter {
    fn takes(&self, entry: &AuditEntry) -> bool {
        let is_theirs = |user: &String| entry.who.name == *user || entry.who.user.as_ref() == Some(user);
        self.since.is_none_or(|since| entry.timestamp >= since) && self.user.as_ref().is_none_or(is_theirs)
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
    Params(filter): Params<Filter>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let lines = match filter.format.as_deref() {
        None => accept.contains("application/x-ndjson"),
        Some("ndjson") => true,
        Some("json") => false,
        Some(_) => return Err(Problem::new(400, "bad-query", "`format` is `json` or `ndjson`")),
    };
    if lines {
        return Ok(all(Arc::clone(&state.control), filter));
    }
    let limit = paging.limit()?;
    let number = |cursor: String| {
        cursor.parse::<u64>().map_err(|_| Problem::new(400, "bad-query", "`cursor` is the `next` of the part before"))
    };
    let below = paging.cursor().map(number).transpose()?;
    let (entries, next) = newest(&state.control, &filter, limit, below).await?;
    Ok(Json(AuditList::page(entries, next.map(|seq| seq.to_string()))).into_response())
}

/// Entries below a number, the newest first, and the number of the last that was looked at where there may be more.
async fn newest(
    control: &Control,
    filter: &Filter,
    limit: usize,
    below: Option<u64>,
) -> Result<(Vec<AuditEntry>, Option<u64>), ControlError> {
    let last = control.last_audit().await?;
    let mut at = below.map_or(last, |below| below.saturating_sub(1).min(last));
    let mut found = Vec::new();
    for _ in 0..WINDOWS {
        let after = at.saturating_sub(WINDOW);
        let window = control.audit(after, usize::try_from(WINDOW).unwrap_or(usize::MAX)).await?;
        // Nothing is before what was pruned.
        let is_first = after == 0 || window.first().is_none_or(|first| first.seq > after + 1);
        for entry in window.into_iter().rev().filter(|entry| entry.seq <= at) {
            let seq = entry.seq;
            if filter.since.is_some_and(|since| entry.timestamp < since) {
                return Ok((found, None));
            }
            if filter.takes(&entry) {
                found.push(entry);
            }
            if found.len() == limit {
                return Ok((found, (seq > 1).then_some(seq)));
            }
        }
        if is_first {
            return Ok((found, None));
        }
        at = after;
    }
    Ok((found, Some(at + 1)))
}

/// Every entry as a line. A few are in memory at a time; where the store fails the answer breaks off, and nobody takes it for whole.
fn all(control: Arc<Control>, filter: Filter) -> Response {
    let body = stream::try_unfold((control, filter, Some(0)), |(control, filter, after)| async move {
        let Some(after) = after else { return Ok::<_, ControlError>(None) };
        let window = control.audit(after, usize::try_from(WINDOW).unwrap_or(usize::MAX)).await?;
        let mut lines = BytesMut::new().writer();
        for entry in window.iter().filter(|entry| filter.takes(entry)) {
            // To memory: it does not fail.
            let _ = serde_json::to_writer(&mut lines, entry);
            lines.get_mut().put_u8(b'\n');
        }
        let next = window.last().map(|entry| entry.seq);
        Ok(Some((lines.into_inner().freeze(), (control, filter, next))))
    });
    let headers = [(header::CONTENT_TYPE, "application/x-ndjson"), (header::CACHE_CONTROL, "no-store")];
    (headers, Body::from_stream(body)).into_response()
}
