//! Containers that bear our labels and that nobody wants.

use crate::world::{World, container, shop, stack};
use graphium_core::{
    control::{ControlError, DeployOptions, Orphan, OrphanReason, RemoveOptions, StackRecord, StackStatus},
    id::HostId,
    inventory::ObservedContainer,
    store::{Document, Expect, Kind, RecordQuery, Submission, TaskStore, TaskStoreExt},
    task::{Outcome, Task, TaskError, TaskStatus},
};

fn seen(world: &World) -> Vec<ObservedContainer> {
    let seen = world.run(world.store.documents::<ObservedContainer>(RecordQuery::of(Kind::Container))).unwrap();
    seen.into_iter().map(|seen| seen.value).collect()
}

fn orphans(world: &World) -> Vec<Orphan> {
    world.run(world.control.orphans()).unwrap()
}

fn reasons(world: &World) -> Vec<(String, OrphanReason)> {
    orphans(world).into_iter().map(|orphan| (orphan.id, orphan.reason)).collect()
}

/// A container of a stack, as another installation or an older revision has left it.
fn left(world: &World, name: &str, change: impl FnOnce(&mut ObservedContainer)) -> ObservedContainer {
    let mut left = seen(world).into_iter().find(|seen| seen.name == name).unwrap();
    change(&mut left);
    left
}

#[test]
fn what_no_stack_wants_where_it_is_is_an_orphan_and_tells_why() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    assert_eq!(orphans(&world), [], "nothing is there yet");
    while one.work() + two.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(orphans(&world), [], "everything is where it should be");
    let db = left(&world, "shop-db", |_| {});
    let foreign = left(&world, "shop-db", |seen| {
        seen.name = "mysql".to_owned();
        seen.labels.clear();
    });
    let unknown = left(&world, "shop-db", |seen| {
        seen.name = "blog-db".to_owned();
        seen.labels.insert("graphium.stack".to_owned(), "stack:blog".to_owned());
    });
    let unwanted = left(&world, "shop-db", |seen| {
        seen.name = "shop-cache".to_owned();
        seen.labels.insert("graphium.container".to_owned(), "cache".to_owned());
    });
    let renamed = left(&world, "shop-db", |seen| seen.name = "store-db".to_owned());
    let beside = left(&world, "shop-db", |seen| seen.name = "shop-db.NEXT".to_owned());
    let moved = left(&world, "shop-web", |_| {});
    one.observe(&[db, foreign, unknown, unwanted, renamed, beside, moved]);
    let expected = [
        ("vm1/blog-db", OrphanReason::NoStack),
        ("vm1/shop-cache", OrphanReason::NotWanted),
        ("vm1/shop-db.NEXT", OrphanReason::BrokenOff),
        ("vm1/shop-web", OrphanReason::Moved { to: HostId::new("vm2") }),
        ("vm1/store-db", OrphanReason::NotWanted),
    ];
    assert_eq!(reasons(&world), expected.map(|(id, reason)| (id.to_owned(), reason)));
}

#[test]
fn an_orphan_is_removed_by_its_host_and_nothing_else_is() {
    let world = World::new();
    let one = world.agent("vm1");
    let shop = || stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    let blog = left(&world, "shop-db", |seen| {
        seen.name = "blog-db".to_owned();
        seen.labels.insert("graphium.stack".to_owned(), "stack:blog".to_owned());
    });
    let db = left(&world, "shop-db", |_| {});
    one.observe(&[db.clone(), blog]);
    let remove =
        |name: &str| world.run(world.control.remove_orphan(&HostId::new("vm1"), name, false, Some("eve".to_owned())));
    for (name, host) in [("shop-db", "vm1"), ("nobody", "vm1")] {
        let refused = remove(name);
        assert!(
            matches!(&refused, Err(ControlError::NotFound { kind: "orphan", id }) if *id == format!("{host}/{name}"))
        );
    }
    let task = remove("blog-db").unwrap().task;
    assert_eq!(task.why, "nobody wants it: its stack is not known here");
    assert_eq!(task.created_by.as_deref(), Some("eve"));
    assert_eq!(remove("blog-db").unwrap().task.id, task.id, "it is under way");
    let claimed = one.claim();
    assert_eq!(claimed.iter().map(|task| task.payload.subject()).collect::<Vec<_>>(), ["blog-db"]);
    one.succeed(&claimed[0]);
    one.observe(&[db]);
    assert_eq!(orphans(&world), []);
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(world.run(world.control.task(&task.id)).unwrap().task.status, TaskStatus::Completed);
}

