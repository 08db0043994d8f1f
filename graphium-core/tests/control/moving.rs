//! Hosts that drain are left.

use crate::{
    company::another,
    degraded::pass,
    world::{Hand, World, stack},
};
use graphium_core::{
    action::Action,
    control::{Control, DeployOptions, DeploymentKind, Remaining, RemainingState, StackStatus},
    inventory::{ContainerStatus, HostStatus, ObservedContainer},
    stack::{Container, Stack},
    store::{Kind, RecordQuery, TaskStoreExt},
    task::{Outcome, Task, TaskError},
};
use serde_json::json;

/// A container that may run anywhere.
pub(crate) fn free(name: &str) -> Container {
    serde_json::from_value(json!({"@id": format!("container:{name}"), "name": name, "image": "nginx:alpine"})).unwrap()
}

pub(crate) fn on(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..free(name) }
}

/// Has a stack deployed while only these hosts take work, and carried out.
pub(crate) fn deploy(world: &World, stack: Stack, hands: &[&Hand<'_>]) {
    world.run(world.control.deploy(stack, DeployOptions::default())).unwrap();
    while hands.iter().map(|hand| hand.work()).sum::<usize>() > 0 {}
    world.tick();
}

pub(crate) fn set(world: &World, host: &str, status: HostStatus) {
    world.run(world.control.set_host_status(&host.into(), status)).unwrap();
}

pub(crate) fn remaining(control: &Control, world: &World, host: &str) -> Vec<Remaining> {
    world.run(control.drain(&host.into())).unwrap().remaining
}

pub(crate) fn said(world: &World, host: &str) -> Vec<(String, RemainingState, String)> {
    let lines = remaining(&world.control, world, host);
    lines.into_iter().map(|line| (format!("{}/{}", line.stack, line.container), line.state, line.why)).collect()
}

pub(crate) fn place(world: &World, stack: &str, container: &str) -> String {
    world.run(world.control.stack(stack)).unwrap().placements[container].to_string()
}

pub(crate) fn plan_ids(tasks: &[Task]) -> Vec<&str> {
    tasks.iter().map(|task| task.plan_id.as_str()).collect()
}

pub(crate) fn fail(hand: &Hand<'_>, task: &Task) {
    let error = TaskError {
        code: "no-such-image".into(),
        message: "it is not there".into(),
        help: None,
        log: Vec::new(),
        retryable: false,
    };
    hand.report(task, &Outcome::Failed(error));
}

/// `shop` on vm1, a container of which is bound to it; vm2 is empty.
pub(crate) fn shop_on_one(world: &World) -> (Hand<'_>, Hand<'_>) {
    let one = world.agent("vm1");
    deploy(world, stack("shop", vec![on("db", "vm1"), free("web")]), &[&one]);
    assert_eq!(place(world, "shop", "web"), "vm1");
    (one, world.agent("vm2"))
}

#[test]
fn what_is_free_moves_away_and_the_old_one_goes_after_the_new_one_runs() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    let before = world.run(world.control.stack("shop")).unwrap();
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    let bound = "its document names the host `vm1` for it".to_owned();
    assert_eq!(world.status("shop"), StackStatus::Updating);
    assert_eq!(one.claim(), [], "the old one runs until the new one does");
    let [db, web] = said(&world, "vm1").try_into().unwrap();
    assert_eq!(db, ("shop/db".to_owned(), RemainingState::Staying, bound.clone()), "from the beginning");
    assert_eq!((web.0.as_str(), web.1), ("shop/web", RemainingState::Moving));
    let begun = two.work();
    assert!(begun > 0);
    let last = one.claim();
    assert_eq!(plan_ids(&last), ["delete:web@vm1"]);
    last.iter().for_each(|task| one.succeed(task));
    world.tick();
    let after = world.run(world.control.stack("shop")).unwrap();
    assert_eq!((after.status, after.error_message), (StackStatus::Running, None));
    assert_eq!((place(&world, "shop", "web").as_str(), place(&world, "shop", "db").as_str()), ("vm2", "vm1"));
    assert_eq!(after.revision, before.revision);
    let revisions = world.run(world.control.history("shop", None, 10)).unwrap();
    assert_eq!(revisions.len(), 1, "{revisions:?}");
    let state = world.run(world.control.deployment(&after.deployment_id)).unwrap();
    assert_eq!((state.kind, state.leaving.unwrap().attempt), (DeploymentKind::Move, 1));
    assert_eq!(said(&world, "vm1"), [("shop/db".to_owned(), RemainingState::Staying, bound)]);

    // Nothing more follows, and what has moved stays where it is.
    pass(&world, 60, &[&one, &two]);
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, after.deployment_id);
    set(&world, "vm1", HostStatus::Active);
    pass(&world, 60, &[&one, &two]);
    assert_eq!((place(&world, "shop", "web").as_str(), said(&world, "vm1").len()), ("vm2", 0));
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, after.deployment_id);
}

