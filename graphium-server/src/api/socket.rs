//! `/ws`: the same events over a WebSocket, one JSON object per text frame.

use super::{
    AppState,
    events::{EventQuery, open},
    input::Params,
    problem::Problem,
};
use crate::{
    auth::{Cut, Identity, Lifeline, Reach},
    events::{Follower, Frame},
};
use axum::{
    Extension,
    extract::{
        State,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade},
    },
    response::Response,
};
use futures::SinkExt as _;
use graphium_core::store::StoreError;
use std::{pin::Pin, time::Duration};
use tokio::time::{Instant, Sleep};

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
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let (follower, backlog) = open(&state, query.after).await?;
    let lifeline = Lifeline::new(&state, &caller);
    // A browser that shows its token as a protocol wants the first of them accepted. The buffers are small: nothing but
    // control frames comes in, and what goes out is a few frames.
    let upgrade = upgrade.protocols(["bearer"]).read_buffer_size(4096).write_buffer_size(2048).max_message_size(4096);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let ping = Box::pin(tokio::time::sleep(PING));
        let mut session = Session { socket, follower, lifeline, reach: caller.reach, ping, asked: false };
        let (code, reason) = session.run(backlog).await;
        session.close(code, reason).await;
    }))
}

struct Session {
    socket: WebSocket,
    follower: Follower,
    lifeline: Lifeline,
    reach: Reach,
    /// When the peer is asked next whether it lives.
    ping: Pin<Box<Sleep>>,
    /// Whether it was asked and has said nothing since.
    asked: bool,
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
                message = self.socket.recv() => match message {
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
                    self.send([Message::Ping(bytes::Bytes::new())]).await?;
                }
            }
        }
    }

    async fn tell(&mut self, frames: Vec<Frame>) -> Result<(), (u16, &'static str)> {
        let reach = self.reach.clone();
        let wanted = frames.into_iter().filter(|frame| reach.includes(frame.stack.as_deref()));
        self.send(wanted.map(|frame| Message::Text(frame.json))).await
    }

    /// Sends some messages at once.
    async fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<(), (u16, &'static str)> {
        let socket = &mut self.socket;
        let send = async {
            for message in messages {
                socket.feed(message).await?;
            }
            socket.flush().await
        };
        match tokio::time::timeout(SLOW, send).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err((close::GOING_AWAY, "")),
            Err(_) => Err((close::TRY_AGAIN, "the peer is too slow; resume by number")),
        }
    }

    /// Says why it ends, to a peer that may not listen any more.
    async fn close(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _gone = tokio::time::timeout(Duration::from_secs(1), self.socket.send(Message::Close(Some(frame)))).await;
    }
}

fn ended(cut: Cut) -> (u16, &'static str) {
    match cut {
        Cut::Stopping => (close::GOING_AWAY, "the server is ending"),
        Cut::Revoked => (close::UNAUTHORIZED, "the token was revoked"),
    }
}
