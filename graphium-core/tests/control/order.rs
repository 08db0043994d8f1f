//! What the control plane promises of its own: newer plans go before older ones, and an operator before both.

use crate::world::{Hand, World, container, shop, stack};
use graphium_core::{
    agent::{AgentLink, ClaimCall},
    control::{ControlError, DeployOptions, DeploymentKind, RemoveOptions, StackStatus},
    environment::Environment,
    id::{ClaimId, HostId},
    inventory::HostStatus,
    store::{TaskQuery, TaskStoreExt},
    task::{Outcome, Task, TaskError, TaskStatus},
};
use std::time::Duration;

fn vm1() -> HostId {
    "vm1".into()
}

fn changed() -> graphium_core::stack::Stack {
    let mut changed = container("db", "vm1", None, &[]);
    changed.image = "nginx:other".into();
    stack("shop", vec![changed])
}

#[test]
fn a_newer_plan_cancels_what_is_queued_of_the_older() {
    let world = World::new();
    let one = world.agent("vm1");
    let older = stack("shop", vec![container("db", "vm1", None, &[]), container("web", "vm1", None, &["db"])]);
    let older = world.run(world.control.deploy(older, DeployOptions::default())).unwrap();
    let held = one.claim();
    assert!(!held.is_empty());
    let newer = world.run(world.control.deploy(changed(), DeployOptions::default())).unwrap();
    let query = TaskQuery { deployment: Some(older.deployment_id), ..TaskQuery::default() };
    let tasks = world.run(world.store.all_tasks(query)).unwrap();
    assert!(tasks.len() > held.len(), "nothing was queued: {tasks:?}");
    for task in tasks {
        if held.iter().any(|held| held.id == task.id) {
            assert!(task.status.is_leased() && task.cancel_requested.is_some(), "{task:?}");
        } else {
            assert_eq!(task.status, TaskStatus::Cancelled, "{task:?}");
            let reason = task.error.unwrap().message;
            assert!(reason.contains(newer.deployment_id.as_str()), "{reason}");
        }
    }
    for task in &held {
        one.report(task, &Outcome::Cancelled);
    }
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, newer.deployment_id);
}

#[test]
fn what_was_overtaken_ends_although_the_server_was_restarted_before_it_looked() {
    let mut world = World::new();
    let epoch = world.agent("vm1").epoch;
    let older = stack("shop", vec![container("db", "vm1", None, &[])]);
    let older = world.run(world.control.deploy(older, DeployOptions::default())).unwrap();
    world.run(world.control.deploy(changed(), DeployOptions::default())).unwrap();
    world.control = World::start(&world.environment, &world.store);
    world.tick();
    let state = world.run(world.control.deployment(&older.deployment_id)).unwrap();
    assert!(!state.status.is_transitional() && state.phase == "superseded", "{state:?}");
    let one = Hand { world: &world, host: "vm1".into(), epoch };
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn a_task_of_a_superseded_plan_is_not_tried_again() {
    let world = World::new();
    let one = world.agent("vm1");
    let older = stack("shop", vec![container("db", "vm1", None, &[])]);
    let older = world.run(world.control.deploy(older, DeployOptions::default())).unwrap();
    let newer = world.run(world.control.deploy(changed(), DeployOptions::default())).unwrap();
    let query = TaskQuery { deployment: Some(older.deployment_id), ..TaskQuery::default() };
    let tasks = world.run(world.store.all_tasks(query)).unwrap();
    let refused = world.run(world.control.retry_task(&tasks[0].id, "admin"));
    let Err(ControlError::Conflict { code, message }) = refused else { panic!("{refused:?}") };
    assert_eq!(code, "superseded");
    assert!(message.contains(newer.deployment_id.as_str()), "{message}");
    while one.work() > 0 {}
    world.tick();
    let images: Vec<String> =
        world.run(world.control.inventory()).unwrap().containers.into_iter().map(|seen| seen.image).collect();
    assert_eq!(images, ["nginx:other"]);
}

#[test]
fn a_task_of_a_stack_that_is_gone_is_not_tried_again() {
    let world = World::new();
    let one = world.agent("vm1");
    let started = stack("shop", vec![container("db", "vm1", None, &[])]);
    let started = world.run(world.control.deploy(started, DeployOptions::default())).unwrap();
    let held = one.claim();
    let (code, message) = ("exited".to_owned(), String::new());
    let error = TaskError { code, message, help: None, log: Vec::new(), retryable: false };
    one.report(&held[0], &Outcome::Failed(error));
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    for task in &held[1..] {
        one.report(task, &Outcome::Cancelled);
    }
    while one.work() > 0 {}
    world.tick();
    assert!(matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. })));
    let refused = world.run(world.control.retry_task(&held[0].id, "admin"));
    assert!(matches!(refused, Err(ControlError::Conflict { code: "superseded", .. })), "{refused:?}");
    let query = TaskQuery { deployment: Some(started.deployment_id), ..TaskQuery::default() };
    assert!(world.run(world.store.all_tasks(query)).unwrap().iter().all(|task| task.status.is_terminal()));
}