#[test]
fn what_a_removal_could_not_take_away_is_an_orphan_with_what_went_wrong() {
    let world = World::new();
    let one = world.agent("vm1");
    let shop = stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop, DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    assert_eq!(orphans(&world), [], "its removal is under way");
    let failed = fails("the engine holds it");
    loop {
        let tasks = one.claim();
        if tasks.is_empty() {
            break;
        }
        tasks.iter().for_each(|task| one.report(task, &failed));
    }
    world.tick();
    let told = reasons(&world);
    let [(id, OrphanReason::NotRemoved { error })] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(id, "vm1/shop-db");
    assert!(error.contains("the engine holds it"), "{error}");
}

#[test]
fn a_removal_that_failed_is_asked_for_again_and_not_tried_again_as_a_task() {
    let world = World::new();
    let one = world.agent("vm1");
    let shop = || stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    let cache = left(&world, "shop-db", |seen| {
        seen.name = "shop-cache".to_owned();
        seen.labels.insert("graphium.container".to_owned(), "cache".to_owned());
    });
    let db = left(&world, "shop-db", |_| {});
    one.observe(&[db, cache]);
    let remove =
        || world.run(world.control.remove_orphan(&HostId::new("vm1"), "shop-cache", false, None)).unwrap().task;
    let first = remove();
    one.claim().iter().for_each(|task| one.report(task, &fails("the engine holds it")));
    let refused = world.run(world.control.retry_task(&first.id, "eve"));
    let Err(ControlError::Conflict { message, .. }) = refused else { panic!("{refused:?}") };
    assert!(message.contains("`graphium orphans`") && message.contains("`vm1/shop-cache`"), "{message}");
    assert_ne!(remove().id, first.id);
}

fn fails(message: &str) -> Outcome {
    let (code, message) = ("in-use".to_owned(), message.to_owned());
    Outcome::Failed(TaskError { code, message, help: None, log: Vec::new(), retryable: false })
}

#[test]
fn what_serves_until_a_failed_deployment_comes_to_its_end_is_no_orphan() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let on = |host: &str| stack("shop", vec![container("db", host, None, &[]), container("web", "vm1", None, &[])]);
    world.run(world.control.deploy(on("vm1"), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    world.run(world.control.deploy(on("vm2"), DeployOptions::default())).unwrap();
    while let tasks = two.claim()
        && !tasks.is_empty()
    {
        tasks.iter().for_each(|task| match task.plan_id.as_str() {
            "deploy:db" => two.report(task, &fails("no room")),
            _ => two.succeed(task),
        });
    }
    while one.work() > 0 {}
    world.tick();
    assert_eq!(world.status("shop"), StackStatus::Error);
    assert_eq!(orphans(&world), [], "`db` on vm1 is what serves");
    // The next one moves it, and cannot take the old one away.
    world.run(world.control.deploy(on("vm2"), DeployOptions::default())).unwrap();
    two.work();
    while let tasks = one.claim()
        && !tasks.is_empty()
    {
        tasks.iter().for_each(|task| one.report(task, &fails("the engine holds it")));
    }
    world.tick();
    let error = "the engine holds it".to_owned();
    assert_eq!(reasons(&world), [("vm1/shop-db".to_owned(), OrphanReason::NotRemoved { error })]);
}

#[test]
fn a_deployment_takes_the_place_of_the_removal_of_what_it_wants() {
    let world = World::new();
    let one = world.agent("vm1");
    let shop = || stack("shop", vec![container("db", "vm1", None, &[])]);
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    while one.work() > 0 {}
    world.tick();
    let record = world.run(world.store.document::<StackRecord>("stack:shop")).unwrap().unwrap().value;
    let forgotten = Submission { records: vec![record.removal(Expect::Any)], ..Submission::default() };
    world.run(world.store.submit(forgotten, jiff::Timestamp::UNIX_EPOCH)).unwrap();
    let remove = || world.run(world.control.remove_orphan(&HostId::new("vm1"), "shop-db", false, None)).unwrap().task;
    // One that has not begun does not begin any more.
    let queued = remove();
    world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let status = |task: &Task| world.run(world.control.task(&task.id)).unwrap().task.status;
    assert_eq!(status(&queued), TaskStatus::Cancelled);
    while one.work() > 0 {}
    world.tick();
    assert_eq!((world.status("shop"), orphans(&world)), (StackStatus::Running, Vec::new()));
    // Of one that has begun nobody knows how far it came: the container gets a task that looks.
    let record = world.run(world.store.document::<StackRecord>("stack:shop")).unwrap().unwrap().value;
    let forgotten = Submission { records: vec![record.removal(Expect::Any)], ..Submission::default() };
    world.run(world.store.submit(forgotten, jiff::Timestamp::UNIX_EPOCH)).unwrap();
    remove();
    let begun = one.claim();
    assert_eq!(begun.len(), 1);
    let started = world.run(world.control.deploy(shop(), DeployOptions::default())).unwrap();
    let tasks = world.run(world.control.status(started.deployment_id.as_str())).unwrap().tasks;
    assert!(tasks.iter().any(|shown| shown.task.plan_id == "update:db"), "{tasks:?}");
}
