//! The server's wall clock goes back, or is put forward.

use crate::{
    degraded::pass,
    moving::free,
    reschedule::{after, on_one, place},
    world::{World, stack},
};
use jiff::SignedDuration;

#[test]
fn a_clock_that_goes_back_puts_nothing_off_by_more_than_what_it_waits_anyway() {
    let world = World::new();
    let (_one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(60));
    pass(&world, 20, &[&two, &three]);
    world.environment.set_wall(SignedDuration::from_hours(-24));
    pass(&world, 50, &[&two, &three]);
    assert_eq!(place(&world, "web"), "vm1");
    pass(&world, 30, &[&two, &three]);
    assert_ne!(place(&world, "web"), "vm1");
}

#[test]
fn a_clock_that_is_put_forward_makes_no_silence_longer() {
    let world = World::new();
    let (one, two, three) = on_one(&world, stack("shop", vec![free("web")]), after(600));
    pass(&world, 1, &[&one, &two, &three]);
    pass(&world, 20, &[&two, &three]);
    world.environment.set_wall(SignedDuration::from_hours(24));
    pass(&world, 500, &[&two, &three]);
    assert_eq!(place(&world, "web"), "vm1");
    pass(&world, 100, &[&two, &three]);
    assert_ne!(place(&world, "web"), "vm1");
}
