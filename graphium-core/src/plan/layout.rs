//! A stack laid out on hosts: what each engine is asked to make.
//!
//! Names on the engine: containers are `<stack>-<container>`, the network is the one that the
//! stack names or `<stack>`, named volumes are `<stack>_<volume>`; what the document declares
//! `external` keeps its own name and is neither made nor removed.

use super::{
    members::{Member, Members},
    reach::{Place, Reach},
};
use crate::{
    id::HostId,
    runtime::{ContainerSpec, NetworkSpec, VolumeSpec, label},
    stack::{Container, MountKind, Stack, TextMap, Volume},
};
use std::borrow::Cow;

/// A stack whose members have their places.
#[derive(Debug)]
pub(super) struct Layout<'a, 'p> {
    pub(super) stack: &'a Stack,
    pub(super) members: &'p Members<'a>,
    pub(super) places: Vec<Place<'a>>,
    pub(super) reach: Reach,
}

impl<'a, 'p> Layout<'a, 'p> {
    pub(super) fn new(stack: &'a Stack, members: &'p Members<'a>, places: Vec<Place<'a>>) -> Self {
        let reach = Reach::of(members, &places);
        Self { stack, members, places, reach }
    }

    pub(super) fn host(&self, number: usize) -> Option<&'a HostId> {
        self.places[number].map(|(host, _)| host)
    }

    /// What the engine is asked for, labelled with its hash; `scratch` is reused from one to the next.
    pub(super) fn container(&self, number: usize, scratch: &mut Vec<u8>) -> Box<ContainerSpec> {
        let member = &self.members.list[number];
        let network = member.definition.network_mode.is_none().then(|| network_name(self.stack).to_owned());
        // Made where it stays: a specification is large, and there are thousands.
        let mut spec = Box::new(ContainerSpec {
            name: self.stack.engine_name(&member.name),
            container: member.definition.clone(),
            aliases: if network.is_some() { aliases(member) } else { Vec::new() },
            network,
            labels: labels(self.stack, &member.definition.labels, 2),
        });
        let definition = &mut spec.container;
        if definition.replicas.take().is_some() {
            definition.name = member.name.to_string();
        }
        self.reach.tell(number, self.members, &self.places, definition);
        for mount in &mut definition.volume_mounts {
            if let MountKind::Volume { source: Some(source), .. } = &mut mount.kind
                && let Cow::Owned(named) = volume_name(self.stack, source)
            {
                *source = named;
            }
        }
        spec.labels.insert(label::CONTAINER.to_owned(), member.name.to_string());
        spec.label_with_hash(scratch);
        spec
    }
}

/// What a member answers to on the stack's network: its name, that of its replicas together, what the document adds.
fn aliases(member: &Member<'_>) -> Vec<String> {
    let more = &member.definition.aliases;
    let mut aliases = Vec::with_capacity(2 + more.len());
    aliases.push(member.name.to_string());
    for alias in member.definition.replicas.map(|_| &member.definition.name).into_iter().chain(more) {
        if !aliases.contains(alias) {
            aliases.push(alias.clone());
        }
    }
    aliases
}

/// The name of a stack's network on its engines.
pub(super) fn network_name(stack: &Stack) -> &str {
    stack.network.as_ref().and_then(|network| network.name.as_deref()).unwrap_or(&stack.name)
}

/// The stack's network, unless it is not ours to make.
pub(super) fn network(stack: &Stack) -> Option<NetworkSpec> {
    let network = stack.network.clone().unwrap_or_default();
    (!network.external).then(|| NetworkSpec {
        name: network_name(stack).to_owned(),
        labels: labels(stack, &network.labels, 0),
        network,
    })
}

fn declared<'s>(stack: &'s Stack, name: &str) -> Option<&'s Volume> {
    stack.volumes.iter().find(|volume| volume.name == name)
}

/// The name of a volume on its engine.
pub(super) fn volume_name<'n>(stack: &Stack, name: &'n str) -> Cow<'n, str> {
    match declared(stack, name) {
        Some(volume) if volume.external => Cow::Borrowed(name),
        _ => Cow::Owned(format!("{}_{name}", stack.name)),
    }
}

/// A volume of the stack, unless it is not ours to make.
pub(super) fn volume(stack: &Stack, name: &str) -> Option<VolumeSpec> {
    let volume =
        declared(stack, name).cloned().unwrap_or_else(|| Volume { name: name.to_owned(), ..Volume::default() });
    (!volume.external).then(|| VolumeSpec {
        name: volume_name(stack, name).into_owned(),
        labels: labels(stack, &volume.labels, 0),
        volume,
    })
}

/// The named volumes that a container mounts and that are the stack's own, by their names in the document.
pub(super) fn own_volumes<'c>(stack: &Stack, definition: &'c Container) -> impl Iterator<Item = &'c str> {
    definition.volume_mounts.iter().filter_map(move |mount| match &mount.kind {
        MountKind::Volume { source: Some(source), .. }
            if declared(stack, source).is_none_or(|volume| !volume.external) =>
        {
            Some(source.as_str())
        }
        _ => None,
    })
}

/// The stack's labels, those of one of its parts, and ours, which nothing else can set; with room for more.
fn labels(stack: &Stack, part: &TextMap, more: usize) -> TextMap {
    let mut labels = TextMap::with_capacity(stack.labels.len() + part.len() + 3 + more);
    for (key, value) in stack.labels.iter().chain(part) {
        labels.insert(key.clone(), value.clone());
    }
    labels.insert(label::MANAGED.to_owned(), "true".to_owned());
    labels.insert(label::STACK.to_owned(), stack.id.as_str().to_owned());
    labels.insert(label::STACK_NAME.to_owned(), stack.name.clone());
    labels
}
