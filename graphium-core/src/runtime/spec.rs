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
    /// The definition's own `@id`, description, category and dependencies do not count: they change nothing on an
    /// engine. Neither does the order of labels.
    pub fn hash(&self) -> String {
        self.clone().hash_into(&mut Vec::new())
    }

    /// Gives the specification the label with its own hash, and sorts its labels.
    ///
    /// A planner does this thousands of times: nothing is cloned, and `scratch` keeps its memory from one call to the next.
    pub(crate) fn label_with_hash(&mut self, scratch: &mut Vec<u8>) {
        let hash = self.hash_into(scratch);
        self.labels.insert(label::HASH.to_owned(), hash);
    }

    fn hash_into(&mut self, scratch: &mut Vec<u8>) -> String {
        use std::mem::take;
        self.labels.shift_remove(label::HASH);
        self.labels.sort_keys();
        let container = &mut self.container;
        let id = take(&mut container.id);
        let description = take(&mut container.description);
        let category = take(&mut container.application_category);
        let annotations = take(&mut container.annotations);
        let depends_on = take(&mut container.depends_on);
        scratch.clear();
        // A specification holds only strings, finite numbers and maps with text keys: it always serialises.
        let _ = serde_json::to_writer(&mut *scratch, &*self);
        let container = &mut self.container;
        container.id = id;
        container.description = description;
        container.application_category = category;
        container.annotations = annotations;
        container.depends_on = depends_on;
        hex(&Sha256::digest(&*scratch))
    }

    /// The hash that it was labelled with when it was planned.
    pub fn labelled_hash(&self) -> Option<&str> {
        self.labels.get(label::HASH).map(String::as_str)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
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
