//! Reading logs and running commands for those who ask: beside the agent's work, and in no way of it.

use super::{execs::Exec, link::LinkError, logs, patience::within};
use crate::{
    environment::Environment,
    exec::ExecRequest,
    id::{HostId, StreamId},
    log::{EndReason, LogFrame, LogRequest},
    runtime::ContainerRuntime,
    stream::{StreamCall, StreamLink, StreamRequest},
};
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    select_biased,
    stream::{self, FuturesUnordered},
};
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};

/// How many logs are read at a time, for each server.
const MOST_LOGS: usize = 32;
/// How many commands run at a time, for each server.
const MOST_EXECS: usize = 16;
/// How long a question waits, and how long its answer may take beyond that.
const WAIT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);
/// Pause after a failure: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Pause after a refusal: an older server knows nothing of this.
const REFUSED: Duration = Duration::from_secs(60);

/// Reads the logs and runs the commands that one server asks for.
#[derive(Debug)]
pub(super) struct StreamKeeper {
    pub(super) link: Arc<dyn StreamLink>,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    pub(super) environment: Arc<dyn Environment>,
    pub(super) host: HostId,
    pub(super) epoch: u64,
}

impl StreamKeeper {
    /// Serves readers until this session may not any more. Nothing that goes wrong here concerns the agent's work.
    pub(super) async fn keep(self) {
        let mut serving: FuturesUnordered<BoxFuture<'static, StreamId>> = FuturesUnordered::new();
        let mut known: BTreeMap<StreamId, Kind> = BTreeMap::new();
        let mut pause = AGAIN.0;
        loop {
            let mut asked = pin!(self.ask().fuse());
            let answer = loop {
                select_biased! {
                    ended = serving.select_next_some() => drop(known.remove(&ended)),
                    answer = asked => break answer,
                }
            };
            let rest = match answer {
                Ok(requests) => {
                    pause = AGAIN.0;
                    for request in requests {
                        let kind = Kind::of(&request);
                        if known.insert(request.stream().clone(), kind).is_none() {
                            let count = known.values().filter(|other| **other == kind).count();
                            serving.push(match request {
                                StreamRequest::Log(request) => self.log(request, count),
                                StreamRequest::Exec(request) => self.exec(request, count),
                            });
                        }
                    }
                    continue;
                }
                Err(LinkError::SessionLost(_)) => return,
                // Whether the agent is to go on without a right its other calls decide: one server of several may err.
                Err(LinkError::Rejected(_) | LinkError::Denied(_)) => REFUSED,
                Err(_) => {
                    let rest = pause;
                    pause = (pause * 2).min(AGAIN.1);
                    rest
                }
            };
            // What is under way goes on.
            let mut sleep = pin!(self.environment.sleep(rest).fuse());
            loop {
                select_biased! {
                    ended = serving.select_next_some() => drop(known.remove(&ended)),
                    () = sleep => break,
                }
            }
        }
    }

    async fn ask(&self) -> Result<Vec<StreamRequest>, LinkError> {
        let call = StreamCall::new(self.host.clone(), self.epoch, WAIT);
        within(&*self.environment, WAIT + ANSWER, self.link.asked(&call)).await
    }

    /// Reads a log, where there are `count` with it.
    fn log(&self, request: LogRequest, count: usize) -> BoxFuture<'static, StreamId> {
        let (link, host, stream) = (Arc::clone(&self.link), self.host.clone(), request.stream.clone());
        let frames = if count <= MOST_LOGS {
            logs::frames(Arc::clone(&self.runtime), Arc::clone(&self.environment), request)
        } else {
            let detail =
                format!("the agent of host `{host}` reads {MOST_LOGS} logs already; ask again when one has ended");
            stream::iter([LogFrame::end(EndReason::TooMany, detail)]).boxed()
        };
        async move {
            // A reader that was lost asks again.
            let _ = link.serve(&host, &stream, frames).await;
            stream
        }
        .boxed()
    }

    /// Runs a command, where there are `count` with it.
    fn exec(&self, request: ExecRequest, count: usize) -> BoxFuture<'static, StreamId> {
        let stream = request.stream.clone();
        let exec = Exec {
            link: Arc::clone(&self.link),
            runtime: Arc::clone(&self.runtime),
            environment: Arc::clone(&self.environment),
            host: self.host.clone(),
            request,
        };
        let room = (count <= MOST_EXECS).then_some(()).ok_or(MOST_EXECS);
        async move {
            exec.run(room).await;
            stream
        }
        .boxed()
    }
}

/// What is asked for, of which there are so many at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Log,
    Exec,
}

impl Kind {
    fn of(request: &StreamRequest) -> Self {
        match request {
            StreamRequest::Log(_) => Self::Log,
            StreamRequest::Exec(_) => Self::Exec,
        }
    }
}
