//! Containers that run already, taken into a stack.

use super::{
    AppState,
    input::{Params, Source},
    problem::Problem,
    stacks::{asked_by, refused, taken_on},
    submission::{DeployQuery, Submission, submission},
};
use crate::auth::Identity;
use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use graphium_core::{
    control::{AdoptOptions, DeployOptions},
    id::HostId,
};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What the URL says beside the document.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AdoptQuery {
    host: Option<String>,
    project: Option<String>,
    /// `NAME=WHICH` with commas between them.
    containers: Option<String>,
    accept_differences: bool,
}

impl AdoptQuery {
    fn options(self, asked: DeployOptions) -> Result<AdoptOptions, Problem> {
        let mut containers = BTreeMap::new();
        let mut mistakes = Vec::new();
        for pair in self.containers.iter().flat_map(|text| text.split(',')).filter(|pair| !pair.trim().is_empty()) {
            match pair.split_once('=').filter(|(name, which)| !name.trim().is_empty() && !which.trim().is_empty()) {
                Some((name, which)) if !containers.contains_key(name.trim()) => {
                    containers.insert(name.trim().to_owned(), which.trim().to_owned());
                }
                Some((name, _)) => mistakes.push(format!("`{name}` is chosen for twice")),
                None => mistakes.push(format!("`{pair}` does not read `NAME=CONTAINER`")),
            }
        }
        if !mistakes.is_empty() {
            return Err(Problem::new(400, "bad-query", format!("in `containers`: {}", mistakes.join("; "))));
        }
        Ok(AdoptOptions {
            by: asked.by,
            host: self.host.map(HostId::new),
            project: self.project,
            containers,
            accept_differences: self.accept_differences,
            policy: asked.policy,
            idempotency_key: asked.idempotency_key,
        })
    }
}

pub(super) async fn adopt(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    Params(adoption): Params<AdoptQuery>,
    headers: HeaderMap,
    Source(body): Source,
) -> Result<Response, Problem> {
    let Submission { reading, mut options, origin } = submission(body, query).await?.map_err(refused)?;
    asked_by(&mut options, caller, &headers);
    let options = adoption.options(options)?;
    let mut started = match state.control.adopt(reading.stack, options).await {
        Ok(started) => started,
        Err(error) => return Err(origin.problem(error).await),
    };
    started.warnings = origin.locate(started.warnings).await;
    started.warnings.extend(reading.notes);
    Ok(taken_on(started))
}

pub(super) async fn compare(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<DeployQuery>,
    Params(adoption): Params<AdoptQuery>,
    headers: HeaderMap,
    Source(body): Source,
) -> Result<Response, Problem> {
    let Submission { reading, mut options, origin } = submission(body, query).await?.map_err(refused)?;
    asked_by(&mut options, caller, &headers);
    let options = adoption.options(options)?;
    let mut comparison = match state.control.compare_for_adoption(&reading.stack, &options).await {
        Ok(comparison) => comparison,
        Err(error) => return Err(origin.problem(error).await),
    };
    comparison.warnings = origin.locate(comparison.warnings).await;
    comparison.warnings.extend(reading.notes);
    Ok((StatusCode::ACCEPTED, Json(comparison)).into_response())
}
