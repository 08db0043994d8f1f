//! An agent's connections to those who read logs and have commands run: one for each, which breaks when either program ends or the
//! network is cut for long.

use super::{bug::Bug, executor::Process, world::World};
use crate::{
    agent::LinkError,
    control::Control,
    exec::{ExecFrame, ExecInput},
    id::{HostId, StreamId},
    log::LogFrame,
    stream::{ExecLine, StreamCall, StreamLink, StreamRequest},
};
use async_trait::async_trait;
use futures::{
    SinkExt as _, StreamExt as _,
    channel::mpsc::{self, Receiver, Sender},
    future::{Either, pending, select},
    stream::BoxStream,
};
use std::{
    fmt,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How much is under way on a connection.
const UNDER_WAY: usize = 4;
/// After how long of silence either side takes a connection for lost.
const LOST: Duration = Duration::from_secs(45);
/// How often a connection that is cut is looked at.
const LOOK: Duration = Duration::from_secs(5);

/// A [`StreamLink`] over the simulated network.
pub(super) struct SimStreamLink {
    world: Arc<World>,
    host: usize,
}

impl SimStreamLink {
    pub(super) fn new(world: &Arc<World>, host: usize) -> Self {
        Self { world: Arc::clone(world), host }
    }
}

impl fmt::Debug for SimStreamLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimStreamLink").field("host", &self.host).finish_non_exhaustive()
    }
}

fn lost() -> LinkError {
    LinkError::Unreachable("the connection was lost".to_owned())
}

#[async_trait]
impl StreamLink for SimStreamLink {
    async fn asked(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError> {
        let call = call.clone();
        let answer = self.world.ask(Some(self.host), "question", move |control| {
            let call = call.clone();
            async move { control.streams().asked(&call).await }
        });
        answer.await?
    }

    async fn serve(
        &self,
        host: &HostId,
        stream: &StreamId,
        mut frames: BoxStream<'static, LogFrame>,
    ) -> Result<(), LinkError> {
        let (mut sender, receiver) = mpsc::channel(UNDER_WAY);
        let (host, stream, receiver) = (host.clone(), stream.clone(), Once::new(receiver));
        let call = move |control: Arc<Control>| {
            let (host, stream, frames) = (host.clone(), stream.clone(), receiver.take());
            async move {
                match frames {
                    Some(frames) => control.streams().serve(&host, &stream, frames.boxed()).await,
                    // One connection is not made twice.
                    None => pending().await,
                }
            }
        };
        let world = &self.world;
        let answer = world.ask(Some(self.host), "log", call);
        let feed = async {
            while let Some(frame) = frames.next().await {
                world.crosses(self.host).await;
                if world.has(Bug::LineLost) && matches!(frame, LogFrame::Line(_)) && world.chance(20) {
                    continue;
                }
                if sender.send(frame).await.is_err() {
                    return;
                }
            }
            drop(sender);
            world.sleep(LOST).await;
        };
        let broken = pin!(world.is_lost(self.host));
        match select(select(pin!(answer), pin!(feed)), broken).await {
            Either::Left((Either::Left((answer, _)), _)) => answer?,
            Either::Left((Either::Right(((), _)), _)) | Either::Right(_) => Err(lost()),
        }
    }

    async fn attach(&self, host: &HostId, stream: &StreamId) -> Result<Option<ExecLine>, LinkError> {
        let (host, stream, world, number) = (host.clone(), stream.clone(), Arc::clone(&self.world), self.host);
        let answer = self.world.ask(Some(self.host), "command", move |control| {
            let (host, stream, world) = (host.clone(), stream.clone(), Arc::clone(&world));
            async move {
                let line = control.streams().attach(&host, &stream).await?;
                Ok(line.map(|line| world.connect(number, line)))
            }
        });
        answer.await?
    }
}

/// Something that is had once.
struct Once<T>(Mutex<Option<T>>);

impl<T> Once<T> {
    fn new(thing: T) -> Self {
        Self(Mutex::new(Some(thing)))
    }

    fn take(&self) -> Option<T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl World {
    fn is_cut(&self, host: usize) -> bool {
        let wires = self.state().wires[host];
        wires.to_server_cut || wires.from_server_cut
    }

    /// Something is on its way, for as long as the network is cut.
    async fn crosses(&self, host: usize) {
        let time = self.throw(|dice| dice.between(Duration::from_micros(50), Duration::from_millis(2)));
        self.sleep(time).await;
        while self.is_cut(host) {
            self.sleep(LOOK).await;
        }
    }

    /// Returns when a connection has been cut for so long that both sides take it for lost.
    async fn is_lost(&self, host: usize) {
        let mut silent = Duration::ZERO;
        while silent < LOST {
            self.sleep(LOOK).await;
            silent = if self.is_cut(host) { silent + LOOK } else { Duration::ZERO };
        }
    }

    /// The agent's end of a line whose other end the server holds for as long as it lives.
    fn connect(self: Arc<Self>, host: usize, line: ExecLine) -> ExecLine {
        let (to_agent, input) = mpsc::channel(UNDER_WAY);
        let (output, from_agent) = mpsc::channel(UNDER_WAY);
        let world = Arc::clone(&self);
        self.spawn(Process::Server, async move {
            let pump = pin!(world.pump(host, line, to_agent, from_agent));
            let lost = pin!(world.is_lost(host));
            select(pump, lost).await;
        });
        ExecLine { input: input.boxed(), output: Box::pin(output.sink_map_err(|_| lost())) }
    }

    /// Carries both ways until the agent has said that there is no more, or whoever asked is gone.
    async fn pump(
        &self,
        host: usize,
        ExecLine { mut input, mut output }: ExecLine,
        to_agent: Sender<ExecInput>,
        from_agent: Receiver<ExecFrame>,
    ) {
        let there = async {
            let mut to_agent = to_agent;
            while let Some(heard) = input.next().await {
                self.crosses(host).await;
                if to_agent.send(heard).await.is_err() {
                    break;
                }
            }
            if self.has(Bug::GoneUntold) {
                pending::<()>().await;
            }
            drop(to_agent);
            pending::<()>().await;
        };
        let back = async {
            let mut from_agent = from_agent;
            while let Some(frame) = from_agent.next().await {
                self.crosses(host).await;
                if output.send(frame).await.is_err() {
                    break;
                }
            }
        };
        select(pin!(there), pin!(back)).await;
    }
}
