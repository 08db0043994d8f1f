//! One command, from its beginning to its end, between this program's own streams and the socket.

use super::{
    streams::{self, Written},
    terminal::{self, RawMode},
};
use crate::cli::{
    exit::{Exit, Failure},
    output::Output,
};
use futures::{Sink, SinkExt as _, StreamExt as _};
use graphium_core::{
    exec::{ExecEnd, ExecFrame, ExecInput, WINDOW},
    log::EndReason,
    runtime::ExecSpec,
};
use graphium_server::client::{ClientError, ExecSocket};
use std::{cell::Cell, convert::Infallible, pin::Pin};
use tokio::sync::{
    Notify,
    mpsc::{Receiver, UnboundedReceiver},
};

/// What a command's own code is where it says one that no shell can have.
const STRANGE: u8 = 255;

pub(super) async fn run(socket: ExecSocket, spec: &ExecSpec, output: &mut Output) -> Result<Exit, Failure> {
    let ExecSocket { mut frames, input } = socket;
    loop {
        match frames.next().await {
            Some(Ok(ExecFrame::Begin(_))) => break,
            Some(Ok(ExecFrame::Waiting(wait))) => output.say(crate::render::printable(&wait.detail)),
            Some(Ok(ExecFrame::End(end))) => return ended(end),
            Some(Ok(_)) => {}
            Some(Err(error)) => return Err(error.into()),
            None => return Err(broken_off()),
        }
    }
    output.hand_over()?;
    // Up to here Ctrl-C is for this program, from here on for the command.
    let raw = match spec.terminal {
        Some(_) if spec.stdin => Some(RawMode::enter().map_err(|error| {
            Failure::new(Exit::Failed, "the terminal cannot be set to pass every key on").because(error)
        })?),
        _ => None,
    };
    let (pieces, mut written) = streams::write();
    let going = Going { unused: Cell::new(0), room: Notify::new() };
    let stdin = spec.stdin.then(streams::read);
    let end = {
        let (takes, taken) = tokio::sync::mpsc::unbounded_channel();
        let sending = going.send(input, stdin, taken, spec.terminal.is_some());
        let hearing = async {
            let mut waiting = 0_usize;
            loop {
                let frame = tokio::select! {
                    frame = frames.next() => frame,
                    Some(written) = written.recv() => match written {
                        Written::Bytes(count) => {
                            waiting = waiting.saturating_sub(count);
                            // Who does not hear it any more has said the end, or will be found to be gone.
                            let _ = takes.send(count);
                            continue;
                        }
                        Written::Failed(reason) => {
                            return Err(Failure::new(Exit::Failed, format!("what the command writes cannot be written here: {reason}")));
                        }
                    },
                };
                match frame {
                    Some(Ok(ExecFrame::Output(source, bytes))) => {
                        waiting += bytes.len();
                        if waiting > 2 * WINDOW {
                            return Err(Failure::new(Exit::Failed, "the server sends more than was agreed upon"));
                        }
                        drop(pieces.send((source, bytes)));
                    }
                    Some(Ok(ExecFrame::Taken(count))) => going.taken(count),
                    Some(Ok(ExecFrame::End(end))) => return Ok(end),
                    Some(Ok(ExecFrame::Begin(_) | ExecFrame::Waiting(_))) => {}
                    Some(Err(error)) => return Err(error.into()),
                    None => return Err(broken_off()),
                }
            }
        };
        tokio::select! {
            biased;
            end = hearing => end?,
            never = sending => match never {},
        }
    };
    // All that it wrote first.
    drop(pieces);
    while let Some(written) = written.recv().await {
        if let Written::Failed(reason) = written {
            return Err(Failure::new(Exit::Failed, format!("what the command wrote cannot be written here: {reason}")));
        }
    }
    drop(raw);
    ended(end)
}

/// What is sent, and how far ahead of what was taken.
struct Going {
    unused: Cell<usize>,
    room: Notify,
}

impl Going {
    fn taken(&self, count: usize) {
        self.unused.set(self.unused.get().saturating_sub(count));
        self.room.notify_one();
    }

    /// Returns when there is room for more.
    async fn room(&self) {
        while self.unused.get() >= WINDOW - streams::PIECE {
            self.room.notified().await;
        }
    }

    /// Sends whatever there is to be sent; what breaks off is heard of elsewhere.
    async fn send(
        &self,
        mut input: Pin<Box<dyn Sink<ExecInput, Error = ClientError> + Send>>,
        mut stdin: Option<Receiver<Vec<u8>>>,
        mut taken: UnboundedReceiver<usize>,
        has_terminal: bool,
    ) -> Infallible {
        let mut sizes = has_terminal.then(terminal::sizes);
        loop {
            let next = async {
                self.room().await;
                match &mut stdin {
                    Some(stdin) => stdin.recv().await,
                    None => std::future::pending().await,
                }
            };
            let resized = async {
                match &mut sizes {
                    Some(sizes) => sizes.next().await,
                    None => std::future::pending().await,
                }
            };
            let message = tokio::select! {
                biased;
                Some(count) = taken.recv() => ExecInput::Taken(count),
                size = resized => ExecInput::Resize(size),
                piece = next => match piece {
                    Some(piece) => {
                        self.unused.set(self.unused.get() + piece.len());
                        ExecInput::Stdin(piece)
                    }
                    None => {
                        stdin = None;
                        ExecInput::Close {}
                    }
                },
            };
            if input.send(message).await.is_err() {
                return std::future::pending().await;
            }
        }
    }
}

fn broken_off() -> Failure {
    Failure::new(Exit::Unreachable, "the server broke off before the command had ended")
        .hint("the command may go on in its container")
}

fn ended(end: ExecEnd) -> Result<Exit, Failure> {
    if let (EndReason::Exited, Some(code)) = (end.reason, end.exit_code) {
        return Ok(match u8::try_from(code) {
            Ok(0) => Exit::Ok,
            code => Exit::Command(code.unwrap_or(STRANGE)),
        });
    }
    let code = serde_json::to_value(end.reason).ok().and_then(|code| Some(code.as_str()?.to_owned()));
    let failure = Failure::new(Exit::Failed, end.detail).coded(code.unwrap_or_default());
    Err(match end.reason {
        EndReason::AgentLost | EndReason::Stopping | EndReason::Revoked | EndReason::Idle => {
            failure.hint("see what goes on in the container: `graphium stack exec … -- ps`")
        }
        _ => failure,
    })
}
