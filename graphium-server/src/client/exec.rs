//! Commands in containers: run for whoever wants to, and served by agents.

use super::{Client, ClientError, logs::HttpStreamLink, socket};
use futures::{FutureExt as _, Sink, SinkExt as _, StreamExt as _, future::ready, stream::BoxStream};
use graphium_core::{
    agent::LinkError,
    exec::{ExecFrame, ExecInput, Message},
    id::{HostId, StreamId},
    runtime::ExecSpec,
    stream::ExecLine,
};
use reqwest::Method;
use std::{fmt, pin::Pin, time::Duration};

/// A command that was asked for, as its caller holds it. Dropping it leaves the command alone.
///
/// Neither side sends more than a [window](graphium_core::exec::WINDOW) of bytes ahead: what was used of the output is to be
/// [told](ExecInput::Taken).
pub struct ExecSocket {
    /// What comes. An error is the last item, and so is [`ExecFrame::End`].
    pub frames: BoxStream<'static, Result<ExecFrame, ClientError>>,
    /// Where to what is sent goes.
    pub input: Pin<Box<dyn Sink<ExecInput, Error = ClientError> + Send>>,
}

impl fmt::Debug for ExecSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSocket").finish_non_exhaustive()
    }
}

impl Client {
    /// Runs a command in a container, which is named by the engine's id, or as `<host>/<name>`. `wait` says how long its agent is waited
    /// for; absent: as the server will, half a minute.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Conflict`] for a container that is not Graphium's and an agent that is too old,
    /// and what any call can fail with. What goes wrong later is the end of the frames.
    pub async fn exec(&self, id: &str, exec: &ExecSpec, wait: Option<Duration>) -> Result<ExecSocket, ClientError> {
        let mut call = self.call(Method::GET, &["containers", id, "exec"]);
        if let Some(wait) = wait {
            call = call.query("wait", &wait.as_secs_f64().to_string());
        }
        let url = format!("{}/api/v1/containers/{id}/exec", self.base_url());
        let (mut sender, receiver) = socket::open(call, &url).await?;
        let lost = move |reason: String| ClientError::Unreachable { url: url.clone(), reason };
        // Words, numbers and maps of them: they always serialise.
        let question = Message::Text(serde_json::to_string(exec).unwrap_or_default());
        sender.send(question).await.map_err(lost.clone())?;
        let is_lost = lost.clone();
        let frames = receiver.filter_map(move |message| {
            let frame = message.map_err(is_lost.clone()).map(Message::into_frame);
            ready(frame.transpose())
        });
        let input = sender.sink_map_err(lost).with(|input: ExecInput| ready(Ok(Message::from(input))).boxed());
        Ok(ExecSocket { frames: frames.boxed(), input: Box::pin(input) })
    }
}

impl HttpStreamLink {
    pub(super) async fn attached(&self, host: &HostId, stream: &StreamId) -> Result<Option<ExecLine>, LinkError> {
        let call = self.client.agents_call(Method::GET, &["agents", host.as_str(), "streams", stream.as_str()]);
        let url = format!("{}/api/v1/agents/{host}/streams/{stream}", self.client.base_url());
        let (sender, receiver) = match socket::open(call, &url).await {
            Ok(opened) => opened,
            Err(ClientError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        // Whatever breaks it off, nobody is there any more.
        let input = receiver.take_while(|message| ready(message.is_ok()));
        let input = input.filter_map(|message| ready(message.ok().and_then(Message::into_input)));
        let output = sender.sink_map_err(LinkError::Unreachable);
        let output = output.with(|frame: ExecFrame| ready(Ok(Message::from(frame))).boxed());
        Ok(Some(ExecLine { input: input.boxed(), output: Box::pin(output) }))
    }
}
