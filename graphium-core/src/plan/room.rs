//! What a host still has to give, and why it may refuse a container.

use super::{
    amount::{bytes, count, rounded, so_many_are, telling},
    constraints::Constraints,
    hosts::{Hosts, Seen, Site},
    members::{Member, Members},
    ports::{HostPort, Ports},
};
use crate::{
    inventory::{Capabilities, HostStatus, Need},
    runtime::label,
    stack::{Container, Reservations, Stack},
};
use std::{collections::BTreeSet, ops::ControlFlow};

/// Who holds a port: a container of this plan or one that was seen, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    Planned(usize),
    Seen(usize),
}

/// Why a host does not take a container.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Refusal<'a> {
    Status(HostStatus),
    Label { key: &'a str, wanted: &'a str, found: Option<&'a str> },
    Datacenter { wanted: &'a str, found: Option<&'a str>, strategy: bool },
    FewProcessors { wanted: f64, found: f64 },
    LittleMemory { wanted: u64, found: u64 },
    Engine { need: Need<'a>, engine: &'a Capabilities },
    Tried,
    Port { port: HostPort, holder: Holder },
    Name,
    Instances { most: u32, there: u32 },
    ProcessorsReserved { wanted: f64, reserved: f64, of: f64 },
    MemoryReserved { wanted: u64, reserved: u64, of: u64 },
}

impl Refusal<'_> {
    /// The kind in words that follow a number of hosts.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Status(_) => "take no work now",
            Self::Label { .. } => "lack a label",
            Self::Datacenter { .. } => "are in another datacenter",
            Self::FewProcessors { .. } => "have too few processors",
            Self::LittleMemory { .. } => "have too little memory",
            Self::Engine { .. } => "have an engine that cannot do it",
            Self::Tried => "were tried, and it failed there",
            Self::Port { .. } => "have the port taken",
            Self::Name => "have a container of the same name",
            Self::Instances { .. } => "have as many containers of this stack as they may",
            Self::ProcessorsReserved { .. } => "have too few processors left",
            Self::MemoryReserved { .. } => "have too little memory left",
        }
    }
}

/// What a host bears: containers of others and, as they are placed, those of the plan.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    containers: usize,
    instances: u32,
    cpus: f64,
    memory: u64,
}

impl Load {
    fn of_others(reserved: &Reservations) -> Self {
        let (cpus, memory) = (reserved.cpus.unwrap_or(0.0), reserved.memory.unwrap_or(0));
        Self { cpus, memory, ..Self::default() }
    }
}

/// The room on every host.
#[derive(Debug)]
pub(super) struct Room<'a, 'p> {
    pub(super) stack: &'a Stack,
    pub(super) members: &'p Members<'a>,
    pub(super) hosts: &'p Hosts<'a>,
    pub(super) seen: &'p Seen<'a>,
    pub(super) constraints: Constraints<'a>,
    /// Names within this stack that others have taken on the engine.
    names: BTreeSet<(usize, &'a str)>,
    /// Members and hosts on which they have failed.
    tried: BTreeSet<(usize, usize)>,
    ports: Ports<Holder>,
    loads: Vec<Load>,
}

impl<'a, 'p> Room<'a, 'p> {
    pub(super) fn new(stack: &'a Stack, members: &'p Members<'a>, hosts: &'p Hosts<'a>, seen: &'p Seen<'a>) -> Self {
        let mut room = Self {
            stack,
            members,
            hosts,
            seen,
            constraints: Constraints::of(stack),
            names: BTreeSet::new(),
            tried: BTreeSet::new(),
            ports: Ports::new(),
            loads: hosts.list.iter().map(|site| Load::of_others(&site.host.reserved)).collect(),
        };
        for (number, other) in seen.others.iter().enumerate() {
            let Some(host) = hosts.find(&other.hosted_on) else { continue };
            room.loads[host].containers += 1;
            for port in &other.ports {
                if let Some(held) = port.host_port {
                    room.ports.hold(host, HostPort::new(held, port.protocol, port.host_ip), Holder::Seen(number));
                }
            }
            if let Some(name) = other.name.strip_prefix(&stack.name).and_then(|rest| rest.strip_prefix('-')) {
                room.names.insert((host, name));
            }
        }
        room
    }

