//! Whether the server lives, and whether it can work.

use super::{AppState, problem::Problem, wire::Health};
use axum::{Json, Router, extract::State, routing::get};
use std::time::Duration;

/// A store that takes longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(healthz)).route("/readyz", get(readyz))
}

async fn healthz() -> Json<Health> {
    Json(Health { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into() })
}

async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stop.is_stopped() {
        return Err(stopping());
    }
    match tokio::time::timeout(PATIENCE, state.control.store().last_event()).await {
        Ok(answer) => answer?,
        Err(_) => return Err(Problem::new(503, "store-unavailable", "the store has not answered for 2 s")),
    };
    Ok(healthz().await)
}

/// The answer to whoever waits when the server ends.
pub(super) fn stopping() -> Problem {
    Problem::new(503, "stopping", "this server is ending; ask again")
}
