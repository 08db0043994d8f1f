//! What deployments leave that were overtaken before their end.

use crate::{
    degraded::pass,
    moving::{deploy, plan_ids, said, set},
    world::{Hand, World, container, stack},
};
use graphium_core::{
    control::{AdoptOptions, ControlError, DeployOptions, DeploymentKind, RemainingState, RemoveOptions, StackStatus},
    inventory::{HostStatus, ObservedContainer},
    task::{Outcome, TaskError},
};
use serde_json::json;
use std::time::Duration;

#[test]
fn what_a_deployment_that_was_overtaken_may_have_made_goes_with_the_stack() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let on = |host: &str| stack("shop", vec![container("web", host, None, &[])]);
    world.run(world.control.deploy(on("vm1"), DeployOptions::default())).unwrap();
    // vm1 begins, and is not heard any more: nobody sees what it makes.
    let begun = one.claim();
    assert!(!begun.is_empty());
    world.run(world.control.deploy(on("vm2"), DeployOptions::default())).unwrap();
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    while two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Deleting, "vm1 has not confirmed");
    let again = world.agent("vm1");
    let mut done = Vec::new();
    loop {
        let tasks = again.claim();
        if tasks.is_empty() {
            break;
        }
        tasks.iter().for_each(|task| again.succeed(task));
        done.extend(tasks.into_iter().map(|task| task.plan_id));
    }
    assert_eq!(done, ["delete:web@vm1", "remove-network:vm1"]);
    world.tick();
    assert!(matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. })));
}

#[test]
fn what_was_overtaken_goes_with_the_next_deployment_that_comes_to_its_end_and_is_then_forgotten() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let on = |host: &str| stack("shop", vec![container("web", host, None, &[])]);
    for host in ["vm1", "vm2", "vm2"] {
        let wanted = stack("shop", vec![container("web", host, None, &[]), container("db", "vm2", None, &[])]);
        world
            .run(world.control.deploy(if host == "vm1" { on("vm1") } else { wanted }, DeployOptions::default()))
            .unwrap();
        world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap();
    }
    let started = world.run(world.control.deploy(on("vm2"), DeployOptions::default())).unwrap();
    let status = world.run(world.control.status(started.deployment_id.as_str())).unwrap();
    let planned: Vec<_> = status.tasks.iter().map(|shown| shown.task.plan_id.clone()).collect();
    assert!(planned.contains(&"delete:web@vm1".to_owned()), "{planned:?}");
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    let removal = world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let status = world.run(world.control.status(removal.deployment_id.as_str())).unwrap();
    assert!(status.tasks.iter().all(|shown| shown.task.host_id.as_str() == "vm2"), "{:?}", status.tasks);
}

#[test]
fn a_task_of_an_overtaken_deployment_is_not_tried_again() {
    let world = World::new();
    let one = world.agent("vm1");
    let first = world
        .run(world.control.deploy(stack("shop", vec![container("web", "vm1", None, &[])]), DeployOptions::default()));
    let tasks = world.run(world.control.status(first.unwrap().deployment_id.as_str())).unwrap().tasks;
    let deploy = tasks.iter().find(|shown| shown.task.plan_id == "deploy:web").unwrap().task.id.clone();
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let refusal = |task| match world.run(world.control.retry_task(task, "somebody")) {
        Err(ControlError::Conflict { code, message }) => (code, message),
        other => panic!("{other:?}"),
    };
    let (code, message) = refusal(&deploy);
    assert_eq!(code, "superseded");
    assert!(message.contains("has taken the place of `deployment:"), "{message}");
    while one.work() > 0 {}
    world.tick();
    assert!(refusal(&deploy).1.contains("is gone"));
}

#[test]
fn what_a_failed_deployment_has_left_elsewhere_is_not_forgotten_for_an_adoption_which_takes_nothing_away() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let on = |host: &str| stack("shop", vec![container("web", host, None, &[])]);
    world.run(world.control.deploy(on("vm1"), DeployOptions::default())).unwrap();
    loop {
        let tasks = one.claim();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            let error = TaskError {
                code: "refused".to_owned(),
                message: "no".to_owned(),
                help: None,
                log: Vec::new(),
                retryable: false,
            };
            if task.plan_id == "deploy:web" {
                one.report(&task, &Outcome::Failed(error));
            } else {
                one.succeed(&task);
            }
        }
    }
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Error, "its network is on vm1");
    let running = json!({
        "@id": "4f5a", "name": "shop-web", "image": "nginx:alpine", "status": "running", "hostedOn": "vm2"
    });
    two.observe(&[serde_json::from_value::<ObservedContainer>(running).unwrap()]);
    let adoption = world.run(world.control.adopt(on("vm2"), AdoptOptions::default())).unwrap();
    // Whoever has missed the answer asks again.
    let again = world.run(world.control.adopt(on("vm2"), AdoptOptions::default())).unwrap();
    assert_eq!((again.deployment_id, again.task_count), (adoption.deployment_id, adoption.task_count));
    assert!(two.work() > 0);
    assert_eq!(one.work(), 0, "an adoption takes nothing away");
    world.tick();
    let removal = world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let status = world.run(world.control.status(removal.deployment_id.as_str())).unwrap();
    let mut planned: Vec<_> = status.tasks.iter().map(|shown| shown.task.plan_id.clone()).collect();
    planned.sort();
    assert_eq!(planned, ["delete:web@vm1", "delete:web@vm2", "remove-network:vm1", "remove-network:vm2"]);
}

