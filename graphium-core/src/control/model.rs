//! What the control plane keeps.

use super::{
    drift::Repairs,
    moving::Leaving,
    policy::StackPolicy,
    revision::{RollbackState, TakesBack},
};
use crate::{
    id::{DeploymentId, HostId, StackId},
    inventory::{ContainerStatus, Holdings, Host, ObservedContainer},
    plan::{Applied, Endpoint, Trace},
    stack::{OnFailure, Stack},
    store::{Document, Kind},
    task::{Task, TaskError},
};
use indexmap::IndexMap;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Where a stack stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the contract")]
pub enum StackStatus {
    Pending,
    Deploying,
    Running,
    /// All of it was brought up, and a host on which part of it runs is not heard.
    Degraded,
    Stopping,
    Stopped,
    Updating,
    RollingBack,
    Deleting,
    Deleted,
    Error,
}

impl DeploymentKind {
    /// Whether it brings up what a document says.
    pub fn deploys(self) -> bool {
        matches!(self, Self::Deploy | Self::Rollback | Self::Move)
    }
}

impl StackStatus {
    /// Every status.
    pub const ALL: [Self; 11] = [
        Self::Pending,
        Self::Deploying,
        Self::Running,
        Self::Degraded,
        Self::Stopping,
        Self::Stopped,
        Self::Updating,
        Self::RollingBack,
        Self::Deleting,
        Self::Deleted,
        Self::Error,
    ];

    /// Whether something is under way.
    pub fn is_transitional(self) -> bool {
        matches!(
            self,
            Self::Pending | Self::Deploying | Self::Stopping | Self::Updating | Self::RollingBack | Self::Deleting
        )
    }

    /// Whether all of it was brought up and nothing is known to have ended since.
    pub fn is_up(self) -> bool {
        matches!(self, Self::Running | Self::Degraded)
    }

    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Deploying => "deploying",
            Self::Running => "running",
            Self::Degraded => "degraded",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Updating => "updating",
            Self::RollingBack => "rolling-back",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
            Self::Error => "error",
        }
    }
}

/// A stack as it is kept. What people see of it is [`StackRecord::view`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackRecord {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: StackId,
    /// Its name, unique among the stacks.
    pub name: String,
    /// Where it stands.
    pub status: StackStatus,
    /// The deployment under way, or the last.
    pub deployment_id: DeploymentId,
    /// Counts the documents that were deployed, from 1.
    pub revision: u64,
    /// The document as it is wanted.
    pub definition: Stack,
    /// What was deployed last, and where.
    pub applied: Applied,
    /// Containers of earlier deployments that may still be somewhere, because no deployment since has come to its end.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub traces: BTreeSet<Trace>,
    /// Deployments that were overtaken since all of it last ran: attempts of theirs may have changed what was seen before. Of more
    /// than 33 the last in the order of their ids.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub overtaken: BTreeSet<DeploymentId>,
    /// The latest revision of which all has run: what a failure goes back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_running: Option<u64>,
    /// What is done about it without anybody asking.
    #[serde(default, skip_serializing_if = "is_default")]
    pub policy: StackPolicy,
    /// How often each of its containers was brought back lately, by name within the stack.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub repairs: BTreeMap<String, Repairs>,
    /// When the next of them is due that waits for its time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_repair: Option<Timestamp>,
    /// When it was first deployed.
    pub date_created: Timestamp,
    /// When it last changed.
    pub date_modified: Timestamp,
    /// When all of it last ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// Who deployed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What most want to know of a [`StackRecord`]: its documents, which can be large, are left unread.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct StackHead {
    #[serde(rename = "@id")]
    pub(super) id: StackId,
    pub(super) status: StackStatus,
    pub(super) deployment_id: DeploymentId,
    pub(super) applied: Places,
    #[serde(default)]
    pub(super) traces: BTreeSet<Trace>,
    #[serde(default)]
    pub(super) policy: StackPolicy,
    #[serde(default)]
    pub(super) next_repair: Option<Timestamp>,
    #[serde(default)]
    pub(super) error_message: Option<String>,
}

/// Of an [`Applied`] where everything is.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Places {
    pub(super) placements: BTreeMap<String, HostId>,
}

/// What a deployment does to its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the words of the API")]
pub enum DeploymentKind {
    Deploy,
    Remove,
    Stop,
    Start,
    Restart,
    /// Deploys an earlier revision again.
    Rollback,
    /// Takes away what a first deployment has made that failed.
    Withdraw,
    /// Moves what runs away from hosts that are to be left.
    Move,
    /// Brings back containers that should run and do not.
    Repair,
}

