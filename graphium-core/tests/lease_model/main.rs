//! A model of the lease protocol, searched whole within bounds: one task, two runs of a host's agent, a server that crashes, messages
//! that are lost, late, doubled and out of order. The server of the model is the [`Ledger`](graphium_core::store::ledger::Ledger) itself.
//!
//! The guards together keep every property; without any one of them a property breaks. Loss needs no step of its own: a message that is
//! never delivered is lost. Each stays in the network, so it is delivered late, again, and in any order.
#![allow(clippy::expect_used, clippy::panic, clippy::print_stdout, reason = "tests")]

mod guard;
mod model;
mod server;
mod world;

use guard::{Guard, TABLE};
use model::{Protocol, Scope};
use stateright::{Checker, HasDiscoveries, Model};

/// Searches all that can happen within a scope.
fn search(scope: Scope, without: Option<Guard>) -> impl Checker<Protocol> {
    let checker = Protocol { scope, without }.checker();
    let until = if without.is_some() { HasDiscoveries::AnyFailures } else { HasDiscoveries::All };
    checker.finish_when(until).spawn_bfs().join()
}

fn holds(scope: Scope) {
    let begun = std::time::Instant::now();
    let found = search(scope, None);
    println!("{scope:?}: {} states, {} deep, {:?}", found.unique_state_count(), found.max_depth(), begun.elapsed());
    // Every property that says what must never be, and every one that says what must be possible.
    found.assert_properties();
    assert!(found.unique_state_count() > 10_000, "hardly anything can happen: {}", found.unique_state_count());
}

#[test]
fn the_guards_hold_over_all_that_can_happen_to_one_run_of_an_agent() {
    holds(Scope::RUN);
}

#[test]
fn the_guards_hold_over_all_that_can_happen_to_two_runs_of_an_agent() {
    holds(Scope::RUNS);
}

#[test]
fn attempts_are_bounded_over_all_that_can_happen() {
    holds(Scope::BOUNDS);
}

#[test]
fn without_any_one_guard_something_goes_wrong() {
    for (guard, scope, property) in TABLE {
        let found = search(*scope, Some(*guard));
        let broken = found.discoveries();
        let wrong = broken.iter().find(|(name, _)| *name == property);
        let names: Vec<_> = broken.keys().collect();
        let (_, path) = wrong.unwrap_or_else(|| panic!("without {guard:?} `{property}` still holds; found: {names:?}"));
        println!("without {guard:?}, `{property}` breaks after: {:?}", path.clone().into_actions());
    }
}
