//! How often something is said, and what stays where it is although nothing new may come.

use graphium_core::{
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{ContainerStatus, HostStatus, Inventory, ObservedContainer},
    plan::{Applied, Options, Trace, fixtures::*, plan},
    runtime::label,
    stack::{Container, Deployment, HostConstraint, Stack, Strategy, Update, UpdateOrder},
};
use std::collections::BTreeMap;

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

fn codes(errors: &[Diagnostic]) -> Vec<&str> {
    errors.iter().map(|error| &*error.code).collect()
}

fn bound(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..container(name) }
}

/// A container of the stack `s`, seen on a host.
fn seen(name: &str, engine_name: &str, host: &str) -> ObservedContainer {
    let mut container = foreign(engine_name, host, None);
    container.labels.insert(label::STACK.to_owned(), "stack:s".to_owned());
    container.labels.insert(label::CONTAINER.to_owned(), name.to_owned());
    container
}

#[test]
fn on_a_host_that_takes_nothing_new_stays_what_is_there_by_sight_or_by_record() {
    let stack = stack("s", vec![bound("a", "vm1")]);
    let mut inventory = hosts(2);
    inventory.hosts[0].status = HostStatus::Maintenance;
    let at = |host: &str| Applied {
        stack: stack.clone(),
        placements: BTreeMap::from([("a".to_owned(), HostId::new(host))]),
    };
    let result = |applied: Option<&Applied>, inventory: &Inventory| {
        plan(&stack, applied, inventory, &Options::default()).map(drop).map_err(|errors| errors.len())
    };
    assert_eq!(result(None, &inventory), Err(1));
    assert_eq!(result(Some(&at("vm1")), &inventory), Ok(()), "by record");
    assert_eq!(result(Some(&at("vm2")), &inventory), Err(1));
    inventory.containers = vec![seen("a", "s-a", "vm2")];
    assert_eq!(result(None, &inventory), Err(1), "it is seen elsewhere");
    inventory.containers = vec![seen("a", "s-a", "vm1")];
    assert_eq!(result(None, &inventory), Ok(()), "by sight");
}

#[test]
fn a_hundred_refusals_are_told_and_the_rest_are_counted() {
    let of = |count: usize| stack("s", (0..count).map(|number| bound(&format!("c{number:03}"), "vm9")).collect());
    let errors = refused(&of(100), &hosts(1));
    assert_eq!(errors.len(), 100);
    assert!(errors.iter().all(|error| error.code == "unknown-host"), "{errors:#?}");
    let errors = refused(&of(102), &hosts(1));
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100].message, "2 more containers cannot be placed");
}

#[test]
fn those_that_name_no_host_although_they_must_are_counted_beyond_a_hundred_too() {
    let mut stack = stack("s", (0..103).map(|number| container(&format!("c{number:03}"))).collect());
    stack.deployment.placement_strategy = Some(Strategy::Manual);
    let errors = refused(&stack, &hosts(1));
    assert_eq!((errors.len(), &*errors[99].code), (101, "no-host"));
    assert_eq!(errors[100].message, "3 more containers cannot be placed");
}

#[test]
fn hosts_beyond_eight_different_reasons_are_counted_by_kind() {
    const GIB: u64 = 1 << 30;
    let mut web = reserving("web", Some(4.0), Some(4 * GIB));
    web.requirements.labels.insert("disk".to_owned(), "ssd".to_owned());
    web.ports.push(published(80, 8080));
    let mut stack = stack("s", vec![bound("another", "h17"), web]);
    stack.deployment.max_instances_per_host = Some(1);
    stack.deployment.host_constraints = vec![HostConstraint {
        container_name: "web".to_owned(),
        required_datacenter: Some("eu".to_owned()),
        min_cpu: Some(2.0),
        min_memory: Some(2 * GIB),
        ..HostConstraint::default()
    }];
    let mut inventory = hosts(18);
    for (number, host) in inventory.hosts.iter_mut().enumerate() {
        host.id = HostId::new(format!("h{number:02}"));
        host.location = Some("eu".to_owned());
        // Those of the first eight are all wrong, each in its own way.
        let disk = if number < 8 { format!("hdd{number}") } else { "ssd".to_owned() };
        host.labels.insert("disk".to_owned(), disk);
    }
    inventory.hosts[8].status = HostStatus::Offline;
    inventory.hosts[9].labels.clear();
    inventory.hosts[10].location = Some("us".to_owned());
    inventory.hosts[11].cpu = 1.0;
    inventory.hosts[12].memory = GIB;
    inventory.containers = vec![foreign("other", "h13", Some(8080)), foreign("s-web", "h14", None)];
    inventory.hosts[15].reserved.cpus = Some(6.0);
    inventory.hosts[16].reserved.memory = Some(14 * GIB);
    let errors = refused(&stack, &inventory);
    let counted = "; of 10 more 1 takes no work now, 1 lacks a label, 1 is in another datacenter, 1 has too few processors, \
                   1 has too little memory, 1 has the port taken, 1 has a container of the same name, 1 has too few \
                   processors left, 1 has too little memory left, 1 has as many containers of this stack as they may";
    assert!(errors[0].message.ends_with(counted), "{}", errors[0].message);
}

