//! What a plan leaves behind that its undo does not bring back.

use super::PlannedTask;
use crate::{
    action::Action,
    id::{HostId, PlanTaskId},
    inventory::{ContainerStatus, ObservedContainer},
    runtime::{ContainerSpec, LiveSettings, LiveStep, label},
    stack::MountKind,
};
use serde::{Deserialize, Serialize};

/// Something that is not as it was before, though all that can be taken back has been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Lasting {
    /// The id of the plan's task that leaves it.
    pub task: PlanTaskId,
    /// Where.
    pub host: HostId,
    /// What: the name of a container, network or volume on its engine, or the reference of an image.
    pub subject: String,
    /// Which kind of change.
    pub kind: LastingKind,
    /// Why it cannot be taken back, in a few words.
    pub reason: &'static str,
}

/// Why something is not as it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastingKind {
    /// An image was pulled, and is kept.
    Image,
    /// A network that may have been there before or not, and is there afterwards.
    Network,
    /// A volume was made unless it was there, and is kept.
    Volume,
    /// Data is gone: that of a volume that was removed, or of one without a name that went with its container.
    Data,
    /// What it was made from is not known.
    Definition,
    /// What was there was not what the revision that was applied last says; that revision comes back.
    Drifted,
    /// Nobody had seen it; what the revision that was applied last says comes back.
    Unseen,
    /// It did not run, or was paused; what comes back runs, or is stopped.
    State,
    /// Its image's name may name another image by now, and what comes back is made from that.
    Tag,
}

impl LastingKind {
    /// Whether it changes nothing that runs and loses nothing.
    pub fn is_harmless(self) -> bool {
        matches!(self, Self::Image | Self::Network | Self::Volume)
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Image => "an image that was pulled is kept; it does no harm",
            Self::Network => "whether it was there before is not known, so it is there afterwards; it does no harm",
            Self::Volume => "it may have been there before and hold data, so it is kept",
            Self::Data => "its data goes with it, and nothing brings data back",
            Self::Definition => "what it was made from before is not known",
            Self::Drifted => "it was not what the revision before says; that revision comes back",
            Self::Unseen => "it was not seen before; what the revision before says comes back",
            Self::State => "it did not run, or was paused, and is not brought back to that",
            Self::Tag => "where its image's name names another image now, it stays with that",
        }
    }
}

/// How what was seen differs from what making it of a specification brings back.
pub(super) fn drift(seen: Option<&ObservedContainer>, back: &ContainerSpec) -> Option<LastingKind> {
    let Some(seen) = seen else { return Some(LastingKind::Unseen) };
    let is_made_from = seen.label(label::HASH).is_some_and(|hash| back.planned_hash().is(hash));
    let settings = seen.settings.unwrap_or_default();
    if !is_made_from || settings.step_to(&LiveSettings::of(&back.container)) != LiveStep::None {
        return Some(LastingKind::Drifted);
    }
    (!is_running(seen.status)).then_some(LastingKind::State)
}

/// Whether a container does what one does that was started.
pub(super) fn is_running(status: ContainerStatus) -> bool {
    matches!(status, ContainerStatus::Running | ContainerStatus::Restarting)
}

impl PlannedTask {
    /// What its undo does not bring back.
    pub(super) fn left_behind(&self) -> impl Iterator<Item = Lasting> + '_ {
        let of_action = match (&self.action, &self.undo) {
            (Action::Pull { .. }, _) => Some(LastingKind::Image),
            (Action::Network { .. }, None) => Some(LastingKind::Network),
            (Action::Volume { .. }, None) => Some(LastingKind::Volume),
            (Action::RemoveVolume { .. }, _) => Some(LastingKind::Data),
            (
                Action::Update { .. } | Action::Delete { .. },
                Some(Action::Update { spec, .. } | Action::Deploy { spec }),
            ) => {
                let mut mounts = spec.container.volume_mounts.iter();
                let is_nameless =
                    |mount: &crate::stack::Mount| matches!(mount.kind, MountKind::Volume { source: None, .. });
                mounts.any(is_nameless).then_some(LastingKind::Data)
            }
            (
                Action::Deploy { .. }
                | Action::Update { .. }
                | Action::Adjust { .. }
                | Action::Delete { .. }
                | Action::Stop { .. }
                | Action::Start { .. }
                | Action::RemoveNetwork { .. },
                None,
            ) => Some(LastingKind::Definition),
            // A check waits, and a restart leaves what it found.
            _ => None,
        };
        of_action.into_iter().chain(self.lasting).map(|kind| Lasting {
            task: self.id.clone(),
            host: self.host.clone(),
            subject: self.action.subject().to_owned(),
            kind,
            reason: kind.reason(),
        })
    }
}
