//! Hosts: their agents, their load, what they are told; and the one command that adds one.

use super::{acts::ConfirmPage, own_url, shown_at};
use crate::{
    api::{
        problem::Problem,
        wire::{HostList, IssuedToken, TokenRequest},
    },
    web::{
        Web,
        call::part,
        forms::Form,
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{self, Badge, Moment, Since},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderMap, Method, StatusCode},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::{Drain, RemainingState, Role},
    inventory::{Host, HostStatus},
};
use jiff::Timestamp;

#[derive(Template)]
#[template(path = "hosts.html")]
pub(in crate::web) struct HostsPage {
    shell: Shell,
    rows: Vec<Row>,
    /// The command that adds a host, with its token: shown once.
    added: Option<Added>,
    refused: Option<String>,
}

struct Added {
    host: String,
    command: String,
    is_loopback: bool,
}

/// A host as a card.
struct Row {
    id: String,
    base: String,
    badge: Badge,
    address: Option<String>,
    cpu: Option<(u64, String)>,
    memory: Option<(u64, String)>,
    facts: Vec<(&'static str, String)>,
    labels: Vec<String>,
    seen: Option<Moment>,
    offline: Option<Since>,
    engine_error: Option<String>,
    remaining: Vec<(String, Badge, String)>,
    can: Vec<(&'static str, &'static str)>,
}

impl Row {
    fn of(host: Host, now: Timestamp, may_change: bool) -> Self {
        let moment = |at: Timestamp| Moment { at, now };
        let cpu = host
            .cpu_usage
            .filter(|_| host.cpu > 0.0)
            .map(|used| (share(used, host.cpu), format!("{used:.1} of {:.0} processors", host.cpu)));
        let memory = host.memory_usage.filter(|_| host.memory > 0).map(|used| {
            (
                used.min(host.memory) * 100 / host.memory,
                format!("{} of {}", words::bytes(used), words::bytes(host.memory)),
            )
        });
        let facts = [
            ("Processors", (host.cpu > 0.0 && cpu.is_none()).then(|| format!("{:.0}", host.cpu))),
            ("Memory", (host.memory > 0 && memory.is_none()).then(|| words::bytes(host.memory))),
            ("Datacenter", host.location.clone()),
            ("Rack", host.rack.clone()),
            ("Agent", host.agent_version.clone()),
            ("Docker", host.docker_version.clone()),
        ];
        let can = match host.status {
            HostStatus::Active => &[("drain", "Drain"), ("maintenance", "Maintenance")][..],
            HostStatus::Maintenance => &[("activate", "Activate"), ("drain", "Drain")],
            HostStatus::Draining => &[("activate", "Activate"), ("maintenance", "Maintenance")],
            HostStatus::Offline => &[("drain", "Drain"), ("maintenance", "Maintenance"), ("remove", "Remove")],
        };
        Self {
            base: format!("/web/hosts/{}", part(host.id.as_str())),
            badge: words::host(&host),
            address: host.ip_address.map(|address| address.to_string()),
            cpu,
            memory,
            facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            labels: host.labels.iter().map(|(name, value)| format!("{name}={value}")).collect(),
            seen: host.last_seen.map(moment),
            offline: host.offline_since.map(moment).map(Since),
            engine_error: host.engine_error.clone(),
            remaining: Vec::new(),
            can: if may_change { can.to_vec() } else { Vec::new() },
            id: host.id.to_string(),
        }
    }
}

fn share(used: f64, all: f64) -> u64 {
    // Between 0 and 100: nothing is lost that could be seen.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0–100")]
    let percent = (used / all * 100.0).clamp(0.0, 100.0) as u64;
    percent
}

pub(in crate::web) async fn list(State(web): State<Web>, Extension(user): Extension<User>) -> Answer<HostsPage> {
    page(&web, &user, None, None).await
}

async fn page(web: &Web, user: &User, added: Option<Added>, refused: Option<String>) -> Answer<HostsPage> {
    // A token that is shown once must not be renewed away.
    let shell = match added {
        Some(_) => Shell::still("Hosts", "hosts", Some(user)),
        None => Shell::live(web, user, "Hosts", "hosts").await?,
    };
    let list: HostList = web.get(user, "/hosts?limit=1000").await?;
    let now = web.state.environment.now();
    let mut rows = Vec::with_capacity(list.hosts.len());
    for host in list.hosts {
        let drains = host.status == HostStatus::Draining;
        let mut row = Row::of(host, now, user.may_administer());
        if drains {
            let drain: Option<Drain> = web.get_of_all(user, &format!("/hosts/{}/drain", part(&row.id))).await?;
            let left = drain.into_iter().flat_map(|drain| drain.remaining).map(|one| {
                let tone = match one.state {
                    RemainingState::Moving => words::Tone::Work,
                    RemainingState::Waiting => words::Tone::Wait,
                    RemainingState::Staying => words::Tone::Warn,
                };
                (format!("{}-{}", one.stack, one.container), Badge::new(tone, one.state.as_str()), one.why)
            });
            row.remaining = left.collect();
        }
        rows.push(row);
    }
    Ok(Html(HostsPage { shell, rows, added, refused }))
}

/// A token for the agent of a new host, in the one command that starts it.
pub(in crate::web) async fn add(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let host = form.text("host").trim().to_owned();
    let sound = (1..=63).contains(&host.len())
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && host.as_bytes()[0].is_ascii_alphanumeric();
    if !sound {
        let refused = "a host's name has letters, digits, `-`, `_` and `.`, and begins with a letter or a digit";
        let page = page(&web, &user, None, Some(refused.to_owned())).await?;
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response());
    }
    let request = TokenRequest {
        host: Some(host.as_str().into()),
        name: Some(format!("for the agent of {host} to join")),
        join: true,
        ..TokenRequest::new(Role::Agent)
    };
    let issued: IssuedToken = web.post(&user, "/tokens", &request, HeaderMap::new()).await?;
    let (url, is_loopback) = own_url(&web, &headers);
    let command = format!("graphium agent --host-id {host} --server {url} --join {}", issued.code());
    Ok(page(&web, &user, Some(Added { host, command, is_loopback }), None).await?.into_response())
}

