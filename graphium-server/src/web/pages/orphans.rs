//! What is ours and nobody wants.

use super::{ROWS, query, rows::name_of, shown_at};
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
    /// Its removal loses data.
    is_volume: bool,
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
            is_volume: matches!(orphan.what, OrphanKind::Volume { .. }),
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

pub(in crate::web) async fn remove(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Extension(form): Extension<Form>,
) -> Result<Response, Failure> {
    let (host, name) = form.text("id").split_once('/').unwrap_or((form.text("id"), ""));
    let volumes = form.is_set("removeVolumes").then_some("true");
    let path = format!("/orphans/{}/{}{}", part(host), part(name), forms::query([("removeVolumes", volumes)]));
    let view: TaskView = web.send(&user, Method::DELETE, &path).await?;
    Ok(shown_at(&format!("/web/tasks/{}", part(view.task.id.as_str()))))
}
