//! Containers, networks and volumes of ours that nobody wants.

use super::{
    AppState,
    input::Params,
    page::Paging,
    problem::Problem,
    tasks::taken_on,
    wire::{Listing, OrphanList},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{Path, State},
    response::Response,
};
use graphium_core::id::HostId;
use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct RemoveQuery {
    remove_volumes: bool,
}

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
) -> Result<Json<OrphanList>, Problem> {
    let page = paging.cut(state.control.orphans().await?, |orphan| &orphan.id)?;
    Ok(Json(OrphanList::page(page.items, page.next)))
}

pub(super) async fn remove(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path((host, name)): Path<(String, String)>,
    Params(query): Params<RemoveQuery>,
) -> Result<Response, Problem> {
    let host = HostId::new(host);
    Ok(taken_on(state.control.remove_orphan(&host, &name, query.remove_volumes, Some(caller.name)).await?))
}
