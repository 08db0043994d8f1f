//! One stack: its picture, its containers, its work, its history.

use super::{query, rows::TaskRow, stack_page, stacks::waits};
use crate::{
    api::wire::{ContainerList, RevisionList},
    web::{
        Web,
        call::part,
        guard::User,
        picture::{Picture, Shown},
        shell::{Answer, Html, Shell},
        words::{self, Badge, Moment, Since, Tone, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::{Path, State},
    http::Uri,
};
use graphium_core::{
    action::TaskType,
    control::{RevisionView, StackStatus, StackView, StatusView, TaskView},
    inventory::ObservedContainer,
    plan::Endpoint,
    stack::Protocol,
    task::TaskStatus,
};
use jiff::Timestamp;
use std::collections::BTreeMap;

/// How many tasks of each sort are shown; all of them are on the page of tasks.
const TASKS: usize = 100;

#[derive(Template)]
#[template(path = "stack.html")]
pub(in crate::web) struct StackPage {
    shell: Shell,
    base: String,
    view: StackView,
    badge: Badge,
    status: StatusView,
    /// What it waits for, while it does.
    waits: Option<String>,
    created: Moment,
    modified: Moment,
    picture: Picture,
    containers: Vec<ContainerRow>,
    endpoints: Vec<EndpointRow>,
    /// What is not done.
    news: Vec<TaskRow>,
    done: Vec<TaskRow>,
    /// Of each how many are not shown.
    more: usize,
    /// Whether a task tells what is wrong.
    is_told: bool,
    revisions: Vec<RevisionRow>,
    can_stop: bool,
    can_start: bool,
    can_roll_back: bool,
    can_delete: bool,
}

/// A container of a stack as a row.
struct ContainerRow {
    name: String,
    badge: Badge,
    host: String,
    image: String,
    /// What it waits for or does, and since when.
    on: Option<String>,
    since: Option<Since>,
    percent: Option<u64>,
    needs: Vec<String>,
    logs: Option<String>,
}

/// A published port.
pub(super) struct EndpointRow {
    pub(super) container: String,
    pub(super) text: String,
    pub(super) href: Option<String>,
    pub(super) inside: String,
}

/// A revision as a row.
pub(super) struct RevisionRow {
    pub(super) view: RevisionView,
    pub(super) badge: Badge,
    pub(super) at: Moment,
}

impl RevisionRow {
    pub(super) fn of(view: RevisionView, now: Timestamp) -> Self {
        Self { badge: words::outcome(view.outcome), at: Moment { at: view.date_created, now }, view }
    }
}

impl EndpointRow {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        let host = endpoint.ip_address.map_or_else(
            || endpoint.host.to_string(),
            |ip| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() },
        );
        let scheme = if matches!(endpoint.container_port, 443 | 8443) { "https" } else { "http" };
        let is_web = endpoint.protocol == Protocol::Tcp && endpoint.ip_address.is_some();
        let text = endpoint.host_port.map(|port| format!("{host}:{port}"));
        Self {
            container: endpoint.container.clone(),
            href: text.as_ref().filter(|_| is_web).map(|text| format!("{scheme}://{text}/")),
            text: text.unwrap_or_else(|| format!("{host}, a port that its engine chooses")),
            inside: format!("{}/{}", endpoint.container_port, endpoint.protocol.as_str()),
        }
    }
}

