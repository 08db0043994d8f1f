//! What a finding is about, for those who know stacks and not documents.

use crate::stack::Protocol;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a finding is about: a part of a stack, whatever document it came from.
///
/// The planner names it; [`document::locate`](crate::document::locate) finds the place where a document says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The container, by its name in the document; absent: the stack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// What of it; absent: the whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub property: Option<Property>,
}

/// Something that a document says of a container, or of its stack.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Property {
    /// Its name.
    Name,
    /// The host that it is bound to, wherever that is said: by itself, by a constraint or by the stack.
    Host,
    /// A published port.
    Port {
        /// The number on the host.
        number: u16,
        /// The protocol.
        protocol: Protocol,
    },
    /// What it waits for.
    Dependency {
        /// The name of the other container.
        on: String,
    },
    /// What the stack waits for.
    StackDependency {
        /// The name or `@id` of the other stack, as the stack has it.
        on: String,
    },
    /// How many alike.
    Replicas,
    /// Memory that its host keeps for it.
    ReservedMemory,
    /// Processors that its host keeps for it.
    ReservedProcessors,
    /// The memory that a constraint asks its host to have.
    MinMemory,
    /// The processors that a constraint asks its host to have.
    MinProcessors,
    /// The datacenter that a constraint asks for.
    RequiredDatacenter,
    /// Something that goes to its engine as it is.
    Setting {
        /// Its key in the canonical form: `runtime`.
        key: String,
    },
    /// A label that it asks of its host.
    HostLabel {
        /// Name of the label.
        key: String,
    },
    /// The stack's `deployment.mode`.
    Mode,
    /// The stack's `deployment.placementStrategy`.
    PlacementStrategy,
    /// The stack's `deployment.targetDatacenter`.
    TargetDatacenter,
    /// The stack's `deployment.maxInstancesPerHost`.
    MaxInstances,
}

impl Property {
    /// Whether it is the stack's also where it matters to one container.
    pub fn is_of_stack(&self) -> bool {
        matches!(
            self,
            Self::StackDependency { .. }
                | Self::Mode
                | Self::PlacementStrategy
                | Self::TargetDatacenter
                | Self::MaxInstances
        )
    }
}

impl Subject {
    /// The stack as a whole.
    pub fn stack() -> Self {
        Self::default()
    }

    /// A container as a whole.
    pub fn container(name: impl Into<String>) -> Self {
        Self { container: Some(name.into()), property: None }
    }

    /// The same, of it this property.
    #[must_use]
    pub fn property(self, property: impl Into<Option<Property>>) -> Self {
        Self { property: property.into(), ..self }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name => f.write_str("name"),
            Self::Host => f.write_str("host"),
            Self::Port { number, protocol } => write!(f, "port {number}/{}", protocol.as_str()),
            Self::Dependency { on } => write!(f, "dependency on `{on}`"),
            Self::StackDependency { on } => write!(f, "dependency on `{on}`"),
            Self::Replicas => f.write_str("replicas"),
            Self::ReservedMemory => f.write_str("reserved memory"),
            Self::ReservedProcessors => f.write_str("reserved processors"),
            Self::MinMemory => f.write_str("`minMemory`"),
            Self::MinProcessors => f.write_str("`minCpu`"),
            Self::RequiredDatacenter => f.write_str("`requiredDatacenter`"),
            Self::Setting { key } => write!(f, "`{key}`"),
            Self::HostLabel { key } => write!(f, "host label `{key}`"),
            Self::Mode => f.write_str("`mode`"),
            Self::PlacementStrategy => f.write_str("`placementStrategy`"),
            Self::TargetDatacenter => f.write_str("`targetDatacenter`"),
            Self::MaxInstances => f.write_str("`maxInstancesPerHost`"),
        }
    }
}

impl fmt::Display for Subject {
    /// `port 8080/tcp of the container `web``
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(property) = &self.property {
            write!(f, "{property} of ")?;
            if property.is_of_stack() {
                return f.write_str("the stack");
            }
        }
        match &self.container {
            Some(name) => write!(f, "the container `{name}`"),
            None => f.write_str("the stack"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_subject_is_told_in_words_and_as_data() {
        let port = Subject::container("web").property(Property::Port { number: 8080, protocol: Protocol::Tcp });
        assert_eq!(port.to_string(), "port 8080/tcp of the container `web`");
        assert_eq!(
            serde_json::to_string(&port).unwrap(),
            r#"{"container":"web","property":{"kind":"port","number":8080,"protocol":"tcp"}}"#
        );
        let most = Subject::container("web").property(Property::MaxInstances);
        assert_eq!(most.to_string(), "`maxInstancesPerHost` of the stack");
        assert_eq!(Subject::container("web").to_string(), "the container `web`");
        assert_eq!(serde_json::from_str::<Subject>("{}").unwrap(), Subject::stack());
        assert_eq!(Subject::stack().to_string(), "the stack");
    }
}
