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
    for names in [&["a"][..], &["a", "b"]] {
        let (told, _) = together(names.iter().copied().map(container).collect(), None, &inventory);
        assert_eq!(told, "to run it on `vm1`, start the agent on `vm1`");
    }
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

#[test]
fn what_one_is_to_ask_less_leaves_nothing_for_the_next() {
    let (_, steps) = together(vec![reserving("a", Some(10.0), None), reserving("b", Some(3.0), None)], None, &hosts(1));
    let lower = |name: &str, from, to, reserved| FixStep::Processors { container: name.to_owned(), from, to, reserved };
    assert_eq!(steps, [lower("a", 10_000, 8000, 0), lower("b", 3000, 0, 8000)]);
    let (_, steps) =
        together(vec![reserving("a", None, Some(20 * GIB)), reserving("b", None, Some(GIB))], None, &hosts(1));
    let lower = |name: &str, from, to, reserved| FixStep::Memory {
        container: name.to_owned(),
        from: from * GIB,
        to: to * GIB,
        reserved: reserved * GIB,
    };
    assert_eq!(steps, [lower("a", 20, 16, 0), lower("b", 1, 0, 16)]);
}

#[test]
fn each_host_is_told_with_whom_it_has_no_room_for_and_what_is_taken_by_then() {
    let told = |containers: Vec<Container>, inventory: &Inventory| {
        let mut stack = stack("s", containers);
        stack.deployment.mode = Mode::SingleHost;
        let errors = plan(&stack, None, inventory, &Options::default()).unwrap_err();
        errors.into_iter().map(|error| error.message).collect::<Vec<_>>().join(" | ")
    };
    let mut inventory = hosts(3);
    inventory.hosts[1].cpu = 4.0;
    inventory.hosts[2].status = HostStatus::Offline;
    let both = || vec![reserving("a", Some(6.0), None), reserving("b", Some(4.0), None)];
    let all = "no host takes all containers of the stack: `vm1` has 6 of 8 processors reserved, 4 more are asked for for \
               `b`; `vm2` has 4 processors, 6 are asked for for `a`; `vm3` is offline";
    assert_eq!(told(both(), &inventory), all);
    let mut bound = both();
    bound[0].host = Some("vm1".into());
    let one =
        "no host takes all containers of the stack: `vm1` has 6 of 8 processors reserved, 4 more are asked for for `b`";
    assert_eq!(told(bound, &inventory), one);
}