/// Has `shop` deployed on these hosts and then adopted on vm2, where it is all as it should be.
fn adopted_on_two<'w>(world: &'w World, before: &[(&str, &Hand<'_>)]) -> Hand<'w> {
    let two = world.agent("vm2");
    let shop = |host: Option<&str>| {
        let parts = before.iter().map(|(name, hand)| container(name, host.unwrap_or(hand.host.as_str()), None, &[]));
        stack("shop", parts.collect())
    };
    let hands: Vec<&Hand<'_>> = before.iter().map(|(_, hand)| *hand).collect();
    deploy(world, shop(None), &hands);
    let running = |name: &str| {
        serde_json::from_value::<ObservedContainer>(json!({
            "@id": format!("4f5a{name}"), "name": format!("old-{name}"), "image": "nginx:alpine", "status": "running",
            "hostedOn": "vm2"
        }))
    };
    two.observe(&before.iter().map(|(name, _)| running(name).unwrap()).collect::<Vec<_>>());
    let containers = before.iter().map(|(name, _)| (String::from(*name), format!("vm2/old-{name}"))).collect();
    world.run(world.control.adopt(shop(Some("vm2")), AdoptOptions { containers, ..AdoptOptions::default() })).unwrap();
    // What goes away meanwhile is made again.
    for _ in 0..2 {
        while two.work() > 0 {}
        world.tick();
    }
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(hands.iter().map(|hand| hand.work()).sum::<usize>(), 0, "an adoption takes nothing away");
    two
}

#[test]
fn what_an_adoption_has_left_on_a_host_goes_when_that_drains() {
    let world = World::new();
    let one = world.agent("vm1");
    let two = adopted_on_two(&world, &[("web", &one)]);
    set(&world, "vm1", HostStatus::Draining);
    let waits = "it is on `vm2` already; what an earlier deployment has left here goes when its turn comes".to_owned();
    assert_eq!(said(&world, "vm1"), [("shop/web".to_owned(), RemainingState::Waiting, waits)]);
    world.tick();
    let [web] = said(&world, "vm1").try_into().unwrap();
    assert_eq!((web.0.as_str(), web.1), ("shop/web", RemainingState::Moving));
    while two.work() > 0 {}
    let last = one.claim();
    assert_eq!(plan_ids(&last), ["delete:web@vm1"]);
    last.iter().for_each(|task| one.succeed(task));
    while one.work() > 0 {}
    world.tick();
    assert_eq!(said(&world, "vm1"), []);
    let after = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(after.status, StackStatus::Running);
    assert_eq!(after.placements["web"].as_str(), "vm2");

    // Nothing more follows.
    pass(&world, 60, &[&one, &two]);
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, after.deployment_id);
}

#[test]
fn what_is_left_on_a_host_that_drains_keeps_no_stack_waiting_for_another_that_is_away() {
    let world = World::new();
    let (one, three) = (world.agent("vm1"), world.agent("vm3"));
    let two = adopted_on_two(&world, &[("web", &one), ("db", &three)]);
    pass(&world, 60, &[&one, &two]);
    set(&world, "vm1", HostStatus::Draining);
    pass(&world, 60, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    let waits = "it is on `vm2` already; what an earlier deployment has left here goes when something can be done on \
                 `vm3`, too";
    assert_eq!(said(&world, "vm1"), [("shop/web".to_owned(), RemainingState::Waiting, waits.to_owned())]);

    let three = world.agent("vm3");
    for _ in 0..60 {
        world.environment.advance(Duration::from_secs(1));
        for hand in [&one, &two, &three] {
            hand.work();
        }
        world.tick();
    }
    assert_eq!((said(&world, "vm1"), world.status("shop")), (vec![], StackStatus::Running));
}
