//! What is over is let go of in time; what is present stays.

use crate::world::{World, shop};
use graphium_core::{
    control::{DeployOptions, DeploymentKind, RemoveOptions, Retention},
    id::DeploymentId,
    stack::OnFailure,
    store::{TaskQuery, TaskStore, TaskStoreExt},
};
use std::{collections::BTreeSet, time::Duration};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Deployments of which there are tasks.
fn deployments(world: &World) -> BTreeSet<DeploymentId> {
    let tasks = world.run(world.store.all_tasks(TaskQuery::default())).unwrap();
    tasks.into_iter().filter_map(|task| task.deployment_id).collect()
}

#[test]
fn a_week_later_the_present_deployment_of_a_stack_is_left_and_the_others_are_gone() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let work = || {
        while one.work() + two.work() > 0 {}
        world.tick();
    };
    let first = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap().deployment_id;
    work();
    let second = world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap().deployment_id;
    work();
    assert_eq!(deployments(&world), [first.clone(), second.clone()].into());
    world.environment.advance(6 * DAY);
    world.tick();
    assert_eq!(deployments(&world).len(), 2, "a week has not passed");
    world.environment.advance(2 * DAY);
    world.tick();
    assert_eq!(deployments(&world), [second.clone()].into());
    world.run(world.control.deployment(&second)).unwrap();
    assert!(world.run(world.control.deployment(&first)).is_err(), "its record went with its tasks");
    assert!(world.run(world.store.events(0, 10)).is_err(), "the events of that time are gone");
    // It is present, and goes on: what is gone was of no use to it.
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    work();
    world.environment.advance(8 * DAY);
    world.tick();
    assert_eq!(deployments(&world), BTreeSet::new());
}

#[test]
fn a_deployment_that_had_nothing_to_do_goes_with_its_time_too() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let work = || {
        while one.work() + two.work() > 0 {}
        world.tick();
    };
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    work();
    let mut other = shop();
    other.deployment.update.on_failure = Some(OnFailure::Rollback);
    let idle = world.run(world.control.deploy(other, DeployOptions::default())).unwrap();
    assert_eq!(idle.task_count, 0);
    work();
    world.environment.advance(8 * DAY);
    world.tick();
    world.run(world.control.deployment(&idle.deployment_id)).unwrap();
    let stopped = world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap().deployment_id;
    work();
    world.environment.advance(Duration::from_secs(600));
    world.tick();
    let left = world.run(world.control.deployments(None)).unwrap();
    assert_eq!(left.into_iter().map(|state| state.id).collect::<Vec<_>>(), [stopped], "it is present no longer");
}

#[test]
fn the_store_is_asked_now_and_then_and_not_at_every_tick() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.tick();
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    while one.work() + two.work() > 0 {}
    world.environment.set_wall(jiff::SignedDuration::from_hours(24 * 30));
    let every = Retention::default().every;
    world.environment.advance(every / 2);
    world.tick();
    assert_eq!(deployments(&world).len(), 2);
    world.environment.advance(every / 2);
    world.tick();
    assert_eq!(deployments(&world).len(), 0);
}
