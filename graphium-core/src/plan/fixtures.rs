//! Stacks, hosts and a pretended estate, for tests and benchmarks of plans.
//!
//! # Example
//! ```
//! use graphium_core::plan::{self, Options, fixtures::{Estate, checked, container, foreign, hosts, layered, running}};
//! use graphium_core::{action::Action, inventory::Health, runtime::ContainerSpec};
//!
//! let large = layered(100);
//! let plan = plan::plan(&large, None, &hosts(3), &Options::default()).unwrap();
//! assert_eq!(plan.placements.len(), 100);
//!
//! let spec = ContainerSpec::new("shop-db", checked(container("db")));
//! assert_eq!(running(&spec, &"vm1".into()).health, Some(Health::Healthy));
//!
//! let mut estate = Estate::of(vec![foreign("proxy", "vm1", Some(80))]);
//! estate.carry_out(&"vm1".into(), &Action::Deploy { spec: Box::new(spec) });
//! assert_eq!(estate.containers.len(), 2);
//! ```

use super::Plan;
use crate::{
    action::{Action, AdoptAim},
    id::{HostId, StackId},
    inventory::{ContainerStatus, Health, Host, Inventory, ObservedContainer, ObservedPort},
    runtime::{ContainerSpec, LiveSettings},
    stack::{
        Condition, Container, Dependency, Deployment, HealthCheck, HealthTest, Port, Protocol, Reservations, Resources,
        Stack, Strategy, TextMap,
    },
};
use indexmap::IndexMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
};

/// So many active hosts `vm1`, `vm2` …, each with an address, eight processors and 16 GiB.
pub fn hosts(count: u32) -> Inventory {
    let host = |number: u32| Host {
        ip_address: Some(IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + number))),
        cpu: 8.0,
        memory: 16 << 30,
        ..Host::named(HostId::new(format!("vm{number}")))
    };
    Inventory { hosts: (1..=count).map(host).collect(), containers: Vec::new() }
}

/// A stack `stack:<name>` of these containers, in its canonical order.
pub fn stack(name: &str, containers: Vec<Container>) -> Stack {
    Stack {
        id: StackId::new(format!("stack:{name}")),
        name: name.to_owned(),
        description: None,
        labels: TextMap::new(),
        host: None,
        network: None,
        containers: containers.into_iter().map(Arc::new).collect(),
        deployment: Deployment::default(),
        depends_on: Vec::new(),
        volumes: Vec::new(),
        secrets: Vec::new(),
        hosts: Vec::new(),
        datacenters: Vec::new(),
        annotations: IndexMap::new(),
    }
    .canonical()
}

/// A container of `nginx:alpine`.
pub fn container(name: &str) -> Container {
    Container {
        id: format!("container:{name}"),
        name: name.to_owned(),
        image: "nginx:alpine".to_owned(),
        ..Container::default()
    }
}

/// A dependency on a container's start.
pub fn on(name: &str) -> Dependency {
    Dependency { container: name.to_owned(), condition: Condition::Started }
}

/// A port that is published under a fixed number.
pub fn published(container_port: u16, host_port: u16) -> Port {
    Port { container_port, host_port: Some(host_port), protocol: Protocol::Tcp, host_ip: None }
}

/// The same with a health check, for others to wait for.
#[must_use]
pub fn checked(container: Container) -> Container {
    let test = HealthTest::Exec { command: vec!["true".to_owned()] };
    let check = HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None };
    Container { health_check: Some(check), ..container }
}

/// A container that reserves so many processors and bytes of memory.
pub fn reserving(name: &str, cpus: Option<f64>, memory: Option<u64>) -> Container {
    let reservations = Reservations { cpus, memory };
    Container { resources: Resources { reservations, ..Resources::default() }, ..container(name) }
}

/// A container that runs on a host, bears no label of ours and holds this port.
pub fn foreign(name: &str, host: &str, host_port: Option<u16>) -> ObservedContainer {
    let port =
        |number| ObservedPort { container_port: 80, host_port: Some(number), protocol: Protocol::Tcp, host_ip: None };
    ObservedContainer {
        id: format!("{host}/{name}"),
        name: name.to_owned(),
        image: "x".to_owned(),
        status: ContainerStatus::Running,
        hosted_on: HostId::new(host),
        ports: host_port.map(port).into_iter().collect(),
        labels: TextMap::new(),
        health: None,
        exit_code: None,
        ended_with_engine: false,
        ended_by_task: false,
        ip_address: None,
        date_created: None,
        settings: None,
    }
}

