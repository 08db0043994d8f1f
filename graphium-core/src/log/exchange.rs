//! Where readers and agents meet.

use super::{EndReason, LogCall, LogFrame, LogLink, LogRequest, link::Since};
use crate::{
    agent::LinkError,
    environment::Environment,
    id::{HostId, StreamId},
    runtime::Tail,
};
use async_trait::async_trait;
use futures::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    channel::{mpsc, oneshot},
    future::{Either, select},
    select_biased,
    stream::BoxStream,
};
use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many logs may be read at a time.
const MOST: usize = 256;
/// How many frames lie ready for a reader: then its agent waits.
const AHEAD: usize = 32;
/// After how long a request is told again that no agent has come for.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest that an agent is let wait.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The logs that are being read through this program. They are no tasks: nothing of them is stored.
///
/// Each log has a buffer of a few frames, and whoever fills it waits for its reader. So a slow reader slows down the agent's
/// reading of that one log and nothing else.
#[derive(Debug)]
pub struct LogExchange {
    environment: Arc<dyn Environment>,
    hosts: Mutex<BTreeMap<HostId, Desk>>,
}

/// What is asked of one host.
#[derive(Debug, Default)]
struct Desk {
    /// The newest session that asked; an older agent gets nothing.
    epoch: u64,
    /// Wakes its agent.
    signal: Arc<event_listener::Event>,
    /// By stream, those that are being read.
    asked: BTreeMap<StreamId, Asked>,
}

#[derive(Debug)]
struct Asked {
    request: LogRequest,
    /// When it was told last.
    told: Option<Duration>,
    /// The way to the reader, until an agent has come.
    way: Option<Way>,
}

#[derive(Debug)]
struct Way {
    frames: mpsc::Sender<LogFrame>,
    /// Ends with the reader.
    reader: oneshot::Receiver<()>,
}

/// What a reader asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Name of the container on its engine.
    pub container: String,
    /// The engine's id of the container that is meant; absent: whichever bears the name.
    pub id: Option<String>,
    /// How much of what is there already.
    pub tail: Tail,
    /// From when on.
    pub since: Since,
    /// Go on with what it writes.
    pub follow: bool,
    /// Of a container with a terminal: with times.
    pub timestamps: bool,
}

/// One who reads a log. Dropping it ends the log for the agent, too.
#[derive(Debug)]
pub struct LogReader {
    frames: mpsc::Receiver<LogFrame>,
    _here: oneshot::Sender<()>,
    exchange: Arc<LogExchange>,
    host: HostId,
    stream: StreamId,
}

impl LogReader {
    /// The next frame; `None`: the agent was lost before it had said the end.
    ///
    /// Cancellation: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LogFrame> {
        self.frames.next().await
    }
}

impl Drop for LogReader {
    fn drop(&mut self) {
        let mut hosts = self.exchange.hosts();
        if let Some(desk) = hosts.get_mut(&self.host) {
            desk.asked.remove(&self.stream);
        }
    }
}

impl LogExchange {
    /// One that nobody reads at.
    pub fn new(environment: Arc<dyn Environment>) -> Self {
        Self { environment, hosts: Mutex::default() }
    }

    /// Asks for a log of a container on a host; `None`: too many are being read.
    pub fn read(self: &Arc<Self>, host: &HostId, wanted: Wanted) -> Option<LogReader> {
        let stream = StreamId::new(format!("{:032x}", self.environment.random()));
        let Wanted { container, id, tail, since, follow, timestamps } = wanted;
        let request = LogRequest { stream: stream.clone(), container, id, tail, since, follow, timestamps };
        let (sender, frames) = mpsc::channel(AHEAD);
        let (here, reader) = oneshot::channel();
        let mut hosts = self.hosts();
        if hosts.values().map(|desk| desk.asked.len()).sum::<usize>() >= MOST {
            return None;
        }
        let desk = hosts.entry(host.clone()).or_default();
        let way = Some(Way { frames: sender, reader });
        desk.asked.insert(stream.clone(), Asked { request, told: None, way });
        desk.signal.notify(usize::MAX);
        drop(hosts);
        Some(LogReader { frames, _here: here, exchange: Arc::clone(self), host: host.clone(), stream })
    }

    /// Whether the agent of a host has ever asked here which logs are wanted.
    pub fn is_asked_by(&self, host: &HostId) -> bool {
        self.hosts().get(host).is_some_and(|desk| desk.epoch > 0)
    }

