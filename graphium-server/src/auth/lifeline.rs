//! What ends a request that waits: the server's end, or the end of the token that it was let in with.

use super::Identity;
use crate::{api::AppState, stop::Stop};
use futures::future::BoxFuture;
use graphium_core::control::Control;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::Instant};

/// How often a token is looked at again that another server may have revoked.
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How soon after the store did not answer.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Why a waiting request ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server ends.
    Stopping,
    /// The token was revoked.
    Revoked,
}

/// Held by everything that waits.
pub(crate) struct Lifeline {
    stop: Stop,
    revoked: watch::Receiver<u64>,
    control: Arc<Control>,
    hash: String,
    look_again: Duration,
    /// When the token is looked at again, however often it was waited since.
    next_look: Instant,
    /// The look that is under way. It is kept here because a busy stream waits anew for each frame: what one wait has begun, the
    /// next brings to its end.
    look: Option<BoxFuture<'static, Found>>,
}

/// What a look at a token found.
enum Found {
    Good,
    Revoked,
    /// The store does not answer, which revokes nothing.
    Nothing,
}

impl Lifeline {
    pub(crate) fn new(state: &AppState, identity: &Identity) -> Self {
        let revoked = state.revoked.subscribe();
        Self::over(Arc::clone(&state.control), identity.hash.clone(), state.stop.clone(), revoked, LOOK_AGAIN)
    }

    fn over(
        control: Arc<Control>,
        hash: String,
        stop: Stop,
        revoked: watch::Receiver<u64>,
        look_again: Duration,
    ) -> Self {
        let next_look = Instant::now() + look_again;
        Self { stop, revoked, control, hash, look_again, next_look, look: None }
    }

    /// Returns when the wait is to end.
    ///
    /// Cancellation: dropping the future loses nothing; the next call goes on where it was.
    pub(crate) async fn cut(&mut self) -> Cut {
        loop {
            if let Some(look) = &mut self.look {
                let found = tokio::select! {
                    () = self.stop.stopped() => return Cut::Stopping,
                    found = look => found,
                };
                self.look = None;
                let pause = match found {
                    Found::Good => self.look_again,
                    Found::Revoked => return Cut::Revoked,
                    Found::Nothing => self.look_again.min(AFTER_FAILURE),
                };
                self.next_look = Instant::now() + pause;
            }
            // Between here and the look nothing is awaited: a change that was seen is a look that is kept.
            tokio::select! {
                () = self.stop.stopped() => return Cut::Stopping,
                Ok(()) = self.revoked.changed() => {}
                () = tokio::time::sleep_until(self.next_look) => {}
            }
            let (control, hash) = (Arc::clone(&self.control), self.hash.clone());
            self.look = Some(Box::pin(async move {
                match control.token_by_hash(&hash).await {
                    Ok(Some(_)) => Found::Good,
                    Ok(None) => Found::Revoked,
                    Err(_) => Found::Nothing,
                }
            }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{environment::TokioEnvironment, stop::Stopper};
    use graphium_core::{
        control::{Role, Settings, TokenRecord},
        event::NoSink,
    };
    use graphium_store::{Options, SqliteStore};

    /// A token in a store that takes its time, and the end that it holds.
    struct World {
        control: Arc<Control>,
        moved: watch::Sender<u64>,
        stopper: Stopper,
        _folder: tempfile::TempDir,
    }

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    impl World {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = SqliteStore::open(folder.path().join("graphium.db"), Options::at(jiff::Timestamp::UNIX_EPOCH))
                .await
                .unwrap();
            let environment = Arc::new(TokioEnvironment::new());
            let control = Control::open(Arc::new(store), Arc::new(NoSink), environment, Settings::default());
            let control = control.await.unwrap();
            control.issue_token(TokenRecord::new(HASH, Role::Viewer, jiff::Timestamp::UNIX_EPOCH)).await.unwrap();
            Self { control, moved: watch::Sender::new(0), stopper: Stopper::default(), _folder: folder }
        }

        fn lifeline(&self, look_again: Duration) -> Lifeline {
            let control = Arc::clone(&self.control);
            Lifeline::over(control, HASH.to_owned(), self.stopper.hear(), self.moved.subscribe(), look_again)
        }

        /// As another server does it.
        async fn revoke(&self) {
            self.control.revoke_token(&TokenRecord::id_of(HASH)).await.unwrap();
        }
    }

    /// Waits as a busy stream does: each wait is given up at once, for there is something to send.
    async fn busy(lifeline: &mut Lifeline, frames: usize) -> Option<Cut> {
        for _ in 0..frames {
            tokio::select! {
                biased;
                cut = lifeline.cut() => return Some(cut),
                () = std::future::ready(()) => {}
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        None
    }

    #[tokio::test]
    async fn a_busy_stream_hears_that_its_token_was_revoked_here() {
        let world = World::new().await;
        let mut lifeline = world.lifeline(LOOK_AGAIN);
        world.moved.send_modify(|count| *count += 1);
        assert_eq!(busy(&mut lifeline, 100).await, None, "another token was revoked");
        world.revoke().await;
        world.moved.send_modify(|count| *count += 1);
        assert_eq!(busy(&mut lifeline, 2000).await, Some(Cut::Revoked));
    }

    #[tokio::test]
    async fn a_busy_stream_hears_in_time_that_its_token_was_revoked_elsewhere() {
        let world = World::new().await;
        let mut lifeline = world.lifeline(Duration::from_millis(100));
        assert_eq!(busy(&mut lifeline, 300).await, None, "it is good, and stays so");
        world.revoke().await;
        assert_eq!(busy(&mut lifeline, 2000).await, Some(Cut::Revoked));
    }

    #[tokio::test]
    async fn a_wait_ends_with_the_server_also_during_a_look() {
        let world = World::new().await;
        let mut lifeline = world.lifeline(LOOK_AGAIN);
        lifeline.look = Some(Box::pin(std::future::pending()));
        assert_eq!(busy(&mut lifeline, 10).await, None);
        world.stopper.stop();
        assert_eq!(lifeline.cut().await, Cut::Stopping);
    }
}
