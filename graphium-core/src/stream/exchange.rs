//! Where readers and agents meet.

use super::{Ability, ExecLine, InputRefused, InputSender, StreamCall, StreamLink, StreamRequest, input::input};
use crate::{
    agent::LinkError,
    environment::Environment,
    exec::{ExecFrame, ExecInput, ExecRequest},
    id::{HostId, StreamId},
    log::{EndReason, LogFrame, LogRequest, Since},
    runtime::{ExecSpec, Tail},
};
use async_trait::async_trait;
use futures::{
    FutureExt as _, SinkExt as _, StreamExt as _,
    channel::{mpsc, oneshot},
    future::{Either, select},
    select_biased,
    stream::{self, BoxStream},
};
use std::{
    collections::BTreeMap,
    fmt,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// How many logs may be read at a time.
const MOST: usize = 256;
/// How many commands may run at a time.
const MOST_EXECS: usize = 64;
/// How many frames lie ready for a reader: then its agent waits.
const AHEAD: usize = 32;
/// After how long a request is told again that no agent has come for.
const AGAIN: Duration = Duration::from_secs(5);
/// The longest that an agent is let wait.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// The logs that are being read and the commands that run through this program. They are no tasks: nothing of them is stored.
///
/// Each has a buffer of a few frames in its direction, and whoever fills it waits for its reader. So a slow reader slows down the agent's
/// reading of that one log and nothing else.
///
/// # Example
/// ```
/// use graphium_core::stream::{StreamCall, StreamExchange, StreamLink, StreamRequest, Wanted};
/// use graphium_core::{log::LogRequest, testing::ManualEnvironment};
/// use std::{sync::Arc, time::Duration};
/// # use graphium_core::agent::LinkError;
///
/// let world = Arc::new(ManualEnvironment::default());
/// let exchange = Arc::new(StreamExchange::new(world.clone()));
/// let reader = exchange.read(&"vm1".into(), Wanted { container: "shop-web".to_owned(), ..Wanted::default() }).unwrap();
/// let call = StreamCall::new("vm1".into(), 1, Duration::from_secs(30));
/// let asked = world.run(exchange.asked(&call))?;
/// let StreamRequest::Log(request) = &asked[0] else { unreachable!("nobody runs a command") };
/// let request: &LogRequest = request;
/// assert_eq!(request.container, "shop-web");
///
/// // Once nobody reads any more, nothing is asked for.
/// drop(reader);
/// assert!(world.run(exchange.asked(&call))?.is_empty());
/// # Ok::<(), LinkError>(())
/// ```
#[derive(Debug)]
pub struct StreamExchange {
    environment: Arc<dyn Environment>,
    hosts: Mutex<BTreeMap<HostId, Desk>>,
}

/// What is asked of one host.
#[derive(Debug, Default)]
struct Desk {
    /// The newest session that asked; an older agent gets nothing.
    epoch: u64,
    /// What that one can do.
    can: Vec<Ability>,
    /// Wakes its agent.
    signal: Arc<event_listener::Event>,
    /// By stream, those that are being read.
    asked: BTreeMap<StreamId, Asked>,
}

#[derive(Debug)]
struct Asked {
    request: StreamRequest,
    /// When it was told last.
    told: Option<Duration>,
    /// The way to the reader, until an agent has come.
    way: Option<Way>,
}

/// What goes to a command.
struct Input(BoxStream<'static, ExecInput>);

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Input").finish_non_exhaustive()
    }
}

#[derive(Debug)]
enum Way {
    Log {
        frames: mpsc::Sender<LogFrame>,
        /// Ends with the reader.
        reader: oneshot::Receiver<()>,
    },
    Exec {
        frames: mpsc::Sender<ExecFrame>,
        /// Ends with the reader.
        input: Input,
    },
}

/// A stream's place among those that are asked for, until it is dropped.
#[derive(Debug)]
struct Place {
    exchange: Arc<StreamExchange>,
    host: HostId,
    stream: StreamId,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut hosts = self.exchange.hosts();
        if let Some(desk) = hosts.get_mut(&self.host) {
            desk.asked.remove(&self.stream);
        }
    }
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

