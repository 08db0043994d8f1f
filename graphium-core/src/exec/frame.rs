//! What travels: bytes as they are, and words about them as JSON.

use crate::{
    id::StreamId,
    log::{EndReason, LogWait},
    runtime::{ExecSpec, LogSource, TerminalSize},
};
use serde::{Deserialize, Serialize};

/// How many bytes either side sends ahead of what the other has used.
pub const WINDOW: usize = 256 * 1024;
/// How large one piece may be.
pub const LARGEST: usize = 16 * 1024;

/// What a piece of the output begins with, by where it was written to.
const OUTPUT: u8 = 1;
const ERRORS: u8 = 2;

/// A command that somebody wants to be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecRequest {
    /// Names the stream.
    pub stream: StreamId,
    /// Name of the container on the engine.
    pub container: String,
    /// The engine's id of the container that is meant; absent: whichever bears the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What is run in it.
    pub exec: ExecSpec,
}

/// Towards the command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExecInput {
    /// For its standard input.
    #[serde(skip)]
    Stdin(Vec<u8>),
    /// The end of its standard input.
    Close {},
    /// Its terminal has another size.
    Resize(TerminalSize),
    /// So many bytes of its output have been used.
    Taken(usize),
}

/// From the command.
///
/// # Example
/// ```
/// use graphium_core::{exec::{ExecFrame, Message}, log::EndReason, runtime::LogSource};
///
/// let output = ExecFrame::Output(LogSource::Stdout, b"bin\netc\n".to_vec());
/// assert!(matches!(Message::from(output), Message::Binary(_)));
/// let Message::Text(end) = Message::from(ExecFrame::end(EndReason::Removed, "")) else { panic!("it is a text") };
/// assert!(end.contains("removed"), "{end}");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ExecFrame {
    /// It has not begun: what is waited for, and until when.
    Waiting(LogWait),
    /// It runs.
    Begin(ExecBegin),
    /// It wrote that.
    #[serde(skip)]
    Output(LogSource, Vec<u8>),
    /// So many bytes of its standard input have been used.
    Taken(usize),
    /// It is over. The last frame.
    End(ExecEnd),
}

/// Where a command runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecBegin {
    /// The engine's id of the container.
    pub container_id: String,
}

/// How it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecEnd {
    /// For programs; [`EndReason::Exited`] where the command itself ended.
    pub reason: EndReason,
    /// For people, a sentence; empty where there is nothing to say.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// What the command ended with; absent where it did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
}

/// One message of a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// Words, as JSON.
    Text(String),
    /// Bytes.
    Binary(Vec<u8>),
}

impl ExecFrame {
    /// An end for which the command is not the reason.
    pub fn end(reason: EndReason, detail: impl Into<String>) -> Self {
        Self::End(ExecEnd { reason, detail: detail.into(), exit_code: None })
    }
}

impl From<ExecInput> for Message {
    fn from(input: ExecInput) -> Self {
        match input {
            ExecInput::Stdin(bytes) => Self::Binary(bytes),
            words => Self::words(&words),
        }
    }
}

impl From<ExecFrame> for Message {
    fn from(frame: ExecFrame) -> Self {
        match frame {
            ExecFrame::Output(source, mut bytes) => {
                bytes.insert(0, if source == LogSource::Stderr { ERRORS } else { OUTPUT });
                Self::Binary(bytes)
            }
            words => Self::words(&words),
        }
    }
}

impl Message {
    fn words(words: &impl Serialize) -> Self {
        // Words and numbers: they always serialise.
        Self::Text(serde_json::to_string(words).unwrap_or_default())
    }

    /// As something that goes to a command; `None`: it is nothing of that kind, a newer program's.
    pub fn into_input(self) -> Option<ExecInput> {
        match self {
            Self::Binary(bytes) => Some(ExecInput::Stdin(bytes)),
            Self::Text(text) => serde_json::from_str(&text).ok(),
        }
    }

    /// As something that comes from a command; `None`: it is nothing of that kind, a newer program's.
    pub fn into_frame(self) -> Option<ExecFrame> {
        match self {
            Self::Binary(mut bytes) => {
                let source = match *bytes.first()? {
                    OUTPUT => LogSource::Stdout,
                    ERRORS => LogSource::Stderr,
                    _ => return None,
                };
                bytes.remove(0);
                Some(ExecFrame::Output(source, bytes))
            }
            Self::Text(text) => serde_json::from_str(&text).ok(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_comes_back_as_it_was() {
        let size = TerminalSize { rows: 24, columns: 80 };
        for (input, wire) in [
            (ExecInput::Close {}, r#"{"close":{}}"#),
            (ExecInput::Resize(size), r#"{"resize":{"rows":24,"columns":80}}"#),
            (ExecInput::Taken(7), r#"{"taken":7}"#),
        ] {
            assert_eq!(Message::from(input.clone()), Message::Text(wire.to_owned()));
            assert_eq!(Message::from(input.clone()).into_input(), Some(input));
        }
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(Message::from(ExecInput::Stdin(all.clone())), Message::Binary(all.clone()));
        for source in [LogSource::Stdout, LogSource::Stderr] {
            let frame = ExecFrame::Output(source, all.clone());
            assert_eq!(Message::from(frame.clone()).into_frame(), Some(frame));
        }
        let end = ExecFrame::End(ExecEnd { reason: EndReason::Exited, detail: String::new(), exit_code: Some(3) });
        let wire = r#"{"end":{"reason":"exited","exitCode":3}}"#;
        assert_eq!(Message::from(end.clone()), Message::Text(wire.to_owned()));
        assert_eq!(Message::from(end.clone()).into_frame(), Some(end));
    }

    #[test]
    fn what_a_newer_program_says_is_nothing_and_no_mistake() {
        assert_eq!(Message::Text(r#"{"newer":1}"#.to_owned()).into_input(), None);
        assert_eq!(Message::Text("{".to_owned()).into_frame(), None);
        assert_eq!(Message::Binary(vec![9, 1]).into_frame(), None);
        assert_eq!(Message::Binary(Vec::new()).into_frame(), None);
    }

    #[test]
    fn no_argument_and_no_variable_is_shown() {
        let environment = [("KEY".to_owned(), "s3cret".to_owned())].into();
        let command = ["login", "--password", "s3cret"].map(str::to_owned).to_vec();
        let exec = ExecSpec { command, environment, ..ExecSpec::default() };
        let request = ExecRequest { stream: StreamId::new("s"), container: "web".to_owned(), id: None, exec };
        let shown = format!("{request:?}");
        assert!(shown.contains("login") && !shown.contains("s3cret"), "{shown}");
    }
}
