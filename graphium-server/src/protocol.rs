//! Versions of the agents' protocol, so that servers and agents of different ages work together or say why they do not.
//!
//! A version grows only when one side can no longer do without what the other does not know: what is merely added is left out by
//! whoever does not know it. A server speaks its own version and the one before; so agents are updated after their server, in any order.

use std::{fmt, str::FromStr};

/// With it a server tells an agent that its credential is to be replaced: `due`.
pub(crate) const CREDENTIAL: &str = "graphium-credential";

/// With it a server tells an agent, after a report of its host and with each answer to a claim, which report is in force: all that was told
/// in it is kept as it was told. While that is its last one an agent need not tell the same again.
pub(crate) const REPORT: &str = "graphium-report";

/// The header in which an agent says which versions it speaks, and a server which one of them it takes.
pub const HEADER: &str = "graphium-protocol";

/// The versions that this build speaks.
pub const SPOKEN: Protocols = Protocols { oldest: 1, newest: 1 };

/// An agent that says nothing is of the first version.
pub const UNSAID: Protocols = Protocols { oldest: 1, newest: 1 };

/// Versions of the agents' protocol, from the oldest to the newest that one side speaks; written `1-2`, or `1` for one alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols {
    oldest: u32,
    newest: u32,
}

/// Two sides that have no version in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each is what it says")]
pub enum Mismatch {
    #[error("the agent speaks version {agent} of the agents' protocol and this server {server}; update the agent")]
    AgentTooOld { agent: Protocols, server: Protocols },
    #[error("the agent speaks version {agent} of the agents' protocol and this server {server}; update the server")]
    ServerTooOld { agent: Protocols, server: Protocols },
}

impl Protocols {
    /// The newest version that a server, which speaks these, and an agent have in common.
    ///
    /// # Errors
    /// Which of the two is too old.
    pub fn with_agent(self, agent: Self) -> Result<u32, Mismatch> {
        if agent.newest < self.oldest {
            return Err(Mismatch::AgentTooOld { agent, server: self });
        }
        if self.newest < agent.oldest {
            return Err(Mismatch::ServerTooOld { agent, server: self });
        }
        Ok(self.newest.min(agent.newest))
    }
}

impl fmt::Display for Protocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.oldest == self.newest {
            true => write!(f, "{}", self.newest),
            false => write!(f, "{}-{}", self.oldest, self.newest),
        }
    }
}

impl FromStr for Protocols {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (oldest, newest) = text.split_once('-').unwrap_or((text, text));
        let version = |text: &str| text.trim().parse::<u32>().ok();
        match (version(oldest), version(newest)) {
            (Some(oldest), Some(newest)) if oldest <= newest => Ok(Self { oldest, newest }),
            _ => Err(format!("`{text}` names no versions of the agents' protocol; they are written `1-2`, or `1`")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Protocols {
        text.parse().unwrap_or(Protocols { oldest: 0, newest: 0 })
    }

    #[test]
    fn neighbours_work_together_and_others_say_who_is_too_old() {
        let server = of("2-3");
        for (agent, common) in [("2", 2), ("1-2", 2), ("2-3", 3), ("3-4", 3)] {
            assert_eq!(server.with_agent(of(agent)), Ok(common), "{agent}");
        }
        assert_eq!(server.with_agent(of("1")), Err(Mismatch::AgentTooOld { agent: of("1"), server }));
        assert_eq!(server.with_agent(of("4-5")), Err(Mismatch::ServerTooOld { agent: of("4-5"), server }));
    }

    #[test]
    fn versions_are_read_as_they_are_written() {
        for text in ["1", "1-2"] {
            assert_eq!(of(text).to_string(), text);
        }
        for text in ["", "2-1", "one", "1-", "-1", "1-2-3"] {
            assert!(text.parse::<Protocols>().is_err(), "{text}");
        }
    }
}
