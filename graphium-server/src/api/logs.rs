//! `GET /containers/:id/logs`: what a container writes, through the agent of its host.
//!
//! The agent dials out for it (see `streams`), and the two are
//! joined here, frame by frame: whoever reads slowly slows down the agent's reading of that one log.

use super::{
    AppState, containers,
    input::Params,
    problem::Problem,
    streams::{SOON, patience, why_absent},
};
use crate::auth::{Cut, Identity, Lifeline};
use axum::{
    Extension,
    body::Body,
    extract::{Path, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{FutureExt as _, stream};
use graphium_core::{
    inventory::ObservedContainer,
    log::{EndReason, Line, Lines, LogFrame, LogWait, Since},
    runtime::{Tail, label},
    stream::{LogReader, Wanted},
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// How often a silent log says that it lives.
const ALIVE: Duration = Duration::from_secs(15);
/// How many frames leave together at most.
const TOGETHER: usize = 64;

#[derive(Debug, Deserialize)]
pub(super) struct LogParams {
    tail: Option<String>,
    since: Option<String>,
    timestamps: Option<bool>,
    follow: Option<bool>,
    /// Seconds.
    wait: Option<f64>,
}

pub(super) async fn read(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Params(query): Params<LogParams>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let bad = |what: String| Problem::new(400, "bad-query", what);
    let tail: Tail = query.tail.as_deref().map_or(Ok(Tail::All), str::parse).map_err(bad)?;
    let since: Since = query.since.as_deref().map_or(Ok(Since::Beginning), str::parse).map_err(bad)?;
    let wait = patience(query.wait)?;
    let container = containers::find(&state, &id).await?;
    if container.label(label::MANAGED) != Some("true") {
        let detail = format!("container `{}` is not Graphium's: its log is not shown here", container.name);
        return Err(Problem::new(409, "not-ours", detail));
    }
    let wanted = Wanted {
        container: container.name.clone(),
        // Who names a host and a name means whichever bears it.
        id: (container.id == id).then(|| container.id.clone()),
        tail,
        since,
        follow: query.follow == Some(true),
        timestamps: query.timestamps == Some(true),
    };
    let reader = state.control.streams().read(&container.hosted_on, wanted).ok_or_else(|| {
        Problem::new(
            429,
            "too-many-logs",
            "as many logs are read through this server as it will at a time; end one, or ask again later",
        )
    })?;
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = match accept.contains("application/x-ndjson") {
        true => Form::Frames,
        false => Form::Text(Text { times: query.timestamps == Some(true), lines: Lines::default() }),
    };
    let lifeline = Lifeline::new(&state, &caller);
    let until = Instant::now() + wait;
    let mut tail = Stream {
        reader,
        lifeline,
        form,
        waiting: Some(until),
        why: String::new(),
        first: None,
        is_over: false,
        broken: None,
    };
    tail.open(&state, &container, wait).await?;
    let kind = match tail.form {
        Form::Frames => "application/x-ndjson",
        Form::Text(_) => "text/plain; charset=utf-8",
    };
    let body = stream::unfold(tail, |mut tail| async move { Some((tail.next().await?, tail)) });
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "no-store"),
        // What a container writes is no page of ours.
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((headers, Body::from_stream(body)).into_response())
}

/// How the log is written.
enum Form {
    /// Every frame, one JSON object a line.
    Frames,
    /// As it was written; one that breaks off ends as a broken answer.
    Text(Text),
}

struct Text {
    times: bool,
    lines: Lines,
}

/// A log on its way to its reader.
struct Stream {
    reader: LogReader,
    lifeline: Lifeline,
    form: Form,
    /// Until when the agent is waited for; none: it has come.
    waiting: Option<Instant>,
    /// Why it has not, as it was told.
    why: String,
    /// What is to be sent before anything else.
    first: Option<LogFrame>,
    is_over: bool,
    /// How it broke off, to be said after everything else.
    broken: Option<BrokenOff>,
}

/// A log that ends before all of it has been read.
#[derive(Debug, thiserror::Error)]
#[error("the log broke off: {0}")]
struct BrokenOff(String);

impl Stream {
    /// Waits for the first frame, so that what goes wrong at the beginning is a problem and no stream. Who reads frames is told
    /// within a second that it has to wait.
    async fn open(&mut self, state: &AppState, container: &ObservedContainer, wait: Duration) -> Result<(), Problem> {
        let patience = match self.form {
            Form::Frames => wait.min(SOON),
            Form::Text(_) => wait,
        };
        let first = tokio::time::timeout(patience, self.frame()).await;
        match first {
            Ok(LogFrame::End(end)) if end.reason == EndReason::HostAway => {
                let reason = why_absent(state, &container.hosted_on, "the log").await;
                Err(problem(end.reason, format!("{reason}; nothing of `{}` was read", container.name)))
            }
            Ok(LogFrame::End(end)) if !end.reason.is_an_end() => Err(problem(end.reason, end.detail)),
            Ok(frame) => {
                self.first = Some(frame);
                Ok(())
            }
            Err(_) => {
                let until = SignedDuration::try_from(wait - patience).unwrap_or_default();
                let until = Timestamp::now().saturating_add(until).unwrap_or(Timestamp::MAX);
                let reason = why_absent(state, &container.hosted_on, "the log").await;
                self.why.clone_from(&reason);
                if wait <= patience {
                    return Err(problem(
                        EndReason::HostAway,
                        format!("{reason}; nothing of `{}` was read", container.name),
                    ));
                }
                let detail = format!("{reason}: waiting until {until:.0}");
                self.first = Some(LogFrame::Waiting(LogWait { detail, until }));
                Ok(())
            }
        }
    }

    /// The next bytes; `None` ends the answer.
    async fn next(&mut self) -> Option<Result<Bytes, BrokenOff>> {
        if let Some(broken) = self.broken.take() {
            return Some(Err(broken));
        }
        while !self.is_over {
            let mut bytes = Vec::new();
            let frame = match self.first.take() {
                Some(frame) => frame,
                None => {
                    let silence = tokio::time::sleep(ALIVE);
                    tokio::select! {
                        frame = self.frame() => frame,
                        () = silence, if matches!(self.form, Form::Frames) => return Some(Ok(Bytes::from_static(b"\n"))),
                    }
                }
            };
            self.write(frame, &mut bytes);
            // What lies ready leaves with it.
            for _ in 1..TOGETHER {
                let ready = if self.is_over { None } else { self.reader.next().now_or_never().flatten() };
                let Some(ready) = ready else { break };
                let frame = self.took(ready);
                self.write(frame, &mut bytes);
            }
            if !bytes.is_empty() {
                return Some(Ok(bytes.into()));
            }
        }
        self.broken.take().map(Err)
    }

    fn write(&mut self, frame: LogFrame, bytes: &mut Vec<u8>) {
        self.is_over = matches!(frame, LogFrame::End(_));
        match (&mut self.form, frame) {
            (Form::Frames, frame) => bytes.extend(frame.to_json_line()),
            (Form::Text(text), LogFrame::Line(line)) => {
                let times = text.times;
                text.lines.push(line.entry, |line| write_line(&line, times, bytes));
            }
            (Form::Text(text), LogFrame::End(end)) => {
                let times = text.times;
                text.lines.finish().for_each(|line| write_line(&line, times, bytes));
                self.broken = (!end.reason.is_an_end()).then_some(BrokenOff(end.detail));
            }
            (Form::Text(_), LogFrame::Begin(_) | LogFrame::Waiting(_)) => {}
        }
    }

    /// The next frame, whoever says it.
    async fn frame(&mut self) -> LogFrame {
        let late = async {
            match self.waiting {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            cut = self.lifeline.cut() => match cut {
                Cut::Revoked => LogFrame::end(EndReason::Revoked, "the token was revoked"),
                Cut::Stopping => LogFrame::end(EndReason::Stopping, "the server is ending"),
            },
            frame = self.reader.next() => match frame {
                Some(frame) => self.took(frame),
                None => LogFrame::end(EndReason::AgentLost, "the agent that read the log was lost"),
            },
            () = late => LogFrame::end(EndReason::HostAway, self.why.clone()),
        }
    }

    fn took(&mut self, frame: LogFrame) -> LogFrame {
        self.waiting = None;
        frame
    }
}

fn write_line(line: &Line, times: bool, bytes: &mut Vec<u8>) {
    if let Some(time) = line.time.filter(|_| times) {
        bytes.extend_from_slice(format!("{time:.9} ").as_bytes());
    }
    bytes.extend_from_slice(&line.bytes);
    bytes.push(b'\n');
}

fn problem(reason: EndReason, detail: String) -> Problem {
    let (status, code) = match reason {
        EndReason::NotFound => (404, "not-found"),
        EndReason::NotOurs => (409, "not-ours"),
        EndReason::TooMany => (429, "too-many-logs"),
        EndReason::Revoked => (401, "token-unknown"),
        EndReason::EngineAway => (503, "engine-away"),
        EndReason::HostAway => (503, "host-away"),
        EndReason::AgentLost => (503, "agent-lost"),
        EndReason::Stopping => (503, "stopping"),
        _ => (409, "engine-refused"),
    };
    Problem::new(status, code, detail)
}