    /// Takes what is to be told now; and when to look again.
    fn due(&self, call: &LogCall) -> Result<(Vec<LogRequest>, Option<Duration>), LinkError> {
        let now = self.environment.elapsed();
        let mut hosts = self.hosts();
        let desk = hosts.entry(call.host.clone()).or_default();
        if call.epoch < desk.epoch {
            return Err(LinkError::SessionLost(format!("session {} has asked for logs, too", desk.epoch)));
        }
        if call.epoch > desk.epoch {
            // The newer agent knows nothing of what its predecessor was told.
            desk.epoch = call.epoch;
            desk.asked.values_mut().for_each(|asked| asked.told = None);
            desk.signal.notify(usize::MAX);
        }
        let mut due = Vec::new();
        let mut next: Option<Duration> = None;
        for asked in desk.asked.values_mut().filter(|asked| asked.way.is_some()) {
            let at = asked.told.map_or(now, |told| told + AGAIN);
            if at <= now {
                asked.told = Some(now);
                due.push(asked.request.clone());
            } else {
                next = Some(next.map_or(at, |next| next.min(at)));
            }
        }
        Ok((due, next.map(|next| next - now)))
    }

    fn signal(&self, host: &HostId) -> Arc<event_listener::Event> {
        Arc::clone(&self.hosts().entry(host.clone()).or_default().signal)
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<HostId, Desk>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl LogLink for LogExchange {
    async fn asked(&self, call: &LogCall) -> Result<Vec<LogRequest>, LinkError> {
        let signal = self.signal(&call.host);
        let mut patience = pin!(self.environment.sleep(call.wait.min(MAX_WAIT)));
        loop {
            let listener = signal.listen();
            let (due, next) = self.due(call)?;
            if !due.is_empty() {
                return Ok(due);
            }
            let look_again = async {
                match next {
                    Some(pause) => self.environment.sleep(pause).await,
                    None => std::future::pending().await,
                }
            };
            match select(select(listener, pin!(look_again)), patience.as_mut()).await {
                Either::Left(_) => {}
                Either::Right(_) => return Ok(Vec::new()),
            }
        }
    }

    async fn serve(
        &self,
        host: &HostId,
        stream: &StreamId,
        mut frames: BoxStream<'static, LogFrame>,
    ) -> Result<(), LinkError> {
        let way = self.hosts().get_mut(host).and_then(|desk| desk.asked.get_mut(stream)?.way.take());
        let Some(Way { frames: mut reader, reader: gone }) = way else { return Ok(()) };
        // A receiver whose sender is gone calls itself terminated, and would be passed over: hence a fuse of our own.
        let mut gone = gone.fuse();
        loop {
            let frame = select_biased! {
                _ = gone => return Ok(()),
                frame = frames.next().fuse() => frame,
            };
            let Some(frame) = frame else { return Ok(()) };
            let is_last = matches!(frame, LogFrame::End(_));
            // Sending fails only when the reader has gone.
            if reader.send(frame).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}

impl From<&crate::runtime::RuntimeError> for EndReason {
    fn from(error: &crate::runtime::RuntimeError) -> Self {
        use crate::runtime::RuntimeError as Error;
        match error {
            Error::NotFound(_) => Self::NotFound,
            Error::NameTaken { .. } => Self::NotOurs,
            Error::Unreachable { .. } | Error::TimedOut { .. } => Self::EngineAway,
            _ => Self::Refused,
        }
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    use super::*;
    use crate::{
        log::End,
        runtime::{LogEntry, LogSource},
        testing::ManualEnvironment,
    };
    use futures::{join, stream};

    fn frame(text: &str) -> LogFrame {
        LogFrame::line(LogEntry { source: LogSource::Stdout, time: None, bytes: text.as_bytes().to_vec() })
    }

    fn call(epoch: u64, seconds: u64) -> LogCall {
        LogCall { host: "vm1".into(), epoch, wait: Duration::from_secs(seconds) }
    }

    fn exchange() -> (ManualEnvironment, Arc<LogExchange>) {
        let environment = ManualEnvironment::default();
        let exchange = LogExchange::new(Arc::new(environment.clone()));
        (environment, Arc::new(exchange))
    }

    fn wanted() -> Wanted {
        Wanted { container: "web".to_owned(), ..Wanted::default() }
    }

    #[test]
    fn a_reader_wakes_the_agent_of_its_host_and_gets_its_frames_in_order() {
        let (environment, exchange) = exchange();
        let agent = async {
            let asked = exchange.asked(&call(1, 30)).await.unwrap();
            assert_eq!(asked[0].container, "web");
            assert!(exchange.is_asked_by(&"vm1".into()) && !exchange.is_asked_by(&"vm2".into()));
            assert!(exchange.asked(&call(1, 1)).await.unwrap().is_empty(), "it is not told twice at once");
            let other: HostId = "vm2".into();
            let frames =
                || stream::iter([frame("one\n"), frame("two\n"), LogFrame::end(EndReason::Complete, "")]).boxed();
            exchange.serve(&other, &asked[0].stream, frames()).await.unwrap();
            exchange.serve(&call(1, 0).host, &asked[0].stream, frames()).await.unwrap();
        };
        let reader = async {
            environment.sleep(Duration::from_secs(3)).await;
            let mut reader = exchange.read(&"vm1".into(), wanted()).unwrap();
            assert_eq!(reader.next().await, Some(frame("one\n")), "another host's agent cannot answer");
            assert_eq!(reader.next().await, Some(frame("two\n")));
            assert_eq!(reader.next().await, Some(LogFrame::End(End::new(EndReason::Complete, ""))));
            assert_eq!(reader.next().await, None);
        };
        environment.run(async { join!(agent, reader) });
    }

    #[test]
    fn a_request_whose_answer_was_lost_is_told_again_and_a_newer_agent_gets_it_at_once() {
        let (environment, exchange) = exchange();
        environment.run(async {
            let _reader = exchange.read(&"vm1".into(), wanted()).unwrap();
            let first = exchange.asked(&call(1, 30)).await.unwrap();
            let begun = environment.elapsed();
            assert_eq!(exchange.asked(&call(1, 30)).await.unwrap(), first);
            assert_eq!(environment.elapsed() - begun, AGAIN);
            assert_eq!(exchange.asked(&call(2, 30)).await.unwrap(), first);
            assert_eq!(environment.elapsed() - begun, AGAIN);
            let refused = exchange.asked(&call(1, 30)).await;
            assert!(matches!(refused, Err(LinkError::SessionLost(_))), "{refused:?}");
        });
    }

    #[test]
    fn a_slow_reader_makes_its_agent_wait_and_one_that_leaves_ends_it() {
        let (environment, exchange) = exchange();
        environment.run(async {
            let mut slow = exchange.read(&"vm1".into(), wanted()).unwrap();
            let other = exchange.read(&"vm1".into(), wanted()).unwrap();
            let asked = exchange.asked(&call(1, 30)).await.unwrap();
            assert_eq!(asked.len(), 2);
            let taken = Arc::new(Mutex::new(0));
            let count = Arc::clone(&taken);
            let endless = stream::repeat_with(move || {
                *count.lock().unwrap() += 1;
                frame("x\n")
            });
            let host: HostId = "vm1".into();
            let stream = slow.stream.clone();
            let mut serving = pin!(exchange.serve(&host, &stream, endless.boxed()).fuse());
            assert!(serving.as_mut().now_or_never().is_none(), "it waits");
            let ahead = *taken.lock().unwrap();
            assert!(ahead <= AHEAD + 2, "{ahead} frames were taken ahead of the reader");
            slow.next().await.unwrap();
            assert!(serving.as_mut().now_or_never().is_none());
            assert!(*taken.lock().unwrap() > ahead, "it goes on as the reader does");
            drop(slow);
            assert!(serving.as_mut().now_or_never().is_some(), "it ends with its reader");
            // A silent log notices it, too.
            let silent = exchange.serve(
                &host,
                &asked.iter().find(|asked| asked.stream != stream).unwrap().stream,
                stream::pending().boxed(),
            );
            let mut silent = pin!(silent);
            assert!(silent.as_mut().now_or_never().is_none());
            drop(other);
            assert!(silent.as_mut().now_or_never().is_some());
        });
    }

    #[test]
    fn so_many_may_read_and_no_more() {
        let (_, exchange) = exchange();
        let mut readers: Vec<_> = (0..MOST).map(|_| exchange.read(&"vm1".into(), wanted()).unwrap()).collect();
        assert!(exchange.read(&"vm2".into(), wanted()).is_none());
        readers.pop();
        assert!(exchange.read(&"vm2".into(), wanted()).is_some());
    }

    #[test]
    fn a_reader_whose_agent_is_lost_is_told() {
        let (environment, exchange) = exchange();
        environment.run(async {
            let mut reader = exchange.read(&"vm1".into(), wanted()).unwrap();
            let asked = exchange.asked(&call(1, 30)).await.unwrap();
            let host: HostId = "vm1".into();
            {
                let frames = stream::iter([frame("one\n")]).chain(stream::pending()).boxed();
                let mut serving = pin!(exchange.serve(&host, &asked[0].stream, frames));
                assert!(serving.as_mut().now_or_never().is_none());
            }
            assert_eq!(reader.next().await, Some(frame("one\n")));
            assert_eq!(reader.next().await, None);
        });
    }
}
