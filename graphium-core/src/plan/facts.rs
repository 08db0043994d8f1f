//! What a plan rests on: if all of it is still so, the plan may be carried out as it is.
//!
//! Only that is taken down which could make another plan of it: a container of somebody else that is in nobody's way does not
//! count, nor does the load of a host.

use super::{
    Plan,
    fact_change::{self, FactChange},
    members::{Member, Members},
    ports::HostPort,
    room::fixed_ports,
};
use crate::{
    id::{HostId, StackId},
    inventory::{
        Capabilities, ContainerStatus, Health, Host, HostStatus, Inventory, ObservedContainer, ObservedPort, needs,
    },
    runtime::{LiveSettings, label},
    stack::{Condition, Stack, Strategy},
};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

/// The facts that a plan rests on.
///
/// # Example
/// ```
/// use graphium_core::plan::{AppliedFact, ContainerFact, FactChange, Facts};
/// use serde_json::json;
///
/// let facts = |status: &str, revision: u64| serde_json::from_value::<Facts>(json!({
///     "hosts": [{"id": "vm1", "status": status}],
///     "containers": [{"host": "vm1", "name": "shop-web", "own": true, "status": "running"}],
///     "applied": {"revision": revision, "placements": {"web": "vm1"}}
/// }));
/// let then = facts("active", 3)?;
/// let container: &ContainerFact = &then.containers[0];
/// assert!(container.own);
/// let applied: &AppliedFact = then.applied.as_ref().unwrap();
/// assert_eq!(applied.revision, 3);
///
/// assert!(then.changes(&facts("active", 3)?, "shop").is_empty());
/// let changes: Vec<FactChange> = then.changes(&facts("offline", 4)?, "shop");
/// let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
/// assert_eq!(told, [
///     "the stack `shop` was at revision 3 and is at revision 4 now",
///     "host `vm1` was active and is offline now",
/// ]);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Facts {
    /// The hosts that it uses, by id; one that is not known is absent.
    pub hosts: Vec<HostFact>,
    /// Containers of the stack wherever they are, and those of others that are in its way; by host and name.
    pub containers: Vec<ContainerFact>,
    /// What was applied last; absent: the stack is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub applied: Option<AppliedFact>,
}

/// A host that a plan uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HostFact {
    /// Its id.
    pub id: HostId,
    /// Whether it takes work.
    pub status: HostStatus,
    /// The address that other containers are told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// Its datacenter, where one is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Those of its labels that are asked for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Its processors, where some are asked for; 0 is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<f64>,
    /// Its bytes of memory, where some are asked for; 0 is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// What its engine can do, where something is asked for that not every engine can.
    #[serde(default, skip_serializing_if = "Capabilities::is_unknown")]
    pub engine: Capabilities,
}

/// A container that was seen, and that a plan builds upon.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerFact {
    /// Its host.
    pub host: HostId,
    /// Its name on the engine.
    pub name: String,
    /// Whether it is the stack's own.
    pub own: bool,
    /// What it does.
    pub status: ContainerStatus,
    /// How it ended, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i64>,
    /// The hash of what it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
    /// Whether it is healthy, where another waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub healthy: Option<bool>,
    /// Its restart policy and resources, as far as they were seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<LiveSettings>,
    /// Of another's: the ports that it holds and the plan wants.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ObservedPort>,
}

/// What was applied last of a stack.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AppliedFact {
    /// Its revision.
    pub revision: u64,
    /// Containers (by name within the stack) and their hosts.
    pub placements: BTreeMap<String, HostId>,
}

impl Facts {
    /// What a plan of a stack rests on, as an inventory and the revision that was applied last show it.
    ///
    /// For the plan that is asked of, not for another: of the same plan at two times the facts can be compared.
    pub fn of(plan: &Plan, stack: &Stack, inventory: &Inventory, applied: Option<AppliedFact>) -> Self {
        let wants = Wants::of(plan, stack);
        let hosts: BTreeMap<_, _> = inventory.hosts.iter().rev().map(|host| (&host.id, host)).collect();
        let containers: BTreeMap<_, _> = inventory
            .containers
            .iter()
            .rev()
            .filter_map(|seen| Some(((seen.hosted_on.clone(), seen.name.clone()), wants.container(seen)?)))
            .collect();
        Self {
            hosts: wants.hosts.iter().filter_map(|(id, asked)| Some(asked.found_on(hosts.get(id)?))).collect(),
            containers: containers.into_values().collect(),
            applied,
        }
    }