#[test]
fn a_name_given_twice_is_told_once_whether_or_not_there_are_replicas() {
    let replicated = Container { replicas: Some(2), ..container("b") };
    let errors = refused(&stack("s", vec![container("a"), container("a"), replicated]), &hosts(1));
    assert_eq!(codes(&errors), ["duplicate-name"], "{errors:#?}");
}

#[test]
fn replicas_of_a_container_with_a_mistake_tell_it_once() {
    let lost = Container { replicas: Some(3), depends_on: vec![on("nobody")], ..container("a") };
    let errors = refused(&stack("s", vec![lost]), &hosts(1));
    assert_eq!(codes(&errors), ["unresolved-reference"], "{errors:#?}");
}

#[test]
fn a_hundred_thousand_containers_are_counted_and_one_more_is_too_many() {
    let of = |replicas: u32| {
        let deployment = Deployment { placement_strategy: Some(Strategy::Manual), ..Deployment::default() };
        Stack { deployment, ..stack("s", vec![Container { replicas: Some(replicas), ..container("a") }]) }
    };
    assert!(!codes(&refused(&of(100_000), &hosts(1))).contains(&"too-many-containers"));
    assert_eq!(codes(&refused(&of(100_001), &hosts(1))), ["too-many-containers"]);
}

#[test]
fn every_container_that_would_hold_its_port_twice_is_named() {
    let mut before = stack("s", ["a", "b"].map(|name| bound(name, "vm1")).to_vec());
    for (number, container) in (8080_u16..).zip(&mut before.containers) {
        std::sync::Arc::make_mut(container).ports.push(published(80, number));
    }
    let first = plan(&before, None, &hosts(1), &Options::default()).unwrap();
    let running = carried_out(&first, hosts(1));
    assert!(running.containers.iter().all(|seen| seen.status == ContainerStatus::Running));
    let mut after = before.clone();
    for container in &mut after.containers {
        std::sync::Arc::make_mut(container).image = "nginx:2".to_owned();
    }
    after.deployment.update = Update { order: UpdateOrder::StartFirst, ..Update::default() };
    let applied = Applied { stack: before, placements: first.placements };
    let errors = plan(&after, Some(&applied), &running, &Options::default()).unwrap_err();
    assert_eq!(codes(&errors), ["start-first-port", "start-first-port"], "{errors:#?}");
}

#[test]
fn two_that_are_left_over_of_one_name_are_both_taken_away() {
    let mut inventory = hosts(1);
    inventory.containers = vec![seen("old", "s-old", "vm1"), seen("old", "t-old", "vm1"), seen("old", "u-old", "vm1")];
    let plan = plan(&stack("s", vec![bound("a", "vm1")]), None, &inventory, &Options::default()).unwrap();
    let gone: Vec<&str> =
        plan.tasks.iter().map(|task| task.id.as_str()).filter(|id| id.starts_with("delete")).collect();
    assert_eq!(gone, ["delete:old@vm1", "delete:old+t-old@vm1", "delete:old+u-old@vm1"]);
}

#[test]
fn what_a_revision_was_to_make_is_known_by_the_names_on_its_engines() {
    let stack = stack("s", vec![container("a"), container("b")]);
    let plan = plan(&stack, None, &hosts(2), &Options::default()).unwrap();
    let applied = Applied { stack, placements: plan.placements };
    let trace = |host: &str, name: &str| Trace {
        host: HostId::new(host),
        name: name.to_owned(),
        engine_name: format!("s-{name}"),
    };
    assert_eq!(applied.traces().collect::<Vec<_>>(), [trace("vm1", "a"), trace("vm2", "b")]);
}

#[test]
fn what_an_unfinished_plan_may_have_left_is_taken_away_where_it_is_not_wanted() {
    let trace =
        |name: &str| Trace { host: HostId::new("vm1"), name: name.to_owned(), engine_name: format!("s-{name}") };
    let traces = [trace("a"), trace("gone")].into();
    let options = Options { traces, ..Options::default() };
    let plan = plan(&stack("s", vec![bound("a", "vm1")]), None, &hosts(1), &options).unwrap();
    let gone: Vec<&str> =
        plan.tasks.iter().map(|task| task.id.as_str()).filter(|id| id.starts_with("delete")).collect();
    assert_eq!(gone, ["delete:gone@vm1"]);
}
