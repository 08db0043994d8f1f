//! Whether the server lives, and whether it can work.

use super::{AppState, problem::Problem, wire::Health};
use axum::{Json, Router, extract::State, routing::get};
use std::time::Duration;
use tokio::sync::Mutex;

/// A store that takes longer to answer is not ready.
const PATIENCE: Duration = Duration::from_secs(2);

/// For how long an answer of the store is good.
const FRESH: Duration = Duration::from_millis(500);

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/healthz", get(livez)).route("/livez", get(livez)).route("/readyz", get(readyz))
}

/// The process serves. That says nothing of its store: a server that waits for one is not helped by a restart.
async fn livez() -> Json<Health> {
    Json(Health { status: "ok".into(), version: env!("CARGO_PKG_VERSION").into() })
}

/// The store could take something. A full disk does not take the server away from those who look at what is there: it refuses what
/// is new by name (`store-full`).
async fn readyz(State(state): State<AppState>) -> Result<Json<Health>, Problem> {
    if state.stop.is_stopped() {
        return Err(stopping());
    }
    match state.readiness.of(&state).await {
        Ok(()) => Ok(livez().await),
        Err(why) => Err(Problem::new(503, "store-unavailable", why)),
    }
}

/// What the store said last. Anybody may ask, and a store that is a cluster has to write for its answer: one is asked for at a time,
/// and it is good for a moment.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Duration, Result<(), String>)>>);

impl Readiness {
    async fn of(&self, state: &AppState) -> Result<(), String> {
        let mut last = self.0.lock().await;
        if let Some((at, said)) = &*last
            && state.environment.elapsed().saturating_sub(*at) < FRESH
        {
            return said.clone();
        }
        let said = match tokio::time::timeout(PATIENCE, state.control.store().ready()).await {
            // Whatever it is that is wrong, it is the store, and may pass.
            Ok(said) => said.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store has not answered for {PATIENCE:?}")),
        };
        *last = Some((state.environment.elapsed(), said.clone()));
        said
    }
}

/// The answer to whoever waits when the server ends.
pub(super) fn stopping() -> Problem {
    Problem::new(503, "stopping", "this server is ending; ask again")
}
