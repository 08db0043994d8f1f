//! What an attempt is doing.

use crate::{id::TaskId, task::Progress};

/// One attempt of one task.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: u32,
}

/// The phases of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// An image arrives.
    Pulling,
    /// The engine makes something.
    Creating,
    /// The engine gives a container other settings.
    Adjusting,
    /// The engine starts a container.
    Starting,
    /// A container was started, and is watched for a moment.
    Settling,
    /// A container is looked at until it has come as far as asked.
    Checking,
    /// A container is asked to end.
    Stopping,
    /// The engine removes something.
    Removing,
    /// An earlier attempt is still at the same container.
    Waiting,
    /// The engine does not answer.
    Away,
}

impl Phase {
    /// The word that people see.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pulling => "pulling",
            Self::Creating => "creating",
            Self::Adjusting => "adjusting",
            Self::Starting => "starting",
            Self::Settling => "settling",
            Self::Checking => "checking",
            Self::Stopping => "stopping",
            Self::Removing => "removing",
            Self::Waiting | Self::Away => "waiting",
        }
    }

    /// Whether it keeps the engine busy. A phase that merely waits holds no slot.
    pub fn is_work(self) -> bool {
        !matches!(self, Self::Settling | Self::Checking | Self::Waiting | Self::Away)
    }
}

/// News of an attempt.
///
/// # Example
/// ```
/// use graphium_core::agent::{Key, Phase, Step};
///
/// let step = Step { bytes: Some((10, 40)), ..Step::plain(Phase::Pulling) };
/// let progress = step.progress();
/// assert_eq!((progress.phase.as_str(), progress.bytes, progress.total_bytes), ("pulling", Some(10), Some(40)));
/// assert!(Phase::Pulling.is_work() && !Phase::Waiting.is_work());
///
/// // An attempt is known by its task and its number.
/// let first = Key { task: "task:1".into(), attempt: 1 };
/// assert!(first < Key { attempt: 2, ..first.clone() });
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What it does.
    pub phase: Phase,
    /// One line for people; may be empty.
    pub message: String,
    /// Bytes that have arrived, and bytes in all.
    pub bytes: Option<(u64, u64)>,
}

impl Step {
    /// A phase about which there is no more to say.
    pub fn plain(phase: Phase) -> Self {
        Self { phase, message: String::new(), bytes: None }
    }

    /// As it is sent to the control plane.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: self.phase.as_str().to_owned(),
            message: self.message.clone(),
            bytes: self.bytes.map(|(done, _)| done),
            total_bytes: self.bytes.map(|(_, total)| total).filter(|total| *total > 0),
        }
    }
}
