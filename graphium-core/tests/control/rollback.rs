//! Deployments that fail and go back by themselves.

use crate::world::{Hand, World, container, shop, stack};
use graphium_core::{
    agent::AgentLink,
    control::{
        ControlError, DeployOptions, DeploymentKind, RemoveOptions, Revision, RevisionOutcome, RollbackState,
        StackStatus, Started,
    },
    event::EventType,
    inventory::{ContainerStatus, HostStatus},
    stack::{Container, OnFailure, Stack},
    store::{Kind, RecordQuery, SessionRequest, TaskStore, TaskStoreExt},
    task::{Outcome, Task, TaskError},
};
use jiff::SignedDuration;
use std::time::Duration;

pub(crate) fn options() -> DeployOptions {
    DeployOptions { on_failure: Some(OnFailure::Rollback), ..DeployOptions::default() }
}

/// The shop with another image of one of its containers.
fn changed(name: &str) -> Stack {
    let mut shop = shop();
    for definition in &mut shop.containers {
        if definition.name == name {
            *definition = Container { image: "nginx:bad".into(), ..Container::clone(definition) }.into();
        }
    }
    shop
}

/// The agent of a host that comes back, of which the server knows already what runs there.
pub(crate) fn again<'w>(world: &'w World, host: &str) -> Hand<'w> {
    let request = SessionRequest { host: host.into(), nonce: format!("{host}-again"), seen_epoch: 0 };
    let epoch = world.run(world.control.open_session(&request)).unwrap().session.epoch;
    Hand { world, host: host.into(), epoch }
}

pub(crate) fn fail(hand: &Hand<'_>, task: &Task) {
    let error = TaskError {
        code: "exited".into(),
        message: "container ended with exit code 1".into(),
        help: None,
        log: Vec::new(),
        retryable: false,
    };
    hand.report(task, &Outcome::Failed(error));
}

/// Works until nothing is to be had, and fails at what makes containers of the bad image.
fn work(world: &World, hands: &[&Hand<'_>]) -> Vec<String> {
    let mut done = Vec::new();
    loop {
        let before = done.len();
        world.tick();
        world.tick();
        for hand in hands {
            for task in hand.claim() {
                let is_bad = serde_json::to_string(&task.payload).unwrap().contains("nginx:bad");
                if is_bad && !task.plan_id.starts_with("pull") {
                    fail(hand, &task);
                } else {
                    hand.succeed(&task);
                }
                done.push(task.plan_id.clone());
            }
        }
        if done.len() == before {
            return done;
        }
    }
}

fn images(world: &World) -> Vec<String> {
    let inventory = world.run(world.control.inventory()).unwrap();
    inventory.containers.into_iter().map(|seen| format!("{}: {}", seen.name, seen.image)).collect()
}

fn events(world: &World, kind: EventType) -> usize {
    let events = world.run(world.store.events(0, 10_000)).unwrap();
    events.iter().filter(|event| event.kind == kind).count()
}

fn revisions(world: &World) -> Vec<Revision> {
    let revisions = world.run(world.store.documents::<Revision>(RecordQuery::of(Kind::Revision))).unwrap();
    revisions.into_iter().map(|revision| revision.value).collect()
}

pub(crate) fn running() -> (World, Started) {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let started = world.run(world.control.deploy(shop(), options())).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    (world, started)
}

#[test]
fn a_deployment_that_fails_ends_in_the_revision_before_on_every_host() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let mut both = changed("web");
    both.containers[0] = Container { image: "nginx:good".into(), ..Container::clone(&both.containers[0]) }.into();
    let failing = world.run(world.control.deploy(both, options())).unwrap();
    let done = work(&world, &[&one, &two]);
    assert_eq!(done.iter().filter(|id| *id == "update:db").count(), 2, "there and back: {done:?}");
    let shown = world.run(world.control.stack("shop")).unwrap();
    assert_eq!((shown.status, shown.revision, shown.error_message), (StackStatus::Running, 3, None));
    let ends = ["nginx:alpine", "nginx:alpine"];
    assert!(images(&world).iter().zip(ends).all(|(seen, image)| seen.ends_with(image)), "{:?}", images(&world));

    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!((failed.status, failed.rollback_state), (StackStatus::Error, Some(RollbackState::RolledBack)));
    assert!(failed.error_message.unwrap().contains("update:web on host `vm2` failed: container ended"));
    assert_eq!(failed.rollback_id.as_ref(), Some(&shown.deployment_id));
    let way = world.run(world.control.status("shop")).unwrap();
    let takes_back = way.takes_back.unwrap();
    assert_eq!((takes_back.revision, takes_back.to), (2, Some(1)));
    assert!(takes_back.reason.contains("exit code 1"), "the first failure's words are kept: {}", takes_back.reason);
    assert_eq!((events(&world, EventType::StackRollingBack), events(&world, EventType::StackRolledBack)), (1, 1));
    let outcomes: Vec<_> = revisions(&world).into_iter().map(|one| (one.outcome, one.restores)).collect();
    let (ran, back) = (Some(RevisionOutcome::Ran), Some(RevisionOutcome::RolledBack));
    assert_eq!(outcomes, [(ran, None), (back, None), (ran, Some(1))]);
}