/// The stack of the benchmark: spread, of ten images, each container but the first ones depending on two earlier ones.
pub fn layered(count: usize) -> Stack {
    let name = |number: usize| format!("service-{number:05}");
    let containers = (0..count).map(|number| {
        let earlier = [number.checked_sub(1 + number % 7), number.checked_sub(10 + number % 13)];
        Container {
            image: format!("registry.example/app-{}:1.0", number % 10),
            depends_on: earlier.into_iter().flatten().map(|number| on(&name(number))).collect(),
            ..container(&name(number))
        }
    });
    let deployment = Deployment { placement_strategy: Some(Strategy::Spread), ..Deployment::default() };
    Stack { deployment, ..stack("layered", containers.collect()) }
}

/// What would be seen once a plan has been carried out without a fault.
#[must_use]
pub fn carried_out(plan: &Plan, mut inventory: Inventory) -> Inventory {
    let mut estate = Estate::of(std::mem::take(&mut inventory.containers));
    plan.tasks.iter().for_each(|task| estate.carry_out(&task.host, &task.action));
    inventory.containers = estate.containers.into_values().collect();
    inventory
}

/// Something on a host, by its name there.
pub type Key = (HostId, String);

/// What hosts bear, as actions change it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Estate {
    /// The containers.
    pub containers: IndexMap<Key, ObservedContainer>,
    /// The networks.
    pub networks: BTreeSet<Key>,
    /// The volumes, each with a number of its own: one that is made again has none of the data.
    pub volumes: BTreeMap<Key, usize>,
    /// The images.
    pub images: BTreeSet<Key>,
    made: usize,
}

impl Estate {
    /// These containers, and nothing else.
    pub fn of(containers: Vec<ObservedContainer>) -> Self {
        let named = containers.into_iter().map(|seen| ((seen.hosted_on.clone(), seen.name.clone()), seen));
        Self { containers: named.collect(), ..Self::default() }
    }

    /// Does one thing on one host, without a fault.
    pub fn carry_out(&mut self, host: &HostId, action: &Action) {
        let key = (host.clone(), action.subject().to_owned());
        match action {
            Action::Deploy { spec } | Action::Update { spec, .. } => {
                self.containers.insert(key, running(spec, host));
            }
            Action::Adopt { spec, name, aim, .. } => {
                let there = (host.clone(), name.clone());
                if matches!(aim, AdoptAim::Equal | AdoptAim::AsItIs)
                    && let Some(seen) = self.containers.swap_remove(&there)
                {
                    let adopted = ObservedContainer { labels: spec.all_labels(), name: spec.name.clone(), ..seen };
                    self.containers.insert(key, adopted);
                }
            }
            Action::Adjust { settings, .. } => {
                if let Some(seen) = self.containers.get_mut(&key) {
                    seen.settings = Some(settings.or(seen.settings.unwrap_or_default()));
                }
            }
            Action::Delete { .. } => {
                self.containers.swap_remove(&key);
            }
            Action::Check { condition: Condition::Completed, .. } => {
                self.turn(&key, ContainerStatus::Exited, Some(0));
            }
            Action::Stop { .. } => {
                self.turn(&key, ContainerStatus::Exited, Some(0));
                if let Some(seen) = self.containers.get_mut(&key) {
                    seen.ended_by_task = true;
                }
            }
            Action::Start { .. } | Action::Restart { .. } => self.turn(&key, ContainerStatus::Running, None),
            Action::Check { .. } => {}
            Action::Pull { .. } => {
                self.images.insert(key);
            }
            Action::Network { .. } => {
                self.networks.insert(key);
            }
            Action::Volume { .. } => {
                self.made += 1;
                self.volumes.entry(key).or_insert(self.made);
            }
            Action::RemoveNetwork { .. } => {
                self.networks.remove(&key);
            }
            Action::RemoveVolume { .. } => {
                self.volumes.remove(&key);
            }
        }
    }

    fn turn(&mut self, key: &Key, status: ContainerStatus, exit_code: Option<i64>) {
        if let Some(seen) = self.containers.get_mut(key) {
            (seen.status, seen.exit_code, seen.ended_by_task) = (status, exit_code, false);
        }
    }
}

/// A container as it is seen after it was made from a specification.
pub fn running(spec: &ContainerSpec, host: &HostId) -> ObservedContainer {
    let port = |port: &Port| ObservedPort {
        container_port: port.container_port,
        host_port: port.host_port.or(Some(32_768)),
        protocol: port.protocol,
        host_ip: port.host_ip,
    };
    ObservedContainer {
        id: format!("{host}/{}", spec.name),
        name: spec.name.clone(),
        image: spec.container.image.clone(),
        status: ContainerStatus::Running,
        hosted_on: host.clone(),
        ports: spec.container.ports.iter().map(port).collect(),
        labels: spec.all_labels(),
        health: spec.container.health_check.as_ref().map(|_| Health::Healthy),
        exit_code: None,
        ended_with_engine: false,
        ended_by_task: false,
        ip_address: None,
        date_created: None,
        settings: Some(LiveSettings::of(&spec.container)),
    }
}
