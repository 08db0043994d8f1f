//! The agents' way to the server.

use super::{
    bug::Bug,
    line::SimStreamLink,
    network::NoAnswer,
    world::{Grant, World},
};
use crate::{
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    store::SessionRequest,
    stream::StreamLink,
    task::{Lease, Outcome, Task},
};
use async_trait::async_trait;
use std::{fmt, sync::Arc};

/// An [`AgentLink`] over the simulated network.
pub(super) struct SimLink {
    world: Arc<World>,
    host: usize,
}

impl SimLink {
    pub(super) fn new(world: &Arc<World>, host: usize) -> Self {
        Self { world: Arc::clone(world), host }
    }

    fn tell(&self, what: impl FnOnce() -> String) {
        self.world.tell(self.world.hosts[self.host].id.as_str(), what);
    }
}

impl fmt::Debug for SimLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimLink").field("host", &self.host).finish_non_exhaustive()
    }
}

impl From<NoAnswer> for LinkError {
    fn from(_: NoAnswer) -> Self {
        Self::Unreachable("the connection was lost".to_owned())
    }
}

#[async_trait]
impl AgentLink for SimLink {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        let request = request.clone();
        let grant = self
            .world
            .ask(Some(self.host), "session", move |control| {
                let request = request.clone();
                async move { control.open_session(&request).await }
            })
            .await??;
        self.tell(|| format!("has session {}", grant.session.epoch));
        if self.world.has(Bug::EndlessLease) {
            return Ok(SessionGrant { lease_seconds: 100_000, ..grant });
        }
        Ok(grant)
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        let call = call.clone();
        let tasks = self
            .world
            .ask(Some(self.host), "claim", move |control| {
                let call = call.clone();
                async move { control.claim(&call).await }
            })
            .await??;
        for task in &tasks {
            self.tell(|| format!("is granted {} ({}, attempt {})", task.id, task.plan_id, task.attempt));
            let desk = &mut self.world.state().desks[self.host];
            desk.grants.extend(task.lease.as_ref().map(|lease| Grant {
                task: task.id.clone(),
                attempt: task.attempt,
                epoch: lease.epoch,
                kind: task.task_type,
                subject: task.payload.subject().to_owned(),
            }));
        }
        Ok(tasks)
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        let call = call.clone();
        let answer = self.world.ask(Some(self.host), "renewal", move |control| {
            let call = call.clone();
            async move { control.renew(&call).await }
        });
        answer.await?
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.tell(|| format!("reports {} attempt {}: {}", lease.task, lease.attempt, word(outcome)));
        let answer = if self.world.has(Bug::ReportDropped) && self.world.chance(100) {
            Ok(())
        } else {
            self.send_report(lease, outcome).await
        };
        if answer.is_ok() {
            self.world.look_at_report(lease);
        }
        answer
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        vec![Arc::new(SimStreamLink::new(&self.world, self.host)) as Arc<dyn StreamLink>]
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        let report = report.clone();
        let answer = self.world.ask(Some(self.host), "observation", move |control| {
            let report = report.clone();
            async move { control.observe(&report).await }
        });
        answer.await?
    }
}

impl SimLink {
    async fn send_report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        let (lease, outcome) = (lease.clone(), outcome.clone());
        let answer = self.world.ask(Some(self.host), "report", move |control| {
            let (lease, outcome) = (lease.clone(), outcome.clone());
            async move { control.report(&lease, &outcome).await }
        });
        answer.await?
    }
}

fn word(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed(result) => result.message.clone(),
        Outcome::Failed(error) => format!("failed [{}] {}", error.code, error.message),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}
