//! A host, its agent and a control plane, in virtual time.

use crate::link::StoreLink;
use futures::{
    channel::oneshot,
    future::{join, select},
};
use graphium_core::{
    action::Action,
    admission::Admission,
    agent::{Agent, AgentError, AgentSettings, MemoryJournal, Notice},
    environment::Environment,
    id::{DeploymentId, HostId, TaskId},
    runtime::{ContainerSpec, label},
    stack::{Container, Port, TextMap},
    store::{MemoryStore, Submission, TaskStore},
    task::{Input, Task, TaskStatus},
    testing::{FakeRuntime, ManualEnvironment, Program},
};
use std::{
    collections::HashMap,
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

pub(crate) const HOST: &str = "vm1";
pub(crate) const IMAGE: &str = "web:1";

/// How long a started container is watched: longer than news of attempts are gathered, so that every phase is told.
pub(crate) const SETTLE: Duration = Duration::from_millis(400);

/// Everything around an agent. What it holds outlives the agent.
pub(crate) struct Bed {
    pub(crate) environment: ManualEnvironment,
    pub(crate) runtime: FakeRuntime,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) link: Arc<StoreLink>,
    pub(crate) journal: MemoryJournal,
    pub(crate) notices: Arc<Mutex<Vec<Notice>>>,
    pub(crate) concurrency: usize,
    pub(crate) admission: Arc<Admission>,
    made: AtomicUsize,
}

impl Bed {
    pub(crate) fn new() -> Self {
        let environment = ManualEnvironment::default();
        let runtime = FakeRuntime::with_environment(Arc::new(environment.clone()));
        runtime.put_image(IMAGE, Program::runs());
        let store = Arc::new(MemoryStore::new());
        let link = Arc::new(StoreLink::new(Arc::clone(&store), environment.clone()));
        let (journal, notices) = (MemoryJournal::default(), Arc::default());
        let (admission, made) = (Arc::default(), AtomicUsize::new(0));
        Self { environment, runtime, store, link, journal, notices, concurrency: 4, admission, made }
    }

    /// Runs an agent while the script goes on, and ends it as its program would be ended: how did it end?
    pub(crate) fn serve<T>(&self, script: impl Future<Output = T>) -> (T, Result<(), AgentError>) {
        let (end, ended) = oneshot::channel::<()>();
        let agent = self.agent().run(async {
            let _ = ended.await;
        });
        let script = async {
            let output = script.await;
            let _ = end.send(());
            output
        };
        self.environment.run(join(script, agent))
    }

    /// Runs an agent until the script ends, and drops it there and then.
    pub(crate) fn crash<T: Default>(&self, script: impl Future<Output = T>) {
        let agent = pin!(self.agent().run(std::future::pending()));
        self.environment.run(select(pin!(script), agent));
    }

    pub(crate) fn agent(&self) -> Agent {
        let notices = Arc::clone(&self.notices);
        let mut settings = AgentSettings::new(HostId::new(HOST), self.concurrency);
        settings.settle = SETTLE;
        settings.admission = Arc::clone(&self.admission);
        settings.notify = Arc::new(move |notice| notices.lock().unwrap().push(notice.clone()));
        Agent::new(
            Arc::clone(&self.link) as _,
            Arc::new(self.runtime.clone()),
            Arc::new(self.environment.clone()),
            Box::new(self.journal.clone()),
            settings,
        )
    }

    /// Submits tasks that wait for nothing.
    pub(crate) async fn submit(&self, actions: impl IntoIterator<Item = Action>) -> Vec<TaskId> {
        self.submit_with(actions, |_| {}).await
    }

    pub(crate) async fn submit_with(
        &self,
        actions: impl IntoIterator<Item = Action>,
        change: impl Fn(&mut Task),
    ) -> Vec<TaskId> {
        let mut tasks: Vec<Task> = actions.into_iter().map(|action| self.task(action)).collect();
        tasks.iter_mut().for_each(change);
        let ids = tasks.iter().map(|task| task.id.clone()).collect();
        self.store.submit(Submission { tasks, ..Submission::default() }, self.environment.now()).await.unwrap();
        ids
    }

