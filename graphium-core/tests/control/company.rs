//! Two control planes on one store, as two servers on one database.

use crate::world::{World, container, shop, stack};
use async_trait::async_trait;
use graphium_core::{
    agent::{AgentLink, ClaimCall},
    control::{Control, ControlError, DeployOptions, Settings, StackStatus},
    event::{Event, NoSink},
    id::TaskId,
    inventory::HostStatus,
    store::{
        Acted, ClaimRequest, Key, MemoryStore, Page, Record, RecordQuery, Session, SessionRequest, StoreError,
        Submission, Submitted, TaskQuery, TaskStore,
    },
    task::{Input, Lease, Task},
};
use jiff::Timestamp;
use std::{sync::Arc, time::Duration};

/// A store that says of itself that others may use it.
#[derive(Debug)]
struct Shared(Arc<MemoryStore>);

#[async_trait]
impl TaskStore for Shared {
    async fn submit(&self, submission: Submission, now: Timestamp) -> Result<Submitted, StoreError> {
        give_way().await;
        self.0.submit(submission, now).await
    }
    async fn open_session(&self, request: SessionRequest, now: Timestamp) -> Result<Session, StoreError> {
        self.0.open_session(request, now).await
    }
    async fn claim(&self, request: ClaimRequest, now: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.claim(request, now).await
    }
    async fn act(&self, task: &TaskId, input: Input, now: Timestamp) -> Result<Acted, StoreError> {
        self.0.act(task, input, now).await
    }
    async fn renew(&self, leases: &[Lease], expires_at: Timestamp) -> Result<Vec<Task>, StoreError> {
        self.0.renew(leases, expires_at).await
    }
    async fn expire(&self, now: Timestamp) -> Result<Acted, StoreError> {
        self.0.expire(now).await
    }
    fn is_shared(&self) -> bool {
        true
    }
    async fn record(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.0.record(key).await
    }
    async fn records(&self, query: &RecordQuery) -> Result<Page<Record>, StoreError> {
        give_way().await;
        self.0.records(query).await
    }
    async fn task(&self, id: &TaskId) -> Result<Option<Task>, StoreError> {
        self.0.task(id).await
    }
    async fn tasks(&self, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
        self.0.tasks(query).await
    }
    async fn events(&self, after: u64, limit: usize) -> Result<Vec<Event>, StoreError> {
        self.0.events(after, limit).await
    }
    async fn last_event(&self) -> Result<u64, StoreError> {
        self.0.last_event().await
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
    let mut world = World::new();
    // Both know the host.
    world.agent("vm1");
    let open = || {
        let store = Arc::new(Shared(world.store.clone()));
        let environment = Arc::new(world.environment.clone());
        world.run(Control::open(store, Arc::new(NoSink), environment, Settings::default())).unwrap()
    };
    let (first, second) = (open(), open());
    world.control = first;
    (world, second)
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
            let call = ClaimCall {
                host: "vm1".into(),
                epoch: 1,
                claim: "none".into(),
                max: 0,
                wait: Duration::from_millis(1),
            };
            world.run(world.control.claim(&call)).unwrap();
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
