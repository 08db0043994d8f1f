//! Hosts: what is known of them, and what operators order.

use super::{
    AppState,
    input::{Input, Params},
    page::Paging,
    place,
    problem::Problem,
    wire::{HostList, Listing},
};
use axum::{
    Json,
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::Drain,
    id::HostId,
    inventory::{Host, HostStatus},
};

/// The longest name of a host, as of one in a network.
const LONGEST: usize = 253;

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
) -> Result<Json<HostList>, Problem> {
    let page = paging.cut(state.control.hosts().await?, |host| host.id.as_str())?;
    Ok(Json(HostList::page(page.items, page.next)))
}

pub(super) async fn one(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Host>, Problem> {
    Ok(Json(state.control.host(&HostId::new(id)).await?))
}

pub(super) async fn create(State(state): State<AppState>, Input(host): Input<Host>) -> Result<Response, Problem> {
    let id = host.id.as_str();
    if id.is_empty() || id.len() > LONGEST || id.chars().any(char::is_control) {
        let detail = format!("a host has an `@id` of 1 to {LONGEST} bytes, without control characters");
        return Err(Problem::new(422, "wrong-shape", detail));
    }
    let host = state.control.register_host(host).await?;
    let place = place::of("hosts", host.id.as_str());
    Ok((StatusCode::CREATED, [(header::LOCATION, place)], Json(host)).into_response())
}

pub(super) async fn update(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Input(host): Input<Host>,
) -> Result<Json<Host>, Problem> {
    let id = HostId::new(id);
    if host.id != id {
        let detail = format!("the path names host `{id}`, the body `{}`", host.id);
        return Err(Problem::new(422, "ids-differ", detail));
    }
    Ok(Json(state.control.register_host(host).await?))
}

pub(super) async fn remove(State(state): State<AppState>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    state.control.remove_host(&HostId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn drain(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Drain>, Problem> {
    let id = HostId::new(id);
    state.control.set_host_status(&id, HostStatus::Draining).await?;
    Ok(Json(state.control.drain(&id).await?))
}

pub(super) async fn remaining(State(state): State<AppState>, Path(id): Path<String>) -> Result<Json<Drain>, Problem> {
    Ok(Json(state.control.drain(&HostId::new(id)).await?))
}

pub(super) async fn activate(state: State<AppState>, id: Path<String>) -> Result<Json<Host>, Problem> {
    order(state, id, HostStatus::Active).await
}

pub(super) async fn maintenance(state: State<AppState>, id: Path<String>) -> Result<Json<Host>, Problem> {
    order(state, id, HostStatus::Maintenance).await
}

/// The agent of a host hears it with the answer to its next call.
pub(super) async fn rotate(State(state): State<AppState>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    state.control.rotate_credential(&HostId::new(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn order(
    State(state): State<AppState>,
    Path(id): Path<String>,
    status: HostStatus,
) -> Result<Json<Host>, Problem> {
    Ok(Json(state.control.set_host_status(&HostId::new(id), status).await?))
}
