//! Tasks that stop a container have the time that it may take.

use crate::world::{World, container, stack};
use graphium_core::{
    action::TaskType,
    control::{DeployOptions, DeploymentKind, RemoveOptions},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

#[test]
fn a_container_that_takes_long_to_stop_is_given_that_time_by_every_task_that_stops_it() {
    let world = World::new();
    let one = world.agent("vm1");
    let shop = |image: &str| {
        let mut shop = stack("shop", vec![container("db", "vm1", None, &[]), container("web", "vm1", None, &[])]);
        let db = Arc::make_mut(&mut shop.containers[0]);
        db.stop_grace_period = Some(Duration::from_secs(600));
        db.image = image.to_owned();
        shop
    };
    let times = || {
        let status = world.run(world.control.status("shop")).unwrap();
        while one.work() > 0 {}
        world.tick();
        let tasks = status.tasks.into_iter().map(|view| view.task);
        tasks
            .map(|task| ((task.task_type, task.payload.subject().to_owned()), task.timeout_seconds))
            .collect::<BTreeMap<_, _>>()
    };
    let usual = |task: TaskType| task.defaults().timeout_seconds;
    let of = |times: &BTreeMap<(TaskType, String), u64>, task, name: &str| times[&(task, name.to_owned())];
    world.run(world.control.deploy(shop("postgres:16"), DeployOptions::default())).unwrap();
    assert_eq!(of(&times(), TaskType::Deploy, "shop-db"), usual(TaskType::Deploy), "it stops nothing");
    world.run(world.control.deploy(shop("postgres:17"), DeployOptions::default())).unwrap();
    assert_eq!(of(&times(), TaskType::Update, "shop-db"), usual(TaskType::Update) + 600);
    world.run(world.control.act_on_stack("shop", DeploymentKind::Stop, None)).unwrap();
    let stops = times();
    assert_eq!(of(&stops, TaskType::Stop, "shop-db"), usual(TaskType::Stop) + 600);
    assert_eq!(of(&stops, TaskType::Stop, "shop-web"), usual(TaskType::Stop));
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    assert_eq!(of(&times(), TaskType::Delete, "shop-db"), usual(TaskType::Delete) + 600);
}
