//! What a host needs before its containers: images, the network, volumes; each once.

use super::{Options, PlannedTask, deploy::Draft, layout, task::task};
use crate::{
    action::Action,
    id::HostId,
    stack::{PullPolicy, Stack},
};
use indexmap::IndexMap;

/// Something that a host needs.
#[derive(Debug)]
struct Need {
    id: String,
    /// The member that asked first.
    by: usize,
}

/// What one member needs, by position.
#[derive(Clone, Debug, Default)]
struct Needed {
    pull: Option<usize>,
    network: Option<usize>,
    volumes: Vec<usize>,
}

/// Everything that hosts need, in the order in which it is first asked for.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    stack: &'a Stack,
    pulls: IndexMap<(&'a HostId, &'a str), (Need, PullPolicy)>,
    networks: IndexMap<&'a HostId, Need>,
    volumes: IndexMap<(&'a HostId, &'a str), Need>,
    by_member: Vec<Needed>,
}

impl<'a> Setup<'a> {
    /// Collects the needs of changing members.
    pub(super) fn of(draft: &Draft<'a, '_>, changing: &[usize], options: &Options) -> Self {
        let stack = draft.layout.stack;
        let mut setup = Self {
            stack,
            pulls: IndexMap::new(),
            networks: IndexMap::new(),
            volumes: IndexMap::new(),
            by_member: vec![Needed::default(); draft.layout.members.list.len()],
        };
        let makes_network = !stack.network.as_ref().is_some_and(|network| network.external);
        for &by in changing {
            let Some(host) = draft.layout.host(by) else { continue };
            let definition = draft.layout.members.list[by].definition;
            let needed = &mut setup.by_member[by];
            let policy = if options.pull_images { PullPolicy::Always } else { definition.pull_policy };
            let pull = setup.pulls.entry((host, &definition.image));
            needed.pull = Some(pull.index());
            let id = || format!("pull:{host}:{}", definition.image);
            let (_, agreed) = pull.or_insert_with(|| (Need { id: id(), by }, policy));
            *agreed = eager(*agreed, policy);
            if makes_network && definition.network_mode.is_none() {
                let network = setup.networks.entry(host);
                needed.network = Some(network.index());
                network.or_insert_with(|| Need { id: format!("network:{host}"), by });
            }
            for name in layout::own_volumes(stack, definition) {
                let volume = setup.volumes.entry((host, name));
                needed.volumes.push(volume.index());
                volume.or_insert_with(|| Need { id: format!("volume:{host}:{name}"), by });
            }
        }
        setup
    }

    /// Adds the ids of what a member needs.
    pub(super) fn needed(&self, member: usize, ids: &mut Vec<String>) {
        let needed = &self.by_member[member];
        ids.extend(needed.pull.map(|pull| self.pulls[pull].0.id.clone()));
        ids.extend(needed.network.map(|network| self.networks[network].id.clone()));
        for &volume in &needed.volumes {
            let id = &self.volumes[volume].id;
            if !ids.contains(id) {
                ids.push(id.clone());
            }
        }
    }

    /// The tasks: images first, for they take longest.
    pub(super) fn tasks(&self, draft: &Draft<'_, '_>, tasks: &mut Vec<PlannedTask>) {
        tasks.reserve(self.pulls.len() + self.networks.len() + self.volumes.len());
        for ((host, image), (need, policy)) in &self.pulls {
            let action = Action::Pull { image: (*image).to_owned(), policy: *policy };
            tasks.push(task(need.id.clone(), action, host, format!("`{}` is made from it", draft.name(need.by))));
        }
        for (host, need) in &self.networks {
            let Some(spec) = layout::network(self.stack) else { continue };
            let undo = (!draft.was_on(host)).then(|| Action::RemoveNetwork { name: spec.name.clone() });
            let why = format!("`{}` is reached by name on it", draft.name(need.by));
            tasks.push(task(need.id.clone(), Action::Network { spec: Box::new(spec) }, host, why).undone_by(undo));
        }
        for ((host, volume), need) in &self.volumes {
            // Whether the volume was there before is not known, so nothing may take it back: it may hold data.
            let Some(spec) = layout::volume(self.stack, volume) else { continue };
            let why = format!("`{}` mounts it", draft.name(need.by));
            tasks.push(task(need.id.clone(), Action::Volume { spec: Box::new(spec) }, host, why));
        }
    }
}

/// Of two policies the one that asks a registry more readily.
fn eager(one: PullPolicy, other: PullPolicy) -> PullPolicy {
    match (one, other) {
        (PullPolicy::Always, _) | (_, PullPolicy::Always) => PullPolicy::Always,
        (PullPolicy::IfNotPresent, _) | (_, PullPolicy::IfNotPresent) => PullPolicy::IfNotPresent,
        (PullPolicy::Never, PullPolicy::Never) => PullPolicy::Never,
    }
}
