//! Container engines that are slow, hang, fail, forget to answer, and go on when their caller is gone.

use super::{
    bug::Bug,
    executor::Process,
    promise::Promise,
    world::{Grant, Tail, World},
};
use crate::{
    action::TaskType,
    runtime::{
        Adoption, ContainerChange, ContainerLog, ContainerRuntime, ContainerSpec, ContainerState, Description,
        EngineInfo, ExecFeed, ExecSpec, Execution, ImageRequest, LiveSettings, LogQuery, NetworkSpec, Owned,
        PresentImage, Probe, PullObserver, RuntimeError, VolumeSpec, beside,
    },
    stack::HealthTest,
    testing::{Effects, FakeRuntime, Operation, Thing},
};
use async_trait::async_trait;
use futures::{
    FutureExt as _, StreamExt as _,
    channel::oneshot,
    future::{Either, join_all, select},
    stream::BoxStream,
};
use std::{fmt, pin::pin, sync::Arc, time::Duration};

/// How long a caller waits for an engine, as the real one's client does.
const PATIENCE: Duration = Duration::from_secs(60);

/// A [`ContainerRuntime`] over one engine of the simulation.
pub(super) struct SimRuntime {
    world: Arc<World>,
    host: usize,
    /// The agent's own handle: what one has adopted no other knows.
    handle: Arc<FakeRuntime>,
}

/// What becomes of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Done,
    Fails,
    /// It has its effect, and the answer gets lost.
    Unclear,
    /// A removal that stops the container, and then fails.
    Half,
}

/// One call that changes something.
struct Call {
    operation: Operation,
    name: String,
    fate: Fate,
    latency: Duration,
    /// Goes on although the caller is gone.
    goes_on: bool,
    by: Option<Grant>,
}

impl SimRuntime {
    pub(super) fn new(world: &Arc<World>, host: usize) -> Self {
        Self { world: Arc::clone(world), host, handle: Arc::new(world.hosts[host].runtime.clone()) }
    }

    fn fake(&self) -> &FakeRuntime {
        &self.handle
    }

    fn throw(&self, operation: Operation) -> (Fate, Duration, bool) {
        let mut state = self.world.state();
        let faults = state.faults.clone();
        let dice = &mut state.dice;
        let latency = match operation {
            _ if dice.chance(faults.engine_slow) => dice.millis(200, 30_000),
            Operation::Start | Operation::Stop | Operation::Remove => dice.millis(5, 400),
            _ => dice.millis(0, 20),
        };
        let fate = if dice.chance(faults.engine_fails) {
            Fate::Fails
        } else if dice.chance(faults.engine_unclear) {
            Fate::Unclear
        } else if operation == Operation::Remove && dice.chance(faults.engine_halves) {
            Fate::Half
        } else {
            Fate::Done
        };
        (fate, latency, dice.chance(500))
    }

    /// A question: it changes nothing, and nobody misses it when its caller is gone.
    async fn look<T>(
        &self,
        operation: Operation,
        name: &str,
        question: impl Future<Output = Result<T, RuntimeError>> + Send,
    ) -> Result<T, RuntimeError> {
        let (fate, latency, _) = self.throw(operation);
        self.in_time(operation, name, async {
            self.world.sleep(latency).await;
            not_hung(&self.world, self.host).await;
            match fate {
                Fate::Fails => Err(failed(operation)),
                Fate::Unclear => Err(silent(operation, name)),
                Fate::Done | Fate::Half => question.await,
            }
        })
        .await
    }

    /// Asks the engine to change something: it does one thing after another for each name, and does not stop because
    /// whoever asked has ended.
    async fn change<T>(
        &self,
        operation: Operation,
        name: &str,
        act: impl AsyncFnOnce(Arc<FakeRuntime>) -> Result<T, RuntimeError> + Send + 'static,
    ) -> Result<T, RuntimeError>
    where
        T: fmt::Debug + Send + 'static,
    {
        self.change_all(operation, name, &[name], act).await
    }

