//! A WebSocket joined with the two ways of a command, for whoever asked and for the agent alike.
//!
//! Each way goes on while the other waits. What comes is always read: how far ahead a sender may be is agreed upon end to end (see
//! [`graphium_core::exec`]), so one that blocks a way is lost or does not keep to it.

use axum::extract::ws::{Message as Frame, WebSocket, WebSocketUpgrade};
use bytes::Bytes;
use futures::{
    Sink, SinkExt as _, Stream, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use graphium_core::exec::Message;
use std::{pin::pin, time::Duration};
use tokio::time::timeout;

/// How often a peer is asked whether it lives, and how long it may be silent.
const PING: Duration = Duration::from_secs(15);
const SILENCE: Duration = Duration::from_secs(45);
/// How long a peer, or what lies behind it, may take nothing.
const STALL: Duration = Duration::from_secs(30);
/// How long a peer may take to close a connection that is over.
const LINGER: Duration = Duration::from_secs(5);
/// The largest message: a command with its arguments.
const LARGEST: usize = 128 * 1024;

/// A socket whose buffers are as small as its messages.
pub(super) fn sized(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.read_buffer_size(16 * 1024).write_buffer_size(0).max_message_size(LARGEST).max_frame_size(LARGEST)
}

/// Carries what comes to `into` and what `from` says to the peer, until either is over.
pub(super) async fn join<T>(
    sink: SplitSink<WebSocket, Frame>,
    stream: SplitStream<WebSocket>,
    into: impl Sink<T>,
    from: impl Stream<Item = Message>,
    read: impl Fn(Message) -> Option<T>,
) {
    let mut up = pin!(up(stream, into, read));
    tokio::select! {
        () = &mut up => return,
        () = down(sink, from) => {}
    }
    // What a peer sends until it has heard the end is read all the same: a connection that is closed before that loses the end.
    let _ = timeout(LINGER, up).await;
}

async fn up<T>(mut stream: SplitStream<WebSocket>, into: impl Sink<T>, read: impl Fn(Message) -> Option<T>) {
    let mut into = pin!(into);
    let mut is_wanted = true;
    while let Some(message) = heard(&mut stream).await {
        // What a newer program says is passed over.
        let Some(message) = read(message).filter(|_| is_wanted) else { continue };
        match timeout(STALL, into.send(message)).await {
            Ok(Ok(())) => {}
            // Nobody has a use for it any more; what is on its way back gets through all the same.
            Ok(Err(_)) => is_wanted = false,
            Err(_) => return,
        }
    }
}

/// The next message of a peer that lives.
pub(super) async fn heard(stream: &mut SplitStream<WebSocket>) -> Option<Message> {
    loop {
        match timeout(SILENCE, stream.next()).await {
            Ok(Some(Ok(Frame::Text(text)))) => return Some(Message::Text(text.as_str().to_owned())),
            Ok(Some(Ok(Frame::Binary(bytes)))) => return Some(Message::Binary(bytes.into())),
            Ok(Some(Ok(Frame::Ping(_) | Frame::Pong(_)))) => {}
            Ok(Some(Ok(Frame::Close(_)) | Err(_)) | None) | Err(_) => return None,
        }
    }
}

async fn down(mut sink: SplitSink<WebSocket, Frame>, from: impl Stream<Item = Message>) {
    let mut from = pin!(from);
    loop {
        let frame = match timeout(PING, from.next()).await {
            Ok(Some(Message::Text(text))) => Frame::Text(text.into()),
            Ok(Some(Message::Binary(bytes))) => Frame::Binary(bytes.into()),
            Ok(None) => {
                // One that has gone needs no farewell.
                let _ = timeout(Duration::from_secs(1), sink.close()).await;
                return;
            }
            Err(_) => Frame::Ping(Bytes::new()),
        };
        if !matches!(timeout(STALL, sink.send(frame)).await, Ok(Ok(()))) {
            return;
        }
    }
}
