//! Bodies of requests and answers that are not types of the core: one definition for server and client.

mod people;
mod secrets;

pub use people::{
    Caller, IssuedLink, JoinRequest, LinkRequest, LoginRequest, PasswordRequest, SetupRequest, UserChange, UserRequest,
    UserView,
};
pub use secrets::{SecretList, SecretRequest, SecretsCall, SecretsGrant};

use crate::api::problem::Problem;
use graphium_core::{
    control::{
        AuditEntry, DeploymentState, Grants, Orphan, Purpose, RevisionView, Role, StackView, TaskView, TokenRecord,
    },
    diagnostic::Diagnostic,
    event::Event,
    exec::ExecRequest,
    id::{ClaimId, HostId},
    inventory::{Host, ObservedContainer},
    log::LogRequest,
    stack::OnDrift,
    stream::{Ability, StreamRequest},
    task::{Lease, Outcome, Progress, Task, TaskError, TaskResult, TaskStatus},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{collections::BTreeMap, fmt};

/// A part of a list, under the name of what it lists.
pub trait Listing: Serialize + DeserializeOwned {
    /// What is listed.
    type Item;

    /// Puts a page into its form.
    fn page(items: Vec<Self::Item>, next: Option<String>) -> Self;

    /// The items, and the cursor of the next part.
    fn into_parts(self) -> (Vec<Self::Item>, Option<String>);
}

macro_rules! listing {
    ($(#[$meta:meta])* $name:ident, $field:ident: $item:ty) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Serialize, Deserialize)]
        pub struct $name {
            /// This part of the list.
            pub $field: Vec<$item>,
            /// The `cursor` of the next part; absent: this was the last.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub next: Option<String>,
        }

        impl Listing for $name {
            type Item = $item;

            fn page($field: Vec<$item>, next: Option<String>) -> Self {
                Self { $field, next }
            }

            fn into_parts(self) -> (Vec<$item>, Option<String>) {
                (self.$field, self.next)
            }
        }
    };
}

listing!(
    /// `GET /stacks`.
    StackList, stacks: StackView
);
listing!(
    /// `GET /stacks/{id}/revisions`.
    RevisionList, revisions: RevisionView
);
listing!(
    /// `GET /stacks/jsonld/deployments`.
    DeploymentList, deployments: DeploymentState
);
listing!(
    /// `GET /tasks`, `GET /agents/{id}/tasks`.
    TaskList, tasks: TaskView
);
listing!(
    /// `GET /hosts`.
    HostList, hosts: Host
);
listing!(
    /// `GET /containers`.
    ContainerList, containers: ObservedContainer
);
listing!(
    /// `GET /orphans`.
    OrphanList, orphans: Orphan
);
listing!(
    /// `GET /tokens`.
    TokenList, tokens: TokenView
);
listing!(
    /// `GET /users`.
    UserList, users: UserView
);
listing!(
    /// `GET /audit` as JSON.
    AuditList, entries: AuditEntry
);
listing!(
    /// `GET /events` as JSON; its `next` is the `after` of the next part.
    EventList, events: Event
);

/// The outer form of `POST /stacks` whose document is text, so that places in diagnostics are those of the user's file.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    /// The source of the document, as text.
    pub stack_definition: String,
    /// Values for `${NAME}` in the document. The server has no others.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub variables: BTreeMap<String, String>,
    /// Give up after so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u64>,
    /// Take the stack back to where it was when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_on_error: Option<bool>,
    /// What follows when a container does not run that should; without it the stack keeps what it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_drift: Option<OnDrift>,
    /// So many seconds after a host has gone offline what ran there is placed elsewhere; 0: never; without it the stack keeps what
    /// it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reschedule_after: Option<u64>,
    /// Pull images also where a host has them, and make anew what runs from others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_images: Option<bool>,
}

impl Envelope {
    /// A document and nothing else.
    pub fn of(document: impl Into<String>) -> Self {
        Self {
            stack_definition: document.into(),
            variables: BTreeMap::new(),
            timeout: None,
            rollback_on_error: None,
            on_drift: None,
            reschedule_after: None,
            pull_images: None,
        }
    }
}

impl fmt::Debug for Envelope {
    /// Without values: variables hold secrets, and so may the document.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.variables.keys().collect();
        f.debug_struct("Envelope").field("variables", &names).finish_non_exhaustive()
    }
}

/// What is found in a document without deploying it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Validation {
    /// Whether a deployment would be accepted.
    pub valid: bool,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
    /// What refuses it.
    pub errors: Vec<Diagnostic>,
    /// The stack's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stack_name: Option<String>,
    /// How many containers it describes.
    pub container_count: usize,
    /// Whether it describes its network.
    pub has_network: bool,
    /// How many steps its containers start in, one after another, by what they depend on.
    pub wave_count: usize,
}

/// `POST /agents/{id}/claim`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimBody {
    /// The agent's session.
    pub epoch: u64,
    /// Chosen at random; the same again asks for the same grant.
    pub claim: ClaimId,
    /// How many tasks at most; by default one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<usize>,
    /// How long to wait for the first; by default not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait_seconds: Option<f64>,
    /// What the agent can do beside reading logs. Where it says so, what is wanted of it comes with the answer, and is not to be asked for
    /// by itself while a claim waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub can: Option<Vec<Ability>>,
}

/// The answer to a claim: whole tasks, as the agent is to do them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claimed {
    /// What was granted; empty: there was nothing to do.
    pub tasks: Vec<Task>,
    /// What is wanted of an agent that has said what it can do, as `POST /agents/{id}/streams` tells it. Where there is something and no
    /// tasks, the agent asks again with the same claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<StreamRequests>,
}

