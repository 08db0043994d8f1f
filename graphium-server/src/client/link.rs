//! The agent's way to the control plane over HTTP.

use super::{
    Client, ClientError,
    call::{Call, read},
    logs::HttpStreamLink,
    reports::{Reports, Telling},
    ride::Ride,
};
use crate::{
    api::wire::{ClaimBody, Renewed, SecretsCall, SecretsGrant, StatusReport, StreamRequests},
    protocol,
};
use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    id::HostId,
    secret::SecretText,
    store::SessionRequest,
    stream::{StreamCall, StreamLink, StreamRequest},
    task::{Lease, Outcome, Task, TaskError},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

/// What a server answers that speaks no version of the agents' protocol which the agent does.
const UPGRADE_REQUIRED: u16 = 426;

/// How the words of a rejection begin.
const REJECTS: &str = "the server rejects the request: ";

/// How long the other calls may take: well under a lease.
const CALL: Duration = Duration::from_secs(8);

/// [`AgentLink`] over the REST API.
#[derive(Clone, Debug)]
pub struct HttpLink {
    client: Client,
    /// What readers want comes with the claims. Not so where there are several servers, for readers may be at any of them.
    ride: Option<Arc<Ride>>,
    reports: Arc<Reports>,
}

impl HttpLink {
    /// A link that uses the client and its token. Of several servers any will do, from one call to the next.
    pub fn new(client: Client) -> Self {
        let ride = (!client.has_several()).then(Arc::default);
        Self { client, ride, reports: Arc::default() }
    }
}

/// The answer to a claim, each task to be read by itself: one that a newer server has thought of keeps no other waiting.
#[derive(Debug, Deserialize)]
struct Granted {
    tasks: Vec<Value>,
    /// What readers want; absent: the server is asked for that separately.
    streams: Option<Value>,
}

impl Client {
    /// A call of the agents' protocol. Each says which versions the agent speaks: the server may be another one than that which the
    /// session was opened with.
    pub(super) fn agents_call(&self, method: Method, path: &[&str]) -> Call {
        self.call(method, path).header(protocol::HEADER, &protocol::SPOKEN.to_string())
    }
}

impl HttpLink {
    /// Reports a task that this agent does not understand as failed.
    async fn turn_down(&self, host: &HostId, task: &Value, reason: &str) -> Result<(), LinkError> {
        let unread = |error: serde_json::Error| LinkError::Rejected(format!("a task is not understood ({error})"));
        let lease = Lease::deserialize(&task["lease"]).map_err(unread)?;
        let version = env!("CARGO_PKG_VERSION");
        let outcome = Outcome::Failed(TaskError {
            code: "agent-too-old".to_owned(),
            message: format!("the agent of host `{host}` (graphium {version}) does not know how to do this: {reason}"),
            help: Some(format!("update the agent on `{host}` to the version of its server, then try the task again")),
            log: Vec::new(),
            retryable: false,
        });
        self.report(&lease, &outcome).await
    }
}

