//! A command for whoever asked for it.
//!
//! Two halves work at the same time, and neither waits for the other: one hears what comes for the command and puts it into an
//! [`Inbox`], the other says what the command does. So words get through also while its bytes wait for somebody to use them.

mod inbox;

use super::{link::LinkError, patience::within};
use crate::{
    environment::Environment,
    exec::{ExecBegin, ExecEnd, ExecFrame, ExecInput, ExecRequest, LARGEST, WINDOW},
    id::HostId,
    log::{EndReason, LogWait},
    runtime::{ContainerRuntime, ExecEvent, ExecFeed, Execution, RuntimeError},
    stream::{ExecLine, InputRefused, StreamLink},
};
use futures::{
    FutureExt as _, Sink, SinkExt as _, StreamExt as _,
    future::{Fuse, ready, select},
    select_biased,
    stream::BoxStream,
};
use inbox::Inbox;
use jiff::{SignedDuration, Timestamp};
use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

/// How long the way to whoever asked may take to come about, and to take a message: it is always read.
const ANSWER: Duration = Duration::from_secs(30);
/// How long the engine may take to begin it, and after how long whoever asked is told that it takes its time.
const BEGIN: Duration = Duration::from_secs(180);
const SOON: Duration = Duration::from_secs(2);
/// After how long it is over when nothing is sent and nothing is written.
pub(super) const IDLE: Duration = Duration::from_secs(3600);
/// How long whoever asked may take to hear of the end.
const LINGER: Duration = Duration::from_secs(5);
/// How long a command whose terminal is hung up gets to end.
const HANG_UP: Duration = Duration::from_secs(2);
/// What is typed then: Ctrl-C for the program that runs, and Ctrl-D for the shell under it.
const LAST_WORDS: [u8; 2] = [3, 4];

/// A command that is asked for.
#[derive(Debug)]
pub(super) struct Exec {
    pub(super) link: Arc<dyn StreamLink>,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    pub(super) environment: Arc<dyn Environment>,
    pub(super) host: HostId,
    pub(super) request: ExecRequest,
}

/// Why a command is left alone.
enum Left {
    /// It has ended, which was said.
    Ended,
    /// Whoever asked is gone.
    Gone,
    /// It is told to whoever asked.
    Told(EndReason, String),
}

impl Exec {
    /// Serves whoever asked until that is over; an error is the number of commands that run already.
    pub(super) async fn run(self, room: Result<(), usize>) {
        let attached = self.link.attach(&self.host, &self.request.stream);
        let Ok(Some(line)) = within(&*self.environment, ANSWER, attached).await else { return };
        let ExecLine { input, output } = line;
        // Also after its end somebody may ask it for more.
        let mut input = input.fuse().boxed();
        let mut output = Output { sink: output, environment: Arc::clone(&self.environment), lost: None };
        if let Err(most) = room {
            let detail =
                format!("the agent of host `{}` runs {most} commands already; ask again when one has ended", self.host);
            let _ = output.say(ExecFrame::end(EndReason::TooMany, detail)).await;
            return output.close(input).await;
        }
        let inbox = Inbox::new(Arc::clone(&self.environment));
        let left = {
            // From the first moment on: what is sent before the command runs lies in its inbox, and signs of life are answered.
            let mut hearing = pin!(hear(&mut input, &inbox).fuse());
            let (begun, early) = self.begin(&inbox, &mut output, hearing.as_mut()).await;
            match (begun, early) {
                (None, _) => None,
                (Some(execution), Some(left)) => Some((execution, left)),
                (Some(mut execution), None) => {
                    let left = self.go_on(&inbox, &mut execution, &mut output, hearing).await;
                    Some((execution, left))
                }
            }
        };
        if let Some((mut execution, left)) = left {
            if let Left::Told(reason, detail) = &left {
                let _ = output.say(ExecFrame::end(*reason, detail.clone())).await;
            }
            if !matches!(left, Left::Ended) {
                self.hang_up(&inbox, &mut execution.events).await;
            }
        }
        output.close(input).await;
    }

