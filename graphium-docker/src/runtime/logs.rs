//! What containers have written.

use super::{DockerRuntime, LOOK, taken};
use crate::{
    connection::{Call, Connection},
    error::Fault,
    name::checked,
    raw::Raw,
};
use bollard::{container::LogOutput, query_parameters::LogsOptionsBuilder};
use bytes::Bytes;
use futures::{
    FutureExt as _, StreamExt as _, TryStreamExt as _,
    future::ready,
    stream::{self, BoxStream},
};
use graphium_core::runtime::{ContainerLog, LogEntry, LogQuery, LogSource, RuntimeError};
use jiff::Timestamp;
use std::sync::Arc;

/// No more than this is kept of what a container wrote, however long its lines are.
const MOST_BYTES: usize = 1024 * 1024;

pub(super) async fn last_lines(connection: &Connection, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
    let name = checked(name)?.to_owned();
    let call = Call::new("reading the log of container", &name, LOOK);
    let options = LogsOptionsBuilder::new().stdout(true).stderr(true).tail(&lines.to_string()).build();
    let wanted = name.clone();
    let ask = |docker: bollard::Docker| async move {
        let kept = |(mut text, was_cut): (Vec<u8>, bool), part: LogOutput| async move {
            text.extend_from_slice(&part.into_bytes());
            let surplus = text.len().saturating_sub(MOST_BYTES);
            text.drain(..surplus);
            Ok((text, was_cut || surplus > 0))
        };
        docker.logs(&wanted, Some(options)).try_fold((Vec::new(), false), kept).await
    };
    let (text, was_cut) = connection.call(call, ask).await?;
    let mut last: Vec<String> = String::from_utf8_lossy(&text).lines().map(str::to_owned).collect();
    if was_cut && last.len() > 1 {
        // A piece of a line, by which nobody knows what it was.
        last.remove(0);
    }
    last.drain(..last.len().saturating_sub(lines));
    Ok(last)
}

impl DockerRuntime {
    /// Looks at the container first: a request for a log has no answer before its container writes.
    pub(super) async fn read_log(&self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        let name = checked(name)?;
        let absent = || RuntimeError::NotFound(format!("there is no container `{name}`"));
        let shown = self.look(name).await?.ok_or_else(absent)?;
        if self.ours(&shown).is_none() {
            return Err(taken(name, "a container that is not Graphium's"));
        }
        let config = shown.config.unwrap_or_default();
        let id = shown.id.unwrap_or_default();
        let has_terminal = config.tty == Some(true);
        // The engine's own grid is a second, rounded down; what is older is left out by its own time.
        let since = query.since.map_or(0, |since| i32::try_from(since.as_second().max(0)).unwrap_or(i32::MAX));
        if has_terminal {
            return Ok(ContainerLog { entries: console(Arc::clone(&self.connection), &id, query, since), id });
        }
        let options = LogsOptionsBuilder::new()
            .stdout(true)
            .stderr(true)
            .follow(query.follow)
            .timestamps(true)
            .since(since)
            .tail(&query.tail.to_string())
            .build();
        let client = self.connection.client().await?;
        let endpoint = self.endpoint().clone();
        let is_wanted = move |entry: &LogEntry| match (entry.time, query.since) {
            (Some(time), Some(since)) => time >= since,
            _ => true,
        };
        let entries = client
            .docker
            .logs(&id, Some(options))
            .map(move |part| match part {
                Ok(part) => Ok(entry(part)),
                Err(error) => Err(Fault::new(error, &endpoint).into()),
            })
            .try_filter(move |entry| ready(is_wanted(entry)));
        Ok(ContainerLog { id, entries: entries.boxed() })
    }
}

/// The log of a container with a terminal: its bytes as they come, without lines and frames.
fn console(
    connection: Arc<Connection>,
    id: &str,
    query: LogQuery,
    since: i32,
) -> BoxStream<'static, Result<LogEntry, RuntimeError>> {
    let LogQuery { tail, follow, timestamps, .. } = query;
    let path = format!(
        "/containers/{id}/logs?stdout=true&stderr=true&follow={follow}&timestamps={timestamps}&since={since}&tail={tail}"
    );
    let begun = async move {
        let pieces = match connection.ask_raw(Raw::get(path)).await {
            Ok(answer) => answer.into_pieces(),
            Err(fault) => return stream::iter([Err(fault.into())]).boxed(),
        };
        let piece = |bytes: Bytes| LogEntry { source: LogSource::Console, time: None, bytes: bytes.into() };
        let entries = stream::unfold(pieces, move |mut pieces| async move { Some((pieces.next().await?, pieces)) });
        entries.map(move |bytes| bytes.map(piece).map_err(|reason| connection.away(&reason).into())).boxed()
    };
    begun.into_stream().flatten().boxed()
}

/// A frame of the engine: one line, or a part of a long one, each after its time.
fn entry(part: LogOutput) -> LogEntry {
    let source = if matches!(part, LogOutput::StdErr { .. }) { LogSource::Stderr } else { LogSource::Stdout };
    let (time, bytes) = timed(part.into_bytes());
    LogEntry { source, time, bytes: bytes.into() }
}

/// Takes the time off that the engine put before a line.
fn timed(bytes: Bytes) -> (Option<Timestamp>, Bytes) {
    let end = bytes.iter().take(64).position(|byte| *byte == b' ');
    let time = end.and_then(|end| std::str::from_utf8(&bytes[..end]).ok()?.parse().ok());
    match (time, end) {
        (Some(time), Some(end)) => (Some(time), bytes.slice(end + 1..)),
        _ => (None, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engines_time_is_taken_off_and_the_rest_stays_as_it_is() {
        let time: Timestamp = "2026-01-31T12:00:00.123456789Z".parse().unwrap();
        for (text, expected) in [
            ("2026-01-31T12:00:00.123456789Z hello world\n", (Some(time), "hello world\n")),
            ("2026-01-31T12:00:00.123456789Z  x", (Some(time), " x")),
            ("2026-01-31T12:00:00.123456789Z \n", (Some(time), "\n")),
            ("hello world\n", (None, "hello world\n")),
            ("", (None, "")),
        ] {
            let (time, rest) = timed(Bytes::from_static(text.as_bytes()));
            assert_eq!((time, rest.as_ref()), (expected.0, expected.1.as_bytes()), "{text}");
        }
    }
}
