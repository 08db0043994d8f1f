//! What travels: one JSON object a line.

use crate::runtime::{LogEntry, LogSource};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One step of a log on its way to its reader.
///
/// # Example
/// ```
/// use graphium_core::log::{EndReason, LogFrame};
///
/// let end = LogFrame::end(EndReason::HostAway, "the agent of `vm1` is away");
/// let line = end.to_json_line();
/// assert!(line.ends_with(b"}\n"));
/// assert_eq!(serde_json::from_slice::<LogFrame>(&line)?, end);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LogFrame {
    /// The agent reads it. What comes before this frame is the server's.
    Begin(LogBegin),
    /// It has not begun: what is waited for, and until when.
    Waiting(LogWait),
    /// It is over. The last frame.
    End(End),
    /// A piece of the log; alone of all frames it has no name of its own.
    #[serde(untagged)]
    Line(LogLine),
}

/// Whose log it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogBegin {
    /// The engine's id of the container.
    pub container_id: String,
    /// What the host's clock said just before the log was asked for: what comes later is written later. Absent: the agent is of a
    /// version that did not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<Timestamp>,
}

/// What a log that has not begun waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogWait {
    /// For people.
    pub detail: String,
    /// It is given up then.
    pub until: Timestamp,
}

/// How a log ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct End {
    /// For programs.
    pub reason: EndReason,
    /// For people, a sentence; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

impl End {
    /// An end with its words.
    pub fn new(reason: EndReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }
}

/// Why a log ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// All that there was has been read.
    Complete,
    /// The container that was followed does not run any more.
    Exited,
    /// The container that was followed is gone, or another has its name.
    Removed,
    /// There is no such container.
    NotFound,
    /// The container is not Graphium's: its log is nobody's business here.
    NotOurs,
    /// The container engine does not answer, or went away.
    EngineAway,
    /// The container engine refuses.
    Refused,
    /// The agent serves as many as it will at a time.
    TooMany,
    /// The agent did not come in time.
    HostAway,
    /// The agent, or the way to it, was lost.
    AgentLost,
    /// The reader's token was revoked.
    Revoked,
    /// The agent is of a version that cannot do it.
    Unable,
    /// Nothing came and nothing went for too long.
    Idle,
    /// What came was none of this protocol.
    Breach,
    /// The server ends.
    Stopping,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

impl EndReason {
    /// Whether the log goes on elsewhere or later, and can be asked for again from where it broke off.
    pub fn is_a_break(self) -> bool {
        matches!(self, Self::EngineAway | Self::TooMany | Self::HostAway | Self::AgentLost | Self::Stopping)
    }

    /// Whether everything that was asked for has been read.
    pub fn is_an_end(self) -> bool {
        matches!(self, Self::Complete | Self::Exited | Self::Removed)
    }
}

/// A piece of a log: a line, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
pub struct LogLine {
    /// What was written, and where to.
    pub entry: LogEntry,
}

/// A piece as it is written: without the end of the line, but for parts of one, which say so.
#[derive(Serialize, Deserialize)]
struct Written {
    stream: LogSource,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    time: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    /// In the place of a text that is not UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl From<LogLine> for Written {
    fn from(line: LogLine) -> Self {
        let LogEntry { source, time, mut bytes } = line.entry;
        let partial = bytes.last() != Some(&b'\n');
        if !partial {
            bytes.pop();
        }
        let (text, base64) = match String::from_utf8(bytes) {
            Ok(text) => (Some(text), None),
            Err(error) => (None, Some(STANDARD.encode(error.as_bytes()))),
        };
        Self { stream: source, time, text, base64, partial }
    }
}

impl TryFrom<Written> for LogLine {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let mut bytes = match (written.text, written.base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => STANDARD.decode(text).map_err(|error| format!("`base64` is not: {error}"))?,
            _ => return Err("a piece of a log has either `text` or `base64`".to_owned()),
        };
        if !written.partial {
            bytes.push(b'\n');
        }
        Ok(Self { entry: LogEntry { source: written.stream, time: written.time, bytes } })
    }
}

impl LogFrame {
    /// How large a piece of a log may be.
    pub const LARGEST: usize = 16 * 1024;

    /// A piece of a log.
    pub fn line(entry: LogEntry) -> Self {
        Self::Line(LogLine { entry })
    }

    /// The end of a log.
    pub fn end(reason: EndReason, detail: impl Into<String>) -> Self {
        Self::End(End::new(reason, detail))
    }

    /// The frame as a line of JSON, with its end.
    pub fn to_json_line(&self) -> Vec<u8> {
        // Words, numbers and times: they always serialise.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}
