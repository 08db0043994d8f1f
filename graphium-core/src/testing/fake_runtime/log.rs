//! What containers have written, who follows it, and which commands run beside it.

use super::{container::FakeContainer, engine::Engine};
use crate::runtime::{ContainerLog, LogEntry, LogQuery, LogSource, RuntimeError, Tail};
use futures::{
    StreamExt as _,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    stream,
};
use jiff::Timestamp;

type Follower = UnboundedSender<Result<LogEntry, RuntimeError>>;

#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    /// Each ends a line, or a part of one that was written alone.
    entries: Vec<LogEntry>,
    followers: Vec<Follower>,
    /// Commands that run in it, which end with its run.
    attached: Vec<UnboundedSender<RuntimeError>>,
}

impl FakeContainer {
    /// Writes something, line by line.
    pub(super) fn write(&mut self, source: LogSource, now: Option<Timestamp>, bytes: &[u8]) {
        let has_terminal = self.spec.container.tty;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let entry = match has_terminal {
                true => LogEntry { source: LogSource::Console, time: None, bytes: line.to_vec() },
                false => LogEntry { source, time: now, bytes: line.to_vec() },
            };
            self.log.followers.retain(|follower| follower.unbounded_send(Ok(entry.clone())).is_ok());
            self.log.entries.push(entry);
        }
    }
}

impl Log {
    pub(super) fn last_lines(&self, count: usize) -> Vec<String> {
        let text = |entry: &LogEntry| String::from_utf8_lossy(&entry.bytes).trim_end_matches('\n').to_owned();
        self.entries[self.entries.len().saturating_sub(count)..].iter().map(text).collect()
    }

    /// Ends the streams of those who follow: the container's run is over.
    pub(super) fn end_following(&mut self) {
        self.followers.clear();
        self.attached.clear();
    }

    /// What tells a command how the run of its container ended: with an error, or without.
    pub(super) fn attach(&mut self) -> UnboundedReceiver<RuntimeError> {
        let (attached, end) = unbounded();
        self.attached.push(attached);
        end
    }

    /// The same, with an error.
    pub(super) fn break_off(&mut self, error: &RuntimeError) {
        // One that no longer reads needs no end.
        self.followers.drain(..).for_each(|follower| drop(follower.unbounded_send(Err(error.clone()))));
        self.attached.drain(..).for_each(|attached| drop(attached.unbounded_send(error.clone())));
    }
}

impl Engine {
    pub(super) fn logs(&mut self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        let is_up = self.own(name)?.map(FakeContainer::is_up);
        let container = self.containers.get_mut(name).zip(is_up);
        let (container, is_up) =
            container.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))?;
        let log = &mut container.log;
        let first = match query.tail {
            Tail::All => 0,
            Tail::Last(count) => log.entries.len().saturating_sub(count),
        };
        let is_late = |entry: &&LogEntry| query.since.is_none_or(|since| entry.time.is_none_or(|time| time >= since));
        let past: Vec<_> = log.entries[first..].iter().filter(is_late).cloned().map(Ok).collect();
        let (follower, future) = unbounded();
        if query.follow && is_up {
            log.followers.push(follower);
        }
        Ok(ContainerLog { id: container.state.observed.id.clone(), entries: stream::iter(past).chain(future).boxed() })
    }
}
