//! What an agent is asked, and its way to hand it over.

use crate::{
    agent::LinkError,
    exec::{ExecFrame, ExecInput, ExecRequest},
    id::{HostId, StreamId},
    log::{LogFrame, LogRequest},
};
use async_trait::async_trait;
use futures::{Sink, stream::BoxStream};
use serde::{Deserialize, Serialize};
use std::{fmt, pin::Pin, time::Duration};

/// An agent's way to those who ask at one server.
#[async_trait]
pub trait StreamLink: Send + Sync + fmt::Debug {
    /// Asks what is wanted and waits up to `wait` for the first; an empty answer says that there was nothing.
    ///
    /// A request that nobody served is told again after some seconds: an answer may be lost.
    async fn asked(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError>;

    /// Hands over a log, as fast as its reader takes it. `Ok` says that it is over, because the frames or the reader
    /// ended; what nobody waits for any more is over at once.
    ///
    /// *Cancellation*: dropping the future ends the reader's stream as one that was lost.
    async fn serve(
        &self,
        host: &HostId,
        stream: &StreamId,
        frames: BoxStream<'static, LogFrame>,
    ) -> Result<(), LinkError>;

    /// Takes up the line to whoever wants a command to be run; `None`: nobody waits for it any more.
    ///
    /// *Cancellation*: dropping the line ends the reader's session as one that was lost.
    async fn attach(&self, host: &HostId, stream: &StreamId) -> Result<Option<ExecLine>, LinkError>;
}

/// A line in both directions, as the agent holds it.
pub struct ExecLine {
    /// What comes for the command; it ends with the reader.
    pub input: BoxStream<'static, ExecInput>,
    /// Where to what comes from it goes. It fails once the reader is gone.
    pub output: Pin<Box<dyn Sink<ExecFrame, Error = LinkError> + Send>>,
}

impl fmt::Debug for ExecLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecLine").finish_non_exhaustive()
    }
}

/// A question for what is wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamCall {
    /// The agent's host.
    pub host: HostId,
    /// Its session.
    pub epoch: u64,
    /// How long to wait for the first.
    pub wait: Duration,
    /// What it can do beside reading logs; an agent of an older version does not say it.
    #[serde(default)]
    pub can: Vec<Ability>,
}

impl StreamCall {
    /// The question of an agent of this version.
    pub fn new(host: HostId, epoch: u64, wait: Duration) -> Self {
        Self { host, epoch, wait, can: vec![Ability::Exec] }
    }
}

/// Something that an agent can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ability {
    /// It runs commands in containers.
    Exec,
    /// One that this version does not know.
    #[serde(other)]
    Other,
}

/// Something that is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamRequest {
    /// A log.
    Log(LogRequest),
    /// A command.
    Exec(ExecRequest),
}

impl StreamRequest {
    /// Names the stream.
    pub fn stream(&self) -> &StreamId {
        match self {
            Self::Log(request) => &request.stream,
            Self::Exec(request) => &request.stream,
        }
    }
}
