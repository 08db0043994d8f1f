//! What is ours and nobody wants.

use super::{ROWS, acts::ConfirmPage, query, rows::name_of, shown_at};
use crate::{
    api::wire::OrphanList,
    web::{
        Web,
        call::part,
        forms::{self, Form},
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{Badge, Tone, filters},
    },
};
use askama::Template;
use axum::{
    Extension,
    extract::State,
    http::{Method, Uri},
    response::Response,
};
use graphium_core::control::{Orphan, OrphanKind, TaskView};

#[derive(Template)]
#[template(path = "orphans.html")]
pub(in crate::web) struct OrphansPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
}

struct Row {
    id: String,
    badge: Badge,
    name: String,
    host: String,
    stack: String,
    reason: String,
    /// Where its removal is asked for.
    removal: String,
}

impl Row {
    fn of(orphan: Orphan) -> Self {
        let (badge, name) = match &orphan.what {
            OrphanKind::Container { container_name, .. } => (Badge::new(Tone::Warn, "container"), container_name),
            OrphanKind::Network { network_name } => (Badge::new(Tone::Off, "network"), network_name),
            OrphanKind::Volume { volume_name } => (Badge::new(Tone::Warn, "volume"), volume_name),
        };
        Self {
            badge,
            name: name.clone(),
            removal: format!("/web/orphans/remove?id={}", part(&orphan.id)),
            host: orphan.host_id.to_string(),
            stack: name_of(orphan.stack_id.as_str()).to_owned(),
            reason: orphan.reason.to_string(),
            id: orphan.id,
        }
    }
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<OrphansPage> {
    let shell = Shell::live(&web, &user, "Orphans", "orphans").await?;
    let limit = ROWS.to_string();
    let asked = query(&uri);
    let path = forms::query([("limit", Some(limit.as_str())), ("cursor", asked.some("cursor"))]);
    let list: OrphanList = web.get(&user, &format!("/orphans{path}")).await?;
    let next = list.next.map(|cursor| format!("/web/orphans?cursor={}", part(&cursor)));
    Ok(Html(OrphansPage { shell, rows: list.orphans.into_iter().map(Row::of).collect(), next }))
}

pub(in crate::web) async fn confirm(Extension(user): Extension<User>, uri: Uri) -> Answer<ConfirmPage> {
    user.must_change()?;
    let asked = query(&uri);
    let id = asked.text("id");
    let (host, name) = parts(id);
    let what = name.replacen(':', " ", 1);
    let title = format!("Remove {what} from {host}?");
    let shell = Shell::still(title.clone(), "orphans", Some(&user));
    let says = "The agent of its host is told to remove it. It is not made again.".to_owned();
    let page = ConfirmPage::plain(
        shell,
        title,
        "Remove it",
        says,
        "/web/orphans/remove".to_owned(),
        "/web/orphans".to_owned(),
    );
    let page = page.with_field("id", id.to_owned());
    Ok(Html(if name.starts_with("volume:") {
        page.with_box(("removeVolumes", "Remove it with its data", "Without this it stays."))
    } else {
        page
    }))
}

/// The host of something, and its name, which says of a network or a volume that it is one.
fn parts(id: &str) -> (&str, &str) {
    id.split_once('/').unwrap_or((id, ""))
}

pub(in crate::web) async fn remove(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let (host, name) = parts(form.text("id"));
    let volumes = form.is_set("removeVolumes").then_some("true");
    let path = format!("/orphans/{}/{}{}", part(host), part(name), forms::query([("removeVolumes", volumes)]));
    let view: TaskView = web.send(&user, Method::DELETE, &path).await?;
    Ok(shown_at(&format!("/web/tasks/{}", part(view.task.id.as_str()))))
}
