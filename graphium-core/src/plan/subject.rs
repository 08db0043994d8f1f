//! What of a stack the planner's findings are about.

use super::{fix::FixStep, ports::HostPort, room::Refusal};
use crate::{
    diagnostic::{Property, Subject},
    stack::Container,
};

/// A property of a container.
pub(super) fn of(container: &Container, property: impl Into<Option<Property>>) -> Subject {
    Subject::container(container.name.as_str()).property(property)
}

/// A published port.
pub(super) fn port(port: HostPort) -> Property {
    Property::Port { number: port.number, protocol: port.protocol }
}

/// What a container waits for.
pub(super) fn dependency(on: &str) -> Property {
    Property::Dependency { on: on.to_owned() }
}

/// What of the document a host cannot give; nothing, where it is not for the document that it takes nothing.
pub(super) fn of_refusal(refusal: &Refusal<'_>) -> Option<Property> {
    match *refusal {
        Refusal::Status(_) | Refusal::Tried => None,
        Refusal::Label { key, .. } => Some(Property::HostLabel { key: key.to_owned() }),
        Refusal::Engine { need, .. } => Some(Property::Setting { key: need.key().to_owned() }),
        Refusal::Datacenter { strategy: true, .. } => Some(Property::TargetDatacenter),
        Refusal::Datacenter { strategy: false, .. } => Some(Property::RequiredDatacenter),
        Refusal::FewProcessors { .. } => Some(Property::MinProcessors),
        Refusal::LittleMemory { .. } => Some(Property::MinMemory),
        Refusal::Port { port: taken, .. } => Some(port(taken)),
        Refusal::Name => Some(Property::Name),
        Refusal::Instances { .. } => Some(Property::MaxInstances),
        Refusal::ProcessorsReserved { .. } => Some(Property::ReservedProcessors),
        Refusal::MemoryReserved { .. } => Some(Property::ReservedMemory),
    }
}

/// The one thing that all hosts are refused for.
pub(super) fn common(subjects: Vec<Subject>) -> Option<Subject> {
    let mut subjects = subjects.into_iter();
    let first = subjects.next()?;
    subjects.all(|other| other == first).then_some(first)
}

/// What of the document a step changes, and of which container, where it names one.
pub(super) fn of_step(step: &FixStep) -> Option<(Option<&str>, Property)> {
    match step {
        FixStep::HostPort { container, protocol, from, .. } => {
            Some((Some(container), Property::Port { number: *from, protocol: *protocol }))
        }
        FixStep::MaxInstances { .. } => Some((None, Property::MaxInstances)),
        FixStep::Memory { container, .. } => Some((Some(container), Property::ReservedMemory)),
        FixStep::Processors { container, .. } => Some((Some(container), Property::ReservedProcessors)),
        FixStep::MinMemory { container, .. } => Some((Some(container), Property::MinMemory)),
        FixStep::MinProcessors { container, .. } => Some((Some(container), Property::MinProcessors)),
        FixStep::Datacenter { container: Some(container), .. } => Some((Some(container), Property::RequiredDatacenter)),
        FixStep::Datacenter { container: None, .. } => Some((None, Property::TargetDatacenter)),
        FixStep::Label { key, .. } => Some((None, Property::HostLabel { key: key.clone() })),
        FixStep::Replicas { container, .. } => Some((Some(container), Property::Replicas)),
        FixStep::HostDatacenter { .. }
        | FixStep::Activate { .. }
        | FixStep::FreeName { .. }
        | FixStep::Equip { .. }
        | FixStep::AddHost { .. } => None,
    }
}
