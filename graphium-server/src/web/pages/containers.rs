//! Containers as agents see them, and what they write.

use super::{ROWS, query, rows::name_of, stack_page};
use crate::{
    api::{problem::Problem, wire::ContainerList},
    web::{
        Web,
        call::part,
        forms,
        guard::User,
        shell::{Answer, Failure, Html, Shell},
        words::{self, Badge, Moment},
    },
};
use askama::Template;
use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    response::Response,
};
use futures::StreamExt as _;
use graphium_core::{inventory::ObservedContainer, runtime::label};
use jiff::Timestamp;

/// How many lines a page has.
const LINES: &str = "200";
/// How many bytes of them at most.
const BYTES: usize = 512 * 1024;

#[derive(Template)]
#[template(path = "containers.html")]
pub(in crate::web) struct ContainersPage {
    shell: Shell,
    rows: Vec<Row>,
    next: Option<String>,
    stack: Option<String>,
    host: Option<String>,
}

/// A container as a row.
struct Row {
    name: String,
    badge: Badge,
    host: String,
    image: String,
    stack: Option<(String, String)>,
    ports: String,
    created: Option<Moment>,
    logs: Option<String>,
}

impl Row {
    fn of(seen: ObservedContainer, now: Timestamp) -> Self {
        let is_ours = seen.label(label::MANAGED) == Some("true");
        let stack = seen.label(label::STACK_NAME).map(str::to_owned);
        let stack = stack.or_else(|| seen.stack().map(|stack| name_of(stack.as_str()).to_owned())).filter(|_| is_ours);
        let ports = seen.ports.iter().map(|port| match port.host_port {
            Some(host) => format!("{host}→{}", port.container_port),
            None => port.container_port.to_string(),
        });
        Self {
            badge: words::container(&seen),
            host: seen.hosted_on.to_string(),
            stack: stack.map(|name| (stack_page(&name), name)),
            ports: ports.collect::<Vec<_>>().join(", "),
            created: seen.date_created.map(|at| Moment { at, now }),
            logs: is_ours.then(|| format!("/web/containers/{}", part(&format!("{}/{}", seen.hosted_on, seen.name)))),
            name: seen.name,
            image: seen.image,
        }
    }
}

pub(in crate::web) async fn list(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    uri: Uri,
) -> Answer<ContainersPage> {
    let shell = Shell::live(&web, &user, "Containers", "containers").await?;
    let asked = query(&uri);
    let limit = ROWS.to_string();
    let (stack, host) = (asked.some("stack"), asked.some("host"));
    let path = forms::query([
        ("limit", Some(limit.as_str())),
        ("cursor", asked.some("cursor")),
        ("stackId", stack),
        ("hostId", host),
    ]);
    let list: ContainerList = web.get(&user, &format!("/containers{path}")).await?;
    let now = web.state.environment.now();
    let next = list.next.map(|cursor| {
        format!(
            "/web/containers{}",
            forms::query([("cursor", Some(cursor.as_str())), ("stack", stack), ("host", host)])
        )
    });
    Ok(Html(ContainersPage {
        shell,
        rows: list.containers.into_iter().map(|seen| Row::of(seen, now)).collect(),
        next,
        stack: stack.map(str::to_owned),
        host: host.map(str::to_owned),
    }))
}

#[derive(Template)]
#[template(path = "logs.html")]
pub(in crate::web) struct LogsPage {
    shell: Shell,
    row: Row,
    /// Where the module reads on.
    source: String,
    text: String,
    problem: Option<String>,
}

pub(in crate::web) async fn logs(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
) -> Answer<LogsPage> {
    let seen: ObservedContainer = web.get(&user, &format!("/containers/{}", part(&id))).await?;
    let shell = Shell::still(format!("Log of {}", seen.name), "containers", Some(&user));
    let path = format!("/containers/{}/logs?tail={LINES}&timestamps=true&wait=3", part(&id));
    let response = web.pass(&user, Method::GET, &path, Body::empty(), plain()).await?;
    let (text, problem) = if response.status().is_success() {
        (lines(response).await, None)
    } else {
        (String::new(), Some(problem_of(response).await.detail))
    };
    let row = Row::of(seen, web.state.environment.now());
    Ok(Html(LogsPage { shell, row, source: format!("/web/containers/{}/log", part(&id)), text, problem }))
}

/// The API's log, for the module.
pub(in crate::web) async fn stream(
    State(web): State<Web>,
    Extension(user): Extension<User>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, Failure> {
    let asked = query(&uri);
    let path = forms::query([
        ("tail", asked.some("tail")),
        ("since", asked.some("since")),
        ("follow", Some("true")),
        ("timestamps", Some("true")),
    ]);
    let path = format!("/containers/{}/logs{path}", part(&id));
    let response = web.pass(&user, Method::GET, &path, Body::empty(), plain()).await?;
    if response.status().is_success() {
        return Ok(response);
    }
    Err(problem_of(response).await.into())
}

fn plain() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::ACCEPT, HeaderValue::from_static("text/plain"));
    headers
}

/// What has arrived when it breaks off or is enough.
async fn lines(response: Response) -> String {
    let mut bytes = Vec::new();
    let mut body = response.into_body().into_data_stream();
    while let Some(Ok(more)) = body.next().await {
        bytes.extend_from_slice(&more);
        if bytes.len() > BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Why the API answers with no stream.
pub(super) async fn problem_of(response: Response) -> Problem {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1024 * 1024).await.unwrap_or_default();
    serde_json::from_slice(&bytes)
        .unwrap_or_else(|_| Problem::new(status.as_u16(), "error", String::from_utf8_lossy(&bytes)))
}
