//! Stacks that are removed while a host of theirs is away.

use crate::{
    degraded::pass,
    world::{Hand, World, container, shop, stack},
};
use graphium_core::{
    control::{ControlError, DeployOptions, OrphanReason, RemoveOptions, StackStatus, Started},
    inventory::ObservedContainer,
    stack::Stack,
    task::{Outcome, Task, TaskError},
};
use serde_json::json;

/// `shop` runs, with `db` on vm1 and `web` on vm2, which is away then.
fn away(world: &World) -> Hand<'_> {
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    pass(world, 20, &[&one]);
    one
}

fn remove(world: &World, forget: bool) -> Started {
    let options = RemoveOptions { forget, remove_volumes: true, ..RemoveOptions::default() };
    world.run(world.control.remove("shop", options)).unwrap()
}

fn is_gone(world: &World) -> bool {
    matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. }))
}

fn orphans(world: &World) -> Vec<(String, OrphanReason)> {
    let orphans = world.run(world.control.orphans()).unwrap();
    orphans.into_iter().map(|orphan| (orphan.id, orphan.reason)).collect()
}

/// What a host is given, done in order.
fn work(hand: &Hand<'_>) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let tasks = hand.claim();
        if tasks.is_empty() {
            return done;
        }
        tasks.iter().for_each(|task| hand.succeed(task));
        done.extend(tasks.into_iter().map(|task| task.plan_id));
    }
}

#[test]
fn what_may_be_left_on_a_host_that_is_away_is_told_and_removed_when_it_returns() {
    let world = World::new();
    let one = away(&world);
    // Without a word the removal waits.
    let first = remove(&world, false);
    work(&one);
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Deleting);
    assert_eq!(remove(&world, false).deployment_id, first.deployment_id);
    let forgets = remove(&world, true);
    assert_ne!(forgets.deployment_id, first.deployment_id);
    work(&one);
    world.tick();
    assert!(is_gone(&world));
    let told = orphans(&world);
    assert!(told.iter().all(|(_, reason)| matches!(reason, OrphanReason::Forgotten { error: None, .. })), "{told:?}");
    let ids: Vec<&str> = told.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, ["vm2/network:shop", "vm2/shop-web"]);
    // A restart forgets nothing of it, and a host that is away is asked for nothing.
    pass(&world, 30, &[&one]);
    assert_eq!(orphans(&world), told);

    let two = world.agent("vm2");
    pass(&world, 1, &[&one]);
    assert_eq!(work(&two), ["delete:shop-web@vm2", "remove-network:shop@vm2"]);
    pass(&world, 6, &[&one, &two]);
    assert_eq!((orphans(&world), world.run(world.control.forgotten()).unwrap()), (vec![], vec![]));
}

#[test]
fn what_may_be_left_on_a_host_that_is_removed_is_nobodys_affair_any_more() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    work(&one);
    world.tick();
    assert!(is_gone(&world) && !orphans(&world).is_empty());
    world.run(world.control.remove_host(&"vm2".into())).unwrap();
    assert_eq!((orphans(&world), world.run(world.control.forgotten()).unwrap()), (vec![], vec![]));
}

#[test]
fn what_a_stack_wants_again_by_then_is_not_removed() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    work(&one);
    world.tick();
    assert!(is_gone(&world));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    work(&one);
    let two = world.agent("vm2");
    let mut done = Vec::new();
    for _ in 0..10 {
        pass(&world, 1, &[]);
        done.extend(work(&one));
        done.extend(work(&two));
    }
    assert!(done.contains(&"deploy:web".to_owned()), "{done:?}");
    assert!(!done.iter().any(|id| id.starts_with("delete:") || id.starts_with("remove-")), "{done:?}");
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

/// The stack again, and nothing of it on vm2.
fn elsewhere(world: &World) {
    let shop = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop, DeployOptions::default())).unwrap();
}

#[test]
fn what_lives_elsewhere_by_then_wants_no_network_there() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    work(&one);
    world.tick();
    elsewhere(&world);
    work(&one);
    let two = world.agent("vm2");
    pass(&world, 1, &[&one]);
    assert_eq!(work(&two), ["delete:shop-web@vm2", "remove-network:shop@vm2"]);
}

