//! What an agent can be asked to do: the payload of a task.
//!
//! # Example
//! ```
//! use graphium_core::action::{Action, AdoptAim, Refresh, TaskDefaults, TaskType};
//! use serde_json::json;
//!
//! let pull = json!({"action": "pull", "image": "nginx:alpine", "policy": "if-not-present"});
//! let pull: Action = serde_json::from_value(pull)?;
//! assert_eq!(pull.task_type(), TaskType::Pull);
//! assert_eq!(pull.subject(), "nginx:alpine");
//!
//! // A pull may take half an hour, and is tried three times more.
//! assert_eq!(TaskType::Pull.defaults(), TaskDefaults { priority: 5, timeout_seconds: 1800, max_retries: 3 });
//!
//! let delete = Action::Delete { name: "shop-web".to_owned() };
//! assert_eq!(serde_json::to_value(&delete)?, json!({"action": "delete", "name": "shop-web"}));
//! assert!(delete.task_type().defaults().priority > pull.task_type().defaults().priority, "room is made first");
//! assert_eq!(TaskType::RemoveVolume.to_string(), "remove-volume");
//!
//! let adopt: Action = serde_json::from_value(json!({
//!     "action": "adopt", "container": "4f5e", "name": "old-web", "aim": "equal",
//!     "spec": {"name": "shop-web", "container": {"name": "web", "image": "nginx:alpine"}, "labels": {}}
//! }))?;
//! assert!(matches!(adopt, Action::Adopt { aim: AdoptAim::Equal, .. }));
//!
//! // A container that is as it should be gives way where its tag names another image by now.
//! let refresh: Action = serde_json::from_value(json!({
//!     "action": "update", "refresh": "only-if-moved",
//!     "spec": {"name": "shop-web", "container": {"name": "web", "image": "nginx:alpine"}, "labels": {}}
//! }))?;
//! assert!(matches!(refresh, Action::Update { refresh: Refresh::OnlyIfMoved, .. }));
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::{
    plan::Told,
    runtime::{ContainerSpec, LiveSettings, NetworkSpec, VolumeSpec},
    stack::{Condition, PullPolicy, UpdateOrder},
};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Whether a container gives way to one of the same definition, because its image's name names another image by now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Refresh {
    /// It does not.
    #[default]
    Never,
    /// It does.
    IfMoved,
    /// It does, and where the image is the same nothing is done: it is not started, either.
    OnlyIfMoved,
}

impl Refresh {
    fn is_never(&self) -> bool {
        *self == Self::Never
    }
}

/// One thing to be done on one host.
///
/// Each is idempotent: done twice, it leaves what it leaves when done once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Action {
    /// Makes an image present.
    Pull {
        /// Its reference.
        image: String,
        /// Of which platform, as `os/architecture[/variant]`; absent: the engine's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        platform: Option<String>,
        /// When a registry is asked.
        policy: PullPolicy,
    },
    /// Makes a network exist.
    Network {
        /// Which.
        spec: Box<NetworkSpec>,
    },
    /// Makes a volume exist.
    Volume {
        /// Which.
        spec: Box<VolumeSpec>,
    },
    /// Makes a container exist and run where there was none.
    Deploy {
        /// Which.
        spec: Box<ContainerSpec>,
    },
    /// Puts a container in the place of one that differs.
    Update {
        /// The one that is to be.
        spec: Box<ContainerSpec>,
        /// Which of the two goes first; agents of before know no order but the default.
        #[serde(default, skip_serializing_if = "UpdateOrder::is_default")]
        order: UpdateOrder,
        /// Whether one of the same definition gives way, too; agents of before know no image but the one that is there.
        #[serde(default, skip_serializing_if = "Refresh::is_never")]
        refresh: Refresh,
    },
    /// Gives a container other settings in place, without a stop.
    Adjust {
        /// Its name on the engine.
        name: String,
        /// What it is to have; absent: as it is.
        settings: Box<LiveSettings>,
    },
    /// Makes one of ours of a container that somebody else has made, or that is of no stack any more, as it runs.
    Adopt {
        /// What it is to be.
        spec: Box<ContainerSpec>,
        /// The engine's id of it.
        container: String,
        /// Its name on the engine when that was planned.
        name: String,
        /// The stack whose label it bore then; absent: none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        was: Option<String>,
        /// What the specification has beside the document: in this it may differ.
        #[serde(default)]
        told: Told,
        /// How far to go.
        aim: AdoptAim,
    },
    /// Waits until a container has come as far as asked.
    Check {
        /// Its name on the engine.
        name: String,
        /// How far.
        condition: Condition,
    },
    /// Stops a container.
    Stop {
        /// Its name on the engine.
        name: String,
    },
    /// Starts a container that exists.
    Start {
        /// Its name on the engine.
        name: String,
    },
    /// Stops and starts a container.
    Restart {
        /// Its name on the engine.
        name: String,
    },
    /// Stops and removes a container.
    Delete {
        /// Its name on the engine.
        name: String,
    },
    /// Removes a network.
    RemoveNetwork {
        /// Its name on the engine.
        name: String,
    },
    /// Removes a volume with its data.
    RemoveVolume {
        /// Its name on the engine.
        name: String,
    },
}

