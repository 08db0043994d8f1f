//! The agents' protocol. The gate has seen to it that the caller is the agent of the host, or an administrator.

use super::{
    AppState, Peer,
    around::Within,
    health::stopping,
    input::{Input, Params},
    page::Paging,
    people::{fresh, issued},
    problem::Problem,
    tasks::statuses,
    wire::{ClaimBody, Claimed, Listing, RenewBody, Renewed, StatusReport, StreamRequests, TaskList},
};
use crate::{
    auth::{Cut, Identity, Lifeline},
    protocol::{self, Mismatch},
};
use axum::{
    Extension, Json,
    extract::{Path, Request, State},
    http::{HeaderMap, HeaderValue, StatusCode},
    response::{IntoResponse as _, Response},
};
use futures::future::{BoxFuture, ready};
use graphium_core::{
    agent::{AgentLink, ClaimCall, Held, HostReport, RenewCall, Renewal, SessionGrant},
    control::{Control, Role, TokenRecord},
    id::{HostId, TaskId},
    store::{SessionRequest, TaskQuery},
    stream::{StreamCall, StreamRequest},
};
use serde::Deserialize;
use std::time::Duration;

pub(super) async fn session(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Input(request): Input<SessionRequest>,
) -> Result<Json<SessionGrant>, Problem> {
    same(&id, &request.host)?;
    Ok(Json(state.control.open_session(&request).await?))
}

/// Lets a call of the agents' protocol pass if both sides speak a common version of it, which the answer says. Each call is looked at: this
/// server may have taken the place of another with which the session was opened.
pub(super) fn fit(control: &Control, request: Request, within: Within) -> BoxFuture<'static, Response> {
    let found = match request.extensions().get::<Identity>() {
        Some(caller) => {
            common_version(caller, request.headers()).map(|version| (version, control.is_to_be_replaced(&caller.token)))
        }
        None => Err(Problem::new(500, "internal", "nobody has looked who asks")),
    };
    let (version, is_due) = match found {
        Ok(found) => found,
        Err(problem) => return Box::pin(ready(problem.into_response())),
    };
    let answered = within.answer(request);
    Box::pin(async move {
        let mut response = answered.await;
        if is_due {
            response.headers_mut().insert(protocol::CREDENTIAL, HeaderValue::from_static("due"));
        }
        response.headers_mut().insert(protocol::HEADER, version.into());
        response
    })
}

/// The version of the protocol that an agent is spoken to in.
fn common_version(caller: &Identity, headers: &HeaderMap) -> Result<u32, Problem> {
    let agent = match headers.get(protocol::HEADER) {
        None => protocol::UNSAID,
        Some(value) => String::from_utf8_lossy(value.as_bytes())
            .parse()
            .map_err(|error: String| Problem::new(400, "wrong-header", error))?,
    };
    protocol::SPOKEN.with_agent(agent).map_err(|mismatch| {
        let who = match &caller.host {
            Some(host) => format!("host `{host}`"),
            None => format!("`{}`", caller.name),
        };
        tracing::warn!("an agent of {who} is turned away: {mismatch}");
        let code = match mismatch {
            Mismatch::AgentTooOld { .. } => "agent-too-old",
            Mismatch::ServerTooOld { .. } => "server-too-old",
        };
        Problem::new(426, code, format!("{who}: {mismatch} (this server is graphium {})", env!("CARGO_PKG_VERSION")))
    })
}

/// The successor of an agent's own credential. The one before is good until this one was used: an answer that is lost is asked for anew.
pub(super) async fn replace_credential(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
) -> Result<Response, Problem> {
    let Some(host) = caller.host.filter(|_| caller.role == Role::Agent) else {
        return Err(Problem::new(403, "not-allowed", "this is for agents, each with its own token"));
    };
    if !state.control.is_to_be_replaced(&caller.token) {
        let detail = "this token is not to be replaced now; `graphium host rotate` has it replaced before its time";
        return Err(Problem::new(409, "credential-not-due", detail));
    }
    let (token, hash) = fresh()?;
    let record = TokenRecord {
        name: caller.token.name.clone(),
        host: Some(host),
        expires: state.control.agents_credential_expires(),
        ..TokenRecord::new(hash, Role::Agent, state.environment.now())
    };
    state.control.replace_credential(&caller.token, record.clone()).await?;
    Ok(issued(state.issued(&token, record)))
}

#[derive(Debug, Deserialize)]
pub(super) struct ClaimQuery {
    wait: Option<f64>,
    max: Option<usize>,
}

