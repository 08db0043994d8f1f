//! The store itself, for other control planes: [`HttpStore`](graphium_store::HttpStore) is the other end.

use super::{AppState, input::LargeInput, problem::Problem};
use axum::{
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use graphium_store::http::Call;

const CLOSED: &str = "this server does not share its store; `graphium server --share-store` does";

pub(super) async fn call(
    State(state): State<AppState>,
    LargeInput(call): LargeInput<Call>,
) -> Result<Response, Problem> {
    let store = state.shared.as_ref().ok_or_else(|| Problem::new(403, "store-not-shared", CLOSED))?;
    let answer = call.carry_out(&**store).await;
    let answer =
        answer.map_err(|error| Problem::new(500, "unwritable", format!("the answer cannot be written: {error}")))?;
    if !answer.ready.is_empty() {
        state.control.notice(&answer.ready);
    }
    Ok(([(header::CONTENT_TYPE, "application/json")], answer.text).into_response())
}
