//! The whole house in one thread and in virtual time: document, plan, control plane, three agents, three engines.

use futures::future::{Either, join_all, select};
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::{Control, DeployOptions, RemoveOptions, Settings, StackStatus},
    document::{ReadContext, read},
    environment::Environment,
    event::NoSink,
    id::HostId,
    runtime::{ContainerRuntime, NetworkSpec, Owned, VolumeSpec},
    stack::{Network, Stack, TextMap, Volume},
    store::MemoryStore,
    testing::{FakeRuntime, ManualEnvironment},
};
use std::{pin::pin, sync::Arc, time::Duration};

const HOSTS: [&str; 3] = ["localhost-docker", "vm1", "vm2"];

struct House {
    environment: ManualEnvironment,
    control: Arc<Control>,
    engines: Vec<FakeRuntime>,
}

impl House {
    fn new() -> Self {
        let environment = ManualEnvironment::default();
        let store = Arc::new(MemoryStore::new());
        let opened = Control::open(store, Arc::new(NoSink), Arc::new(environment.clone()), Settings::default());
        let control = environment.run(opened).unwrap();
        let engine = |_| FakeRuntime::with_environment(Arc::new(environment.clone()));
        Self { engines: HOSTS.iter().map(engine).collect(), environment, control }
    }

    /// Lets the house work while the script goes on.
    fn run<T>(&self, script: impl Future<Output = T>) -> T {
        let agents = HOSTS.iter().zip(&self.engines).map(|(host, engine)| {
            let mut settings = AgentSettings::new(HostId::new(host), 4);
            settings.address = Some([10, 0, 0, 1].into());
            let agent = Agent::new(
                Arc::clone(&self.control) as _,
                Arc::new(engine.clone()),
                Arc::new(self.environment.clone()),
                Box::new(MemoryJournal::default()),
                settings,
            );
            agent.run(std::future::pending())
        });
        let monitor = Arc::clone(&self.control).run();
        let house = async { futures::join!(join_all(agents), monitor) };
        let (script, house) = (pin!(script), pin!(house));
        match self.environment.run(select(script, house)) {
            Either::Left((output, _)) => output,
            Either::Right(_) => unreachable!("the house works for ever"),
        }
    }

    async fn ready(&self) {
        while self.control.hosts().await.unwrap().iter().filter(|host| host.docker_version.is_some()).count() < 3 {
            self.environment.sleep(Duration::from_millis(10)).await;
        }
    }

    async fn status(&self, stack: &str, wanted: StackStatus) {
        for _ in 0..10_000 {
            match self.control.status(stack).await {
                Ok(status) if status.overall_status == wanted => return,
                Err(_) if wanted == StackStatus::Deleted => return,
                _ => self.environment.sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("never {}: {:#?}", wanted.as_str(), self.control.status(stack).await);
    }

    async fn containers(&self) -> usize {
        let mut count = 0;
        for engine in &self.engines {
            count += engine.list().await.unwrap().len();
        }
        count
    }
}

fn stack(name: &str) -> Stack {
    let path = format!("{}/../examples/stacks/{name}.json", env!("CARGO_MANIFEST_DIR"));
    read(std::fs::read(path).unwrap(), &ReadContext::default()).unwrap().stack
}

#[test]
fn a_stack_goes_up_on_three_hosts_and_away_again() {
    let house = House::new();
    house.run(async {
        house.ready().await;
        let stack = stack("nginx-multihost-stack");
        let name = stack.name.clone();
        house.control.deploy(stack, DeployOptions::default()).await.unwrap();
        house.status(&name, StackStatus::Running).await;
        assert_eq!(house.containers().await, 3);
        house.control.remove(&name, RemoveOptions::default()).await.unwrap();
        house.status(&name, StackStatus::Deleted).await;
        assert_eq!(house.containers().await, 0);
        for engine in &house.engines {
            assert_eq!(engine.owned().await.unwrap(), Owned::default());
        }
    });
}

#[test]
fn what_an_engine_holds_without_a_stack_becomes_known_and_goes_when_asked_for() {
    let house = House::new();
    house.run(async {
        house.ready().await;
        let labels = [("graphium.managed", "true"), ("graphium.stack", "stack:blog")];
        let labels: TextMap = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect();
        let network = NetworkSpec { name: "blog".to_owned(), network: Network::default(), labels: labels.clone() };
        let volume = VolumeSpec { name: "blog_data".to_owned(), volume: Volume::default(), labels };
        house.engines[1].create_network(&network).await.unwrap();
        house.engines[1].create_volume(&volume).await.unwrap();
        let orphans = async || -> Vec<String> {
            let orphans = house.control.orphans().await.unwrap();
            orphans.into_iter().map(|orphan| orphan.id).collect()
        };
        house.environment.sleep(Duration::from_secs(155)).await;
        assert_eq!(orphans().await, ["vm1/network:blog", "vm1/volume:blog_data"]);
        for name in ["network:blog", "volume:blog_data"] {
            house.control.remove_orphan(&HostId::new("vm1"), name, true, None).await.unwrap();
        }
        house.environment.sleep(Duration::from_secs(1)).await;
        assert_eq!(house.engines[1].owned().await.unwrap(), Owned::default());
        assert_eq!(orphans().await, [""; 0]);
        house.environment.sleep(Duration::from_secs(155)).await;
        assert_eq!(orphans().await, [""; 0]);
    });
}

#[test]
fn an_engine_that_is_away_delays_a_stack_and_does_not_break_it() {
    let house = House::new();
    house.run(async {
        house.ready().await;
        let stack = stack("nginx-multihost-stack");
        let name = stack.name.clone();
        house.engines[1].disconnect();
        house.control.deploy(stack, DeployOptions::default()).await.unwrap();
        house.environment.sleep(Duration::from_secs(40)).await;
        house.engines[1].reconnect();
        house.status(&name, StackStatus::Running).await;
        assert_eq!(house.containers().await, 3);
    });
}

#[test]
fn a_stack_gets_other_limits_while_it_runs_and_then_has_nothing_to_do() {
    let house = House::new();
    house.run(async {
        house.ready().await;
        let first = stack("nginx-multihost-stack");
        let name = first.name.clone();
        let mut second = first.clone();
        for container in &mut second.containers {
            Arc::make_mut(container).resources.limits.memory = Some(1 << 30);
        }
        let deploy = async |stack: &Stack| {
            let started = house.control.deploy(stack.clone(), DeployOptions::default()).await.unwrap();
            house.status(&name, StackStatus::Running).await;
            started.task_count
        };
        deploy(&first).await;
        let after_first = house.engines.iter().map(FakeRuntime::calls).collect::<Vec<_>>();
        assert_eq!(deploy(&second).await, 3);
        assert_eq!(deploy(&second).await, 0, "known by the tasks' results");
        house.environment.sleep(Duration::from_secs(60)).await;
        assert_eq!(deploy(&second).await, 0, "and by what agents see");
        for (engine, before) in house.engines.iter().zip(after_first) {
            let calls = engine.calls().split_off(before.len());
            let is_change =
                |call: &&String| ["create", "start", "stop", "remove"].iter().any(|verb| call.starts_with(verb));
            assert_eq!(calls.iter().find(is_change), None);
            assert_eq!(calls.iter().filter(|call| call.starts_with("adjust")).count(), 1);
        }
    });
}
