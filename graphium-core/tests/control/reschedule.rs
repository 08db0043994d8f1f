//! Hosts that are away for long: what ran there is placed elsewhere, and fenced when they return.

use crate::{
    degraded::pass,
    world::{Hand, World, stack},
};
use graphium_core::{
    action::Action,
    control::{
        Away, ControlError, DeployOptions, DeploymentKind, OrphanReason, PolicyChange, RemainingState, RemoveOptions,
        StackRecord, StackStatus,
    },
    event::EventType,
    inventory::{HostStatus, ObservedContainer},
    stack::{Container, Mount, MountKind, Stack},
    store::TaskStoreExt,
    task::{Outcome, Task, TaskError},
};
use serde_json::json;
use std::time::Duration;

/// A container that may run anywhere.
pub(crate) fn free(name: &str) -> Container {
    serde_json::from_value(json!({"@id": format!("container:{name}"), "name": name, "image": "nginx:alpine"})).unwrap()
}

pub(crate) fn on(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..free(name) }
}

/// One with data of its host.
fn with_data(name: &str) -> Container {
    let mut container = free(name);
    let kind = MountKind::Bind { source: "/srv".to_owned(), propagation: None, create_host_path: false };
    container.volume_mounts.push(Mount { kind, target: "/srv".to_owned(), read_only: false });
    container
}

pub(crate) fn after(seconds: u64) -> DeployOptions {
    let policy = PolicyChange { reschedule_after: Some(Duration::from_secs(seconds)), ..PolicyChange::default() };
    DeployOptions { policy, ..DeployOptions::default() }
}

/// Works off what there is for some hosts; what was done, by the ids of the plans.
pub(crate) fn work(world: &World, hands: &[&Hand<'_>]) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let tasks: Vec<(usize, Task)> = hands
            .iter()
            .enumerate()
            .flat_map(|(number, hand)| hand.claim().into_iter().map(move |task| (number, task)))
            .collect();
        if tasks.is_empty() {
            world.tick();
            return done;
        }
        for (number, task) in tasks {
            hands[number].succeed(&task);
            done.push(task.plan_id);
        }
    }
}

