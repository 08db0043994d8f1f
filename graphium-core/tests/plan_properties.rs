//! What holds for every plan, whatever is wanted and whatever is there.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

use graphium_core::{
    action::Action,
    id::{HostId, StackId},
    inventory::{ContainerStatus, HostStatus, Inventory, ObservedContainer, ObservedPort},
    plan::{Applied, Options, Plan, StackAction, fixtures::*, plan, plan_action, plan_removal},
    runtime::{LiveSettings, LiveStep, label},
    stack::{
        Condition, Container, Dependency, Limits, Mount, MountKind, Network, Protocol, Reservations, Resources,
        RestartPolicy, Stack, TextMap,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::collections::{BTreeMap, BTreeSet};

const PORTS: [u16; 4] = [8001, 8002, 8003, 8004];

fn condition() -> impl Strategy<Value = Condition> {
    select(vec![Condition::Started, Condition::Healthy, Condition::Completed])
}

fn some_resources() -> impl Strategy<Value = Resources> {
    let size = || option::weighted(0.4, select(vec![64 << 20, 128 << 20]));
    let cpus = || option::weighted(0.3, select(vec![0.5, 1.0]));
    let limits = (cpus(), size(), option::weighted(0.2, Just(-1)), option::weighted(0.3, select(vec![-1, 0, 50])));
    (limits, cpus(), size()).prop_map(|((cpus, memory, memory_swap, pids), kept_cpus, kept_memory)| Resources {
        limits: Limits { cpus, memory, memory_swap, pids },
        reservations: Reservations { cpus: kept_cpus, memory: kept_memory },
    })
}

/// A container that depends on some of the first ones; with `circular` on any.
fn some_container(number: usize, circular: bool) -> impl Strategy<Value = Container> {
    let others = if circular { 6 } else { number };
    let dependencies = vec((0..others.max(1), condition()), 0..3);
    let parts = (
        dependencies,
        option::of(select(PORTS.to_vec())),
        option::weighted(0.2, 1..4_u32),
        option::weighted(0.3, option::weighted(0.5, select(vec!["data", "cache"]))),
        option::weighted(0.2, 0..3_u32),
        select(vec!["nginx:1", "nginx:2", "redis:7"]),
        option::weighted(0.1, Just("host".to_owned())),
        some_resources(),
        select(vec![RestartPolicy::No, RestartPolicy::Always, RestartPolicy::OnFailure(Some(2))]),
    );
    parts.prop_map(
        move |(dependencies, port, host, volume, replicas, image, network_mode, resources, restart_policy)| Container {
            resources,
            restart_policy,
            image: image.to_owned(),
            ports: port.map(|port| published(80, port)).into_iter().collect(),
            host: host.map(|host| HostId::new(format!("vm{host}"))),
            replicas,
            network_mode,
            depends_on: dependencies
                .into_iter()
                .filter(|_| others > 0)
                .map(|(on, condition)| Dependency { container: format!("c{on}"), condition })
                .collect(),
            volume_mounts: volume
                .map(|source| Mount {
                    kind: MountKind::Volume { source: source.map(str::to_owned), no_copy: false, subpath: None },
                    target: "/data".to_owned(),
                    read_only: false,
                })
                .into_iter()
                .collect(),
            ..checked(container(&format!("c{number}")))
        },
    )
}

fn some_stack(circular: bool) -> impl Strategy<Value = Stack> {
    let containers: Vec<_> = (0..6).map(|number| some_container(number, circular).boxed()).collect();
    let parts = (
        containers,
        0..7_usize,
        option::weighted(0.1, 1..4_u32),
        option::of(select(vec!["net", "other"])),
        option::weighted(0.1, 1..4_u32),
    );
    parts.prop_map(|(mut containers, count, host, network, most)| {
        containers.truncate(count);
        let kept: BTreeSet<String> = containers.iter().map(|container| container.name.clone()).collect();
        for container in &mut containers {
            container.depends_on.retain(|dependency| kept.contains(&dependency.container));
        }
        let mut stack = stack("s", containers);
        stack.host = host.map(|host| HostId::new(format!("vm{host}")));
        stack.network = network.map(|name| Network { name: Some(name.to_owned()), ..Network::default() });
        stack.deployment.max_instances_per_host = most;
        stack
    })
}

fn some_observed() -> impl Strategy<Value = ObservedContainer> {
    let status = select(vec![ContainerStatus::Running, ContainerStatus::Exited, ContainerStatus::Created]);
    (0..5_u32, 0..8_usize, option::of(select(PORTS.to_vec())), status, 0..3_u8).prop_map(
        |(host, name, port, status, kind)| {
            let mut labels = TextMap::new();
            if kind == 0 {
                labels.insert(label::STACK.to_owned(), "stack:s".to_owned());
                labels.insert(label::CONTAINER.to_owned(), format!("c{name}"));
            }
            ObservedContainer {
                id: format!("{host}-{name}-{kind}"),
                name: if kind == 1 { format!("foreign-{name}") } else { format!("s-c{name}") },
                image: "x".to_owned(),
                status,
                hosted_on: HostId::new(format!("vm{host}")),
                ports: port
                    .map(|port| ObservedPort {
                        container_port: 80,
                        host_port: Some(port),
                        protocol: Protocol::Tcp,
                        host_ip: None,
                    })
                    .into_iter()
                    .collect(),
                labels,
                health: None,
                exit_code: None,
                ip_address: None,
                date_created: None,
                settings: None,
            }
        },
    )
}

fn some_inventory() -> impl Strategy<Value = Inventory> {
    let status = select(vec![HostStatus::Active, HostStatus::Active, HostStatus::Offline, HostStatus::Draining]);
    (vec(status, 4), vec(some_observed(), 0..6)).prop_map(|(status, containers)| {
        let mut inventory = hosts(4);
        inventory.hosts.iter_mut().zip(status).for_each(|(host, status)| host.status = status);
        let mut names = BTreeSet::new();
        for container in containers {
            if names.insert((container.hosted_on.clone(), container.name.clone())) {
                inventory.containers.push(container);
            }
        }
        inventory
    })
}

/// A revision that was applied, and what is there after it; or neither.
fn some_past() -> impl Strategy<Value = (Option<Applied>, Inventory)> {
    (option::of(some_stack(false)), some_inventory()).prop_map(|(stack, inventory)| {
        let plan = stack.as_ref().and_then(|stack| plan(stack, None, &inventory, &Options::default()).ok());
        match (stack, plan) {
            (Some(stack), Some(plan)) => {
                let inventory = carried_out(&plan, inventory);
                (Some(Applied { stack, placements: plan.placements }), inventory)
            }
            _ => (None, inventory),
        }
    })
}

fn check_graph(plan: &Plan) -> Result<(), TestCaseError> {
    let mut seen = BTreeSet::new();
    for task in &plan.tasks {
        for first in &task.depends_on {
            prop_assert!(seen.contains(first.as_str()), "{} waits for {first}, which does not come before it", task.id);
        }
        let mut each = task.depends_on.clone();
        each.sort();
        each.dedup();
        prop_assert_eq!(each.len(), task.depends_on.len(), "{} waits twice for one task", &task.id);
        prop_assert!(seen.insert(task.id.as_str()), "{} is there twice", task.id);
    }
    Ok(())
}

/// After all tasks, no port of a host is held twice and nothing of the stack is where the plan does not say.
fn check_outcome(plan: &Plan, outcome: &Inventory) -> Result<(), TestCaseError> {
    let mut held: BTreeMap<(&HostId, u16), &str> = BTreeMap::new();
    let ours = outcome.containers.iter().filter(|seen| seen.label(label::STACK) == Some("stack:s"));
    for seen in ours.clone() {
        let name = seen.label(label::CONTAINER).unwrap();
        prop_assert_eq!(plan.placements.get(name), Some(&seen.hosted_on), "{}", name);
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            let other = held.insert((&seen.hosted_on, port), &seen.name);
            prop_assert!(other.is_none(), "{other:?} and {} hold {port}", seen.name);
        }
    }
    prop_assert_eq!(ours.count(), plan.placements.len());
    let deployed = |host: &HostId| {
        plan.tasks.iter().any(|task| task.host == *host && matches!(task.action, Action::Deploy { .. }))
    };
    for seen in outcome.containers.iter().filter(|seen| seen.label(label::STACK).is_none() && deployed(&seen.hosted_on))
    {
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            prop_assert_eq!(held.get(&(&seen.hosted_on, port)), None, "a port of {} was taken", &seen.name);
        }
    }
    Ok(())
}

