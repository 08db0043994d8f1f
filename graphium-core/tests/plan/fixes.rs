//! A container that fits nowhere comes with the smallest change with which it fits.

use graphium_core::{
    diagnostic::Diagnostic,
    inventory::{HostStatus, Inventory},
    plan::{Fix, FixStep, Options, fixtures::*, plan},
    runtime::label,
    stack::{Container, HostConstraint, Mode, Reservations, Resources, Stack, Strategy as Placement, TextMap},
};
use std::sync::Arc;

const GIB: u64 = 1 << 30;

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

/// The one error, and its change after having been seen to help.
fn fixed(stack: &Stack, inventory: &Inventory) -> (String, Fix) {
    let errors = refused(stack, inventory);
    let [error] = errors.as_slice() else { panic!("{errors:#?}") };
    let fix = *error.fix.clone().unwrap_or_else(|| panic!("no change: {error}"));
    assert_eq!(error.help, Some(fix.to_string()));
    let (mut changed, mut estate) = (stack.clone(), inventory.clone());
    fix.apply(&mut changed, &mut estate);
    plan(&changed, None, &estate, &Options::default()).unwrap();
    (fix.to_string(), fix)
}

fn help(stack: &Stack, inventory: &Inventory) -> String {
    fixed(stack, inventory).0
}

fn constraint(container: &str) -> HostConstraint {
    HostConstraint { container_name: container.to_owned(), ..HostConstraint::default() }
}

fn labelled(name: &str) -> Container {
    let mut container = container(name);
    container.requirements.labels.insert("disk".to_owned(), "ssd".to_owned());
    container
}

#[test]
fn too_much_memory_is_lowered_to_what_the_roomiest_host_has_left() {
    let mut inventory = hosts(2);
    inventory.hosts[0].memory = 12 * GIB;
    let pinned = Container { host: Some("vm2".into()), ..reserving("cache", None, Some(10 * GIB + GIB / 2)) };
    let small = Container { host: Some("vm1".into()), ..reserving("queue", None, Some(8 * GIB)) };
    let stack = stack("s", vec![pinned, small, reserving("shop-db", None, Some(8 * GIB))]);
    let errors = refused(&stack, &inventory);
    assert_eq!(
        errors[0].to_string(),
        "`shop-db` fits on no host: `vm1` has 8 GiB of 12 GiB of memory reserved, 8 GiB more are needed; `vm2` has \
         10.5 GiB of 16 GiB of memory reserved, 8 GiB more are needed [no-eligible-host]; to run it on `vm2`, lower \
         the memory reservation of `shop-db` from 8 GiB to 5.5 GiB, or free 2.5 GiB there"
    );
    fixed(&stack, &inventory);
}

#[test]
fn too_many_processors_are_lowered_to_what_is_left() {
    let bound = Container { host: Some("vm1".into()), ..reserving("a", Some(5.7), None) };
    let stack = stack("s", vec![bound, reserving("b", Some(3.0), None)]);
    let lower =
        "to run it on `vm1`, lower the reservation of processors of `b` from 3 to 2.3, or free 0.7 of its processors";
    assert_eq!(help(&stack, &hosts(1)), lower);
}

#[test]
fn a_host_that_is_full_takes_what_reserves_nothing() {
    let bound = Container { host: Some("vm1".into()), ..reserving("a", None, Some(16 * GIB)) };
    let stack = stack("s", vec![bound, reserving("b", None, Some(GIB))]);
    assert_eq!(
        help(&stack, &hosts(1)),
        "to run it on `vm1`, leave out the memory reservation of `b`, or free 1 GiB there"
    );
}