/// A command that is to be run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExecWanted {
    /// Name of the container on its engine.
    pub container: String,
    /// The engine's id of the container that is meant; absent: whichever bears the name.
    pub id: Option<String>,
    /// What is run.
    pub exec: ExecSpec,
}

/// One who reads a log. Dropping it ends the log for the agent, too.
#[derive(Debug)]
pub struct LogReader {
    frames: mpsc::Receiver<LogFrame>,
    _here: oneshot::Sender<()>,
    _place: Place,
}

impl LogReader {
    /// The next frame; `None`: the agent was lost before it had said the end.
    ///
    /// Cancellation: dropping the future loses nothing.
    pub async fn next(&mut self) -> Option<LogFrame> {
        self.frames.next().await
    }
}

/// One who has a command run. Dropping it tells the agent that nobody is there any more.
pub struct ExecSession {
    /// What comes from the command; the end without [`ExecFrame::End`]: the agent was lost.
    pub frames: BoxStream<'static, ExecFrame>,
    /// Where to what goes to it is put. It fails once the agent is gone.
    pub input: InputSender,
    place: Place,
}

impl fmt::Debug for ExecSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ExecSession").field("place", &self.place).finish_non_exhaustive()
    }
}

impl ExecSession {
    /// Whether the agent has come for it: from then on whatever there is to say comes from there.
    pub fn is_served(&self) -> bool {
        let hosts = self.place.exchange.hosts();
        let asked = hosts.get(&self.place.host).and_then(|desk| desk.asked.get(&self.place.stream));
        asked.is_some_and(|asked| asked.way.is_none())
    }
}

impl StreamExchange {
    /// One that nobody reads at.
    pub fn new(environment: Arc<dyn Environment>) -> Self {
        Self { environment, hosts: Mutex::default() }
    }

    /// Asks for a log of a container on a host; `None`: too many are being read.
    pub fn read(self: &Arc<Self>, host: &HostId, wanted: Wanted) -> Option<LogReader> {
        let stream = self.name();
        let Wanted { container, id, tail, since, follow, timestamps } = wanted;
        let request = LogRequest { stream: stream.clone(), container, id, tail, since, follow, timestamps };
        let (sender, frames) = mpsc::channel(AHEAD);
        let (here, reader) = oneshot::channel();
        let way = Way::Log { frames: sender, reader };
        let place = self.ask(host, stream, StreamRequest::Log(request), way)?;
        Some(LogReader { frames, _here: here, _place: place })
    }

    /// Asks for a command to be run in a container on a host; `None`: too many run.
    pub fn exec(self: &Arc<Self>, host: &HostId, wanted: ExecWanted) -> Option<ExecSession> {
        let stream = self.name();
        let ExecWanted { container, id, exec } = wanted;
        let request = ExecRequest { stream: stream.clone(), container, id, exec };
        let (sender, frames) = mpsc::channel(AHEAD);
        let (input, inputs) = input();
        let frames = until_overflow(frames, input.overflow());
        let way = Way::Exec { frames: sender, input: Input(inputs.boxed()) };
        let place = self.ask(host, stream, StreamRequest::Exec(request), way)?;
        Some(ExecSession { frames, input, place })
    }

    /// How many logs and commands are asked for at present.
    #[cfg(feature = "sim")]
    pub(crate) fn count(&self) -> usize {
        self.hosts().values().map(|desk| desk.asked.len()).sum()
    }

    fn name(&self) -> StreamId {
        StreamId::new(format!("{:032x}", self.environment.random()))
    }

    fn ask(self: &Arc<Self>, host: &HostId, stream: StreamId, request: StreamRequest, way: Way) -> Option<Place> {
        let is_exec = |request: &StreamRequest| matches!(request, StreamRequest::Exec(_));
        let (kind, most) = if is_exec(&request) { (true, MOST_EXECS) } else { (false, MOST) };
        let mut hosts = self.hosts();
        let all = hosts.values().flat_map(|desk| desk.asked.values());
        if all.filter(|asked| is_exec(&asked.request) == kind).count() >= most {
            return None;
        }
        let desk = hosts.entry(host.clone()).or_default();
        desk.asked.insert(stream.clone(), Asked { request, told: None, way: Some(way) });
        desk.signal.notify(usize::MAX);
        drop(hosts);
        Some(Place { exchange: Arc::clone(self), host: host.clone(), stream })
    }

