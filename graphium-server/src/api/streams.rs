//! The agents' side of logs and commands: where they ask what is wanted, and hand it over.
//!
//! Nobody calls an agent. It parks on `POST /agents/:id/streams`, and dials out once for each thing that is wanted: a log is the body
//! of a request, a command has a WebSocket.

use super::{
    AppState,
    frames::FrameParser,
    health::stopping,
    input::Input,
    problem::Problem,
    pump,
    wire::{StreamCallBody, StreamRequests},
};
use crate::auth::{Cut, Identity, Lifeline};
use axum::{
    Extension, Json,
    extract::{Path, Request, State, ws::WebSocketUpgrade},
    http::StatusCode,
    response::Response,
};
use futures::{StreamExt as _, stream};
use graphium_core::{
    exec::Message,
    id::{HostId, StreamId},
    inventory::HostStatus,
    stream::{ExecLine, StreamCall, StreamLink},
};
use jiff::Timestamp;
use std::time::Duration;

/// For how long an agent is waited for, where whoever asks says nothing; and the longest.
const PATIENCE: Duration = Duration::from_secs(30);
const MOST_PATIENCE: Duration = Duration::from_secs(600);
/// After how long one is told that it waits.
pub(super) const SOON: Duration = Duration::from_secs(1);
/// An agent that is silent for so long is lost: it says that it lives every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// For how long an agent is waited for.
pub(super) fn patience(seconds: Option<f64>) -> Result<Duration, Problem> {
    let Some(seconds) = seconds else { return Ok(PATIENCE) };
    let wait = Duration::try_from_secs_f64(seconds)
        .map_err(|_| Problem::new(400, "bad-query", "`wait` is a number of seconds, 0 or more"))?;
    Ok(wait.min(MOST_PATIENCE))
}

/// Where an agent waits for what somebody wants.
pub(super) async fn asked(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Input(body): Input<StreamCallBody>,
) -> Result<Json<StreamRequests>, Problem> {
    let wait = Duration::try_from_secs_f64(body.wait_seconds)
        .map_err(|_| Problem::new(422, "wrong-shape", "`waitSeconds` is a number of seconds, 0 or more"))?;
    let call = StreamCall { host: HostId::new(id), epoch: body.epoch, wait, can: body.can };
    let mut lifeline = Lifeline::new(&state, &caller);
    let _parked = state.metrics.stream();
    tokio::select! {
        biased;
        cut = lifeline.cut() => Err(ended(cut)),
        requests = state.control.streams().asked(&call) => Ok(Json(StreamRequests::from(requests?))),
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
    let served = state.control.streams().serve(&host, &stream, frames.boxed());
    tokio::select! {
        biased;
        cut = lifeline.cut() => Err(ended(cut)),
        served = served => Ok(served.map(|()| StatusCode::NO_CONTENT)?),
    }
}

/// A command's line to whoever asked for it.
pub(super) async fn attach(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path((id, stream)): Path<(String, String)>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let attached = state.control.streams().attach(&HostId::new(id), &StreamId::new(stream)).await?;
    let gone = || Problem::new(404, "not-found", "nobody waits for that any more");
    let ExecLine { input, output } = attached.ok_or_else(gone)?;
    let mut lifeline = Lifeline::new(&state, &caller);
    Ok(pump::sized(upgrade).on_upgrade(move |socket| async move {
        let (sink, stream) = socket.split();
        tokio::select! {
            biased;
            _ = lifeline.cut() => {}
            () = pump::join(sink, stream, output, input.map(Message::from), Message::into_frame) => {}
        }
    }))
}

fn ended(cut: Cut) -> Problem {
    match cut {
        Cut::Stopping => stopping(),
        Cut::Revoked => Problem::new(401, "token-unknown", "the token was revoked"),
    }
}

/// Why no agent has come for something.
pub(super) async fn why_absent(state: &AppState, host: &HostId, what: &str) -> String {
    match state.control.host(host).await {
        Ok(known) if known.status == HostStatus::Offline => {
            format!("host `{host}` is not connected ({})", heard(known.last_seen))
        }
        Ok(known) if state.control.streams().is_asked_by(host) => match &known.engine_error {
            Some(error) => format!("the engine of host `{host}` does not answer: {error}"),
            // It comes when its engine has said something: that hangs before it is known to.
            None => format!(
                "the agent of host `{host}` ({}) does not come for {what}; its engine may take its time",
                heard(known.last_seen)
            ),
        },
        Ok(known) => format!(
            "the agent of host `{host}` (version {}) has not asked this server what is wanted; it may be older than this server ({}), or know other servers only",
            known.agent_version.as_deref().unwrap_or("unknown"),
            env!("CARGO_PKG_VERSION"),
        ),
        Err(_) => format!("host `{host}` is not known"),
    }
}

fn heard(last: Option<Timestamp>) -> String {
    last.map_or_else(|| "never heard".to_owned(), |last| format!("last heard {last:.0}"))
}
