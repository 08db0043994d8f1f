//! Containers that others have made become a stack's, as they run.

use futures::future::{Either, select};
use graphium_core::{
    agent::{Agent, AgentSettings, Journal, JournalError, Memory, MemoryJournal},
    control::{
        AdoptOptions, Control, ControlError, DeployOptions, DeploymentKind, RemoveOptions, Settings, StackStatus,
    },
    environment::Environment,
    event::NoSink,
    id::HostId,
    inventory::ContainerStatus,
    runtime::{ContainerRuntime, ContainerSpec, ContainerState, RuntimeError},
    stack::{Container, Stack, TextMap},
    store::MemoryStore,
    task::TaskStatus,
    testing::{Effects, FakeRuntime, ManualEnvironment, Operation, Thing},
};
use serde_json::{Value, json};
use std::{pin::pin, sync::Arc, time::Duration};

/// A control plane and one host, whose agent may end and begin again.
struct Place {
    environment: ManualEnvironment,
    control: Arc<Control>,
    engine: FakeRuntime,
    journal: MemoryJournal,
}

impl Place {
    fn new() -> Self {
        let environment = ManualEnvironment::default();
        let store = Arc::new(MemoryStore::new());
        let opened = Control::open(store, Arc::new(NoSink), Arc::new(environment.clone()), Settings::default());
        let control = environment.run(opened).unwrap();
        let engine = FakeRuntime::with_environment(Arc::new(environment.clone()));
        Self { environment, control, engine, journal: MemoryJournal::default() }
    }

    /// Lets a new agent work, on a handle of its own, while the script goes on.
    fn run<T>(&self, script: impl Future<Output = T>) -> T {
        self.run_with(Box::new(self.journal.clone()), script)
    }

    fn run_with<T>(&self, journal: Box<dyn Journal>, script: impl Future<Output = T>) -> T {
        let mut settings = AgentSettings::new(HostId::new("vm1"), 4);
        settings.address = Some([10, 0, 0, 1].into());
        let (link, runtime) = (Arc::clone(&self.control) as _, Arc::new(self.engine.clone()));
        let agent = Agent::new(link, runtime, Arc::new(self.environment.clone()), journal, settings);
        let monitor = Arc::clone(&self.control).run();
        let house = async { futures::join!(agent.run(std::future::pending()), monitor) };
        let script = async {
            // Until the host was seen, by this agent.
            self.environment.sleep(Duration::from_secs(2)).await;
            script.await
        };
        let (script, house) = (pin!(script), pin!(house));
        match self.environment.run(select(script, house)) {
            Either::Left((output, _)) => output,
            Either::Right(_) => unreachable!("the house works for ever"),
        }
    }