    /// Lets it run until it has ended, or is left alone.
    async fn go_on(
        &self,
        inbox: &Inbox,
        execution: &mut Execution,
        output: &mut Output,
        mut hearing: Pin<&mut Fuse<impl Future<Output = Left>>>,
    ) -> Left {
        let mut work = pin!(self.work(inbox, execution, output).fuse());
        let mut idle = pin!(self.idle(inbox).fuse());
        select_biased! {
            ended = work => ended.map_or(Left::Gone, |()| Left::Ended),
            left = hearing => left,
            () = idle => Left::Told(
                EndReason::Idle,
                format!("nothing was sent and nothing was written for {} minutes", IDLE.as_secs() / 60),
            ),
        }
    }

    /// Begins it. `None`: it could not be begun, which was said, or nobody is there to be told. With it what was heard meanwhile that ends
    /// it: one that was asked of the engine is begun all the same, and only then it can be told to end.
    async fn begin(
        &self,
        inbox: &Inbox,
        output: &mut Output,
        mut hearing: Pin<&mut Fuse<impl Future<Output = Left>>>,
    ) -> (Option<Execution>, Option<Left>) {
        let feed = ExecFeed { stdin: inbox.stdin(), sizes: inbox.sizes() };
        let container = &self.request.container;
        let mut begin = pin!(
            async {
                self.same().await?;
                self.runtime.exec(container, &self.request.exec, feed).await
            }
            .fuse()
        );
        let mut soon = pin!(self.environment.sleep(SOON).fuse());
        let mut late = pin!(self.environment.sleep(BEGIN).fuse());
        let mut early = None;
        let begun = loop {
            select_biased! {
                begun = begin => break begun,
                left = hearing => early = Some(left),
                () = soon => {
                    let rest = SignedDuration::try_from(BEGIN - SOON).unwrap_or_default();
                    let until = self.environment.now().saturating_add(rest).unwrap_or(Timestamp::MAX);
                    let detail = format!("the engine of host `{}` takes its time: waiting until {until:.0}", self.host);
                    // Who is gone is found to be in the end.
                    let _ = output.say(ExecFrame::Waiting(LogWait { detail, until })).await;
                }
                () = late => break Err(RuntimeError::TimedOut {
                    operation: format!("beginning a command in container {container} on host `{}`", self.host),
                    seconds: BEGIN.as_secs(),
                }),
            }
        };
        let said = match (&begun, &early) {
            (Ok(execution), None) => {
                let container_id = execution.container_id.clone();
                output.say(ExecFrame::Begin(ExecBegin { container_id })).await
            }
            (Ok(_), Some(_)) => Ok(()),
            (Err(error), _) => output.say(failed(error)).await,
        };
        let early = early.or(said.is_err().then_some(Left::Gone));
        (begun.ok(), early)
    }

    /// Whether the container is still the one that is meant. A name is given anew, and a command may change something.
    async fn same(&self) -> Result<(), RuntimeError> {
        let Some(id) = &self.request.id else { return Ok(()) };
        let name = &self.request.container;
        match self.runtime.inspect(name).await? {
            Some(state) if state.observed.id == *id => Ok(()),
            Some(_) => Err(RuntimeError::NotFound(format!("the container is gone: another one is `{name}` now"))),
            None => Err(RuntimeError::NotFound(format!("there is no container `{name}`"))),
        }
    }