/// The state of one deployment (or removal, stop, start, restart).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentState {
    /// Its identity.
    #[serde(rename = "@id")]
    pub id: DeploymentId,
    /// The stack.
    pub stack_id: StackId,
    /// The stack's name.
    pub stack_name: String,
    /// What it does.
    pub kind: DeploymentKind,
    /// Where it stands, in the words of the stack.
    pub status: StackStatus,
    /// What is being done, in one word: `planned`, `pulling`, `deploying`, `removing`, `done`, `failed`.
    pub phase: String,
    /// 0–100: the part of its tasks that have ended.
    pub progress: u8,
    /// The hash of its plan; empty: it had none here, it was taken over from the older system.
    pub plan_hash: String,
    /// How many tasks it has.
    pub task_count: usize,
    /// Containers and where they run.
    pub placements: BTreeMap<String, Placement>,
    /// Networks by host.
    #[serde(default)]
    pub network_info: BTreeMap<String, String>,
    /// Volumes by host.
    #[serde(default)]
    pub volume_info: BTreeMap<String, Vec<String>>,
    /// Where its published ports answer.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
    /// What happened, in short.
    #[serde(default)]
    pub events: Vec<DeploymentEvent>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completed_at: Option<Timestamp>,
    /// When what has not begun by then is given up; absent: it waits as long as it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// Why it was begun, where nobody has asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The revision that it deploys; absent where it deploys none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
    /// What follows its failure; absent: everything stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// How far its way back is, once it has failed and is to go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_state: Option<RollbackState>,
    /// The deployment that takes it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_id: Option<DeploymentId>,
    /// Why it does not go back, or what differs now that its way back has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback_message: Option<String>,
    /// What it takes back, if it is the way back of another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<TakesBack>,
    /// Of a move: which hosts are left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaving: Option<Leaving>,
}

impl DeploymentState {
    /// Whether it has failed elsewhere, where its tasks were: nothing here tells more of it.
    pub(super) fn has_failed_elsewhere(&self) -> bool {
        self.plan_hash.is_empty() && self.status == StackStatus::Error
    }
}

/// One thing that happened in a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeploymentEvent {
    /// When.
    pub timestamp: Timestamp,
    /// What.
    pub message: String,
}

/// Where a container runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Placement {
    /// The engine's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container_id: Option<String>,
    /// Its name on the engine.
    pub container_name: String,
    /// Its host.
    pub host_id: HostId,
    /// Its address on its network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<std::net::IpAddr>,
    /// Ports inside to ports on the host.
    #[serde(default)]
    pub ports: IndexMap<String, u16>,
    /// What it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ContainerStatus>,
    /// When it started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
}

/// The first failure in words: task, host, cause.
pub(crate) fn failure_line(task: &Task, error: &TaskError) -> String {
    format!("{} on host `{}` failed: {}", task.plan_id, task.host_id, error.message)
}

impl Document for StackRecord {
    const KIND: Kind = Kind::Stack;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.id.clone())
    }
}

impl Document for DeploymentState {
    const KIND: Kind = Kind::Deployment;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn stack(&self) -> Option<StackId> {
        Some(self.stack_id.clone())
    }
}

impl Document for Host {
    const KIND: Kind = Kind::Host;
    fn id(&self) -> String {
        self.id.as_str().to_owned()
    }
    fn host(&self) -> Option<HostId> {
        Some(self.id.clone())
    }
}

impl Document for Holdings {
    const KIND: Kind = Kind::Holdings;
    fn id(&self) -> String {
        self.host_id.to_string()
    }
    fn host(&self) -> Option<HostId> {
        Some(self.host_id.clone())
    }
}

impl Document for ObservedContainer {
    const KIND: Kind = Kind::Container;
    fn id(&self) -> String {
        format!("{}/{}", self.hosted_on, self.name)
    }
    fn stack(&self) -> Option<StackId> {
        ObservedContainer::stack(self)
    }
    fn host(&self) -> Option<HostId> {
        Some(self.hosted_on.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::fixtures,
        stack::OnDrift,
        store::{Expect, Record},
    };

    #[test]
    fn the_head_of_a_stack_says_what_its_record_says() -> Result<(), crate::store::StoreError> {
        let trace = Trace { host: HostId::new("vm1"), name: "web".to_owned(), engine_name: "shop-web".to_owned() };
        let stack = fixtures::stack("shop", vec![fixtures::container("web")]);
        let whole = StackRecord {
            id: stack.id.clone(),
            name: stack.name.clone(),
            status: StackStatus::Error,
            deployment_id: DeploymentId::new("deployment:7"),
            revision: 3,
            definition: stack.clone(),
            applied: Applied { stack, placements: [("web".to_owned(), HostId::new("vm1"))].into() },
            traces: [trace].into(),
            overtaken: BTreeSet::new(),
            policy: StackPolicy { on_drift: OnDrift::Report, reschedule_after: Some(60) },
            repairs: BTreeMap::new(),
            next_repair: Some(Timestamp::UNIX_EPOCH),
            date_created: Timestamp::UNIX_EPOCH,
            date_modified: Timestamp::UNIX_EPOCH,
            deployed_at: None,
            owner: None,
            error_message: Some("no room".to_owned()),
            last_running: None,
        };
        let write = whole.write(Expect::Absent)?;
        let body = write.body.unwrap_or_default();
        let record = Record { key: write.key, version: 1, stack: write.stack, host: write.host, body };
        let StackHead { id, status, deployment_id, applied, traces, policy, next_repair, error_message } =
            record.read()?;
        assert_eq!((id, status, deployment_id), (whole.id, whole.status, whole.deployment_id));
        assert_eq!(applied.placements, whole.applied.placements);
        assert_eq!((traces, policy), (whole.traces, whole.policy));
        assert_eq!((next_repair, error_message), (whole.next_repair, whole.error_message));
        Ok(())
    }
}