    async fn status(&self, wanted: StackStatus) {
        for _ in 0..10_000 {
            match self.control.status("shop").await {
                Ok(status) if status.overall_status == wanted => return,
                Err(_) if wanted == StackStatus::Deleted => return,
                _ => self.environment.sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("never {}: {:#?}", wanted.as_str(), self.control.status("shop").await);
    }

    async fn adopt(&self, stack: &Stack, options: AdoptOptions) -> StackStatus {
        self.control.adopt(stack.clone(), options).await.unwrap();
        for _ in 0..10_000 {
            let status = self.control.status("shop").await.unwrap();
            if !status.overall_status.is_transitional() {
                return status.overall_status;
            }
            self.environment.sleep(Duration::from_millis(10)).await;
        }
        panic!("never ended: {:#?}", self.control.status("shop").await);
    }

    /// The codes of what stands against an adoption.
    async fn refusal(&self, stack: &Stack, options: AdoptOptions) -> Vec<(String, String)> {
        match self.control.adopt(stack.clone(), options).await {
            Err(ControlError::Invalid(found)) => {
                found.into_iter().map(|one| (one.code.to_string(), one.message)).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// The ids of the tasks that the next deployment would have.
    async fn plan(&self, stack: &Stack) -> Vec<String> {
        let plan = self.control.preview(stack, &DeployOptions::default()).await.unwrap();
        plan.tasks.iter().map(|task| task.id.to_string()).collect()
    }

    fn there(&self, name: &str) -> ContainerState {
        self.engine.container(name).unwrap_or_else(|| panic!("{name} is not there: {:?}", self.names()))
    }

    fn names(&self) -> Vec<String> {
        self.engine.containers().into_iter().map(|one| one.observed.name).collect()
    }

    fn runs(&self, service: &str, definition: Value) -> ContainerState {
        self.runs_as(&format!("shop-{service}-1"), "shop", service, definition)
    }

    /// A container as Compose has it.
    fn runs_as(&self, name: &str, project: &str, service: &str, definition: Value) -> ContainerState {
        let container = Container { name: service.to_owned(), ..serde_json::from_value(definition).unwrap() };
        let mut spec = ContainerSpec::new(name, container);
        spec.network = Some(format!("{project}_default").into());
        let number = name.rsplit('-').next().unwrap_or("1");
        let labels: TextMap = [("project", project), ("service", service), ("container-number", number)]
            .map(|(key, value)| (format!("com.docker.compose.{key}"), value.to_owned()))
            .into();
        self.engine.run_foreign(spec, labels);
        self.there(name)
    }
}

fn db() -> Value {
    json!({"name": "db", "image": "postgres:15", "environment": [{"name": "PASSWORD", "value": "hunter2"}]})
}

fn web() -> Value {
    json!({"name": "web", "image": "nginx:1", "ports": [{"containerPort": 80, "hostPort": 8080}]})
}

fn stack(parts: impl Into<Vec<Value>>) -> Stack {
    let mut stack = json!({"@id": "stack:shop", "name": "shop"});
    stack["hasPart"] = Value::from(parts.into());
    serde_json::from_value(stack).unwrap()
}

fn choosing(name: &str, which: &str) -> AdoptOptions {
    AdoptOptions { containers: [(name.to_owned(), which.to_owned())].into(), ..AdoptOptions::default() }
}

#[test]
fn a_compose_project_becomes_a_stack_without_a_restart_and_goes_on_as_one() {
    let place = Place::new();
    let before = [place.runs("db", db()), place.runs("web", web())];
    place.engine.make_foreign(Thing::Container, "neighbour");
    let neighbour = place.there("neighbour");
    let shop = stack([db(), web()]);
    let is_same = |name: &str, before: &ContainerState| {
        let now = place.there(name);
        assert_eq!(now.observed.id, before.observed.id, "{name}");
        assert_eq!((now.started_at, now.restart_count), (before.started_at, before.restart_count), "{name}");
    };
    place.run(async {
        let comparison = place.control.compare_for_adoption(&shop, &AdoptOptions::default()).await.unwrap();
        assert_eq!(comparison.containers.len(), 2);
        place.environment.sleep(Duration::from_secs(2)).await;
        for view in &comparison.tasks {
            let task = place.control.task(&view.task.id).await.unwrap().task;
            assert_eq!(
                (task.status, task.result.unwrap().differences),
                (TaskStatus::Completed, vec![]),
                "{:?}",
                task.error
            );
        }
        assert_eq!(place.names(), ["neighbour", "shop-db-1", "shop-web-1"], "nothing was changed");
        assert!(place.control.stack("shop").await.is_err(), "nothing was stored");

        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Running);
        assert_eq!(place.plan(&shop).await, Vec::<String>::new(), "known by the tasks' results");
        place.environment.sleep(Duration::from_secs(40)).await;
        assert_eq!(place.plan(&shop).await, Vec::<String>::new(), "and by what the agent sees");
        assert_eq!(place.control.deploy(shop.clone(), DeployOptions::default()).await.unwrap().task_count, 0);
        assert_eq!(place.control.adopt(shop.clone(), AdoptOptions::default()).await.unwrap().task_count, 0);
        let live = place.control.live_difference("shop").await.unwrap();
        assert_eq!(live.differences, [], "{live:?}");
        let status = place.control.status("shop").await.unwrap();
        assert_eq!(status.overall_status, StackStatus::Running);
    });
    is_same("shop-db", &before[0]);
    is_same("shop-web", &before[1]);
    for name in ["shop-db", "shop-web", "shop-db-1", "shop-web-1"] {
        let Effects { created, started, stopped, removed, .. } = place.engine.effects(name);
        assert_eq!((created, started, stopped, removed), (0, 0, 0, 0), "{name}");
    }

    // Another agent, which has the journal of the first.
    let changed = stack([db(), json!({"name": "web", "image": "nginx:2", "ports": web()["ports"]})]);
    place.run(async {
        place.environment.sleep(Duration::from_secs(40)).await;
        assert_eq!(place.plan(&shop).await, Vec::<String>::new());
        // One property of one container.
        assert_eq!(place.plan(&changed).await, ["pull:vm1:nginx:2", "network:vm1", "update:web"]);
        place.control.deploy(changed.clone(), DeployOptions::default()).await.unwrap();
        place.status(StackStatus::Running).await;
        is_same("shop-db", &before[0]);
        assert_ne!(place.there("shop-web").observed.id, before[1].observed.id);
        place.control.act_on_stack("shop", DeploymentKind::Stop, None).await.unwrap();
        place.status(StackStatus::Stopped).await;
        assert_eq!(place.there("shop-db").status(), ContainerStatus::Exited);
        assert_eq!(place.there("shop-db").observed.id, before[0].observed.id);
        place.control.remove("shop", RemoveOptions::default()).await.unwrap();
        place.status(StackStatus::Deleted).await;
    });
    assert_eq!(place.names(), ["neighbour"]);
    assert_eq!(place.there("neighbour"), neighbour);
}

#[test]
fn where_the_journal_is_lost_a_container_is_foreign_again_and_can_be_adopted_anew() {
    let place = Place::new();
    let before = place.runs("db", db());
    let shop = stack([db()]);
    assert_eq!(place.run(place.adopt(&shop, AdoptOptions::default())), StackStatus::Running);
    place.run_with(Box::new(MemoryJournal::default()), async {
        place.status(StackStatus::Error).await;
        place.environment.sleep(Duration::from_secs(60)).await;
        let message = place.control.status("shop").await.unwrap().error_message.unwrap_or_default();
        assert!(message.contains("is taken by a container that is not Graphium's"), "{message}");
        assert_eq!(
            place.there("shop-db"),
            ContainerState { observed: place.there("shop-db").observed, ..before.clone() }
        );
        while place.control.status("shop").await.unwrap().overall_status.is_transitional() {
            place.environment.sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Running);
        assert_eq!(place.plan(&shop).await, Vec::<String>::new());
    });
    assert_eq!(place.there("shop-db").observed.id, before.observed.id);
}

#[test]
fn what_differs_keeps_all_as_they_are_until_that_is_accepted() {
    let place = Place::new();
    let before = [place.runs("db", db()), place.runs("web", web())];
    let other = json!({"name": "web", "image": "nginx:2", "ports": web()["ports"], "restartPolicy": "always"});
    let shop = stack([db(), other]);
    place.run(async {
        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Error);
        let message = place.control.status("shop").await.unwrap().error_message.unwrap_or_default();
        assert!(message.contains("image is nginx:1, not nginx:2"), "{message}");
        assert!(message.contains("restartPolicy is no, not always"), "{message}");
        assert_eq!(place.names(), ["shop-db-1", "shop-web-1"], "all or none");
        assert!(place.journal.memory().adopted.is_empty());

        let accept = AdoptOptions { accept_differences: true, ..AdoptOptions::default() };
        assert_eq!(place.adopt(&shop, accept).await, StackStatus::Running);
        assert_eq!(place.there("shop-web").observed.id, before[1].observed.id, "it runs on");
        assert_eq!(place.plan(&shop).await, ["pull:vm1:nginx:2", "network:vm1", "update:web"]);
        place.control.deploy(shop.clone(), DeployOptions::default()).await.unwrap();
        place.status(StackStatus::Running).await;
        assert_eq!(place.there("shop-db").observed.id, before[0].observed.id);
        assert_ne!(place.there("shop-web").observed.id, before[1].observed.id);
        assert_eq!(place.plan(&shop).await, Vec::<String>::new());
    });
}

#[test]
fn everything_that_stands_against_an_adoption_is_told_at_once_and_nothing_is_changed() {
    let place = Place::new();
    place.runs("stopped", db());
    place.engine.kill("shop-stopped-1");
    place.runs_as("shop-twice-1", "shop", "twice", db());
    place.runs_as("shop-twice-2", "shop", "twice", db());
    place.runs("named", db());
    place.engine.make_foreign(Thing::Container, "shop-named");
    place.engine.kill("shop-named");
    let parts = ["stopped", "twice", "absent"].map(|name| json!({"name": name, "image": "postgres:15"}));
    let shop = stack(parts);
    place.run(async {
        let names = place.names();
        let refused = place.refusal(&shop, choosing("nobody", "shop-twice-1")).await;
        let codes: Vec<&str> = refused.iter().map(|(code, _)| code.as_str()).collect();
        assert_eq!(codes, ["adopt-unknown", "adopt-none", "adopt-not-running", "adopt-ambiguous"], "{refused:?}");
        assert!(refused[3].1.contains("`vm1/shop-twice-1` and `vm1/shop-twice-2`"), "{refused:?}");
        // The name that one would get is another's.
        let named = stack([json!({"name": "named", "image": "postgres:15"})]);
        let refused = place.refusal(&named, choosing("named", "vm1/shop-named-1")).await;
        assert_eq!(refused[0].0, "adopt-name-taken", "{refused:?}");
        // Another stack's.
        let mut own = stack([json!({"name": "own", "image": "postgres:15"})]);
        (own.id, own.name) = ("stack:own".into(), "own".to_owned());
        place.control.deploy(own, DeployOptions::default()).await.unwrap();
        place.environment.sleep(Duration::from_secs(5)).await;
        let thief = stack([json!({"name": "db", "image": "postgres:15"})]);
        let refused = place.refusal(&thief, choosing("db", "own-own")).await;
        assert_eq!(refused[0].0, "adopt-owned", "{refused:?}");
        // One container for two.
        let two = stack(["a", "b"].map(|name| json!({"name": name, "image": "postgres:15"})));
        let chosen = ["a", "b"].map(|name| (name.to_owned(), "shop-twice-1".to_owned()));
        let refused = place.refusal(&two, AdoptOptions { containers: chosen.into(), ..AdoptOptions::default() }).await;
        assert!(refused[0].1.contains("cannot become both `a` and `b`"), "{refused:?}");
        assert_eq!(place.names().len(), names.len() + 1);
        assert!(place.control.stack("shop").await.is_err(), "nothing was stored");
    });
}

#[test]
fn an_orphan_becomes_another_stacks() {
    let place = Place::new();
    place.run(async {
        let mut old = stack([db()]);
        (old.id, old.name) = ("stack:old".into(), "old".to_owned());
        place.control.deploy(old, DeployOptions::default()).await.unwrap();
        place.environment.sleep(Duration::from_secs(5)).await;
    });
    let id = place.there("old-db").observed.id;
    // Another installation, for which the container's stack is none.
    let other = Place { engine: place.engine, ..Place::new() };
    other.run(async {
        let orphans = async || -> Vec<String> {
            other.control.orphans().await.unwrap().into_iter().map(|orphan| orphan.id).collect()
        };
        assert_eq!(orphans().await, ["vm1/network:old", "vm1/old-db"]);
        let shop = stack([db()]);
        assert_eq!(other.adopt(&shop, choosing("db", "vm1/old-db")).await, StackStatus::Running);
        assert_eq!(other.plan(&shop).await, Vec::<String>::new());
        assert_eq!(orphans().await, ["vm1/network:old"], "which its former stack has left");
        assert_eq!(other.there("shop-db").observed.id, id);
        other.control.remove("shop", RemoveOptions::default()).await.unwrap();
        other.status(StackStatus::Deleted).await;
    });
    assert_eq!(other.names(), Vec::<String>::new());
}

#[test]
fn what_a_stack_is_about_to_adopt_is_not_promised_to_another() {
    let place = Place::new();
    let before = place.runs("db", db());
    let blog = Stack { id: "stack:blog".into(), name: "blog".to_owned(), ..stack([db()]) };
    let choice = choosing("db", "vm1/shop-db-1");
    place.run(async {
        place.engine.hang(Operation::Describe);
        let compared = place.control.compare_for_adoption(&blog, &choice).await;
        assert!(compared.is_ok(), "to compare it promises nothing: {compared:?}");
        place.control.adopt(stack([db()]), AdoptOptions::default()).await.unwrap();
        let refused = place.refusal(&blog, choice.clone()).await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].0, "adopt-owned");
        assert!(refused[0].1.contains("is about to become one of the stack `stack:shop`"), "{refused:?}");
        place.engine.release();
        place.status(StackStatus::Running).await;
        assert_eq!(place.refusal(&blog, choice).await[0].0, "adopt-none", "it has another name by now");
    });
    assert_eq!(place.there("shop-db").observed.id, before.observed.id);
}

#[test]
fn a_stack_that_is_stopped_adopts_nothing_before_it_is_started() {
    let place = Place::new();
    place.runs("db", db());
    place.run(async {
        assert_eq!(place.adopt(&stack([db()]), AdoptOptions::default()).await, StackStatus::Running);
        let act = async |kind, status| {
            place.control.act_on_stack("shop", kind, None).await.unwrap();
            place.status(status).await;
        };
        act(DeploymentKind::Stop, StackStatus::Stopped).await;
        place.runs("web", web());
        place.environment.sleep(Duration::from_secs(5)).await;
        let both = stack([db(), web()]);
        let refused = place.refusal(&both, AdoptOptions::default()).await;
        assert_eq!(refused.len(), 1, "{refused:?}");
        assert_eq!(refused[0].0, "adopt-not-running");
        assert!(
            refused[0].1.contains("`vm1/shop-db`, which is the `db` of the stack already, is exited"),
            "{refused:?}"
        );
        act(DeploymentKind::Start, StackStatus::Running).await;
        assert_eq!(place.adopt(&both, AdoptOptions::default()).await, StackStatus::Running);
    });
}

/// A journal whose disk is full.
#[derive(Debug)]
struct Full;

impl Journal for Full {
    fn load(&mut self) -> Result<Memory, JournalError> {
        Ok(Memory::default())
    }

