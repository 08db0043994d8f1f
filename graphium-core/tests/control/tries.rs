//! Moves that fail are tried elsewhere, and none waits for ever for a host that is away.

use crate::{
    moving::{deploy, fail, free, place, plan_ids, remaining, said, set, shop_on_one},
    world::{Hand, World, stack},
};
use graphium_core::{
    action::Action,
    control::{DeploymentKind, RemainingState, StackStatus},
    inventory::HostStatus,
    stack::{Mode, Stack},
};
use std::time::Duration;

/// Time passes, in which these agents do what there is to do.
fn live(world: &World, seconds: u64, hands: &[&Hand<'_>]) {
    for _ in 0..seconds {
        world.environment.advance(Duration::from_secs(1));
        while hands.iter().map(|hand| hand.work()).sum::<usize>() > 0 {}
        world.tick();
    }
}

/// Does what there is to do on a host, but for containers: they fail.
fn fail_all(world: &World, hand: &Hand<'_>) -> usize {
    let mut failed = 0;
    loop {
        let tasks = hand.claim();
        if tasks.is_empty() {
            world.tick();
            return failed;
        }
        for task in tasks {
            if matches!(&*task.payload, Action::Deploy { .. }) {
                fail(hand, &task);
                failed += 1;
            } else {
                hand.succeed(&task);
            }
        }
    }
}

#[test]
fn a_move_that_failed_on_one_host_goes_to_another_that_takes_it_and_says_where_it_failed() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    let three = world.agent("vm3");
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    assert_eq!(place(&world, "shop", "web"), "vm2");
    assert_eq!(fail_all(&world, &two), 1);
    let line = remaining(&world.control, &world, "vm1").into_iter().find(|line| line.container == "web").unwrap();
    assert_eq!(line.state, RemainingState::Waiting);
    assert!(line.why.ends_with("; it failed on `vm2` (try 1): deploy:web: it is not there"), "{}", line.why);
    let tried = &line.tried[0];
    assert_eq!((tried.host_id.as_str(), tried.attempt, line.tried.len()), ("vm2", 1, 1));
    // The next fails on the other: then there is none but those that have failed.
    live(&world, 25, &[&one, &two, &three]);
    live(&world, 11, &[&one]);
    assert_eq!(place(&world, "shop", "web"), "vm3");
    two.work();
    assert_eq!(fail_all(&world, &three), 1);
    let line = remaining(&world.control, &world, "vm1").into_iter().find(|line| line.container == "web").unwrap();
    assert_eq!(line.tried.iter().map(|tried| tried.attempt).collect::<Vec<_>>(), [1, 2], "{}", line.why);
    live(&world, 70, &[&one, &two, &three]);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm3", StackStatus::Running));
    let shown = world.run(world.control.stack("shop")).unwrap();
    let last = world.run(world.control.deployment(&shown.deployment_id)).unwrap().leaving.unwrap();
    assert_eq!((last.attempt, last.tried.len()), (3, 2));
}

#[test]
fn an_image_that_cannot_be_pulled_on_one_host_is_had_on_another() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    let three = world.agent("vm3");
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    loop {
        let tasks = two.claim();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            match &*task.payload {
                Action::Pull { .. } => fail(&two, &task),
                _ => two.succeed(&task),
            }
        }
    }
    world.tick();
    let (_, _, why) = said(&world, "vm1").into_iter().find(|(name, ..)| name == "shop/web").unwrap();
    assert!(why.contains("; it failed on `vm2` (try 1): pull:"), "{why}");
    live(&world, 40, &[&one, &two, &three]);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm3", StackStatus::Running));
}

#[test]
fn a_stack_of_one_host_is_tried_elsewhere_as_a_whole() {
    let world = World::new();
    let one = world.agent("vm1");
    let mut whole: Stack = stack("shop", vec![free("db"), free("web")]);
    whole.deployment.mode = Mode::SingleHost;
    deploy(&world, whole, &[&one]);
    let (two, three) = (world.agent("vm2"), world.agent("vm3"));
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    let mut failed = false;
    loop {
        let tasks = two.claim();
        if tasks.is_empty() {
            break;
        }
        for task in tasks {
            match &*task.payload {
                Action::Deploy { .. } if !failed => {
                    failed = true;
                    fail(&two, &task);
                }
                _ => two.succeed(&task),
            }
        }
    }
    world.tick();
    live(&world, 40, &[&one, &two, &three]);
    assert_eq!(place(&world, "shop", "db"), "vm3");
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm3", StackStatus::Running));
}

#[test]
fn a_move_to_a_host_that_goes_away_ends_and_is_tried_elsewhere() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    let three = world.agent("vm3");
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    assert_eq!(place(&world, "shop", "web"), "vm2");
    assert!(!two.claim().is_empty(), "it begins, and is heard no more");
    live(&world, 300, &[&one, &three]);
    assert_eq!(world.status("shop"), StackStatus::Updating, "it may come back");
    live(&world, 25, &[&one, &three]);
    let (name, _, why) = said(&world, "vm1").into_iter().find(|(name, ..)| name == "shop/web").unwrap();
    assert!(
        why.contains("it failed on `vm2` (try 1): ") && why.contains("offline since 2026-01-01T00:00:1"),
        "{name}: {why}"
    );
    live(&world, 60, &[&one, &three]);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm3", StackStatus::Running));

    // What it may have made is removed when it is back, and nothing moves there again.
    let shown = world.run(world.control.stack("shop")).unwrap();
    world.environment.advance(Duration::from_secs(6));
    two.try_claim().unwrap();
    two.observe(&[]);
    world.tick();
    let left = two.claim();
    assert_eq!(plan_ids(&left)[0], "delete:shop-web@vm2", "{left:?}");
    left.iter().for_each(|task| two.succeed(task));
    live(&world, 30, &[&one, &two, &three]);
    assert_eq!(world.run(world.control.forgotten()).unwrap(), []);
    let after = world.run(world.control.stack("shop")).unwrap();
    assert_eq!((after.deployment_id, after.status), (shown.deployment_id, StackStatus::Running));
}

#[test]
fn a_move_whose_only_target_is_away_waits_for_it_in_words_and_not_in_tries() {
    let world = World::new();
    let (one, two) = shop_on_one(&world);
    set(&world, "vm1", HostStatus::Draining);
    world.tick();
    two.claim();
    live(&world, 3 * 3600, &[&one]);
    let moves = world.run(world.control.deployments(None)).unwrap();
    assert_eq!(moves.iter().filter(|state| state.kind == DeploymentKind::Move).count(), 1);
    let (_, _, why) = said(&world, "vm1").into_iter().find(|(name, ..)| name == "shop/web").unwrap();
    assert!(why.contains("`vm2`"), "{why}");
    two.try_claim().unwrap();
    two.observe(&[]);
    live(&world, 60, &[&one, &two]);
    assert_eq!((place(&world, "shop", "web").as_str(), world.status("shop")), ("vm2", StackStatus::Running));
}
