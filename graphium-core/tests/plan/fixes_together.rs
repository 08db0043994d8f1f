//! What several containers, or several replicas, ask of one host is asked once and far enough for all.

use graphium_core::{
    inventory::{HostStatus, Inventory},
    plan::{FixStep, Options, fixtures::*, plan},
    stack::{Container, HostConstraint, Mode, Stack, Strategy},
};

const GIB: u64 = 1 << 30;

fn single_host(containers: Vec<Container>) -> Stack {
    let mut stack = stack("s", containers);
    stack.deployment.mode = Mode::SingleHost;
    stack
}

/// The change that is suggested for a stack; it is seen to help.
fn fixed(mut stack: Stack, inventory: &Inventory) -> (String, Vec<FixStep>) {
    let errors = plan(&stack, None, inventory, &Options::default()).unwrap_err();
    let fix = errors.iter().find_map(|error| error.fix.clone()).unwrap_or_else(|| panic!("no change: {errors:#?}"));
    let mut estate = inventory.clone();
    fix.apply(&mut stack, &mut estate);
    plan(&stack, None, &estate, &Options::default()).unwrap();
    (fix.to_string(), fix.steps)
}

/// The change that is suggested for containers that must all be on one host.
fn together(containers: Vec<Container>, most: Option<u32>, inventory: &Inventory) -> (String, Vec<FixStep>) {
    let mut stack = single_host(containers);
    stack.deployment.max_instances_per_host = most;
    fixed(stack, inventory)
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
    assert_eq!(told, "to run it on `vm1`, raise `maxInstancesPerHost` from 1 to 3");
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
    let all = "no host takes all containers of the stack: `vm1` has 6 of 8 processors reserved, 4 more are needed for \
               `b`; `vm2` has 4 processors, 6 are needed for `a`; `vm3` is offline";
    assert_eq!(told(both(), &inventory), all);
    let mut bound = both();
    bound[0].host = Some("vm1".into());
    let one =
        "no host takes all containers of the stack: `vm1` has 6 of 8 processors reserved, 4 more are needed for `b`";
    assert_eq!(told(bound, &inventory), one);
}

#[test]
fn what_two_containers_ask_alike_of_a_host_is_asked_once() {
    let mut both = ["a", "b"].map(container);
    for container in &mut both {
        container.requirements.labels.insert("disk".to_owned(), "ssd".to_owned());
    }
    let (told, _) = together(both.to_vec(), None, &hosts(1));
    assert_eq!(told, "to run it on `vm1`, give `vm1` the label `disk=ssd`: it lacks only that");

    let mut stack = single_host(["a", "b"].map(container).to_vec());
    let in_eu = |name: &str| HostConstraint {
        container_name: name.to_owned(),
        required_datacenter: Some("eu".to_owned()),
        ..HostConstraint::default()
    };
    stack.deployment.host_constraints = vec![in_eu("a"), in_eu("b")];
    let mut inventory = hosts(1);
    assert_eq!(fixed(stack, &inventory).0, "to run it on `vm1`, say that `vm1` is in the datacenter `eu`, if it is");

    let mut stack = single_host(["a", "b"].map(container).to_vec());
    stack.deployment.placement_strategy = Some(Strategy::Datacenter);
    stack.deployment.target_datacenter = Some("eu".to_owned());
    inventory.hosts[0].location = Some("us".to_owned());
    assert_eq!(fixed(stack, &inventory).0, "change `targetDatacenter` from `eu` to `us`");
}

#[test]
fn however_many_replicas_share_what_others_leave_them() {
    let beside = |container: Container, other: Container| vec![other, replicated(container, 4)];
    let (_, steps) =
        together(beside(reserving("b", Some(5.0), None), reserving("a", Some(2.0), None)), None, &hosts(1));
    assert_eq!(steps, [FixStep::Processors { container: "b".to_owned(), from: 5000, to: 1500, reserved: 2000 }]);
    let (_, steps) =
        together(beside(reserving("b", None, Some(10 * GIB)), reserving("a", None, Some(4 * GIB))), None, &hosts(1));
    assert_eq!(steps, [FixStep::Memory { container: "b".to_owned(), from: 10 * GIB, to: 3 * GIB, reserved: 4 * GIB }]);
}

#[test]
fn where_no_host_is_known_one_is_added_that_takes_them_all() {
    let both = || vec![reserving("a", Some(2.0), None), reserving("b", Some(3.0), None)];
    let (told, _) = together(both(), None, &hosts(0));
    assert_eq!(told, "add a host with 5 processors");
}

#[test]
fn hosts_that_contradict_what_is_asked_do_not_hide_the_one_that_can_be_changed() {
    let mut stack = single_host(["a", "b"].map(container).to_vec());
    let within = |name: &str, datacenter: &str| HostConstraint {
        container_name: name.to_owned(),
        required_datacenter: Some(datacenter.to_owned()),
        ..HostConstraint::default()
    };
    stack.deployment.host_constraints = vec![within("a", "eu"), within("b", "us")];
    // Of nine hosts nobody knows where they are, and none can be in two places; the tenth asks for three changes.
    let mut inventory = hosts(10);
    inventory.hosts[9].location = Some("asia".to_owned());
    inventory.hosts[9].status = HostStatus::Offline;
    assert_eq!(
        fixed(stack, &inventory).0,
        "to run it on `vm10`, start the agent on `vm10`, ask for the datacenter `asia` instead of `eu` for `a` and ask for \
         the datacenter `asia` instead of `us` for `b`"
    );
}
