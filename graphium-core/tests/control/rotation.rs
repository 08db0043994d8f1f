//! Agents' credentials are replaced, and whatever goes wrong meanwhile, one of them is good.

use crate::world::World;
use graphium_core::{
    control::{Control, ControlError, Role, TokenRecord},
    environment::Environment,
    id::HostId,
};
use jiff::SignedDuration;
use std::time::Duration;

fn hash(number: u32) -> String {
    format!("{number:064x}").chars().rev().collect()
}

fn credential(world: &World, number: u32) -> TokenRecord {
    let expires = world.control.agents_credential_expires();
    let record = TokenRecord::new(hash(number), Role::Agent, world.environment.now());
    TokenRecord { host: Some(HostId::new("vm1")), expires, ..record }
}

fn issue(world: &World, number: u32) -> TokenRecord {
    let record = credential(world, number);
    world.run(world.control.issue_token(record.clone())).unwrap();
    record
}

fn good(control: &Control, world: &World, number: u32) -> Option<TokenRecord> {
    world.run(control.token_by_hash(&hash(number))).unwrap()
}

/// What the server does when a request bears it.
fn used(world: &World, number: u32) {
    let token = good(&world.control, world, number).unwrap();
    if world.control.is_use_of_note(&token) {
        world.run(world.control.note_use(&token));
    }
}

#[test]
fn the_one_before_is_good_until_its_successor_was_used_and_a_little_longer() {
    let world = World::new();
    let old = issue(&world, 1);
    assert!(!world.control.is_to_be_replaced(&old));
    world.environment.advance(Duration::from_secs(61 * 86_400));
    assert!(world.control.is_to_be_replaced(&old));
    world.run(world.control.replace_credential(&old, credential(&world, 2))).unwrap();
    // The answer is on its way for days: nothing ends for that.
    world.environment.advance(Duration::from_secs(10 * 86_400));
    used(&world, 1);
    assert!(good(&world.control, &world, 1).is_some_and(|old| world.control.is_to_be_replaced(&old)));
    used(&world, 2);
    let (old, new) = (good(&world.control, &world, 1).unwrap(), good(&world.control, &world, 2).unwrap());
    assert!(!world.control.is_to_be_replaced(&old) && !world.control.is_to_be_replaced(&new));
    assert_eq!(old.expires.unwrap(), world.environment.now() + SignedDuration::from_mins(15));
    assert_eq!((new.replaces.clone(), new.host), (None, Some(HostId::new("vm1"))));
    world.environment.advance(Duration::from_secs(900));
    assert!(good(&world.control, &world, 1).is_none() && good(&world.control, &world, 2).is_some());
}

#[test]
fn of_answers_that_were_lost_nothing_is_left() {
    let world = World::new();
    let old = issue(&world, 1);
    for number in 2..5 {
        world.run(world.control.replace_credential(&old, credential(&world, number))).unwrap();
    }
    let live: Vec<_> = (1..5).filter(|number| good(&world.control, &world, *number).is_some()).collect();
    assert_eq!(live, [1, 4], "the one before, and what was made last");
    used(&world, 4);
    // Asked again with what it had before: that one has had its successor, and gets no other.
    let old = good(&world.control, &world, 1).unwrap();
    assert!(!world.control.is_to_be_replaced(&old));
}

#[test]
fn one_that_is_revoked_has_no_successor() {
    let world = World::new();
    let old = issue(&world, 1);
    world.run(world.control.replace_credential(&old, credential(&world, 2))).unwrap();
    world.run(world.control.revoke_token(&old.id)).unwrap();
    assert!(good(&world.control, &world, 1).is_none() && good(&world.control, &world, 2).is_none());
    let late = world.run(world.control.replace_credential(&old, credential(&world, 3)));
    assert!(matches!(late, Err(ControlError::NotFound { .. })), "{late:?}");
    assert!(good(&world.control, &world, 3).is_none());
}

#[test]
fn an_administrator_has_the_credential_of_one_host_replaced_at_once() {
    let world = World::new();
    let lasting = TokenRecord { expires: None, ..credential(&world, 1) };
    world.run(world.control.issue_token(lasting)).unwrap();
    let other = TokenRecord { host: Some(HostId::new("vm2")), ..credential(&world, 2) };
    world.run(world.control.issue_token(other)).unwrap();
    world.run(world.control.rotate_credential(&HostId::new("vm1"))).unwrap();
    let due = |number| world.control.is_to_be_replaced(&good(&world.control, &world, number).unwrap());
    assert!(due(1) && !due(2));
    let none = world.run(world.control.rotate_credential(&HostId::new("vm3")));
    assert!(matches!(none, Err(ControlError::NotFound { .. })), "{none:?}");
    world
        .run(world.control.replace_credential(&good(&world.control, &world, 1).unwrap(), credential(&world, 3)))
        .unwrap();
    used(&world, 3);
    assert!(!due(1) && !due(3));
}
