//! Settings that go to the engine as they are, and how durations and policies are written.

use super::{RestartPolicy, TextMap};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use std::fmt;

/// A limit of the kernel per process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ulimit {
    /// `nofile`, `nproc` …
    pub name: String,
    /// What a process starts with.
    pub soft: i64,
    /// What it may raise it to.
    pub hard: i64,
}

/// A device of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Device {
    /// Its path on the host.
    pub host_path: String,
    /// Its path inside.
    pub container_path: String,
    /// Of `rwm`.
    pub permissions: String,
}

/// Where a container's output goes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Logging {
    /// The engine's driver; absent: the engine's default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// Options of the driver.
    pub options: TextMap,
}

/// When an image is pulled.
///
/// # Example
/// ```
/// use graphium_core::stack::PullPolicy;
///
/// assert_eq!(PullPolicy::default(), PullPolicy::IfNotPresent);
/// assert_eq!(serde_json::from_str::<PullPolicy>("\"never\"")?, PullPolicy::Never);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PullPolicy {
    /// When the host lacks it; a host that has it asks no registry.
    #[default]
    IfNotPresent,
    /// At every deployment.
    Always,
    /// Never; a host that lacks it fails.
    Never,
}

impl RestartPolicy {
    /// Whether the engine starts the container again however it ended.
    pub fn is_endless(self) -> bool {
        matches!(self, Self::Always | Self::UnlessStopped)
    }
}

impl fmt::Display for RestartPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::No => f.write_str("no"),
            Self::Always => f.write_str("always"),
            Self::OnFailure(None) => f.write_str("on-failure"),
            Self::OnFailure(Some(n)) => write!(f, "on-failure:{n}"),
            Self::UnlessStopped => f.write_str("unless-stopped"),
        }
    }
}

impl std::str::FromStr for RestartPolicy {
    type Err = UnknownRestartPolicy;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownRestartPolicy(text.to_owned());
        Ok(match text {
            "" | "no" => Self::No,
            "always" => Self::Always,
            "unless-stopped" => Self::UnlessStopped,
            "on-failure" => Self::OnFailure(None),
            _ => {
                let times = text.strip_prefix("on-failure:").ok_or_else(unknown)?;
                Self::OnFailure(Some(times.parse().map_err(|_| unknown())?))
            }
        })
    }
}

/// A text that names no restart policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no restart policy (no, always, unless-stopped, on-failure[:times])")]
pub struct UnknownRestartPolicy(pub String);

impl Serialize for RestartPolicy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RestartPolicy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// Durations as seconds, whole where they are whole.
pub(crate) mod seconds_option {
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};
    use std::time::Duration;

    pub(crate) fn serialize<S: Serializer>(value: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        match value {
            None => serializer.serialize_none(),
            Some(time) if time.subsec_nanos() == 0 => serializer.serialize_u64(time.as_secs()),
            Some(time) => serializer.serialize_f64(time.as_secs_f64()),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
        Option::<f64>::deserialize(deserializer)?
            .map(|seconds| Duration::try_from_secs_f64(seconds).map_err(D::Error::custom))
            .transpose()
    }
}