    fn save(&mut self, _memory: &Memory) -> Result<(), JournalError> {
        let source = std::io::Error::other("no space left on device");
        Err(JournalError::Io { action: "write", path: "agent.json".into(), source })
    }
}

#[test]
fn what_cannot_be_kept_is_not_adopted_and_an_answer_that_is_lost_is_asked_for_again() {
    let place = Place::new();
    let before = place.runs("db", db());
    let shop = stack([db()]);
    place.run_with(Box::new(Full), async {
        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Error);
        let message = place.control.status("shop").await.unwrap().error_message.unwrap_or_default();
        assert!(message.contains("cannot be kept, so it is not"), "{message}");
        assert_eq!(place.names(), ["shop-db-1"]);
    });
    place.run(async {
        place.engine.lose_next_answer(Operation::Adopt);
        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Running);
        assert_eq!(place.there("shop-db").observed.id, before.observed.id);
        assert_eq!(place.plan(&shop).await, Vec::<String>::new());
    });
    // An engine that will not: then it is as it was, and known to nobody.
    let place = Place::new();
    place.runs("db", db());
    place.run(async {
        place.engine.fail_next(Operation::Adopt, RuntimeError::Refused("no".to_owned()));
        assert_eq!(place.adopt(&shop, AdoptOptions::default()).await, StackStatus::Error);
        assert!(place.journal.memory().adopted.is_empty());
        assert!(!place.engine.inspect("shop-db-1").await.unwrap().unwrap().is_managed());
    });
}