#[test]
fn what_a_deployment_cuts_short_is_tried_again_at_once() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    work(&one);
    world.tick();
    let two = world.agent("vm2");
    world.environment.advance(std::time::Duration::from_secs(6));
    world.tick();
    // Its tasks wait for the agent, and a plan of the stack takes their place.
    elsewhere(&world);
    assert_eq!(two.claim(), []);
    work(&one);
    let mut done = Vec::new();
    for _ in 0..20 {
        world.environment.advance(std::time::Duration::from_secs(1));
        world.tick();
        work(&one);
        done.extend(work(&two));
    }
    assert_eq!(done, ["delete:shop-web@vm2", "remove-network:shop@vm2"]);
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

#[test]
fn a_host_that_returns_before_the_stack_is_gone_is_tidied_up_all_the_same() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    let two = world.agent("vm2");
    pass(&world, 1, &[]);
    assert_eq!(world.status("shop"), StackStatus::Deleting, "vm1 has not confirmed");
    assert_eq!(work(&two), ["delete:shop-web@vm2", "remove-network:shop@vm2"]);
    work(&one);
    pass(&world, 6, &[&one, &two]);
    assert!(is_gone(&world));
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

#[test]
fn what_cannot_be_removed_then_is_told_and_tried_again_later() {
    let world = World::new();
    let one = away(&world);
    remove(&world, true);
    work(&one);
    world.tick();
    let two = world.agent("vm2");
    pass(&world, 1, &[&one]);
    let fail = |task: &Task| {
        let error = TaskError {
            code: "engine".into(),
            message: "the disk is full".into(),
            help: None,
            log: Vec::new(),
            retryable: false,
        };
        two.report(task, &Outcome::Failed(error));
    };
    two.claim().iter().for_each(fail);
    work(&two);
    pass(&world, 6, &[&one, &two]);
    let told = orphans(&world);
    let Some((_, OrphanReason::Forgotten { error: Some(error), .. })) = told.first() else { panic!("{told:?}") };
    assert_eq!(error, "the disk is full");
    pass(&world, 540, &[&one, &two]);
    assert_eq!(world.run(world.control.forgotten()).unwrap().len(), 1);
    for _ in 0..100 {
        pass(&world, 1, &[&one]);
        work(&two);
    }
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

#[test]
fn where_every_host_is_there_to_forget_is_to_remove() {
    let world = World::new();
    let one = away(&world);
    let two = world.agent("vm2");
    world.tick();
    let first = remove(&world, true);
    assert_eq!(remove(&world, true).deployment_id, first.deployment_id);
    assert!(world.run(world.control.forgotten()).unwrap().is_empty());
    while one.work() + two.work() > 0 {}
    world.tick();
    assert!(is_gone(&world));
}

/// Another stack by the name of the one that was forgotten.
fn heir() -> Stack {
    Stack { id: "stack:heir".into(), ..shop() }
}

/// What vm2 shows of the stack that was forgotten.
fn left_there() -> ObservedContainer {
    serde_json::from_value(json!({
        "@id": "id-shop-web", "executableName": "nginx:alpine", "name": "shop-web", "status": "running", "hostedOn": "vm2",
        "labels": {
            "graphium.managed": "true", "graphium.stack": "stack:shop", "graphium.stack.name": "shop",
            "graphium.container": "web",
        },
    }))
    .unwrap()
}

/// The forgotten stack is gone, with its container still on vm2, which is away.
fn forgotten(world: &World) -> Hand<'_> {
    let one = away(world);
    remove(world, true);
    work(&one);
    world.tick();
    assert!(is_gone(world));
    one
}

