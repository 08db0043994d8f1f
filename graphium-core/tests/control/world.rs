//! A control plane over the memory store, and agents whose every step is the test's.

use graphium_core::{
    admission::Admission,
    agent::{AgentLink, ClaimCall, HostReport, LinkError},
    control::{Control, Settings, StackStatus},
    event::{Event, EventSink, NoSink},
    id::{ClaimId, HostId},
    inventory::{ContainerStatus, Holding, ObservedContainer, ObservedPort},
    runtime::{EngineInfo, label},
    stack::{Container, Stack, TextMap},
    store::{MemoryStore, SessionRequest},
    task::{Outcome, Task, TaskResult},
    testing::ManualEnvironment,
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

mockall::mock! {
    #[derive(Debug)]
    pub(crate) Sink {}

    impl EventSink for Sink {
        fn publish(&self, events: &[Event]);
    }
}

pub(crate) struct World {
    pub(crate) environment: ManualEnvironment,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) control: Arc<Control>,
}

impl World {
    pub(crate) fn new() -> Self {
        let environment = ManualEnvironment::default();
        let store = Arc::new(MemoryStore::new());
        let control = Self::start(&environment, &store);
        Self { environment, store, control }
    }

    pub(crate) fn start(environment: &ManualEnvironment, store: &Arc<MemoryStore>) -> Arc<Control> {
        environment.run(Self::start_in(environment, store))
    }

    /// The same, for who is in virtual time already.
    pub(crate) async fn start_in(environment: &ManualEnvironment, store: &Arc<MemoryStore>) -> Arc<Control> {
        // What containers may ask of their hosts is another matter.
        let settings = Settings { admission: Admission::of_everything(), ..Settings::default() };
        Control::open(store.clone(), Arc::new(NoSink), Arc::new(environment.clone()), settings).await.unwrap()
    }

    pub(crate) fn run<F: Future>(&self, future: F) -> F::Output {
        self.environment.run(future)
    }

    pub(crate) fn tick(&self) {
        self.run(self.control.tick()).unwrap();
    }

    pub(crate) fn agent(&self, host: &str) -> Hand<'_> {
        let request = SessionRequest { host: host.into(), nonce: format!("{host}-1"), seen_epoch: 0 };
        let grant = self.run(self.control.open_session(&request)).unwrap();
        let hand = Hand { world: self, host: host.into(), epoch: grant.session.epoch };
        hand.observe(&[]);
        hand
    }

    pub(crate) fn status(&self, stack: &str) -> StackStatus {
        self.run(self.control.status(stack)).unwrap().overall_status
    }
}

/// An agent whose every step is the test's.
pub(crate) struct Hand<'a> {
    pub(crate) world: &'a World,
    pub(crate) host: HostId,
    pub(crate) epoch: u64,
}