/// The answer to `POST /agents/{id}/renew`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Renewed {
    /// What is still held.
    pub held: Vec<graphium_core::agent::Held>,
}

/// `POST /tasks/{id}/renew`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewBody {
    /// The lease as it was granted.
    pub lease: Lease,
    /// News of the attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
}

/// `PUT /tasks/{id}/status`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusReport {
    /// The lease as it was granted.
    pub lease: Lease,
    /// `completed`, `failed` or `cancelled`.
    pub status: TaskStatus,
    /// What came of it; for `completed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<TaskResult>,
    /// What went wrong; for `failed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<TaskError>,
}

impl StatusReport {
    /// The report of an outcome.
    pub fn new(lease: Lease, outcome: Outcome) -> Self {
        let (status, result, error) = match outcome {
            Outcome::Completed(result) => (TaskStatus::Completed, Some(result), None),
            Outcome::Failed(error) => (TaskStatus::Failed, None, Some(error)),
            Outcome::Cancelled => (TaskStatus::Cancelled, None, None),
        };
        Self { lease, status, result, error }
    }

    /// The outcome that it reports.
    ///
    /// # Errors
    /// A status that is no outcome, or a failure without its error.
    pub fn into_outcome(self) -> Result<(Lease, Outcome), Problem> {
        let outcome = match (self.status, self.error) {
            (TaskStatus::Completed, _) => {
                Outcome::Completed(self.result.unwrap_or(TaskResult { success: true, ..TaskResult::default() }))
            }
            (TaskStatus::Failed, Some(error)) => Outcome::Failed(error),
            (TaskStatus::Cancelled, _) => Outcome::Cancelled,
            (TaskStatus::Failed, None) => {
                return Err(Problem::new(422, "error-missing", "a report of `failed` says in `error` what went wrong"));
            }
            (TaskStatus::Pending | TaskStatus::Assigned | TaskStatus::Running, _) => {
                return Err(Problem::new(
                    422,
                    "not-an-outcome",
                    "a report says `completed`, `failed` or `cancelled`; to go on, renew the lease",
                ));
            }
        };
        Ok((self.lease, outcome))
    }
}

/// `POST /tokens`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// What it may do.
    pub role: Role,
    /// For agents: the host that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// After how many seconds it is worth nothing any more; absent: it lasts until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
    /// The stacks that it is for, by name or id; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<String>,
    /// For agents: a code that is good once, for 15 minutes, with which the agent gets its token.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub join: bool,
}

impl TokenRequest {
    /// A token of that role, for everything, until it is revoked.
    pub fn new(role: Role) -> Self {
        Self { role, host: None, name: None, expires_in: None, stacks: Vec::new(), join: false }
    }
}

/// A token that was just made. This answer alone holds it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// The fingerprint of the server's certificate, where it is known by nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_pin: Option<String>,
    /// What is kept of it.
    #[serde(flatten)]
    pub view: TokenView,
}

impl IssuedToken {
    /// The token with the fingerprint of the server behind a dot: what an agent needs to join, and to know whom.
    pub fn code(&self) -> String {
        match &self.server_pin {
            Some(pin) => format!("{}.{pin}", self.token),
            None => self.token.clone(),
        }
    }
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("view", &self.view).finish_non_exhaustive()
    }
}

/// A credential as people see it: without its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its public id.
    #[serde(rename = "@id")]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// For agents: the host that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// What it is good for.
    #[serde(default)]
    pub purpose: Purpose,
    /// The person whose session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of a session of the page that was opened with a token: the public id of that one, with which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    /// When it was made.
    pub date_created: Timestamp,
    /// From when on it is worth nothing; absent: it lasts until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was used last, to some minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
}

impl From<TokenRecord> for TokenView {
    fn from(record: TokenRecord) -> Self {
        let TokenRecord { id, name, role, host, stacks, purpose, user, opened_by, .. } = record;
        let (date_created, expires, last_used) = (record.date_created, record.expires, record.last_used);
        Self { id, name, role, host, stacks, purpose, user, opened_by, date_created, expires, last_used }
    }
}

/// `GET /healthz`, `GET /readyz`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// The server's version.
    pub version: String,
}

/// `POST /agents/:id/streams`: what is wanted?
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamCallBody {
    /// The agent's session.
    pub epoch: u64,
    /// How long to wait for the first.
    pub wait_seconds: f64,
    /// What the agent can do beside reading logs.
    #[serde(default)]
    pub can: Vec<Ability>,
}

/// The answer: what is wanted and nobody has come for yet.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StreamRequests {
    /// Logs. Each is served by a request of its own, `POST /agents/:id/streams/:stream`.
    pub requests: Vec<LogRequest>,
    /// Commands, for an agent that can run them. Each has a WebSocket of its own, `GET /agents/:id/streams/:stream`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub execs: Vec<ExecRequest>,
}

impl From<Vec<StreamRequest>> for StreamRequests {
    fn from(all: Vec<StreamRequest>) -> Self {
        let (mut requests, mut execs) = (Vec::new(), Vec::new());
        for request in all {
            match request {
                StreamRequest::Log(request) => requests.push(request),
                StreamRequest::Exec(request) => execs.push(request),
            }
        }
        Self { requests, execs }
    }
}

impl From<StreamRequests> for Vec<StreamRequest> {
    fn from(all: StreamRequests) -> Self {
        let logs = all.requests.into_iter().map(StreamRequest::Log);
        logs.chain(all.execs.into_iter().map(StreamRequest::Exec)).collect()
    }
}
