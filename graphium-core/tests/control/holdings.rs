//! Networks and volumes that bear our labels and that nobody wants.

use crate::world::{World, stack};
use graphium_core::{
    control::{ControlError, DeployOptions, OrphanReason, RemoveOptions, StackStatus},
    id::{HostId, StackId},
    inventory::{Holding, HoldingKind, Holdings},
    stack::{Container, Stack},
    store::{Kind, RecordQuery, TaskStoreExt},
    task::{Outcome, TaskError},
};
use serde_json::json;
use std::time::Duration;

fn network(name: &str, stack: &str) -> Holding {
    Holding { kind: HoldingKind::Network, name: name.to_owned(), stack_id: Some(StackId::new(stack)) }
}

fn volume(name: &str, stack: &str) -> Holding {
    Holding { kind: HoldingKind::Volume, ..network(name, stack) }
}

fn orphans(world: &World) -> Vec<(String, OrphanReason)> {
    let orphans = world.run(world.control.orphans()).unwrap();
    orphans.into_iter().map(|orphan| (orphan.id, orphan.reason)).collect()
}

/// A stack with one container that mounts volumes of these names.
fn mounting(name: &str, volumes: &[&str]) -> Stack {
    let mounts: Vec<_> = volumes
        .iter()
        .map(|volume| json!({"type": "volume", "source": volume, "target": format!("/{volume}")}))
        .collect();
    let container: Container = serde_json::from_value(json!({
        "@id": format!("container:{name}-db"), "name": "db", "image": "postgres:16", "locatedInHost": "vm1",
        "volumeMounts": mounts
    }))
    .unwrap();
    stack(name, vec![container])
}

fn up(world: &World, hand: &crate::world::Hand<'_>, stack: Stack) {
    let name = stack.name.clone();
    world.run(world.control.deploy(stack, DeployOptions::default())).unwrap();
    while hand.work() > 0 {}
    world.tick();
    assert_eq!(world.status(&name), StackStatus::Running);
}

#[test]
fn what_no_container_uses_is_told_with_its_reason() {
    let world = World::new();
    let one = world.agent("vm1");
    up(&world, &one, mounting("shop", &["data", "old"]));
    let all = [
        network("blog", "stack:blog"),
        network("shop", "stack:shop"),
        volume("blog_data", "stack:blog"),
        volume("shop_data", "stack:shop"),
        volume("shop_old", "stack:shop"),
        Holding { stack_id: None, ..volume("whose", "") },
    ];
    one.observe_holdings(&all);
    let gone = [("vm1/network:blog", OrphanReason::NoStack), ("vm1/volume:blog_data", OrphanReason::NoStack)];
    let gone = gone.map(|(id, reason)| (id.to_owned(), reason));
    assert_eq!(orphans(&world), gone);

    up(&world, &one, mounting("shop", &["data"]));
    let mut told = gone.to_vec();
    told.push(("vm1/volume:shop_old".to_owned(), OrphanReason::NotWanted));
    assert_eq!(orphans(&world), told);

    // What another's container uses is wanted, whoever made it.
    let mut wiki = mounting("wiki", &["blog_data"]);
    wiki.volumes = vec![serde_json::from_value(json!({"name": "blog_data", "external": true})).unwrap()];
    wiki.network = Some(serde_json::from_value(json!({"name": "blog", "external": true})).unwrap());
    up(&world, &one, wiki);
    assert_eq!(orphans(&world), told[2..]);
}