pub(in crate::web) async fn page(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
    uri: Uri,
) -> Answer<StackPage> {
    let all = query(&uri).is_set("all");
    let shell = Shell::live(&web, &user, super::rows::name_of(&id), "stacks").await?;
    let part = part(&id);
    let view: StackView = web.get(&user, &format!("/stacks/{part}")).await?;
    let status: StatusView = web.get(&user, &format!("/stacks/{part}/status")).await?;
    let seen: ContainerList = web.get(&user, &format!("/containers?stackId={part}&limit=1000")).await?;
    let revisions: RevisionList = web.get(&user, &format!("/stacks/{part}/revisions?limit=6")).await?;
    let now = web.state.environment.now();
    let members = members(&view, &status, &seen.containers, now);
    let picture = Picture::of(members.iter().map(Member::shown).collect(), &format!("Stack {}", view.name));
    let may_change = user.may_change();
    let rows = status.tasks.iter().cloned().map(|task| TaskRow::of(task, now, may_change));
    let (mut news, mut done): (Vec<_>, Vec<_>) = rows.partition(TaskRow::is_news);
    // What failed first, then what is done, then what waits.
    news.sort_by_key(|row| match row.status {
        TaskStatus::Failed => 0,
        TaskStatus::Running | TaskStatus::Assigned => 1,
        _ => 2,
    });
    let most = if all { usize::MAX } else { TASKS };
    let more = news.len().saturating_sub(most) + done.len().saturating_sub(most);
    news.truncate(most);
    done.truncate(most);
    let is_told = news.iter().any(|row| row.status == TaskStatus::Failed && row.error.is_some());
    let is_going = matches!(view.status, StackStatus::Deleting | StackStatus::Deleted);
    let revisions: Vec<_> = revisions.revisions.into_iter().map(|one| RevisionRow::of(one, now)).collect();
    let page = StackPage {
        base: stack_page(&view.name),
        badge: words::stack(status.overall_status),
        waits: status.overall_status.is_transitional().then(|| waits(&status)).flatten(),
        created: Moment { at: view.date_created, now },
        modified: Moment { at: view.date_modified, now },
        endpoints: status.endpoints.iter().chain(&view.endpoints).fold(
            Vec::new(),
            |mut rows: Vec<EndpointRow>, one| {
                let row = EndpointRow::of(one);
                if !rows.iter().any(|other| other.text == row.text && other.inside == row.inside) {
                    rows.push(row);
                }
                rows
            },
        ),
        containers: members.into_iter().map(|member| member.row).collect(),
        can_stop: may_change && !is_going && view.status != StackStatus::Stopped,
        can_start: may_change && view.status == StackStatus::Stopped,
        can_roll_back: may_change && !is_going && revisions.len() > 1,
        can_delete: may_change,
        shell,
        view,
        status,
        picture,
        news,
        done,
        more,
        is_told,
        revisions,
    };
    Ok(Html(page))
}

/// A container of the stack, with all that is known of it.
struct Member {
    row: ContainerRow,
}

impl Member {
    fn shown(&self) -> Shown {
        let row = &self.row;
        let line = match (&row.on, row.badge.tone) {
            (Some(on), Tone::Work) => on.clone(),
            _ => row.badge.word.clone(),
        };
        Shown {
            name: row.name.clone(),
            host: row.host.clone(),
            badge: row.badge.clone(),
            line,
            needs: row.needs.clone(),
        }
    }
}

/// The members of a stack by name: what is done with each goes before what was seen of it.
fn members(view: &StackView, status: &StatusView, seen: &[ObservedContainer], now: Timestamp) -> Vec<Member> {
    let text = |value: &serde_json::Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let definitions: BTreeMap<String, &serde_json::Value> =
        view.containers.iter().map(|definition| (text(definition, "name"), definition)).collect();
    let definition_of = |member: &str| {
        definitions.get(member).copied().or_else(|| {
            let (name, number) = member.rsplit_once('-')?;
            number.bytes().all(|b| b.is_ascii_digit()).then(|| definitions.get(name).copied()).flatten()
        })
    };
    let mut by_definition: BTreeMap<String, Vec<&String>> = BTreeMap::new();
    for member in view.placements.keys() {
        let name = definition_of(member).map(|definition| text(definition, "name")).unwrap_or_default();
        by_definition.entry(name).or_default().push(member);
    }
    let mut places: Vec<(String, String)> =
        view.placements.iter().map(|(name, host)| (name.clone(), host.to_string())).collect();
    for name in definitions.keys().filter(|name| !by_definition.contains_key(*name)) {
        places.push((name.clone(), "not placed yet".to_owned()));
    }
    let work = Work::of(status);
    let place = |(name, host): (String, String)| {
        let engine_name = format!("{}-{name}", view.name);
        let found = seen.iter().find(|one| one.name == engine_name && one.hosted_on.as_str() == host);
        let definition = definition_of(&name);
        let image = found.map(|one| one.image.clone()).or_else(|| Some(text(definition?, "image"))).unwrap_or_default();
        let needs = definition.and_then(|definition| definition["dependsOn"].as_array()).into_iter().flatten();
        let needs = needs.map(|one| one["container"].as_str().or(one.as_str()).unwrap_or_default().to_owned());
        let needs: Vec<String> = needs
            .flat_map(|name| match by_definition.get(&name) {
                Some(members) => members.iter().map(|member| (*member).clone()).collect(),
                None => vec![name],
            })
            .collect();
        let wanted = definition.map(|definition| text(definition, "image")).unwrap_or_default();
        // What was given up says nothing of what is there.
        let state = work.state(&engine_name, &host, &wanted, now);
        let state = state.filter(|(badge, ..)| found.is_none() || badge.word != "cancelled");
        let (badge, on, since, percent) = state.unwrap_or_else(|| {
            let badge = found.map_or_else(|| Badge::new(Tone::Off, "not there"), words::container);
            // How it ended when it was told to is nobody's trouble.
            let badge = match (view.status, badge.tone) {
                (StackStatus::Stopped, Tone::Bad) => Badge::new(Tone::Off, "stopped"),
                _ => badge,
            };
            (badge, None, None, None)
        });
        let logs = found.map(|one| format!("/web/containers/{}", part(&format!("{}/{}", one.hosted_on, one.name))));
        Member { row: ContainerRow { name, badge, host, image, on, since, percent, needs, logs } }
    };
    places.into_iter().map(place).collect()
}

