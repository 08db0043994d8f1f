//! What an engine is asked to make.

use super::label;
use crate::stack::{Container, Network, TextMap, Volume};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A container to be made: its definition with everything resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition; variables of endpoints, extra hosts and the engine's volume names are filled in.
    pub container: Container,
    /// The network of the stack on this host; absent where the definition sets a network mode of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// Names that it answers to on that network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Every label that it bears, ours included, but for those of the task that makes it.
    pub labels: TextMap,
}

impl ContainerSpec {
    /// SHA-256 over the specification in hexadecimal: what [`label::HASH`] bears.
    ///
    /// The definition's own `@id`, description and category do not count: they change nothing on an engine.
    pub fn hash(&self) -> String {
        let mut counted = self.clone();
        counted.labels.shift_remove(label::HASH);
        counted.container.id.clear();
        counted.container.description = None;
        counted.container.application_category = None;
        counted.container.annotations.clear();
        counted.container.depends_on.clear();
        counted.labels.sort_keys();
        // A specification holds only strings, finite numbers and maps with text keys: it always serialises.
        let bytes = serde_json::to_vec(&counted).unwrap_or_default();
        hex(&Sha256::digest(&bytes))
    }

    /// The hash that it was labelled with when it was planned.
    pub fn labelled_hash(&self) -> Option<&str> {
        self.labels.get(label::HASH).map(String::as_str)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A network to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition.
    pub network: Network,
    /// Every label that it bears, ours included.
    pub labels: TextMap,
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition.
    pub volume: Volume,
    /// Every label that it bears, ours included.
    pub labels: TextMap,
}
