//! What every handler has.

use super::{audit::Trail, crowd::Crowd, health::Readiness, metrics::Metrics, repeat::Answers, wire::IssuedToken};
use crate::{
    auth::{Token, password::Passwords, throttle::Throttle},
    events::Broadcast,
    serve::Limits,
    stop::Stop,
    tls::Pin,
};
use axum::http::Extensions;
use graphium_core::{
    control::{Control, TokenRecord},
    environment::Environment,
    store::TaskStore,
};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    ops::Deref,
    sync::Arc,
};
use tokio::sync::{Semaphore, watch};

/// What the router works with. Cheap to clone, and small: each request that waits has it several times.
#[derive(Clone, Debug)]
pub struct AppState(Arc<Parts>);

/// What there is of it.
#[derive(Clone, Debug)]
pub struct Parts {
    pub(crate) control: Arc<Control>,
    pub(crate) broadcast: Arc<Broadcast>,
    pub(crate) environment: Arc<dyn Environment>,
    pub(crate) stop: Stop,
    /// Moves when a token is revoked.
    pub(crate) revoked: Arc<watch::Sender<u64>>,
    pub(crate) answers: Arc<Answers>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) throttle: Arc<Throttle>,
    pub(crate) passwords: Arc<Passwords>,
    /// Writes the audit.
    pub(crate) trail: Arc<Trail>,
    pub(crate) crowd: Arc<Crowd>,
    pub(crate) readiness: Arc<Readiness>,
    /// Connections are encrypted here.
    pub(crate) is_encrypted: bool,
    /// The fingerprint of the server's certificate, where clients know it by nothing else.
    pub(crate) pin: Option<Pin>,
    /// Taken by those who note that a token is used.
    pub(crate) noting: Arc<Semaphore>,
    /// The store that other programs may use through this server.
    pub(crate) shared: Option<Arc<dyn TaskStore>>,
    /// Tells this run of the server from others.
    pub(crate) run: u64,
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
        let metrics: Arc<Metrics> = Arc::default();
        #[expect(clippy::cast_possible_truncation, reason = "some of its bits")]
        let run = environment.random() as u64;
        let parts = (Arc::clone(&control), Arc::clone(&environment), stop.clone(), Arc::clone(&metrics));
        Self(Arc::new(Parts {
            trail: Arc::new(Trail::new(parts.0, parts.1, parts.2, parts.3)),
            control,
            broadcast,
            environment,
            stop,
            revoked,
            answers: Arc::default(),
            metrics,
            throttle: Arc::default(),
            passwords: Arc::default(),
            crowd: Arc::new(Crowd::new(&Limits::default())),
            readiness: Arc::default(),
            is_encrypted: false,
            pin: None,
            noting: Arc::new(Semaphore::new(4)),
            shared: None,
            run,
        }))
    }

    /// The same, but for what is changed.
    #[must_use]
    pub(crate) fn with(mut self, change: impl FnOnce(&mut Parts)) -> Self {
        change(Arc::make_mut(&mut self.0));
        self
    }

    /// A token that was just made, for its owner alone.
    pub(crate) fn issued(&self, token: &Token, record: TokenRecord) -> IssuedToken {
        let server_pin = self.pin.map(|pin| pin.to_string());
        IssuedToken { token: token.reveal().to_owned(), server_pin, view: record.into() }
    }

    /// The same, with a store that administrators may use from elsewhere, with all that is in it.
    #[must_use]
    pub fn sharing(self, store: Arc<dyn TaskStore>) -> Self {
        self.with(|parts| parts.shared = Some(store))
    }
}

impl Deref for AppState {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// The other end of the connection, in a request's extensions; [`serve`](crate::serve) puts it there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

impl Peer {
    /// The address at the other end; a router that is served by something else than [`serve`](crate::serve) does not know it.
    pub(crate) fn address(extensions: &Extensions) -> IpAddr {
        extensions.get::<Self>().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip())
    }
}
