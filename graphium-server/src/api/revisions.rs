//! What a stack was, and what differs.

use super::{
    AppState,
    input::{Params, Source},
    page::Paging,
    problem::Problem,
    submission::{DeployQuery, Submission, submission},
    wire::{Listing, RevisionList},
};
use axum::{
    Json,
    extract::{Path, State},
    response::{IntoResponse, Response},
};
use graphium_core::control::DifferenceView;
use serde::Deserialize;

/// The newest first; the cursor is the number of the last revision of the part before.
pub(super) async fn history(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Params(paging): Params<Paging>,
) -> Result<Json<RevisionList>, Problem> {
    let before = match paging.cursor() {
        Some(cursor) => {
            Some(cursor.parse().map_err(|_| Problem::new(400, "bad-query", "`cursor` is the number of a revision"))?)
        }
        None => None,
    };
    let limit = paging.limit()?;
    let mut revisions = state.control.history(&id, before, limit + 1).await?;
    let more = revisions.len() > limit;
    revisions.truncate(limit);
    let next = revisions.last().filter(|_| more).map(|last| last.revision.to_string());
    Ok(Json(RevisionList::page(revisions, next)))
}

#[derive(Debug, Deserialize)]
pub(super) struct DifferenceQuery {
    from: Option<u64>,
    to: Option<u64>,
    #[serde(default)]
    live: bool,
}

pub(super) async fn difference(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Params(query): Params<DifferenceQuery>,
) -> Result<Response, Problem> {
    if !query.live {
        return Ok(Json(state.control.difference(&id, query.from, query.to).await?).into_response());
    }
    if query.from.or(query.to).is_some() {
        return Err(Problem::new(
            400,
            "bad-query",
            "`live` compares what is wanted now: it takes no `from` and no `to`",
        ));
    }
    Ok(Json(state.control.live_difference(&id).await?).into_response())
}

#[derive(Debug, Deserialize)]
pub(super) struct FromQuery {
    from: Option<u64>,
}

pub(super) async fn difference_to(
    State(state): State<AppState>,
    Path(id): Path<String>,
    Params(query): Params<FromQuery>,
    Source(body): Source,
) -> Result<Json<DifferenceView>, Problem> {
    let Submission { reading, .. } = submission(body, DeployQuery::default()).await?.map_err(super::stacks::refused)?;
    Ok(Json(state.control.difference_to(&id, query.from, &reading.stack).await?))
}
