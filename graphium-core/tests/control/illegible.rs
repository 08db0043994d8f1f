//! A record that cannot be read: written by hand, by a disk, or by a program of another time.

use crate::world::{World, shop};
use futures::future::{Either, select};
use graphium_core::{
    control::{DeployOptions, StackStatus},
    environment::Environment,
    store::{Expect, Key, Kind, RecordWrite, Submission, TaskStore},
};
use serde_json::json;
use std::{
    pin::pin,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Puts a record where it is none of its kind, or takes it away.
async fn put(world: &World, kind: Kind, id: &str, is_there: bool) {
    let record = RecordWrite {
        key: Key::new(kind, id),
        expect: Expect::Any,
        stack: None,
        host: None,
        body: is_there.then(|| Arc::new(json!({"status": "no such status"}))),
    };
    let submission = Submission { records: vec![record], ..Submission::default() };
    world.store.submit(submission, world.environment.now()).await.unwrap();
}

#[test]
fn what_is_under_way_ends_in_time_beside_it_and_each_tick_names_it() {
    for (kind, id) in [(Kind::Stack, "stack:broken"), (Kind::Deployment, "0-broken")] {
        let mut world = World::new();
        let (_vm1, _vm2) = (world.agent("vm1"), world.agent("vm2"));
        let options = DeployOptions { timeout: Some(Duration::from_secs(60)), ..DeployOptions::default() };
        let started = world.run(world.control.deploy(shop(), options)).unwrap();
        world.run(put(&world, kind, id, true));

        // The next server has the deployment, and nobody works on it any more.
        world.control = World::start(&world.environment, &world.store);
        for _ in 0..3 {
            let error = world.run(world.control.tick()).unwrap_err().to_string();
            assert!(error.contains(id), "it is not said which: {error}");
            world.environment.advance(Duration::from_secs(61));
        }
        let status = world.run(world.control.deployment(&started.deployment_id)).unwrap().status;
        assert_eq!(status, StackStatus::Error, "nobody has looked at its deadline");
    }
}

#[test]
fn who_runs_the_monitor_hears_what_it_could_not_do_and_that_it_can_again() {
    let world = World::new();
    let told = Mutex::new(Vec::new());
    world.run(async {
        put(&world, Kind::Deployment, "0-broken", true).await;
        let control = World::start_in(&world.environment, &world.store).await;
        let monitor = control.run_telling(|tick| told.lock().unwrap().push(tick.map_err(|error| error.to_string())));
        let script = async {
            world.environment.sleep(Duration::from_secs(30)).await;
            let so_far = std::mem::take(&mut *told.lock().unwrap());
            assert!(!so_far.is_empty());
            for tick in so_far {
                assert!(tick.unwrap_err().contains("0-broken"));
            }
            put(&world, Kind::Deployment, "0-broken", false).await;
            world.environment.sleep(Duration::from_secs(30)).await;
            assert_eq!(told.lock().unwrap().last(), Some(&Ok(())));
        };
        let Either::Left(_) = select(pin!(script), pin!(monitor)).await else { panic!("the monitor ended") };
    });
}
