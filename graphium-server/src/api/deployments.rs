//! Deployments, the newest first.

use super::{
    AppState,
    input::Params,
    page::Paging,
    problem::Problem,
    wire::{DeploymentList, Listing},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
};
use graphium_core::{
    control::{ControlError, DeploymentState},
    id::{DeploymentId, StackId},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    stack_id: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(paging): Params<Paging>,
    Params(filter): Params<Filter>,
) -> Result<Json<DeploymentList>, Problem> {
    let stack = stack_id(&state, filter.stack_id).await?;
    let mut deployments = state.control.deployments(stack).await?;
    deployments.retain(|deployment| caller.reaches(Some(deployment.stack_id.as_str())));
    let page = paging.cut(deployments, |deployment| deployment.id.as_str())?;
    Ok(Json(DeploymentList::page(page.items, page.next)))
}

pub(super) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<DeploymentState>, Problem> {
    Ok(Json(state.control.deployment(&DeploymentId::new(id)).await?))
}

/// The id of a stack that a filter names by name or id. One that is gone may still have deployments and tasks by its id.
pub(super) async fn stack_id(state: &AppState, named: Option<String>) -> Result<Option<StackId>, Problem> {
    let Some(named) = named else { return Ok(None) };
    match state.control.stack(&named).await {
        Ok(stack) => Ok(Some(stack.id)),
        Err(ControlError::NotFound { .. }) => Ok(Some(StackId::new(named))),
        Err(error) => Err(error.into()),
    }
}
