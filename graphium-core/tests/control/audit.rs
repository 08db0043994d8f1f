//! The audit: numbers without gaps, whoever writes, and what retention takes.

use crate::world::World;
use graphium_core::{
    control::{AuditActor, AuditEntry, Control, Retention, Settings},
    event::NoSink,
    store::{Kind, RecordQuery, TaskStore, TaskStoreExt},
};
use std::{sync::Arc, time::Duration};

fn entry(operation: &str) -> AuditEntry {
    AuditEntry {
        seq: 0,
        timestamp: jiff::Timestamp::UNIX_EPOCH,
        who: AuditActor::anonymous(),
        from: None,
        operation: operation.to_owned(),
        method: "POST".to_owned(),
        on: None,
        program: None,
        status: 202,
        code: None,
        deployment: None,
        times: 1,
    }
}

fn keeping(world: &World, audit: Duration, max_audit: u64) -> Arc<Control> {
    let retention = Retention { audit, max_audit: Some(max_audit), ..Retention::default() };
    let settings = Settings { retention, ..Settings::default() };
    let environment = Arc::new(world.environment.clone());
    world.run(Control::open(world.store.clone(), Arc::new(NoSink), environment, settings)).unwrap()
}

fn numbers(world: &World) -> Vec<u64> {
    world.run(world.control.audit(0, 10_000)).unwrap().iter().map(|entry| entry.seq).collect()
}

#[test]
fn numbers_have_no_gaps_and_every_entry_is_there_once_whoever_writes() {
    let world = World::new();
    assert_eq!(world.run(world.control.last_audit()).unwrap(), 0);
    let other = World::start(&world.environment, &world.store);
    world.run(async {
        for round in 0..5 {
            let one = (0..70).map(|number| world.control.record_audit(entry(&format!("a{round}-{number}"))));
            let two = (0..70).map(|number| other.record_audit(entry(&format!("b{round}-{number}"))));
            let (one, two) = futures::join!(futures::future::join_all(one), futures::future::join_all(two));
            assert!(one.into_iter().chain(two).all(|written| written.is_ok()));
        }
    });
    let entries = world.run(other.audit(0, 10_000)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), (1..=700).collect::<Vec<_>>());
    let mut operations: Vec<_> = entries.iter().map(|entry| entry.operation.clone()).collect();
    operations.sort();
    operations.dedup();
    assert_eq!(operations.len(), 700);
    assert_eq!(entries[0].timestamp, world.run(world.control.audit(0, 1)).unwrap()[0].timestamp);
    for control in [&world.control, &other, &World::start(&world.environment, &world.store)] {
        assert_eq!(world.run(control.last_audit()).unwrap(), 700);
    }
    assert_eq!(world.run(world.control.audit(698, 1)).unwrap()[0].seq, 699);
    // Nobody who watches events hears of it.
    assert_eq!(world.run(world.store.last_event()), Ok(0));
}

#[test]
fn an_entry_that_is_there_is_not_written_over() {
    let world = World::new();
    world.run(world.control.record_audit(entry("first"))).unwrap();
    let before = world.run(world.store.all_records(RecordQuery::of(Kind::Audit))).unwrap();
    // A server that knows of none begins with the number that is taken.
    let other = World::start(&world.environment, &world.store);
    world.run(other.record_audit(entry("second"))).unwrap();
    let after = world.run(world.store.all_records(RecordQuery::of(Kind::Audit))).unwrap();
    assert_eq!((after.len(), &after[0]), (2, &before[0]));
    assert!(after.iter().all(|record| record.version == 1));
}

#[test]
fn the_oldest_entries_go_when_there_are_too_many_and_the_last_stays() {
    let world = World::new();
    let control = keeping(&world, Duration::from_secs(86_400 * 400), 30);
    world.run(async {
        for _ in 0..500 {
            control.record_audit(entry("deployStack")).await.unwrap();
        }
    });
    // As many as go in one step, and the rest at the next tick.
    world.run(control.tick()).unwrap();
    assert_eq!(numbers(&world), (201..=500).collect::<Vec<_>>());
    for _ in 0..3 {
        world.environment.advance(Duration::from_secs(1));
        world.run(control.tick()).unwrap();
    }
    assert_eq!(numbers(&world), (471..=500).collect::<Vec<_>>());
    world.run(control.record_audit(entry("deployStack"))).unwrap();
    assert_eq!(world.run(control.last_audit()).unwrap(), 501);
}

#[test]
fn entries_go_by_age_and_numbers_go_on_after_the_last() {
    let world = World::new();
    let control = keeping(&world, Duration::from_secs(3600), 1_000);
    for _ in 0..3 {
        world.run(control.record_audit(entry("stopStack"))).unwrap();
    }
    world.environment.advance(Duration::from_secs(3000));
    world.run(control.record_audit(entry("startStack"))).unwrap();
    world.environment.advance(Duration::from_secs(1000));
    world.run(control.tick()).unwrap();
    assert_eq!(numbers(&world), [4]);
    world.environment.advance(Duration::from_secs(100_000));
    world.run(control.tick()).unwrap();
    assert_eq!(numbers(&world), [4], "the last stays, however old");
    let fresh = keeping(&world, Duration::from_secs(3600), 1_000);
    world.run(fresh.record_audit(entry("stopStack"))).unwrap();
    assert_eq!(numbers(&world), [4, 5]);
}