    /// Says what the command does, until its end.
    async fn work(&self, inbox: &Inbox, execution: &mut Execution, output: &mut Output) -> Result<(), LinkError> {
        let mut waiting: VecDeque<ExecFrame> = VecDeque::new();
        loop {
            if let Some(frame) = waiting.pop_front() {
                let is_last = matches!(frame, ExecFrame::End(_));
                output.say(frame).await?;
                if is_last {
                    return Ok(());
                }
                continue;
            }
            let event = async {
                inbox.room().await;
                execution.events.next().await
            };
            let mut event = pin!(event.fuse());
            let mut taken = pin!(inbox.taken().fuse());
            select_biased! {
                taken = taken => waiting.push_back(ExecFrame::Taken(taken)),
                event = event => match event {
                    Some(Ok(ExecEvent::Wrote(source, bytes))) => {
                        inbox.sent(bytes.len());
                        waiting.extend(bytes.chunks(LARGEST).map(|piece| ExecFrame::Output(source, piece.to_vec())));
                    }
                    Some(Ok(ExecEvent::Exited(code))) => waiting.push_back(ExecFrame::End(ExecEnd {
                        reason: EndReason::Exited,
                        detail: String::new(),
                        exit_code: Some(code),
                    })),
                    Some(Err(error)) => waiting.push_back(failed(&error)),
                    None => waiting.push_back(ExecFrame::end(EndReason::EngineAway, "the engine did not say how it ended")),
                },
            }
        }
    }

    /// Returns when nothing has come and nothing has gone for too long.
    async fn idle(&self, inbox: &Inbox) {
        loop {
            let rest = (inbox.last_used() + IDLE).saturating_sub(self.environment.elapsed());
            if rest.is_zero() {
                return;
            }
            self.environment.sleep(rest).await;
        }
    }

    /// Nobody is there any more: no engine ends a command for that. Its standard input ends, and on a terminal it is told as
    /// one would by hand.
    async fn hang_up(&self, inbox: &Inbox, events: &mut BoxStream<'static, Result<ExecEvent, RuntimeError>>) {
        let exec = &self.request.exec;
        if exec.terminal.is_some() && exec.stdin {
            inbox.hang_up(&LAST_WORDS);
        } else {
            inbox.close();
        }
        // One that writes on and on is not listened to for ever.
        let mut last_words = 0;
        let is_near_its_end = |event: &Result<ExecEvent, RuntimeError>| {
            last_words += if let Ok(ExecEvent::Wrote(_, bytes)) = event { bytes.len() } else { 0 };
            ready(last_words < WINDOW)
        };
        let rest = pin!(events.take_while(is_near_its_end).for_each(|_| ready(())));
        let _over_or_late = select(rest, pin!(self.environment.sleep(HANG_UP))).await;
    }
}

/// Hears what comes for the command, whatever it does; says why there is no more.
async fn hear(input: &mut BoxStream<'static, ExecInput>, inbox: &Inbox) -> Left {
    while let Some(heard) = input.next().await {
        match heard {
            ExecInput::Stdin(bytes) => {
                if inbox.put(&bytes).is_err() {
                    return Left::Told(EndReason::Breach, InputRefused::Overflow.to_string());
                }
            }
            ExecInput::Close {} => inbox.close(),
            ExecInput::Resize(size) => inbox.resize(size),
            ExecInput::Taken(count) => inbox.used(count),
        }
    }
    Left::Gone
}

/// The way back to whoever asked.
struct Output {
    sink: Pin<Box<dyn Sink<ExecFrame, Error = LinkError> + Send>>,
    environment: Arc<dyn Environment>,
    /// How it was lost: from then on it is left alone, for one that has failed may not be used again.
    lost: Option<LinkError>,
}

impl Output {
    async fn say(&mut self, frame: ExecFrame) -> Result<(), LinkError> {
        if let Some(error) = &self.lost {
            return Err(error.clone());
        }
        let said = within(&*self.environment, ANSWER, self.sink.send(frame)).await;
        self.lost = said.as_ref().err().cloned();
        said
    }

    /// Says that there is no more, and reads until the other side has heard that: a connection that is closed on what was not read may
    /// lose what was said last.
    async fn close(mut self, input: BoxStream<'static, ExecInput>) {
        if self.lost.is_some() {
            return;
        }
        let environment = Arc::clone(&self.environment);
        let closed = within(&*environment, ANSWER, self.sink.close()).await;
        drop(self);
        if closed.is_ok() {
            let rest = pin!(input.for_each(|_| ready(())));
            let _over_or_late = select(rest, pin!(environment.sleep(LINGER))).await;
        }
    }
}

fn failed(error: &RuntimeError) -> ExecFrame {
    ExecFrame::end(EndReason::from(error), error.to_string())
}
