//! Two control planes on one store, as two servers on one database.

use crate::world::{World, container, shop, stack};
use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall, LinkError},
    control::{Control, ControlError, DeployOptions, Settings, StackStatus},
    event::NoSink,
    id::TaskId,
    inventory::HostStatus,
    stack::{Container, Stack},
    store::{
        Acted, ClaimRequest, Key, MemoryStore, Page, Record, RecordQuery, StoreError, Submission, Submitted, TaskQuery,
        TaskStore, TaskStoreExt,
    },
    task::{Input, Outcome, Task, TaskError},
    testing::{Decorated, StoreDecorator},
};
use jiff::Timestamp;
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

/// A store that says of itself that others may use it.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) store: Arc<MemoryStore>,
    /// How often others go on before it writes something.
    pub(crate) hesitation: usize,
    /// It answers nobody.
    pub(crate) is_away: Arc<AtomicBool>,
}

#[async_trait]
impl StoreDecorator for Shared {
    fn inner(&self) -> &dyn TaskStore {
        &*self.store
    }
    fn is_shared(&self) -> bool {
        true
    }
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        self.hesitate().await;
        self.answers()?;
        self.store.submit(submission, now).await
    }
    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.hesitate().await;
        self.answers()?;
        self.store.claim(request, now).await
    }
    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.hesitate().await;
        self.store.act(task, input, now).await
    }
    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.answers()?;
        self.store.expire(now).await
    }
    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.answers()?;
        self.store.record(key).await
    }
    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        give_way().await;
        self.answers()?;
        self.store.records(query).await
    }
}

impl Shared {
    fn answers(&self) -> Result<(), StoreError> {
        if self.is_away.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("it is away".to_owned()));
        }
        Ok(())
    }

    async fn hesitate(&self) {
        for _ in 0..self.hesitation {
            give_way().await;
        }
    }
}

/// Lets others go on first.
async fn give_way() {
    let mut has_waited = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut has_waited, true) {
            return std::task::Poll::Ready(());
        }
        context.waker().wake_by_ref();
        std::task::Poll::Pending
    })
    .await;
}

/// A world whose agents talk to the first of two servers, and the second.
fn two_servers() -> (World, Arc<Control>) {
    two_servers_of_which_one_hesitates(1, &Arc::default())
}

fn two_servers_of_which_one_hesitates(hesitation: usize, is_away: &Arc<AtomicBool>) -> (World, Arc<Control>) {
    let mut world = World::new();
    // Both know the host.
    world.agent("vm1");
    let (first, second) = (open(&world, hesitation, is_away), open(&world, 1, is_away));
    world.control = first;
    (world, second)
}

/// A server that starts now, beside others on the store of a world.
pub(crate) fn another(world: &World) -> Arc<Control> {
    open(world, 1, &Arc::default())
}

fn open(world: &World, hesitation: usize, is_away: &Arc<AtomicBool>) -> Arc<Control> {
    let store = Shared { store: world.store.clone(), hesitation, is_away: Arc::clone(is_away) };
    let environment = Arc::new(world.environment.clone());
    world.run(Control::open(Arc::new(Decorated(store)), Arc::new(NoSink), environment, Settings::default())).unwrap()
}

/// The agent of `vm1` is heard.
fn hear(world: &World, at: &Control) -> Result<(), LinkError> {
    let call = ClaimCall { host: "vm1".into(), epoch: 1, claim: "none".into(), max: 0, wait: Duration::from_millis(1) };
    world.run(at.claim(&call)).map(drop)
}

fn status_of(control: &Control, world: &World, host: &str) -> HostStatus {
    let hosts = world.run(control.inventory()).unwrap().hosts;
    hosts.iter().find(|known| known.id.as_str() == host).map(|host| host.status).unwrap()
}

/// Both servers look, every second for so long; the agent of `vm1` is heard at the first all the while.
fn pass(world: &World, second: &Control, seconds: u64, is_heard: bool) {
    for _ in 0..seconds {
        world.environment.advance(Duration::from_secs(1));
        if is_heard {
            hear(world, &world.control).unwrap();
        }
        world.tick();
        world.run(second.tick()).unwrap();
    }
}

#[test]
fn a_host_that_another_server_hears_is_not_offline() {
    let (world, second) = two_servers();
    world.agent("vm1");
    pass(&world, &second, 60, true);
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Active);
    assert_eq!(status_of(&world.control, &world, "vm1"), HostStatus::Active);
    // Nobody hears it: both say so, and neither before its time.
    pass(&world, &second, 10, false);
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Active);
    pass(&world, &second, 15, false);
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Offline);
    assert_eq!(status_of(&world.control, &world, "vm1"), HostStatus::Offline);
}

