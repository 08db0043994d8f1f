//! A link that remembers when it was used last.

use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    secret::SecretText,
    store::SessionRequest,
    stream::StreamLink,
    task::{Lease, Outcome, Task},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// An [`AgentLink`] over another one that tells how long ago the agent called.
///
/// An agent renews its leases every few seconds, whether the server answers or not: one that has not called for long has got
/// stuck.
#[derive(Debug)]
pub struct PulseLink<L> {
    link: L,
    last: Mutex<Instant>,
}

impl<L> PulseLink<L> {
    /// The link, as if it had been used just now.
    pub fn new(link: L) -> Self {
        Self { link, last: Mutex::new(Instant::now()) }
    }

    /// How long ago the last call began.
    pub fn silence(&self) -> Duration {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).elapsed()
    }

    fn used(&self) -> &L {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        &self.link
    }
}

#[async_trait]
impl<L: AgentLink> AgentLink for PulseLink<L> {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.used().open_session(request).await
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        self.used().claim(call).await
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.used().renew(call).await
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.used().report(lease, outcome).await
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.used().observe(report).await
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        self.used().secrets(lease).await
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        self.link.stream_links()
    }
}