    /// What differs at present, each with both sides; `stack` is the stack's name.
    pub fn changes(&self, present: &Self, stack: &str) -> Vec<FactChange> {
        fact_change::changes(self, present, stack)
    }
}

/// What is asked of one host.
#[derive(Debug, Default)]
struct Asked<'a> {
    labels: BTreeSet<&'a str>,
    location: bool,
    cpu: bool,
    memory: bool,
    engine: bool,
    names: BTreeSet<String>,
    ports: Vec<HostPort>,
}

impl Asked<'_> {
    fn found_on(&self, host: &Host) -> HostFact {
        let label = |key: &&str| Some(((*key).to_owned(), host.labels.get(*key)?.clone()));
        HostFact {
            id: host.id.clone(),
            status: host.status,
            ip_address: host.ip_address,
            location: host.location.clone().filter(|_| self.location),
            labels: self.labels.iter().filter_map(label).collect(),
            cpu: self.cpu.then_some(host.cpu),
            memory: self.memory.then_some(host.memory),
            engine: if self.engine { host.engine.clone() } else { Capabilities::default() },
        }
    }
}

/// What a plan wants of its world.
struct Wants<'a> {
    stack: &'a StackId,
    hosts: BTreeMap<&'a HostId, Asked<'a>>,
    /// Containers, by their names on the engine, whose health another waits for.
    awaited: BTreeSet<String>,
}

impl<'a> Wants<'a> {
    fn of(plan: &'a Plan, stack: &'a Stack) -> Self {
        let mut wants = Self { stack: &stack.id, hosts: BTreeMap::new(), awaited: BTreeSet::new() };
        for host in plan.tasks.iter().map(|task| &task.host).chain(plan.placements.values()) {
            wants.hosts.entry(host).or_default();
        }
        let (members, _) = Members::of(stack);
        for member in &members.list {
            if let Some(asked) = plan.placements.get(&*member.name).and_then(|host| wants.hosts.get_mut(host)) {
                ask(asked, stack, member);
            }
        }
        for edge in (0..members.list.len()).flat_map(|number| members.graph.dependencies(number)) {
            if edge.condition == Condition::Healthy {
                wants.awaited.insert(stack.engine_name(&members.list[edge.on].name));
            }
        }
        wants
    }

    /// The fact of a container, if it is one.
    fn container(&self, seen: &ObservedContainer) -> Option<ContainerFact> {
        let own = seen.label(label::STACK) == Some(self.stack.as_str());
        let mut ports = Vec::new();
        if !own {
            let asked = self.hosts.get(&seen.hosted_on)?;
            let clashes = |port: &&ObservedPort| {
                let held = port.host_port.map(|number| HostPort::new(number, port.protocol, port.host_ip));
                held.is_some_and(|held| asked.ports.iter().any(|wanted| wanted.clashes(held)))
            };
            ports.extend(seen.ports.iter().filter(clashes).cloned());
            if ports.is_empty() && !asked.names.contains(&seen.name) {
                return None;
            }
        }
        let awaited = own && self.awaited.contains(&seen.name);
        Some(ContainerFact {
            host: seen.hosted_on.clone(),
            name: seen.name.clone(),
            own,
            status: seen.status,
            exit_code: seen.exit_code.filter(|_| seen.status == ContainerStatus::Exited),
            definition: seen.label(label::HASH).filter(|_| own).map(str::to_owned),
            healthy: awaited.then_some(seen.health == Some(Health::Healthy)),
            settings: seen.settings.filter(|_| own),
            ports,
        })
    }
}

fn ask<'a>(asked: &mut Asked<'a>, stack: &'a Stack, member: &Member<'a>) {
    let definition = member.definition;
    let kept = &definition.resources.reservations;
    asked.labels.extend(definition.requirements.labels.keys().map(String::as_str));
    asked.location |= stack.deployment.placement_strategy == Some(Strategy::Datacenter);
    asked.cpu |= kept.cpus.is_some();
    asked.memory |= kept.memory.is_some();
    asked.engine |= needs(definition).next().is_some();
    let constraints = stack.deployment.host_constraints.iter();
    let of_it = |name: &str| name == definition.name || name == definition.id;
    for constraint in constraints.filter(|constraint| of_it(&constraint.container_name)) {
        asked.labels.extend(constraint.labels.keys().map(String::as_str));
        asked.location |= constraint.required_datacenter.is_some();
        asked.cpu |= constraint.min_cpu.is_some();
        asked.memory |= constraint.min_memory.is_some();
    }
    asked.names.insert(stack.engine_name(&member.name));
    asked.ports.extend(fixed_ports(definition));
}
