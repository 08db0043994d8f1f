//! What a stack says while a host of its is away.

use crate::world::{Hand, World, container, shop, stack};
use graphium_core::{
    agent::{AgentLink, HostReport},
    control::{DeployOptions, DeploymentKind, RemoveOptions, StackStatus},
    event::EventType,
    inventory::{ContainerStatus, Host},
    store::SessionRequest,
};
use std::time::Duration;

/// `shop` runs, with `db` on vm1 and `web` on vm2.
fn runs(world: &World) -> (Hand<'_>, Hand<'_>) {
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    (one, two)
}

/// Time passes, in which only these agents are heard.
pub(crate) fn pass(world: &World, seconds: u64, heard: &[&Hand<'_>]) {
    for _ in 0..seconds {
        world.environment.advance(Duration::from_secs(1));
        for hand in heard {
            hand.claim();
        }
        world.tick();
    }
}

fn told(world: &World) -> (StackStatus, Option<String>) {
    let shown = world.run(world.control.status("shop")).unwrap();
    let record = world.run(world.control.stack("shop")).unwrap();
    assert_eq!((shown.overall_status, &shown.error_message), (record.status, &record.error_message));
    (record.status, record.error_message)
}

#[test]
fn a_host_that_is_away_was_heard_when_it_was_and_its_containers_are_told_of_as_from_before() {
    let world = World::new();
    let (one, two) = runs(&world);
    let host = || world.run(world.control.host(&"vm2".into())).unwrap();
    pass(&world, 600, &[&one, &two]);
    let heard = host().last_seen.unwrap();
    let standing = || {
        let containers = world.run(world.control.status("shop")).unwrap().containers;
        containers.into_iter().map(|one| (one.name, one.status, one.unsure)).collect::<Vec<_>>()
    };
    let running = Some(ContainerStatus::Running);
    assert_eq!(standing(), [("db".to_owned(), running, None), ("web".to_owned(), running, None)]);
    pass(&world, 20, &[&one]);
    let since = host().offline_since.unwrap();
    assert_eq!(host().last_seen, Some(heard));
    let unsure = format!("host vm2 is offline since {since}");
    assert_eq!(standing()[1], ("web".to_owned(), running, Some(unsure)));
}

#[test]
fn a_stack_is_degraded_while_a_host_of_its_is_away_and_says_which_and_since_when() {
    let world = World::new();
    let (one, two) = runs(&world);
    let deployed_at = world.run(world.control.stack("shop")).unwrap().deployed_at;
    let heard_last = world.run(world.control.store().last_event()).unwrap();
    pass(&world, 14, &[&one]);
    assert_eq!(told(&world), (StackStatus::Running, None), "it may be silent for 15 s");
    pass(&world, 2, &[&one]);
    let (status, reason) = told(&world);
    assert_eq!(status, StackStatus::Degraded);
    let since = world.run(world.control.host(&"vm2".into())).unwrap().offline_since.unwrap();
    let wanted = format!("host `vm2` is offline since {since}, and what runs there is not known: `web`");
    assert_eq!(reason, Some(wanted));
    // Nothing is begun because of it, and what is asked for again is there.
    let again = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!((again.task_count, again.status), (0, StackStatus::Degraded));

    two.claim();
    world.tick();
    assert_eq!(told(&world), (StackStatus::Running, None));
    let shown = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(shown.deployed_at, deployed_at, "nothing was deployed");
    let events = world.run(world.control.store().events(heard_last, 1000)).unwrap();
    assert!(events.iter().all(|event| event.kind != EventType::StackDeployed), "{events:?}");
    let words: Vec<_> = events
        .iter()
        .filter(|event| event.kind == EventType::StackUpdated)
        .map(|event| event.data["status"].as_str().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(words, ["degraded", "running"]);
}

#[test]
fn only_stacks_with_something_on_the_host_are_degraded() {
    let world = World::new();
    let (one, two) = runs(&world);
    let other = stack("other", vec![container("cache", "vm1", None, &[])]);
    world.run(world.control.deploy(other, DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    pass(&world, 20, &[&one]);
    assert_eq!((world.status("shop"), world.status("other")), (StackStatus::Degraded, StackStatus::Running));
}

#[test]
fn what_is_stopped_or_being_removed_is_not_degraded() {
    let world = World::new();
    let (one, two) = runs(&world);
    world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap();
    while one.work() + two.work() > 0 {}
    pass(&world, 20, &[&one]);
    assert_eq!(told(&world), (StackStatus::Stopped, None));
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    while one.work() > 0 {}
    pass(&world, 2, &[&one]);
    let shown = world.run(world.control.status("shop")).unwrap();
    assert_eq!(shown.overall_status, StackStatus::Deleting);
    // It says which host it waits for, and since when.
    let since = world.run(world.control.host(&"vm2".into())).unwrap().offline_since.unwrap();
    let first =
        shown.tasks.into_iter().find(|view| view.task.plan_id == "delete:web@vm2").and_then(|view| view.waiting);
    assert_eq!(first.unwrap().on, format!("host vm2, offline since {since}"));
}

#[test]
fn a_host_that_is_known_by_its_first_look_is_not_away_any_more() {
    let world = World::new();
    world.run(world.control.register_host(Host::named("vm1".into()))).unwrap();
    let one = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(one, DeployOptions::default())).unwrap();
    let request = SessionRequest { host: "vm1".into(), nonce: "1".into(), seen_epoch: 0 };
    let epoch = world.run(world.control.open_session(&request)).unwrap().session.epoch;
    let hand = Hand { world: &world, host: "vm1".into(), epoch };
    while hand.work() > 0 {}
    world.tick();
    assert_eq!(told(&world).0, StackStatus::Degraded, "nobody knows its address yet");
    let seen = world.run(world.control.inventory()).unwrap().containers;
    hand.observe(&seen);
    world.tick();
    assert_eq!(told(&world), (StackStatus::Running, None));
}

#[test]
fn a_control_plane_that_starts_while_a_host_is_away_says_so() {
    let mut world = World::new();
    let (epoch, other) = {
        let (one, two) = runs(&world);
        (one.epoch, two.epoch)
    };
    world.control = World::start(&world.environment, &world.store);
    let one = Hand { world: &world, host: "vm1".into(), epoch };
    pass(&world, 20, &[&one]);
    assert_eq!(told(&world).0, StackStatus::Degraded);
    let mut later = World { control: World::start(&world.environment, &world.store), ..world };
    later.tick();
    assert_eq!(told(&later).0, StackStatus::Degraded);
    Hand { world: &later, host: "vm2".into(), epoch: other }.claim();
    later.tick();
    assert_eq!(told(&later).0, StackStatus::Running);
    later.control = World::start(&later.environment, &later.store);
    later.tick();
    assert_eq!(told(&later).0, StackStatus::Running);
}

#[test]
fn a_stack_is_degraded_while_an_engine_of_its_is_away_and_says_which_and_since_when() {
    let world = World::new();
    let (one, two) = runs(&world);
    let there = world.run(world.control.containers(None, 100, Some("vm2".into()), None)).unwrap().items;
    world.environment.advance(Duration::from_secs(1));
    let reason = Some("the engine at unix:///run/docker.sock does not answer".to_owned());
    let lost = HostReport { engine: None, containers: None, engine_error: reason, ..two.seen(&[], 0) };
    world.run(world.control.observe(&lost)).unwrap();
    world.tick();
    let since = world.run(world.control.host(&"vm2".into())).unwrap().engine_away_since.unwrap();
    let wanted =
        format!("the engine of host `vm2` does not answer since {since}, and what runs there is not known: `web`");
    assert_eq!(told(&world), (StackStatus::Degraded, Some(wanted)));
    pass(&world, 5, &[&one, &two]);
    assert_eq!(told(&world).0, StackStatus::Degraded);
    two.observe(&there);
    world.tick();
    assert_eq!(told(&world), (StackStatus::Running, None));
}