/// The tasks of the deployment by what they are about.
struct Work<'s> {
    /// By host, and there by name on the engine, or image.
    by_host: BTreeMap<&'s str, BTreeMap<&'s str, Vec<&'s TaskView>>>,
}

type Standing = (Badge, Option<String>, Option<Since>, Option<u64>);

impl<'s> Work<'s> {
    fn of(status: &'s StatusView) -> Self {
        let mut by_host: BTreeMap<_, BTreeMap<_, Vec<&TaskView>>> = BTreeMap::new();
        for view in &status.tasks {
            let here = by_host.entry(view.task.host_id.as_str()).or_default();
            here.entry(view.task.payload.subject()).or_default().push(view);
        }
        Self { by_host }
    }

    fn about(&self, host: &str, subject: &str) -> &[&'s TaskView] {
        self.by_host.get(host).and_then(|here| here.get(subject)).map_or(&[], Vec::as_slice)
    }

    /// What is done with a container; none: nothing any more, and nothing failed.
    fn state(&self, name: &str, host: &str, image: &str, now: Timestamp) -> Option<Standing> {
        let open = self.about(host, name).iter().find(|view| view.task.status != TaskStatus::Completed)?;
        let pull = self.about(host, image).iter().find(|view| view.task.task_type == TaskType::Pull);
        // While it waits for its image, that is what is done for it.
        let view = match pull {
            Some(pull) if open.task.status == TaskStatus::Pending && pull.task.status.is_leased() => pull,
            Some(pull) if pull.task.status == TaskStatus::Failed => pull,
            _ => open,
        };
        let task = &view.task;
        let since = view.waiting.as_ref().map(|waiting| Since(Moment { at: waiting.since, now }));
        let progress = task.progress.as_ref().filter(|_| task.status.is_leased());
        Some(match task.status {
            TaskStatus::Failed => {
                let why = task.error.as_ref().map(|error| error.message.clone());
                (Badge::new(Tone::Bad, "failed"), why, task.completed_at.map(|at| Since(Moment { at, now })), None)
            }
            TaskStatus::Cancelled => (Badge::new(Tone::Off, "cancelled"), None, None, None),
            TaskStatus::Assigned | TaskStatus::Running => {
                let word = progress.map_or("handed out", |progress| progress.phase.as_str());
                let word = if word.is_empty() { "running" } else { word };
                (
                    Badge::new(Tone::Work, word),
                    progress.map(words::progress).filter(|line| line != word),
                    since,
                    progress.and_then(words::percent),
                )
            }
            TaskStatus::Pending | TaskStatus::Completed => {
                let on = view.waiting.as_ref().map(|waiting| format!("for {}", waiting.on));
                (Badge::new(Tone::Wait, "waiting"), on, since, None)
            }
        })
    }
}