#[test]
fn a_stack_whose_repair_failed_and_that_runs_moves() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    let running = |hand: &Hand<'_>, runs: bool| {
        let query = RecordQuery { host: Some("vm1".into()), ..RecordQuery::of(Kind::Container) };
        let seen = world.run(world.store.documents::<ObservedContainer>(query)).unwrap();
        let mut seen: Vec<ObservedContainer> = seen.into_iter().map(|seen| seen.value).collect();
        for container in seen.iter_mut().filter(|seen| seen.name == "shop-web") {
            container.status = if runs { ContainerStatus::Running } else { ContainerStatus::Exited };
            container.exit_code = (!runs).then_some(137);
        }
        hand.observe(&seen);
        world.tick();
    };
    running(&one, false);
    loop {
        let tasks = one.claim();
        if tasks.is_empty() {
            break;
        }
        tasks.iter().for_each(|task| fail(&one, task));
        world.tick();
    }
    running(&one, true);
    assert_eq!(world.status("shop"), StackStatus::Running);
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    assert!(two.work() > 0, "{:?}", said(&world, "vm1"));
}

#[test]
fn nothing_moves_from_a_host_in_maintenance() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    set(&world, "vm1", HostStatus::Maintenance);
    pass(&world, 60, &[&one, &two]);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm1", StackStatus::Running));
    assert_eq!(said(&world, "vm1"), []);
}

#[test]
fn what_finds_no_room_stays_says_why_and_moves_when_there_is_some() {
    let world = World::new();
    let one = world.agent("vm1");
    deploy(&world, stack("shop", vec![free("web")]), &[&one]);
    set(&world, "vm1", HostStatus::Draining);
    pass(&world, 10, &[&one]);
    let (name, state, why) = said(&world, "vm1").remove(0);
    assert_eq!((name.as_str(), state), ("shop/web", RemainingState::Staying));
    assert_eq!(why, "`web` fits on no host: `vm1` is draining");
    assert_eq!(world.status("shop"), StackStatus::Running);
    let two = world.agent("vm2");
    pass(&world, 2, &[&one]);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm2", StackStatus::Running));
}

#[test]
fn only_so_many_stacks_move_at_a_time() {
    let world = World::new();
    let one = world.agent("vm1");
    for number in 0..6 {
        deploy(&world, stack(&format!("s{number}"), vec![free("web")]), &[&one]);
    }
    let two = world.agent("vm2");
    set(&world, "vm1", HostStatus::Draining);
    let moving = || {
        let lines = remaining(&world.control, &world, "vm1");
        lines.iter().filter(|line| line.state == RemainingState::Moving).count()
    };
    pass(&world, 1, &[]);
    assert_eq!((moving(), said(&world, "vm1").len()), (4, 6));
    let waits = said(&world, "vm1").into_iter().find(|(_, state, _)| *state == RemainingState::Waiting).unwrap();
    assert_eq!(waits.2, "it goes to `vm2` when its turn comes");
    for _ in 0..20 {
        one.work();
        two.work();
        pass(&world, 1, &[]);
        assert!(moving() <= 4);
    }
    assert_eq!(said(&world, "vm1"), []);
}

#[test]
fn a_stack_with_something_under_way_moves_afterwards() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    world.run(world.control.act_on_stack("shop", DeploymentKind::Restart, None)).unwrap();
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    let lines = said(&world, "vm1");
    let why = "what is under way in its stack comes first";
    assert!(lines.len() == 2 && lines.iter().all(|(_, state, said)| *state == RemainingState::Waiting && said == why));
    while one.work() > 0 {}
    pass(&world, 6, &[]);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm2", StackStatus::Running));
}

