//! Stacks: deploy, look, act, remove.

use super::{
    AppState,
    audit::Told,
    input::{Params, Source},
    page::Paging,
    problem::Problem,
    submission::{DeployQuery, Submission, submission},
    wire::{Listing, StackList, Validation},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::{
        AuditObject, ControlError, DeployOptions, DeploymentKind, DeploymentState, RemoveOptions, StackView, Started,
        StatusView,
    },
    diagnostic::{Diagnostic, Severity},
    plan::SealedPlan,
    stack::Stack,
};
use serde::Deserialize;
use std::collections::BTreeMap;

pub(super) async fn deploy(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    headers: HeaderMap,
    Source(body): Source,
) -> Result<Response, Problem> {
    let Submission { reading, mut options, origin } = submission(body, query).await?.map_err(refused)?;
    caller.reach.admit(&state, &reading.stack).await?;
    asked_by(&mut options, caller, &headers);
    let mut started = match state.control.deploy(reading.stack, options).await {
        Ok(started) => started,
        Err(error) => return Err(origin.problem(error).await),
    };
    started.warnings = origin.locate(started.warnings).await;
    started.warnings.extend(reading.notes);
    Ok(taken_on(started))
}

/// Who asks, and with which key; keys of two callers are never the same key.
pub(super) fn asked_by(options: &mut DeployOptions, caller: Identity, headers: &HeaderMap) {
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    options.idempotency_key = key.map(|key| format!("{}:{key}", caller.token.hash));
    options.by = Some(caller.name);
}

pub(super) async fn plan(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    Source(body): Source,
) -> Result<Json<SealedPlan>, Problem> {
    let Submission { reading, options, origin } = submission(body, query).await?.map_err(refused)?;
    caller.reach.admit(&state, &reading.stack).await?;
    let mut plan = match state.control.preview(&reading.stack, &options).await {
        Ok(plan) => plan,
        Err(error) => return Err(origin.problem(error).await),
    };
    plan.warnings = origin.locate(plan.warnings).await;
    plan.warnings.extend(reading.notes);
    Ok(Json(plan.sealed().without_values()))
}

/// Says exactly what `deploy` would: the reader's findings, and where they are none, the planner's.
pub(super) async fn validate(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    Source(body): Source,
) -> Result<Json<Validation>, Problem> {
    let Submission { reading, options, origin } = match submission(body, query).await? {
        Ok(submission) => submission,
        Err(findings) => return Ok(Json(validation(None, findings))),
    };
    caller.reach.admit(&state, &reading.stack).await?;
    let mut findings = reading.notes;
    let planned = match state.control.preview(&reading.stack, &options).await {
        Ok(plan) => plan.warnings,
        Err(ControlError::Invalid(mistakes)) => mistakes,
        Err(error) => return Err(error.into()),
    };
    findings.extend(origin.locate(planned).await);
    Ok(Json(validation(Some(&reading.stack), findings)))
}

fn validation(stack: Option<&Stack>, findings: Vec<Diagnostic>) -> Validation {
    let (errors, warnings): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.severity == Severity::Error);
    Validation {
        valid: errors.is_empty() && stack.is_some(),
        warnings,
        errors,
        stack_name: stack.map(|stack| stack.name.clone()),
        container_count: stack.map_or(0, |stack| stack.containers.len()),
        has_network: stack.is_some_and(|stack| stack.network.is_some()),
        wave_count: stack.map_or(0, waves),
    }
}

/// The longest chain of containers that wait for one another.
fn waves(stack: &Stack) -> usize {
    let mut wave: BTreeMap<&str, usize> = BTreeMap::new();
    // The reader admits no cycles, so this many rounds are enough for any chain.
    for _ in 0..=stack.containers.len() {
        let before = wave.clone();
        for container in &stack.containers {
            let first = container.depends_on.iter().filter_map(|needs| wave.get(needs.container.as_str())).max();
            wave.insert(&container.name, 1 + first.copied().unwrap_or(0));
        }
        if wave == before {
            break;
        }
    }
    wave.into_values().max().unwrap_or(0)
}

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(paging): Params<Paging>,
) -> Result<Json<StackList>, Problem> {
    let page = state.control.stacks(paging.cursor(), paging.limit()?).await?;
    let stacks = page.items.into_iter().filter(|stack| caller.reaches(Some(stack.id.as_str()))).collect();
    Ok(Json(StackList::page(stacks, page.next)))
}

pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<StackView>, Problem> {
    Ok(Json(state.control.stack(&id).await?))
}

pub(super) async fn status(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<StatusView>, Problem> {
    Ok(Json(state.control.status(&id).await?))
}

pub(super) async fn deployment(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentState>, Problem> {
    let stack = state.control.stack(&id).await?;
    Ok(Json(state.control.deployment(&stack.deployment_id).await?))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RemoveQuery {
    #[serde(default)]
    remove_volumes: bool,
    #[serde(default)]
    forget: bool,
}

pub(super) async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Params(query): Params<RemoveQuery>,
) -> Result<Response, Problem> {
    let RemoveQuery { remove_volumes, forget } = query;
    let options = RemoveOptions { by: Some(caller.name), remove_volumes, forget };
    Ok(taken_on(state.control.remove(&id, options).await?))
}

pub(super) async fn stop(
    state: State<AppState>,
    caller: Extension<Identity>,
    id: Path<String>,
) -> Result<Response, Problem> {
    act(state, caller, id, DeploymentKind::Stop).await
}

pub(super) async fn start(
    state: State<AppState>,
    caller: Extension<Identity>,
    id: Path<String>,
) -> Result<Response, Problem> {
    act(state, caller, id, DeploymentKind::Start).await
}

pub(super) async fn restart(
    state: State<AppState>,
    caller: Extension<Identity>,
    id: Path<String>,
) -> Result<Response, Problem> {
    act(state, caller, id, DeploymentKind::Restart).await
}

async fn act(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    kind: DeploymentKind,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.act_on_stack(&id, kind, Some(caller.name)).await?))
}

#[derive(Debug, Deserialize)]
pub(super) struct RollbackQuery {
    /// The revision; by default the one before.
    to: Option<u64>,
}

pub(super) async fn rollback(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Params(query): Params<RollbackQuery>,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.rollback(&id, query.to, Some(caller.name)).await?))
}

pub(super) fn refused(findings: Vec<Diagnostic>) -> Problem {
    ControlError::Invalid(findings).into()
}

/// 202, and where to look how it goes.
pub(super) fn taken_on(started: Started) -> Response {
    let place = format!("/api/v1/stacks/jsonld/deployments/{}", started.deployment_id);
    let stack = AuditObject::new("stack", started.stack_id.as_str());
    let mut response = (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(started)).into_response();
    Told::of(&mut response).on = Some(stack);
    response
}
