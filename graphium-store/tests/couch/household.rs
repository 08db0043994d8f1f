//! A database of the older system, a server upon it, and two hosts on which its containers run. In virtual time.

use crate::clock::Clock;
use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::{AdoptOptions, Control, ControlError, RemoveOptions, Settings, StackRecord, StackStatus, StatusView},
    environment::Environment,
    event::NoSink,
    id::HostId,
    inventory::ContainerStatus,
    runtime::{ContainerSpec, label},
    stack::{Container, Stack, TextMap},
    store::TaskStoreExt,
    testing::FakeRuntime,
};
use graphium_store::{Options, couch::Retention, testing::FakeCluster};
use serde_json::{Value, json};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};

pub(crate) type Checked<T = ()> = Result<T, Box<dyn Error>>;

/// Copies of each document.
const NODES: usize = 3;

/// Within which whatever is asked for has ended.
const ENDS: usize = 3_000;

pub(crate) struct Household {
    pub(crate) control: Arc<Control>,
    pub(crate) engines: [FakeRuntime; 2],
    cluster: FakeCluster,
}

/// Whether the containers bear the labels by which the older system's own are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Labels {
    Present,
    Absent,
}

impl Household {
    /// Opens the database, and lets agents begin on hosts where the shop's containers run.
    pub(crate) async fn open(documents: &[Value], labels: Labels) -> Checked<Self> {
        let engines = [FakeRuntime::new(), FakeRuntime::new()];
        for (engine, name, image) in [(&engines[0], "shop-web", "nginx:1.25"), (&engines[1], "shop-db", "postgres:16")]
        {
            run(engine, name, image, labels);
        }
        Self::open_with(documents, engines).await
    }

    pub(crate) async fn open_with(documents: &[Value], engines: [FakeRuntime; 2]) -> Checked<Self> {
        let (cluster, begun) = (FakeCluster::start(1), Instant::now());
        for document in documents {
            let id = document["_id"].as_str().or(document["@id"].as_str()).ok_or("a document without an id")?;
            (0..NODES).for_each(|node| cluster.branch_at(node, id, [document.clone()]));
        }
        let clock = Clock::since(begun, 1);
        let store = Arc::new(cluster.open(0, Options::at(clock.now()), Retention::default()).await?);
        let control = Control::open(store, Arc::new(NoSink), clock, Settings::default()).await?;
        tokio::spawn(Arc::clone(&control).run());
        for (number, engine) in (1..).zip(&engines) {
            let mut settings = AgentSettings::new(HostId::new(format!("vm{number}")), 2);
            settings.address = format!("10.0.0.{number}").parse().ok();
            let (link, runtime) = (Arc::clone(&control) as _, Arc::new(engine.clone()));
            let (clock, journal) = (Clock::since(begun, 1 + number), Box::new(MemoryJournal::default()));
            let agent = Agent::new(link, runtime, clock, journal, settings);
            tokio::spawn(async move { agent.run(std::future::pending()).await });
        }
        let house = Self { control, engines, cluster };
        // Until both hosts have told what runs there, and all that follows from it was done.
        house.rest().await;
        Ok(house)
    }

    /// Lets the world go on for a while in which nobody wants anything.
    pub(crate) async fn rest(&self) {
        sleep(Duration::from_secs(60)).await;
    }

    /// Whether a document of the older system is as it was.
    pub(crate) fn has_still(&self, document: &Value) -> bool {
        let id = document["_id"].as_str().or(document["@id"].as_str()).unwrap_or_default();
        let seen = self.cluster.document(0, id);
        let fields = document.as_object().into_iter().flatten();
        seen.is_some_and(|seen| fields.into_iter().all(|(name, value)| seen.get(name) == Some(value)))
    }

    /// Waits until a stack has come to where it stays for now.
    pub(crate) async fn settled(&self, stack: &str) -> Checked<StatusView> {
        for _ in 0..ENDS {
            let status = self.control.status(stack).await?;
            if is_over(&status) && (!status.overall_status.is_transitional() || status.error_message.is_some()) {
                return Ok(status);
            }
            sleep(Duration::from_millis(100)).await;
        }
        Err(format!("never settled: {:#?}", self.control.status(stack).await).into())
    }

