//! Events over SSE, resumed by number after every break.

use super::{Client, ClientError, call::reason};
use futures::{Stream, StreamExt, stream, stream::BoxStream};
use graphium_core::event::Event;
use reqwest::Method;
use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// A line that says nothing for so long is dead: the server sends a comment every 15 s.
const SILENCE: Duration = Duration::from_secs(45);

/// How long a stream that once worked looks for its server again.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest pause between two attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// How long a stream may last at most before it is opened anew.
const LIFE: Duration = Duration::from_secs(24 * 3600);

impl Client {
    /// Events with numbers above `after`, in order, none twice and none left out; with `follow` also those to come.
    ///
    /// A stream that breaks goes on from the last number; one whose server is away for more than a minute ends with
    /// the error. An error is the last item.
    pub fn events(
        &self,
        after: u64,
        follow: bool,
    ) -> impl Stream<Item = Result<Event, ClientError>> + Send + Unpin + use<> {
        self.read_events(Some(after), follow)
    }

    /// Events to come, whatever their numbers: for those who ask for the state anew whenever something happens.
    ///
    /// As [`events`](Self::events), but for what happens while a stream is broken before its first event: that is left out.
    pub fn events_to_come(&self) -> impl Stream<Item = Result<Event, ClientError>> + Send + Unpin + use<> {
        self.read_events(None, true)
    }

    fn read_events(&self, last: Option<u64>, follow: bool) -> BoxStream<'static, Result<Event, ClientError>> {
        let reader = Reader {
            client: self.clone(),
            follow,
            last,
            body: None,
            parser: Parser::default(),
            heard: None,
            pause: Duration::ZERO,
            ended: false,
        };
        stream::unfold(reader, |mut reader| async move {
            let item = reader.next().await?;
            Some((item, reader))
        })
        .boxed()
    }
}

struct Reader {
    client: Client,
    follow: bool,
    /// The last number that was seen; none: whatever comes next is new.
    last: Option<u64>,
    body: Option<BoxStream<'static, reqwest::Result<bytes::Bytes>>>,
    parser: Parser,
    /// When the server was last heard, once it was.
    heard: Option<Instant>,
    pause: Duration,
    ended: bool,
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Event, ClientError>> {
        while !self.ended {
            if let Some(event) = self.parser.next() {
                // A server that starts again may say some events twice.
                if self.last.is_none_or(|last| event.seq > last) {
                    self.last = Some(event.seq);
                    return Some(Ok(event));
                }
                continue;
            }
            match self.read().await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(error) => {
                    let patient = self.heard.is_some_and(|heard| heard.elapsed() < PATIENCE);
                    if !(patient && error.may_pass()) {
                        self.ended = true;
                        return Some(Err(error));
                    }
                    self.body = None;
                    self.pause = (self.pause * 2).clamp(Duration::from_millis(50), PAUSE);
                    tokio::time::sleep(self.pause).await;
                }
            }
        }
        None
    }

    /// Reads some more; `false`: there is no more.
    async fn read(&mut self) -> Result<bool, ClientError> {
        let lost = |reason: String| ClientError::Unreachable {
            url: format!("{}/api/v1/events", self.client.base_url()),
            reason,
        };
        let body = match &mut self.body {
            Some(body) => body,
            None => {
                let follow = if self.follow { "true" } else { "false" };
                let mut call = self.client.call(Method::GET, &["events"]);
                if let Some(last) = self.last {
                    call = call.query("after", &last.to_string());
                }
                let call = call.query("follow", follow).header("accept", "text/event-stream").deadline(LIFE);
                let response =
                    tokio::time::timeout(SILENCE, call.send()).await.map_err(|_| lost("it took too long".into()))??;
                self.parser = Parser::default();
                self.heard = Some(Instant::now());
                self.body.insert(response.bytes_stream().boxed())
            }
        };
        match tokio::time::timeout(SILENCE, body.next()).await {
            Err(_) => Err(lost("it has not been heard for 45 s".into())),
            Ok(Some(Ok(bytes))) => {
                self.heard = Some(Instant::now());
                self.pause = Duration::ZERO;
                self.parser.feed(&bytes);
                Ok(true)
            }
            Ok(Some(Err(error))) => Err(lost(reason(&error))),
            Ok(None) if self.follow => Err(lost("the stream ended".into())),
            Ok(None) => Ok(false),
        }
    }
}

/// Finds events in the bytes of an SSE stream. Only `data` matters: it holds the whole frame.
#[derive(Default)]
struct Parser {
    line: Vec<u8>,
    data: Vec<u8>,
    ready: VecDeque<Event>,
}

impl Parser {
    fn feed(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            if byte == b'\n' {
                let line = std::mem::take(&mut self.line);
                self.take(&line);
            } else if byte != b'\r' {
                self.line.push(byte);
            }
        }
    }

    fn take(&mut self, line: &[u8]) {
        if line.is_empty() {
            let data = std::mem::take(&mut self.data);
            // What is no event of ours (a newer server's) is passed over.
            self.ready.extend(serde_json::from_slice::<Event>(&data));
        } else if let Some(data) = line.strip_prefix(b"data:") {
            self.data.extend_from_slice(data);
        }
    }

    fn next(&mut self) -> Option<Event> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_found_however_the_bytes_are_cut() {
        let stream = b": hello\n\nid: 7\nevent: task_created\ndata: {\"seq\":7,\"type\":\"task_created\",\"timestamp\":\"2026-01-01T00:00:00Z\",\"data\":{}}\n\nid: 8\ndata: {\"nothing\":1}\n\n";
        for cut in 0..stream.len() {
            let mut parser = Parser::default();
            parser.feed(&stream[..cut]);
            parser.feed(&stream[cut..]);
            let found: Vec<_> = std::iter::from_fn(|| parser.next()).map(|event| event.seq).collect();
            assert_eq!(found, [7], "cut at {cut}");
        }
    }
}
