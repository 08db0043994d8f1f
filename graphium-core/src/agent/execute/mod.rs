//! Doing one action on an engine.
//!
//! Every action looks at what is there and goes on from it, so that an attempt may end anywhere
//! and the next one, of this agent or of its successor, resumes.

mod adjust;
mod admit;
mod adopt;
mod beside;
mod check;
mod deploy;
mod port;
mod prepare;
mod secrets;
mod settle;
mod start;
mod trouble;
mod whole;

use super::{
    health::HealthMonitor,
    keeper::Keeper,
    link::AgentLink,
    step::{Phase, Step},
};
use crate::{
    action::Action,
    admission::Admission,
    environment::Environment,
    id::HostId,
    runtime::{ContainerRuntime, ContainerState, ImageRequest, PullObserver, RuntimeError},
    task::{Outcome, Task, TaskResult},
};
use futures::future::{Either, pending, select};
use jiff::Timestamp;
pub use secrets::SecretMemory;
use start::Starts;
use std::{collections::BTreeSet, convert::Infallible, fmt, net::IpAddr, pin::pin, sync::Arc, time::Duration};
use trouble::Trouble;
pub use whole::Hold;

/// First and longest pause before an engine that did not answer is asked again.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long an engine that is asked whether it is there may take to say so.
const SIGN: Duration = Duration::from_secs(3);
/// It is asked that so long before an attempt's deadline: what is not done by then may be the engine's fault.
const LAST: Duration = Duration::from_secs(5);

/// What an agent knows of its own host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// Its name.
    pub name: HostId,
    /// The address at which other hosts reach its published ports.
    pub address: Option<IpAddr>,
}

/// Looks up a secret by name.
pub type Secrets = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// Takes news of an attempt. It is called often and must return at once.
pub type Tell<'a> = &'a (dyn Fn(Step) + Send + Sync);

/// Where work is done.
#[derive(Clone)]
pub struct Workplace {
    /// The engine.
    pub runtime: Arc<dyn ContainerRuntime>,
    /// Time.
    pub environment: Arc<dyn Environment>,
    /// For variables that name a fact of the host.
    pub facts: HostFacts,
    /// The host's own secrets; they go before those of the control plane.
    pub secrets: Secrets,
    /// Where other secrets are asked for; absent: nowhere.
    pub link: Option<Arc<dyn AgentLink>>,
    /// The secrets that containers were given.
    pub known: Arc<SecretMemory>,
    /// What this host allows.
    pub admission: Arc<Admission>,
    /// How long a container that was just started is watched.
    pub settle: Duration,
    /// Makes the health checks that no engine makes.
    pub health: Arc<HealthMonitor>,
    /// Of this attempt.
    pub hold: Hold,
    /// Keeps what was adopted, and what was stopped.
    pub keeper: Arc<Keeper>,
}

impl fmt::Debug for Workplace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workplace").field("runtime", &self.runtime).field("facts", &self.facts).finish_non_exhaustive()
    }
}

/// Performs a task's action.
///
/// An engine that does not answer is waited for, and named as what is waited for ([`Phase::Away`]): the task's deadline is for
/// whoever called to hold against it.
/// No value of a secret is in what is told, nor in what comes of it.
/// *Cancellation*: dropping the future is how an attempt is stopped; what it did is found by the next.
///
/// # Example
/// ```
/// use graphium_core::agent::{HealthMonitor, Hold, HostFacts, Keeper, Phase, SecretMemory, Secrets, Step};
/// use graphium_core::agent::{Workplace, execute};
/// use graphium_core::testing::{FakeRuntime, ManualEnvironment, Program};
/// use graphium_core::{action::Action, admission::Admission, stack::PullPolicy, task::{Outcome, Task}};
/// use jiff::Timestamp;
/// use std::{sync::{Arc, Mutex}, time::Duration};
///
/// let world = Arc::new(ManualEnvironment::default());
/// let engine = FakeRuntime::with_environment(world.clone());
/// engine.put_image("nginx:alpine", Program::runs());
/// let secrets: Secrets = Arc::new(|_name| None);
/// let place = Workplace {
///     runtime: Arc::new(engine),
///     environment: world.clone(),
///     facts: HostFacts { name: "vm1".into(), address: None },
///     secrets,
///     link: None,
///     known: Arc::new(SecretMemory::default()),
///     admission: Arc::new(Admission::default()),
///     settle: Duration::from_secs(1),
///     health: Arc::new(HealthMonitor::default()),
///     hold: Hold::default(),
///     keeper: Arc::new(Keeper::default()),
/// };
/// let pull = Action::Pull { image: "nginx:alpine".to_owned(), platform: None, policy: PullPolicy::Always };
/// let task = Task::new("task:1".into(), "vm1".into(), pull, Timestamp::UNIX_EPOCH);
/// let steps: Mutex<Vec<Step>> = Mutex::default();
/// let outcome = world.run(execute(&task, &place, &|step| steps.lock().unwrap().push(step)));
/// assert!(matches!(&outcome, Outcome::Completed(result) if result.success), "{outcome:?}");
/// assert_eq!(steps.lock().unwrap()[0].phase, Phase::Pulling);
/// ```
pub async fn execute(task: &Task, place: &Workplace, tell: Tell<'_>) -> Outcome {
    // An engine may repeat what it was given.
    let tell = |step: Step| tell(Step { message: place.known.redact(&step.message), ..step });
    let job = Job {
        task,
        place,
        tell: &tell,
        begun: place.environment.elapsed(),
        begun_at: place.environment.now(),
        starts: Starts::default(),
    };
    match select(pin!(job.carry_out()), pin!(job.watch_engine())).await {
        Either::Left((outcome, _)) => place.known.clean(outcome),
        Either::Right((never, _)) => match never {},
    }
}

