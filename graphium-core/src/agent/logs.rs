//! Reading logs for those who ask: beside the agent's work, and in no way of it.

use super::{link::LinkError, patience::within};
use crate::{
    environment::Environment,
    id::{HostId, StreamId},
    inventory::ContainerStatus,
    log::{EndReason, LogBegin, LogCall, LogFrame, LogLink, LogRequest},
    runtime::{ContainerLog, ContainerRuntime, LogEntry, LogQuery, RuntimeError},
};
use futures::{
    FutureExt as _, StreamExt as _,
    future::BoxFuture,
    select_biased,
    stream::{self, BoxStream, FuturesUnordered},
};
use jiff::Timestamp;
use std::{collections::BTreeSet, pin::pin, sync::Arc, time::Duration};

/// How many logs are read at a time, for each server.
const MOST: usize = 32;
/// How long a question for logs waits, and how long its answer may take beyond that.
const WAIT: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(10);
/// Pause after a failure: the first, and the longest.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// Pause after a refusal: an older server knows nothing of logs.
const REFUSED: Duration = Duration::from_secs(60);

/// Reads the logs that one server asks for.
#[derive(Debug)]
pub(super) struct LogKeeper {
    pub(super) link: Arc<dyn LogLink>,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    pub(super) environment: Arc<dyn Environment>,
    pub(super) host: HostId,
    pub(super) epoch: u64,
}

impl LogKeeper {
    /// Serves readers until this session may not any more. Nothing that goes wrong here concerns the agent's work.
    pub(super) async fn keep(self) {
        let mut serving: FuturesUnordered<BoxFuture<'static, StreamId>> = FuturesUnordered::new();
        let mut known: BTreeSet<StreamId> = BTreeSet::new();
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
                        if known.insert(request.stream.clone()) {
                            let is_room = known.len() <= MOST;
                            serving.push(self.serve(request, is_room.then_some(()).ok_or(EndReason::TooMany)));
                        }
                    }
                    continue;
                }
                Err(LinkError::SessionLost(_) | LinkError::Denied(_)) => return,
                Err(LinkError::Rejected(_)) => REFUSED,
                Err(_) => {
                    let rest = pause;
                    pause = (pause * 2).min(AGAIN.1);
                    rest
                }
            };
            // Logs that are being read go on.
            let mut sleep = pin!(self.environment.sleep(rest).fuse());
            loop {
                select_biased! {
                    ended = serving.select_next_some() => drop(known.remove(&ended)),
                    () = sleep => break,
                }
            }
        }
    }

    async fn ask(&self) -> Result<Vec<LogRequest>, LinkError> {
        let call = LogCall { host: self.host.clone(), epoch: self.epoch, wait: WAIT };
        within(&*self.environment, WAIT + ANSWER, self.link.asked(&call)).await
    }

    fn serve(&self, request: LogRequest, room: Result<(), EndReason>) -> BoxFuture<'static, StreamId> {
        let (link, host, stream) = (Arc::clone(&self.link), self.host.clone(), request.stream.clone());
        let frames = match room {
            Ok(()) => frames(Arc::clone(&self.runtime), Arc::clone(&self.environment), request),
            Err(reason) => {
                let detail =
                    format!("the agent of host `{host}` reads {MOST} logs already; ask again when one has ended");
                stream::iter([LogFrame::end(reason, detail)]).boxed()
            }
        };
        async move {
            // A reader that was lost asks again.
            let _ = link.serve(&host, &stream, frames).await;
            stream
        }
        .boxed()
    }
}

/// The log that is asked for, from its beginning to its end.
fn frames(
    runtime: Arc<dyn ContainerRuntime>,
    environment: Arc<dyn Environment>,
    request: LogRequest,
) -> BoxStream<'static, LogFrame> {
    let begun = async move {
        let now = environment.now();
        let query = LogQuery {
            tail: request.tail,
            since: request.since.moment(now),
            follow: request.follow,
            timestamps: request.timestamps,
        };
        match runtime.logs(&request.container, query).await {
            Ok(log) if request.id.as_ref().is_none_or(|id| *id == log.id) => whole(runtime, request, log, now),
            Ok(_) => {
                let detail = format!("the container is gone: another one is `{}` now", request.container);
                stream::iter([LogFrame::end(EndReason::NotFound, detail)]).boxed()
            }
            Err(error) => stream::iter([failed(&error)]).boxed(),
        }
    };
    begun.into_stream().flatten().boxed()
}

fn whole(
    runtime: Arc<dyn ContainerRuntime>,
    request: LogRequest,
    log: ContainerLog,
    now: Timestamp,
) -> BoxStream<'static, LogFrame> {
    let ContainerLog { id, entries } = log;
    let begin = LogFrame::Begin(LogBegin { container_id: id.clone(), time: Some(now) });
    let pieces = entries.flat_map(|entry| match entry {
        Ok(entry) => stream::iter(pieces(entry)).left_stream(),
        Err(error) => stream::iter([failed(&error)]).right_stream(),
    });
    let end = async move { ended(&*runtime, &request, &id).await }.into_stream();
    stream::iter([begin]).chain(pieces).chain(end).boxed()
}

/// Pieces that are small enough to travel.
fn pieces(entry: LogEntry) -> Vec<LogFrame> {
    let LogEntry { source, time, bytes } = entry;
    let piece = |bytes: &[u8]| LogFrame::line(LogEntry { source, time, bytes: bytes.to_vec() });
    bytes.chunks(LogFrame::LARGEST).map(piece).collect()
}

/// Why there is no more.
async fn ended(runtime: &dyn ContainerRuntime, request: &LogRequest, id: &str) -> LogFrame {
    if !request.follow {
        return LogFrame::end(EndReason::Complete, "");
    }
    let name = &request.container;
    match runtime.inspect(name).await {
        Err(error) => failed(&error),
        Ok(None) => LogFrame::end(EndReason::Removed, format!("container `{name}` was removed")),
        Ok(Some(state)) if state.observed.id != id => {
            LogFrame::end(EndReason::Removed, format!("container `{name}` was replaced by another"))
        }
        Ok(Some(state)) => {
            let how = match (state.status(), state.observed.exit_code) {
                (ContainerStatus::Exited | ContainerStatus::Dead, Some(code)) => format!("ended with exit code {code}"),
                (ContainerStatus::Created, _) => "was never started".to_owned(),
                _ => "ended".to_owned(),
            };
            LogFrame::end(EndReason::Exited, format!("container `{name}` {how}"))
        }
    }
}

fn failed(error: &RuntimeError) -> LogFrame {
    LogFrame::end(EndReason::from(error), error.to_string())
}
