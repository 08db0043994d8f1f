//! What the stack asks of its containers' hosts beside the containers themselves.

use super::map::Map;
use crate::{
    id::HostId,
    stack::{Container, HostConstraint, Stack},
};

/// The constraints of a stack by the container that they are for, and where its containers are bound to.
#[derive(Debug)]
pub(super) struct Constraints<'a> {
    by_container: Map<&'a str, Vec<&'a HostConstraint>>,
    host: Option<&'a HostId>,
}

impl<'a> Constraints<'a> {
    pub(super) fn of(stack: &'a Stack) -> Self {
        let mut by_container: Map<&str, Vec<&HostConstraint>> = Map::default();
        for constraint in &stack.deployment.host_constraints {
            by_container.entry(&constraint.container_name).or_default().push(constraint);
        }
        Self { by_container, host: stack.host.as_ref() }
    }

    /// Those of a container.
    pub(super) fn for_container(&self, definition: &Container) -> &[&'a HostConstraint] {
        if self.by_container.is_empty() {
            return &[];
        }
        let by = |name: &str| self.by_container.get(name).map(Vec::as_slice);
        by(&definition.name).or_else(|| by(&definition.id)).unwrap_or(&[])
    }

    /// The host that a document names for a container: its own, a constraint's, the stack's.
    pub(super) fn bound(&self, definition: &'a Container) -> Option<&'a HostId> {
        let constrained =
            || self.for_container(definition).iter().find_map(|constraint| constraint.target_host.as_ref());
        definition.host.as_ref().or_else(constrained).or(self.host)
    }

    /// The labels that the host of a container must bear.
    pub(super) fn labels<'s>(
        &'s self,
        definition: &'a Container,
    ) -> impl Iterator<Item = (&'a String, &'a String)> + 's {
        let constrained = self.for_container(definition).iter().flat_map(|constraint| &constraint.labels);
        constrained.chain(&definition.requirements.labels)
    }

    /// The datacenters that the host of a container must be in.
    pub(super) fn datacenters<'s>(&'s self, definition: &Container) -> impl Iterator<Item = &'a str> + 's {
        self.for_container(definition).iter().filter_map(|constraint| constraint.required_datacenter.as_deref())
    }
}