#[async_trait]
impl AgentLink for HttpLink {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        let call = self.client.agents_call(Method::POST, &["agents", request.host.as_str(), "session"]);
        let grant: SessionGrant = call.deadline(CALL).body(request).json().await?;
        if let Some(ride) = &self.ride {
            // Servers have learnt both at once.
            ride.offer(grant.contact_ms.is_some());
        }
        self.reports.forget();
        Ok(grant)
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        let begun = Instant::now();
        let mut asked = call.clone();
        let _turn = if asked.wait.is_zero() { None } else { self.reports.turn_of_claim().await };
        asked.wait = call.wait.saturating_sub(begun.elapsed());
        // What readers want may come before there is work. The same claim then goes on, for something may have been granted to it.
        let answer = loop {
            let riding = self.ride.as_ref().and_then(Ride::begin);
            let body = ClaimBody {
                epoch: asked.epoch,
                claim: asked.claim.clone(),
                max: Some(asked.max),
                wait_seconds: Some(asked.wait.as_secs_f64()),
                can: riding.is_some().then(|| StreamCall::new(asked.host.clone(), asked.epoch, asked.wait).can),
            };
            let request = self.client.agents_call(Method::POST, &["agents", asked.host.as_str(), "claim"]);
            let response = request.deadline(asked.patience()).body(&body).send().await;
            self.reports.claimed(response.as_ref().ok().map(reqwest::Response::headers));
            let mut answer: Granted = read(response?).await?;
            let brought = answer.streams.take().map(wanted);
            let goes_on = riding.is_some_and(|riding| riding.arrived(brought));
            if !goes_on || !answer.tasks.is_empty() || asked.wait.is_zero() {
                break answer;
            }
            asked.wait = call.wait.saturating_sub(begun.elapsed());
        };
        let mut tasks = Vec::with_capacity(answer.tasks.len());
        for granted in answer.tasks {
            match Task::deserialize(&granted) {
                Ok(task) => tasks.push(task),
                Err(error) => self.turn_down(&call.host, &granted, &error.to_string()).await?,
            }
        }
        Ok(tasks)
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        let request = self.client.agents_call(Method::POST, &["agents", call.host.as_str(), "renew"]);
        let answer: Renewed = request.deadline(CALL).body(call).json().await?;
        Ok(answer.held)
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        let request = self.client.agents_call(Method::PUT, &["tasks", lease.task.as_str(), "status"]);
        let report = StatusReport::new(lease.clone(), outcome.clone());
        match request.deadline(CALL).body(&report).done().await {
            // The task went with its stack: nobody waits for this any more.
            Err(ClientError::NotFound { detail, .. }) => Err(LinkError::LeaseLost(detail)),
            answer => Ok(answer?),
        }
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        let (content, late, _turn) = match self.reports.look(report) {
            Telling::Not => return Ok(()),
            Telling::Now(content) => (content, Duration::ZERO, None),
            Telling::Later(content) => {
                let begun = Instant::now();
                let turn = self.reports.turn_of_report().await;
                (content, begun.elapsed(), turn)
            }
        };
        let late = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
        let told = HostReport { taken_ago_ms: report.taken_ago_ms.saturating_add(late), ..report.clone() };
        let request = self.client.agents_call(Method::PUT, &["agents", report.host.as_str(), "observation"]);
        let response = request.deadline(CALL).body(&told).send().await;
        if let Ok(response) = &response {
            self.reports.taken(content, response.headers());
        }
        self.reports.tried();
        Ok(response.map(drop)?)
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        let request = self.client.agents_call(Method::POST, &["tasks", lease.task.as_str(), "secrets"]);
        let answer: Result<SecretsGrant, _> =
            request.deadline(CALL).body(&SecretsCall { lease: lease.clone() }).json().await;
        match answer {
            Ok(grant) => Ok(grant.into_secrets()),
            Err(ClientError::NotFound { detail, .. }) => Err(LinkError::LeaseLost(detail)),
            // Its own words say what is to be done at the server.
            Err(ClientError::Problem { problem, .. }) if problem.code == "rejected" => {
                let words = problem.detail.strip_prefix(REJECTS).unwrap_or(&problem.detail);
                Err(LinkError::Rejected(words.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        let link = |client| Arc::new(HttpStreamLink::new(client, self.ride.clone())) as Arc<dyn StreamLink>;
        self.client.apart().map(link).collect()
    }
}

/// What readers want. What is not understood is left out: work does not wait for it.
fn wanted(told: Value) -> Vec<StreamRequest> {
    serde_json::from_value::<StreamRequests>(told).map(Vec::from).unwrap_or_default()
}

impl From<ClientError> for LinkError {
    fn from(error: ClientError) -> Self {
        let message = error.to_string();
        match error {
            ClientError::Conflict { code, .. } if code == "session-lost" => Self::SessionLost(message),
            ClientError::Conflict { code, .. } if code == "lease-lost" => Self::LeaseLost(message),
            ClientError::Denied { .. } => Self::Denied(message),
            error if error.may_pass() => Self::Unreachable(message),
            // Their own words say who is to be updated.
            ClientError::NoSuchCall { .. } => Self::Rejected(message),
            ClientError::Problem { problem, .. } if problem.status == UPGRADE_REQUIRED => Self::Rejected(message),
            _ => Self::Rejected(format!(
                "{message} (this agent is graphium {}: where the server is of another version, update the older of the two)",
                env!("CARGO_PKG_VERSION")
            )),
        }
    }
}
