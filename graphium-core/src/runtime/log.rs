//! What containers write, as an engine hands it out.

use super::RuntimeError;
use futures::stream::BoxStream;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Which part of a container's log is asked for; the default is all that is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LogQuery {
    /// How much of what is there already.
    pub tail: Tail,
    /// Only what was written at this moment or later.
    pub since: Option<Timestamp>,
    /// Go on with what the container writes, until it ends.
    pub follow: bool,
    /// Of a container with a terminal: let the engine put the time before each line. What others write has its
    /// [time](LogEntry::time) anyway.
    pub timestamps: bool,
}

/// How much of what was written already.
///
/// # Example
/// ```
/// use graphium_core::runtime::Tail;
///
/// assert_eq!("100".parse::<Tail>().unwrap(), Tail::Last(100));
/// assert_eq!("all".parse::<Tail>().unwrap(), Tail::All);
/// assert!("few".parse::<Tail>().is_err());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Tail {
    /// All of it.
    #[default]
    All,
    /// The last so many lines.
    Last(usize),
}

impl FromStr for Tail {
    type Err = String;

    /// Reads `all` or a number of lines.
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Last).map_err(|_| format!("`{text}` is neither `all` nor a number of lines")),
        }
    }
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::Last(lines) => write!(f, "{lines}"),
        }
    }
}

impl From<Tail> for String {
    fn from(tail: Tail) -> Self {
        tail.to_string()
    }
}

impl TryFrom<String> for Tail {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// Where a container wrote something to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSource {
    /// Its standard output.
    Stdout,
    /// Its standard error.
    Stderr,
    /// Its terminal, which knows no difference and keeps no times.
    Console,
}

/// A piece of a log: a line with its end, or a part of one that is long or not ended yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Where it was written to.
    pub source: LogSource,
    /// When, by the clock of its host; absent for [`LogSource::Console`].
    pub time: Option<Timestamp>,
    /// As it was written.
    pub bytes: Vec<u8>,
}

/// The log of one container.
pub struct ContainerLog {
    /// The engine's id of the container: another one of the same name is another container.
    pub id: String,
    /// What it wrote, each source in its order, until an error or the end.
    pub entries: BoxStream<'static, Result<LogEntry, RuntimeError>>,
}

impl fmt::Debug for ContainerLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContainerLog").field("id", &self.id).finish_non_exhaustive()
    }
}