#[test]
fn what_was_removed_since_the_last_look_is_no_orphan_and_what_was_kept_is() {
    let world = World::new();
    let one = world.agent("vm1");
    up(&world, &one, mounting("shop", &["data"]));
    let (net, data) = (network("shop", "stack:shop"), volume("shop_data", "stack:shop"));
    one.observe_holdings(&[net.clone(), data.clone()]);
    world.environment.advance(Duration::from_secs(20));
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    assert_eq!(orphans(&world), [], "its removal is under way");
    while one.work() > 0 {}
    world.tick();
    let kept = [("vm1/volume:shop_data".to_owned(), OrphanReason::NoStack)];
    assert_eq!(orphans(&world), kept, "nobody has looked since, and the network was removed");
    world.environment.advance(Duration::from_secs(20));
    one.observe_holdings(std::slice::from_ref(&data));
    assert_eq!(orphans(&world), kept);
    // An engine that makes a network late: what is seen after the removal is there.
    one.observe_holdings(&[net, data]);
    assert_eq!(orphans(&world)[0].0, "vm1/network:shop");
    up(&world, &one, mounting("shop", &["data"]));
    assert_eq!(orphans(&world), [], "a stack of that name has its own again");
}

#[test]
fn a_network_goes_when_asked_for_and_a_volume_only_by_a_second_word() {
    let world = World::new();
    let one = world.agent("vm1");
    one.observe_holdings(&[network("blog", "stack:blog"), volume("blog_data", "stack:blog")]);
    let host = HostId::new("vm1");
    let remove = |name: &str, volumes| world.run(world.control.remove_orphan(&host, name, volumes, None));
    assert!(matches!(remove("blog", false), Err(ControlError::NotFound { .. })), "there is no such container");
    let refused = remove("volume:blog_data", false);
    assert!(matches!(refused, Err(ControlError::Conflict { code: "data-would-go", .. })), "{refused:?}");
    let first = remove("network:blog", false).unwrap().task;
    assert_eq!((first.plan_id.as_str(), first.payload.subject()), ("remove-network:blog@vm1", "blog"));
    assert_eq!(remove("network:blog", false).unwrap().task.id, first.id, "it is under way");
    let second = remove("volume:blog_data", true).unwrap().task;
    assert_eq!(second.plan_id, "remove-volume:blog_data@vm1");
    while one.work() > 0 {}
    assert_eq!(orphans(&world), [], "both were removed since");
    one.observe_holdings(&[]);
    assert_eq!(orphans(&world), []);
}

#[test]
fn what_could_not_be_removed_is_told_with_what_went_wrong() {
    let world = World::new();
    let one = world.agent("vm1");
    up(&world, &one, mounting("shop", &["data"]));
    one.observe_holdings(&[network("shop", "stack:shop"), volume("shop_data", "stack:shop")]);
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    let fail = || {
        for task in one.claim() {
            if task.plan_id.starts_with("remove-network") {
                let error = TaskError {
                    code: "in-use".into(),
                    message: "something else is joined to it".into(),
                    help: None,
                    log: Vec::new(),
                    retryable: false,
                };
                one.report(&task, &Outcome::Failed(error));
            } else {
                one.succeed(&task);
            }
        }
    };
    (0..5).for_each(|_| fail());
    world.tick();
    let status = world.run(world.control.status("shop")).unwrap();
    assert_eq!(status.overall_status, StackStatus::Deleting, "{status:#?}");
    let told = orphans(&world);
    let [(id, OrphanReason::NotRemoved { error })] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(id, "vm1/network:shop", "the volume was not to be removed");
    assert!(error.contains("something else is joined to it"), "{error}");
}

#[test]
fn what_a_host_holds_is_written_when_it_changes_and_goes_with_it() {
    let world = World::new();
    let one = world.agent("vm1");
    let known = || world.run(world.store.documents::<Holdings>(RecordQuery::of(Kind::Holdings))).unwrap();
    one.observe_holdings(&[]);
    let first = known();
    one.observe_holdings(&[]);
    assert_eq!(known(), first, "nothing has changed");
    world.environment.advance(Duration::from_secs(601));
    one.observe_holdings(&[]);
    assert!(known()[0].version > first[0].version, "it is known to be so still");
    world.run(world.control.remove_host(&HostId::new("vm1"))).unwrap();
    assert_eq!(known(), []);
}