/// It has its name already, so nothing but what the agent keeps would say that it is ours.
#[test]
fn what_an_engine_refuses_is_forgotten_also_where_nobody_waits_for_its_answer_any_more() {
    let place = Place::new();
    place.runs_as("shop-db", "shop", "db", db());
    let shop = stack([db()]);
    place.run(async {
        place.engine.fail_next(Operation::Adopt, RuntimeError::Refused("no".to_owned()));
        place.engine.set_latency(Duration::from_secs(8));
        place.control.adopt(shop.clone(), AdoptOptions::default()).await.unwrap();
        let until = async |holds: &dyn Fn() -> bool| {
            for _ in 0..300 {
                if holds() {
                    return;
                }
                place.environment.sleep(Duration::from_secs(1)).await;
            }
            panic!("never");
        };
        until(&|| !place.journal.memory().adopted.is_empty()).await;
        // The adoption is overtaken while the engine is asked.
        place.control.remove("shop", RemoveOptions::default()).await.unwrap();
        until(&|| place.engine.calls().iter().any(|call| call.starts_with("adopt "))).await;
        place.engine.set_latency(Duration::ZERO);
        place.environment.sleep(Duration::from_secs(60)).await;
        assert!(place.journal.memory().adopted.is_empty());
        assert_eq!(place.names(), ["shop-db"], "it is nobody's to remove");
    });
}
