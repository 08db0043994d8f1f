//! The store itself, for other control planes: [`HttpStore`](graphium_store::HttpStore) is the other end.

use super::{AppState, input::LargeInput, problem::Problem};
use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use graphium_core::store::{Expect, Kind, RecordWrite, StoreError, Submitted};
use graphium_store::http::Call;

const CLOSED: &str = "this server does not share its store; `graphium server --share-store` does";

/// Whether it would change what the audit holds, or take it away.
fn is_rewriting(write: &RecordWrite) -> bool {
    write.key.kind == Kind::Audit && (write.expect != Expect::Absent || write.body.is_none())
}

pub(super) async fn call(
    State(state): State<AppState>,
    LargeInput(call): LargeInput<Call>,
) -> Result<Response, Problem> {
    let store = state.shared.as_ref().ok_or_else(|| Problem::new(403, "store-not-shared", CLOSED))?;
    if let Call::Submit { submission, .. } = &call
        && let Some(write) = submission.records.iter().find(|write| is_rewriting(write))
    {
        let refused: Result<Submitted, StoreError> = Err(StoreError::Invalid {
            kind: write.key.kind.as_str(),
            id: write.key.id.clone(),
            reason: "the audit is only added to, and pruned by the server that has the store".to_owned(),
        });
        return Ok(Json(refused).into_response());
    }
    let answer = call.carry_out(&**store).await;
    let answer =
        answer.map_err(|error| Problem::new(500, "unwritable", format!("the answer cannot be written: {error}")))?;
    if !answer.ready.is_empty() {
        state.control.notice(&answer.ready);
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.text).into_response())
}
