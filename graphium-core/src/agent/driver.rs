//! Performs what the engine decides.

use super::{
    engine::{Call, Command, Engine, Input, Rules},
    execute::{Hold, HostFacts, SecretMemory, Workplace, execute},
    health::HealthMonitor,
    journal::Journal,
    keeper::Keeper,
    link::{AgentLink, LinkError},
    observe::Watchman,
    patience::within,
    settings::{AgentError, AgentSettings, AttemptEnd, Notice},
    step::{Key, Phase, Step},
    streams::StreamKeeper,
};
use crate::{
    environment::Environment,
    runtime::{ContainerRuntime, beside},
    task::{Outcome, Task},
};
use futures::{
    FutureExt as _, StreamExt as _,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::{AbortHandle, Abortable, BoxFuture, Fuse, abortable},
    lock::Mutex,
    select_biased,
    stream::FuturesUnordered,
};
use std::{
    collections::HashMap,
    mem::{Discriminant, discriminant},
    pin::pin,
    sync::Arc,
    time::Duration,
};

/// How long the control plane may take to answer what it was not told to wait with.
const ANSWER: Duration = Duration::from_secs(10);
/// How much longer a claim is waited for than its link should: the link knows better why there is no answer.
const SLACK: Duration = Duration::from_millis(500);

/// An agent, ready to run. It is one future: it starts no thread and no task.
#[derive(Debug)]
pub struct Agent {
    link: Arc<dyn AgentLink>,
    runtime: Arc<dyn ContainerRuntime>,
    environment: Arc<dyn Environment>,
    keeper: Arc<Keeper>,
    settings: Arc<AgentSettings>,
    health: Arc<HealthMonitor>,
    known: Arc<SecretMemory>,
}

impl Agent {
    /// Puts an agent together.
    pub fn new(
        link: Arc<dyn AgentLink>,
        runtime: Arc<dyn ContainerRuntime>,
        environment: Arc<dyn Environment>,
        journal: Box<dyn Journal>,
        settings: AgentSettings,
    ) -> Self {
        let keeper = Arc::new(Keeper::new(journal));
        Self {
            link,
            runtime,
            environment,
            keeper,
            settings: Arc::new(settings),
            health: Arc::default(),
            known: Arc::default(),
        }
    }

    /// Serves the host until `shutdown`, or until it may not any more.
    ///
    /// On shutdown it asks for no more work and lets what runs go on for the grace period; the rest is left
    /// as it is, and the next agent of the host goes on with it.
    /// *Cancellation*: dropping the future is like a crash, which is allowed at any time.
    ///
    /// # Errors
    /// See [`AgentError`]. A control plane or an engine that does not answer is none: the agent goes on trying.
    pub async fn run(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), AgentError> {
        let memory = self.keeper.load()?;
        self.runtime.recall(&memory.adopted);
        let rules = Rules {
            host: self.settings.host.clone(),
            nonce: format!("{:032x}", self.environment.random()),
            seen_epoch: memory.epoch,
            concurrency: self.settings.concurrency,
        };
        let engine = Engine::new(rules, memory.reports);
        let mut driver = Driver::new(self, engine);
        let mut shutdown = pin!(shutdown.fuse());
        let mut patience = pin!(Fuse::terminated());
        driver.check_health();
        driver.turn(Input::Tick)?;
        while !driver.engine.is_finished() {
            let mut timer = driver.timer();
            let input = select_biased! {
                step = driver.steps.select_next_some() => step,
                done = driver.work.select_next_some() => match done {
                    Some(input) => input,
                    None => continue,
                },
                () = timer => Input::Tick,
                () = shutdown => {
                    patience.set(driver.sleep(driver.agent.settings.grace).fuse());
                    Input::Closing
                }
                () = patience => break,
            };
            drop(timer);
            driver.turn(input)?;
        }
        driver.remember(Reason::End);
        Ok(())
    }
}

/// When the journal is looked after.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// A session was opened.
    Session,
    /// A report did not get through.
    ReportFailed,
    /// A report got through.
    ReportTaken,
    /// The agent ends.
    End,
}

