//! What of a document an error is about, where its change does not say it and where it does.

use graphium_core::{
    diagnostic::{Diagnostic, Property, Subject},
    inventory::Inventory,
    plan::{Options, fixtures::*, plan},
    stack::{Container, HostConstraint, Protocol, Stack, TextMap},
};

fn refused(stack: &Stack, inventory: &Inventory) -> Diagnostic {
    let mut errors = plan(stack, None, inventory, &Options::default()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:#?}");
    errors.remove(0)
}

fn labels(pairs: &[(&str, &str)]) -> TextMap {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A container that asks for `disk=ssd`, and of which its stack asks for other labels.
fn contradictory(asked: &[(&str, &str)]) -> Stack {
    let mut db = container("db");
    db.requirements.labels = labels(&[("disk", "ssd")]);
    let mut stack = stack("s", vec![db]);
    let constraint =
        HostConstraint { container_name: "db".to_owned(), labels: labels(asked), ..HostConstraint::default() };
    stack.deployment.host_constraints = vec![constraint];
    stack
}

#[test]
fn where_no_change_helps_an_error_is_about_what_all_hosts_are_refused_for() {
    let error = refused(&contradictory(&[("disk", "hdd")]), &hosts(2));
    assert_eq!((&error.fix, &*error.code), (&None, "no-eligible-host"));
    let disk = Property::HostLabel { key: "disk".to_owned() };
    assert_eq!(error.subject.as_deref(), Some(&Subject::container("db").property(disk)));
}

#[test]
fn where_hosts_are_refused_for_different_things_it_is_about_the_container() {
    let mut inventory = hosts(2);
    inventory.hosts[0].labels = labels(&[("disk", "hdd")]);
    let error = refused(&contradictory(&[("disk", "hdd"), ("zone", "a")]), &inventory);
    assert_eq!((&error.fix, error.subject.as_deref()), (&None, Some(&Subject::container("db"))));
}

#[test]
fn where_a_change_helps_it_is_about_what_that_changes() {
    let mut db = Container { ports: vec![published(5432, 5432)], ..container("db") };
    db.requirements.labels = labels(&[("disk", "ssd")]);
    let mut inventory = hosts(2);
    inventory.hosts[1].labels = labels(&[("disk", "ssd")]);
    inventory.containers.push(foreign("old", "vm2", Some(5432)));
    let error = refused(&stack("s", vec![db]), &inventory);
    assert_eq!(error.fix.as_ref().map(|fix| fix.steps.len()), Some(1));
    let port = Property::Port { number: 5432, protocol: Protocol::Tcp };
    assert_eq!(error.subject.as_deref(), Some(&Subject::container("db").property(port)));
}