#[test]
fn a_stack_that_goes_back_says_so_from_its_first_failure_on() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let failing = world.run(world.control.deploy(changed("db"), options())).unwrap();
    loop {
        let tasks = one.claim();
        let update = tasks.iter().find(|task| task.plan_id == "update:db").cloned();
        tasks.iter().filter(|task| task.plan_id != "update:db").for_each(|task| one.succeed(task));
        if let Some(update) = update {
            fail(&one, &update);
            break;
        }
    }
    let status = world.run(world.control.status(failing.deployment_id.as_str())).unwrap();
    assert_eq!((status.overall_status, status.rollback_state), (StackStatus::RollingBack, Some(RollbackState::Due)));
    world.tick();
    let shown = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(shown.status, StackStatus::RollingBack);
    assert!(shown.error_message.clone().unwrap().contains("back"), "{shown:?}");
    assert_ne!(world.run(world.control.stack("shop")).unwrap().deployment_id, failing.deployment_id);
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn what_runs_elsewhere_is_ended_before_the_way_back_is_planned() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let apart = |image: &str| {
        let with = |name: &str, host: &str| Container { image: image.into(), ..container(name, host, None, &[]) };
        stack("shop", vec![with("db", "vm1"), with("web", "vm2")])
    };
    world.run(world.control.deploy(apart("nginx:alpine"), options())).unwrap();
    work(&world, &[&one, &two]);
    world.run(world.control.deploy(apart("nginx:bad"), options())).unwrap();
    for hand in [&one, &two] {
        hand.claim().iter().for_each(|task| hand.succeed(task));
    }
    let (failing, held) = (one.claim(), two.claim());
    fail(&one, &failing[0]);
    world.tick();
    world.tick();
    assert!(one.claim().is_empty(), "the way back began while `web` is being updated");
    let status = world.run(world.control.status("shop")).unwrap();
    assert_eq!((status.overall_status, status.rollback_state), (StackStatus::RollingBack, Some(RollbackState::Due)));
    // It had removed the old one when it heard of it; what was seen of it is old.
    two.report(&held[0], &Outcome::Cancelled);
    let done = work(&world, &[&one, &two]);
    assert!(done.contains(&"update:web".to_owned()) && done.contains(&"update:db".to_owned()), "{done:?}");
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn what_a_first_deployment_made_is_taken_away_again_when_it_fails() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(changed("web"), options())).unwrap();
    let done = work(&world, &[&one, &two]);
    assert!(done.contains(&"delete:db@vm1".to_owned()) && done.contains(&"remove-network:vm2".to_owned()), "{done:?}");
    let shown = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(shown.status, StackStatus::Error);
    assert!(shown.placements.is_empty());
    let told = shown.error_message.unwrap();
    assert!(
        told.starts_with("revision 1 failed, and what it made was taken away again: deploy:web on host `vm2`"),
        "{told}"
    );
    assert!(images(&world).is_empty(), "{:?}", images(&world));
    assert_eq!((events(&world, EventType::StackRollingBack), events(&world, EventType::StackRolledBack)), (1, 1));
    // There is nothing to start, and so nothing that has run.
    for kind in [DeploymentKind::Start, DeploymentKind::Restart, DeploymentKind::Stop] {
        let refused = world.run(world.control.act_on_stack("shop", kind, None));
        assert!(matches!(&refused, Err(ControlError::Conflict { code: "nothing-deployed", .. })), "{refused:?}");
    }
    assert_eq!(world.status("shop"), StackStatus::Error);
    // It can be deployed, and removed, as any other.
    world.run(world.control.deploy(shop(), options())).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    world.run(world.control.remove("shop", RemoveOptions::default())).unwrap();
    work(&world, &[&one, &two]);
    assert!(matches!(world.run(world.control.stack("shop")), Err(ControlError::NotFound { .. })));
}