/// A running agent.
struct Driver {
    agent: Agent,
    engine: Engine,
    /// Everything that is under way: calls, attempts, the watch. `None` comes of an attempt that was stopped.
    work: FuturesUnordered<BoxFuture<'static, Option<Input>>>,
    attempts: HashMap<Key, (Hold, Arc<Task>)>,
    /// What attempts have for themselves, by its name.
    subjects: HashMap<String, Arc<Mutex<()>>>,
    news: UnboundedSender<Input>,
    steps: UnboundedReceiver<Input>,
    /// What goes on beside the work for the present session: the watch over the host, and the reading of logs.
    beside: Vec<AbortHandle>,
    is_offline: bool,
    /// Which calls the control plane rejects at present, and with which words.
    rejected: Vec<(Discriminant<Call>, String)>,
}

impl Driver {
    fn new(agent: Agent, engine: Engine) -> Self {
        let (news, steps) = unbounded();
        let work = FuturesUnordered::new();
        Self {
            agent,
            engine,
            work,
            attempts: HashMap::new(),
            subjects: HashMap::new(),
            news,
            steps,
            beside: Vec::new(),
            is_offline: false,
            rejected: Vec::new(),
        }
    }

    /// Lets the engine take in what happened, and performs what it decides.
    fn turn(&mut self, input: Input) -> Result<(), AgentError> {
        let now = self.agent.environment.elapsed();
        let reason = self.note(&input);
        let commands = self.engine.step(now, input);
        if let Some(reason) = reason {
            self.remember(reason);
        }
        for command in commands {
            self.perform(command)?;
        }
        Ok(())
    }

    fn perform(&mut self, command: Command) -> Result<(), AgentError> {
        let is_cut_off = matches!(command, Command::CutOff(_));
        match command {
            Command::OpenSession(request) => {
                self.call(Call::Session, ANSWER, move |link| {
                    async move { link.open_session(&request).await?.answering(&request).map(Input::SessionOpened) }
                        .boxed()
                });
            }
            Command::Claim(call) => self.call(Call::Claim, call.patience() + SLACK, move |link| {
                async move { link.claim(&call).await.map(Input::Granted) }.boxed()
            }),
            Command::Renew(call) => self.call(Call::Renew, ANSWER, move |link| {
                async move { link.renew(&call).await.map(Input::Renewed) }.boxed()
            }),
            Command::Report(key, report) => self.call(Call::Report(key.clone()), ANSWER, move |link| {
                async move {
                    let (lease, outcome) = &*report;
                    link.report(lease, outcome).await.map(|()| Input::Acknowledged(key))
                }
                .boxed()
            }),
            Command::Start(key, task) => self.start(key, task),
            Command::Stop(key) | Command::CutOff(key) => {
                if let Some((hold, task)) = self.attempts.remove(&key) {
                    if is_cut_off {
                        hold.cut();
                    } else {
                        hold.end();
                    }
                    self.notify(&ended(&key, &task, AttemptEnd::Stopped, "stopped".to_owned()));
                }
            }
            Command::Quit(quit) => {
                self.remember(Reason::End);
                return Err(AgentError::new(&self.agent.settings.host, quit));
            }
        }
        Ok(())
    }

    fn call(
        &self,
        call: Call,
        limit: Duration,
        ask: impl FnOnce(Arc<dyn AgentLink>) -> BoxFuture<'static, Result<Input, LinkError>>,
    ) {
        let environment = Arc::clone(&self.agent.environment);
        let answer = ask(Arc::clone(&self.agent.link));
        let bounded = async move {
            let answer = within(&*environment, limit, answer).await;
            Some(answer.unwrap_or_else(|error| Input::LinkFailed(call, error)))
        };
        self.work.push(bounded.boxed());
    }

