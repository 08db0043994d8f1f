//! Plans are told to whoever is interested in how long they take.

use crate::world::{World, shop};
use futures::FutureExt as _;
use graphium_core::{
    control::{DeployOptions, RemoveOptions},
    store::{TaskQuery, TaskStore},
};
use std::sync::{Arc, Mutex};

#[test]
fn every_plan_that_somebody_asks_for_is_told_once_and_before_it_is_stored() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let told: Arc<Mutex<Vec<(String, usize, usize)>>> = Arc::default();
    let (hears, store) = (Arc::clone(&told), Arc::clone(&world.store));
    world.control.tell_plans_to(move |planned| {
        let stored = store.tasks(&TaskQuery::default()).now_or_never().unwrap().unwrap().items.len();
        hears.lock().unwrap().push((planned.stack.to_string(), planned.tasks, stored));
    });
    world.control.tell_plans_to(|_| panic!("a second listener hears nothing"));
    let heard = || std::mem::take(&mut *told.lock().unwrap());

    let seen = world.run(world.control.preview(&shop(), &DeployOptions::default())).unwrap();
    assert_eq!(heard(), [(seen.stack.to_string(), seen.tasks.len(), 0)], "one that is only looked at");
    let deployed = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!(heard(), [(deployed.stack_id.to_string(), deployed.task_count, 0)]);
    while one.work() + two.work() > 0 {}
    world.tick();
    let removed = world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    assert_eq!(heard(), [(removed.stack_id.to_string(), removed.task_count, deployed.task_count)]);
}
