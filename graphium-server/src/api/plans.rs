//! Plans that are saved, and applied later.

use super::{
    AppState,
    input::{Params, SavedText, Source},
    problem::Problem,
    stacks::{asked_by, refused, taken_on},
    submission::{DeployQuery, Submission, submission},
};
use crate::auth::Identity;
use axum::{Extension, Json, extract::State, http::HeaderMap, response::Response};
use graphium_core::{control::DeployOptions, plan::SavedPlan};

pub(super) async fn save(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    Source(body): Source,
) -> Result<Json<SavedPlan>, Problem> {
    let Submission { reading, options, origin } = submission(body, query).await?.map_err(refused)?;
    caller.reach.admit(&state, &reading.stack).await?;
    let saved = match state.control.save(reading.stack, &options).await {
        Ok(saved) => saved,
        Err(error) => return Err(origin.problem(error).await),
    };
    Ok(Json(saved.with_notes(reading.notes)))
}

pub(super) async fn apply(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    headers: HeaderMap,
    SavedText(text): SavedText,
) -> Result<Response, Problem> {
    // A large plan takes a while: not on a thread that others wait for.
    let saved = tokio::task::spawn_blocking(move || SavedPlan::read(&text))
        .await
        .map_err(|_| Problem::new(500, "internal", "reading the plan failed; this is a defect of the server"))??;
    caller.reach.admit(&state, &saved.stack).await?;
    let mut options = DeployOptions::default();
    asked_by(&mut options, caller, &headers);
    Ok(taken_on(state.control.apply(saved, options).await?))
}
