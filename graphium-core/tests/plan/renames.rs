//! Who goes on under another name, who does not, and what is seen of it.

use crate::identity::{changed, has, of, told, waits};
use graphium_core::{
    plan::{Applied, Change, ChangeKind, Options, fixtures::*, plan},
    runtime::LiveSettings,
    stack::{Container, RestartPolicy},
};
use std::collections::BTreeMap;

/// A container of an `@id`, on the first host.
fn known_as(id: &str, name: &str) -> Container {
    Container { id: format!("container:{id}"), host: Some("vm1".into()), ..container(name) }
}

fn changes(first: Vec<Container>, second: Vec<Container>) -> Vec<Change> {
    changed(&of(first), &of(second)).0.changes
}

#[test]
fn a_name_that_is_still_wanted_is_nobodys_former_one() {
    let changes = changes(vec![known_as("x", "db")], vec![known_as("x", "pg"), known_as("y", "db")]);
    assert!(changes.iter().all(|change| change.renamed_from.is_none()), "{changes:?}");
}

#[test]
fn who_has_its_name_already_takes_over_no_other() {
    let second = Container { image: "nginx:2".to_owned(), ..known_as("x", "pg") };
    let changes = changes(vec![known_as("x", "db"), known_as("y", "pg")], vec![second]);
    let told: Vec<_> = changes.iter().map(told).collect();
    assert_eq!(told, [("pg", None, ChangeKind::Recreate), ("db", None, ChangeKind::Remove)]);
}

#[test]
fn of_two_with_one_id_the_first_goes_on() {
    let changes = changes(vec![known_as("x", "db")], vec![known_as("x", "pg"), known_as("x", "pg2")]);
    assert_eq!(changes.iter().map(told).collect::<Vec<_>>(), [("pg", Some("db"), ChangeKind::Rename)]);
}

#[test]
fn who_was_never_placed_may_take_over_from_one_that_was() {
    let first = of(vec![known_as("y", "db"), known_as("x", "pg")]);
    let mut inventory = carried_out(&plan(&first, None, &hosts(1), &Options::default()).unwrap(), hosts(1));
    let applied = Applied { stack: first, placements: BTreeMap::from([("pg".to_owned(), "vm1".into())]) };
    inventory.containers.retain(|seen| seen.name == "s-pg");
    let plan = plan(&of(vec![known_as("x", "db")]), Some(&applied), &inventory, &Options::default()).unwrap();
    assert_eq!(plan.changes.iter().map(told).collect::<Vec<_>>(), [("db", Some("pg"), ChangeKind::Rename)]);
}

#[test]
fn a_new_name_waits_for_the_old_one_alone() {
    let (plan, _) = changed(&of(vec![known_as("x", "db"), known_as("y", "old")]), &of(vec![known_as("x", "pg")]));
    assert!(waits(&plan, "deploy:pg", "stop:db@vm1") && has(&plan, "delete:old@vm1"));
    assert!(!has(&plan, "stop:old@vm1"), "{:?}", plan.tasks);
}

#[test]
fn each_removal_waits_for_its_own_stop() {
    let publishing = |id: &str, port| Container { ports: vec![published(80, port)], ..known_as(id, id) };
    let (plan, _) = changed(
        &of(vec![publishing("a", 8080), publishing("b", 8081)]),
        &of(vec![publishing("c", 8080), publishing("d", 8081)]),
    );
    for name in ["a", "b"] {
        assert!(waits(&plan, &format!("delete:{name}@vm1"), &format!("stop:{name}@vm1")), "{:?}", plan.tasks);
    }
}

#[test]
fn the_settings_of_a_renamed_container_are_those_of_the_one_on_its_host() {
    let on = |name: &str| Container { host: Some("vm2".into()), ..known_as("x", name) };
    let first = of(vec![on("db")]);
    let old = plan(&first, None, &hosts(2), &Options::default()).unwrap();
    let mut there = carried_out(&old, hosts(2));
    let with = |policy| Some(LiveSettings { restart_policy: Some(policy), ..LiveSettings::of(&on("db")) });
    there.containers[0].settings = with(RestartPolicy::Always);
    // Another of its name, where nobody asked for it.
    let mut stray = there.containers[0].clone();
    (stray.hosted_on, stray.settings) = ("vm1".into(), with(RestartPolicy::UnlessStopped));
    there.containers.insert(0, stray);
    let applied = Applied { stack: first, placements: old.placements };
    let plan = plan(&of(vec![on("pg")]), Some(&applied), &there, &Options::default()).unwrap();
    let change = plan.changes.iter().find(|change| change.container == "pg").unwrap();
    assert_eq!(told(change), ("pg", Some("db"), ChangeKind::Rename));
    let differs: Vec<_> = change.properties.iter().map(|property| (&*property.path, property.old.clone())).collect();
    assert_eq!(differs, [("restartPolicy", Some("always".into()))]);
}