impl Hand<'_> {
    pub(crate) fn claim(&self) -> Vec<Task> {
        self.try_claim().unwrap()
    }

    pub(crate) fn try_claim(&self) -> Result<Vec<Task>, LinkError> {
        use graphium_core::environment::Environment;
        let claim = ClaimId::new(format!("{:x}", self.world.environment.random()));
        let call =
            ClaimCall { host: self.host.clone(), epoch: self.epoch, claim, max: 10, wait: Duration::from_millis(1) };
        self.world.run(self.world.control.claim(&call))
    }

    pub(crate) fn report(&self, task: &Task, outcome: &Outcome) {
        self.world.run(self.world.control.report(task.lease.as_ref().unwrap(), outcome)).unwrap();
    }

    pub(crate) fn succeed(&self, task: &Task) {
        use graphium_core::action::Action;
        let data = match &*task.payload {
            Action::Deploy { spec } | Action::Update { spec, .. } => Some(ObservedContainer {
                id: format!("id-{}", spec.name),
                name: spec.name.clone(),
                image: spec.container.image.clone(),
                status: ContainerStatus::Running,
                hosted_on: self.host.clone(),
                ports: spec
                    .container
                    .ports
                    .iter()
                    .map(|port| ObservedPort {
                        container_port: port.container_port,
                        host_port: port.host_port,
                        protocol: port.protocol,
                        host_ip: None,
                    })
                    .collect(),
                labels: marked(spec.all_labels(), task),
                health: None,
                exit_code: None,
                ended_with_engine: false,
                ended_by_task: false,
                ip_address: None,
                date_created: None,
                settings: Some(graphium_core::runtime::LiveSettings::of(&spec.container)),
            }),
            Action::Stop { name } => self.known(name).map(|it| ObservedContainer {
                status: ContainerStatus::Exited,
                exit_code: Some(0),
                ended_by_task: true,
                ..it
            }),
            Action::Start { name } | Action::Restart { name } => self.known(name).map(|it| ObservedContainer {
                status: ContainerStatus::Running,
                exit_code: None,
                ended_by_task: false,
                ..it
            }),
            _ => None,
        };
        self.report(
            task,
            &Outcome::Completed(TaskResult { success: true, data: data.map(Box::new), ..TaskResult::default() }),
        );
    }

    /// A container as the control plane knows it.
    fn known(&self, name: &str) -> Option<ObservedContainer> {
        let mut known = self.world.run(self.world.control.inventory()).unwrap().containers.into_iter();
        known.find(|known| known.hosted_on == self.host && known.name == name)
    }

    pub(crate) fn work(&self) -> usize {
        let mut done = 0;
        loop {
            let tasks = self.claim();
            if tasks.is_empty() {
                return done;
            }
            for task in tasks {
                self.succeed(&task);
                done += 1;
            }
        }
    }

    pub(crate) fn observe(&self, containers: &[ObservedContainer]) {
        self.world.environment.advance(Duration::from_millis(200));
        self.observe_from(containers, 0);
    }

    /// Tells of a look that was taken so many milliseconds ago.
    pub(crate) fn observe_from(&self, containers: &[ObservedContainer], age: u64) {
        self.world.run(self.world.control.observe(&self.seen(containers, age))).unwrap();
    }

    /// Tells what there is beside containers, of which a look now shows none.
    pub(crate) fn observe_holdings(&self, holdings: &[Holding]) {
        self.world.environment.advance(Duration::from_millis(200));
        let report = HostReport { containers: None, holdings: Some(holdings.to_vec()), ..self.seen(&[], 0) };
        self.world.run(self.world.control.observe(&report)).unwrap();
    }

    pub(crate) fn seen(&self, containers: &[ObservedContainer], age: u64) -> HostReport {
        HostReport {
            host: self.host.clone(),
            epoch: self.epoch,
            ip_address: Some("10.0.0.1".parse().unwrap()),
            agent_version: "test".into(),
            engine: Some(EngineInfo { cpus: 2.0, memory: 1 << 30, version: "20.10".into(), ..EngineInfo::default() }),
            engine_error: None,
            engine_was_away: false,
            containers: Some(containers.to_vec()),
            holdings: None,
            taken_ago_ms: age,
            labels: Default::default(),
            location: None,
            usage: None,
        }
    }
}

/// As an agent marks what it makes.
fn marked(mut labels: TextMap, task: &Task) -> TextMap {
    labels.extend(task.deployment_id.iter().map(|id| (label::DEPLOYMENT.to_owned(), id.to_string())));
    labels
}

pub(crate) fn container(name: &str, host: &str, port: Option<u16>, after: &[&str]) -> Container {
    serde_json::from_value(json!({
        "@id": format!("container:{name}"), "name": name, "image": "nginx:alpine", "locatedInHost": host,
        "ports": port.map(|port| json!({"containerPort": 80, "hostPort": port})).into_iter().collect::<Vec<_>>(),
        "dependsOn": after.iter().map(|name| json!({"container": name})).collect::<Vec<_>>(),
        "environment": [{"name": "PASSWORD", "value": "hunter2"}],
    }))
    .unwrap()
}

pub(crate) fn stack(name: &str, containers: Vec<Container>) -> Stack {
    let mut stack: Stack =
        serde_json::from_value(json!({"@id": format!("stack:{name}"), "name": name, "hasPart": []})).unwrap();
    stack.containers = containers.into_iter().map(Into::into).collect();
    stack
}

pub(crate) fn shop() -> Stack {
    stack("shop", vec![container("db", "vm1", None, &[]), container("web", "vm2", Some(8080), &["db"])])
}