pub(in crate::web) async fn confirm(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
) -> Answer<ConfirmPage> {
    user.must_administer()?;
    let host: Host = web.get(&user, &format!("/hosts/{}", part(&id))).await?;
    let (title, button, says) = match act.as_str() {
        "drain" => (
            format!("Drain {id}?"),
            "Drain it",
            "Nothing new is placed there, and what runs there moves to other hosts, one after another. What cannot move stays, and the host's card says why.",
        ),
        "maintenance" => (
            format!("Put {id} into maintenance?"),
            "Put into maintenance",
            "Nothing new is placed there and its tasks wait; what runs there runs on.",
        ),
        "activate" => (format!("Activate {id}?"), "Activate it", "It takes work again."),
        "remove" => (
            format!("Remove {id}?"),
            "Remove it",
            "The server forgets this host. That is refused as long as a stack has something there.",
        ),
        _ => return Err(Problem::new(404, "no-such-page", format!("a host has no page `{act}`")).into()),
    };
    let shell = Shell::still(title.clone(), "hosts", Some(&user));
    let action = format!("/web/hosts/{}/{act}", part(host.id.as_str()));
    Ok(Html(ConfirmPage::plain(shell, title, button, says.to_owned(), action, "/web/hosts".to_owned())))
}

pub(in crate::web) async fn act(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path((id, act)): Path<(String, String)>,
) -> Result<Response, Failure> {
    let host = part(&id);
    let (method, path) = match act.as_str() {
        "drain" | "maintenance" | "activate" => (Method::POST, format!("/hosts/{host}/{act}")),
        "remove" => (Method::DELETE, format!("/hosts/{host}")),
        _ => return Err(Problem::new(404, "no-such-page", format!("a host has no page `{act}`")).into()),
    };
    let _answer: serde_json::Value = web.send(&user, method, &path).await?;
    Ok(shown_at("/web/hosts"))
}
