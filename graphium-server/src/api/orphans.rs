//! Containers of ours that nobody wants.

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
    Path((host, container)): Path<(String, String)>,
) -> Result<Response, Problem> {
    Ok(taken_on(state.control.remove_orphan(&HostId::new(host), &container, Some(caller.name)).await?))
}