/// Who takes a port starts after whoever had it has stopped, been removed or been replaced.
fn check_handover(plan: &Plan, inventory: &Inventory) -> Result<(), TestCaseError> {
    let mut held: BTreeMap<(HostId, u16), String> = BTreeMap::new();
    for seen in &inventory.containers {
        for port in seen.ports.iter().filter_map(|port| port.host_port) {
            held.insert((seen.hosted_on.clone(), port), seen.name.clone());
        }
    }
    for task in &plan.tasks {
        let subject = task.action.subject();
        match &task.action {
            Action::Deploy { spec } | Action::Update { spec } => {
                held.retain(|(host, _), holder| *host != task.host || holder != subject);
                for port in spec.container.ports.iter().filter_map(|port| port.host_port) {
                    let other = held.insert((task.host.clone(), port), subject.to_owned());
                    prop_assert!(other.is_none(), "{other:?} still has the port {port} that {subject} takes");
                }
            }
            Action::Stop { .. } | Action::Delete { .. } => {
                held.retain(|(host, _), holder| *host != task.host || holder != subject);
            }
            _ => {}
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn dependencies_come_first_and_nothing_is_twice(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(plan) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            check_graph(&plan)?;
            check_outcome(&plan, &carried_out(&plan, inventory.clone()))?;
            prop_assert_eq!(plan.clone().sealed().hash, plan.hash);
        }
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(first) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            let after = carried_out(&first, inventory);
            let applied = Applied { stack: desired.clone(), placements: first.placements };
            let again = plan(&desired, Some(&applied), &after, &Options::default());
            let left: Vec<_> = again.unwrap().tasks.into_iter().map(|task| (task.id, task.why)).collect();
            prop_assert_eq!(left, vec![]);
        }
    }

    #[test]
    fn what_another_has_adjusted_is_set_right_without_a_stop_or_made_anew(
        desired in some_stack(false),
        drifts in vec((some_resources(), any::<bool>()), 6),
        is_known in any::<bool>(),
    ) {
        let Ok(first) = plan(&desired, None, &hosts(4), &Options::default()) else { return Ok(()) };
        let mut there = carried_out(&first, hosts(4));
        for (seen, (resources, has_drifted)) in there.containers.iter_mut().zip(drifts) {
            if has_drifted {
                seen.settings = Some(LiveSettings::of(&Container { resources, ..Container::default() }));
            }
        }
        let applied = Applied { stack: desired.clone(), placements: first.placements };
        let applied = Some(&applied).filter(|_| is_known);
        let second = plan(&desired, applied, &there, &Options::default()).unwrap();
        let after = carried_out(&second, there.clone());
        for task in &second.tasks {
            if let (Action::Adjust { name, .. }, Some(undo)) = (&task.action, &task.undo) {
                prop_assert!(task.depends_on.is_empty());
                let find = |inventory: &Inventory| {
                    inventory.containers.iter().find(|seen| seen.name == *name).and_then(|seen| seen.settings).unwrap()
                };
                match undo {
                    Action::Adjust { settings, .. } => {
                        prop_assert_eq!(*settings, find(&there));
                        prop_assert!(!matches!(find(&after).step_to(settings), LiveStep::Anew(_)));
                    }
                    other => prop_assert!(is_known && matches!(other, Action::Update { .. }), "{other:?}"),
                }
            }
        }
        prop_assert!(plan(&desired, applied, &after, &Options::default()).unwrap().is_empty());
    }

    #[test]
    fn ports_are_free_when_they_are_taken(desired in some_stack(false), (applied, inventory) in some_past()) {
        if let Ok(plan) = plan(&desired, applied.as_ref(), &inventory, &Options::default()) {
            // What another holds on a host that a bound container of ours already shares with it is not this plan's doing.
            let mut ours = inventory.clone();
            ours.containers.retain(|seen| seen.label(label::STACK) == Some("stack:s"));
            check_handover(&plan, &ours)?;
        }
    }

    #[test]
    fn the_order_of_hosts_and_of_what_is_seen_changes_no_byte(
        desired in some_stack(false),
        (applied, inventory) in some_past(),
        seed in any::<u64>(),
    ) {
        let mut shuffled = inventory.clone();
        let key = |text: &str| text.bytes().fold(seed, |key, byte| (key ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        shuffled.hosts.sort_by_key(|host| key(host.id.as_str()));
        shuffled.containers.sort_by_key(|seen| key(&format!("{}{}", seen.hosted_on, seen.name)));
        let bytes = |inventory: &Inventory| {
            serde_json::to_string(&plan(&desired, applied.as_ref(), inventory, &Options::default())).unwrap()
        };
        prop_assert_eq!(bytes(&inventory), bytes(&shuffled));
    }

    #[test]
    fn a_plan_for_some_hosts_touches_no_other_and_waits_for_no_other(
        desired in some_stack(false),
        (applied, inventory) in some_past(),
        asked in proptest::collection::btree_set(1..6_u32, 1..4),
    ) {
        let asked: BTreeSet<HostId> = asked.into_iter().map(|host| HostId::new(format!("vm{host}"))).collect();
        if let Ok(whole) = plan(&desired, applied.as_ref(), &inventory, &Options { explain: true, ..Options::default() }) {
            let crosses = whole.tasks.iter().filter(|task| asked.contains(&task.host)).any(|task| {
                let first = |id: &String| whole.tasks.iter().find(|task| task.id == *id).unwrap();
                task.depends_on.iter().any(|id| !asked.contains(&first(id).host))
            });
            match whole.clone().limited_to(&asked) {
                Err(errors) => prop_assert!(crosses && errors.iter().all(|error| error.code == "left-out-dependency")),
                Ok(part) => {
                    prop_assert!(!crosses);
                    check_graph(&part)?;
                    let hosts = part.tasks.iter().map(|task| &task.host).chain(part.placements.values());
                    let hosts = hosts.chain(part.endpoints.iter().map(|endpoint| &endpoint.host));
                    let mut hosts = hosts.chain(part.choices.iter().map(|choice| &choice.host));
                    prop_assert!(hosts.all(|host| asked.contains(host)));
                    let elsewhere = |inventory: &Inventory| {
                        let elsewhere = inventory.containers.iter().filter(|seen| !asked.contains(&seen.hosted_on));
                        let elsewhere = elsewhere.map(|seen| ((seen.hosted_on.clone(), seen.name.clone()), seen.clone()));
                        elsewhere.collect::<BTreeMap<_, _>>()
                    };
                    prop_assert_eq!(elsewhere(&carried_out(&part, inventory.clone())), elsewhere(&inventory));
                    prop_assert_eq!(part.clone().sealed().hash, part.hash);
                }
            }
            let every: BTreeSet<HostId> = (0..9).map(|host| HostId::new(format!("vm{host}"))).collect();
            let all = whole.clone().limited_to(&every).unwrap();
            prop_assert_eq!((all.tasks, all.placements, all.unchanged), (whole.tasks, whole.placements, whole.unchanged));
        }
    }

    #[test]
    fn a_removal_leaves_nothing((applied, inventory) in some_past(), remove_volumes in any::<bool>()) {
        let (id, options) = (StackId::new("stack:s"), Options { remove_volumes, ..Options::default() });
        let plan = plan_removal(&id, "s", applied.as_ref(), &inventory, &options);
        check_graph(&plan)?;
        let after = carried_out(&plan, inventory);
        prop_assert!(after.containers.iter().all(|seen| seen.label(label::STACK) != Some("stack:s")));
        prop_assert!(plan_removal(&id, "s", None, &after, &options).is_empty());
    }

    #[test]
    fn stopping_and_starting_come_to_rest((applied, inventory) in some_past()) {
        let id = StackId::new("stack:s");
        let mut inventory = inventory;
        for action in [StackAction::Stop, StackAction::Start, StackAction::Restart] {
            let plan = plan_action(action, &id, "s", applied.as_ref(), &inventory);
            check_graph(&plan)?;
            inventory = carried_out(&plan, inventory);
        }
    }

    #[test]
    fn no_stack_makes_the_planner_panic(desired in some_stack(true), applied in some_stack(true), (_, inventory) in some_past()) {
        let placements = applied.containers.iter().map(|container| (container.name.clone(), HostId::new("vm1"))).collect();
        let applied = Applied { stack: applied, placements };
        if let Ok(plan) = plan(&desired, Some(&applied), &inventory, &Options::default()) {
            check_graph(&plan)?;
        }
        check_graph(&plan_removal(&applied.stack.id, "s", Some(&applied), &inventory, &Options::default()))?;
        check_graph(&plan_action(StackAction::Restart, &applied.stack.id, "s", Some(&applied), &inventory))?;
    }
}
