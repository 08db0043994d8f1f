//! Stacks, and estates with a past, made at random.

use graphium_core::{
    id::HostId,
    inventory::{ContainerStatus, HostStatus, Inventory, ObservedContainer, ObservedPort},
    plan::{Applied, Options, fixtures::*, plan},
    runtime::label,
    stack::{
        Condition, Container, Dependency, Limits, Mount, MountKind, Network, OnFailure, Protocol, Reservations,
        Resources, RestartPolicy, Stack, TextMap, Update,
    },
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use std::collections::BTreeSet;

const PORTS: [u16; 4] = [8001, 8002, 8003, 8004];

fn condition() -> impl Strategy<Value = Condition> {
    select(vec![Condition::Started, Condition::Healthy, Condition::Completed])
}

pub(crate) fn some_resources() -> impl Strategy<Value = Resources> {
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

pub(crate) fn some_stack(circular: bool) -> impl Strategy<Value = Stack> {
    let containers: Vec<_> = (0..6).map(|number| some_container(number, circular).boxed()).collect();
    let parts = (
        containers,
        0..7_usize,
        option::weighted(0.1, 1..4_u32),
        option::of(select(vec!["net", "other"])),
        option::weighted(0.1, 1..4_u32),
        (1..4_u32, option::weighted(0.3, Just(OnFailure::Rollback))),
    );
    parts.prop_map(|(mut containers, count, host, network, most, (max_parallel, on_failure))| {
        containers.truncate(count);
        let kept: BTreeSet<String> = containers.iter().map(|container| container.name.clone()).collect();
        for container in &mut containers {
            container.depends_on.retain(|dependency| kept.contains(&dependency.container));
        }
        let mut stack = stack("s", containers);
        stack.host = host.map(|host| HostId::new(format!("vm{host}")));
        stack.network = network.map(|name| Network { name: Some(name.to_owned()), ..Network::default() });
        stack.deployment.max_instances_per_host = most;
        stack.deployment.update = Update { max_parallel, on_failure, ..Update::default() };
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
                ended_with_engine: false,
                ended_by_task: false,
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

/// A revision that was applied, the hosts, and what they bear after it; or no revision.
pub(crate) fn some_estate() -> impl Strategy<Value = (Option<Applied>, Inventory, Estate)> {
    (option::of(some_stack(false)), some_inventory()).prop_map(|(stack, mut inventory)| {
        let plan = stack.as_ref().and_then(|stack| plan(stack, None, &inventory, &Options::default()).ok());
        let mut estate = Estate::of(inventory.containers.clone());
        let applied = stack.zip(plan).map(|(stack, plan)| {
            plan.tasks.iter().for_each(|task| estate.carry_out(&task.host, &task.action));
            Applied { stack, placements: plan.placements }
        });
        inventory.containers = estate.containers.values().cloned().collect();
        (applied, inventory, estate)
    })
}
