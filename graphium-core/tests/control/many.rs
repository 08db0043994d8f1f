//! Many stacks: how often the store is asked.

use crate::{
    degraded::pass,
    moving::{free, set},
    world::{World, container, stack},
};
use async_trait::async_trait;
use graphium_core::{
    control::{Control, DeployOptions, DeploymentKind, Settings, StackStatus},
    event::NoSink,
    id::TaskId,
    inventory::HostStatus,
    stack::{Container, Stack},
    store::{Acted, Kind, MemoryStore, Page, Record, RecordQuery, StoreError, TaskQuery, TaskStore},
    task::{Input, Outcome, Task},
    testing::{Decorated, StoreDecorator},
};
use jiff::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

const STACKS: usize = 60;

/// A store that counts.
#[derive(Debug, Default)]
pub(crate) struct Counting {
    pub(crate) store: Arc<MemoryStore>,
    /// Lists that were asked for, by kind.
    pub(crate) lists: Arc<Mutex<BTreeMap<String, usize>>>,
    pub(crate) acts: Arc<Mutex<usize>>,
    /// Tasks that were read.
    pub(crate) tasks: Arc<Mutex<usize>>,
}

#[async_trait]
impl StoreDecorator for Counting {
    fn inner(&self) -> &dyn TaskStore {
        &*self.store
    }
    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        *self.acts.lock().unwrap() += 1;
        self.store.act(task, input, now).await
    }
    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        if query.stack.is_none() && query.host.is_none() {
            *self.lists.lock().unwrap().entry(query.kind.as_str().to_owned()).or_default() += 1;
        }
        self.store.records(query).await
    }
    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        let page = self.store.tasks(query).await?;
        *self.tasks.lock().unwrap() += page.items.len();
        Ok(page)
    }
}

/// The counts of a world whose control plane works over them from now on.
struct Counts {
    lists: Arc<Mutex<BTreeMap<String, usize>>>,
    acts: Arc<Mutex<usize>>,
    tasks: Arc<Mutex<usize>>,
}

impl Counts {
    fn of(world: &mut World) -> Self {
        let counts = Self { lists: Arc::default(), acts: Arc::default(), tasks: Arc::default() };
        let store = Counting {
            store: world.store.clone(),
            lists: counts.lists.clone(),
            acts: counts.acts.clone(),
            tasks: counts.tasks.clone(),
        };
        let environment = Arc::new(world.environment.clone());
        let opened = Control::open(Arc::new(Decorated(store)), Arc::new(NoSink), environment, Settings::default());
        world.control = world.run(opened).unwrap();
        counts
    }

    /// How often all records of a kind were listed since this was asked last.
    fn lists(&self, kind: Kind) -> usize {
        self.lists.lock().unwrap().remove(kind.as_str()).unwrap_or_default()
    }

    fn forget(&self) {
        self.lists.lock().unwrap().clear();
    }
}

/// So many stacks on vm1, each of one container that may run anywhere.
fn estate(world: &World) {
    let one = world.agent("vm1");
    for number in 0..STACKS {
        let stack = stack(&format!("s{number:03}"), vec![free("web")]);
        world.run(world.control.deploy(stack, DeployOptions::default())).unwrap();
    }
    while one.work() > 0 {}
    world.tick();
}

#[test]
fn what_is_left_of_a_drain_is_told_from_one_look_at_the_store() {
    let mut world = World::new();
    estate(&world);
    world.run(world.control.set_host_status(&"vm1".into(), HostStatus::Draining)).unwrap();
    let counts = Counts::of(&mut world);
    counts.forget();
    assert_eq!(world.run(world.control.drain(&"vm1".into())).unwrap().remaining.len(), STACKS);
    assert_eq!((counts.lists(Kind::Stack), counts.lists(Kind::Container), counts.lists(Kind::Host)), (1, 1, 1));
}

