//! What an engine can do that others cannot, and what containers need of it.

use super::platform;
use crate::stack::{Container, MountKind};
use serde::{Deserialize, Serialize};
use std::{fmt, num::ParseIntError, str::FromStr};

/// The first API that mounts a folder within a volume; an older engine would mount the whole volume.
const SUBPATH: ApiVersion = ApiVersion(1, 45);

/// What an engine can do, as far as it is known: for what is unknown nothing is refused.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Capabilities {
    /// Platforms whose images it runs, as `linux/amd64`, by its processor or by emulation; none: unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<String>,
    /// OCI runtimes, by name; none: unknown.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub runtimes: Vec<String>,
    /// Whether it gives GPUs to containers; absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpus: Option<bool>,
    /// The version of its API; absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub api_version: Option<ApiVersion>,
}

impl Capabilities {
    /// Whether nothing is known.
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }

    /// What a container needs that the engine is known not to have.
    pub(crate) fn lacks<'c>(&self, container: &'c Container) -> impl Iterator<Item = Need<'c>> {
        needs(container).filter(|need| !self.may_have(*need))
    }

    fn may_have(&self, need: Need<'_>) -> bool {
        match need {
            Need::Platform(wanted) => {
                self.platforms.is_empty() || self.platforms.iter().any(|own| platform::runs(own, wanted))
            }
            // The names of shims are no names of the engine's list: containerd looks for them by itself.
            Need::Runtime(wanted) => {
                let is_listed = || self.runtimes.iter().any(|own| own == wanted);
                self.runtimes.is_empty() || wanted.starts_with("io.containerd.") || is_listed()
            }
            Need::Gpus => self.gpus != Some(false),
            Need::Api { version, .. } => self.api_version.is_none_or(|own| own >= version),
        }
    }

    /// The same with one thing more.
    pub(crate) fn add(&mut self, more: &Capability) {
        match more {
            Capability::Platform { name } => self.platforms.push(name.clone()),
            Capability::Runtime { name } => self.runtimes.push(name.clone()),
            Capability::Gpus => self.gpus = Some(true),
            Capability::Api { version } => self.api_version = self.api_version.max(Some(*version)),
        }
    }
}

/// What a container needs of its engine, where not every engine has it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Need<'c> {
    Platform(&'c str),
    Runtime(&'c str),
    Gpus,
    Api { version: ApiVersion, key: &'static str },
}

impl Need<'_> {
    /// The key of the container's document that asks for it.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Platform(_) => "platform",
            Self::Runtime(_) => "runtime",
            Self::Gpus => "gpus",
            Self::Api { key, .. } => key,
        }
    }

    pub(crate) fn capability(self) -> Capability {
        match self {
            Self::Platform(name) => Capability::Platform { name: name.to_owned() },
            Self::Runtime(name) => Capability::Runtime { name: name.to_owned() },
            Self::Gpus => Capability::Gpus,
            Self::Api { version, .. } => Capability::Api { version },
        }
    }
}

/// What a container needs of its engine, in the order in which it is told.
pub(crate) fn needs(container: &Container) -> impl Iterator<Item = Need<'_>> {
    let has_subpath = |kind: &MountKind| matches!(kind, MountKind::Volume { subpath: Some(_), .. });
    let subpath = container.volume_mounts.iter().any(|mount| has_subpath(&mount.kind));
    let platform = container.platform.as_deref().map(Need::Platform);
    let runtime = container.runtime.as_deref().map(Need::Runtime);
    let gpus = container.gpus.filter(|count| *count != 0).map(|_| Need::Gpus);
    let api = subpath.then_some(Need::Api { version: SUBPATH, key: "volumeMounts" });
    [platform, runtime, gpus, api].into_iter().flatten()
}

/// Something that an engine can do and another cannot, as a change of a host names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Capability {
    /// It runs images of this platform.
    Platform {
        /// `os/architecture[/variant]`.
        name: String,
    },
    /// It has this OCI runtime.
    Runtime {
        /// Its name.
        name: String,
    },
    /// It gives GPUs to containers.
    Gpus,
    /// Its API is of this version or a later one.
    Api {
        /// The version.
        version: ApiVersion,
    },
}

impl fmt::Display for Capability {
    /// What follows `with`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Platform { name } => write!(f, "the platform `{name}`"),
            Self::Runtime { name } => write!(f, "the runtime `{name}`"),
            Self::Gpus => f.write_str("GPUs"),
            Self::Api { version } => write!(f, "an engine of API {version} or later"),
        }
    }
}

/// A version of the Engine API; written `1.45`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ApiVersion(pub u32, pub u32);

impl fmt::Display for ApiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// A text that is no API version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no API version, as in `1.45`")]
pub struct UnknownApiVersion(String);

impl FromStr for ApiVersion {
    type Err = UnknownApiVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let read = |(major, minor): (&str, &str)| Ok::<_, ParseIntError>(Self(major.parse()?, minor.parse()?));
        let version = text.split_once('.').map(read);
        version.and_then(Result::ok).ok_or_else(|| UnknownApiVersion(text.to_owned()))
    }
}

impl TryFrom<String> for ApiVersion {
    type Error = UnknownApiVersion;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ApiVersion> for String {
    fn from(version: ApiVersion) -> Self {
        version.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lacks(engine: serde_json::Value, container: serde_json::Value) -> Vec<String> {
        let engine: Capabilities = serde_json::from_value(engine).unwrap();
        let container: Container = serde_json::from_value(container).unwrap();
        engine.lacks(&container).map(|need| need.capability().to_string()).collect()
    }

    #[test]
    fn what_is_unknown_refuses_nothing() {
        let all = json!({"platform": "linux/arm64", "runtime": "runsc", "gpus": -1,
            "volumeMounts": [{"type": "volume", "source": "v", "target": "/v", "subpath": "a"}]});
        assert_eq!(lacks(json!({}), all.clone()), [""; 0]);
        let known = json!({"platforms": ["linux/amd64"], "runtimes": ["runc"], "gpus": false, "apiVersion": "1.41"});
        let told = ["the platform `linux/arm64`", "the runtime `runsc`", "GPUs", "an engine of API 1.45 or later"];
        assert_eq!(lacks(known.clone(), all), told);
        assert_eq!(lacks(known, json!({"image": "i", "gpus": 0})), [""; 0]);
    }

    #[test]
    fn names_of_shims_are_in_no_engines_list() {
        let runc = json!({"runtimes": ["runc"]});
        assert_eq!(lacks(runc.clone(), json!({"runtime": "io.containerd.runsc.v1"})), [""; 0]);
        assert_eq!(lacks(runc, json!({"runtime": "kata"})), ["the runtime `kata`"]);
    }

    #[test]
    fn api_versions_are_compared_as_numbers() {
        assert!("1.9".parse::<ApiVersion>().unwrap() < ApiVersion(1, 41));
        for wrong in ["", "1", "1.x", "v1.41"] {
            assert!(wrong.parse::<ApiVersion>().is_err(), "{wrong}");
        }
    }
}
