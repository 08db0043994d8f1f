//! `/ws`: the same events over a WebSocket, one JSON object per text frame.
//!
//! A frame is made once for all who watch; what one of them is to have at a time goes out in one write.

use super::{
    AppState,
    events::{EventQuery, open},
    input::Params,
    problem::Problem,
    upgrade::{Socket, Upgrade},
};
use crate::{
    auth::{Cut, Identity, Lifeline, Reach},
    events::{Follower, Frame},
};
use axum::{Extension, extract::State, response::Response};
use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use graphium_core::store::StoreError;
use std::{pin::Pin, time::Duration};
use tokio::{
    io::AsyncWriteExt as _,
    time::{Instant, Sleep, timeout},
};
use tokio_tungstenite::tungstenite::{
    Error, Message, Utf8Bytes,
    protocol::{CloseFrame, WebSocketConfig},
};

/// How long a peer may take to take what is sent at once. One that is slower resumes by number.
const SLOW: Duration = Duration::from_secs(10);

/// How often a peer is asked whether it lives; one that says nothing until the next time is gone.
const PING: Duration = Duration::from_secs(20);

/// Why a socket is closed: the codes of RFC 6455, and our own above 4000, which carry the status of HTTP.
mod close {
    pub(super) const GOING_AWAY: u16 = 1001;
    pub(super) const ERROR: u16 = 1011;
    pub(super) const TRY_AGAIN: u16 = 1013;
    pub(super) const UNAUTHORIZED: u16 = 4401;
    pub(super) const GONE: u16 = 4410;
}

pub(super) async fn events(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Params(query): Params<EventQuery>,
    upgrade: Upgrade,
) -> Result<Response, Problem> {
    let (follower, backlog) = open(&state, query.after).await?;
    let lifeline = Lifeline::new(&state, &caller);
    // Nothing but control frames comes in, and goes out through its buffer.
    let small = WebSocketConfig::default().read_buffer_size(4096).write_buffer_size(0).max_message_size(Some(4096));
    Ok(upgrade.accept(small, move |socket| async move {
        let ping = Box::pin(tokio::time::sleep(PING));
        let (reach, unsent) = (caller.reach, Bytes::new());
        let mut session = Session { socket, follower, lifeline, reach, ping, asked: false, unsent };
        let (code, reason) = session.run(backlog).await;
        session.close(code, reason).await;
    }))
}

struct Session {
    socket: Socket,
    follower: Follower,
    lifeline: Lifeline,
    reach: Reach,
    /// When the peer is asked next whether it lives.
    ping: Pin<Box<Sleep>>,
    /// Whether it was asked and has said nothing since.
    asked: bool,
    /// What is left of the write that is under way: whatever is sent after it must not tear a frame apart.
    unsent: Bytes,
}

impl Session {
    /// Sends events until something ends it; says what.
    async fn run(&mut self, mut frames: Vec<Frame>) -> (u16, &'static str) {
        loop {
            if let Err(end) = self.tell(frames).await {
                return end;
            }
            // Who is far behind never waits, and is cut here.
            let next = tokio::select! {
                biased;
                cut = self.lifeline.cut() => return ended(cut),
                next = self.follower.next() => next,
            };
            frames = match next {
                Ok(frames) => frames,
                Err(StoreError::Pruned { .. }) => return (close::GONE, "these events are gone"),
                Err(_) => return (close::ERROR, "the store does not answer; resume by number"),
            };
            if frames.is_empty()
                && let Err(end) = self.wait().await
            {
                return end;
            }
        }
    }

    /// Returns when there may be more to send.
    async fn wait(&mut self) -> Result<(), (u16, &'static str)> {
        loop {
            // What the peer has said counts before it is found to be silent.
            tokio::select! {
                biased;
                cut = self.lifeline.cut() => return Err(ended(cut)),
                message = self.socket.next() => match message {
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return Err((close::GOING_AWAY, "")),
                    Some(Ok(_)) => self.asked = false,
                },
                () = self.follower.wait() => return Ok(()),
                () = &mut self.ping => {
                    if self.asked {
                        return Err((close::GOING_AWAY, "the peer is silent"));
                    }
                    self.asked = true;
                    self.ping.as_mut().reset(Instant::now() + PING);
                    sent(timeout(SLOW, self.socket.send(Message::Ping(Bytes::new()))).await)?;
                }
            }
        }
    }

    /// Sends some events in one write.
    async fn tell(&mut self, frames: Vec<Frame>) -> Result<(), (u16, &'static str)> {
        let wanted = frames.iter().filter(|frame| self.reach.includes(frame.stack.as_deref()));
        let bytes = wanted.fold(Vec::new(), |mut bytes, frame| {
            bytes.extend_from_slice(&frame.wire);
            bytes
        });
        self.unsent = bytes.into();
        sent(timeout(SLOW, self.write()).await)
    }

    /// Writes what is left to be written.
    ///
    /// Cancellation: what has been written by then is written.
    async fn write(&mut self) -> Result<(), Error> {
        if self.unsent.is_empty() {
            return Ok(());
        }
        // What the socket sends by itself, answers to pings, goes first.
        self.socket.flush().await?;
        let connection = self.socket.get_mut();
        while !self.unsent.is_empty() {
            connection.write_buf(&mut self.unsent).await?;
        }
        self.unsent = Bytes::new();
        Ok(connection.flush().await?)
    }

    /// Says why it ends, to a peer that may not listen any more.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: Utf8Bytes::from_static(reason) };
        let farewell = async {
            self.write().await?;
            self.socket.send(Message::Close(Some(frame))).await
        };
        let _gone = timeout(Duration::from_secs(1), farewell).await;
    }
}

/// What became of what was sent.
fn sent(outcome: Result<Result<(), Error>, tokio::time::error::Elapsed>) -> Result<(), (u16, &'static str)> {
    match outcome {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err((close::GOING_AWAY, "")),
        Err(_) => Err((close::TRY_AGAIN, "the peer is too slow; resume by number")),
    }
}

fn ended(cut: Cut) -> (u16, &'static str) {
    match cut {
        Cut::Stopping => (close::GOING_AWAY, "the server is ending"),
        Cut::Revoked => (close::UNAUTHORIZED, "the token was revoked"),
    }
}