#[test]
fn what_is_stopped_or_has_failed_stays_and_says_so() {
    let world = World::new();
    let one = world.agent("vm1");
    deploy(&world, stack("idle", vec![free("web")]), &[&one]);
    world.run(world.control.act_on_stack("idle", DeploymentKind::Stop, None)).unwrap();
    while one.work() > 0 {}
    world.run(world.control.deploy(stack("bad", vec![free("web")]), DeployOptions::default())).unwrap();
    loop {
        let tasks = one.claim();
        let Some(deploy) = tasks.iter().find(|task| matches!(&*task.payload, Action::Deploy { .. })) else {
            tasks.iter().for_each(|task| one.succeed(task));
            if tasks.is_empty() {
                break;
            }
            continue;
        };
        fail(&one, deploy);
    }
    world.tick();
    let two = world.agent("vm2");
    set(&world, "vm1", HostStatus::Draining);
    pass(&world, 20, &[&one, &two]);
    assert_eq!((world.status("idle"), world.status("bad")), (StackStatus::Stopped, StackStatus::Error));
    let why: Vec<String> = said(&world, "vm1").into_iter().map(|(_, _, why)| why).collect();
    assert!(why[0].starts_with("the last deployment of its stack has failed"), "{why:?}");
    assert!(why[1].starts_with("its stack is stopped"), "{why:?}");
}

#[test]
fn a_move_that_fails_leaves_the_old_ones_and_is_tried_again() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    let mut failed = 0;
    while failed == 0 {
        for task in two.claim() {
            match &*task.payload {
                Action::Deploy { .. } => {
                    fail(&two, &task);
                    failed += 1;
                }
                _ => two.succeed(&task),
            }
        }
    }
    world.tick();
    assert_eq!(one.claim(), [], "the old one is not removed");
    let shown = world.run(world.control.stack("shop")).unwrap();
    let words = shown.error_message.unwrap();
    assert!(words.starts_with("moving away from `vm1` failed, and what has no successor yet stays there: deploy:web"));
    let (name, state, why) = said(&world, "vm1").into_iter().find(|(name, ..)| name == "shop/web").unwrap();
    assert_eq!((name.as_str(), state), ("shop/web", RemainingState::Waiting));
    assert!(why.starts_with("try 1 of 6 failed, the next is at 2026-01-01T00:00:3"), "{why}");
    pass(&world, 20, &[&one, &two]);
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, shown.deployment_id);
    pass(&world, 15, &[&one]);
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm2", StackStatus::Running));
    let state = world.run(world.control.stack("shop")).unwrap().deployment_id;
    assert_eq!(world.run(world.control.deployment(&state)).unwrap().leaving.unwrap().attempt, 2);
}

#[test]
fn a_move_is_decided_once_whoever_looks_and_goes_on_after_a_restart() {
    let mut world = World::new();
    world.control = another(&world);
    let (one, two) = {
        let (one, two) = shop_on_one(&world);
        (one.epoch, two.epoch)
    };
    set(&world, "vm1", HostStatus::Draining);
    // Another server looks at the same time, and each gives way to the other before it writes.
    let second = another(&world);
    let (first, other) = world.run(async { futures::join!(world.control.tick(), second.tick()) });
    first.and(other).unwrap();
    world.control = World::start(&world.environment, &world.store);
    let moves = || {
        let all = world.run(world.control.deployments(None)).unwrap();
        all.iter().filter(|state| state.kind == DeploymentKind::Move).count()
    };
    let one = Hand { world: &world, host: "vm1".into(), epoch: one };
    let two = Hand { world: &world, host: "vm2".into(), epoch: two };
    assert_eq!(moves(), 1);
    for _ in 0..40 {
        one.work();
        two.work();
        pass(&world, 1, &[&one, &two]);
    }
    assert_eq!((moves(), place(&world, "shop", "web").as_str()), (1, "vm2"));
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn a_rollback_after_a_move_goes_to_where_things_are_now() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    set(&world, "vm1", HostStatus::Draining);
    pass(&world, 1, &[]);
    while one.work() + two.work() > 0 {}
    world.tick();
    set(&world, "vm1", HostStatus::Active);
    let revision = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(revision.placements["web"].as_str(), "vm2");
    let mut next = stack("shop", vec![on("db", "vm1"), free("web")]);
    let web = std::sync::Arc::make_mut(&mut next.containers[1]);
    web.image = "nginx:other".into();
    let options =
        DeployOptions { on_failure: Some(graphium_core::stack::OnFailure::Rollback), ..DeployOptions::default() };
    world.run(world.control.deploy(next, options)).unwrap();
    let mut has_failed = false;
    for _ in 0..20 {
        for hand in [&one, &two] {
            for task in hand.claim() {
                if !has_failed && matches!(&*task.payload, Action::Update { .. }) {
                    has_failed = true;
                    fail(hand, &task);
                } else {
                    hand.succeed(&task);
                }
            }
        }
        world.tick();
    }
    assert!(has_failed);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm2", StackStatus::Running));
}
