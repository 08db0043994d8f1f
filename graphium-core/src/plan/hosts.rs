//! The hosts of the inventory in the planner's own order, and what they were seen to run.

use super::map::{self, Map};
use crate::{
    id::{HostId, StackId},
    inventory::{Host, HostStatus, Inventory, ObservedContainer},
    runtime::{beside, label},
    stack::Stack,
};
use std::{collections::BTreeSet, net::IpAddr, ops::Range};

/// A host with what the document adds to the inventory's knowledge of it.
#[derive(Debug)]
pub(super) struct Site<'a> {
    pub(super) host: &'a Host,
    pub(super) datacenter: Option<&'a str>,
}

impl Site<'_> {
    pub(super) fn is_active(&self) -> bool {
        self.host.status == HostStatus::Active
    }
}

/// Every host, sorted by id.
#[derive(Debug)]
pub(super) struct Hosts<'a> {
    pub(super) list: Vec<Site<'a>>,
}

impl<'a> Hosts<'a> {
    pub(super) fn of(inventory: &'a Inventory, stack: &'a Stack) -> Self {
        let mut hosts = Self::known(inventory);
        for site in hosts.list.iter_mut().filter(|site| site.datacenter.is_none()) {
            let described = stack.hosts.iter().find(|described| described.id == site.host.id);
            site.datacenter = described.and_then(|described| described.datacenter.as_deref());
        }
        let ids: Map<&str, &str> = stack.datacenters.iter().map(|center| (&*center.name, &*center.id)).collect();
        for datacenter in hosts.list.iter_mut().filter_map(|site| site.datacenter.as_mut()) {
            *datacenter = ids.get(*datacenter).copied().unwrap_or(*datacenter);
        }
        hosts
    }

    /// What the inventory alone tells.
    pub(super) fn known(inventory: &'a Inventory) -> Self {
        let mut sorted: Vec<&Host> = inventory.hosts.iter().collect();
        sorted.sort_by(|a, b| a.id.cmp(&b.id));
        sorted.dedup_by(|a, b| a.id == b.id);
        let list = sorted.into_iter().map(|host| Site { host, datacenter: host.location.as_deref() }).collect();
        Self { list }
    }

    /// The number of a host.
    pub(super) fn find(&self, id: &HostId) -> Option<usize> {
        self.list.binary_search_by(|site| site.host.id.cmp(id)).ok()
    }

    pub(super) fn address(&self, id: &HostId) -> Option<IpAddr> {
        self.list[self.find(id)?].host.ip_address
    }
}

/// A container of the stack that was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Own<'a> {
    /// Its name within the stack.
    pub(super) name: &'a str,
    pub(super) container: &'a ObservedContainer,
}

/// Every container that was seen, the stack's own apart from the others.
#[derive(Debug)]
pub(super) struct Seen<'a> {
    /// Sorted by name within the stack, then by host and name.
    own: Vec<Own<'a>>,
    by_name: Map<&'a str, Range<usize>>,
    /// Where one stands beside a container that it replaces or was replaced by: host, name on the engine and in the stack.
    half_way: BTreeSet<(&'a HostId, &'a str, &'a str)>,
    /// Those of other stacks and of nobody, sorted by host and name.
    pub(super) others: Vec<&'a ObservedContainer>,
}

impl<'a> Seen<'a> {
    /// Of the stack of that id, which is called `name`.
    pub(super) fn of(inventory: &'a Inventory, stack: &StackId, name: &str) -> Self {
        let mut own = Vec::new();
        let mut others = Vec::new();
        let mut half_way = BTreeSet::new();
        for container in &inventory.containers {
            if container.label(label::STACK) == Some(stack.as_str()) {
                let name = container.name_in(name);
                match beside::principal(&container.name) {
                    Some(principal) => drop(half_way.insert((&container.hosted_on, principal, name))),
                    None => own.push(Own { name, container }),
                }
            } else {
                others.push(container);
            }
        }
        let key = |seen: &'a ObservedContainer| (&seen.hosted_on, &seen.name, &seen.id);
        others.sort_by_key(|seen| key(seen));
        others.dedup_by_key(|seen| (&seen.hosted_on, &seen.name));
        own.sort_by_key(|own| (own.name, key(own.container)));
        own.dedup_by_key(|own| (own.name, &own.container.hosted_on, &own.container.name));
        let mut by_name = map::with_capacity(own.len());
        let mut start = 0;
        for same in own.chunk_by(|a, b| a.name == b.name) {
            by_name.insert(same[0].name, start..start + same.len());
            start += same.len();
        }
        Self { own, by_name, half_way, others }
    }

    /// The stack's own, by name within the stack, then by host.
    pub(super) fn own(&self) -> &[Own<'a>] {
        &self.own
    }

    /// Whether nothing of the stack was seen.
    pub(super) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.half_way.is_empty()
    }

    /// Containers whose replacement was broken off, be they there or not: host, name on the engine and in the stack.
    pub(super) fn half_way(&self) -> impl Iterator<Item = (&'a HostId, &'a str, &'a str)> {
        self.half_way.iter().copied()
    }

    /// Whether the replacement of the container of that name on the engine was broken off.
    pub(super) fn is_half_way(&self, host: &HostId, engine_name: &str) -> bool {
        self.half_way().any(|(its, name, _)| its == host && name == engine_name)
    }

    /// All that bear a name within the stack, by host.
    pub(super) fn named(&self, name: &str) -> &[Own<'a>] {
        if self.own.is_empty() {
            return &[];
        }
        self.by_name.get(name).map_or(&[], |range| &self.own[range.clone()])
    }

    /// The one of that name on that host which also bears the engine's name.
    pub(super) fn at(&self, name: &str, host: &HostId, engine_name: &str) -> Option<&'a ObservedContainer> {
        let mut named = self.named(name).iter().map(|own| own.container);
        named.find(|container| container.hosted_on == *host && container.name == engine_name)
    }
}