#[test]
fn a_port_that_another_stack_holds_is_named_with_its_holder_and_with_one_that_is_free() {
    let mut web = Container { host: Some("vm1".into()), ..container("web") };
    web.ports.push(published(80, 8080));
    let mut other = Container { host: Some("vm2".into()), ..container("other") };
    other.ports.push(published(80, 8082));
    let mut inventory = hosts(2);
    let mut theirs = foreign("blog-web", "vm1", Some(8080));
    theirs.labels.insert(label::STACK.to_owned(), "stack:blog".to_owned());
    theirs.labels.insert(label::STACK_NAME.to_owned(), "blog".to_owned());
    theirs.labels.insert(label::CONTAINER.to_owned(), "web".to_owned());
    inventory.containers = vec![theirs, foreign("foreign", "vm1", Some(8081))];
    let stack = stack("s", vec![web, other]);
    let errors = refused(&stack, &inventory);
    assert_eq!(
        errors[0].to_string(),
        "`web` is bound to the host `vm1`, which has port 8080/tcp taken by `web` of the stack `blog` \
         [host-port-clash]; to run it on `vm1`, publish `web` on another host port than 8080, e.g. 8083"
    );
    fixed(&stack, &inventory);
}

#[test]
fn a_label_that_one_host_lacks_alone_is_given_to_it() {
    let mut db = labelled("db");
    db.resources.reservations.memory = Some(12 * GIB);
    let mut inventory = hosts(3);
    inventory.hosts[0].memory = 8 * GIB;
    inventory.hosts[2].memory = 8 * GIB;
    inventory.hosts[1].labels.insert("disk".to_owned(), "hdd".to_owned());
    let stack = stack("s", vec![db]);
    let change = "to run it on `vm2`, change the label `disk` of `vm2` from `hdd` to `ssd`: it lacks only that";
    assert_eq!(help(&stack, &inventory), change);
    inventory.hosts[1].labels.clear();
    assert_eq!(help(&stack, &inventory), "to run it on `vm2`, give `vm2` the label `disk=ssd`: it lacks only that");
}

#[test]
fn several_things_are_changed_where_one_is_not_enough() {
    let mut db = labelled("db");
    db.resources.reservations.memory = Some(20 * GIB);
    db.ports.push(published(5432, 5432));
    let mut inventory = hosts(1);
    inventory.containers.push(foreign("old", "vm1", Some(5432)));
    assert_eq!(
        help(&stack("s", vec![db]), &inventory),
        "to run it on `vm1`, give `vm1` the label `disk=ssd`, publish `db` on another host port than 5432, e.g. 5433 \
         and lower the memory reservation of `db` from 20 GiB to 16 GiB"
    );
}

#[test]
fn the_bound_per_host_is_raised_by_one() {
    let mut stack = stack("s", ["a", "b", "c"].map(container).to_vec());
    stack.deployment.max_instances_per_host = Some(1);
    let raise = "to run it on `vm1`, raise `maxInstancesPerHost` from 1 to 2";
    assert_eq!(help(&stack, &hosts(2)), raise);
}

#[test]
fn hosts_that_take_no_work_are_woken() {
    let mut inventory = hosts(2);
    inventory.hosts.iter_mut().for_each(|host| host.status = HostStatus::Draining);
    let free = stack("s", vec![container("a")]);
    let activate = "to run it on `vm1`, let it take work again: `graphium host activate vm1`";
    assert_eq!(help(&free, &inventory), activate);
    inventory.hosts.iter_mut().for_each(|host| host.status = HostStatus::Offline);
    assert_eq!(help(&free, &inventory), "to run it on `vm1`, start the agent on `vm1`");
    inventory.hosts[1].status = HostStatus::Maintenance;
    let bound = stack("s", vec![Container { host: Some("vm2".into()), ..container("a") }]);
    assert_eq!(help(&bound, &inventory), activate.replace("vm1", "vm2"));
    assert_eq!(help(&free, &Inventory::default()), "add a host");
}