    /// The same of a thing that has several names, the first for the trace.
    async fn change_all<T>(
        &self,
        operation: Operation,
        name: &str,
        names: &[&str],
        act: impl AsyncFnOnce(Arc<FakeRuntime>) -> Result<T, RuntimeError> + Send + 'static,
    ) -> Result<T, RuntimeError>
    where
        T: fmt::Debug + Send + 'static,
    {
        let (fate, latency, goes_on) = self.throw(operation);
        let by = self.world.holder(self.host, name);
        if let Some(by) = &by {
            self.world.look_at_right(self.host, by);
        }
        let call = Call { operation, name: name.to_owned(), fate, latency, goes_on, by };
        let (sender, receiver) = oneshot::channel();
        let (end, tail) = oneshot::channel::<()>();
        let tail = tail.shared();
        let queue = |name: &&str| self.world.state().desks[self.host].tails.insert((*name).to_owned(), tail.clone());
        let before: Vec<Tail> = names.iter().filter_map(queue).collect();
        let (world, host, handle) = (Arc::clone(&self.world), self.host, Arc::clone(&self.handle));
        // The fake never waits, so the act is over at its first poll: it need not be moved into another future.
        let act = move |fake: Arc<FakeRuntime>| act(fake).now_or_never();
        self.world.spawn(Process::Engine(host), async move {
            // However they ended.
            join_all(before).await;
            world.sleep(call.latency).await;
            not_hung(&world, host).await;
            if sender.is_canceled() && !call.goes_on {
                return;
            }
            let answer = perform(&world, host, &handle, &call, act);
            drop(end);
            // Who has gone is not told.
            let _ = sender.send(answer);
        });
        self.in_time(operation, name, async {
            receiver.await.unwrap_or_else(|_| {
                let reason = "it went away during the call".to_owned();
                Err(RuntimeError::Unreachable { endpoint: "sim://".to_owned(), reason })
            })
        })
        .await
    }

    async fn in_time<T>(
        &self,
        operation: Operation,
        name: &str,
        call: impl Future<Output = Result<T, RuntimeError>> + Send,
    ) -> Result<T, RuntimeError> {
        match select(pin!(call), pin!(self.world.sleep(PATIENCE))).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(silent(operation, name)),
        }
    }
}

impl fmt::Debug for SimRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimRuntime").field("host", &self.host).finish_non_exhaustive()
    }
}

fn perform<T: fmt::Debug>(
    world: &Arc<World>,
    host: usize,
    fake: &Arc<FakeRuntime>,
    call: &Call,
    act: impl FnOnce(Arc<FakeRuntime>) -> Option<Result<T, RuntimeError>>,
) -> Result<T, RuntimeError> {
    let Call { operation, name, fate, .. } = call;
    let refuses = || {
        if let Some(by) = call.by.as_ref().filter(|_| *operation == Operation::Adopt) {
            world.refuses(by);
        }
    };
    if *fate == Fate::Fails {
        refuses();
        world.tell(&world.name(Process::Engine(host)), || format!("{operation} {name} fails"));
        return Err(failed(*operation));
    }
    let (before, was) = (fake.effects(name), fake.container(name));
    let answer = if *fate == Fate::Half {
        let _ = ContainerRuntime::stop(&**fake, name, None).now_or_never();
        Err(failed(*operation))
    } else {
        act(Arc::clone(fake)).unwrap_or_else(|| Err(silent(*operation, name)))
    };
    if answer.is_err() {
        refuses();
    }
    let id = fake.container(name).or_else(|| was.clone()).map(|state| state.observed.id).unwrap_or_default();
    let effects = difference(before, fake.effects(name));
    world.tell(&world.name(Process::Engine(host)), || {
        let by =
            call.by.as_ref().map_or_else(|| "nobody".to_owned(), |by| format!("{} attempt {}", by.task, by.attempt));
        let outcome = match &answer {
            Ok(_) => "done".to_owned(),
            Err(error) => error.to_string(),
        };
        format!("{operation} {name} for {by}: {outcome}, effects: {effects:?}")
    });
    if let Some(by) = &call.by {
        world.look_at_succession(host, &effects, name, was.as_ref(), by);
    }
    for effect in effects {
        let mut judge = world.judge();
        if call.by.as_ref().is_some_and(|by| by.kind == TaskType::Adopt) {
            judge.accuse(Promise::AdoptedAsItRuns, format!("{effect} {name} is done for an adoption"));
        }
        let is_cut_off = !call.by.as_ref().is_some_and(|by| judge.is_under_way(by));
        let is_late = effect == Operation::Start && is_cut_off;
        judge.effect(&world.hosts[host].id, effect, name, &id, call.by.as_ref());
        drop(judge);
        let mut state = world.state();
        // What was planned meanwhile knows nothing of its ports.
        state.has_excuse |= is_late;
        let place = (world.hosts[host].id.clone(), name.clone());
        match effect {
            // Who was not told of it, and is overtaken then, does not tell of it either.
            Operation::Stop if is_cut_off || *fate == Fate::Unclear => _ = state.stopped_late.insert(place),
            Operation::Create if is_cut_off && beside::principal(name).is_some() => _ = state.made_late.insert(place),
            Operation::Start | Operation::Remove => {
                state.stopped_late.remove(&place);
                state.made_late.remove(&place);
            }
            _ => {}
        }
    }
    if *fate == Fate::Unclear {
        return Err(silent(*operation, name));
    }
    answer
}