#[test]
fn while_as_many_stacks_move_as_may_no_other_is_looked_at() {
    let mut world = World::new();
    estate(&world);
    world.agent("vm2");
    let counts = Counts::of(&mut world);
    set(&world, "vm1", HostStatus::Draining);
    pass(&world, 1, &[]);
    counts.forget();
    pass(&world, 6, &[]);
    assert_eq!(counts.lists(Kind::Container), 0, "nobody plans");
    let looks = counts.lists(Kind::Stack);
    assert!(looks <= 12, "{looks} lists of all stacks");
}

#[test]
fn a_host_that_goes_away_has_no_stack_planned_that_has_nothing_there() {
    let mut world = World::new();
    estate(&world);
    let counts = Counts::of(&mut world);
    let nine = world.agent("vm9");
    set(&world, "vm9", HostStatus::Maintenance);
    set(&world, "vm1", HostStatus::Draining);
    let one = crate::world::Hand { world: &world, host: "vm1".into(), epoch: 1 };
    pass(&world, 1, &[&one, &nine]);
    assert!(counts.lists(Kind::Container) >= STACKS, "each was planned, and finds no place");
    pass(&world, 20, &[&one]);
    let away = world.run(world.control.host(&"vm9".into())).unwrap().offline_since;
    assert!(away.is_some());
    assert_eq!(counts.lists(Kind::Container), 0);
}

#[test]
fn a_large_deployment_is_ended_by_a_few_calls() {
    let mut world = World::new();
    let counts = Counts::of(&mut world);
    world.agent("vm1");
    let named = |number: usize| -> Container { container(&format!("c{number:03}"), "vm1", None, &[]) };
    let large: Stack = stack("large", (0..100).map(named).collect());
    let options = DeployOptions { timeout: Some(Duration::from_secs(30)), ..DeployOptions::default() };
    let tasks = world.run(world.control.deploy(large, options)).unwrap().task_count;
    assert!(tasks > 100);
    world.environment.advance(Duration::from_secs(31));
    world.tick();
    world.tick();
    assert_eq!(world.status("large"), StackStatus::Error);
    let acts = *counts.acts.lock().unwrap();
    assert!(acts < 10, "{acts} calls for {tasks} tasks");
}

#[test]
fn to_let_go_of_what_is_over_the_oldest_deployments_are_read_and_not_all() {
    let mut world = World::new();
    estate(&world);
    for number in 0..STACKS {
        world.run(world.control.act_on_stack(&format!("s{number:03}"), DeploymentKind::Stop, None)).unwrap();
    }
    assert!(world.run(world.control.deployments(None)).unwrap().len() > 100, "more than are read at a time");
    let counts = Counts::of(&mut world);
    world.tick();
    counts.forget();
    world.environment.advance(Settings::default().retention.every);
    world.tick();
    assert_eq!(counts.lists(Kind::Deployment), 1);
}

#[test]
fn a_stack_with_a_long_past_is_changed_for_what_was_done_lately() {
    let mut world = World::new();
    let counts = Counts::of(&mut world);
    let one = world.agent("vm1");
    let shop = stack("shop", vec![container("web", "vm1", None, &[]), container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop.clone(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    let mut read = Vec::new();
    for round in 0..30 {
        *counts.tasks.lock().unwrap() = 0;
        world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap();
        // It is overtaken amid its work, and one time of two by a deployment.
        let begun = one.claim();
        match round % 2 {
            0 => world.run(world.control.act_on_stack("shop", DeploymentKind::Start, None)).unwrap(),
            _ => world.run(world.control.deploy(shop.clone(), DeployOptions::default())).unwrap(),
        };
        assert!(!begun.is_empty());
        begun.iter().for_each(|task| one.report(task, &Outcome::Cancelled));
        while one.work() > 0 {}
        world.tick();
        assert_eq!(world.status("shop"), StackStatus::Running);
        read.push(*counts.tasks.lock().unwrap());
    }
    assert_eq!(read[28..], read[2..4], "{read:?}");
}