#[test]
fn constraints_are_loosened_to_what_a_host_has() {
    let mut stack = stack("s", vec![container("a")]);
    let asked = HostConstraint { min_cpu: Some(12.0), min_memory: Some(32 * GIB), ..constraint("a") };
    stack.deployment.host_constraints = vec![asked, HostConstraint { min_cpu: Some(10.0), ..constraint("a") }];
    assert_eq!(
        help(&stack, &hosts(1)),
        "to run it on `vm1`, lower the `minCpu` of `a` from 12 to 8 and lower the `minMemory` of `a` from 32 GiB to 16 GiB"
    );
    let mut unknown = hosts(1);
    (unknown.hosts[0].cpu, unknown.hosts[0].memory) = (0.0, 0);
    assert_eq!(
        help(&stack, &unknown),
        "to run it on `vm1`, leave out the `minCpu` of `a`, for the host has not told its processors and leave out the \
         `minMemory` of `a`, for the host has not told its memory"
    );
}

#[test]
fn another_datacenter_is_asked_for_where_hosts_are() {
    let mut stack = stack("s", vec![container("a"), container("b")]);
    stack.deployment.placement_strategy = Some(Placement::Datacenter);
    stack.deployment.target_datacenter = Some("us".to_owned());
    let mut inventory = hosts(2);
    inventory.hosts[1].location = Some("eu".to_owned());
    assert_eq!(help(&stack, &inventory), "change `targetDatacenter` from `us` to `eu`");
    inventory.hosts[1].location = None;
    assert_eq!(help(&stack, &inventory), "to run it on `vm1`, say that `vm1` is in the datacenter `us`, if it is");
    assert_eq!(help(&stack, &Inventory::default()), "add a host in the datacenter `us`");
    inventory.hosts[1].location = Some("eu".to_owned());
    stack.deployment.placement_strategy = None;
    stack.deployment.host_constraints =
        vec![HostConstraint { required_datacenter: Some("asia".to_owned()), ..constraint("a") }];
    let other = "to run it on `vm2`, ask for the datacenter `eu` instead of `asia` for `a`";
    assert_eq!(help(&stack, &inventory), other);
    inventory.hosts[1].location = None;
    assert_eq!(help(&stack, &inventory), "to run it on `vm1`, say that `vm1` is in the datacenter `asia`, if it is");
}

#[test]
fn replicas_that_share_a_port_are_fewer_or_have_more_hosts() {
    let mut web = container("web");
    web.replicas = Some(3);
    web.ports.push(published(80, 8080));
    let stack = stack("s", vec![web]);
    assert_eq!(help(&stack, &hosts(2)), "lower the replicas of `web` from 3 to 2");
}

#[test]
fn replicas_share_what_a_host_has_left() {
    let mut big = reserving("big", Some(5.0), None);
    big.replicas = Some(2);
    let (_, fix) = fixed(&stack("s", vec![big]), &hosts(1));
    assert_eq!(fix.steps, [FixStep::Processors { container: "big".to_owned(), from: 5000, to: 4000, reserved: 0 }]);
}

#[test]
fn a_name_that_somebody_else_has_is_to_be_freed() {
    let mut inventory = hosts(1);
    inventory.containers.push(foreign("s-a", "vm1", None));
    let stack = stack("s", vec![container("a")]);
    assert_eq!(
        help(&stack, &inventory),
        "to run it on `vm1`, rename or remove the container `s-a` on `vm1`, or adopt it (`graphium adopt`)"
    );
}

#[test]
fn what_no_host_of_today_can_be_made_to_take_needs_a_new_one() {
    let mut stack = stack("s", vec![labelled("a")]);
    let eu = HostConstraint {
        required_datacenter: Some("eu".to_owned()),
        min_cpu: Some(2.0),
        min_memory: Some(4 << 30),
        ..constraint("a")
    };
    stack.deployment.host_constraints = vec![eu];
    assert_eq!(
        help(&stack, &Inventory::default()),
        "add a host in the datacenter `eu` with 2 processors and 4 GiB of memory and the label `disk=ssd`"
    );
}