    fn start(&mut self, key: Key, task: Arc<Task>) {
        self.notify(&Notice::Began {
            id: task.id.clone(),
            task: task.task_type,
            subject: task.payload.subject().to_owned(),
            attempt: key.attempt,
            deployment: task.deployment_id.clone(),
            stack: task.stack_id.clone(),
        });
        let (end, registration) = AbortHandle::new_pair();
        let hold = Hold::of(end);
        let place = Workplace { hold: hold.clone(), ..self.workplace() };
        let (begun, teller, news) = (Arc::clone(&task), key.clone(), self.news.clone());
        let subject = task.payload.subject();
        let subject = self.subject(beside::principal(subject).unwrap_or(subject));
        let attempt = async move {
            // Every step is taken in, the last bytes before a pull falls silent too; the engine decides which are told.
            // Sending fails only when the agent is gone, and then nobody listens.
            let tell = |step| drop(news.unbounded_send(Input::Stepped(teller.clone(), step)));
            let _own = if let Some(own) = subject.try_lock_owned() {
                own
            } else {
                let message = "an earlier task is cut off, and what it asked of the engine goes on".to_owned();
                tell(Step { phase: Phase::Waiting, message, bytes: None });
                subject.lock_owned().await
            };
            let outcome = execute(&begun, &place, &tell).await;
            Input::Ended(teller, Box::new(outcome))
        };
        self.attempts.insert(key, (hold, task));
        self.work.push(Abortable::new(attempt, registration).map(Result::ok).boxed());
    }

    /// What an attempt has for itself while it acts on something, also when it has been cut off and the engine is not done.
    fn subject(&mut self, name: &str) -> Arc<Mutex<()>> {
        self.subjects.retain(|_, subject| Arc::strong_count(subject) > 1);
        Arc::clone(self.subjects.entry(name.to_owned()).or_default())
    }

    fn workplace(&self) -> Workplace {
        let settings = &self.agent.settings;
        Workplace {
            runtime: Arc::clone(&self.agent.runtime),
            environment: Arc::clone(&self.agent.environment),
            facts: HostFacts { name: settings.host.clone(), address: settings.address },
            secrets: Arc::clone(&settings.secrets),
            link: Some(Arc::clone(&self.agent.link)),
            known: Arc::clone(&self.agent.known),
            admission: Arc::clone(&settings.admission),
            settle: settings.settle,
            health: Arc::clone(&self.agent.health),
            hold: Hold::default(),
            keeper: Arc::clone(&self.agent.keeper),
        }
    }

    /// Tells the program what is of note about an input, and says whether the journal is concerned.
    fn note(&mut self, input: &Input) -> Option<Reason> {
        match input {
            Input::SessionOpened(grant) => {
                self.is_offline = false;
                self.rejected.clear();
                let epoch = grant.session.epoch;
                self.notify(&Notice::Connected { epoch, server_version: grant.server_version.clone() });
                self.watch(epoch);
                Some(Reason::Session)
            }
            Input::LinkFailed(call, error) => {
                let is_news = match error {
                    LinkError::Unreachable(_) => !std::mem::replace(&mut self.is_offline, true),
                    LinkError::Rejected(words) => self.is_other_rejection(call, words),
                    _ => false,
                };
                if is_news {
                    self.notify(&Notice::LinkLost(error.clone()));
                }
                matches!(call, Call::Report(_)).then_some(Reason::ReportFailed)
            }
            Input::Granted(_) | Input::Renewed(_) | Input::Acknowledged(_) => {
                if std::mem::replace(&mut self.is_offline, false) {
                    self.notify(&Notice::LinkBack);
                }
                let taken = match input {
                    Input::Granted(_) => Call::Claim,
                    Input::Acknowledged(key) => Call::Report(key.clone()),
                    _ => Call::Renew,
                };
                self.rejected.retain(|(call, _)| *call != discriminant(&taken));
                matches!(input, Input::Acknowledged(_)).then_some(Reason::ReportTaken)
            }
            Input::Ended(key, outcome) => {
                if let Some((_, task)) = self.attempts.remove(key) {
                    self.notify(&ended(key, &task, end(outcome), how(outcome)));
                }
                None
            }
            Input::Stepped(..) | Input::Tick | Input::Closing => None,
        }
    }

