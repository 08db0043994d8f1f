//! Identifiers: one newtype per kind of thing, so that a host's id is never passed for a stack's.
//!
//! # Example
//! ```
//! use graphium_core::id::{ClaimId, DeploymentId, HostId, PlanTaskId, StackId, StreamId, TaskId};
//!
//! // Each is a text in JSON, and is compared with texts as it is.
//! let stack: StackId = serde_json::from_str("\"stack:shop\"")?;
//! assert_eq!(stack, "stack:shop");
//! assert_eq!(serde_json::to_string(&stack)?, "\"stack:shop\"");
//!
//! // A host may be written as documents refer to it; its id is the bare name.
//! assert_eq!(HostId::new("host:vm1"), HostId::from("vm1"));
//!
//! let deployment = DeploymentId::new("deployment:0198a0b2-0000-7000-8000-000000000000");
//! let task = TaskId::new(format!("task:{}.4", deployment.as_str().trim_start_matches("deployment:")));
//! assert!(task.as_str().ends_with("000.4"));
//! assert_eq!(PlanTaskId::from("pull:vm1:nginx:alpine").to_string(), "pull:vm1:nginx:alpine");
//! assert!(ClaimId::from("a") < ClaimId::from("b"));
//! assert_eq!(StreamId::from("stream").as_ref(), "stream");
//! # Ok::<(), serde_json::Error>(())
//! ```

use serde::{Deserialize, Serialize};
use std::{borrow::Borrow, fmt, sync::Arc};

macro_rules! id {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps the text of an id; the text is taken as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, text: &&str) -> bool {
                &*self.0 == *text
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::new(text)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    };
}

id!(
    /// A stack: the `@id` of its document, or `stack:<name>` where the document gives none.
    StackId
);
id!(
    /// One deployment (or removal, stop, start …) of a stack: `deployment:<uuid>`.
    DeploymentId
);
id!(
    /// One task of a deployment: `task:<uuid of the deployment>.<number>`.
    TaskId
);
id!(
    /// One task within its plan, unique there and readable: `deploy:web`, `pull:vm1:nginx:alpine`.
    PlanTaskId
);
id!(
    /// One run of an agent's claim request; the agent chooses it at random.
    ClaimId
);
id!(
    /// One reading of a log; the server chooses it at random.
    StreamId
);

/// A Docker host, by the bare name that its agent was started with (`vm1`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct HostId(Arc<str>);

impl HostId {
    /// Reads a host's name; a leading `host:` is dropped, as documents may carry it.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        Self(text.strip_prefix("host:").unwrap_or(text).into())
    }

    /// The bare name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for HostId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Display for HostId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&str> for HostId {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl AsRef<str> for HostId {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for HostId {
    fn borrow(&self) -> &str {
        &self.0
    }
}