fn difference(before: Effects, after: Effects) -> Vec<Operation> {
    let counts = [
        (Operation::Create, before.created, after.created),
        (Operation::Rename, before.renamed, after.renamed),
        (Operation::Start, before.started, after.started),
        (Operation::Adjust, before.adjusted, after.adjusted),
        (Operation::Stop, before.stopped, after.stopped),
        (Operation::Remove, before.removed, after.removed),
    ];
    counts.into_iter().filter(|(_, before, after)| before != after).map(|(operation, ..)| operation).collect()
}

async fn not_hung(world: &World, host: usize) {
    loop {
        let listener = world.hosts[host].released.listen();
        if !world.state().hung[host] {
            return;
        }
        listener.await;
    }
}

fn failed(operation: Operation) -> RuntimeError {
    RuntimeError::Failed(format!("the engine could not {operation}"))
}

fn silent(operation: Operation, name: &str) -> RuntimeError {
    RuntimeError::TimedOut { operation: format!("{operation} {name}"), seconds: PATIENCE.as_secs() }
}

/// Nobody watches: pulls that the engine does for a caller who may be gone.
struct Unseen;

impl PullObserver for Unseen {
    fn progress(&self, _done: u64, _total: u64, _message: &str) {}
}

#[async_trait]
impl ContainerRuntime for SimRuntime {
    async fn info(&self) -> Result<EngineInfo, RuntimeError> {
        self.look(Operation::Info, "", self.fake().info()).await
    }

    async fn pull(&self, image: ImageRequest<'_>, progress: &dyn PullObserver) -> Result<PresentImage, RuntimeError> {
        let steps = self.world.throw(|dice| dice.below(4) as u64);
        for step in 1..=steps {
            self.world.sleep(Duration::from_millis(40)).await;
            progress.progress(step, steps + 1, "Downloading");
        }
        let (name, platform, policy) = (image.image.to_owned(), image.platform.map(str::to_owned), image.policy);
        let pull = async move |fake: Arc<FakeRuntime>| {
            let image = ImageRequest { image: &name, platform: platform.as_deref(), policy };
            fake.pull(image, &Unseen).await
        };
        self.change(Operation::Pull, image.image, pull).await
    }

    async fn create_network(&self, spec: &NetworkSpec) -> Result<(), RuntimeError> {
        let asked = spec.clone();
        self.change(Operation::CreateNetwork, &spec.name, async move |fake| fake.create_network(&asked).await).await
    }

    async fn remove_network(&self, name: &str) -> Result<(), RuntimeError> {
        if self.world.has(Bug::NetworkLeft) {
            return Ok(());
        }
        let asked = name.to_owned();
        self.change(Operation::RemoveNetwork, name, async move |fake| fake.remove_network(&asked).await).await
    }

    async fn create_volume(&self, spec: &VolumeSpec) -> Result<(), RuntimeError> {
        let asked = spec.clone();
        self.change(Operation::CreateVolume, &spec.name, async move |fake| fake.create_volume(&asked).await).await
    }

    async fn remove_volume(&self, name: &str) -> Result<(), RuntimeError> {
        let asked = name.to_owned();
        self.change(Operation::RemoveVolume, name, async move |fake| fake.remove_volume(&asked).await).await
    }

    async fn create(&self, spec: &ContainerSpec) -> Result<String, RuntimeError> {
        let asked = spec.clone();
        let takes_away = self.world.has(Bug::ForeignTaken);
        let act = async move |fake: Arc<FakeRuntime>| {
            if takes_away && fake.container(&asked.name).is_some_and(|holder| !holder.is_managed()) {
                fake.remove_foreign(Thing::Container, &asked.name);
            }
            fake.create(&asked).await
        };
        self.change(Operation::Create, &spec.name, act).await
    }