    fn task(&self, action: Action) -> Task {
        let number = self.made.fetch_add(1, Ordering::Relaxed);
        let defaults = action.task_type().defaults();
        Task {
            id: TaskId::new(format!("task:{number:04}")),
            task_type: action.task_type(),
            status: TaskStatus::Pending,
            host_id: HostId::new(HOST),
            agent_id: None,
            stack_id: None,
            deployment_id: Some(DeploymentId::new(format!("deployment:{number}"))),
            plan_id: String::new(),
            container_id: Some(action.subject().to_owned()),
            priority: defaults.priority,
            slack: 0,
            payload: Arc::new(action),
            undo: None,
            why: String::new(),
            depends_on: Vec::new(),
            gate: graphium_core::task::Gate::default(),
            date_created: self.environment.now(),
            created_by: None,
            scheduled_by: String::new(),
            assigned_at: None,
            started_at: None,
            completed_at: None,
            error: None,
            result: None,
            retry_count: 0,
            max_retries: 0,
            lost_count: 0,
            timeout_seconds: defaults.timeout_seconds,
            attempt: 0,
            lease: None,
            not_before: None,
            cancel_requested: None,
            progress: None,
        }
    }

    pub(crate) async fn task_now(&self, id: &TaskId) -> Task {
        self.store.task(id).await.unwrap().unwrap()
    }

    /// Waits until a task has ended. A time limit of the test's own keeps it from waiting for ever.
    pub(crate) async fn end_of(&self, id: &TaskId) -> Task {
        self.wait_for(id, |task| task.status.is_terminal()).await
    }

    pub(crate) async fn wait_for(&self, id: &TaskId, is_so: impl Fn(&Task) -> bool) -> Task {
        for _ in 0..100_000 {
            self.store.expire(self.environment.now()).await.unwrap();
            let task = self.task_now(id).await;
            if is_so(&task) {
                return task;
            }
            self.sleep(10).await;
        }
        panic!("never came: {:?}", self.task_now(id).await);
    }

    /// Waits until an attempt has come to the given phase.
    pub(crate) async fn phase_of(&self, id: &TaskId, phase: &str) {
        self.wait_for(id, |task| task.progress.as_ref().is_some_and(|progress| progress.phase == phase)).await;
    }

    pub(crate) async fn cancel(&self, id: &TaskId) {
        let input = Input::Cancel { reason: "an operator wants it".to_owned() };
        self.store.act(id, input, self.environment.now()).await.unwrap();
    }

    pub(crate) async fn sleep(&self, millis: u64) {
        self.environment.sleep(Duration::from_millis(millis)).await;
    }

    /// How often each kind of call was made to the engine.
    pub(crate) fn counts(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for call in self.runtime.calls() {
            *counts.entry(call).or_default() += 1;
        }
        counts
    }

    /// Calls to the engine that are not the watch over the host.
    pub(crate) fn calls(&self) -> Vec<String> {
        let watch = ["info", "list", "owned", "watch"];
        self.runtime.calls().into_iter().filter(|call| !watch.contains(&call.as_str())).collect()
    }
}

/// A container of the test's stack.
pub(crate) fn spec(name: &str) -> ContainerSpec {
    spec_of(name, Container::default())
}

pub(crate) fn spec_of(name: &str, container: Container) -> ContainerSpec {
    let image = if container.image.is_empty() { IMAGE.to_owned() } else { container.image.clone() };
    let mut labels = TextMap::new();
    labels.insert(label::MANAGED.to_owned(), "true".to_owned());
    labels.insert(label::STACK.to_owned(), "stack:shop".to_owned());
    let spec = ContainerSpec::new(name, Container { name: name.to_owned(), image, ..container });
    ContainerSpec { labels: labels.into(), ..spec }.sealed()
}

pub(crate) fn deploy(name: &str) -> Action {
    Action::Deploy { spec: Box::new(spec(name)) }
}

pub(crate) fn deploy_of(name: &str, container: Container) -> Action {
    Action::Deploy { spec: Box::new(spec_of(name, container)) }
}

pub(crate) fn published(port: u16) -> Container {
    let port = Port { container_port: 80, host_port: Some(port), protocol: Default::default(), host_ip: None };
    Container { ports: vec![port], ..Container::default() }
}