#[test]
fn a_host_that_goes_over_to_another_server_is_online_there() {
    let (mut world, second) = two_servers();
    world.agent("vm1");
    pass(&world, &second, 20, true);
    let first = std::mem::replace(&mut world.control, second);
    pass(&world, &first, 40, true);
    assert_eq!(status_of(&first, &world, "vm1"), HostStatus::Active);
    assert_eq!(status_of(&world.control, &world, "vm1"), HostStatus::Active);
}

#[test]
fn a_healthy_host_stays_online_when_its_server_ends() {
    // An agent that is idle is heard every six seconds, and may need eight to see that its server is no more. What the servers
    // tell each other is the older the less their rounds agree.
    for (end, phase, round) in (20..25).flat_map(|end| (0..25).map(move |other| (end, other / 5, other % 5))) {
        let (world, second) = two_servers();
        for second_of_life in 0..60 {
            world.environment.advance(Duration::from_secs(1));
            let (is_first, is_between) = (second_of_life < end, (end..end + 10).contains(&second_of_life));
            if second_of_life % 5 == phase && !is_between {
                hear(&world, if is_first { &world.control } else { &second }).unwrap();
            }
            if second_of_life >= round {
                world.run(second.tick()).unwrap();
            }
            if is_first {
                world.tick();
            }
            let status = status_of(&second, &world, "vm1");
            assert_eq!(status, HostStatus::Active, "in {second_of_life}, heard in {phase}, its server ended in {end}");
        }
    }
}

#[test]
fn a_healthy_host_stays_online_when_another_server_starts() {
    for start in 20..26 {
        let (world, second) = two_servers();
        let mut third = None;
        for second_of_life in 0..60 {
            world.environment.advance(Duration::from_secs(1));
            if second_of_life == start {
                third = Some(another(&world));
            }
            if second_of_life % 5 == 0 {
                hear(&world, &world.control).unwrap();
            }
            for control in [&world.control, &second].into_iter().chain(&third) {
                world.run(control.tick()).unwrap();
                let status = status_of(control, &world, "vm1");
                assert_eq!(status, HostStatus::Active, "in second {second_of_life}, another started in {start}");
            }
        }
    }
}

#[test]
fn a_healthy_host_stays_online_when_the_store_was_away() {
    let is_away = Arc::default();
    let (world, second) = two_servers_of_which_one_hesitates(1, &is_away);
    for second_of_life in 0..120 {
        world.environment.advance(Duration::from_secs(1));
        let away = (20..60).contains(&second_of_life);
        is_away.store(away, Ordering::Relaxed);
        assert_eq!(hear(&world, &world.control).is_err(), away);
        for control in [&second, &world.control] {
            assert_eq!(world.run(control.tick()).is_err(), away);
            if !away {
                assert_eq!(status_of(control, &world, "vm1"), HostStatus::Active, "in second {second_of_life}");
            }
        }
    }
}

#[test]
fn a_host_that_came_back_elsewhere_and_went_again_is_offline() {
    let (world, second) = two_servers();
    pass(&world, &second, 20, true);
    pass(&world, &second, 40, false);
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Offline);
    pass(&world, &second, 20, true);
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Active);
    // The host goes, and with it the server that heard it.
    for _ in 0..60 {
        world.environment.advance(Duration::from_secs(1));
        world.run(second.tick()).unwrap();
    }
    assert_eq!(status_of(&second, &world, "vm1"), HostStatus::Offline);
}

#[test]
fn a_removed_host_stays_away_whatever_a_server_that_has_ended_had_heard() {
    let (world, second) = two_servers();
    pass(&world, &second, 20, true);
    world.run(second.remove_host(&"vm1".into())).unwrap();
    for _ in 0..4_000 {
        world.environment.advance(Duration::from_secs(1));
        world.run(second.tick()).unwrap();
        assert_eq!(world.run(second.hosts()).unwrap(), []);
    }
}

#[test]
fn a_host_that_one_server_removes_stays_away_at_the_others() {
    let (world, second) = two_servers();
    pass(&world, &second, 20, true);
    world.run(world.control.remove_host(&"vm1".into())).unwrap();
    for _ in 0..100 {
        pass(&world, &second, 1, false);
        assert_eq!(world.run(second.hosts()).unwrap(), []);
    }
}