/// `stack` runs on vm1, and is placed elsewhere after a minute; vm2 and vm3 are empty.
pub(crate) fn on_one<'w>(world: &'w World, stack: Stack, options: DeployOptions) -> (Hand<'w>, Hand<'w>, Hand<'w>) {
    let one = world.agent("vm1");
    world.run(world.control.deploy(stack, options)).unwrap();
    work(world, &[&one]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    (one, world.agent("vm2"), world.agent("vm3"))
}

fn shop() -> Stack {
    stack("shop", vec![on("db", "vm1"), with_data("log"), free("web")])
}

pub(crate) fn place(world: &World, container: &str) -> String {
    world.run(world.control.stack("shop")).unwrap().placements[container].to_string()
}

fn away(world: &World) -> Vec<Away> {
    world.run(world.control.status("shop")).unwrap().away
}

pub(crate) fn error(world: &World) -> String {
    world.run(world.control.stack("shop")).unwrap().error_message.unwrap_or_default()
}

pub(crate) fn deployment(world: &World) -> (DeploymentKind, String) {
    let id = world.run(world.control.stack("shop")).unwrap().deployment_id;
    (world.run(world.control.deployment(&id)).unwrap().kind, id.to_string())
}

fn orphans(world: &World) -> Vec<String> {
    let orphans = world.run(world.control.orphans()).unwrap();
    orphans
        .into_iter()
        .map(|orphan| {
            assert!(matches!(orphan.reason, OrphanReason::Rescheduled { .. }), "{orphan:?}");
            orphan.id
        })
        .collect()
}

fn events(world: &World, after: u64) -> Vec<EventType> {
    let kinds = [EventType::StackRescheduling, EventType::StackRescheduled, EventType::HostFenced];
    let events = world.run(world.control.store().events(after, 10_000)).unwrap();
    events.into_iter().map(|event| event.kind).filter(|kind| kinds.contains(kind)).collect()
}

/// What the agent of a host sees there, as the server saw it last.
pub(crate) fn seen(world: &World, host: &str) -> Vec<ObservedContainer> {
    let mut containers = world.run(world.control.inventory()).unwrap().containers;
    containers.retain(|container| container.hosted_on.as_str() == host);
    containers
}

/// Time passes, in which these agents are heard and begin nothing.
pub(crate) fn idle(world: &World, seconds: u64, heard: &[&Hand<'_>]) {
    for second in 0..seconds {
        world.environment.advance(Duration::from_secs(1));
        for hand in heard.iter().filter(|_| second % 5 == 0) {
            hand.observe_from(&seen(world, hand.host.as_str()), 0);
        }
        world.tick();
    }
}

#[test]
fn what_is_free_is_placed_elsewhere_and_the_old_one_is_fenced_when_the_host_returns() {
    let mut world = World::new();
    let (epochs, old) = {
        let (one, two, three) = on_one(&world, shop(), after(60));
        let heard_last = world.run(world.control.store().last_event()).unwrap();
        pass(&world, 20, &[&two, &three]);
        // It says what will become of each, and when.
        let since = world.run(world.control.host(&"vm1".into())).unwrap().offline_since.unwrap();
        let told = away(&world);
        let [one_away] = told.as_slice() else { panic!("{told:?}") };
        let at = one_away.at.unwrap();
        assert_eq!((one_away.since.unwrap(), at.duration_since(since).as_secs()), (since, 60));
        let said: Vec<_> = one_away.remaining.iter().map(|one| (one.container.as_str(), one.state)).collect();
        let (stays, waits) = (RemainingState::Staying, RemainingState::Waiting);
        assert_eq!(said, [("db", stays), ("log", stays), ("web", waits)]);
        assert_eq!(one_away.remaining[0].why, "its document names the host `vm1` for it");
        assert_eq!(one_away.remaining[1].why, "it may write there: the host folder `/srv`");
        assert!(
            error(&world).ends_with(&format!("; what may go is placed elsewhere from {at} on")),
            "{}",
            error(&world)
        );
        pass(&world, 50, &[&two, &three]);
        assert_eq!((events(&world, heard_last), place(&world, "web")), (vec![], "vm1".to_owned()), "it is too early");

        idle(&world, 15, &[&two, &three]);
        let to = place(&world, "web");
        assert_ne!(to, "vm1");
        assert_eq!((place(&world, "db"), place(&world, "log")), ("vm1".to_owned(), "vm1".to_owned()));
        assert_eq!(events(&world, heard_last), [EventType::StackRescheduling]);
        assert_eq!(orphans(&world), ["vm1/shop-web"]);
        let done = work(&world, &[&two, &three]);
        assert!(done.contains(&"deploy:web".to_owned()) && !done.iter().any(|id| id.contains("vm1")), "{done:?}");
        assert_eq!(events(&world, heard_last), [EventType::StackRescheduling, EventType::StackRescheduled]);
        // What stays is not known, and that is said on.
        assert_eq!(world.status("shop"), StackStatus::Degraded);
        assert!(error(&world).contains("is not known: `db`, `log`"), "{}", error(&world));
        assert_eq!(away(&world)[0].left, ["shop-web"]);
        // Nothing more is begun for hours.
        let before = deployment(&world);
        pass(&world, 300, &[&two, &three]);
        assert_eq!((deployment(&world), orphans(&world)), (before, vec!["vm1/shop-web".to_owned()]));
        (
            [one.epoch, two.epoch, three.epoch],
            seen(&world, "vm1").into_iter().filter(|one| one.name != "nobody").collect::<Vec<_>>(),
        )
    };
    // A restart forgets nothing.
    world.control = World::start(&world.environment, &world.store);
    let [one, two, three] = ["vm1", "vm2", "vm3"].map(|host| {
        let epoch = epochs[usize::from(host.as_bytes()[2] - b'1')];
        Hand { world: &world, host: host.into(), epoch }
    });
    assert_eq!(orphans(&world), ["vm1/shop-web"]);
    let heard_last = world.run(world.control.store().last_event()).unwrap();
    one.observe(&old);
    // Before it is fenced it takes nothing new.
    let other = stack("other", ["a", "b", "c", "d", "e", "f", "g"].map(free).to_vec());
    let plan = world.run(world.control.preview(&other, &DeployOptions::default())).unwrap();
    assert!(plan.placements.values().all(|host| host.as_str() != "vm1"), "{:?}", plan.placements);
    pass(&world, 6, &[&two, &three]);
    let tasks = one.claim();
    assert_eq!(tasks.iter().map(|task| task.plan_id.as_str()).collect::<Vec<_>>(), ["delete:shop-web@vm1"]);
    assert!(matches!(&*tasks[0].payload, Action::Delete { name } if name == "shop-web"));
    tasks.iter().for_each(|task| one.succeed(task));
    pass(&world, 6, &[&one, &two, &three]);
    assert_eq!(events(&world, heard_last), [EventType::HostFenced]);
    assert_eq!((world.status("shop"), away(&world), orphans(&world)), (StackStatus::Running, vec![], vec![]));
    let plan = world.run(world.control.preview(&other, &DeployOptions::default())).unwrap();
    assert!(plan.placements.values().any(|host| host.as_str() == "vm1"), "{:?}", plan.placements);
}

#[test]
fn nothing_is_placed_elsewhere_without_being_allowed_or_when_the_host_returns_in_time() {
    let world = World::new();
    let (one, two, three) = on_one(&world, shop(), DeployOptions::default());
    pass(&world, 600, &[&two, &three]);
    assert_eq!((place(&world, "web"), away(&world)), ("vm1".to_owned(), vec![]));
    one.claim();
    world.tick();
    let (_, before) = deployment(&world);
    world.run(world.control.deploy(shop(), after(60))).unwrap();
    assert_eq!(world.run(world.control.stack("shop")).unwrap().policy.reschedule_after, Some(60));
    pass(&world, 60, &[&two, &three]);
    one.claim();
    pass(&world, 30, &[&one, &two, &three]);
    assert_eq!((deployment(&world).1, world.status("shop")), (before, StackStatus::Running));
    // It may be given up again.
    world.run(world.control.deploy(shop(), after(0))).unwrap();
    pass(&world, 600, &[&two, &three]);
    assert_eq!(place(&world, "web"), "vm1");
}

#[test]
fn a_time_within_which_a_host_is_not_yet_offline_is_refused() {
    let world = World::new();
    world.agent("vm1");
    for seconds in [1, 15, 31 * 86_400] {
        let refused = world.run(world.control.deploy(shop(), after(seconds)));
        let Err(ControlError::Invalid(found)) = refused else { panic!("{refused:?}") };
        assert_eq!(found[0].code, "reschedule-after-range");
        assert!(found[0].message.contains("more than 15 s"), "{}", found[0].message);
    }
    world.run(world.control.deploy(shop(), after(16))).unwrap();
}

#[test]
fn what_fits_nowhere_says_why_and_goes_when_a_host_takes_it() {
    let world = World::new();
    let (_one, two, three) = on_one(&world, shop(), after(30));
    for host in ["vm2", "vm3"] {
        world.run(world.control.set_host_status(&host.into(), HostStatus::Maintenance)).unwrap();
    }
    pass(&world, 120, &[&two, &three]);
    assert_eq!((place(&world, "web"), world.status("shop")), ("vm1".to_owned(), StackStatus::Degraded));
    let why = away(&world)[0].remaining[2].why.clone();
    assert!(why.contains("is in maintenance") && why.contains("is offline"), "{why}");
    world.run(world.control.set_host_status(&"vm3".into(), HostStatus::Active)).unwrap();
    idle(&world, 31, &[&two, &three]);
    assert_eq!(place(&world, "web"), "vm3");
}

#[test]
fn a_host_that_returns_while_its_containers_move_is_fenced_when_they_have() {
    let world = World::new();
    let (one, two, three) = on_one(&world, shop(), after(30));
    idle(&world, 60, &[&two, &three]);
    assert_ne!(place(&world, "web"), "vm1");
    one.observe(&seen(&world, "vm1"));
    idle(&world, 20, &[&one, &two, &three]);
    assert_eq!(one.claim(), [], "it serves until its successor does");
    work(&world, &[&two, &three]);
    pass(&world, 6, &[&two, &three]);
    assert_eq!(work(&world, &[&one]), ["delete:shop-web@vm1"]);
    pass(&world, 6, &[&one, &two, &three]);
    assert_eq!((world.status("shop"), orphans(&world)), (StackStatus::Running, vec![]));
}

#[test]
fn a_move_that_fails_is_tried_again_and_leaves_nothing_twice() {
    let world = World::new();
    let (one, two, three) = on_one(&world, shop(), after(30));
    idle(&world, 60, &[&two, &three]);
    let (hand, other) = if place(&world, "web") == "vm2" { (&two, &three) } else { (&three, &two) };
    loop {
        let tasks = hand.claim();
        let Some(task) = tasks.first() else { break };
        let error = TaskError {
            code: "no-such-image".into(),
            message: "it is not there".into(),
            help: None,
            log: Vec::new(),
            retryable: false,
        };
        hand.report(task, &Outcome::Failed(error));
    }
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Error);
    assert!(error(&world).contains("it is not there"), "{}", error(&world));
    one.observe(&seen(&world, "vm1"));
    let mut done = Vec::new();
    for _ in 0..120 {
        pass(&world, 1, &[]);
        done.extend(work(&world, &[&one, hand, other]));
    }
    assert_eq!(world.status("shop"), StackStatus::Running, "{}", error(&world));
    assert!(done.contains(&"delete:shop-web@vm1".to_owned()) && done.contains(&"deploy:web".to_owned()), "{done:?}");
    assert_eq!(orphans(&world), Vec::<String>::new());
}

#[test]
fn what_is_under_way_and_can_only_wait_for_the_host_gives_way() {
    let world = World::new();
    let (_one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(30));
    pass(&world, 20, &[&two, &three]);
    // It is to be made anew where it is: nobody is there to do it.
    world.run(world.control.act_on_stack("shop", DeploymentKind::Restart, None)).unwrap();
    idle(&world, 40, &[&two, &three]);
    assert_ne!(place(&world, "web"), "vm1");
    work(&world, &[&two, &three]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    let two_or_three = place(&world, "web");
    // And the host to which it went may be lost, too.
    let heard = if two_or_three == "vm2" { &three } else { &two };
    for _ in 0..60 {
        pass(&world, 1, &[heard]);
        work(&world, &[heard]);
    }
    assert_eq!(place(&world, "web"), heard.host.to_string());
    let left = ["vm1", &two_or_three].map(|host| [format!("{host}/network:shop"), format!("{host}/shop-web")]);
    assert_eq!(orphans(&world), left.concat());
}

/// A move that overtakes a deployment moves what can be moved, and makes nothing of the rest run: there is no way back to it.
#[test]
fn a_revision_that_was_overtaken_by_a_move_has_not_run_before_all_of_it_is_seen_running() {
    let world = World::new();
    let one = world.agent("vm1");
    world.run(world.control.deploy(stack("shop", vec![on("db", "vm1"), free("web")]), after(30))).unwrap();
    let two = world.agent("vm2");
    idle(&world, 90, &[&two]);
    work(&world, &[&two]);
    let last_running =
        || world.run(world.store.document::<StackRecord>("stack:shop")).unwrap().unwrap().value.last_running;
    assert_eq!((deployment(&world).0, place(&world, "web").as_str()), (DeploymentKind::Move, "vm2"));
    assert_eq!((world.status("shop"), last_running()), (StackStatus::Degraded, None), "{}", error(&world));
    // The host is back, and `db` was never made.
    idle(&world, 10, &[&one, &two]);
    assert_eq!(last_running(), None, "{}", error(&world));
    work(&world, &[&one, &two]);
    idle(&world, 2, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running, "{}", error(&world));
}

#[test]
fn a_stack_that_was_rescheduled_is_removed_with_what_it_left_or_forgets_it() {
    for forget in [false, true] {
        let world = World::new();
        let (one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(30));
        idle(&world, 60, &[&two, &three]);
        work(&world, &[&two, &three]);
        assert_eq!(world.status("shop"), StackStatus::Running);
        world.run(world.control.remove("shop", RemoveOptions { forget, ..RemoveOptions::default() })).unwrap();
        work(&world, &[&two, &three]);
        pass(&world, 60, &[&two, &three]);
        let is_gone = world.run(world.control.stack("shop")).is_err();
        assert_eq!(is_gone, forget);
        one.observe(&seen(&world, "vm1"));
        pass(&world, 6, &[&two, &three]);
        let done = work(&world, &[&one]);
        assert!(done.iter().any(|id| id.starts_with("delete:")), "{done:?}");
        pass(&world, 6, &[&one, &two, &three]);
        assert!(world.run(world.control.stack("shop")).is_err());
        assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
    }
}

#[test]
fn deployments_and_orders_mean_what_runs_now_and_nothing_that_is_fenced() {
    let world = World::new();
    let (one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(30));
    idle(&world, 60, &[&two, &three]);
    work(&world, &[&two, &three]);
    let to = place(&world, "web");
    for kind in [DeploymentKind::Stop, DeploymentKind::Start] {
        world.run(world.control.act_on_stack("shop", kind, None)).unwrap();
        work(&world, &[&two, &three]);
        assert!(!world.status("shop").is_transitional(), "{kind:?} waits for nobody");
        assert_eq!(place(&world, "web"), to);
    }
    // Another revision, which waits for nobody either, while the host is away and while it is back and not yet fenced.
    for (version, is_back) in [("1.1", false), ("1.2", true)] {
        if is_back {
            one.observe(&seen(&world, "vm1"));
        }
        let web = Container { image: format!("nginx:{version}"), ..free("web") };
        world.run(world.control.deploy(stack("shop", vec![web]), DeployOptions::default())).unwrap();
        let done = work(&world, &[&two, &three]);
        assert!(!done.iter().any(|id| id.starts_with("delete:")), "{done:?}");
        assert_eq!((world.status("shop"), place(&world, "web")), (StackStatus::Running, to.clone()));
    }
    pass(&world, 6, &[&two, &three]);
    assert_eq!(work(&world, &[&one])[0], "delete:shop-web@vm1");
    pass(&world, 6, &[&one, &two, &three]);
    assert_eq!(orphans(&world), Vec::<String>::new());
}

#[test]
fn what_is_wanted_on_the_host_again_is_not_removed() {
    let world = World::new();
    let (one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(30));
    idle(&world, 60, &[&two, &three]);
    work(&world, &[&two, &three]);
    // Bound to it from now on: it waits for the host as whatever names one.
    world.run(world.control.deploy(stack("shop", vec![on("web", "vm1")]), DeployOptions::default())).unwrap();
    pass(&world, 1, &[]);
    one.observe(&seen(&world, "vm1"));
    let mut done = Vec::new();
    for _ in 0..20 {
        pass(&world, 1, &[]);
        done.extend(work(&world, &[&one, &two, &three]));
    }
    assert!(!done.iter().any(|id| id == "delete:shop-web@vm1"), "{done:?}");
    assert_eq!((world.status("shop"), orphans(&world)), (StackStatus::Running, vec![]));
}

#[test]
fn a_fence_that_fails_is_told_and_keeps_the_host_from_taking_more() {
    let world = World::new();
    let (one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(30));
    idle(&world, 60, &[&two, &three]);
    work(&world, &[&two, &three]);
    one.observe(&seen(&world, "vm1"));
    pass(&world, 6, &[&two, &three]);
    for task in one.claim() {
        let error = TaskError {
            code: "engine".into(),
            message: "the disk is full".into(),
            help: None,
            log: Vec::new(),
            retryable: false,
        };
        one.report(&task, &Outcome::Failed(error));
    }
    work(&world, &[&one]);
    pass(&world, 12, &[&one, &two, &three]);
    let told = away(&world);
    assert_eq!((told[0].error.as_deref(), told[0].since), (Some("the disk is full"), None));
    let other = stack("other", ["a", "b", "c", "d", "e", "f", "g"].map(free).to_vec());
    let plan = world.run(world.control.preview(&other, &DeployOptions::default())).unwrap();
    assert!(plan.placements.values().all(|host| host.as_str() != "vm1"), "{:?}", plan.placements);
}

#[test]
fn it_is_decided_once_whoever_looks_and_not_before_a_new_server_has_heard_for_itself() {
    let world = World::new();
    let (one, two, three) = on_one(&world, shop(), after(60));
    pass(&world, 40, &[&two, &three]);
    // All servers are away for hours.
    world.environment.advance(Duration::from_secs(7_200));
    let epochs = [two.epoch, three.epoch];
    let servers = [0, 1].map(|_| World {
        control: World::start(&world.environment, &world.store),
        environment: world.environment.clone(),
        store: world.store.clone(),
    });
    servers.iter().for_each(World::tick);
    assert_eq!(place(&world, "web"), "vm1", "its agent may be about to call");
    let before = deployment(&world);
    for _ in 0..30 {
        world.environment.advance(Duration::from_secs(1));
        for server in &servers {
            for (host, epoch) in ["vm2", "vm3"].into_iter().zip(epochs) {
                Hand { world: server, host: host.into(), epoch }.observe_from(&seen(server, host), 0);
            }
            server.tick();
        }
    }
    assert_ne!(deployment(&world), before);
    let all = world.run(servers[0].control.deployments(None)).unwrap();
    let moves = all.iter().filter(|state| state.kind == DeploymentKind::Move);
    assert_eq!(moves.count(), 1);
    assert_eq!(world.run(servers[1].control.forgotten()).unwrap().len(), 1);
    drop(one);
}

#[test]
fn what_stays_and_was_told_where_something_was_is_made_anew_when_the_host_is_back() {
    let world = World::new();
    let port = json!([{"containerPort": 80, "hostPort": 8080}]);
    let web: Container =
        serde_json::from_value(json!({"@id": "container:web", "name": "web", "image": "nginx:alpine", "ports": port}))
            .unwrap();
    let (one, two, three) = on_one(&world, stack("shop", vec![on("app", "vm1"), web]), after(30));
    idle(&world, 60, &[&two, &three]);
    let done = work(&world, &[&two, &three]);
    assert!(!done.contains(&"deploy:app".to_owned()), "{done:?}");
    assert_eq!(world.status("shop"), StackStatus::Degraded, "nothing waits for the host");
    one.observe(&seen(&world, "vm1"));
    let mut done = Vec::new();
    for _ in 0..20 {
        pass(&world, 1, &[]);
        done.extend(work(&world, &[&one, &two, &three]));
    }
    let place =
        |id: &str| done.iter().position(|other| other.as_str() == id).unwrap_or_else(|| panic!("{id}: {done:?}"));
    assert!(place("delete:shop-web@vm1") < place("update:app"), "{done:?}");
    assert_eq!((world.status("shop"), world.run(world.control.forgotten()).unwrap()), (StackStatus::Running, vec![]));
}
