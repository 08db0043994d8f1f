//! The agent's way to the control plane over HTTP.

use super::{Client, ClientError, call::Call, logs::HttpStreamLink};
use crate::{
    api::wire::{ClaimBody, Renewed, SecretsCall, SecretsGrant, StatusReport},
    protocol,
};
use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall, Held, HostReport, LinkError, RenewCall, SessionGrant},
    id::HostId,
    secret::SecretText,
    store::SessionRequest,
    stream::StreamLink,
    task::{Lease, Outcome, Task, TaskError},
};
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc, time::Duration};

/// How much longer than its wait a claim may take. A proxy or a dead line must not hold an agent for ever.
const CLAIM_MARGIN: Duration = Duration::from_secs(8);

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
}

impl HttpLink {
    /// A link that uses the client and its token. Of several servers any will do, from one call to the next.
    pub fn new(client: Client) -> Self {
        Self { client }
    }
}

/// The answer to a claim, each task to be read by itself: one that a newer server has thought of keeps no other waiting.
#[derive(Debug, Deserialize)]
struct Granted {
    tasks: Vec<Value>,
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
        Ok(call.deadline(CALL).body(request).json().await?)
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        let body = ClaimBody {
            epoch: call.epoch,
            claim: call.claim.clone(),
            max: Some(call.max),
            wait_seconds: Some(call.wait.as_secs_f64()),
        };
        let request = self.client.agents_call(Method::POST, &["agents", call.host.as_str(), "claim"]);
        let answer: Granted = request.deadline(call.wait + CLAIM_MARGIN).body(&body).json().await?;
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
        let request = self.client.agents_call(Method::PUT, &["agents", report.host.as_str(), "observation"]);
        Ok(request.deadline(CALL).body(report).done().await?)
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
        self.client.apart().map(|client| Arc::new(HttpStreamLink::new(client)) as Arc<dyn StreamLink>).collect()
    }
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
