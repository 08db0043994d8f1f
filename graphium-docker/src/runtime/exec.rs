//! Commands in containers.

use super::{CHANGE, DockerRuntime, LOOK, taken};
use crate::{
    connection::{Call, Connection},
    error::Fault,
    name::checked,
    raw::{Demultiplexer, Raw},
};
use bollard::{models::ExecConfig, query_parameters::ResizeExecOptionsBuilder};
use futures::{
    StreamExt as _,
    stream::{self, BoxStream},
};
use graphium_core::runtime::{ExecEvent, ExecFeed, ExecSpec, Execution, LogSource, RuntimeError, TerminalSize};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use serde_json::json;
use std::{collections::VecDeque, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _, ReadHalf, WriteHalf},
    task::JoinSet,
};

/// How much is read at a time.
const PIECE: usize = 16 * 1024;
/// What the engine takes for "leave me" on a terminal: by default Ctrl-P and Ctrl-Q, which shells have a use for. Nobody types this.
const DETACH: &str = "ctrl-@,ctrl-^,ctrl-@,ctrl-^,ctrl-@";
/// How far apart the engine is asked for the end of a command that has written its last: at first, and in the end.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const LOOK_RARELY: Duration = Duration::from_secs(1);
/// How often the first size of a terminal is set anew: an engine before API 1.42 has it only after the start.
const RESIZES: u32 = 5;
/// What a command ends with that is killed with its container.
const KILLED: i64 = 137;

impl DockerRuntime {
    pub(super) async fn run_command(
        &self,
        name: &str,
        spec: &ExecSpec,
        feed: ExecFeed,
    ) -> Result<Execution, RuntimeError> {
        let name = checked(name)?;
        let absent = || RuntimeError::NotFound(format!("there is no container `{name}`"));
        let shown = self.look(name).await?.ok_or_else(absent)?;
        if self.ours(&shown).is_none() {
            return Err(taken(name, "a container that is not Graphium's"));
        }
        let state = shown.state.unwrap_or_default();
        if state.running != Some(true) || state.paused == Some(true) || state.restarting == Some(true) {
            return Err(RuntimeError::not_running(name));
        }
        let container_id = shown.id.unwrap_or_default();
        let size = spec.terminal.map(|size| vec![usize::from(size.rows), usize::from(size.columns)]);
        let config = ExecConfig {
            attach_stdin: Some(spec.stdin),
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            console_size: size.clone(),
            detach_keys: size.as_ref().map(|_| DETACH.to_owned()),
            tty: Some(spec.terminal.is_some()),
            env: Some(spec.environment.iter().map(|(name, value)| format!("{name}={value}")).collect()),
            cmd: Some(spec.command.clone()),
            user: spec.user.clone(),
            working_dir: spec.workdir.clone(),
            ..ExecConfig::default()
        };
        let call = Call::new("preparing a command in container", name, CHANGE);
        let container = container_id.clone();
        let ask = |docker: bollard::Docker| Box::pin(async move { docker.create_exec(&container, config).await });
        let id = match self.connection.call(call, ask).await {
            Ok(made) => made.id,
            // It ended in between.
            Err(fault) if fault.is(409) => return Err(RuntimeError::not_running(name)),
            Err(fault) => return Err(fault.into()),
        };
        let mut start = json!({"Detach": false, "Tty": spec.terminal.is_some()});
        if let Some(size) = size {
            start["ConsoleSize"] = json!(size);
        }
        let call = Call::new("starting a command in container", name, CHANGE);
        let asked = self.connection.ask_raw(Raw::taking_over(format!("/exec/{id}/start"), start.to_string()));
        let answer = tokio::time::timeout(CHANGE, asked).await.map_err(|_| call.timed_out())??;
        let handed_over = || RuntimeError::Failed("the engine did not hand the connection over".to_owned());
        let stream = answer.into_stream().await.ok_or_else(handed_over)?;
        let command = Command {
            connection: Arc::clone(&self.connection),
            id,
            container: name.to_owned(),
            container_id: container_id.clone(),
        };
        Ok(Execution { container_id, events: command.events(spec, feed, stream) })
    }
}

/// One command on its engine.
#[derive(Clone)]
struct Command {
    connection: Arc<Connection>,
    id: String,
    container: String,
    container_id: String,
}

/// How it is read.
struct Reading {
    command: Command,
    output: ReadHalf<TokioIo<Upgraded>>,
    /// Absent with a terminal, whose bytes come as they are.
    demultiplexer: Option<Demultiplexer>,
    /// Gives it what it is sent, however little of what it writes is taken; ends with the reading.
    _feeding: JoinSet<()>,
    ready: VecDeque<ExecEvent>,
    buffer: Vec<u8>,
}

