//! What holds for every change that is suggested, whatever is wanted and whatever is there.

use graphium_core::{
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{Host, HostStatus, Inventory},
    plan::{Fix, FixStep, Options, fixtures::*, plan},
    stack::{Container, HostConstraint, Mode, Protocol, Stack, Strategy as Placement},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::{collections::BTreeSet, sync::Arc};

const GIB: u64 = 1 << 30;

fn refused(stack: &Stack, inventory: &Inventory) -> Vec<Diagnostic> {
    plan(stack, None, inventory, &Options::default()).unwrap_err()
}

fn some_container(number: usize) -> impl Strategy<Value = Container> {
    let parts = (
        option::weighted(0.5, select(vec![8001_u16, 8002])),
        option::weighted(0.2, 1..4_u32),
        option::weighted(0.4, select(vec![1.0, 2.5, 6.0, 9.0])),
        option::weighted(0.4, 1..20_u64),
        option::weighted(0.3, select(vec!["ssd", "hdd"])),
        option::weighted(0.3, select(vec![2_u32, 3])),
    );
    parts.prop_map(move |(port, host, cpus, memory, disk, replicas)| {
        let mut container = reserving(&format!("c{number}"), cpus, memory.map(|memory| memory * GIB));
        container.ports = port.map(|port| published(80, port)).into_iter().collect();
        container.host = host.map(|host| HostId::new(format!("vm{host}")));
        container.requirements.labels = disk.map(|disk| ("disk".to_owned(), disk.to_owned())).into_iter().collect();
        container.replicas = replicas;
        container
    })
}

fn some_stack() -> impl Strategy<Value = Stack> {
    let strategy = select(vec![None, Some(Placement::Auto)]);
    let asked = (option::weighted(0.3, 1..6_u32), option::weighted(0.3, select(vec!["eu", "us"])));
    let containers: Vec<_> = (0..4).map(|number| some_container(number).boxed()).collect();
    (
        containers,
        1..5_usize,
        option::weighted(0.3, 1..3_u32),
        strategy,
        select(vec![Mode::MultiHost, Mode::SingleHost]),
        asked,
    )
        .prop_map(|(mut containers, count, most, strategy, mode, (min_cpu, datacenter))| {
            containers.truncate(count);
            let mut stack = stack("s", containers);
            stack.deployment.max_instances_per_host = most;
            stack.deployment.placement_strategy = strategy;
            stack.deployment.mode = mode;
            stack.deployment.host_constraints = vec![HostConstraint {
                container_name: "c0".to_owned(),
                min_cpu: min_cpu.map(|cpu| f64::from(cpu) * 2.5),
                required_datacenter: datacenter.map(str::to_owned),
                ..HostConstraint::default()
            }];
            stack
        })
}

fn some_estate() -> impl Strategy<Value = Inventory> {
    let status = select(vec![HostStatus::Active, HostStatus::Active, HostStatus::Active, HostStatus::Draining]);
    let host = (status, option::of(select(vec!["ssd", "hdd"])), option::of(select(vec!["eu", "us"])), 0..20_u64);
    (vec(host, 3), vec((1..4_u32, 0..4_usize, select(vec![8001_u16, 8002, 8003])), 0..4)).prop_map(|(facts, others)| {
        let mut inventory = hosts(3);
        for (host, (status, disk, location, memory)) in inventory.hosts.iter_mut().zip(facts) {
            host.status = status;
            host.labels = disk.map(|disk| ("disk".to_owned(), disk.to_owned())).into_iter().collect();
            host.location = location.map(str::to_owned);
            host.memory = memory * GIB;
        }
        for (host, name, port) in others {
            let name = if name == 0 { "s-c1".to_owned() } else { format!("other-{name}") };
            inventory.containers.push(foreign(&name, &format!("vm{host}"), Some(port)));
        }
        inventory
    })
}

fn placeless(errors: &[Diagnostic]) -> Vec<&Diagnostic> {
    let codes = ["no-eligible-host", "host-unsuitable", "host-port-clash"];
    errors.iter().filter(|error| codes.contains(&&*error.code)).collect()
}

/// Who has no place: containers, replicas of one, or all together.
fn subjects(error: &Diagnostic) -> BTreeSet<String> {
    if error.message.starts_with("no host takes all") {
        return BTreeSet::from(["all".to_owned()]);
    }
    let who = error.message.split(" fit").next().unwrap().split(" bound").next().unwrap();
    // `c3-2` is a replica of `c3`.
    who.split('`').skip(1).step_by(2).filter_map(|name| name.split('-').next()).map(str::to_owned).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn changes_made_in_the_order_of_their_errors_each_help_and_take_no_other_its_place(stack in some_stack(), inventory in some_estate()) {
        if let Err(errors) = plan(&stack, None, &inventory, &Options::default()) {
            let (mut changed, mut estate) = (stack, inventory);
            let mut before: BTreeSet<String> = placeless(&errors).into_iter().flat_map(subjects).collect();
            for error in placeless(&errors) {
                let Some(fix) = &error.fix else { continue };
                fix.apply(&mut changed, &mut estate);
                let left = plan(&changed, None, &estate, &Options::default()).err().unwrap_or_default();
                let after: BTreeSet<String> = placeless(&left).into_iter().flat_map(subjects).collect();
                prop_assert!(subjects(error).iter().all(|subject| !after.contains(subject)), "{fix} does not help: {left:#?}");
                // Of many that are told of together some are only counted.
                let all_named = !errors.iter().any(|error| error.message.contains(" more fit "));
                prop_assert!(!all_named || after.is_subset(&before), "{fix} harms others: {left:#?}");
                before = after;
            }
            if placeless(&errors).iter().all(|error| error.fix.is_some()) {
                prop_assert!(before.is_empty(), "together they are not enough: {before:?} of {errors:#?}");
            }
        }
    }

    #[test]
    fn changes_made_one_after_the_other_end_in_a_plan_or_in_advice(stack in some_stack(), inventory in some_estate()) {
        let (mut stack, mut inventory) = (stack, inventory);
        for _ in 0..40 {
            let Err(errors) = plan(&stack, None, &inventory, &Options::default()) else { return Ok(()) };
            // What helps one may take another its place, and contradictions have no remedy.
            let Some(fix) = errors.iter().find_map(|error| error.fix.clone()) else {
                prop_assert!(errors.iter().all(|error| error.help.is_some()), "{errors:#?}");
                return Ok(());
            };
            fix.apply(&mut stack, &mut inventory);
        }
        prop_assert!(false, "never ends: {:#?}", refused(&stack, &inventory));
    }

    #[test]
    fn a_change_survives_being_written_down(stack in some_stack(), inventory in some_estate()) {
        if let Err(errors) = plan(&stack, None, &inventory, &Options::default()) {
            let text = serde_json::to_string(&errors).unwrap();
            prop_assert_eq!(serde_json::from_str::<Vec<Diagnostic>>(&text).unwrap(), errors);
        }
    }
}

/// One-step changes for a container, the most preferred first, as somebody might think of them who tries everything.
fn one_step_changes(definition: &Container, stack: &Stack, inventory: &Inventory) -> Vec<FixStep> {
    let name = || definition.name.clone();
    let mut steps = Vec::new();
    for from in definition.ports.iter().filter_map(|port| port.host_port) {
        let other = |to| FixStep::HostPort { container: name(), protocol: Protocol::Tcp, from, to };
        steps.extend((8001..8010).filter(|to| *to > from).map(other));
    }
    if let Some(from) = stack.deployment.max_instances_per_host {
        steps.push(FixStep::MaxInstances { from, to: from + 1 });
    }
    let reserved = &definition.resources.reservations;
    if let Some(from) = reserved.memory {
        let less = |to| FixStep::Memory { container: name(), from, to: to * GIB, reserved: 0 };
        steps.extend((0..from / GIB).rev().map(less));
    }
    if let Some(cpus) = reserved.cpus {
        let from = (cpus * 1000.0) as u64;
        steps.extend((0..from / 500).rev().map(|to| FixStep::Processors {
            container: name(),
            from,
            to: to * 500,
            reserved: 0,
        }));
    }
    for key in definition.requirements.labels.keys() {
        let label = |host: &Host| FixStep::Label {
            host: host.id.clone(),
            key: key.clone(),
            from: None,
            to: definition.requirements.labels[key].clone(),
        };
        steps.extend(inventory.hosts.iter().map(label));
    }
    let activate = |host: &Host| FixStep::Activate { host: host.id.clone(), from: host.status };
    steps.extend(inventory.hosts.iter().map(activate));
    steps
}

/// Where a kind of step stands in the order of preference, and how much it takes away.
fn order(step: &FixStep) -> (u8, u64) {
    match step {
        FixStep::HostPort { from, to, .. } => (0, u64::from(from.abs_diff(*to))),
        FixStep::MaxInstances { from, to } => (1, u64::from(to - from)),
        FixStep::Memory { from, to, .. } => (2, from - to),
        FixStep::Processors { from, to, .. } => (3, from - to),
        FixStep::MinMemory { .. } | FixStep::MinProcessors { .. } | FixStep::Datacenter { .. } => (4, 0),
        FixStep::Label { .. } => (5, 0),
        FixStep::HostDatacenter { .. } => (6, 0),
        FixStep::Activate { .. } => (7, 0),
        FixStep::FreeName { .. } => (8, 0),
        FixStep::Equip { .. } => (9, 0),
        FixStep::Replicas { .. } => (10, 0),
        FixStep::AddHost { .. } => (11, 0),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn nobody_finds_a_smaller_change_by_trying_everything(stack in some_stack(), inventory in some_estate()) {
        let mut stack = stack;
        stack.deployment.mode = Mode::MultiHost;
        // One container alone: what others do when it changes is another property.
        stack.containers.truncate(1);
        Arc::make_mut(&mut stack.containers[0]).replicas = None;
        if let Err(errors) = plan(&stack, None, &inventory, &Options::default()) {
            let fix = errors[0].fix.as_ref().unwrap();
            let (mut changed, mut estate) = (stack.clone(), inventory.clone());
            fix.apply(&mut changed, &mut estate);
            prop_assert!(plan(&changed, None, &estate, &Options::default()).is_ok(), "{fix}");
            for step in one_step_changes(&stack.containers[0], &stack, &inventory) {
                let (mut changed, mut estate) = (stack.clone(), inventory.clone());
                let other = Fix { host: None, steps: vec![step.clone()] };
                other.apply(&mut changed, &mut estate);
                if plan(&changed, None, &estate, &Options::default()).is_ok() {
                    let [found] = fix.steps.as_slice() else { return Err(TestCaseError::fail(format!("{step} beats {fix}"))) };
                    prop_assert!(order(found) <= order(&step), "{step} beats {fix}");
                    // The figure is as near to what was asked for as can be: a mebibyte or a thousandth more does not fit.
                    let more = match found.clone() {
                        FixStep::Memory { container, from, to, reserved } => FixStep::Memory { container, from, to: to + (1 << 20), reserved },
                        FixStep::Processors { container, from, to, reserved } => FixStep::Processors { container, from, to: to + 1, reserved },
                        _ => continue,
                    };
                    let (mut changed, mut estate) = (stack.clone(), inventory.clone());
                    Fix { host: None, steps: vec![more] }.apply(&mut changed, &mut estate);
                    prop_assert!(plan(&changed, None, &estate, &Options::default()).is_err(), "less than {fix} would do");
                }
            }
        }
    }
}
