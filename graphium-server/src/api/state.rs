//! What every handler has.

use super::repeat::Answers;
use crate::{auth::throttle::Throttle, events::Broadcast, stop::Stop};
use graphium_core::{control::Control, environment::Environment, store::TaskStore};
use std::{net::SocketAddr, sync::Arc};
use tokio::sync::{Semaphore, watch};

/// What the router works with. Cheap to clone.
#[derive(Clone, Debug)]
pub struct AppState {
    pub(crate) control: Arc<Control>,
    pub(crate) broadcast: Arc<Broadcast>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) stop: Stop,
    /// Moves when a token is revoked.
    pub(crate) revoked: Arc<watch::Sender<u64>>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) throttle: Arc<Throttle>,
    /// Taken by those who note that a token is used.
    pub(crate) noting: Arc<Semaphore>,
    /// The store that other programs may use through this server.
    pub(crate) shared: Option<Arc<dyn TaskStore>>,
}

impl AppState {
    /// A state over a control plane whose sink is `broadcast`. Streams and long waits end with `stop`.
    pub fn new(
        control: Arc<Control>,
        broadcast: Arc<Broadcast>,
        environment: Arc<dyn Environment>,
        stop: Stop,
    ) -> Self {
        let revoked = Arc::new(watch::Sender::new(0));
        Self {
            control,
            broadcast,
            environment,
            stop,
            revoked,
            answers: Arc::default(),
            throttle: Arc::default(),
            noting: Arc::new(Semaphore::new(4)),
            shared: None,
        }
    }

    /// The same, with a store that administrators may use from elsewhere, with all that is in it.
    #[must_use]
    pub fn sharing(mut self, store: Arc<dyn TaskStore>) -> Self {
        self.shared = Some(store);
        self
    }
}

/// The other end of the connection, in a request's extensions; [`serve`](crate::serve) puts it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);
