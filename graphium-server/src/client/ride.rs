//! What readers want of an agent comes with the answers to its claims, where its server brings it: one question waits instead of two.

use graphium_core::stream::StreamRequest;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::Notify;

/// After how long without a claim under way what is wanted is asked for by itself: an agent that has enough to do claims nothing.
const GAP: Duration = Duration::from_millis(250);

/// How much is kept until somebody takes it. What is left out the server tells again.
const MOST: usize = 512;

/// Between an agent's claims and whoever waits for what they bring.
#[derive(Debug, Default)]
pub(super) struct Ride {
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The server has said that it brings what is wanted with its answers to claims.
    is_offered: bool,
    /// Somebody waits for it.
    is_taken_up: bool,
    /// Claims under way that it may come with.
    claims: usize,
    brought: Vec<StreamRequest>,
}

/// A claim that may bring something, until it is dropped.
#[derive(Debug)]
pub(super) struct Riding(Arc<Ride>);

impl Drop for Riding {
    fn drop(&mut self) {
        self.0.change(|state| state.claims = state.claims.saturating_sub(1));
    }
}

impl Riding {
    /// Takes what an answer has brought (`None`: it is of a server that brings nothing); whether there was something.
    pub(super) fn arrived(&self, brought: Option<Vec<StreamRequest>>) -> bool {
        self.0.change(|state| {
            state.is_offered = brought.is_some();
            let before = state.brought.len();
            state.brought.extend(brought.into_iter().flatten());
            let is_something = state.brought.len() > before;
            state.brought.truncate(MOST);
            is_something
        })
    }
}

impl Ride {
    /// Learns whether the server that a session was opened with brings anything.
    pub(super) fn offer(&self, is_offered: bool) {
        self.change(|state| state.is_offered = is_offered);
    }

    /// A claim begins; `None`: nobody waits for what it would bring.
    pub(super) fn begin(self: &Arc<Self>) -> Option<Riding> {
        if !self.state().is_taken_up {
            return None;
        }
        self.change(|state| state.claims += 1);
        Some(Riding(Arc::clone(self)))
    }

    /// What the next claim brings that brings something.
    ///
    /// *Cancellation*: dropping the future loses nothing.
    pub(super) async fn brought(&self) -> Vec<StreamRequest> {
        self.until(|state| (!state.brought.is_empty()).then(|| std::mem::take(&mut state.brought))).await
    }

    /// Returns once nothing can be expected of claims: the server brings nothing, or none is under way.
    pub(super) async fn is_missed(&self) {
        self.change(|state| state.is_taken_up = true);
        loop {
            self.until(|state| (!state.is_offered || state.claims == 0).then_some(())).await;
            let comes = self.until(|state| (state.is_offered && state.claims > 0).then_some(()));
            if !self.state().is_offered || tokio::time::timeout(GAP, comes).await.is_err() {
                return;
            }
        }
    }

    /// Waits until there is what is looked for.
    async fn until<T>(&self, mut look: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            // Made before the look: whatever changes from here on wakes it.
            let changed = self.changed.notified();
            let found = look(&mut self.state());
            if let Some(found) = found {
                return found;
            }
            changed.await;
        }
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let changed = change(&mut self.state());
        self.changed.notify_waiters();
        changed
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;
    use graphium_core::{
        id::StreamId,
        log::{LogRequest, Since},
        runtime::Tail,
    };
    use tokio::time::{Instant, timeout};

    fn wanted(name: &str) -> StreamRequest {
        StreamRequest::Log(LogRequest {
            stream: StreamId::new(name),
            container: "web".to_owned(),
            id: None,
            tail: Tail::default(),
            since: Since::default(),
            follow: false,
            timestamps: false,
        })
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_claim_brings_is_had_once_and_by_whoever_waits() {
        let ride = Arc::new(Ride::default());
        ride.offer(true);
        assert!(ride.begin().is_none(), "nobody waits for anything");
        let missed = ride.is_missed();
        assert!(timeout(Duration::from_millis(100), missed).await.is_err(), "a claim may still come");
        let claim = ride.begin().unwrap();
        assert!(timeout(Duration::from_secs(60), ride.is_missed()).await.is_err(), "one is under way");
        assert!(!claim.arrived(Some(Vec::new())), "it brings nothing");
        assert!(claim.arrived(Some(vec![wanted("one")])) && claim.arrived(Some(vec![wanted("two")])));
        let brought = ride.brought().await;
        assert_eq!(brought.iter().map(|request| request.stream().as_str()).collect::<Vec<_>>(), ["one", "two"]);
        assert!(ride.brought().now_or_never().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_missed_where_no_claim_is_under_way_or_the_server_brings_nothing() {
        let ride = Arc::new(Ride::default());
        ride.is_missed().await;
        ride.offer(true);
        let claim = ride.begin().unwrap();
        drop(claim);
        let begun = Instant::now();
        ride.is_missed().await;
        assert_eq!(begun.elapsed(), GAP);
        // Between two claims there is hardly a moment.
        let claims = async {
            for _ in 0..100 {
                let claim = ride.begin().unwrap();
                tokio::time::sleep(Duration::from_millis(500)).await;
                drop(claim);
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        };
        tokio::select! {
            () = ride.is_missed() => panic!("there is a claim, or there will be"),
            () = claims => {}
        }
        let claim = ride.begin().unwrap();
        assert!(ride.is_missed().now_or_never().is_none());
        claim.arrived(None);
        ride.is_missed().now_or_never().unwrap();
    }

    #[tokio::test]
    async fn what_nobody_takes_has_a_bound() {
        let ride = Arc::new(Ride::default());
        ride.is_missed().await;
        let claim = ride.begin().unwrap();
        for number in 0..MOST * 2 {
            claim.arrived(Some(vec![wanted(&number.to_string())]));
        }
        assert_eq!(ride.brought().await.len(), MOST);
    }
}
