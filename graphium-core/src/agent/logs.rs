//! A log for whoever asked for it, frame by frame.

use crate::{
    environment::Environment,
    inventory::ContainerStatus,
    log::{EndReason, LogBegin, LogFrame, LogRequest},
    runtime::{ContainerLog, ContainerRuntime, LogEntry, LogQuery, RuntimeError},
};
use futures::{
    FutureExt as _, StreamExt as _,
    stream::{self, BoxStream},
};
use jiff::Timestamp;
use std::sync::Arc;

/// The log that is asked for, from its beginning to its end.
pub(super) fn frames(
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
