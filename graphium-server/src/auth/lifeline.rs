//! What ends a request that waits: the server's end, or the end of the token that it was let in with.

use super::Identity;
use crate::{api::AppState, stop::Stop};
use graphium_core::control::Control;
use std::{sync::Arc, time::Duration};
use tokio::sync::watch;

/// How often a token is looked at again that another server may have revoked.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

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
}

impl Lifeline {
    pub(crate) fn new(state: &AppState, identity: &Identity) -> Self {
        Self {
            stop: state.stop.clone(),
            revoked: state.revoked.subscribe(),
            control: Arc::clone(&state.control),
            hash: identity.hash.clone(),
        }
    }

    /// Returns when the wait is to end.
    ///
    /// Cancellation: dropping the future loses nothing.
    pub(crate) async fn cut(&mut self) -> Cut {
        loop {
            tokio::select! {
                () = self.stop.stopped() => return Cut::Stopping,
                _ = self.revoked.changed() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
            }
            // A store that does not answer has not revoked anything.
            if matches!(self.control.token_by_hash(&self.hash).await, Ok(None)) {
                return Cut::Revoked;
            }
        }
    }
}
