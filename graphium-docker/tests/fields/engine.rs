//! What a document makes on the engine.

use crate::{documents::IMAGE, table::Shown};
use async_trait::async_trait;
use bollard::{Docker, query_parameters::TagImageOptionsBuilder};
use graphium_core::{
    action::Action,
    admission::Admission,
    agent::{HostFacts, Workplace, execute},
    document::{ReadContext, read},
    environment::Environment,
    id::{HostId, TaskId},
    inventory::{Host, Inventory},
    plan::{Options, Plan, PlannedTask, plan},
    runtime::{ContainerRuntime, ContainerSpec, RuntimeError},
    task::{Outcome, Task},
};
use graphium_docker::{DockerRuntime, Endpoint};
use serde_json::Value;
use std::{env, sync::Arc, time::Duration};

/// The engine, and hosts of which the third has what rows ask for.
pub(crate) struct Bench {
    runtime: Arc<dyn ContainerRuntime>,
    docker: Docker,
    inventory: Inventory,
    /// Of its API.
    pub(crate) minor: usize,
}

/// What was made of a document, as far as a row looks at it.
pub(crate) struct Made {
    pub(crate) plan: Plan,
    pub(crate) container: Option<Value>,
    pub(crate) network: Option<Value>,
    pub(crate) volume: Option<Value>,
    pub(crate) refusal: Option<String>,
}

impl Made {
    /// The hash of the container, by which the planner knows whether anything of it changed.
    pub(crate) fn hash(&self) -> Option<String> {
        let hash = |task: &PlannedTask| match &task.action {
            Action::Deploy { spec } if task.id.as_str() == "deploy:c" => Some(spec.planned_hash().to_string()),
            _ => None,
        };
        self.plan.tasks.iter().find_map(hash)
    }

    pub(crate) fn words(&self) -> String {
        let shown = [&self.container, &self.network, &self.volume];
        shown.iter().filter_map(|shown| shown.as_ref()).map(ToString::to_string).chain(self.refusal.clone()).collect()
    }
}

impl Bench {
    pub(crate) async fn new() -> Self {
        let Ok(text) = env::var("GRAPHIUM_TEST_DOCKER") else {
            panic!("no engine to test: set GRAPHIUM_TEST_DOCKER to one that may be used for tests, or run `tests/run`")
        };
        let endpoint: Endpoint = text.parse().expect("GRAPHIUM_TEST_DOCKER is an endpoint");
        let docker = Docker::connect_with_host(&endpoint.to_string()).expect("the engine is there");
        let image = env::var("GRAPHIUM_TEST_IMAGE").unwrap_or_else(|_| "graphium-test:busybox".to_owned());
        for name in [IMAGE, "graphium-fields:other"] {
            let (repository, tag) = name.split_once(':').expect("a tag");
            let options = TagImageOptionsBuilder::new().repo(repository).tag(tag).build();
            docker.tag_image(&image, Some(options)).await.expect("the image is there");
        }
        let runtime = Arc::new(DockerRuntime::connect(endpoint));
        let api = runtime.info().await.expect("the engine answers").api_version;
        let minor = api.split_once('.').and_then(|(_, minor)| minor.parse().ok()).expect("an API version");
        let host = |name: &str| Host { cpu: 64.0, memory: 1 << 40, ..Host::named(HostId::new(name)) };
        let mut third = host("h3");
        third.labels.insert("a".to_owned(), "b".to_owned());
        third.location = Some("dc3".to_owned());
        let inventory = Inventory { hosts: vec![host("h1"), host("h2"), third], containers: Vec::new() };
        Self { runtime, docker, inventory, minor }
    }

