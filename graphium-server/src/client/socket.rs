//! WebSockets: taken over from a call, so that address, token and errors are those of every other one.

use super::{
    ClientError,
    call::{Call, reason},
};
use bytes::Bytes;
use futures::{
    FutureExt as _, Sink, SinkExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use graphium_core::exec::Message;
use reqwest::{StatusCode, Upgraded};
use std::{pin::Pin, time::Duration};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message as Frame, handshake::client::generate_key, protocol::Role},
};

/// How long it may take to come about.
const OPENING: Duration = Duration::from_secs(20);
/// A server that is silent for so long is lost: it asks every 15 s whether its peer lives.
const SILENCE: Duration = Duration::from_secs(45);

/// What is sent, and what comes.
pub(super) type Sender = Pin<Box<dyn Sink<Message, Error = String> + Send>>;
pub(super) type Receiver = BoxStream<'static, Result<Message, String>>;

/// Opens it.
pub(super) async fn open(call: Call, url: &str) -> Result<(Sender, Receiver), ClientError> {
    let call = call
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-version", "13")
        .header("sec-websocket-key", &generate_key())
        .deadline(OPENING);
    let lost = |reason: String| ClientError::Unreachable { url: url.to_owned(), reason };
    let response = call.send().await?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(lost("it opens no WebSocket; a proxy before it has to pass `Upgrade` on".to_owned()));
    }
    let upgraded = response.upgrade().await.map_err(|error| lost(reason(&error)))?;
    let socket = WebSocketStream::from_raw_socket(upgraded, Role::Client, None).await;
    Ok(split(socket))
}

fn split(socket: WebSocketStream<Upgraded>) -> (Sender, Receiver) {
    let (sink, stream) = socket.split();
    let sink = sink.sink_map_err(|error| error.to_string()).with(|message| {
        let frame = match message {
            Message::Text(text) => Frame::Text(text.into()),
            Message::Binary(bytes) => Frame::Binary(Bytes::from(bytes)),
        };
        std::future::ready(Ok(frame)).boxed()
    });
    let messages = stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        loop {
            let failed = match tokio::time::timeout(SILENCE, stream.next()).await {
                Ok(Some(Ok(Frame::Text(text)))) => {
                    return Some((Ok(Message::Text(text.as_str().to_owned())), Some(stream)));
                }
                Ok(Some(Ok(Frame::Binary(bytes)))) => return Some((Ok(Message::Binary(bytes.into())), Some(stream))),
                Ok(Some(Ok(Frame::Close(_))) | None) => return None,
                Ok(Some(Ok(_))) => continue,
                Ok(Some(Err(error))) => error.to_string(),
                Err(_) => "it has not been heard for 45 s".to_owned(),
            };
            return Some((Err(failed), None));
        }
    });
    (Box::pin(sink), messages.fuse().boxed())
}
