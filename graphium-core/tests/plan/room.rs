//! What a host has, what is left of it, and what is said of it.

use graphium_core::{
    diagnostic::Diagnostic,
    inventory::Inventory,
    plan::{Options, fixtures::*, plan},
    stack::{Container, Deployment, HostConstraint, Mode, Stack, Strategy},
};

const GIB: u64 = 1 << 30;

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

#[test]
fn a_host_that_does_not_tell_what_it_has_takes_whatever_is_reserved() {
    let mut inventory = hosts(1);
    (inventory.hosts[0].cpu, inventory.hosts[0].memory) = (0.0, 0);
    for asking in [reserving("a", Some(64.0), None), reserving("a", None, Some(512 * GIB))] {
        assert!(plan(&stack("s", vec![asking]), None, &inventory, &Options::default()).is_ok());
    }
}

#[test]
fn what_a_constraint_asks_for_is_told_beside_what_the_host_has_or_does_not_tell() {
    let told = |constraint: HostConstraint, cpu: f64, memory: u64| {
        let constraint = HostConstraint { container_name: "a".to_owned(), ..constraint };
        let mut stack = stack("s", vec![container("a")]);
        stack.deployment.host_constraints = vec![constraint];
        let mut inventory = hosts(1);
        (inventory.hosts[0].cpu, inventory.hosts[0].memory) = (cpu, memory);
        refused(&stack, &inventory)[0].message.clone()
    };
    let processors = HostConstraint { min_cpu: Some(4.0), ..HostConstraint::default() };
    let memory = HostConstraint { min_memory: Some(4 * GIB), ..HostConstraint::default() };
    assert_eq!(told(processors.clone(), 2.0, 0), "`a` fits on no host: `vm1` has 2 processors, not 4");
    assert_eq!(told(processors, 0.0, 0), "`a` fits on no host: `vm1` has an unknown number of processors, not 4");
    assert_eq!(told(memory.clone(), 0.0, GIB), "`a` fits on no host: `vm1` has 1 GiB of memory, not 4 GiB");
    assert_eq!(told(memory, 0.0, 0), "`a` fits on no host: `vm1` has an unknown amount of memory, not 4 GiB");
}

#[test]
fn what_is_reserved_already_takes_points_from_a_host() {
    let there = Container { host: Some("vm1".into()), ..reserving("there", Some(4.0), Some(4 * GIB)) };
    let deployment = Deployment { placement_strategy: Some(Strategy::Auto), ..Deployment::default() };
    let stack = Stack { deployment, ..stack("s", vec![there, container("new")]) };
    let plan = plan(&stack, None, &hosts(2), &Options { explain: true, ..Options::default() }).unwrap();
    let choice = plan.choices.iter().find(|choice| choice.container == "new").unwrap();
    let left: Vec<_> = choice.hosts.iter().map(|host| host.score.unwrap()).collect();
    assert_eq!((left[0].cpu, left[0].memory), (150, 225));
    assert_eq!((left[1].cpu, left[1].memory), (300, 300));
}

#[test]
fn a_host_that_was_tried_for_the_whole_stack_bears_nothing_of_it_afterwards() {
    let mut stack = stack("s", vec![reserving("a", Some(3.0), None), reserving("b", Some(3.0), None)]);
    stack.deployment.mode = Mode::SingleHost;
    let mut inventory = hosts(2);
    inventory.hosts[0].cpu = 4.0;
    let plan = plan(&stack, None, &inventory, &Options { explain: true, ..Options::default() }).unwrap();
    assert!(plan.placements.values().all(|host| host.as_str() == "vm2"), "{:?}", plan.placements);
    let borne = |container: usize| plan.choices[container].hosts.iter().map(|host| host.containers).collect::<Vec<_>>();
    assert_eq!((plan.choices.len(), borne(0), borne(1)), (2, vec![0, 0], vec![0, 1]));
}

#[test]
fn amounts_of_memory_are_told_to_the_byte_where_words_would_hide_what_is_lacking() {
    let told = |stack: Stack, memory: u64| {
        let mut inventory = hosts(1);
        inventory.hosts[0].memory = memory;
        refused(&stack, &inventory)[0].message.split_once(": ").unwrap().1.to_owned()
    };
    let constrained = |wanted: u64| {
        let mut stack = stack("s", vec![container("a")]);
        let asking = HostConstraint { min_memory: Some(wanted), ..HostConstraint::default() };
        stack.deployment.host_constraints = vec![HostConstraint { container_name: "a".to_owned(), ..asking }];
        stack
    };
    let alone = |wanted: u64| stack("s", vec![reserving("a", None, Some(wanted))]);
    let beside = |wanted: u64| stack("s", vec![reserving("a", None, Some(GIB)), reserving("b", None, Some(wanted))]);
    // One byte too little, and much too little.
    let (near, far) = (4 * GIB - 1, 2 * GIB - 1);
    assert_eq!(told(constrained(4 * GIB), near), "`vm1` has 4294967295 bytes of memory, not 4294967296 bytes");
    assert_eq!(told(constrained(4 * GIB), far), "`vm1` has 2 GiB of memory, not 4 GiB");
    assert_eq!(told(alone(4 * GIB), near), "`vm1` has 4294967295 bytes of memory, 4294967296 bytes are needed");
    assert_eq!(told(alone(4 * GIB), far), "`vm1` has 2 GiB of memory, 4 GiB are needed");
    assert_eq!(
        told(beside(3 * GIB), near),
        "`vm1` has 1073741824 bytes of 4294967295 bytes of memory reserved, 3221225472 bytes more are needed"
    );
    assert_eq!(told(beside(3 * GIB), far), "`vm1` has 1 GiB of 2 GiB of memory reserved, 3 GiB more are needed");
}
