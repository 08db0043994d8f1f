//! `GET /containers/:id/exec`: a command in a container, over a WebSocket and the agent of its host.
//!
//! The first message says what is run; then it is [`ExecInput`] there and [`ExecFrame`] back, which
//! `docs/api.md` describes. What is told of it in the log of the server: who, where, which program and how it ended. Its arguments,
//! its variables and what goes in and out are nobody's but theirs who run it.

use super::{
    AppState, Peer, containers,
    input::Params,
    problem::Problem,
    pump,
    streams::{SOON, patience, why_absent},
};
use crate::auth::{Cut, Identity, Lifeline};
use axum::{
    Extension,
    extract::{
        Path, State,
        ws::{WebSocket, WebSocketUpgrade},
    },
    http::Extensions,
    response::Response,
};
use futures::{StreamExt as _, stream};
use graphium_core::{
    control::AuditActor,
    exec::{ExecFrame, ExecInput, Message},
    inventory::ObservedContainer,
    log::{EndReason, LogWait},
    runtime::{ExecSpec, label},
    stream::{Ability, ExecSession, ExecWanted},
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::{net::IpAddr, time::Duration};
use tokio::time::{Instant, sleep_until, timeout};

/// How long whoever asks may take to say what for.
const QUESTION: Duration = Duration::from_secs(10);
/// How much of a program's name is told.
const MOST_NAME: usize = 200;

#[derive(Debug, Deserialize)]
pub(super) struct ExecParams {
    /// Seconds.
    wait: Option<f64>,
}

pub(super) async fn exec(
    State(state): State<AppState>,
    Extension(caller): Extension<Identity>,
    Path(id): Path<String>,
    Params(query): Params<ExecParams>,
    extensions: Extensions,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let from = extensions.get::<Peer>().map(|peer| peer.0.ip().to_canonical());
    let wait = patience(query.wait)?;
    let container = containers::find(&state, &id).await?;
    if container.label(label::MANAGED) != Some("true") {
        let detail = format!("container `{}` is not Graphium's: nothing is run in it from here", container.name);
        return Err(Problem::new(409, "not-ours", detail));
    }
    if let Some(detail) = unable(&state, &container).await {
        return Err(Problem::new(409, "agent-too-old", detail));
    }
    let is_named = container.id != id;
    // A browser that shows its token as a protocol wants the first of them accepted.
    Ok(pump::sized(upgrade.protocols(["bearer"])).on_upgrade(move |socket| async move {
        let lifeline = Lifeline::new(&state, &caller);
        let run = Run { lifeline, state, by: (&caller).into(), from, container, is_named, wait };
        run.run(socket).await;
    }))
}

/// Why the agent of a container's host cannot do it at all.
async fn unable(state: &AppState, container: &ObservedContainer) -> Option<String> {
    let host = &container.hosted_on;
    if !state.control.streams().is_unable(host, Ability::Exec) {
        return None;
    }
    let version = state.control.host(host).await.ok().and_then(|host| host.agent_version);
    let version = version.as_deref().unwrap_or("of an unknown version");
    Some(format!("agent {version} on host `{host}` runs no commands in containers; update it"))
}

/// A command for somebody.
struct Run {
    state: AppState,
    lifeline: Lifeline,
    by: AuditActor,
    /// From where it was asked for.
    from: Option<IpAddr>,
    container: ObservedContainer,
    /// Whichever bears the name is meant.
    is_named: bool,
    wait: Duration,
}

impl Run {
    async fn run(self, socket: WebSocket) {
        let (sink, mut stream) = socket.split();
        let question = timeout(QUESTION, pump::heard(&mut stream)).await.ok().flatten();
        let begun =
            question.ok_or_else(|| "nothing was asked within 10 s".to_owned()).and_then(|question| match question {
                Message::Text(text) => read(&text),
                Message::Binary(_) => Err("the first message is an object of JSON that says what is run".to_owned()),
            });
        let asked = begun.map_err(|detail| (EndReason::Breach, detail)).and_then(|exec| {
            let program: String = exec.program().chars().take(MOST_NAME).collect();
            let id = (!self.is_named).then(|| self.container.id.clone());
            let wanted = ExecWanted { container: self.container.name.clone(), id, exec };
            let session = self.state.control.streams().exec(&self.container.hosted_on, wanted);
            let full = "as many commands run through this server as it will at a time; end one, or ask again later";
            Ok((session.ok_or_else(|| (EndReason::TooMany, full.to_owned()))?, program))
        });
        match asked {
            Ok((session, program)) => {
                let (host, container) = (self.container.hosted_on.clone(), self.container.name.clone());
                tracing::info!(by = self.by.name, %host, %container, ?program, "a command was asked for");
                let place = format!("{host}/{container}");
                self.state.trail.command(self.by.clone(), self.from, &place, &program).await;
                // Both are dropped together, whatever ends first.
                let input = session.input.clone();
                let frames = stream::unfold(Some(Teller::new(self, session, program)), |teller| async move {
                    let mut teller = teller?;
                    let frame = teller.next().await;
                    let is_last = matches!(frame, ExecFrame::End(_));
                    Some((frame, (!is_last).then_some(teller)))
                });
                pump::join(sink, stream, input, frames.map(Message::from), Message::into_input).await;
            }
            Err((reason, detail)) => {
                let frames = stream::iter([Message::from(ExecFrame::end(reason, detail))]);
                let (nobody, _) = futures::channel::mpsc::channel::<ExecInput>(0);
                pump::join(sink, stream, nobody, frames, |_| None).await;
            }
        }
    }
}

fn read(text: &str) -> Result<ExecSpec, String> {
    // What serde says of a value would show it.
    let wrong = |error: serde_json::Error| {
        format!("the first message does not say what is run: line {}, column {}", error.line(), error.column())
    };
    let exec: ExecSpec = serde_json::from_str(text).map_err(wrong)?;
    if exec.program().is_empty() {
        return Err("`command` names no program".to_owned());
    }
    if let Some(name) = exec.environment.keys().find(|name| name.is_empty() || name.contains('=')) {
        return Err(format!("`{name}` is no name of a variable"));
    }
    Ok(exec)
}

/// Tells whoever asked what comes, whoever says it, and the log how it ended.
struct Teller {
    run: Run,
    session: ExecSession,
    program: String,
    /// Until when the agent is waited for; none: it has come.
    waiting: Option<Instant>,
    was_told: bool,
    is_over: bool,
}

impl Teller {
    fn new(run: Run, session: ExecSession, program: String) -> Self {
        let waiting = Some(Instant::now() + run.wait);
        Self { run, session, program, waiting, was_told: false, is_over: false }
    }

    async fn next(&mut self) -> ExecFrame {
        let frame = self.frame().await;
        if let ExecFrame::End(end) = &frame {
            self.conclude(&format!("{:?}", end.reason), end.exit_code);
        }
        frame
    }

    async fn frame(&mut self) -> ExecFrame {
        loop {
            if let Some(frame) = self.heard().await {
                return frame;
            }
        }
    }

    /// What comes next; `None`: the agent has come by now, and whatever there is to say comes from there.
    async fn heard(&mut self) -> Option<ExecFrame> {
        let soon = self.waiting.map(|until| match self.was_told {
            true => until,
            false => until.min(Instant::now() + SOON),
        });
        let late = async {
            match soon {
                Some(moment) => sleep_until(moment).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            cut = self.run.lifeline.cut() => Some(match cut {
                Cut::Revoked => ExecFrame::end(EndReason::Revoked, "the token was revoked"),
                Cut::Stopping => ExecFrame::end(EndReason::Stopping, "the server is ending"),
            }),
            frame = self.session.frames.next() => {
                self.waiting = None;
                Some(frame.unwrap_or_else(|| ExecFrame::end(
                    EndReason::AgentLost,
                    "the agent's session ended before the command did, which may go on in its container",
                )))
            }
            // It asks its engine, and says so itself where that takes its time.
            () = late => match self.session.is_served() {
                true => { self.waiting = None; None }
                false => Some(self.absent().await),
            },
        }
    }

    /// Nobody has come yet.
    async fn absent(&mut self) -> ExecFrame {
        let (state, container) = (&self.run.state, &self.run.container);
        if let Some(detail) = unable(state, container).await {
            return ExecFrame::end(EndReason::Unable, detail);
        }
        let reason = why_absent(state, &container.hosted_on, "the command").await;
        let rest = self.waiting.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        if rest.is_zero() {
            return ExecFrame::end(EndReason::HostAway, format!("{reason}; nothing was run in `{}`", container.name));
        }
        self.was_told = true;
        let until = Timestamp::now().saturating_add(SignedDuration::try_from(rest).unwrap_or_default());
        let until = until.unwrap_or(Timestamp::MAX);
        ExecFrame::Waiting(LogWait { detail: format!("{reason}: waiting until {until:.0}"), until })
    }

    fn conclude(&mut self, how: &str, exit_code: Option<i64>) {
        if !std::mem::replace(&mut self.is_over, true) {
            let (by, container, program) = (&self.run.by, &self.run.container, &self.program);
            tracing::info!(by = by.name, host = %container.hosted_on, container = %container.name, ?program, how, exit_code, "a command ended");
        }
    }
}

impl Drop for Teller {
    fn drop(&mut self) {
        self.conclude("Left", None);
    }
}