    /// A member is not placed on a host on which it has failed.
    pub(super) fn avoid(&mut self, number: usize, host: usize) {
        self.tried.insert((number, host));
    }

    /// Whether a member has failed on a host.
    pub(super) fn was_tried(&self, number: usize, host: usize) -> bool {
        self.tried.contains(&(number, host))
    }

    /// The datacenter that a container prefers, or the stack.
    pub(super) fn wanted(&self, number: usize) -> Option<&'a str> {
        let preferred = self.members.list[number].definition.requirements.preferred_datacenter.as_deref();
        preferred.or(self.stack.deployment.target_datacenter.as_deref())
    }

    /// How many containers a host bears.
    pub(super) fn containers(&self, host: usize) -> usize {
        self.loads[host].containers
    }

    /// Processors and bytes of memory that are reserved on a host.
    pub(super) fn reserved(&self, host: usize) -> (f64, u64) {
        (self.loads[host].cpus, self.loads[host].memory)
    }

    /// What a host bears.
    pub(super) fn load(&self, host: usize) -> Load {
        self.loads[host]
    }

    /// Makes a host as full as it was.
    pub(super) fn restore(&mut self, host: usize, load: Load) {
        self.loads[host] = load;
    }

    pub(super) fn occupy(&mut self, number: usize, host: usize) {
        let definition = self.members.list[number].definition;
        let load = &mut self.loads[host];
        load.containers += 1;
        load.instances += 1;
        load.cpus += definition.resources.reservations.cpus.unwrap_or(0.0);
        load.memory = load.memory.saturating_add(definition.resources.reservations.memory.unwrap_or(0));
        for port in fixed_ports(definition) {
            self.ports.hold(host, port, Holder::Planned(number));
        }
    }

