//! Logs over HTTP: read by whoever wants to, and handed over by agents.

use super::{Client, ClientError, call::reason, ride::Ride};
use crate::api::{
    frames::FrameParser,
    wire::{StreamCallBody, StreamRequests},
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _,
    channel::oneshot,
    stream::{self, BoxStream},
};
use graphium_core::{
    agent::LinkError,
    id::{HostId, StreamId},
    log::{LogFrame, Since},
    runtime::Tail,
    stream::{ExecLine, StreamCall, StreamLink, StreamRequest},
};
use reqwest::{Body, Method};
use std::{convert::Infallible, fmt, sync::Arc, time::Duration};

/// A stream that says nothing for so long is dead: both ends say every 15 s that they live.
const SILENCE: Duration = Duration::from_secs(45);
const ALIVE: Duration = Duration::from_secs(15);
/// How long a log may be read at most before it is asked for anew.
const LIFE: Duration = Duration::from_secs(24 * 3600);
/// How much longer than its wait a question for logs may take.
const MARGIN: Duration = Duration::from_secs(8);
/// How many frames leave together at most.
const TOGETHER: usize = 64;

/// Which part of a log is asked for; the default is all that is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogOptions {
    /// How much of what is there already.
    pub tail: Tail,
    /// From when on.
    pub since: Since,
    /// Go on with what the container writes.
    pub follow: bool,
    /// Of a container with a terminal: with times. What others write has its time anyway.
    pub timestamps: bool,
    /// How long the agent of the container's host is waited for; absent: as the server will, half a minute.
    pub wait: Option<Duration>,
}

/// A log as it comes. An error is the last item, and so is [`LogFrame::End`].
pub struct LogFrames(BoxStream<'static, Result<LogFrame, ClientError>>);

impl fmt::Debug for LogFrames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFrames").finish_non_exhaustive()
    }
}

impl LogFrames {
    /// The next frame.
    pub async fn next(&mut self) -> Option<Result<LogFrame, ClientError>> {
        self.0.next().await
    }
}

impl Client {
    /// The log of a container, by the engine's id, or by name as `<host>/<name>`.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Conflict`] for a container that is not Graphium's, and what any call can fail with.
    pub async fn container_logs(&self, id: &str, options: &LogOptions) -> Result<LogFrames, ClientError> {
        let LogOptions { tail, since, follow, timestamps, wait } = options;
        let word = |flag: &bool| if *flag { "true" } else { "false" };
        let mut call = self
            .call(Method::GET, &["containers", id, "logs"])
            .query("tail", &tail.to_string())
            .query("since", &since.to_string())
            .query("follow", word(follow))
            .query("timestamps", word(timestamps))
            .header("accept", "application/x-ndjson")
            .deadline(LIFE);
        if let Some(wait) = wait {
            call = call.query("wait", &wait.as_secs_f64().to_string());
        }
        let url = format!("{}/api/v1/containers/{id}/logs", self.base_url());
        let lost = move |reason: String| ClientError::Unreachable { url: url.clone(), reason };
        let answered = tokio::time::timeout(SILENCE, call.send()).await;
        let response = answered.map_err(|_| lost("it took too long".to_owned()))??;
        let body = response.bytes_stream().boxed();
        let frames = stream::unfold(Some((FrameParser::default(), body)), move |state| {
            let lost = lost.clone();
            async move {
                let (mut parser, mut body) = state?;
                loop {
                    if let Some(frame) = parser.next() {
                        let is_last = matches!(frame, LogFrame::End(_));
                        return Some((Ok(frame), (!is_last).then_some((parser, body))));
                    }
                    let what = match tokio::time::timeout(SILENCE, body.next()).await {
                        Ok(Some(Ok(bytes))) => match parser.feed(&bytes) {
                            Some(()) => continue,
                            None => "its answer is no log".to_owned(),
                        },
                        Ok(Some(Err(error))) => reason(&error),
                        Ok(None) => "the log broke off".to_owned(),
                        Err(_) => "it has not been heard for 45 s".to_owned(),
                    };
                    return Some((Err(lost(what)), None));
                }
            }
        });
        Ok(LogFrames(frames.boxed()))
    }
}

/// An agent's way to the readers at one server.
#[derive(Debug)]
pub(super) struct HttpStreamLink {
    pub(super) client: Client,
    /// What is wanted comes with the agent's claims, where its server brings it.
    ride: Option<Arc<Ride>>,
}

impl HttpStreamLink {
    pub(super) fn new(client: Client, ride: Option<Arc<Ride>>) -> Self {
        Self { client, ride }
    }

    /// Asks by a request of its own.
    async fn ask(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError> {
        let body = StreamCallBody { epoch: call.epoch, wait_seconds: call.wait.as_secs_f64(), can: call.can.clone() };
        let request = self.client.agents_call(Method::POST, &["agents", call.host.as_str(), "streams"]);
        let answer: StreamRequests = request.deadline(call.wait + MARGIN).body(&body).json().await?;
        Ok(answer.into())
    }
}

#[async_trait]
impl StreamLink for HttpStreamLink {
    async fn asked(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError> {
        let Some(ride) = &self.ride else { return self.ask(call).await };
        let by_itself = async {
            ride.is_missed().await;
            self.ask(call).await
        };
        tokio::select! {
            biased;
            brought = ride.brought() => Ok(brought),
            asked = by_itself => asked,
            // Claims come and go, and nothing was wanted.
            () = tokio::time::sleep(call.wait + MARGIN) => Ok(Vec::new()),
        }
    }

    async fn serve(
        &self,
        host: &HostId,
        stream: &StreamId,
        frames: BoxStream<'static, LogFrame>,
    ) -> Result<(), LinkError> {
        // Held until the server has answered, or nobody waits for that any more: then nothing more is read.
        let (over, is_over) = oneshot::channel::<()>();
        let call = self.client.agents_call(Method::POST, &["agents", host.as_str(), "streams", stream.as_str()]);
        let body = Body::wrap_stream(written(frames).take_until(is_over.fuse()));
        let call = call.header("content-type", "application/x-ndjson").deadline(LIFE);
        let answer = call.stream(body).await;
        drop(over);
        Ok(answer.map(drop)?)
    }

    async fn attach(&self, host: &HostId, stream: &StreamId) -> Result<Option<ExecLine>, LinkError> {
        self.attached(host, stream).await
    }
}

/// Frames as bytes; whatever lies ready together, and a sign of life in a silence.
fn written(frames: BoxStream<'static, LogFrame>) -> impl futures::Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::unfold(frames.ready_chunks(TOGETHER), |mut frames| async move {
        let bytes = match tokio::time::timeout(ALIVE, frames.next()).await {
            Ok(together) => together?.iter().flat_map(LogFrame::to_json_line).collect(),
            Err(_) => Bytes::from_static(b"\n"),
        };
        Some((Ok(bytes), frames))
    })
}
