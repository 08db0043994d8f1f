//! Everything at a glance, what needs somebody first.

use super::{
    events::EventRow,
    stacks::{StackRow, tell},
};
use crate::{
    api::wire::{EventList, HostList, OrphanList, StackList},
    web::{
        Web,
        guard::User,
        shell::{Answer, Html, Shell},
        words::{self, Badge, Moment, Since, Tone, filters},
    },
};
use askama::Template;
use axum::{Extension, extract::State};
use graphium_core::{
    control::TaskStats,
    inventory::{Host, HostStatus},
    task::TaskStatus,
};

/// How many stacks are looked at.
const LOOKED_AT: usize = 1000;
/// Among how many of the last events.
const EVENTS: u64 = 200;

#[derive(Template)]
#[template(path = "dashboard.html")]
pub(in crate::web) struct Dashboard {
    shell: Shell,
    /// Stacks that have failed or are not whole.
    troubled: Vec<StackRow>,
    moving: Vec<StackRow>,
    stacks: usize,
    running: usize,
    is_cut: bool,
    hosts: usize,
    active: usize,
    away: Vec<HostNote>,
    of_all: Option<OfAll>,
    events: Vec<EventRow>,
}

/// What is told to those who reach every stack.
struct OfAll {
    open: usize,
    failed: usize,
    orphans: usize,
}

/// A host that needs somebody.
struct HostNote {
    id: String,
    badge: Badge,
    why: String,
    since: Option<Since>,
}

pub(in crate::web) async fn page(State(web): State<Web>, Extension(user): Extension<User>) -> Answer<Dashboard> {
    let shell = Shell::live(&web, &user, "Overview", "dashboard").await?;
    let list: StackList = web.get(&user, &format!("/stacks?limit={LOOKED_AT}")).await?;
    let hosts: HostList = web.get(&user, "/hosts?limit=1000").await?;
    let stats: Option<TaskStats> = web.get_of_all(&user, "/tasks/stats").await?;
    let orphans: Option<OrphanList> = web.get_of_all(&user, "/orphans?limit=1000").await?;
    let last = shell.seq.unwrap_or_default();
    let events: EventList =
        web.get(&user, &format!("/events?follow=false&limit={EVENTS}&after={}", last.saturating_sub(EVENTS))).await?;
    let now = web.state.environment.now();
    let is_cut = list.next.is_some();
    let rows: Vec<StackRow> = list.stacks.into_iter().map(|view| StackRow::of(view, now)).collect();
    let stacks = rows.len();
    let running = rows.iter().filter(|row| row.badge.tone == Tone::Ok).count();
    let (troubled, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| matches!(row.badge.tone, Tone::Bad | Tone::Warn));
    let mut moving: Vec<_> = others.into_iter().filter(|row| row.is_moving).take(20).collect();
    tell(&web, &user, &mut moving).await;
    let of_all = stats.zip(orphans).map(|(stats, orphans)| {
        let count = |status: TaskStatus| stats.by_status.get(&status).copied().unwrap_or_default();
        OfAll {
            open: count(TaskStatus::Pending) + count(TaskStatus::Assigned) + count(TaskStatus::Running),
            failed: count(TaskStatus::Failed),
            orphans: orphans.orphans.len(),
        }
    });
    let note = |host: &Host| {
        let why = match (&host.engine_error, host.status, host.last_seen) {
            (_, HostStatus::Offline, Some(_)) => "its agent is not heard; what it has to do waits".to_owned(),
            (_, HostStatus::Offline, None) => "its agent has never connected".to_owned(),
            (Some(error), ..) => format!("its engine does not answer: {error}"),
            _ => return None,
        };
        let since = host.offline_since.map(|at| Since(Moment { at, now }));
        Some(HostNote { id: host.id.to_string(), badge: words::host(host), why, since })
    };
    Ok(Html(Dashboard {
        troubled: troubled.into_iter().take(20).collect(),
        moving,
        stacks,
        running,
        is_cut,
        hosts: hosts.hosts.len(),
        active: hosts.hosts.iter().filter(|host| host.status == HostStatus::Active).count(),
        away: hosts.hosts.iter().filter_map(note).take(20).collect(),
        of_all,
        events: told(events.events.into_iter().rev().map(|event| EventRow::of(event, now)).collect()),
        shell,
    }))
}

/// Of the last events those of stacks and hosts, where there are any: tasks say the same in smaller steps.
fn told(rows: Vec<EventRow>) -> Vec<EventRow> {
    const SHOWN: usize = 8;
    let is_large = |row: &EventRow| {
        row.what.starts_with("stack") || matches!(row.what.as_str(), "host added" | "host removed" | "host fenced")
    };
    let (mut large, mut small): (Vec<_>, Vec<_>) = rows.into_iter().partition(is_large);
    large.truncate(SHOWN);
    small.truncate(SHOWN);
    if large.is_empty() { small } else { large }
}
