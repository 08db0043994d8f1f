//! Who did what: for administrators.

use super::{ROWS, query};
use crate::{
    api::wire::AuditList,
    web::{
        Web,
        call::part,
        forms,
        guard::User,
        shell::{Answer, Html, Shell},
        words::{Badge, Moment, Tone},
    },
};
use askama::Template;
use axum::{Extension, extract::State, http::Uri};
use graphium_core::control::AuditEntry;
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "audit.html")]
pub(in crate::web) struct AuditPage {
    shell: Shell,
    rows: Vec<Row>,
    older: Option<String>,
    is_newest: bool,
    /// Of whom alone.
    user: String,
}

struct Row {
    entry: AuditEntry,
    at: Moment,
    from: String,
    on: String,
    result: Badge,
}

impl Row {
    fn of(entry: AuditEntry, now: Timestamp) -> Self {
        let tone = match entry.status {
            ..400 => Tone::Ok,
            400..500 => Tone::Warn,
            _ => Tone::Bad,
        };
        let result = match &entry.code {
            Some(code) => format!("{} {code}", entry.status),
            None => entry.status.to_string(),
        };
        Self {
            at: Moment { at: entry.timestamp, now },
            from: entry.from.map_or_else(String::new, |from| from.to_string()),
            on: entry.on.as_ref().map_or_else(String::new, |on| format!("{} {}", on.kind, on.id)),
            result: Badge::new(tone, result),
            entry,
        }
    }
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<AuditPage> {
    let asked = query(&uri);
    let (limit, cursor, of) = (ROWS.to_string(), asked.some("cursor"), asked.some("user"));
    let path =
        forms::query([("limit", Some(limit.as_str())), ("cursor", cursor), ("user", of), ("format", Some("json"))]);
    let list: AuditList = web.get(&user, &format!("/audit{path}")).await?;
    let now = web.state.environment.now();
    let older = list.next.map(|next| {
        let user = of.map(|of| format!("&user={}", part(of))).unwrap_or_default();
        format!("/web/audit?cursor={}{user}", part(&next))
    });
    Ok(Html(AuditPage {
        shell: Shell::still("Audit", "audit", Some(&user)),
        rows: list.entries.into_iter().map(|entry| Row::of(entry, now)).collect(),
        older,
        is_newest: cursor.is_none(),
        user: of.unwrap_or_default().to_owned(),
    }))
}
