//! A plan for some hosts.

use graphium_core::{
    id::HostId,
    inventory::Inventory,
    plan::{Options, Plan, fixtures::*, plan},
    stack::{Container, Stack},
};
use std::collections::BTreeSet;

fn only(names: &[&str]) -> BTreeSet<HostId> {
    names.iter().map(|name| HostId::new(*name)).collect()
}

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options { explain: true, ..Options::default() }).unwrap()
}

/// `web` on `vm1` after `db` on `vm2`.
fn two_tiers() -> Stack {
    let db = Container { host: Some("vm2".into()), ports: vec![published(5432, 5432)], ..container("db") };
    let web = Container { host: Some("vm1".into()), depends_on: vec![on("db")], ..container("web") };
    stack("s", vec![web, db])
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

#[test]
fn a_plan_for_a_host_has_its_tasks_alone() {
    let whole = planned(&two_tiers(), &hosts(2));
    let part = whole.clone().limited_to(&only(&["vm2"])).unwrap();
    assert_eq!(ids(&part), ["pull:vm2:nginx:alpine", "network:vm2", "deploy:db"]);
    assert_eq!((part.placements.len(), part.endpoints.len(), part.choices.len()), (1, 1, 1));
    assert_ne!(part.sealed().hash, whole.sealed().hash);
}

#[test]
fn what_waits_for_a_host_that_is_left_out_is_refused_until_that_is_done() {
    let whole = planned(&two_tiers(), &hosts(2));
    let errors = whole.clone().limited_to(&only(&["vm1"])).unwrap_err();
    let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
    let expected = "`deploy:web` on `vm1` waits for `deploy:db` on `vm2`, which is left out [left-out-dependency]; plan \
                    for `vm2` too, or first alone";
    assert_eq!(told, [expected]);

    let first = whole.limited_to(&only(&["vm2"])).unwrap();
    let after = carried_out(&first, hosts(2));
    let second = planned(&two_tiers(), &after).limited_to(&only(&["vm1"])).unwrap();
    assert_eq!(ids(&second), ["pull:vm1:nginx:alpine", "network:vm1", "deploy:web"]);
    assert!(second.unchanged.is_empty(), "`db` is not of this host");
    assert!(planned(&two_tiers(), &carried_out(&second, after)).is_empty());
}

#[test]
fn a_host_without_a_part_of_the_stack_is_warned_of() {
    let part = planned(&two_tiers(), &hosts(3)).limited_to(&only(&["vm2", "wm2"])).unwrap();
    let told: Vec<String> = part.warnings.iter().map(ToString::to_string).collect();
    let expected = "nothing of the stack is on `wm2`, and nothing is to be done there [nothing-there]; look whether its \
                    name is right: `graphium host list`";
    assert_eq!(told, [expected]);
    assert_eq!(part.tasks.len(), 3);
}

#[test]
fn many_that_wait_are_counted() {
    let db = Container { host: Some("vm2".into()), ..container("db") };
    let mut web = Container { host: Some("vm1".into()), depends_on: vec![on("db")], ..container("web") };
    web.replicas = Some(130);
    let errors = planned(&stack("s", vec![db, web]), &hosts(2)).limited_to(&only(&["vm1"])).unwrap_err();
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100].message, "30 more tasks wait for tasks of hosts that are left out");
}

#[test]
fn a_host_that_nobody_knows_is_an_error_with_those_that_are_known() {
    let inventory = hosts(2);
    let whole = planned(&two_tiers(), &inventory);
    let told = |names: &[&str], known: &Inventory| -> Vec<String> {
        let unknown = whole.unknown(&only(names), known.hosts.iter().map(|host| &host.id));
        unknown.iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&["vm1", "vm2"], &inventory), [""; 0]);
    assert_eq!(
        told(&["vm1", "wm2", "x"], &inventory),
        [
            "a plan for the host `wm2` was asked for, which is not known [unknown-host]; did you mean `vm2`? known \
             hosts: vm1, vm2",
            "a plan for the host `x` was asked for, which is not known [unknown-host]; known hosts: vm1, vm2",
        ]
    );
    // What is to be removed on a host that is forgotten can still be looked at.
    assert_eq!(told(&["vm1"], &Inventory::default()), [""; 0]);
}