    /// Removes a stack, and waits until it is gone; otherwise how it stands.
    pub(crate) async fn remove(&self, stack: &str) -> Checked<Option<StatusView>> {
        self.control.remove(stack, RemoveOptions::default()).await?;
        for _ in 0..ENDS {
            match self.control.status(stack).await {
                Err(ControlError::NotFound { .. }) => return Ok(None),
                Ok(status) if status.error_message.is_some() && is_over(&status) => return Ok(Some(status)),
                _ => sleep(Duration::from_millis(100)).await,
            }
        }
        Err(format!("never removed: {:#?}", self.control.status(stack).await).into())
    }

    /// Adopts what runs, whatever differs from what the stack says.
    pub(crate) async fn adopt(&self, stack: &Stack, chosen: &[(&str, &str)]) -> Checked<StatusView> {
        let containers = chosen.iter().map(|(name, which)| ((*name).to_owned(), (*which).to_owned())).collect();
        let options = AdoptOptions { containers, ..AdoptOptions::default() };
        self.control.adopt(stack.clone(), options).await?;
        self.settled(&stack.name).await
    }

    /// The document of a stack.
    pub(crate) async fn definition(&self, stack: &str) -> Checked<Stack> {
        let record = self.control.store().document::<StackRecord>(stack).await?;
        Ok(record.ok_or("no such stack")?.value.definition)
    }

    /// All that is on the hosts: name, id and what it does.
    pub(crate) fn there(&self) -> Vec<(String, String, ContainerStatus)> {
        let all = self.engines.iter().flat_map(FakeRuntime::containers);
        all.map(|one| (one.observed.name, one.observed.id, one.observed.status)).collect()
    }

    /// What each container of the hosts does, by its name.
    pub(crate) fn doing(&self) -> Vec<(String, ContainerStatus)> {
        self.there().into_iter().map(|(name, _, status)| (name, status)).collect()
    }
}

/// Runs a container as the older system has made it, of the stack `shop`.
pub(crate) fn run(engine: &FakeRuntime, name: &str, image: &str, labels: Labels) {
    let container = Container { image: image.to_owned(), ..Container::default() };
    let marks = [(label::MANAGED, "true"), (label::STACK, "stack:shop")];
    let marks = marks.into_iter().filter(|_| labels == Labels::Present);
    let marks: TextMap = marks.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
    engine.run_foreign(ContainerSpec::new(name, container), marks);
}

/// The shop as the older system has it: two containers on two hosts, one after the other.
pub(crate) fn shop(status: &str) -> Vec<Value> {
    vec![
        json!({"@id": "host:vm1", "@type": "ComputerServer", "name": "vm1", "cpu": 4, "memory": 8_589_934_592_u64, "status": "active"}),
        json!({"@id": "host:vm2", "@type": "ComputerSystem", "name": "vm2", "cpu": 4, "memory": 8_589_934_592_u64, "status": "active"}),
        json!({"@id": "stack:shop", "@type": "ItemList", "name": "shop", "status": status, "owner": "ann", "description": "a shop",
               "dateCreated": "2025-03-01T10:00:00Z", "deploymentId": "deployment:stack:shop",
               "itemListElement": [
                   {"@type": "SoftwareApplication", "@id": "container:web", "position": 2, "name": "web", "image": "nginx:1.25",
                    "dependsOn": ["db"]},
                   {"@type": "SoftwareApplication", "@id": "container:db", "position": 1, "name": "db", "image": "postgres:16"}]}),
        json!({"@id": "deployment:stack:shop", "@type": "StackDeployment", "stackId": "stack:shop", "status": "completed",
               "startedAt": "2025-03-01T10:00:30Z", "completedAt": "2025-03-01T10:01:00Z",
               "placements": {"web": {"containerId": "c1", "containerName": "shop-web", "hostId": "host:vm1", "status": "running"},
                              "db": {"containerId": "c2", "containerName": "shop-db", "hostId": "vm2", "status": "running"}}}),
    ]
}

/// Runs a test in virtual time.
pub(crate) fn in_virtual_time(test: impl Future<Output = Checked>) -> Checked {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()?;
    runtime.block_on(test)
}

/// Whether no host has anything left to do: what one has told already, others may still be at.
fn is_over(status: &StatusView) -> bool {
    status.tasks.iter().all(|task| task.task.status.is_terminal())
}

/// As it was asked for, without an error.
pub(crate) fn is_well(status: &StatusView, wanted: StackStatus) -> Checked {
    if status.overall_status != wanted || status.error_message.is_some() {
        return Err(format!("not {}: {status:#?}", wanted.as_str()).into());
    }
    Ok(())
}