/// What the failed deployment of a world that has never run whole came to.
fn left_as_it_is(world: &World, failing: &Started) -> String {
    let state = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!((state.status, state.rollback_state), (StackStatus::Error, Some(RollbackState::Impossible)));
    state.rollback_message.unwrap()
}

#[test]
fn what_serves_although_its_revision_never_ran_whole_is_not_taken_away_with_the_next_one() {
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    world.run(world.control.deploy(changed("web"), DeployOptions::default())).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Error, "`web` has failed, and `db` serves");
    let mut second = changed("web");
    second.containers[1] =
        Container { working_dir: Some("/srv".into()), ..Container::clone(&second.containers[1]) }.into();
    let failing = world.run(world.control.deploy(second, options())).unwrap();
    let done = work(&world, &[&one, &two]);
    assert!(!done.iter().any(|id| id.starts_with("delete:")), "{done:?}");
    assert!(images(&world).iter().any(|seen| seen.starts_with("shop-db: ")), "{:?}", images(&world));
    assert!(left_as_it_is(&world, &failing).contains("none of it has run as a whole before"));
}

#[test]
fn what_was_there_before_the_store_knew_of_it_is_not_taken_away_with_a_first_deployment() {
    let (before, _) = running();
    let seen = before.run(before.control.inventory()).unwrap().containers;
    let world = World::new();
    let (one, two) = (world.agent("vm1"), world.agent("vm2"));
    let here = |host: &str| seen.iter().filter(|seen| seen.hosted_on.as_str() == host).cloned().collect::<Vec<_>>();
    one.observe(&here("vm1"));
    let failing = world.run(world.control.deploy(changed("web"), options())).unwrap();
    let done = work(&world, &[&one, &two]);
    assert!(!done.iter().any(|id| id.starts_with("delete:")), "{done:?}");
    assert!(images(&world).iter().any(|seen| seen.starts_with("shop-db: ")), "{:?}", images(&world));
    left_as_it_is(&world, &failing);
}

#[test]
fn a_revision_of_which_every_task_was_done_is_gone_back_to_whatever_became_of_a_container_since() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    // From its first moment on one of them ends again and again.
    let world_of_two = World::new();
    let hands = (world_of_two.agent("vm1"), world_of_two.agent("vm2"));
    world_of_two.run(world_of_two.control.deploy(shop(), options())).unwrap();
    for _ in 0..8 {
        for hand in [&hands.0, &hands.1] {
            for task in hand.claim() {
                hand.succeed(&task);
                let mut seen = world_of_two.run(world_of_two.control.inventory()).unwrap().containers;
                seen.retain(|seen| seen.hosted_on == hand.host);
                seen.iter_mut().for_each(|seen| seen.status = ContainerStatus::Restarting);
                hand.observe(&seen);
            }
        }
    }
    world_of_two.tick();
    assert_eq!(world_of_two.status("shop"), StackStatus::Error);
    for (world, one, two) in [(&world, &one, &two), (&world_of_two, &hands.0, &hands.1)] {
        let failing = world.run(world.control.deploy(changed("web"), options())).unwrap();
        work(world, &[one, two]);
        let state = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
        assert_eq!(state.rollback_state, Some(RollbackState::RolledBack));
    }
}

