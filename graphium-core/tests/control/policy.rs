//! What is done about a stack without anybody asking: said with a deployment, kept with the stack.

use crate::world::{World, container, shop, stack};
use graphium_core::{
    control::{DeployOptions, PolicyChange},
    stack::OnDrift,
};

pub(crate) fn on_drift(word: OnDrift) -> DeployOptions {
    DeployOptions {
        policy: PolicyChange { on_drift: Some(word), ..PolicyChange::default() },
        ..DeployOptions::default()
    }
}

#[test]
fn a_policy_is_kept_until_another_is_asked_for() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let work = || {
        while one.work() + two.work() > 0 {}
        world.tick();
    };
    let policy = || world.run(world.control.stack("shop")).unwrap().policy.on_drift;
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!(policy(), OnDrift::Repair, "a new stack is repaired");
    work();

    let more = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(more, on_drift(OnDrift::Report))).unwrap();
    work();
    assert_eq!(policy(), OnDrift::Report);
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    work();
    assert_eq!(policy(), OnDrift::Report, "nothing was said of it");
    assert_eq!(world.run(world.control.status("shop")).unwrap().policy.unwrap().on_drift, OnDrift::Report);
}

#[test]
fn a_policy_changes_where_nothing_else_does() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let policy = || world.run(world.control.stack("shop")).unwrap().policy.on_drift;
    let first = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap().deployment_id;
    let under_way = world.run(world.control.deploy(shop(), on_drift(OnDrift::Report))).unwrap();
    assert_eq!((under_way.deployment_id, policy()), (first.clone(), OnDrift::Report), "it is on its way");
    while one.work() + two.work() > 0 {}
    world.tick();
    let there = world.run(world.control.deploy(shop(), on_drift(OnDrift::Accept))).unwrap();
    assert_eq!((there.deployment_id, there.task_count), (first, 0), "all is as it should be");
    assert_eq!(policy(), OnDrift::Accept);
}
