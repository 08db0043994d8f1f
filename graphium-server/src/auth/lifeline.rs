//! What ends a request that waits: the server's end, or the end of the token that it was let in with.

use super::Identity;
use crate::{api::AppState, stop::Stop};
use futures::future::BoxFuture;
use graphium_core::control::Control;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

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
    /// One wait for all: a busy stream asks anew for each frame, and only the first time sets clocks and bells.
    ending: BoxFuture<'static, Cut>,
    cut: Option<Cut>,
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
        let look = move || {
            let (control, hash) = (Arc::clone(&control), hash.clone());
            async move {
                match control.token_by_hash(&hash).await {
                    Ok(Some(_)) => Found::Good,
                    Ok(None) => Found::Revoked,
                    Err(_) => Found::Nothing,
                }
            }
        };
        Self { ending: Box::pin(until_cut(stop, revoked, look_again, look)), cut: None }
    }

    /// Returns when the wait is to end.
    ///
    /// Cancellation: dropping the future loses nothing; the next call goes on where it was.
    pub(crate) async fn cut(&mut self) -> Cut {
        match self.cut {
            Some(cut) => cut,
            None => *self.cut.insert((&mut self.ending).await),
        }
    }
}

/// Looks whenever a token was revoked, and from time to time: another server may have revoked it.
async fn until_cut<L: Future<Output = Found>>(
    mut stop: Stop,
    mut revoked: watch::Receiver<u64>,
    look_again: Duration,
    look: impl Fn() -> L,
) -> Cut {
    let mut pause = look_again;
    loop {
        tokio::select! {
            () = stop.stopped() => return Cut::Stopping,
            Ok(()) = revoked.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
        let found = tokio::select! {
            () = stop.stopped() => return Cut::Stopping,
            found = look() => found,
        };
        pause = match found {
            Found::Good => look_again,
            Found::Revoked => return Cut::Revoked,
            Found::Nothing => look_again.min(AFTER_FAILURE),
        };
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
        let (stopper, moved) = (Stopper::default(), watch::Sender::new(0));
        let wait = until_cut(stopper.hear(), moved.subscribe(), LOOK_AGAIN, std::future::pending);
        let mut lifeline = Lifeline { ending: Box::pin(wait), cut: None };
        moved.send_modify(|count| *count += 1);
        assert_eq!(busy(&mut lifeline, 10).await, None);
        stopper.stop();
        assert_eq!([lifeline.cut().await, lifeline.cut().await], [Cut::Stopping; 2], "once ended, always ended");
    }
}
