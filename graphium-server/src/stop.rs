//! The word that a server is to end, for everything that waits.

use std::time::Duration;
use tokio::sync::watch;

/// Hears that the server is to end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Stop(watch::Receiver<bool>);

/// Says that the server is to end, and waits until all who hear it are gone.
#[derive(Debug)]
pub struct Stopper(watch::Sender<bool>);

impl Default for Stopper {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Stopper {
    /// One who hears it.
    pub fn hear(&self) -> Stop {
        Stop(self.0.subscribe())
    }

    /// Says it.
    pub fn stop(&self) {
        self.0.send_replace(true);
    }

    /// Waits until every [`Stop`] has been dropped, at most `patience`; `false`: some have not.
    pub async fn all_gone(&self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.0.closed()).await.is_ok()
    }
}

impl Stop {
    /// For a router that is never told to end.
    pub fn never() -> Self {
        Stopper::default().hear()
    }

    /// Returns once the server is to end.
    pub async fn stopped(&mut self) {
        if self.0.wait_for(|stop| *stop).await.is_err() {
            // The one who could say it is gone without having said it.
            std::future::pending::<()>().await;
        }
    }

    /// Whether the server is to end.
    pub fn is_stopped(&self) -> bool {
        *self.0.borrow()
    }
}