/// How far an adoption goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AdoptAim {
    /// It is compared, and left as it is.
    Compare,
    /// The same; that it differs is a failure.
    Verify,
    /// It becomes ours if it is as the document says.
    Equal,
    /// It becomes ours; the next deployment sets right what differs, which may make it anew.
    AsItIs,
}

/// The kind of an [`Action`], as tasks are listed and filtered by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "each is the action of the same name")]
pub enum TaskType {
    Pull,
    Network,
    Volume,
    Deploy,
    Update,
    Adjust,
    Adopt,
    Check,
    Stop,
    Start,
    Restart,
    Delete,
    RemoveNetwork,
    RemoveVolume,
}

impl TaskType {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Network => "network",
            Self::Volume => "volume",
            Self::Deploy => "deploy",
            Self::Update => "update",
            Self::Adjust => "adjust",
            Self::Adopt => "adopt",
            Self::Check => "check",
            Self::Stop => "stop",
            Self::Start => "start",
            Self::Restart => "restart",
            Self::Delete => "delete",
            Self::RemoveNetwork => "remove-network",
            Self::RemoveVolume => "remove-volume",
        }
    }

    /// Priority (0–10), deadline in seconds and number of retries where the caller gives none.
    pub fn defaults(self) -> TaskDefaults {
        let (priority, timeout_seconds, max_retries) = match self {
            Self::Delete | Self::RemoveNetwork | Self::RemoveVolume => (7, 120, 3),
            Self::Stop => (6, 60, 2),
            Self::Adjust | Self::Adopt => (5, 60, 3),
            Self::Pull => (5, 1800, 3),
            Self::Check => (5, 300, 0),
            Self::Network | Self::Volume | Self::Deploy | Self::Update | Self::Start | Self::Restart => (5, 300, 3),
        };
        TaskDefaults { priority, timeout_seconds, max_retries }
    }
}

/// What a task gets where its caller says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TaskDefaults {
    /// 0–10, higher is sooner.
    pub priority: u8,
    /// Seconds from the start of an attempt to its deadline.
    pub timeout_seconds: u64,
    /// Attempts after the first.
    pub max_retries: u32,
}

impl fmt::Display for TaskType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Action {
    /// Its kind.
    pub fn task_type(&self) -> TaskType {
        match self {
            Self::Pull { .. } => TaskType::Pull,
            Self::Network { .. } => TaskType::Network,
            Self::Volume { .. } => TaskType::Volume,
            Self::Deploy { .. } => TaskType::Deploy,
            Self::Update { .. } => TaskType::Update,
            Self::Adjust { .. } => TaskType::Adjust,
            Self::Adopt { .. } => TaskType::Adopt,
            Self::Check { .. } => TaskType::Check,
            Self::Stop { .. } => TaskType::Stop,
            Self::Start { .. } => TaskType::Start,
            Self::Restart { .. } => TaskType::Restart,
            Self::Delete { .. } => TaskType::Delete,
            Self::RemoveNetwork { .. } => TaskType::RemoveNetwork,
            Self::RemoveVolume { .. } => TaskType::RemoveVolume,
        }
    }

    /// What it acts on, by its name on the engine: actions on one subject of a host are done one after another.
    pub fn subject(&self) -> &str {
        match self {
            Self::Pull { image, .. } => image,
            Self::Network { spec } => &spec.name,
            Self::Volume { spec } => &spec.name,
            Self::Deploy { spec } | Self::Update { spec, .. } | Self::Adopt { spec, .. } => &spec.name,
            Self::Adjust { name, .. }
            | Self::Check { name, .. }
            | Self::Stop { name }
            | Self::Start { name }
            | Self::Restart { name }
            | Self::Delete { name }
            | Self::RemoveNetwork { name }
            | Self::RemoveVolume { name } => name,
        }
    }
}
