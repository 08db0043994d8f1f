//! Tasks, as people see them and act on them.

use super::{
    AppState,
    deployments::stack_id,
    input::{Input, Params},
    page::Paging,
    problem::Problem,
    wire::{Listing, TaskList},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::{TaskRequest, TaskStats, TaskView},
    id::{HostId, StackId, TaskId},
    store::TaskQuery,
    task::TaskStatus,
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    /// One status, or several with commas.
    status: Option<String>,
    stack_id: Option<String>,
    agent_id: Option<String>,
    container_id: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(paging): Params<Paging>,
    Params(filter): Params<Filter>,
) -> Result<Json<TaskList>, Problem> {
    let query = TaskQuery {
        statuses: statuses(filter.status.as_deref())?,
        stack: stack_id(&state, filter.stack_id).await?,
        host: filter.agent_id.map(HostId::new),
        container: filter.container_id,
        after: paging.cursor().map(TaskId::new),
        limit: paging.limit()?,
        ..TaskQuery::default()
    };
    let page = state.control.tasks(query).await?;
    let is_reached = |view: &TaskView| caller.reaches(view.task.stack_id.as_ref().map(StackId::as_str));
    let tasks = page.items.into_iter().filter(is_reached).collect();
    Ok(Json(TaskList::page(tasks, page.next)))
}

/// Statuses by name, with commas between them.
pub(super) fn statuses(names: Option<&str>) -> Result<Vec<TaskStatus>, Problem> {
    let names = names.unwrap_or_default().split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| {
            TaskStatus::ALL.into_iter().find(|status| status.as_str() == name).ok_or_else(|| {
                let all = TaskStatus::ALL.map(TaskStatus::as_str).join(", ");
                Problem::new(400, "bad-query", format!("`{name}` is no status; those are {all}"))
            })
        })
        .collect()
}

pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<TaskView>, Problem> {
    Ok(Json(state.control.task(&TaskId::new(id)).await?))
}

pub(super) async fn stats(State(state): State<AppState>) -> Result<Json<TaskStats>, Problem> {
    Ok(Json(state.control.task_stats().await?))
}

pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Input(request): Input<TaskRequest>,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.create_task(request, Some(caller.name)).await?))
}

pub(super) async fn retry(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.retry_task(&TaskId::new(id), &caller.name).await?))
}

pub(super) async fn cancel(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.cancel_task(&TaskId::new(id), &caller.name).await?))
}

pub(super) fn taken_on(view: TaskView) -> Response {
    let place = format!("/api/v1/tasks/{}", view.task.id);
    (StatusCode::ACCEPTED, [(header::LOCATION, place)], Json(view)).into_response()
}
