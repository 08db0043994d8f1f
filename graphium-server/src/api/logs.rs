//! `GET /containers/:id/logs`: what a container writes, through the agent of its host.
//!
//! The agent dials out for it (`POST /agents/:id/streams`, then one request per log whose body is the log), and the two are
//! joined here, frame by frame: whoever reads slowly slows down the agent's reading of that one log.

use super::{
    AppState, containers,
    frames::FrameParser,
    health::stopping,
    input::{Input, Params},
    problem::Problem,
    wire::{LogCallBody, LogRequests},
};
use crate::auth::{Cut, Identity, Lifeline};
use axum::{
    Extension, Json,
    body::Body,
    extract::{Path, Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{FutureExt as _, StreamExt as _, stream};
use graphium_core::{
    id::{HostId, StreamId},
    inventory::{HostStatus, ObservedContainer},
    log::{EndReason, Line, Lines, LogCall, LogFrame, LogLink, LogReader, LogWait, Since, Wanted},
    runtime::{Tail, label},
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

/// For how long an agent is waited for, where the reader says nothing; and the longest.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_PATIENCE: Duration = Duration::from_secs(600);
/// After how long a reader is told that it waits.
const SOON: Duration = Duration::from_secs(1);
/// How often a silent log says that it lives.
const ALIVE: Duration = Duration::from_secs(15);
/// An agent that is silent for so long is lost: it says that it lives every 15 s.
const SILENCE: Duration = Duration::from_secs(45);
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
    let wait = match query.wait {
        None => PATIENCE,
        Some(seconds) => Duration::try_from_secs_f64(seconds)
            .map_err(|_| bad("`wait` is a number of seconds, 0 or more".to_owned()))?
            .min(MOST_PATIENCE),
    };
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
    let reader = state.control.logs().read(&container.hosted_on, wanted).ok_or_else(|| {
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
                let reason = why_absent(state, &container.hosted_on).await;
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
                let reason = why_absent(state, &container.hosted_on).await;
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

/// Why no agent has come for a log.
async fn why_absent(state: &AppState, host: &HostId) -> String {
    match state.control.host(host).await {
        Ok(known) if known.status == HostStatus::Offline => {
            format!("host `{host}` is not connected ({})", heard(known.last_seen))
        }
        Ok(known) if state.control.logs().is_asked_by(host) => {
            format!("the agent of host `{host}` ({}) does not come for the log", heard(known.last_seen))
        }
        Ok(known) => format!(
            "the agent of host `{host}` (version {}) has not asked this server for logs; it may be older than this server ({}), or know other servers only",
            known.agent_version.as_deref().unwrap_or("unknown"),
            env!("CARGO_PKG_VERSION"),
        ),
        Err(_) => format!("host `{host}` is not known"),
    }
}

fn heard(last: Option<Timestamp>) -> String {
    last.map_or_else(|| "never heard".to_owned(), |last| format!("last heard {last:.0}"))
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

/// Where an agent waits for logs that somebody wants to read.
pub(super) async fn asked(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Input(body): Input<LogCallBody>,
) -> Result<Json<LogRequests>, Problem> {
    let wait = Duration::try_from_secs_f64(body.wait_seconds)
        .map_err(|_| Problem::new(422, "wrong-shape", "`waitSeconds` is a number of seconds, 0 or more"))?;
    let call = LogCall { host: HostId::new(id), epoch: body.epoch, wait };
    let mut lifeline = Lifeline::new(&state, &caller);
    tokio::select! {
        biased;
        cut = lifeline.cut() => Err(ended(cut)),
        requests = state.control.logs().asked(&call) => Ok(Json(LogRequests { requests: requests? })),
    }
}

/// A log, as the body of the request. The answer comes when it is over: when it ends, or its reader leaves.
pub(super) async fn serve(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path((id, stream)): Path<(String, String)>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let body = request.into_body().into_data_stream();
    let frames = stream::unfold((FrameParser::default(), body), |(mut parser, mut body)| async move {
        loop {
            if let Some(frame) = parser.next() {
                return Some((frame, (parser, body)));
            }
            // A body that breaks off, or says nothing for too long, ends the log without its last word.
            match tokio::time::timeout(SILENCE, body.next()).await {
                Ok(Some(Ok(bytes))) => parser.feed(&bytes)?,
                _ => return None,
            }
        }
    });
    let mut lifeline = Lifeline::new(&state, &caller);
    let (host, stream) = (HostId::new(id), StreamId::new(stream));
    let served = state.control.logs().serve(&host, &stream, frames.boxed());
    tokio::select! {
        biased;
        cut = lifeline.cut() => Err(ended(cut)),
        served = served => Ok(served.map(|()| StatusCode::NO_CONTENT)?),
    }
}

fn ended(cut: Cut) -> Problem {
    match cut {
        Cut::Stopping => stopping(),
        Cut::Revoked => Problem::new(401, "token-unknown", "the token was revoked"),
    }
}