/// Waits for work. When the server ends, the agent asks the next one with the same claim, so that nothing it may have been
/// granted in that moment is lost: that is why the answer is then an error, and not an empty list.
pub(super) async fn claim(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Params(query): Params<ClaimQuery>,
    Input(body): Input<ClaimBody>,
) -> Result<(InForce, Json<Claimed>), Problem> {
    let seconds = body.wait_seconds.or(query.wait).unwrap_or(0.0);
    let wait = Duration::try_from_secs_f64(seconds)
        .map_err(|_| Problem::new(422, "wrong-shape", "`waitSeconds` is a number of seconds, 0 or more"))?;
    let max = body.max.or(query.max).unwrap_or(1);
    let call = ClaimCall { host: HostId::new(id), epoch: body.epoch, claim: body.claim, max, wait };
    let streams = body.can.map(|can| StreamCall { host: call.host.clone(), epoch: call.epoch, wait, can });
    let mut lifeline = Lifeline::new(&state, &caller);
    drop(caller);
    let _parked = state.metrics.claim();
    tokio::select! {
        biased;
        tasks = state.control.claim(&call) => {
            let claimed = Claimed { tasks: tasks?, streams: streams.map(|_| StreamRequests::from(Vec::new())) };
            Ok((in_force(&state, &call.host), Json(claimed)))
        }
        // What may be granted meanwhile is not lost: the agent asks again with the same claim.
        wanted = wanted(&state, streams.as_ref()) => {
            let claimed = Claimed { tasks: Vec::new(), streams: Some(wanted.into()) };
            Ok((in_force(&state, &call.host), Json(claimed)))
        }
        cut = lifeline.cut() => Err(match cut {
            Cut::Stopping => stopping(),
            Cut::Revoked => Problem::new(401, "token-unknown", "the token was revoked"),
        }),
    }
}

/// What somebody wants of the agent, once there is something. That a newer one has asked its claim learns by itself.
async fn wanted(state: &AppState, call: Option<&StreamCall>) -> Vec<StreamRequest> {
    if let Some(call) = call
        && let Ok(wanted) = state.control.streams().wanted(call).await
    {
        return wanted;
    }
    std::future::pending().await
}

pub(super) async fn renew(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Input(mut call): Input<RenewCall>,
) -> Result<Json<Renewed>, Problem> {
    same(&id, &call.host)?;
    if caller.role == Role::Agent {
        keep_own(&state, &mut call).await?;
    }
    Ok(Json(Renewed { held: state.control.renew(&call).await? }))
}

/// Leaves out leases of other hosts' tasks: to this agent they are lost.
async fn keep_own(state: &AppState, call: &mut RenewCall) -> Result<(), Problem> {
    let mut own = Vec::with_capacity(call.leases.len());
    for renewal in call.leases.drain(..) {
        let task = state.control.store().task(&renewal.lease.task).await?;
        if task.is_some_and(|task| task.host_id == call.host) {
            own.push(renewal);
        }
    }
    call.leases = own;
    Ok(())
}

pub(super) async fn renew_task(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Input(body): Input<RenewBody>,
) -> Result<Json<Held>, Problem> {
    let id = TaskId::new(id);
    same_task(&id, &body.lease.task)?;
    let task = state.control.store().task(&id).await?;
    let task = task.ok_or_else(|| Problem::new(404, "not-found", format!("no task `{id}`")))?;
    let epoch = body.lease.epoch;
    let leases = vec![Renewal { lease: body.lease, progress: body.progress }];
    let held = state.control.renew(&RenewCall { host: task.host_id, epoch, leases }).await?;
    let lost = || Problem::new(409, "lease-lost", format!("the lease of task `{id}` is lost"));
    held.into_iter().next().map(Json).ok_or_else(lost)
}

pub(super) async fn report(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Input(report): Input<StatusReport>,
) -> Result<StatusCode, Problem> {
    let (lease, outcome) = report.into_outcome()?;
    same_task(&TaskId::new(id), &lease.task)?;
    state.control.report(&lease, &outcome).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn observe(
    State(state): State<AppState>,
    Path(id): Path<String>,
    peer: Option<Extension<Peer>>,
    Input(mut report): Input<HostReport>,
) -> Result<(InForce, StatusCode), Problem> {
    same(&id, &report.host)?;
    if report.ip_address.is_none() {
        // The address that the agent comes from, unless it means nothing to other hosts.
        let address = peer.map(|Extension(Peer(peer))| peer.ip().to_canonical());
        report.ip_address = address.filter(|address| !address.is_loopback());
    }
    state.control.observe(&report).await?;
    Ok((in_force(&state, &report.host), StatusCode::NO_CONTENT))
}

/// The header that says which report of a host is in force, where one is.
type InForce = Option<[(&'static str, String); 1]>;

/// Who uses the store through this server changes it without a word: then none is.
fn in_force(state: &AppState, host: &HostId) -> InForce {
    let number = state.control.report_in_force(host).filter(|_| state.shared.is_none())?;
    Some([(protocol::REPORT, format!("{:x}-{number}", state.run))])
}

#[derive(Debug, Deserialize)]
pub(super) struct Filter {
    status: Option<String>,
}

pub(super) async fn tasks(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Params(paging): Params<Paging>,
    Params(filter): Params<Filter>,
) -> Result<Json<TaskList>, Problem> {
    let query = TaskQuery {
        statuses: statuses(filter.status.as_deref())?,
        host: Some(HostId::new(id)),
        after: paging.cursor().map(TaskId::new),
        limit: paging.limit()?,
        ..TaskQuery::default()
    };
    let page = state.control.tasks(query).await?;
    Ok(Json(TaskList::page(page.items, page.next)))
}

/// What the gate has looked at is the path: the body must speak of the same.
fn same(path: &str, body: &HostId) -> Result<(), Problem> {
    if HostId::new(path) == *body {
        return Ok(());
    }
    Err(Problem::new(422, "ids-differ", format!("the path names host `{path}`, the body `{body}`")))
}

pub(super) fn same_task(path: &TaskId, body: &TaskId) -> Result<(), Problem> {
    if path == body {
        return Ok(());
    }
    Err(Problem::new(422, "ids-differ", format!("the path names task `{path}`, the lease `{body}`")))
}