    /// Takes a container in as if what stands against it had been changed.
    pub(super) fn occupy_as_proposed(&mut self, number: usize, host: usize, refusals: &[Refusal<'_>]) {
        self.occupy(number, host);
        let load = &mut self.loads[host];
        for refusal in refusals {
            match *refusal {
                // It asks for what is left, if there is anything.
                Refusal::ProcessorsReserved { reserved, of, .. } => load.cpus = reserved.max(of),
                Refusal::MemoryReserved { reserved, of, .. } => load.memory = reserved.max(of),
                _ => {}
            }
        }
    }

    pub(super) fn vacate(&mut self, number: usize, host: usize) {
        let definition = self.members.list[number].definition;
        let load = &mut self.loads[host];
        load.containers -= 1;
        load.instances -= 1;
        load.cpus -= definition.resources.reservations.cpus.unwrap_or(0.0);
        load.memory = load.memory.saturating_sub(definition.resources.reservations.memory.unwrap_or(0));
        for port in fixed_ports(definition) {
            self.ports.release(host, port, Holder::Planned(number));
        }
    }

    /// Why a host, active or not, does not take a container; `within` is the datacenter that the strategy asks for.
    pub(super) fn refusal(&self, number: usize, host: usize, within: Option<&'a str>) -> Option<Refusal<'a>> {
        self.examine(number, host, within, ControlFlow::Break).break_value()
    }

    /// Everything that stands against a host, active or not.
    pub(super) fn refusals(&self, number: usize, host: usize, within: Option<&'a str>) -> Vec<Refusal<'a>> {
        let mut refusals = Vec::new();
        let all: ControlFlow<()> = self.examine(number, host, within, |refusal| {
            refusals.push(refusal);
            ControlFlow::Continue(())
        });
        debug_assert!(all.is_continue());
        refusals
    }

    /// Tells what stands against a host, one thing after the other, until that is enough.
    fn examine<B>(
        &self,
        number: usize,
        host: usize,
        within: Option<&'a str>,
        mut found: impl FnMut(Refusal<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        let member = &self.members.list[number];
        let site = &self.hosts.list[host];
        self.unsuitable(member, site, within, &mut found)?;
        if self.was_tried(number, host) {
            found(Refusal::Tried)?;
        }
        self.occupied(member, host, site, &mut found)
    }

    fn unsuitable<B>(
        &self,
        member: &Member<'a>,
        site: &Site<'a>,
        within: Option<&'a str>,
        found: &mut impl FnMut(Refusal<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for (key, wanted) in self.constraints.labels(member.definition) {
            let is = site.host.labels.get(key).map(String::as_str);
            if is != Some(wanted) {
                found(Refusal::Label { key, wanted, found: is })?;
            }
        }
        let required = self.constraints.datacenters(member.definition);
        for wanted in required.filter(|wanted| site.datacenter != Some(wanted)) {
            found(Refusal::Datacenter { wanted, found: site.datacenter, strategy: false })?;
        }
        if let Some(wanted) = within.filter(|wanted| site.datacenter != Some(wanted)) {
            found(Refusal::Datacenter { wanted, found: site.datacenter, strategy: true })?;
        }
        for constraint in self.constraints.for_container(member.definition) {
            if let Some(wanted) = constraint.min_cpu.filter(|&wanted| site.host.cpu < wanted) {
                found(Refusal::FewProcessors { wanted, found: site.host.cpu })?;
            }
            if let Some(wanted) = constraint.min_memory.filter(|&wanted| site.host.memory < wanted) {
                found(Refusal::LittleMemory { wanted, found: site.host.memory })?;
            }
        }
        for need in site.host.engine.lacks(member.definition) {
            found(Refusal::Engine { need, engine: &site.host.engine })?;
        }
        ControlFlow::Continue(())
    }

    fn occupied<B>(
        &self,
        member: &Member<'a>,
        host: usize,
        site: &Site<'a>,
        found: &mut impl FnMut(Refusal<'a>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        for port in fixed_ports(member.definition) {
            if let Some(holder) = self.ports.against(host, port).next() {
                found(Refusal::Port { port, holder })?;
            }
        }
        if !self.names.is_empty() && self.names.contains(&(host, &*member.name)) {
            found(Refusal::Name)?;
        }
        let load = self.loads[host];
        if let Some(most) = self.stack.deployment.max_instances_per_host.filter(|&most| load.instances >= most) {
            found(Refusal::Instances { most, there: load.instances })?;
        }
        let asked = &member.definition.resources.reservations;
        if let Some(wanted) = asked.cpus {
            let of = site.host.cpu;
            // A billionth of a processor is lost to the sums, not to a container.
            if of > 0.0 && load.cpus + wanted > of + 1e-9 {
                found(Refusal::ProcessorsReserved { wanted, reserved: load.cpus, of })?;
            }
        }
        if let Some(wanted) = asked.memory {
            let of = site.host.memory;
            if of > 0 && load.memory.saturating_add(wanted) > of {
                found(Refusal::MemoryReserved { wanted, reserved: load.memory, of })?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether a port is free on a host, and no container of the stack asks for it anywhere.
    pub(super) fn is_spare(&self, host: usize, port: HostPort) -> bool {
        let asked = || self.stack.containers.iter().flat_map(|definition| fixed_ports(definition));
        self.ports.against(host, port).next().is_none() && !asked().any(|other| other.clashes(port))
    }

    /// A refusal in words that follow the host's name and "is" or "has".
    pub(super) fn words(&self, refusal: Refusal<'_>) -> String {
        match refusal {
            Refusal::Status(HostStatus::Active) => "is active".to_owned(),
            Refusal::Status(HostStatus::Maintenance) => "is in maintenance".to_owned(),
            Refusal::Status(HostStatus::Draining) => "is draining".to_owned(),
            Refusal::Status(HostStatus::Offline) => "is offline".to_owned(),
            Refusal::Label { key, wanted, found: None } => format!("has no label `{key}` (`{wanted}` is asked for)"),
            Refusal::Label { key, wanted, found: Some(found) } => {
                format!("has the label `{key}={found}`, not `{key}={wanted}`")
            }
            Refusal::Datacenter { wanted, found: None, .. } => format!("is in no known datacenter, not in `{wanted}`"),
            Refusal::Datacenter { wanted, found: Some(found), .. } => {
                format!("is in the datacenter `{found}`, not in `{wanted}`")
            }
            Refusal::FewProcessors { wanted, found } if found > 0.0 => {
                format!("has {}, not {wanted}", count(found, "processor"))
            }
            Refusal::FewProcessors { wanted, .. } => format!("has an unknown number of processors, not {wanted}"),
            Refusal::LittleMemory { wanted, found: 0 } => {
                format!("has an unknown amount of memory, not {}", bytes(wanted))
            }
            Refusal::LittleMemory { wanted, found } => {
                let [found, wanted] = telling([found, wanted], wanted - found);
                format!("has {found} of memory, not {wanted}")
            }
            Refusal::Engine { need: Need::Platform(wanted), engine } => {
                format!("runs {}, not `{wanted}`", quoted(&engine.platforms))
            }
            Refusal::Engine { need: Need::Runtime(wanted), engine } => {
                format!("has no runtime `{wanted}` (it has {})", quoted(&engine.runtimes))
            }
            Refusal::Engine { need: Need::Gpus, .. } => "has an engine that gives containers no GPUs".to_owned(),
            Refusal::Engine { need: Need::Api { version, .. }, engine } => {
                let own = engine.api_version.map(|own| own.to_string()).unwrap_or_default();
                format!("has an engine of API {own}, and a `subpath` needs {version}")
            }
            Refusal::Port { port, holder } => {
                format!("has port {}/{} taken by {}", port.number, port.protocol.as_str(), self.holder(holder))
            }
            Refusal::Tried => "has been tried, and it failed there".to_owned(),
            Refusal::Name => "has a container of the same name that is not this stack's".to_owned(),
            Refusal::Instances { there, .. } => {
                format!("has {} of this stack already (maxInstancesPerHost)", count(there, "container"))
            }
            Refusal::ProcessorsReserved { wanted, reserved: 0.0, of } => {
                format!("has {}, {} needed", count(of, "processor"), so_many_are(wanted))
            }
            Refusal::ProcessorsReserved { wanted, reserved, of } => {
                let more = if wanted == 1.0 { "is" } else { "are" };
                format!("has {} of {} reserved, {wanted} more {more} needed", rounded(reserved), count(of, "processor"))
            }
            Refusal::MemoryReserved { wanted, reserved: 0, of } => {
                let [of, wanted] = telling([of, wanted], wanted - of);
                format!("has {of} of memory, {wanted} are needed")
            }
            Refusal::MemoryReserved { wanted, reserved, of } => {
                let [reserved, of, wanted] = telling([reserved, of, wanted], reserved.saturating_add(wanted) - of);
                format!("has {reserved} of {of} of memory reserved, {wanted} more are needed")
            }
        }
    }

    fn holder(&self, holder: Holder) -> String {
        match holder {
            Holder::Planned(number) => format!("`{}` of this stack", self.members.list[number].name),
            Holder::Seen(number) => {
                let container = self.seen.others[number];
                let stack = container.label(label::STACK_NAME).or_else(|| container.label(label::STACK));
                match (container.label(label::CONTAINER), stack) {
                    (Some(name), Some(stack)) => format!("`{name}` of the stack `{stack}`"),
                    _ => format!("`{}`, which is not Graphium's", container.name),
                }
            }
        }
    }
}

fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The host ports that a container fixes.
pub(super) fn fixed_ports(definition: &Container) -> impl Iterator<Item = HostPort> + '_ {
    definition.ports.iter().filter_map(|port| Some(HostPort::new(port.host_port?, port.protocol, port.host_ip)))
}