impl Command {
    fn events(
        self,
        spec: &ExecSpec,
        feed: ExecFeed,
        stream: TokioIo<Upgraded>,
    ) -> BoxStream<'static, Result<ExecEvent, RuntimeError>> {
        let (output, input) = tokio::io::split(stream);
        // A half that is dropped ends nothing: the connection goes with the other.
        let mut feeding = JoinSet::new();
        if spec.stdin {
            feeding.spawn(write(feed.stdin, input));
        }
        feeding.spawn(self.clone().resize(spec.terminal, feed.sizes));
        let reading = Reading {
            output,
            demultiplexer: spec.terminal.is_none().then(Demultiplexer::default),
            _feeding: feeding,
            ready: VecDeque::new(),
            buffer: vec![0; PIECE],
            command: self,
        };
        let events = stream::unfold(Some(reading), |reading| async move {
            let mut reading = reading?;
            let event = reading.next().await;
            let is_last = !matches!(event, Ok(ExecEvent::Wrote(..)));
            Some((event, (!is_last).then_some(reading)))
        });
        events.boxed()
    }

    /// Gives its terminal the first size, and each other one.
    async fn resize(self, first: Option<TerminalSize>, mut others: BoxStream<'static, TerminalSize>) {
        let Some(first) = first else { return };
        for _ in 0..RESIZES {
            if self.set_size(first).await.is_ok() {
                break;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        while let Some(size) = others.next().await {
            // A command that has ended has no terminal.
            let _ = self.set_size(size).await;
        }
    }

    async fn set_size(&self, size: TerminalSize) -> Result<(), Fault> {
        let call = Call::new("setting the size of a terminal in container", &self.container, LOOK);
        let options = ResizeExecOptionsBuilder::new().h(size.rows.into()).w(size.columns.into()).build();
        let ask = |docker: bollard::Docker| async move { docker.resize_exec(&self.id, options).await };
        self.connection.call(call, ask).await
    }

    /// The code that it ended with. The engine may learn of it after its last words; and a command that has closed its outputs
    /// runs on as long as it likes. It is waited for while the engine answers, and for whoever asked to leave.
    async fn exit_code(&self) -> Result<i64, RuntimeError> {
        let mut pause = LOOK_AGAIN;
        loop {
            let call = Call::new("asking how a command ended in container", &self.container, LOOK);
            let ask = |docker: bollard::Docker| async move { docker.inspect_exec(&self.id).await };
            match self.connection.call(call, ask).await {
                Ok(shown) if shown.running == Some(true) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 5 / 4).min(LOOK_RARELY);
                }
                Ok(shown) => return Ok(shown.exit_code.unwrap_or(KILLED)),
                // It went with its container, or with the run of that.
                Err(fault) if fault.is(404) || fault.is(409) => return self.is_there().await.map(|()| KILLED),
                Err(fault) => return Err(fault.into()),
            }
        }
    }

    async fn is_there(&self) -> Result<(), RuntimeError> {
        let call = Call::new("looking at container", &self.container, LOOK);
        let ask = |docker: bollard::Docker| async move { docker.inspect_container(&self.container_id, None).await };
        match self.connection.call(call, ask).await {
            Ok(_) => Ok(()),
            Err(fault) if fault.is(404) => {
                Err(RuntimeError::NotFound(format!("container `{}` was removed while the command ran", self.container)))
            }
            Err(fault) => Err(fault.into()),
        }
    }
}

impl Reading {
    /// What it does next.
    async fn next(&mut self) -> Result<ExecEvent, RuntimeError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(event);
            }
            let read = self.output.read(&mut self.buffer).await;
            let count = read.map_err(|error| self.command.connection.away(&error))?;
            if count == 0 {
                return self.command.exit_code().await.map(ExecEvent::Exited);
            }
            let (bytes, ready) = (&self.buffer[..count], &mut self.ready);
            match &mut self.demultiplexer {
                None => ready.push_back(ExecEvent::Wrote(LogSource::Stdout, bytes.to_vec())),
                Some(demultiplexer) => demultiplexer.feed(bytes, |is_error, piece| {
                    let source = if is_error { LogSource::Stderr } else { LogSource::Stdout };
                    ready.push_back(ExecEvent::Wrote(source, piece.to_vec()));
                }),
            }
        }
    }
}

/// Writes what it is sent, and then the end.
async fn write(mut stdin: BoxStream<'static, Vec<u8>>, mut input: WriteHalf<TokioIo<Upgraded>>) {
    while let Some(bytes) = stdin.next().await {
        // One that reads no more is heard of by its end.
        if input.write_all(&bytes).await.is_err() || input.flush().await.is_err() {
            return;
        }
    }
    let _ = input.shutdown().await;
}