#[test]
fn a_host_in_maintenance_begins_nothing_new() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let held = one.claim();
    assert!(!held.is_empty());
    world.run(world.control.set_host_status(&vm1(), HostStatus::Maintenance)).unwrap();
    // What it has it ends, and what comes after that waits.
    for task in &held {
        one.succeed(task);
    }
    assert!(one.claim().is_empty(), "it was given something new");
    while two.work() > 0 {}
    world.run(world.control.set_host_status(&vm1(), HostStatus::Active)).unwrap();
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn an_agent_that_waits_learns_at_once_that_the_maintenance_is_over() {
    let world = World::new();
    let one = world.agent("vm1");
    let first = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(first, DeployOptions::default())).unwrap();
    world.run(world.control.set_host_status(&vm1(), HostStatus::Maintenance)).unwrap();
    let claim = ClaimId::new("parked");
    let call = ClaimCall { host: vm1(), epoch: one.epoch, claim, max: 10, wait: Duration::from_secs(30) };
    let begun = world.environment.elapsed();
    let granted = async { (world.control.claim(&call).await, world.environment.elapsed() - begun) };
    let activate = async {
        world.environment.sleep(Duration::from_secs(5)).await;
        world.control.set_host_status(&vm1(), HostStatus::Active).await
    };
    let ((granted, waited), activated) = world.run(futures::future::join(granted, activate));
    activated.unwrap();
    assert!(!granted.unwrap().is_empty());
    assert_eq!(waited, Duration::from_secs(5));
}

#[test]
fn what_waits_for_a_host_in_maintenance_says_so() {
    let world = World::new();
    let _agents = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    world.run(world.control.set_host_status(&vm1(), HostStatus::Maintenance)).unwrap();
    let status = world.run(world.control.status("shop")).unwrap();
    let pull = status.tasks.iter().find(|task| task.task.plan_id.starts_with("pull:vm1")).unwrap();
    let waiting = pull.waiting.as_ref().unwrap();
    assert_eq!((waiting.reason.as_str(), waiting.on.as_str()), ("host", "host vm1, which is in maintenance"));
}

#[test]
fn a_draining_host_still_does_what_it_has() {
    let world = World::new();
    let one = world.agent("vm1");
    let first = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(first, DeployOptions::default())).unwrap();
    world.run(world.control.set_host_status(&vm1(), HostStatus::Draining)).unwrap();
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    assert!(matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. })));
}

/// An update that is under way has stopped what was seen running, or does so in a moment.
#[test]
fn whatever_follows_an_update_that_was_cut_off_does_not_take_its_container_for_running() {
    let old = || stack("shop", vec![container("db", "vm1", None, &[])]);
    // What has come between, and nothing of which was begun.
    for (overtakes, between) in
        [("start", 0), ("deployment", 0), ("start", 1), ("deployment", 1), ("start", 2), ("deployment", 40)]
    {
        let world = World::new();
        let one = world.agent("vm1");
        world.run(world.control.deploy(old(), DeployOptions::default())).unwrap();
        while one.work() > 0 {}
        world.tick();
        let start = || world.run(world.control.act_on_stack("shop", DeploymentKind::Start, None)).unwrap();
        assert_eq!(start().task_count, 0, "it runs");
        world.tick();
        world.run(world.control.deploy(changed(), DeployOptions::default())).unwrap();
        let begun: Vec<Task> = std::iter::from_fn(|| Some(one.claim()).filter(|tasks| !tasks.is_empty()))
            .flatten()
            .filter(|task| {
                let is_it = task.plan_id.starts_with("update:");
                if !is_it {
                    one.succeed(task);
                }
                is_it
            })
            .collect();
        assert_eq!(begun.len(), 1);
        for number in 0..between {
            let mut other = old();
            other.description = Some(format!("another, {number}"));
            world.run(world.control.deploy(other, DeployOptions::default())).unwrap();
            if number == 0 {
                one.report(&begun[0], &Outcome::Cancelled);
            }
        }
        let follows = match overtakes {
            "start" => start(),
            _ => world.run(world.control.deploy(old(), DeployOptions::default())).unwrap(),
        };
        assert!(follows.task_count > 0, "{overtakes} after {between}: nobody looks whether `db` runs");
    }
}