    /// The way to whoever asked, for the first who comes for it.
    fn take(&self, host: &HostId, stream: &StreamId) -> Option<Way> {
        self.hosts().get_mut(host)?.asked.get_mut(stream)?.way.take()
    }

    /// Whether the agent of a host has ever asked here which logs are wanted.
    pub fn is_asked_by(&self, host: &HostId) -> bool {
        self.hosts().get(host).is_some_and(|desk| desk.epoch > 0)
    }

    /// Whether the agent of a host has asked here, and is of a version that cannot do that.
    pub fn is_unable(&self, host: &HostId, ability: Ability) -> bool {
        self.hosts().get(host).is_some_and(|desk| desk.epoch > 0 && !desk.can.contains(&ability))
    }

    /// Takes what is to be told now; and when to look again.
    fn due(&self, call: &StreamCall) -> Result<(Vec<StreamRequest>, Option<Duration>), LinkError> {
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
        desk.can.clone_from(&call.can);
        let can = |request: &StreamRequest| match request {
            StreamRequest::Log(_) => true,
            StreamRequest::Exec(_) => call.can.contains(&Ability::Exec),
        };
        let mut due = Vec::new();
        let mut next: Option<Duration> = None;
        for asked in desk.asked.values_mut().filter(|asked| asked.way.is_some() && can(&asked.request)) {
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

    /// What is wanted of an agent, once there is something; it may wait for ever.
    ///
    /// *Cancellation*: dropping the future loses nothing.
    ///
    /// # Errors
    /// [`LinkError::SessionLost`]: a newer agent of the host has asked.
    pub async fn wanted(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError> {
        let signal = self.signal(&call.host);
        loop {
            let listener = signal.listen();
            let (due, next) = self.due(call)?;
            if !due.is_empty() {
                return Ok(due);
            }
            match next {
                Some(pause) => drop(select(listener, self.environment.sleep(pause)).await),
                None => listener.await,
            }
        }
    }

    fn signal(&self, host: &HostId) -> Arc<event_listener::Event> {
        Arc::clone(&self.hosts().entry(host.clone()).or_default().signal)
    }

    fn hosts(&self) -> MutexGuard<'_, BTreeMap<HostId, Desk>> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl StreamLink for StreamExchange {
    async fn asked(&self, call: &StreamCall) -> Result<Vec<StreamRequest>, LinkError> {
        match select(pin!(self.wanted(call)), self.environment.sleep(call.wait.min(MAX_WAIT))).await {
            Either::Left((wanted, _)) => wanted,
            Either::Right(_) => Ok(Vec::new()),
        }
    }

    async fn serve(
        &self,
        host: &HostId,
        stream: &StreamId,
        mut frames: BoxStream<'static, LogFrame>,
    ) -> Result<(), LinkError> {
        let Some(Way::Log { frames: mut reader, reader: gone }) = self.take(host, stream) else { return Ok(()) };
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

    async fn attach(&self, host: &HostId, stream: &StreamId) -> Result<Option<ExecLine>, LinkError> {
        let Some(Way::Exec { frames, input }) = self.take(host, stream) else { return Ok(None) };
        let gone = |_| LinkError::Rejected("nobody waits for it any more".to_owned());
        Ok(Some(ExecLine { input: input.0, output: Box::pin(frames.sink_map_err(gone)) }))
    }
}

/// What comes, unless whoever asked sends more than there is room for: that is the end of it.
fn until_overflow(
    frames: mpsc::Receiver<ExecFrame>,
    overflow: impl Future<Output = ()> + Send + 'static,
) -> BoxStream<'static, ExecFrame> {
    stream::unfold(Some((frames, Box::pin(overflow))), |state| async move {
        let (mut frames, mut overflow) = state?;
        let frame = select_biased! {
            () = overflow.as_mut().fuse() => ExecFrame::end(EndReason::Breach, InputRefused::Overflow.to_string()),
            frame = frames.next().fuse() => frame?,
        };
        let is_last = matches!(frame, ExecFrame::End(_));
        Some((frame, (!is_last).then_some((frames, overflow))))
    })
    .boxed()
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
mod tests;