    /// Notes that a call was rejected, which repeats itself until one of the two sides is another; and whether that is news. What keeps
    /// a session from being opened is told by the end of the agent.
    fn is_other_rejection(&mut self, call: &Call, words: &str) -> bool {
        let kind = discriminant(call);
        if *call == Call::Session || self.rejected.iter().any(|(known, said)| *known == kind && said == words) {
            return false;
        }
        self.rejected.retain(|(known, _)| *known != kind);
        self.rejected.push((kind, words.to_owned()));
        true
    }

    /// Makes health checks for as long as the agent runs, whether the control plane answers or not.
    fn check_health(&self) {
        let Agent { runtime, environment, health, .. } = &self.agent;
        let (runtime, environment, health) = (Arc::clone(runtime), Arc::clone(environment), Arc::clone(health));
        let round = async move {
            health.run(&*runtime, &*environment).await;
            None
        };
        self.work.push(round.boxed());
    }

    fn watch(&mut self, epoch: u64) {
        let watchman = Watchman {
            link: Arc::clone(&self.agent.link),
            runtime: Arc::clone(&self.agent.runtime),
            environment: Arc::clone(&self.agent.environment),
            settings: Arc::clone(&self.agent.settings),
            health: Arc::clone(&self.agent.health),
            keeper: Arc::clone(&self.agent.keeper),
            epoch,
        };
        self.beside.drain(..).for_each(|earlier| earlier.abort());
        for link in self.agent.link.stream_links() {
            let keeper = StreamKeeper {
                link,
                runtime: Arc::clone(&self.agent.runtime),
                environment: Arc::clone(&self.agent.environment),
                host: self.agent.settings.host.clone(),
                epoch,
            };
            let (logs, handle) = abortable(keeper.keep());
            self.beside.push(handle);
            self.work.push(logs.map(|_| None).boxed());
        }
        let (watch, handle) = abortable(watchman.watch());
        self.beside.push(handle);
        let ended = watch.map(|end| end.ok().map(|error| Input::LinkFailed(Call::Observe, error)));
        self.work.push(ended.boxed());
    }

    /// Writes the journal where it has to say something new.
    ///
    /// A report goes to the disk only once it did not get through: most are taken at once, and one that is lost
    /// with the agent costs no more than a look at a container that is there already.
    fn remember(&mut self, reason: Reason) {
        let saved = self.agent.keeper.change(|memory| {
            if reason == Reason::ReportTaken && memory.reports.is_empty() {
                return;
            }
            memory.epoch = memory.epoch.max(self.engine.epoch().unwrap_or(0));
            memory.reports = self.engine.unsent();
        });
        if let Err(error) = saved {
            self.notify(&Notice::JournalLost(error.to_string()));
        }
    }

    fn timer(&self) -> Fuse<BoxFuture<'static, ()>> {
        let now = self.agent.environment.elapsed();
        match self.engine.wake_at() {
            Some(moment) => self.sleep(moment.saturating_sub(now)).fuse(),
            None => Fuse::terminated(),
        }
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let environment = Arc::clone(&self.agent.environment);
        async move { environment.sleep(time).await }.boxed()
    }

    fn notify(&self, notice: &Notice) {
        (self.agent.settings.notify)(notice);
    }
}

fn ended(key: &Key, task: &Task, end: AttemptEnd, how: String) -> Notice {
    Notice::Ended {
        id: task.id.clone(),
        task: task.task_type,
        subject: task.payload.subject().to_owned(),
        attempt: key.attempt,
        end,
        how,
    }
}

fn end(outcome: &Outcome) -> AttemptEnd {
    match outcome {
        Outcome::Completed(_) => AttemptEnd::Completed,
        Outcome::Failed(error) => AttemptEnd::Failed(error.code.clone()),
        Outcome::Cancelled => AttemptEnd::Cancelled,
    }
}

fn how(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Completed(result) => result.message.clone(),
        Outcome::Failed(error) => format!("failed [{}]: {}", error.code, error.message),
        Outcome::Cancelled => "cancelled".to_owned(),
    }
}
