//! The part of a server that holds the connections of readers, and is outside of the core.

use super::{readers::BOUND, world::World};
use crate::{
    exec::{ExecFrame, ExecInput},
    id::HostId,
    log::{EndReason, LogFrame},
    stream::{ExecWanted, StreamExchange, Wanted},
};
use futures::{
    SinkExt as _, StreamExt as _,
    channel::mpsc::{Receiver, Sender},
    future::{Either, select},
};
use std::{pin::pin, sync::Arc, time::Duration};

/// How long a reader waits for the agent.
const WAIT: Duration = Duration::from_secs(10);

impl World {
    /// The server's side of a reader's connection.
    pub(super) async fn hold_a_log(
        &self,
        streams: Arc<StreamExchange>,
        host: HostId,
        wanted: Wanted,
        mut to_reader: Sender<LogFrame>,
    ) {
        let Some(mut reader) = streams.read(&host, wanted) else {
            return drop(to_reader.send(LogFrame::end(EndReason::TooMany, "")).await);
        };
        let mut is_first = true;
        loop {
            let wait = if std::mem::take(&mut is_first) { WAIT } else { BOUND * 100 };
            let frame = {
                let next = pin!(reader.next());
                let gone = pin!(until_gone(&to_reader, self));
                match select(select(next, pin!(self.sleep(wait))), gone).await {
                    Either::Left((Either::Left((frame, _)), _)) => {
                        frame.unwrap_or_else(|| LogFrame::end(EndReason::AgentLost, ""))
                    }
                    Either::Left((Either::Right(_), _)) => LogFrame::end(EndReason::HostAway, ""),
                    Either::Right(_) => return,
                }
            };
            let is_last = matches!(frame, LogFrame::End(_));
            if to_reader.send(frame).await.is_err() || is_last {
                return;
            }
        }
    }

    /// The server's side of the connection of whoever has a command run.
    pub(super) async fn hold_a_command(
        &self,
        streams: Arc<StreamExchange>,
        host: HostId,
        wanted: ExecWanted,
        mut to_reader: Sender<ExecFrame>,
        mut inputs: Receiver<ExecInput>,
    ) {
        let Some(mut session) = streams.exec(&host, wanted) else {
            return drop(to_reader.send(ExecFrame::end(EndReason::TooMany, "")).await);
        };
        let mut input = session.input.clone();
        let hears = async {
            while let Some(heard) = inputs.next().await {
                // Where it is refused the end of the frames says why.
                let _ = input.send(heard).await;
            }
        };
        let says = async {
            let mut end = self.elapsed() + WAIT;
            loop {
                let rest = end.saturating_sub(self.elapsed());
                let next = match select(session.frames.next(), pin!(self.sleep(rest))).await {
                    Either::Left((frame, _)) => Some(frame),
                    Either::Right(_) => None,
                };
                let frame = match next {
                    Some(frame) => frame.unwrap_or_else(|| ExecFrame::end(EndReason::AgentLost, "")),
                    None if session.is_served() => {
                        end = self.elapsed() + BOUND * 100;
                        continue;
                    }
                    None => ExecFrame::end(EndReason::HostAway, ""),
                };
                let is_last = matches!(frame, ExecFrame::End(_));
                if to_reader.send(frame).await.is_err() || is_last {
                    return;
                }
            }
        };
        // Each way goes on while the other waits; with either it is over.
        select(pin!(hears), pin!(says)).await;
    }
}

/// Returns when whoever would hear is gone.
async fn until_gone<T>(sender: &Sender<T>, world: &World) {
    while !sender.is_closed() {
        world.sleep(Duration::from_secs(3)).await;
    }
}
