//! A stack laid out on hosts: what each engine is asked to make.
//!
//! Names on the engine: containers are `<stack>-<container>`, the network is the one that the
//! stack names or `<stack>`, named volumes are `<stack>_<volume>`; what the document declares
//! `external` keeps its own name and is neither made nor removed.

use super::{
    members::Members,
    model::Applied,
    reach::{Place, Reach},
};
use crate::{
    id::HostId,
    inventory::HoldingKind,
    runtime::{ContainerSpec, NetworkSpec, VolumeSpec, label},
    stack::{Container, MountKind, Stack, TextMap, Volume},
};
use std::{borrow::Cow, collections::BTreeSet, sync::Arc};

/// A stack whose members have their places.
#[derive(Debug)]
pub(super) struct Layout<'a, 'p> {
    pub(super) stack: &'a Stack,
    /// What every container of the stack bears.
    labels: Arc<TextMap>,
    /// The network that they share on each host, by its name there.
    network: Arc<str>,
    pub(super) members: &'p Members<'a>,
    pub(super) places: Vec<Place<'a>>,
    pub(super) reach: Reach,
}

impl<'a, 'p> Layout<'a, 'p> {
    pub(super) fn new(stack: &'a Stack, members: &'p Members<'a>, places: Vec<Place<'a>>) -> Self {
        let reach = Reach::of(members, &places);
        let mut labels = labels(stack, &TextMap::new());
        labels.sort_keys();
        Self { stack, labels: Arc::new(labels), network: network_name(stack).into(), members, places, reach }
    }

    pub(super) fn host(&self, number: usize) -> Option<&'a HostId> {
        self.places[number].map(|(host, _)| host)
    }

    /// What the engine is asked for.
    pub(super) fn container(&self, number: usize) -> Box<ContainerSpec> {
        let member = &self.members.list[number];
        let network = member.definition.network_mode.is_none().then(|| Arc::clone(&self.network));
        // Replicas answer to one name together.
        let is_one_of_several = member.definition.is_replicated() && network.is_some();
        let together = is_one_of_several.then(|| member.definition.name.clone());
        Box::new(ContainerSpec {
            name: self.stack.engine_name(&member.name),
            container: self.definition(number),
            aliases: together.into_iter().collect(),
            network,
            labels: Arc::clone(&self.labels),
            hash: None,
        })
    }

    /// A member's definition with everything filled in; the document's own where nothing is to be.
    fn definition(&self, number: usize) -> Arc<Container> {
        let member = &self.members.list[number];
        let mut shared = Arc::clone(member.definition);
        if member.definition.replicas.is_some() {
            let definition = Arc::make_mut(&mut shared);
            definition.replicas = None;
            definition.name = member.name.to_string();
        }
        if self.reach.has_news_for(number) {
            self.reach.tell(number, self.members, &self.places, Arc::make_mut(&mut shared));
        }
        if own_volumes(self.stack, member.definition).next().is_some() {
            for mount in &mut Arc::make_mut(&mut shared).volume_mounts {
                if let MountKind::Volume { source: Some(source), .. } = &mut mount.kind
                    && let Cow::Owned(named) = volume_name(self.stack, source)
                {
                    *source = named;
                }
            }
        }
        shared
    }
}

/// The name of a stack's network on its engines.
pub(super) fn network_name(stack: &Stack) -> &str {
    let named = stack.network.as_ref().and_then(|network| network.name.as_deref());
    named.unwrap_or(match stack.name.as_str() {
        // Engines have networks of these names themselves, and make no other. No stack has a name with a capital.
        "bridge" => "bridge-Stack",
        "default" => "default-Stack",
        "host" => "host-Stack",
        "none" => "none-Stack",
        name => name,
    })
}

/// The stack's network, unless it is not ours to make.
pub(super) fn network(stack: &Stack) -> Option<NetworkSpec> {
    let network = stack.network.clone().unwrap_or_default();
    (!network.external).then(|| NetworkSpec {
        name: network_name(stack).to_owned(),
        labels: labels(stack, &network.labels),
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
        labels: labels(stack, &volume.labels),
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

/// The networks and volumes that the containers of a stack use where they are, by their names on the engines, whoever made them.
pub(crate) fn used(applied: &Applied) -> BTreeSet<(HostId, HoldingKind, String)> {
    let stack = &applied.stack;
    let (members, _) = Members::of(stack);
    let mut used = BTreeSet::new();
    for member in &members.list {
        let Some(host) = applied.placements.get(&*member.name) else { continue };
        if member.definition.network_mode.is_none() {
            used.insert((host.clone(), HoldingKind::Network, network_name(stack).to_owned()));
        }
        for mount in &member.definition.volume_mounts {
            if let MountKind::Volume { source: Some(source), .. } = &mount.kind {
                used.insert((host.clone(), HoldingKind::Volume, volume_name(stack, source).into_owned()));
            }
        }
    }
    used
}

/// The stack's labels, those of one of its parts, and ours, which nothing else can set.
fn labels(stack: &Stack, part: &TextMap) -> TextMap {
    let mut labels = TextMap::with_capacity(stack.labels.len() + part.len() + 3);
    for (key, value) in stack.labels.iter().chain(part).filter(|(key, _)| !label::is_ours(key)) {
        labels.insert(key.clone(), value.clone());
    }
    labels.insert(label::MANAGED.to_owned(), "true".to_owned());
    labels.insert(label::STACK.to_owned(), stack.id.as_str().to_owned());
    labels.insert(label::STACK_NAME.to_owned(), stack.name.clone());
    labels
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        plan::fixtures,
        stack::{Mount, Volume},
    };

    #[test]
    fn what_the_containers_of_a_stack_use_is_told_where_they_are() {
        let kind = MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None };
        let mut db = fixtures::container("db");
        db.volume_mounts = vec![Mount { kind, target: "/data".to_owned(), read_only: false }];
        let mut web = fixtures::container("web");
        web.network_mode = Some("host".to_owned());
        let mut stack = fixtures::stack("shop", vec![db, web, fixtures::container("nowhere")]);
        stack.volumes = vec![Volume { name: "data".to_owned(), ..Volume::default() }];
        let placements = [("db", "vm1"), ("web", "vm2")];
        let placements = placements.map(|(name, host)| (name.to_owned(), HostId::new(host))).into();
        let used = used(&Applied { stack, placements });
        let of = |kind, name: &str| (HostId::new("vm1"), kind, name.to_owned());
        assert_eq!(used, [of(HoldingKind::Network, "shop"), of(HoldingKind::Volume, "shop_data")].into());
    }
}
