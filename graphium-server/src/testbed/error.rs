use std::io;

/// Why a testbed could not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestbedError {
    /// The machine lacks something; each line names it and how to get it. See [`install`](super::install).
    #[error("this machine cannot run a testbed: {}", .0.join("; "))]
    Requirements(Vec<String>),
    /// A name that cannot be a host's name, or that is used twice.
    #[error("`{0}` cannot name a host: use each name once, of at most 32 characters from a-z, 0-9 and `-`")]
    HostName(String),
    /// As many testbeds as there are subnets run on this machine.
    #[error("every subnet from 10.99.0.0/24 to 10.99.254.0/24 is in use")]
    NoFreeSubnet,
    /// A program of the system refused.
    #[error("`{command}` failed: {detail}")]
    Command {
        /// The command line.
        command: String,
        /// What it printed.
        detail: String,
    },
    /// The operating system refused.
    #[error("cannot {action}")]
    Io {
        /// What was tried, to be read after "cannot".
        action: String,
        /// The reason.
        source: io::Error,
    },
    /// An engine did not come up or did not go down.
    #[error("the engine of `{host}` {problem}; its log ends with\n{log}")]
    Engine {
        /// The name of the host.
        host: String,
        /// What it did, to be read after its name.
        problem: String,
        /// The last lines of its log.
        log: String,
    },
    /// An engine answered with an error.
    #[error("the engine refused to {action}")]
    Docker {
        /// What was asked, to be read after "refused to".
        action: String,
        /// Its answer.
        source: bollard::errors::Error,
    },
    /// An image cannot be made on this machine.
    #[error("cannot make the image `{image}`: {reason}")]
    Image {
        /// Its reference.
        image: String,
        /// What is missing.
        reason: String,
    },
    /// The host is switched off, or its engine is down.
    #[error("`{host}` has no running {part}")]
    Down {
        /// The name of the host.
        host: String,
        /// What does not run: the machine or the engine.
        part: &'static str,
    },
}

impl TestbedError {
    /// For `map_err`: `fs::write(…).map_err(TestbedError::io("write the configuration"))`.
    pub(super) fn io(action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let action = action.into();
        move |source| Self::Io { action, source }
    }
}
