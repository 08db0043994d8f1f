//! The revision that was applied last, laid out where it was: what undoing goes back to.

use super::{Applied, hosts::Hosts, layout::Layout, map::Map, members::Members, order::Graph};
use crate::{
    id::HostId,
    runtime::ContainerSpec,
    stack::{Condition, Container},
};
use std::collections::BTreeSet;

/// The members of the revision that was applied last; it may be hand-made, so its mistakes are passed over.
#[derive(Debug)]
pub(super) struct BeforeMembers<'a> {
    applied: &'a Applied,
    members: Members<'a>,
}

/// What was, by name within the stack.
#[derive(Debug)]
pub(super) struct Before<'a, 'p> {
    pub(super) layout: Layout<'a, 'p>,
    by_name: Map<&'p str, usize>,
    dependants: Graph,
}

impl<'a> BeforeMembers<'a> {
    pub(super) fn of(applied: &'a Applied) -> Self {
        Self { applied, members: Members::of(&applied.stack).0 }
    }

    pub(super) fn laid_out(&self, hosts: &Hosts<'_>) -> Before<'a, '_> {
        let place = |name: &str| self.applied.placements.get(name).map(|host| (host, hosts.address(host)));
        let places = self.members.list.iter().map(|member| place(&member.name)).collect();
        Before {
            layout: Layout::new(&self.applied.stack, &self.members, places),
            by_name: self.members.by_name(),
            dependants: self.members.graph.dependants(),
        }
    }
}

impl Before<'_, '_> {
    pub(super) fn number(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    /// What the engine of a host was asked for under a name within the stack.
    pub(super) fn container(&self, name: &str, host: &HostId) -> Option<Box<ContainerSpec>> {
        let number = self.number(name)?;
        (self.layout.host(number) == Some(host)).then(|| self.layout.container(number))
    }

    /// The hosts that bore the stack's network.
    pub(super) fn network_hosts(&self) -> BTreeSet<&HostId> {
        let members = self.layout.members.list.iter().enumerate();
        let users = members.filter(|(_, member)| member.definition.network_mode.is_none());
        users.filter_map(|(number, _)| self.layout.host(number)).collect()
    }

    pub(super) fn definition(&self, name: &str) -> Option<&Container> {
        self.number(name).map(|number| &**self.layout.members.list[number].definition)
    }

    /// Whether others wait for the end of a container.
    pub(super) fn is_awaited(&self, name: &str) -> bool {
        let dependants = self.number(name).map_or(&[][..], |number| self.dependants.dependencies(number));
        dependants.iter().any(|edge| edge.condition == Condition::Completed)
    }

    /// Names of those that a container depended on, with how far they must have come.
    pub(super) fn dependencies(&self, name: &str) -> Vec<(&str, Condition)> {
        let edges = self.number(name).map_or(&[][..], |number| self.layout.members.graph.dependencies(number));
        edges.iter().map(|edge| (&*self.layout.members.list[edge.on].name, edge.condition)).collect()
    }

    /// Names of those that depended on a container.
    pub(super) fn dependants(&self, name: &str) -> impl Iterator<Item = &str> {
        let edges = self.number(name).map_or(&[][..], |number| self.dependants.dependencies(number));
        edges.iter().map(|edge| &*self.layout.members.list[edge.on].name)
    }
}