#[test]
fn what_contradicts_itself_gets_no_advice() {
    let mut stack = stack("s", vec![labelled("a")]);
    let hdd = TextMap::from([("disk".to_owned(), "hdd".to_owned())]);
    stack.deployment.host_constraints = vec![HostConstraint { labels: hdd, ..constraint("a") }];
    let error = &refused(&stack, &hosts(1))[0];
    assert!(error.help.as_deref().is_some_and(|help| help.starts_with("add a host, ask for less")), "{error}");
    assert!(error.fix.is_none() && error.message.contains("`disk` (`hdd` is asked for) and has no label"), "{error}");
}

#[test]
fn a_change_that_would_leave_another_container_without_a_host_is_none() {
    let mut first = labelled("first");
    first.resources.reservations.memory = Some(10 * GIB);
    let stack = stack("s", vec![first, reserving("second", None, Some(10 * GIB))]);
    // With the label the one host would be taken by the first, and the second has room on no other.
    assert_eq!(help(&stack, &hosts(1)), "add a host with 10 GiB of memory and the label `disk=ssd`");
}

#[test]
fn to_have_no_replica_at_all_is_no_advice() {
    let stack = stack("s", vec![Container { replicas: Some(1), ..container("a") }]);
    assert_eq!(help(&stack, &hosts(0)), "add a host");
}

#[test]
fn what_contradicts_itself_takes_no_trials_from_what_can_be_helped() {
    let numbered = |number: usize| Container { name: format!("c{number}"), ..labelled("") };
    let mut stack = stack("s", (0..40).map(numbered).chain([labelled("last")]).collect());
    let other = |number: usize| HostConstraint {
        labels: TextMap::from_iter([("disk".to_owned(), "hdd".to_owned())]),
        ..constraint(&format!("c{number}"))
    };
    stack.deployment.host_constraints = (0..40).map(other).collect();
    let errors = refused(&stack, &hosts(8));
    assert_eq!(errors.iter().filter(|error| error.fix.is_some()).count(), 1);
    assert_eq!(
        errors[40].help.as_deref(),
        Some("to run it on `vm1`, give `vm1` the label `disk=ssd`: it lacks only that")
    );
}

#[test]
fn a_single_host_is_changed_for_the_whole_stack() {
    let mut web = container("web");
    web.ports.push(published(80, 8080));
    let mut stack =
        stack("s", vec![reserving("db", None, Some(10 * GIB)), web, reserving("worker", None, Some(8 * GIB))]);
    stack.deployment.mode = Mode::SingleHost;
    let mut inventory = hosts(2);
    inventory.hosts[1].status = HostStatus::Offline;
    inventory.containers.push(foreign("old", "vm1", Some(8080)));
    let errors = refused(&stack, &inventory);
    let told = "no host takes all containers of the stack: `vm1` has port 8080/tcp taken by `old`, which is not \
                Graphium's for `web`; `vm2` is offline";
    assert_eq!(errors[0].message, told);
    assert_eq!(
        help(&stack, &inventory),
        "to run it on `vm1`, publish `web` on another host port than 8080, e.g. 8081 and lower the memory reservation \
         of `worker` from 8 GiB to 6 GiB"
    );
    stack.deployment.max_instances_per_host = Some(2);
    Arc::make_mut(&mut stack.containers[2]).resources = Resources::default();
    inventory.containers.clear();
    assert_eq!(help(&stack, &inventory), "to run it on `vm1`, raise `maxInstancesPerHost` from 2 to 3");
}

#[test]
fn a_thousand_hosts_make_a_message_that_can_be_read() {
    let mut inventory = hosts(1000);
    for (number, host) in inventory.hosts.iter_mut().enumerate() {
        match number % 4 {
            0 => host.status = HostStatus::Offline,
            1 => host.memory = (number as u64) << 20,
            _ => {
                host.labels.insert("disk".to_owned(), "hdd".to_owned());
            }
        }
    }
    let mut db = labelled("db");
    db.resources.reservations.memory = Some(4 * GIB);
    let stack = stack("s", vec![db]);
    let error = &refused(&stack, &inventory)[0];
    assert!(error.message.len() < 2000, "{} characters: {}", error.message.len(), error.message);
    assert!(error.message.contains("more is offline"), "{}", error.message);
    let (words, fix) = fixed(&stack, &inventory);
    assert!(words.len() < 300 && fix.host.is_some(), "{words}");
}