#[test]
fn what_a_server_has_begun_another_finishes() {
    let (mut world, second) = two_servers();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    // The first server is no more before it has looked at what the agents told it.
    world.control = second;
    for _ in 0..10 {
        world.environment.advance(Duration::from_secs(1));
        world.tick();
    }
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn two_servers_that_plan_at_once_do_not_give_one_port_twice() {
    let (world, second) = two_servers();
    let stacks = ["shop", "blog"].map(|name| stack(name, vec![container("web", "vm1", Some(8080), &[])]));
    let [shop, blog] = stacks.map(|stack| (stack, DeployOptions::default()));
    let (one, other) =
        world.run(futures::future::join(world.control.deploy(shop.0, shop.1), second.deploy(blog.0, blog.1)));
    let refused = one.err().or(other.err());
    assert!(matches!(&refused, Some(ControlError::Invalid(_))), "{refused:?}");
}

#[test]
fn a_retry_is_held_against_what_another_server_plans_in_the_same_moment() {
    let mut outcomes = BTreeSet::new();
    for hesitation in 0..30 {
        let (world, second) = two_servers_of_which_one_hesitates(hesitation, &Arc::default());
        let one = world.agent("vm1");
        world.run(world.control.deploy(of_image("nginx:1"), DeployOptions::default())).unwrap();
        let pull = one.claim().into_iter().next().unwrap();
        one.report(&pull, &failure());
        let retry = world.control.retry_task(&pull.id, "admin");
        let deploy = second.deploy(of_image("nginx:2"), DeployOptions::default());
        let (retried, deployed) = world.run(futures::future::join(retry, deploy));
        deployed.unwrap();
        // Either it came first, and was asked to end with all of its plan, or it is refused.
        let task = world.run(world.store.task(&pull.id)).unwrap().unwrap();
        assert!(task.status.is_terminal(), "{:?}, after {hesitation}: {retried:?}", task.status);
        outcomes.insert(retried.is_ok());
        let late = world.run(world.control.retry_task(&pull.id, "admin"));
        assert!(matches!(late, Err(ControlError::Conflict { code: "superseded", .. })), "{late:?}");
    }
    assert_eq!(outcomes, [true, false].into(), "only one order was tried");
}

fn of_image(image: &str) -> Stack {
    stack("shop", vec![Container { image: image.into(), ..container("web", "vm1", Some(8080), &[]) }])
}

fn failure() -> Outcome {
    Outcome::Failed(TaskError {
        code: "image-not-found".into(),
        message: "no such image".into(),
        help: None,
        log: Vec::new(),
        retryable: false,
    })
}

#[test]
fn a_host_whose_maintenance_begins_at_one_server_is_given_nothing_new_by_the_other() {
    for hesitation in 0..30 {
        let (world, second) = two_servers_of_which_one_hesitates(hesitation, &Arc::default());
        let one = world.agent("vm1");
        let started = stack("shop", vec![container("db", "vm1", None, &[])]);
        world.run(world.control.deploy(started, DeployOptions::default())).unwrap();
        let wait = Duration::from_millis(1);
        let call = ClaimCall { host: "vm1".into(), epoch: one.epoch, claim: "c".into(), max: 1, wait };
        let maintain = async {
            second.set_host_status(&"vm1".into(), HostStatus::Maintenance).await.unwrap();
            let tasks = world.store.all_tasks(TaskQuery::default()).await.unwrap();
            tasks.iter().filter(|task| task.status.is_leased()).count()
        };
        let (granted, held) = world.run(futures::future::join(world.control.claim(&call), maintain));
        assert_eq!(granted.unwrap().len(), held, "given after the maintenance had begun, after {hesitation}");
    }
}

#[test]
fn a_server_that_does_not_hear_a_host_says_what_the_other_has_found_out_of_its_stacks() {
    let (world, second) = two_servers();
    let one = world.agent("vm1");
    world
        .run(world.control.deploy(stack("shop", vec![container("db", "vm1", None, &[])]), DeployOptions::default()))
        .unwrap();
    while one.work() > 0 {}
    world.tick();
    let says = |control: &Control| world.run(control.stack("shop")).unwrap().status;
    pass(&world, &second, 60, false);
    assert_eq!((says(&world.control), says(&second)), (StackStatus::Degraded, StackStatus::Degraded));
    // It is heard at the second one now.
    hear(&world, &second).unwrap();
    pass(&world, &second, 2, false);
    assert_eq!((says(&world.control), says(&second)), (StackStatus::Running, StackStatus::Running));
}
