//! What happened, the newest first; and the stream that pages renew themselves by.

use super::{ROWS, query, rows::name_of, stack_page};
use crate::{
    api::wire::EventList,
    web::{
        Web,
        call::part,
        forms,
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{Moment, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    response::Response,
};
use graphium_core::event::Event;
use jiff::Timestamp;
use serde_json::Value;

#[derive(Template)]
#[template(path = "events.html")]
pub(in crate::web) struct EventsPage {
    shell: Shell,
    rows: Vec<EventRow>,
    older: Option<String>,
    is_newest: bool,
    gone: Option<String>,
}

/// An event as a row.
pub(super) struct EventRow {
    pub(super) seq: u64,
    pub(super) at: Moment,
    pub(super) what: String,
    pub(super) subject: String,
    pub(super) href: Option<String>,
    pub(super) detail: String,
}

impl EventRow {
    pub(super) fn of(event: Event, now: Timestamp) -> Self {
        let text = |key: &str| event.data[key].as_str().unwrap_or_default();
        let kind = serde_json::to_value(event.kind).ok().and_then(|kind| Some(kind.as_str()?.to_owned()));
        let kind = kind.unwrap_or_default();
        let (subject, href) = match kind.split_once('_').map_or("", |(first, _)| first) {
            "stack" => {
                let name = if text("name").is_empty() { name_of(text("@id")) } else { text("name") };
                (name.to_owned(), Some(stack_page(name)))
            }
            "task" => {
                (format!("{} on {}", text("planId"), text("hostId")), Some(format!("/web/tasks/{}", part(text("@id")))))
            }
            "container" => {
                let host = if text("hostedOn").is_empty() { text("hostId") } else { text("hostedOn") };
                (format!("{} on {host}", text("name")), None)
            }
            _ => (text("@id").to_owned(), Some("/web/hosts".to_owned())),
        };
        let said = [text("status"), text("errorMessage"), event.data["error"]["message"].as_str().unwrap_or_default()];
        let progress = event.data["progress"]["phase"].as_str().filter(|_| text("status") == "running");
        let said = said.into_iter().chain(progress).filter(|text| !text.is_empty());
        Self {
            seq: event.seq,
            at: Moment { at: event.timestamp, now },
            what: kind.replace('_', " "),
            href: href.filter(|_| !subject.is_empty() && !matches!(event.data, Value::Null)),
            subject,
            detail: said.collect::<Vec<_>>().join(": "),
        }
    }
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<EventsPage> {
    let shell = Shell::live(&web, &user, "Events", "events").await?;
    let asked = query(&uri);
    let rows = ROWS as u64;
    let last = shell.seq.unwrap_or_default();
    // The number of the newest that is shown.
    let newest = asked
        .some("before")
        .and_then(|before| before.parse::<u64>().ok())
        .map_or(last, |before| before.saturating_sub(1))
        .min(last);
    let after = newest.saturating_sub(rows);
    let limit = (newest - after).max(1).to_string();
    let path = forms::query([("follow", Some("false")), ("limit", Some(&limit)), ("after", Some(&after.to_string()))]);
    let now = web.state.environment.now();
    let (rows, gone) = match web.get::<EventList>(&user, &format!("/events{path}")).await {
        Ok(list) => (list.events, None),
        Err(problem) if problem.status == 410 => (Vec::new(), Some(problem.detail)),
        Err(problem) => return Err(problem.into()),
    };
    let rows: Vec<_> =
        rows.into_iter().filter(|event| event.seq <= newest).rev().map(|event| EventRow::of(event, now)).collect();
    let older = rows.last().map(|row| row.seq).filter(|seq| *seq > 1).map(|seq| format!("/web/events?before={seq}"));
    Ok(Html(EventsPage { shell, rows, older, is_newest: newest == last, gone }))
}

/// The API's stream of events, for a browser: it reconnects by itself and says where it was.
pub(in crate::web) async fn stream(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let asked = query(&uri);
    let mut sent = HeaderMap::new();
    sent.insert(header::ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(seen) = headers.get("last-event-id") {
        sent.insert("last-event-id", seen.clone());
    }
    let path = format!("/events{}", forms::query([("after", asked.some("after"))]));
    let response = web.pass(&user, Method::GET, &path, Body::empty(), sent).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(super::containers::problem_of(response).await.into())
}
