//! Every stack, and where it stands.

use super::{ROWS, query, rows::verb, stack_page};
use crate::{
    api::wire::StackList,
    web::{
        Web,
        call::part,
        forms,
        guard::User,
        shell::{Answer, Html, Shell},
        words::{self, Badge, Moment, filters},
    },
};
use askama::Template;
use axum::{Extension, extract::State, http::Uri};
use graphium_core::control::{StackView, StatusView, TaskView};
use jiff::Timestamp;
use std::collections::BTreeSet;

/// Of how many stacks under way it is asked how far they are.
const ASKED: usize = 20;

#[derive(Template)]
#[template(path = "stacks.html")]
pub(in crate::web) struct StacksPage {
    shell: Shell,
    rows: Vec<StackRow>,
    next: Option<String>,
    is_first: bool,
}

/// A stack as a row.
pub(super) struct StackRow {
    pub(super) name: String,
    pub(super) href: String,
    pub(super) description: Option<String>,
    pub(super) badge: Badge,
    pub(super) containers: usize,
    pub(super) hosts: usize,
    pub(super) revision: u64,
    pub(super) modified: Moment,
    /// What is wrong, or how far it is.
    pub(super) note: Option<String>,
    pub(super) progress: Option<u8>,
    pub(super) is_moving: bool,
}

impl StackRow {
    pub(super) fn of(view: StackView, now: Timestamp) -> Self {
        let hosts: BTreeSet<_> = view.placements.values().collect();
        Self {
            href: stack_page(&view.name),
            badge: words::stack(view.status),
            containers: view.placements.len().max(view.containers.len()),
            hosts: hosts.len(),
            revision: view.revision,
            modified: Moment { at: view.date_modified, now },
            note: view.error_message,
            progress: None,
            is_moving: view.status.is_transitional(),
            description: view.description,
            name: view.name,
        }
    }

    /// How far it is, and what it waits for.
    pub(super) fn told(&mut self, status: &StatusView) {
        self.badge = words::stack(status.overall_status);
        self.progress = Some(status.progress);
        self.note = status.error_message.clone().or_else(|| waits(status));
    }
}

/// What a stack waits for, in a line: of its tasks the first that waits for something outside, or else what is done.
pub(super) fn waits(status: &StatusView) -> Option<String> {
    let waiting = || status.tasks.iter().filter_map(|view| Some((view, view.waiting.as_ref()?)));
    let outside = waiting().find(|(_, waiting)| matches!(waiting.reason.as_str(), "host" | "retry" | "slot"));
    if let Some((view, waiting)) = outside {
        return Some(format!("{} waits for {}", called(view), waiting.on));
    }
    let (view, _) = waiting().find(|(_, waiting)| waiting.reason == "agent")?;
    let progress = view.task.progress.as_ref().map(words::progress);
    Some(format!("{} on {}{}", called(view), view.task.host_id, progress.map_or(String::new(), |p| format!(": {p}"))))
}

fn called(view: &TaskView) -> String {
    format!("{} {}", verb(view.task.task_type), view.task.payload.subject())
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<StacksPage> {
    let shell = Shell::live(&web, &user, "Stacks", "stacks").await?;
    let asked = query(&uri);
    let limit = ROWS.to_string();
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", asked.some("cursor"))]);
    let list: StackList = web.get(&user, &format!("/stacks{path}")).await?;
    let now = web.state.environment.now();
    let mut rows: Vec<StackRow> = list.stacks.into_iter().map(|view| StackRow::of(view, now)).collect();
    tell(&web, &user, &mut rows).await;
    let next = list.next.map(|cursor| format!("/web/stacks?cursor={}", part(&cursor)));
    Ok(Html(StacksPage { shell, rows, next, is_first: !asked.is_set("cursor") }))
}

/// Asks of those under way how far they are.
pub(super) async fn tell(web: &Web, user: &User, rows: &mut [StackRow]) {
    for row in rows.iter_mut().filter(|row| row.is_moving).take(ASKED) {
        // One that is gone meanwhile stays as it was read.
        if let Ok(status) = web.get::<StatusView>(user, &format!("/stacks/{}/status", part(&row.name))).await {
            row.told(&status);
        }
    }
}
