//! Whether the server lives, and whether it can work.

use super::{AppState, problem::Problem, wire::Health};
use axum::{Json, Router, extract::State, routing::get};
use std::time::Duration;

/// A store that takes longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(livez)).route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// The process serves. That says nothing of its store: a server that waits for one is not helped by a restart.
async fn livez() -> Json<Health> {
    Json(Health { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into() })
}

/// The store answers. A full disk does not take the server away from those who look at what is there: it refuses what is new by
/// name (`store-full`).
async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stop.is_stopped() {
        return Err(stopping());
    }
    let unready = |why: String| Problem::new(503, "store-unavailable", why);
    match tokio::time::timeout(PATIENCE, state.control.store().last_event()).await {
        Ok(Ok(_)) => Ok(livez().await),
        // Whatever it is that is wrong, it is the store, and may pass.
        Ok(Err(error)) => Err(unready(error.to_string())),
        Err(_) => Err(unready("the store has not answered for 2 s".to_owned())),
    }
}

/// The answer to whoever waits when the server ends.
pub(super) fn stopping() -> Problem {
    Problem::new(503, "stopping", "this server is ending; ask again")
}