    async fn rename(&self, name: &str, to: &str) -> Result<(), RuntimeError> {
        let (from, other) = (name.to_owned(), to.to_owned());
        let act = async move |fake: Arc<FakeRuntime>| fake.rename(&from, &other).await;
        self.change_all(Operation::Rename, name, &[name, to], act).await
    }

    async fn start(&self, name: &str) -> Result<(), RuntimeError> {
        let asked = name.to_owned();
        self.change(Operation::Start, name, async move |fake| fake.start(&asked).await).await
    }

    async fn stop(&self, name: &str, grace: Option<Duration>) -> Result<(), RuntimeError> {
        let asked = name.to_owned();
        self.change(Operation::Stop, name, async move |fake| fake.stop(&asked, grace).await).await
    }

    async fn adjust(&self, name: &str, settings: &LiveSettings) -> Result<(), RuntimeError> {
        let (asked, settings) = (name.to_owned(), *settings);
        self.change(Operation::Adjust, name, async move |fake| fake.adjust(&asked, &settings).await).await
    }

    async fn remove(&self, name: &str) -> Result<(), RuntimeError> {
        let asked = name.to_owned();
        let outcome = self.change(Operation::Remove, name, async move |fake| fake.remove(&asked).await).await;
        match outcome {
            Err(RuntimeError::Unreachable { .. } | RuntimeError::Failed(_))
                if self.world.has(Bug::SilenceIsAbsence) =>
            {
                Ok(())
            }
            outcome => outcome,
        }
    }

    async fn inspect(&self, name: &str) -> Result<Option<ContainerState>, RuntimeError> {
        self.look(Operation::Inspect, name, self.fake().inspect(name)).await
    }

    async fn describe(&self, id: &str) -> Result<Option<Description>, RuntimeError> {
        self.look(Operation::Describe, id, self.fake().describe(id)).await
    }

    async fn adopt(&self, adoption: &Adoption) -> Result<(), RuntimeError> {
        let (world, host) = (Arc::clone(&self.world), self.host);
        let by = world.holder(host, &adoption.name);
        let called = world.called(host, &adoption.id).unwrap_or_else(|| adoption.name.clone());
        let adoption = world.spoil_adoption(host, adoption);
        let name = adoption.name.clone();
        let act = async move |fake: Arc<FakeRuntime>| world.adopts(host, &fake, &adoption, by.as_ref());
        let names = [name.as_str(), called.as_str()];
        let names = if name == called { &names[..1] } else { &names[..] };
        self.change_all(Operation::Adopt, &name, names, act).await
    }

    fn recall(&self, adoptions: &[Adoption]) {
        self.world.recalls(self.host, adoptions);
        self.fake().recall(adoptions);
    }

    async fn probe(&self, name: &str, test: &HealthTest, timeout: Duration) -> Result<Probe, RuntimeError> {
        self.look(Operation::Probe, name, self.fake().probe(name, test, timeout)).await
    }

    async fn list(&self) -> Result<Vec<ContainerState>, RuntimeError> {
        self.look(Operation::List, "", self.fake().list()).await
    }

    async fn owned(&self) -> Result<Owned, RuntimeError> {
        self.look(Operation::Owned, "", self.fake().owned()).await
    }

    async fn last_lines(&self, name: &str, lines: usize) -> Result<Vec<String>, RuntimeError> {
        self.look(Operation::LastLines, name, self.fake().last_lines(name, lines)).await
    }

    async fn logs(&self, name: &str, query: LogQuery) -> Result<ContainerLog, RuntimeError> {
        self.look(Operation::Logs, name, self.fake().logs(name, query)).await
    }

    async fn exec(&self, name: &str, spec: &ExecSpec, feed: ExecFeed) -> Result<Execution, RuntimeError> {
        let Execution { container_id, events } =
            self.look(Operation::Exec, name, self.fake().exec(name, spec, feed)).await?;
        let running = self.world.runs_a_command(spec);
        let events = events.inspect(move |_| _ = &running).boxed();
        Ok(Execution { container_id, events })
    }

    async fn watch(&self) -> Result<BoxStream<'static, Result<ContainerChange, RuntimeError>>, RuntimeError> {
        self.look(Operation::Watch, "", self.fake().watch()).await
    }
}
