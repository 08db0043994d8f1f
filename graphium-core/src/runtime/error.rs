//! What can go wrong with an engine, by what a caller can do about it.

/// What went wrong, in the engine's own words.
///
/// # Example
/// ```
/// use graphium_core::runtime::RuntimeError;
///
/// let away = RuntimeError::TimedOut { operation: "start".to_owned(), seconds: 30 };
/// assert_eq!(away.to_string(), "start got no answer within 30 s");
/// assert!(away.is_retryable());
/// let refused = RuntimeError::Refused("`--memory` is too small".to_owned());
/// assert!(!refused.is_retryable(), "it would be refused again");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// No answer: the engine may be down, restarting or hung. Nothing is known of what was asked.
    #[error("the engine at {endpoint} does not answer: {reason}")]
    Unreachable {
        /// Where it was looked for.
        endpoint: String,
        /// Why, in the words of the operating system.
        reason: String,
    },
    /// The call took too long. It may have taken effect.
    #[error("{operation} got no answer within {seconds} s")]
    TimedOut {
        /// What was asked.
        operation: String,
        /// The deadline.
        seconds: u64,
    },
    /// The image does not exist, or its registry refuses to say so.
    #[error("image `{image}` is not to be had: {reason}")]
    ImageNotFound {
        /// Its reference.
        image: String,
        /// The engine's words.
        reason: String,
    },
    /// Something that is not ours, or is another version of ours, has the name.
    #[error("the name `{name}` is taken by {holder}")]
    NameTaken {
        /// The name.
        name: String,
        /// What holds it.
        holder: String,
    },
    /// A port of the host is in use.
    #[error("a host port is taken: {reason}")]
    PortTaken {
        /// The engine's words.
        reason: String,
    },
    /// There is no such container, image, network or volume.
    #[error("{0}")]
    NotFound(String),
    /// It is in use by something else (a network with containers, a volume that is mounted).
    #[error("{0}")]
    InUse(String),
    /// The engine refuses what it was asked; asking again will not help.
    #[error("{0}")]
    Refused(String),
    /// The engine failed; asking again may help.
    #[error("{0}")]
    Failed(String),
}

impl RuntimeError {
    /// The refusal of a change that needs a new container: it would take these limits away.
    pub fn not_in_place(name: &str, limits: &[&str]) -> Self {
        let limits: Vec<String> = limits.iter().map(|limit| format!("`{limit}`")).collect();
        Self::Refused(format!("container `{name}` cannot lose {} while it exists", limits.join(", ")))
    }

    /// The refusal of what needs a container that runs.
    pub fn not_running(name: &str) -> Self {
        Self::Refused(format!("container `{name}` does not run; start it first"))
    }

    /// Whether asking again may help.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::TimedOut { .. } | Self::InUse(_) | Self::Failed(_) => true,
            Self::ImageNotFound { .. }
            | Self::NameTaken { .. }
            | Self::PortTaken { .. }
            | Self::NotFound(_)
            | Self::Refused(_) => false,
        }
    }

    /// What a person does about it, where that can be said.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Unreachable { .. } => Some("see whether the engine runs on that host (`docker info`)"),
            Self::ImageNotFound { .. } => Some("check the image's name and tag, and the host's registry login"),
            Self::PortTaken { .. } => Some("choose another hostPort, or stop what holds it"),
            Self::NameTaken { .. } => {
                Some("rename the container, or remove the one that holds the name, or adopt that (`graphium adopt`)")
            }
            // A network that is pruned while its stack is stopped, say.
            Self::NotFound(_) => {
                Some("if it was removed by hand, deploy the stack again: that makes it anew (`graphium stack deploy`)")
            }
            _ => None,
        }
    }
}
