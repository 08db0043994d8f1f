//! What is mounted into a container.

use serde::{Deserialize, Serialize};

/// Something mounted into a container.
///
/// # Example
/// ```
/// use graphium_core::stack::{Mount, MountKind};
///
/// let mount: Mount = serde_json::from_str(r#"{"type": "secret", "source": "key", "target": "/run/secrets/key"}"#)?;
/// assert!(mount.is_of_secret("key") && !mount.is_of_secret("other"));
/// let mount: Mount = serde_json::from_str(r#"{"type": "tmpfs", "target": "/tmp", "size": 1048576}"#)?;
/// assert_eq!(mount.kind, MountKind::Tmpfs { size: Some(1 << 20), mode: None });
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Mount {
    /// What is mounted.
    #[serde(flatten)]
    pub kind: MountKind,
    /// Where, an absolute path inside.
    pub target: String,
    /// Without the right to write.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub read_only: bool,
}

impl Mount {
    /// Whether it is the file of the secret of that name.
    pub fn is_of_secret(&self, name: &str) -> bool {
        matches!(&self.kind, MountKind::Secret { source } if source == name)
    }
}

/// What is mounted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum MountKind {
    /// A volume of the engine; an absent source is an anonymous one.
    Volume {
        /// Its name in the document.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        source: Option<String>,
        /// Whether the image's own files are not copied into it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        no_copy: bool,
        /// A folder within it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        subpath: Option<String>,
    },
    /// A file or folder of the host.
    Bind {
        /// Its path on the host.
        source: String,
        /// `rprivate`, `shared` …
        #[serde(default, skip_serializing_if = "Option::is_none")]
        propagation: Option<String>,
        /// Make the folder where it is missing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        create_host_path: bool,
    },
    /// A secret, as a file that its container alone has; the agent asks for it at the last moment.
    Secret {
        /// The name of the secret.
        source: String,
    },
    /// Memory.
    Tmpfs {
        /// Bytes at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        size: Option<u64>,
        /// Mode bits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mode: Option<u32>,
    },
}
