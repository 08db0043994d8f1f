//! Networks and volumes of ours that lie on a host.

use crate::{
    id::{HostId, StackId},
    runtime::{Owned, label},
    stack::TextMap,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// So many of them an agent tells of at most.
const MOST: usize = 10_000;

/// What an engine holds beside containers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldingKind {
    /// A network.
    Network,
    /// A volume, with its data.
    Volume,
}

impl HoldingKind {
    /// `network` or `volume`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Volume => "volume",
        }
    }
}

/// A network or a volume that bears our labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holding {
    /// Which of the two.
    pub kind: HoldingKind,
    /// Its name on the engine.
    pub name: String,
    /// The stack that its labels name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack_id: Option<StackId>,
}

impl Holding {
    /// What an engine says that it holds, in order.
    pub fn all(owned: Owned) -> Vec<Self> {
        let kinds = [(HoldingKind::Network, owned.networks), (HoldingKind::Volume, owned.volumes)];
        let each = |(kind, named): (HoldingKind, Vec<(String, TextMap)>)| {
            let stack = |labels: &TextMap| labels.get(label::STACK).map(|id| StackId::new(id.as_str()));
            named.into_iter().map(move |(name, labels)| Self { kind, name, stack_id: stack(&labels) })
        };
        let mut all: Vec<Self> = kinds.into_iter().flat_map(each).collect();
        all.sort();
        all.truncate(MOST);
        all
    }
}

/// The networks and volumes of ours on one host, as its agent saw them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Holdings {
    /// The host.
    #[serde(rename = "@id")]
    pub host_id: HostId,
    /// They are in order.
    pub holdings: Vec<Holding>,
    /// When the look was taken; they may have been seen again since.
    pub taken_at: Timestamp,
}
