//! What would have to change for a container to find a place: as data, in words, and done.

use super::amount::{bytes, count, processors};
use crate::{
    id::HostId,
    inventory::{Capability, Host, HostStatus, Inventory},
    stack::{Container, Protocol, Stack, TextMap},
};
use serde::{Deserialize, Serialize};
use std::{fmt, sync::Arc};

/// The smallest change with which a container that fits nowhere fits, and nothing else loses its place.
///
/// Of several errors each change is the smallest once those of the errors before it are made, so that all of them together
/// are enough; an error that needs nothing more has a change of no steps.
///
/// There is none where what helps one would take another its place. Of all changes that do help those come first that
/// keep what is asked for (fewer replicas do not, and one more host is not there yet); of those the ones of the fewest
/// steps; of those the ones whose steps come first in the order of [`FixStep`]; of those the ones that change a figure
/// by the smallest part; of those the one for the first host by id.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, Fix, FixStep, Options};
/// use graphium_core::plan::fixtures::{hosts, reserving, stack};
///
/// // Twenty GiB do not fit on a host of sixteen.
/// let mut shop = stack("shop", vec![reserving("db", None, Some(20 << 30))]);
/// let mut inventory = hosts(1);
/// let refused = plan::plan(&shop, None, &inventory, &Options::default()).unwrap_err();
/// let fix: &Fix = refused[0].fix.as_deref().unwrap();
/// assert!(matches!(&fix.steps[0], FixStep::Memory { to, .. } if *to == 16 << 30), "{fix}");
///
/// fix.apply(&mut shop, &mut inventory);
/// assert!(plan::plan(&shop, None, &inventory, &Options::default()).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// The host that then takes it; absent: whichever does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// What is to be changed, all of it; empty: nothing more than for the errors before.
    pub steps: Vec<FixStep>,
}

/// One change of a document or of a host. The order is that of preference: first a figure of the document, then what
/// the document asks of hosts, then the hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum FixStep {
    /// Publish a container under another number.
    HostPort {
        /// The container, by its name in the document.
        container: String,
        /// The protocol.
        protocol: Protocol,
        /// The number that is taken.
        from: u16,
        /// The next above it that is free on the host and not asked for elsewhere in the stack.
        to: u16,
    },
    /// Raise `maxInstancesPerHost`.
    MaxInstances {
        /// As it is.
        from: u32,
        /// As it must be.
        to: u32,
    },
    /// Reserve less memory.
    Memory {
        /// The container, by its name in the document.
        container: String,
        /// Bytes that are asked for.
        from: u64,
        /// Bytes that there are; 0: ask for none.
        to: u64,
        /// Bytes of the host that others reserve.
        reserved: u64,
    },
    /// Reserve less of the processors.
    Processors {
        /// The container, by its name in the document.
        container: String,
        /// Thousandths of a processor that are asked for.
        from: u64,
        /// Thousandths that there are; 0: ask for none.
        to: u64,
        /// Thousandths of the host that others reserve.
        reserved: u64,
    },
    /// Lower a constraint's `minMemory`.
    MinMemory {
        /// The container, by its name in the document.
        container: String,
        /// Bytes that are asked for.
        from: u64,
        /// Bytes that the host has; 0: nobody knows how many, so ask for none.
        to: u64,
    },
    /// Lower a constraint's `minCpu`.
    MinProcessors {
        /// The container, by its name in the document.
        container: String,
        /// Thousandths of a processor that are asked for.
        from: u64,
        /// Thousandths that the host has; 0: nobody knows how many, so ask for none.
        to: u64,
    },
    /// Ask for another datacenter.
    Datacenter {
        /// The container of the constraint, by its name in the document; absent: the stack's `targetDatacenter`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        container: Option<String>,
        /// The one that is asked for.
        from: String,
        /// The host's.
        to: String,
    },
    /// Give a host a label.
    Label {
        /// The host.
        host: HostId,
        /// Name of the label.
        key: String,
        /// Its value now; absent: the host has no such label.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        from: Option<String>,
        /// The value that is asked for.
        to: String,
    },
    /// Say in which datacenter a host is of which that is not known.
    HostDatacenter {
        /// The host.
        host: HostId,
        /// The datacenter.
        to: String,
    },
    /// Let a host take work again.
    Activate {
        /// The host.
        host: HostId,
        /// As it is.
        from: HostStatus,
    },
    /// Rename or remove a container that has the name and is not the stack's.
    FreeName {
        /// The host.
        host: HostId,
        /// The name on its engine.
        name: String,
    },
    /// Let the engine of a host do what it cannot.
    Equip {
        /// The host.
        host: HostId,
        /// What it lacks.
        with: Capability,
    },
    /// Ask for fewer replicas.
    Replicas {
        /// The container, by its name in the document.
        container: String,
        /// As many as are asked for.
        from: u32,
        /// As many as fit.
        to: u32,
    },
    /// Add a host, with at least this.
    AddHost {
        /// Thousandths of a processor.
        cpu: u64,
        /// Bytes of memory.
        memory: u64,
        /// Labels.
        #[serde(default, skip_serializing_if = "TextMap::is_empty")]
        labels: TextMap,
        /// Its datacenter.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        datacenter: Option<String>,
        /// What not every engine can do.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        engine: Vec<Capability>,
    },
}

