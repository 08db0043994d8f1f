//! Containers, as agents see them. They are changed by deploying; nobody writes them here.

use super::{
    AppState,
    deployments::stack_id,
    input::Params,
    page::Paging,
    problem::Problem,
    wire::{ContainerList, Listing},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
};
use graphium_core::{
    id::HostId,
    inventory::ObservedContainer,
    runtime::label,
    store::{TaskStoreExt, Versioned},
};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Filter {
    host_id: Option<String>,
    stack_id: Option<String>,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(paging): Params<Paging>,
    Params(filter): Params<Filter>,
) -> Result<Json<ContainerList>, Problem> {
    let stack = stack_id(&state, filter.stack_id).await?;
    let host = filter.host_id.map(HostId::new);
    let page = state.control.containers(paging.cursor(), paging.limit()?, host, stack).await?;
    let containers = page.items.into_iter().filter(|container| caller.reaches(container.label(label::STACK))).collect();
    Ok(Json(ContainerList::page(containers, page.next)))
}

pub(super) async fn one(
    State(state): State<AppState>,
    Path(id): Path<String>,
) -> Result<Json<ObservedContainer>, Problem> {
    Ok(Json(find(&state, &id).await?))
}

/// By `<host>/<name>`, or by the engine's id.
pub(crate) async fn find(state: &AppState, id: &str) -> Result<ObservedContainer, Problem> {
    if let Some(Versioned { value, .. }) = state.control.store().document::<ObservedContainer>(id).await? {
        return Ok(value);
    }
    let mut after = None;
    loop {
        let page = state.control.containers(after, 1000, None, None).await?;
        if let Some(found) = page.items.into_iter().find(|container| container.id == id) {
            return Ok(found);
        }
        after = page.next;
        if after.is_none() {
            return Err(Problem::new(404, "not-found", format!("no container `{id}`")));
        }
    }
}