#[test]
fn of_a_single_host_that_is_bound_and_closed_one_thing_is_told() {
    let mut stack = stack("s", vec![Container { host: Some("vm1".into()), ..container("a") }]);
    stack.deployment.mode = Mode::SingleHost;
    let mut inventory = hosts(1);
    inventory.hosts[0].status = HostStatus::Draining;
    assert_eq!(help(&stack, &inventory), "to run it on `vm1`, let it take work again: `graphium host activate vm1`");
}

#[test]
fn more_is_not_to_be_freed_than_others_have() {
    let stack = stack("s", vec![reserving("a", None, Some(20 * GIB))]);
    let lower = "to run it on `vm1`, lower the memory reservation of `a` from 20 GiB to 16 GiB";
    assert_eq!(help(&stack, &hosts(1)), lower);
    let message = &refused(&stack, &hosts(1))[0].message;
    assert_eq!(message, "`a` fits on no host: `vm1` has 16 GiB of memory, 20 GiB are needed");
}

#[test]
fn what_others_reserve_beyond_what_there_is_leaves_nothing_to_ask_for() {
    let mut inventory = hosts(1);
    inventory.hosts[0].reserved = Reservations { cpus: Some(9.0), memory: Some(17 * GIB) };
    let leave_out = |what| format!("to run it on `vm1`, leave out the {what} of `a`, or free ");
    let told = help(&stack("s", vec![reserving("a", Some(1.0), None)]), &inventory);
    assert_eq!(told, leave_out("reservation of processors") + "1 of its processors");
    let told = help(&stack("s", vec![reserving("a", None, Some(GIB))]), &inventory);
    assert_eq!(told, leave_out("memory reservation") + "1 GiB there");
}

#[test]
fn of_figures_the_part_counts_by_which_they_change() {
    let mut inventory = hosts(2);
    // Half of the memory and a tenth of the processors, or a fifth of both.
    (inventory.hosts[0].memory, inventory.hosts[0].cpu) = (5 * GIB, 9.0);
    (inventory.hosts[1].memory, inventory.hosts[1].cpu) = (8 * GIB, 8.0);
    let told = help(&stack("s", vec![reserving("a", Some(10.0), Some(10 * GIB))]), &inventory);
    assert!(told.starts_with("to run it on `vm2`, "), "{told}");
}

#[test]
fn two_labels_and_two_containers_are_two_changes() {
    let mut db = labelled("db");
    db.requirements.labels.insert("zone".to_owned(), "a".to_owned());
    assert_eq!(
        help(&stack("s", vec![db]), &hosts(1)),
        "to run it on `vm1`, give `vm1` the label `disk=ssd` and give `vm1` the label `zone=a`"
    );
    let mut both = stack("s", vec![reserving("a", Some(1.0), None), reserving("b", Some(1.0), None)]);
    both.deployment.mode = Mode::SingleHost;
    both.deployment.host_constraints =
        ["a", "b"].map(|name| HostConstraint { min_cpu: Some(9.0), ..constraint(name) }).to_vec();
    let mut inventory = hosts(1);
    assert_eq!(
        help(&both, &inventory),
        "to run it on `vm1`, lower the `minCpu` of `a` from 9 to 8 and lower the `minCpu` of `b` from 9 to 8"
    );
    both.deployment.host_constraints.clear();
    inventory.hosts[0].cpu = 0.5;
    assert_eq!(
        help(&both, &inventory),
        "to run it on `vm1`, lower the reservation of processors of `a` from 1 to 0.5 and leave out the reservation of \
         processors of `b`"
    );
}