#[test]
fn what_was_forgotten_goes_before_a_stack_of_another_id_comes_under_its_name() {
    let world = World::new();
    let one = forgotten(&world);
    world.run(world.control.deploy(heir(), DeployOptions::default())).unwrap();
    work(&one);
    let two = world.agent("vm2");
    two.observe(&[left_there()]);
    let mut done = Vec::new();
    for _ in 0..10 {
        pass(&world, 1, &[]);
        done.extend(work(&two));
        done.extend(work(&one));
    }
    assert_eq!(done.iter().filter(|id| id.starts_with("delete:")).count(), 1, "{done:?}");
    let place = |id: &str| done.iter().position(|done| done == id);
    let order = ["delete:shop-web@vm2", "remove-network:shop@vm2", "network:vm2", "deploy:web"].map(place);
    assert!(order.is_sorted() && order[0].is_some(), "{done:?}");
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

#[test]
fn what_was_forgotten_goes_before_a_stack_of_another_name_makes_what_is_called_alike() {
    let world = World::new();
    let one = world.agent("vm1");
    let two = world.agent("vm2");
    let long = stack("shop", vec![container("db", "vm1", None, &[]), container("web-front", "vm2", Some(8080), &[])]);
    world.run(world.control.deploy(long, DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    let left = ObservedContainer { name: "shop-web-front".to_owned(), ..left_there() };
    two.observe(std::slice::from_ref(&left));
    pass(&world, 20, &[&one]);
    remove(&world, true);
    work(&one);
    world.tick();
    assert!(is_gone(&world));
    // Its `front` is `shop-web-front`, too, and wants the same port.
    let heir = stack("shop-web", vec![container("front", "vm2", Some(8080), &[])]);
    world.run(world.control.deploy(heir, DeployOptions::default())).unwrap();
    let two = world.agent("vm2");
    two.observe(&[left]);
    let done = work(&two);
    let place = |id: &str| done.iter().position(|done| done == id);
    let order = ["delete:shop-web-front@vm2", "deploy:front"].map(place);
    assert!(order.is_sorted() && order[0].is_some(), "{done:?}");
    pass(&world, 6, &[&one, &two]);
    assert_eq!((work(&two), world.status("shop-web")), (vec![], StackStatus::Running));
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}

#[test]
fn a_stack_of_another_id_waits_for_what_is_just_being_removed() {
    let world = World::new();
    let one = forgotten(&world);
    let two = world.agent("vm2");
    two.observe(&[left_there()]);
    pass(&world, 1, &[&one]);
    let going = two.claim();
    assert_eq!(going[0].plan_id, "delete:shop-web@vm2");
    world.run(world.control.deploy(heir(), DeployOptions::default())).unwrap();
    work(&one);
    let again = two.claim();
    let ids: Vec<&str> = again.iter().map(|task| task.plan_id.as_str()).collect();
    assert!(ids.contains(&"delete:shop-web@vm2") && !ids.iter().any(|id| id.starts_with("network:")), "{ids:?}");
    going.iter().chain(&again).for_each(|task| two.succeed(task));
    let done = work(&two);
    assert!(done.contains(&"deploy:web".to_owned()), "{done:?}");
    pass(&world, 6, &[&one, &two]);
    assert_eq!((world.status("shop"), world.run(world.control.forgotten()).unwrap()), (StackStatus::Running, vec![]));
}

#[test]
fn a_stack_whose_predecessor_cannot_be_removed_says_so_and_comes_when_it_can() {
    let world = World::new();
    let one = forgotten(&world);
    world.run(world.control.deploy(heir(), DeployOptions::default())).unwrap();
    work(&one);
    let two = world.agent("vm2");
    two.observe(&[left_there()]);
    let going = two.claim();
    let error = TaskError {
        code: "stuck".into(),
        message: "it is stuck".into(),
        help: None,
        log: Vec::new(),
        retryable: false,
    };
    two.report(&going[0], &Outcome::Failed(error));
    going[1..].iter().for_each(|task| two.succeed(task));
    work(&two);
    work(&one);
    pass(&world, 6, &[&one, &two]);
    let shown = world.run(world.control.stack("shop")).unwrap();
    let words = shown.error_message.unwrap();
    assert!(shown.status == StackStatus::Error && words.contains("delete:shop-web@vm2"), "{words}");
    // Asked for again it is tried again, whenever that was to be.
    world.run(world.control.deploy(heir(), DeployOptions::default())).unwrap();
    let mut done = Vec::new();
    for _ in 0..10 {
        pass(&world, 1, &[]);
        done.extend(work(&two));
        done.extend(work(&one));
    }
    assert_eq!(world.status("shop"), StackStatus::Running, "{done:?}");
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
}
