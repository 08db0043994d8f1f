//! A control plane of a few lines over a real store, whose wire can be cut.

use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    environment::Environment,
    secret::SecretText,
    store::{ClaimRequest, MemoryStore, Session, SessionRequest, StoreError, TaskStore},
    task::{Input, Lease, Outcome, Refusal, Task},
    testing::ManualEnvironment,
};
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a lease lasts here.
pub(crate) const LEASE: u64 = 30;

#[derive(Debug)]
pub(crate) struct StoreLink {
    store: Arc<MemoryStore>,
    environment: ManualEnvironment,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    is_cut: bool,
    hides_renewals: bool,
    lost_answers: u32,
    old_sessions: u32,
    calls: Vec<&'static str>,
    reports: Vec<(Lease, Outcome)>,
    sights: Vec<HostReport>,
    secrets: BTreeMap<String, Option<SecretText>>,
    refuses_secrets: Option<LinkError>,
}

impl StoreLink {
    pub(crate) fn new(store: Arc<MemoryStore>, environment: ManualEnvironment) -> Self {
        Self { store, environment, state: Mutex::default() }
    }

    /// Cuts the wire: no call arrives.
    pub(crate) fn cut(&self) {
        self.state.lock().unwrap().is_cut = true;
    }

    pub(crate) fn mend(&self) {
        self.state.lock().unwrap().is_cut = false;
    }

    /// Has these secrets for whatever task.
    pub(crate) fn set_secrets(&self, secrets: &[(&str, Option<&str>)]) {
        let own = |(name, value): &(&str, Option<&str>)| ((*name).to_owned(), value.map(SecretText::new));
        self.state.lock().unwrap().secrets = secrets.iter().map(own).collect();
    }

    /// Gives no secrets away from now on, or does again.
    pub(crate) fn refuse_secrets(&self, error: impl Into<Option<LinkError>>) {
        self.state.lock().unwrap().refuses_secrets = error.into();
    }

    /// From now on the answer to a renewal names no lease.
    pub(crate) fn deny_leases(&self) {
        self.state.lock().unwrap().hides_renewals = true;
    }

    /// The answers to so many reports do not arrive, though the reports do.
    pub(crate) fn lose_answers(&self, count: u32) {
        self.state.lock().unwrap().lost_answers = count;
    }

    /// Whoever opens the next sessions is given what somebody had before.
    pub(crate) fn grant_old_sessions(&self, count: u32) {
        self.state.lock().unwrap().old_sessions = count;
    }

    pub(crate) fn calls(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().calls.clone()
    }

    pub(crate) fn reports(&self) -> Vec<(Lease, Outcome)> {
        self.state.lock().unwrap().reports.clone()
    }

    pub(crate) fn sights(&self) -> Vec<HostReport> {
        self.state.lock().unwrap().sights.clone()
    }

    fn arrive(&self, call: &'static str) -> Result<Timestamp, LinkError> {
        let mut state = self.state.lock().unwrap();
        state.calls.push(call);
        if state.is_cut {
            return Err(LinkError::Unreachable("the wire is cut".to_owned()));
        }
        Ok(self.environment.now())
    }

    fn lease_end(&self) -> Timestamp {
        self.environment.now() + SignedDuration::from_secs(LEASE as i64)
    }
}

#[async_trait]
impl AgentLink for StoreLink {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        let now = self.arrive("session")?;
        let mut session = self.store.open_session(request.clone(), now).await.map_err(|error| link_error(&error))?;
        let state = &mut *self.state.lock().unwrap();
        if state.old_sessions > 0 {
            state.old_sessions -= 1;
            session = Session { epoch: request.seen_epoch, nonce: "another".to_owned(), ..session };
        }
        Ok(SessionGrant { session, lease_seconds: LEASE, server_version: "test".to_owned(), contact_ms: None })
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        self.arrive("claim")?;
        let until = self.environment.elapsed() + call.wait;
        loop {
            let request = ClaimRequest {
                host: call.host.clone(),
                epoch: call.epoch,
                claim: call.claim.clone(),
                max: call.max,
                expires_at: self.lease_end(),
                expect: None,
            };
            let tasks = self.store.claim(request, self.environment.now()).await.map_err(|error| link_error(&error))?;
            if self.state.lock().unwrap().is_cut {
                return Err(LinkError::Unreachable("the wire is cut".to_owned()));
            }
            if !tasks.is_empty() || self.environment.elapsed() >= until {
                return Ok(tasks);
            }
            self.environment.sleep(Duration::from_millis(10)).await;
        }
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        let now = self.arrive("renew")?;
        let mut held = Vec::new();
        for renewal in &call.leases {
            let input = Input::Renew {
                lease: renewal.lease.clone(),
                expires_at: self.lease_end(),
                progress: renewal.progress.clone(),
            };
            match self.store.act(&renewal.lease.task, input, now).await {
                Ok(acted) => held.extend(acted.tasks.first().map(|task| Held {
                    task: task.id.clone(),
                    attempt: task.attempt,
                    cancel: task.cancel_requested.clone(),
                })),
                Err(StoreError::Refused { .. }) => {}
                Err(error) => return Err(link_error(&error)),
            }
        }
        if self.state.lock().unwrap().hides_renewals {
            held.clear();
        }
        Ok(held)
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        let now = self.arrive("report")?;
        self.state.lock().unwrap().reports.push((lease.clone(), outcome.clone()));
        let input = Input::Report { lease: lease.clone(), outcome: outcome.clone() };
        let outcome = match self.store.act(&lease.task, input, now).await {
            Err(StoreError::Refused { refusal: Refusal::LeaseLost { attempt, status }, .. })
                if attempt == lease.attempt && !status.is_leased() =>
            {
                Ok(())
            }
            outcome => outcome.map(drop),
        };
        let mut state = self.state.lock().unwrap();
        if state.lost_answers > 0 {
            state.lost_answers -= 1;
            return Err(LinkError::Unreachable("the answer was lost".to_owned()));
        }
        outcome.map_err(|error| link_error(&error))
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        self.arrive("secrets")?;
        let task = self.store.task(&lease.task).await.map_err(|error| link_error(&error))?;
        assert!(task.and_then(|task| task.lease).is_some_and(|held| held.is_same_grant(lease)), "asked with its lease");
        let state = self.state.lock().unwrap();
        state.refuses_secrets.clone().map_or_else(|| Ok(state.secrets.clone()), Err)
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.arrive("observe")?;
        self.state.lock().unwrap().sights.push(report.clone());
        Ok(())
    }
}

fn link_error(error: &StoreError) -> LinkError {
    let text = error.to_string();
    match error {
        StoreError::SessionLost { .. } => LinkError::SessionLost(text),
        StoreError::Refused { .. } | StoreError::NotFound { .. } => LinkError::LeaseLost(text),
        _ => LinkError::Unreachable(text),
    }
}