#[test]
fn a_way_back_tells_every_host_that_is_not_as_before_when_all_of_it_has_ended() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let mut both = changed("web");
    both.containers[0] = Container { image: "nginx:good".into(), ..Container::clone(&both.containers[0]) }.into();
    let limit = Duration::from_secs(3_600);
    let options = DeployOptions { timeout: Some(limit), ..options() };
    let failing = world.run(world.control.deploy(both, options)).unwrap();
    let state = || world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    let mut told = Vec::new();
    for _ in 0..12 {
        world.tick();
        world.tick();
        let goes_back = state().rollback_id.is_some();
        for hand in [&one, &two] {
            for task in hand.claim() {
                let is_bad = goes_back || task.plan_id == "update:web";
                if is_bad && task.plan_id.starts_with("update:") {
                    fail(hand, &task);
                } else {
                    hand.succeed(&task);
                }
                world.tick();
                told.push((state().rollback_state, state().rollback_message.is_some()));
            }
        }
    }
    let (last, before) = told.split_last().unwrap();
    assert!(before.iter().all(|(state, _)| *state != Some(RollbackState::Failed)), "{told:?}");
    assert_eq!(*last, (Some(RollbackState::Failed), true));
    let message = state().rollback_message.unwrap();
    assert!(message.contains("host `vm1`") && message.contains("host `vm2`"), "{message}");
    let way = world.run(world.control.deployment(&state().rollback_id.unwrap())).unwrap();
    assert_eq!(way.deadline.unwrap().duration_since(way.started_at), SignedDuration::from_secs(3_600));
}

#[test]
fn a_failure_leaves_everything_as_it_is_unless_it_is_to_go_back() {
    for on_failure in [None, Some(OnFailure::Pause)] {
        let (world, _) = running();
        let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
        let options = DeployOptions { on_failure, ..DeployOptions::default() };
        let failing = world.run(world.control.deploy(changed("web"), options)).unwrap();
        work(&world, &[&one, &two]);
        let state = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
        assert_eq!((state.status, state.rollback_state), (StackStatus::Error, None));
        assert_eq!(world.run(world.control.stack("shop")).unwrap().deployment_id, failing.deployment_id);
        assert_eq!(revisions(&world)[1].outcome, Some(RevisionOutcome::Failed));
    }
}

#[test]
fn the_request_goes_before_the_document() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let mut document = changed("web");
    document.deployment.update.on_failure = Some(OnFailure::Rollback);
    let pause = DeployOptions { on_failure: Some(OnFailure::Pause), ..DeployOptions::default() };
    world.run(world.control.deploy(document.clone(), pause)).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Error);
    world.run(world.control.deploy(document, DeployOptions::default())).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
}

#[test]
fn a_way_back_that_fails_says_host_by_host_what_differs_and_is_not_taken_back() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let failing = world.run(world.control.deploy(changed("web"), options())).unwrap();
    let mut failures = 0;
    loop {
        let (first, second) = (one.claim(), two.claim());
        if first.is_empty() && second.is_empty() {
            break;
        }
        first.iter().for_each(|task| one.succeed(task));
        for task in second {
            if task.plan_id == "update:web" {
                failures += 1;
                fail(&two, &task);
            } else {
                two.succeed(&task);
            }
        }
        world.tick();
        world.tick();
    }
    assert_eq!(failures, 2, "there and back, and no more");
    let shown = world.run(world.control.stack("shop")).unwrap();
    assert_eq!(shown.status, StackStatus::Error);
    let told = shown.error_message.unwrap();
    let begin = "the way back to revision 1 failed: host `vm2` is not as before: update:web on host `vm2` failed";
    assert!(told.starts_with(begin) && told.contains("because revision 2 failed"), "{told}");
    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!(failed.rollback_state, Some(RollbackState::Failed));
    assert!(failed.rollback_message.unwrap().contains("host `vm2` is not as before"));
    // An operator's retry may bring it to its end.
    let way = world.run(world.control.status("shop")).unwrap();
    let task = way.tasks.iter().find(|shown| shown.task.plan_id == "update:web").unwrap().task.id.clone();
    world.run(world.control.retry_task(&task, "ann")).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!((failed.rollback_state, failed.rollback_message), (Some(RollbackState::RolledBack), None));
}

