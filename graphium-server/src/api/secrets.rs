//! Secrets: kept, listed, forgotten; and given to the agent that needs them.

use super::{
    AppState,
    agents::same_task,
    input::{self, Input, Params},
    page::Paging,
    problem::Problem,
    tokens::grants,
    wire::{Listing, SecretList, SecretRequest, SecretsCall, SecretsGrant},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::{FromRequest, Path, Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use graphium_core::{
    agent::AgentLink,
    control::{ControlError, RemovalOfSecret, Role, SecretChange, SecretView},
    id::TaskId,
    secret::SecretText,
};
use serde::Deserialize;

/// The most that a value can become in JSON, and some room.
const LARGEST: usize = 1024 * 1024;

/// A body with a secret in it: what does not fit is told without its words.
pub(super) struct Sealed(SecretRequest);

impl<S: Sync> FromRequest<S> for Sealed {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let bytes = input::read(request, LARGEST).await?;
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let form = "it is {\"value\": \"…\"}, and may have `stacks`";
            match error.classify() {
                serde_json::error::Category::Data => {
                    Problem::new(422, "wrong-shape", format!("the body does not fit: {form}"))
                }
                _ => Problem::new(400, "not-json", format!("the body is not JSON; {form}")),
            }
        })
    }
}

pub(super) async fn list(
    State(state): State<AppState>,
    Params(paging): Params<Paging>,
) -> Result<Json<SecretList>, Problem> {
    let page = paging.cut(state.control.secret_list().await?, |secret| &secret.name)?;
    Ok(Json(SecretList::page(page.items, page.next)))
}

pub(super) async fn set(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(name): Path<String>,
    Sealed(mut request): Sealed,
) -> Result<Json<SecretView>, Problem> {
    let value = SecretText::new(std::mem::take(&mut request.value));
    let stacks = request.stacks.take().map(|stacks| grants(Role::Operator, stacks)).transpose()?;
    let change = SecretChange { name, value, stacks, by: Some(caller.name) };
    let kept = state.control.set_secret(change).await.map_err(problem)?;
    Ok(Json(kept))
}

/// What is wrong with a name or a value is no conflict.
fn problem(error: ControlError) -> Problem {
    let mut problem = Problem::from(error);
    if matches!(&*problem.code, "bad-name" | "bad-secret") {
        problem.status = 422;
    }
    problem
}

#[derive(Debug, Deserialize)]
pub(super) struct RemovalQuery {
    /// Also where stacks use it.
    #[serde(default)]
    force: bool,
}

pub(super) async fn remove(
    State(state): State<AppState>,
    Path(name): Path<String>,
    Params(query): Params<RemovalQuery>,
) -> Result<StatusCode, Problem> {
    let removal = if query.force { RemovalOfSecret::Anyway } else { RemovalOfSecret::IfUnused };
    state.control.remove_secret(&name, removal).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The secrets of the container that a task is about, for whoever holds its lease now.
pub(super) async fn grant(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Input(call): Input<SecretsCall>,
) -> Result<Response, Problem> {
    same_task(&TaskId::new(id), &call.lease.task)?;
    let secrets = state.control.secrets(&call.lease).await?;
    let mut response = Json(SecretsGrant::of(secrets)).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
