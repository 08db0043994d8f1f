//! Commands within containers, as an engine carries them out.

use super::{LogSource, RuntimeError};
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};

/// A command, and how it is run. No shell reads it.
///
/// Arguments and variables may be secrets: nothing but [`program`](Self::program) is ever written of it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExecSpec {
    /// The program and its arguments.
    pub command: Vec<String>,
    /// It reads what it is sent; otherwise its standard input is empty.
    #[serde(default)]
    pub stdin: bool,
    /// It gets a terminal of this size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<TerminalSize>,
    /// As whom it runs, `user`, `uid` or `user:group`; absent: as the container does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it runs; absent: where the container does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workdir: Option<String>,
    /// Variables beside those of the container.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub environment: BTreeMap<String, String>,
}

impl ExecSpec {
    /// What is run, without its arguments.
    pub fn program(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }
}

impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSpec").field("program", &self.program()).finish_non_exhaustive()
    }
}

/// How large a terminal is, in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TerminalSize {
    /// Lines.
    pub rows: u16,
    /// Characters in a line.
    pub columns: u16,
}

/// What a command is given while it runs.
pub struct ExecFeed {
    /// Its standard input, until the end of that. It is read as fast as the command takes it.
    pub stdin: BoxStream<'static, Vec<u8>>,
    /// Other sizes of its terminal.
    pub sizes: BoxStream<'static, TerminalSize>,
}

impl fmt::Debug for ExecFeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecFeed").finish_non_exhaustive()
    }
}

/// A command that runs.
pub struct Execution {
    /// The engine's id of its container.
    pub container_id: String,
    /// What it does, until it [ends](ExecEvent::Exited) or an error.
    pub events: BoxStream<'static, Result<ExecEvent, RuntimeError>>,
}

impl fmt::Debug for Execution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execution").field("container_id", &self.container_id).finish_non_exhaustive()
    }
}

/// Something that a command does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExecEvent {
    /// It wrote that. With a terminal all is [`LogSource::Stdout`].
    Wrote(LogSource, Vec<u8>),
    /// It ended with this code. The last event.
    Exited(i64),
}
