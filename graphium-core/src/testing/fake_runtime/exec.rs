//! Commands in containers: a few that every container has.

use super::engine::Engine;
use crate::{
    inventory::ContainerStatus,
    runtime::{ExecEvent, ExecFeed, ExecSpec, Execution, LogSource, RuntimeError},
};
use futures::{
    StreamExt as _,
    channel::mpsc::UnboundedReceiver,
    select_biased,
    stream::{self, BoxStream},
};

/// What an engine says of a command that was killed with its container.
const KILLED: i64 = 137;
/// What a shell says of a program that is not there.
const NOT_THERE: i64 = 127;
/// A piece of what `yes` writes.
const PIECE: usize = 4096;

type Events = BoxStream<'static, ExecEvent>;

impl Engine {
    pub(super) fn exec(&mut self, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Result<Execution, RuntimeError> {
        let status = self.own(name)?.map(|container| container.state.status());
        let container = self.containers.get_mut(name).zip(status);
        let (container, status) =
            container.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        if status != ContainerStatus::Running {
            return Err(RuntimeError::not_running(name));
        }
        let end = container.log.attach();
        let container_id = container.state.observed.id.clone();
        let file = |path: &str| container.files.get(path).map(|content| content.reveal().as_bytes().to_vec());
        let events = match spec.command.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            ["show", path] => shown(file(path)),
            _ => program(spec, feed),
        };
        let events = until(events, end);
        Ok(Execution { container_id, events })
    }
}

/// What a program does that runs to its end, or to that of its container.
fn until(events: Events, end: UnboundedReceiver<RuntimeError>) -> BoxStream<'static, Result<ExecEvent, RuntimeError>> {
    stream::unfold(Some((events.fuse(), end.fuse())), |state| async move {
        let (mut events, mut end) = state?;
        // A channel whose sender is gone says so once.
        let event = select_biased! {
            error = end.next() => return Some((error.map_or(Ok(ExecEvent::Exited(KILLED)), Err), None)),
            event = events.next() => event,
        };
        let event = event.unwrap_or(ExecEvent::Exited(0));
        let is_last = matches!(event, ExecEvent::Exited(_));
        Some((Ok(event), (!is_last).then_some((events, end))))
    })
    .boxed()
}

/// What `cat` says of a file.
fn shown(content: Option<Vec<u8>>) -> Events {
    let (event, code) = match content {
        Some(bytes) => (ExecEvent::Wrote(LogSource::Stdout, bytes), 0),
        None => (ExecEvent::Wrote(LogSource::Stderr, b"there is no such file\n".to_vec()), 1),
    };
    stream::iter([event, ExecEvent::Exited(code)]).boxed()
}

fn program(spec: &ExecSpec, feed: ExecFeed) -> Events {
    let stdin = if spec.stdin { feed.stdin } else { stream::empty().boxed() };
    let wrote = |source, text: String| ExecEvent::Wrote(source, text.into_bytes());
    let errors = if spec.terminal.is_some() { LogSource::Stdout } else { LogSource::Stderr };
    let words: Vec<&str> = spec.command.iter().map(String::as_str).collect();
    match *words {
        ["cat"] => stdin.map(|bytes| ExecEvent::Wrote(LogSource::Stdout, bytes)).boxed(),
        ["say", out, err, code] => stream::iter([
            wrote(LogSource::Stdout, format!("{out}\n")),
            wrote(errors, format!("{err}\n")),
            ExecEvent::Exited(code.parse().unwrap_or_default()),
        ])
        .boxed(),
        // Once at the beginning, and whenever it is another; until the end of its standard input.
        ["size"] => {
            let first = stream::iter(spec.terminal);
            let sizes = first.chain(feed.sizes).map(|size| format!("{} {}\n", size.rows, size.columns));
            let sizes = sizes
                .map(move |text| wrote(LogSource::Stdout, text))
                .take_until(stdin.for_each(|_| std::future::ready(())));
            sizes.boxed()
        }
        ["yes"] => stream::repeat_with(|| ExecEvent::Wrote(LogSource::Stdout, b"y\n".repeat(PIECE / 2))).boxed(),
        ["wait"] => stdin.filter_map(|_| std::future::ready(None)).chain(stream::pending()).boxed(),
        _ => {
            let text = format!("there is no program `{}`\n", spec.program());
            stream::iter([wrote(errors, text), ExecEvent::Exited(NOT_THERE)]).boxed()
        }
    }
}
