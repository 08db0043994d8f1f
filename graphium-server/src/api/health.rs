//! Whether the server lives, and whether it can work.

use super::{AppState, problem::Problem, wire::Health};
use axum::{Json, Router, extract::State, routing::get};
use graphium_core::store::StoreError;
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
    match state.readiness.of(|| state.environment.elapsed(), state.control.store().ready()).await {
        Ok(()) => Ok(livez().await),
        Err(why) => Err(Problem::new(503, "store-unavailable", why)),
    }
}

/// What the store said last. Anybody may ask, and a store that is a cluster has to write for its answer: one is asked for at a time,
/// and it is good for a moment.
#[derive(Debug, Default)]
pub(crate) struct Readiness(Mutex<Option<(Duration, Result<(), String>)>>);

impl Readiness {
    /// What the store says, or said a moment ago. `now` is asked before and after.
    async fn of<S>(&self, now: impl Fn() -> Duration, said: S) -> Result<(), String>
    where
        S: Future<Output = Result<(), StoreError>>,
    {
        let mut last = self.0.lock().await;
        if let Some((at, said)) = &*last
            && now().saturating_sub(*at) < FRESH
        {
            return said.clone();
        }
        let said = match tokio::time::timeout(PATIENCE, said).await {
            // Whatever it is that is wrong, it is the store, and may pass.
            Ok(said) => said.map_err(|error| error.to_string()),
            Err(_) => Err(format!("the store has not answered for {PATIENCE:?}")),
        };
        *last = Some((now(), said.clone()));
        said
    }
}

/// The answer to whoever waits when the server ends.
pub(super) fn stopping() -> Problem {
    Problem::new(503, "stopping", "this server is ending; ask again")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::time::{Instant, sleep};

    /// So many callers ask all the time, for so long; how often the store was asked, which answers after `takes`.
    async fn asked(callers: u32, time: Duration, takes: Duration) -> u32 {
        let (readiness, count, begun) = (Readiness::default(), AtomicU32::new(0), Instant::now());
        let answer = || async {
            count.fetch_add(1, Ordering::Relaxed);
            sleep(takes).await;
            Ok(())
        };
        let caller = async |_| {
            while begun.elapsed() < time {
                readiness.of(|| begun.elapsed(), answer()).await.unwrap();
                sleep(Duration::from_millis(20)).await;
            }
        };
        futures::future::join_all((0..callers).map(caller)).await;
        count.into_inner()
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_is_asked_twice_a_second_at_most_however_many_ask() {
        let time = Duration::from_secs(10);
        for callers in [1, 50] {
            assert_eq!(asked(callers, time, Duration::ZERO).await, 20);
        }
        assert_eq!(
            asked(50, time, Duration::from_secs(2) - FRESH).await,
            5,
            "one that is slow is asked once at a time"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_says_nothing_is_waited_for_once() {
        let readiness = Readiness::default();
        let begun = Instant::now();
        let of = || readiness.of(|| begun.elapsed(), std::future::pending());
        let (first, second) = tokio::join!(of(), of());
        assert_eq!((begun.elapsed(), &first), (PATIENCE, &second));
        assert!(first.unwrap_err().contains("2s"));
    }
}