impl Fix {
    /// Makes the change in a document and the estate that it was found for.
    pub fn apply(&self, stack: &mut Stack, inventory: &mut Inventory) {
        self.steps.iter().for_each(|step| step.apply(stack, inventory));
    }
}

impl FixStep {
    /// Its place in the order of preference.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::HostPort { .. } => 0,
            Self::MaxInstances { .. } => 1,
            Self::Memory { .. } => 2,
            Self::Processors { .. } => 3,
            Self::MinMemory { .. } => 4,
            Self::MinProcessors { .. } => 5,
            Self::Datacenter { .. } => 6,
            Self::Label { .. } => 7,
            Self::HostDatacenter { .. } => 8,
            Self::Activate { .. } => 9,
            Self::FreeName { .. } => 10,
            Self::Equip { .. } => 11,
            Self::Replicas { .. } => 12,
            Self::AddHost { .. } => 13,
        }
    }

    /// How much it changes a figure, in millionths of it; 0 where there is no figure.
    pub(super) fn extent(&self) -> u64 {
        let part = |from: u64, to: u64| {
            let part = u128::from(from.abs_diff(to)) * 1_000_000 / u128::from(from.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        match self {
            Self::HostPort { from, to, .. } => part((*from).into(), (*to).into()),
            Self::MaxInstances { from, to } | Self::Replicas { from, to, .. } => part((*from).into(), (*to).into()),
            Self::Memory { from, to, .. }
            | Self::Processors { from, to, .. }
            | Self::MinMemory { from, to, .. }
            | Self::MinProcessors { from, to, .. } => part(*from, *to),
            Self::Datacenter { .. }
            | Self::Label { .. }
            | Self::HostDatacenter { .. }
            | Self::Activate { .. }
            | Self::FreeName { .. }
            | Self::Equip { .. }
            | Self::AddHost { .. } => 0,
        }
    }

    fn apply(&self, stack: &mut Stack, inventory: &mut Inventory) {
        match self {
            Self::HostPort { container, protocol, from, to } => on_container(stack, container, |definition| {
                let ports = definition.ports.iter_mut();
                let taken = ports.filter(|port| port.protocol == *protocol && port.host_port == Some(*from));
                taken.for_each(|port| port.host_port = Some(*to));
            }),
            Self::MaxInstances { to, .. } => stack.deployment.max_instances_per_host = Some(*to),
            Self::Memory { container, to, .. } => on_container(stack, container, |definition| {
                definition.resources.reservations.memory = Some(*to).filter(|to| *to > 0);
            }),
            Self::Processors { container, to, .. } => on_container(stack, container, |definition| {
                definition.resources.reservations.cpus = Some(processors(*to)).filter(|to| *to > 0.0);
            }),
            Self::MinMemory { container, to, .. } => on_constraints(stack, container, |constraint| {
                constraint.min_memory = constraint.min_memory.map(|asked| asked.min(*to));
            }),
            Self::MinProcessors { container, to, .. } => on_constraints(stack, container, |constraint| {
                constraint.min_cpu = constraint.min_cpu.map(|asked| asked.min(processors(*to)));
            }),
            Self::Datacenter { container: Some(container), from, to } => {
                on_constraints(stack, container, |constraint| {
                    let asked = constraint.required_datacenter.as_mut().filter(|asked| *asked == from);
                    asked.into_iter().for_each(|asked| to.clone_into(asked));
                });
            }
            Self::Datacenter { container: None, to, .. } => stack.deployment.target_datacenter = Some(to.clone()),
            Self::Label { host, key, to, .. } => on_host(inventory, host, |host| {
                host.labels.insert(key.clone(), to.clone());
            }),
            Self::HostDatacenter { host, to } => on_host(inventory, host, |host| host.location = Some(to.clone())),
            Self::Activate { host, .. } => on_host(inventory, host, |host| host.status = HostStatus::Active),
            Self::FreeName { host, name } => {
                inventory.containers.retain(|seen| seen.hosted_on != *host || seen.name != *name);
            }
            Self::Equip { host, with } => on_host(inventory, host, |host| host.engine.add(with)),
            Self::Replicas { container, to, .. } => {
                on_container(stack, container, |definition| definition.replicas = Some(*to));
            }
            Self::AddHost { cpu, memory, labels, datacenter, engine: _ } => {
                let is_new = |name: &String| !inventory.hosts.iter().any(|host| host.id.as_str() == name);
                let name = (1..).map(|number: usize| format!("new-host-{number}")).find(is_new);
                inventory.hosts.push(Host {
                    cpu: processors(*cpu),
                    memory: *memory,
                    labels: labels.clone(),
                    location: datacenter.clone(),
                    ..Host::named(HostId::new(name.unwrap_or_default()))
                });
            }
        }
    }
}

fn on_container(stack: &mut Stack, name: &str, change: impl Fn(&mut Container)) {
    let containers = stack.containers.iter_mut();
    containers.filter(|container| container.name == name).for_each(|container| change(Arc::make_mut(container)));
}

fn on_constraints(stack: &mut Stack, name: &str, change: impl Fn(&mut crate::stack::HostConstraint)) {
    let id = stack.container(name).map(|container| container.id.clone());
    let constraints = stack.deployment.host_constraints.iter_mut();
    constraints
        .filter(|constraint| constraint.container_name == name || Some(&constraint.container_name) == id.as_ref())
        .for_each(change);
}

fn on_host(inventory: &mut Inventory, id: &HostId, change: impl Fn(&mut Host)) {
    inventory.hosts.iter_mut().filter(|host| host.id == *id).for_each(change);
}

impl fmt::Display for Fix {
    /// `to run it on `vm2`, give `vm2` the label `disk=ssd`: it lacks only that`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("it fits once what is told before it is changed");
        }
        if let Some(host) = &self.host {
            write!(f, "to run it on `{host}`, ")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            let joint = match number {
                0 => "",
                _ if number + 1 == self.steps.len() => " and ",
                _ => ", ",
            };
            write!(f, "{joint}{step}")?;
        }
        match (self.steps.as_slice(), &self.host) {
            ([FixStep::Memory { from, to, reserved, .. }], Some(_)) if from - to <= *reserved => {
                write!(f, ", or free {} there", bytes(from - to))
            }
            ([FixStep::Processors { from, to, reserved, .. }], Some(_)) if from - to <= *reserved => {
                write!(f, ", or free {} of its processors", processors(from - to))
            }
            ([FixStep::Label { .. }], Some(_)) => f.write_str(": it lacks only that"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for FixStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HostPort { container, protocol: Protocol::Tcp, from, to } => {
                write!(f, "publish `{container}` on another host port than {from}, e.g. {to}")
            }
            Self::HostPort { container, protocol, from, to } => {
                let protocol = protocol.as_str();
                write!(f, "publish `{container}` on another host port than {from}/{protocol}, e.g. {to}/{protocol}")
            }
            Self::MaxInstances { from, to } => write!(f, "raise `maxInstancesPerHost` from {from} to {to}"),
            Self::Memory { container, to: 0, .. } => write!(f, "leave out the memory reservation of `{container}`"),
            Self::Memory { container, from, to, .. } => {
                let (from, to) = (bytes(*from), bytes(*to));
                write!(f, "lower the memory reservation of `{container}` from {from} to {to}")
            }
            Self::Processors { container, to: 0, .. } => {
                write!(f, "leave out the reservation of processors of `{container}`")
            }
            Self::Processors { container, from, to, .. } => {
                let (from, to) = (processors(*from), processors(*to));
                write!(f, "lower the reservation of processors of `{container}` from {from} to {to}")
            }
            Self::MinMemory { container, to: 0, .. } => {
                write!(f, "leave out the `minMemory` of `{container}`, for the host has not told its memory")
            }
            Self::MinMemory { container, from, to } => {
                write!(f, "lower the `minMemory` of `{container}` from {} to {}", bytes(*from), bytes(*to))
            }
            Self::MinProcessors { container, to: 0, .. } => {
                write!(f, "leave out the `minCpu` of `{container}`, for the host has not told its processors")
            }
            Self::MinProcessors { container, from, to } => {
                let (from, to) = (processors(*from), processors(*to));
                write!(f, "lower the `minCpu` of `{container}` from {from} to {to}")
            }
            Self::Datacenter { container: Some(container), from, to } => {
                write!(f, "ask for the datacenter `{to}` instead of `{from}` for `{container}`")
            }
            Self::Datacenter { container: None, from, to } => {
                write!(f, "change `targetDatacenter` from `{from}` to `{to}`")
            }
            Self::Label { host, key, from: None, to } => write!(f, "give `{host}` the label `{key}={to}`"),
            Self::Label { host, key, from: Some(from), to } => {
                write!(f, "change the label `{key}` of `{host}` from `{from}` to `{to}`")
            }
            Self::HostDatacenter { host, to } => write!(f, "say that `{host}` is in the datacenter `{to}`, if it is"),
            Self::Activate { host, from: HostStatus::Offline } => write!(f, "start the agent on `{host}`"),
            Self::Activate { host, .. } => write!(f, "let it take work again: `graphium host activate {host}`"),
            Self::FreeName { host, name } => {
                write!(f, "rename or remove the container `{name}` on `{host}`, or adopt it (`graphium adopt`)")
            }
            Self::Equip { host, with: Capability::Runtime { name } } => {
                write!(f, "install the runtime `{name}` on `{host}`")
            }
            Self::Equip { host, with: Capability::Gpus } => {
                write!(f, "let the engine of `{host}` give containers GPUs (NVIDIA Container Toolkit)")
            }
            Self::Equip { host, with: Capability::Platform { name } } => {
                write!(f, "let `{host}` emulate `{name}` (binfmt_misc)")
            }
            Self::Equip { host, with: Capability::Api { version } } => {
                write!(f, "update the engine of `{host}` to API {version} or later")
            }
            Self::Replicas { container, from, to } => {
                write!(f, "lower the replicas of `{container}` from {from} to {to}")
            }
            Self::AddHost { cpu, memory, labels, datacenter, engine } => {
                let mut asked = Vec::new();
                asked.extend((*cpu > 0).then(|| count(processors(*cpu), "processor")));
                asked.extend((*memory > 0).then(|| format!("{} of memory", bytes(*memory))));
                asked.extend(labels.iter().map(|(key, value)| format!("the label `{key}={value}`")));
                asked.extend(engine.iter().map(ToString::to_string));
                let within = datacenter.iter().map(|name| format!(" in the datacenter `{name}`")).collect::<String>();
                let with = if asked.is_empty() { String::new() } else { format!(" with {}", asked.join(" and ")) };
                write!(f, "add a host{within}{with}")
            }
        }
    }
}
