//! What several containers, or several replicas, ask of one host is asked once and far enough for all.

use graphium_core::{
    inventory::{HostStatus, Inventory},
    plan::{FixStep, Options, fixtures::*, plan},
    stack::{Container, Mode},
};

const GIB: u64 = 1 << 30;

/// The change that is suggested for containers that must all be on one host; it is seen to help.
fn together(containers: Vec<Container>, most: Option<u32>, inventory: &Inventory) -> (String, Vec<FixStep>) {
    let mut stack = stack("s", containers);
    stack.deployment.mode = Mode::SingleHost;
    stack.deployment.max_instances_per_host = most;
    let errors = plan(&stack, None, inventory, &Options::default()).unwrap_err();
    let fix = errors.iter().find_map(|error| error.fix.clone()).unwrap_or_else(|| panic!("no change: {errors:#?}"));
    let mut estate = inventory.clone();
    fix.apply(&mut stack, &mut estate);
    plan(&stack, None, &estate, &Options::default()).unwrap();
    (fix.to_string(), fix.steps)
}

fn replicated(container: Container, replicas: u32) -> Container {
    Container { replicas: Some(replicas), ..container }
}

fn publishing(name: &str, port: u16) -> Container {
    Container { ports: vec![published(80, port)], ..container(name) }
}

#[test]
fn the_bound_is_raised_for_all_of_them() {
    let (told, _) = together(["a", "b", "c"].map(container).to_vec(), Some(1), &hosts(1));
    assert_eq!(told, "to run it on `vm1`, raise `maxInstancesPerHost` from 1 to 3, or add a host");
}

#[test]
fn replicas_that_share_a_port_are_one() {
    let (_, steps) = together(vec![replicated(publishing("a", 8080), 3)], None, &hosts(1));
    assert_eq!(steps, [FixStep::Replicas { container: "a".to_owned(), from: 3, to: 1 }]);
    let both = vec![replicated(publishing("a", 8080), 3), replicated(publishing("b", 8090), 2)];
    let (_, steps) = together(both, None, &hosts(1));
    let one = |name: &str, from| FixStep::Replicas { container: name.to_owned(), from, to: 1 };
    assert_eq!(steps, [one("a", 3), one("b", 2)]);
}

#[test]
fn two_containers_that_share_a_port_get_two() {
    let (told, _) = together(vec![publishing("a", 8080), publishing("b", 8080)], None, &hosts(1));
    assert_eq!(told, "to run it on `vm1`, publish `b` on another host port than 8080, e.g. 8081");
}

#[test]
fn replicas_share_the_memory_and_the_processors_of_the_host() {
    let (_, steps) = together(vec![replicated(reserving("a", Some(5.0), None), 2)], None, &hosts(1));
    assert_eq!(steps, [FixStep::Processors { container: "a".to_owned(), from: 5000, to: 4000, reserved: 0 }]);
    let (_, steps) = together(vec![replicated(reserving("a", None, Some(10 * GIB)), 2)], None, &hosts(1));
    assert_eq!(steps, [FixStep::Memory { container: "a".to_owned(), from: 10 * GIB, to: 8 * GIB, reserved: 0 }]);
}

#[test]
fn a_host_is_woken_once() {
    let mut inventory = hosts(1);
    inventory.hosts[0].status = HostStatus::Offline;
    let (told, _) = together(["a", "b"].map(container).to_vec(), None, &inventory);
    assert_eq!(told, "to run it on `vm1`, start the agent on `vm1`");
}

#[test]
fn a_host_that_is_to_be_added_is_large_enough() {
    let asks = |cpus: f64| {
        let errors = plan(&stack("s", vec![reserving("a", Some(cpus), None)]), None, &hosts(0), &Options::default());
        errors.unwrap_err().iter().find_map(|error| error.help.clone()).unwrap()
    };
    assert_eq!(asks(1.5), "add a host with 1.5 processors");
    assert_eq!(asks(1.0004), "add a host with 1.001 processors", "rounded up");
}