    /// Reads and plans a document, and makes its container `c` with what that needs; nothing is started but where the row
    /// asks for it.
    pub(crate) async fn make(&self, stack: &str, text: &str, shown: Shown) -> Result<Made, String> {
        self.clear(stack).await;
        let reading = read(text, &ReadContext::default()).map_err(|mistakes| format!("{mistakes:?} in {text}"))?;
        let plan = plan(&reading.stack, None, &self.inventory, &Options::default());
        let plan = plan.map_err(|found| format!("{found:?} of {text}"))?.sealed().plan;
        let mut made = Made { plan, container: None, network: None, volume: None, refusal: None };
        if matches!(shown, Shown::Planned(_) | Shown::Nowhere) {
            return Ok(made);
        }
        for task in made.plan.tasks.clone() {
            if task.container.as_deref() == Some("b") {
                continue;
            }
            let outcome = match &task.action {
                Action::Network { spec } => self.runtime.create_network(spec).await,
                Action::Volume { spec } => self.runtime.create_volume(spec).await,
                Action::Deploy { spec } => self.deploy(spec, &task.action, shown).await,
                _ => Ok(()),
            };
            if let Err(error) = outcome {
                made.refusal = Some(error.to_string());
                break;
            }
            self.look(&mut made, &task.action).await;
        }
        match (&made.refusal, shown) {
            (Some(refusal), shown) if !matches!(shown, Shown::Refused(_) | Shown::Since(..)) => {
                Err(format!("refused: {refusal}"))
            }
            _ => Ok(made),
        }
    }

    async fn deploy(&self, spec: &ContainerSpec, action: &Action, shown: Shown) -> Result<(), RuntimeError> {
        if !matches!(shown, Shown::Deployed(..)) {
            return self.runtime.create(spec).await.map(drop);
        }
        let host = HostId::new("the host");
        let place = Workplace {
            runtime: Arc::clone(&self.runtime),
            environment: Arc::new(Clock),
            facts: HostFacts { name: host.clone(), address: None },
            admission: Arc::new(Admission::of_everything()),
            secrets: Arc::new(|name| Some(format!("secret of {name}"))),
            link: None,
            known: Arc::default(),
            settle: Duration::ZERO,
            health: Arc::default(),
            hold: Default::default(),
            keeper: Arc::default(),
        };
        let task = Task::new(TaskId::new("fields"), host, action.clone(), Clock.now());
        match execute(&task, &place, &|_| {}).await {
            Outcome::Completed(_) => Ok(()),
            other => panic!("{other:?}"),
        }
    }

    async fn look(&self, made: &mut Made, action: &Action) {
        let value = |shown: Result<Value, serde_json::Error>| Some(shown.expect("it is JSON"));
        match action {
            Action::Network { spec } => {
                let shown = self.docker.inspect_network(&spec.name, None).await.expect("the network is there");
                made.network = value(serde_json::to_value(shown));
            }
            Action::Volume { spec } => {
                let shown = self.docker.inspect_volume(&spec.name).await.expect("the volume is there");
                made.volume = value(serde_json::to_value(shown));
            }
            Action::Deploy { spec } => {
                let shown = self.docker.inspect_container(&spec.name, None).await.expect("the container is there");
                made.container = value(serde_json::to_value(shown));
            }
            _ => {}
        }
    }

    /// Takes away what a stack of that name has left.
    pub(crate) async fn clear(&self, stack: &str) {
        for container in ["c", "other"] {
            self.runtime.remove(&format!("{stack}-{container}")).await.expect("a container can be removed");
        }
        for volume in ["v", "w"] {
            self.runtime.remove_volume(&format!("{stack}_{volume}")).await.expect("a volume can be removed");
        }
        for network in [stack.to_owned(), format!("{stack}-own")] {
            self.runtime.remove_network(&network).await.expect("a network can be removed");
        }
    }
}

/// Time as it is.
#[derive(Debug)]
struct Clock;

#[async_trait]
impl Environment for Clock {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::now()
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(u64::try_from(jiff::Timestamp::now().as_millisecond()).unwrap_or(0))
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn random(&self) -> u128 {
        4
    }
}