/// One attempt at one task.
struct Job<'a> {
    task: &'a Task,
    place: &'a Workplace,
    tell: Tell<'a>,
    /// When it began, by the agent's own clock.
    begun: Duration,
    begun_at: Timestamp,
    starts: Starts,
}

impl Job<'_> {
    async fn carry_out(&self) -> Outcome {
        let mut pause = PAUSES.0;
        loop {
            let trouble = match self.perform().await {
                Ok(result) => return Outcome::Completed(result),
                Err(trouble) => trouble,
            };
            if let Trouble::Engine(error) = &trouble
                && self.is_away(error).await
            {
                (self.tell)(Step { phase: Phase::Away, message: error.to_string(), bytes: None });
                self.place.environment.sleep(pause).await;
                pause = (pause * 2).min(PAUSES.1);
                continue;
            }
            let is_port = matches!(trouble, Trouble::Engine(RuntimeError::PortTaken { .. }));
            let error = trouble.into_error();
            return Outcome::Failed(if is_port { self.taken(error).await } else { error });
        }
    }

    /// Says shortly before the deadline whether the engine is there: a call that hangs says nothing of it.
    async fn watch_engine(&self) -> Infallible {
        let limit = Duration::from_secs(self.task.timeout_seconds);
        self.place.environment.sleep(limit - LAST.min(limit / 2)).await;
        if !self.engine_answers().await {
            let message = format!("the engine gives no sign of life within {} s", SIGN.as_secs());
            (self.tell)(Step { phase: Phase::Away, message, bytes: None });
        }
        pending().await
    }

    /// Whether an error is the engine's as a whole, and not of what it was asked.
    async fn is_away(&self, error: &RuntimeError) -> bool {
        match error {
            RuntimeError::Unreachable { .. } => true,
            RuntimeError::TimedOut { .. } => !self.engine_answers().await,
            _ => false,
        }
    }

    async fn engine_answers(&self) -> bool {
        match select(self.runtime().info(), self.place.environment.sleep(SIGN)).await {
            Either::Left((Err(RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. }), _))
            | Either::Right(_) => false,
            Either::Left(_) => true,
        }
    }

    async fn perform(&self) -> Result<TaskResult, Trouble> {
        let runtime = self.runtime();
        if let Action::Deploy { spec } | Action::Update { spec, .. } | Action::Adopt { spec, .. } =
            self.task.payload.as_ref()
        {
            self.admit(spec).await?;
        }
        match self.task.payload.as_ref() {
            Action::Pull { image, platform, policy } => {
                self.admit_own()?;
                self.pull(ImageRequest { image, platform: platform.as_deref(), policy: *policy }).await
            }
            Action::Network { spec } => {
                self.admit_own()?;
                self.enter(Phase::Creating);
                self.whole(runtime.create_network(spec)).await?;
                Ok(done("network is there"))
            }
            Action::Volume { spec } => {
                self.admit_own()?;
                self.enter(Phase::Creating);
                self.whole(runtime.create_volume(spec)).await?;
                Ok(done("volume is there"))
            }
            Action::Deploy { spec } => self.deploy(spec).await,
            Action::Update { spec, order, refresh } => self.update(spec, *order, *refresh).await,
            Action::Adjust { name, settings } => self.adjust(name, settings).await,
            Action::Adopt { spec, container: id, name, was, told, aim } => {
                let which = adopt::Which { id, name, was: was.as_deref(), told, aim: *aim };
                self.adopt(spec, which).await
            }
            Action::Check { name, condition } => self.check(name, *condition).await,
            Action::Stop { name } => {
                self.tidy(name).await?;
                self.stop_for_good(name).await
            }
            Action::Start { name } => {
                self.tidy(name).await?;
                self.start(name).await
            }
            Action::Restart { name } => {
                self.tidy(name).await?;
                self.restart(name).await
            }
            Action::Delete { name } => {
                self.delete_all(name).await?;
                self.place.known.forget(name);
                Ok(done("removed"))
            }
            Action::RemoveNetwork { name } => {
                self.enter(Phase::Removing);
                self.whole(runtime.remove_network(name)).await?;
                Ok(done("network is removed"))
            }
            Action::RemoveVolume { name } => {
                self.enter(Phase::Removing);
                self.whole(runtime.remove_volume(name)).await?;
                Ok(done("volume is removed"))
            }
        }
    }

    async fn pull(&self, image: ImageRequest<'_>) -> Result<TaskResult, Trouble> {
        self.enter(Phase::Pulling);
        let present = self.runtime().pull(image, &Arrival(self.tell)).await?;
        Ok(TaskResult { digest: present.digest, ..done("image is there") })
    }

    async fn stop_for_good(&self, name: &str) -> Result<TaskResult, Trouble> {
        self.stop_one(name, self.runtime().inspect(name).await?.as_ref()).await?;
        // The control plane plans with what it knows, and may plan before it is told of the host again.
        match self.runtime().inspect(name).await? {
            Some(state) => Ok(self.done_with(state, "stopped")),
            None => Ok(done("stopped")),
        }
    }

    /// Stops a container that is to stay there, and keeps that it was a task, unless it had ended before.
    async fn stop_one(&self, name: &str, found: Option<&ContainerState>) -> Result<(), Trouble> {
        let Some(found) = found.filter(|found| beside::is_up(found)) else { return self.stop(name).await };
        let (keeper, id) = (&self.place.keeper, &found.observed.id);
        keeper.stops(id);
        self.enter(Phase::Stopping);
        let stopped = async {
            let stopped = self.runtime().stop(name, None).await;
            if !matches!(stopped, Err(RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. })) {
                keeper.has_answered(id);
            }
            stopped
        };
        Ok(self.whole(stopped).await?)
    }

    async fn stop(&self, name: &str) -> Result<(), Trouble> {
        self.enter(Phase::Stopping);
        Ok(self.whole(self.runtime().stop(name, None)).await?)
    }

    async fn delete(&self, name: &str) -> Result<(), Trouble> {
        self.stop(name).await?;
        self.enter(Phase::Removing);
        Ok(self.whole(self.runtime().remove(name)).await?)
    }

    /// Makes a call that the engine finishes, whatever becomes of this attempt.
    async fn whole<T>(&self, call: impl Future<Output = T>) -> T {
        self.place.hold.whole(call).await
    }

    fn runtime(&self) -> &dyn ContainerRuntime {
        &*self.place.runtime
    }

    fn enter(&self, phase: Phase) {
        (self.tell)(Step::plain(phase));
    }

    /// A success that shows the container as it is now.
    fn done_with(&self, mut state: ContainerState, message: &str) -> TaskResult {
        self.place.health.fill(&*self.place.environment, &mut state);
        let mut observed = state.observed;
        observed.hosted_on = self.place.facts.name.clone();
        self.place.keeper.show(&BTreeSet::new(), std::slice::from_mut(&mut observed));
        TaskResult { container_id: Some(observed.id.clone()), data: Some(Box::new(observed)), ..done(message) }
    }
}

fn done(message: &str) -> TaskResult {
    TaskResult { success: true, message: message.to_owned(), ..TaskResult::default() }
}

struct Arrival<'a>(Tell<'a>);

impl PullObserver for Arrival<'_> {
    fn progress(&self, done: u64, total: u64, message: &str) {
        // Before the first layer begins there is nothing to count.
        let bytes = (done.max(total) > 0).then_some((done, total));
        (self.0)(Step { phase: Phase::Pulling, message: message.to_owned(), bytes });
    }
}