#[test]
fn there_is_no_way_back_to_what_has_just_failed_or_has_no_place() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let again = DeployOptions { pull_images: true, ..options() };
    let mut other = shop();
    other.deployment.update.on_failure = Some(OnFailure::Rollback);
    world.run(world.control.deploy(other, again)).unwrap();
    // The same containers, so nothing but pulling could fail: nothing is to be done.
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);

    let moved = stack("shop", vec![Container { image: "nginx:bad".into(), ..container("db", "vm1", None, &[]) }]);
    let failing = world.run(world.control.deploy(moved, options())).unwrap();
    world.run(world.control.set_host_status(&"vm2".into(), HostStatus::Draining)).unwrap();
    work(&world, &[&one, &two]);
    let shown = world.run(world.control.stack("shop")).unwrap();
    let state = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!((shown.status, state.rollback_state), (StackStatus::Error, Some(RollbackState::Impossible)));
    let told = shown.error_message.unwrap();
    assert!(told.contains("everything is left as it is: there is no way back to revision 2: "), "{told}");
    assert!(told.contains("vm2"), "{told}");
}

#[test]
fn whatever_crashes_in_between_it_goes_back_once() {
    let (mut world, _) = running();
    let failing = {
        let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
        let failing = world.run(world.control.deploy(changed("db"), options())).unwrap();
        loop {
            let tasks = one.claim();
            tasks
                .iter()
                .for_each(|task| if task.plan_id == "update:db" { fail(&one, task) } else { one.succeed(task) });
            if tasks.iter().any(|task| task.plan_id == "update:db") {
                break;
            }
        }
        while two.work() > 0 {}
        failing
    };
    // The server ends before it has settled anything, and two take its place.
    let other = World::start(&world.environment, &world.store);
    world.control = World::start(&world.environment, &world.store);
    for _ in 0..3 {
        world.run(other.tick()).unwrap();
        world.tick();
        let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
        work(&world, &[&one, &two]);
        world.control = World::start(&world.environment, &world.store);
    }
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert_eq!(events(&world, EventType::StackRollingBack), 1);
    assert_eq!(revisions(&world).len(), 3);
    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!(failed.rollback_state, Some(RollbackState::RolledBack));
}

#[test]
fn a_deployment_during_the_way_back_takes_its_place() {
    let (world, _) = running();
    let (one, two) = (again(&world, "vm1"), again(&world, "vm2"));
    let failing = world.run(world.control.deploy(changed("web"), options())).unwrap();
    loop {
        world.tick();
        let state = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
        if state.rollback_state == Some(RollbackState::RollingBack) {
            break;
        }
        one.claim().iter().for_each(|task| one.succeed(task));
        for task in two.claim() {
            if task.plan_id == "update:web" { fail(&two, &task) } else { two.succeed(&task) }
        }
    }
    let mut wanted = shop();
    wanted.containers[0] = Container { image: "nginx:new".into(), ..Container::clone(&wanted.containers[0]) }.into();
    world.run(world.control.deploy(wanted, options())).unwrap();
    work(&world, &[&one, &two]);
    assert_eq!(world.status("shop"), StackStatus::Running);
    assert!(images(&world).contains(&"shop-db: nginx:new".to_owned()), "{:?}", images(&world));
    let failed = world.run(world.control.deployment(&failing.deployment_id)).unwrap();
    assert_eq!(failed.rollback_state, Some(RollbackState::Overtaken));
    assert_eq!(revisions(&world)[2].outcome, Some(RevisionOutcome::Overtaken));
}
