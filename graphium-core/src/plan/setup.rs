//! What a host needs before its containers: images, the network, volumes; each once.

use super::{Options, PlannedTask, deploy::Draft, layout, task::task};
use crate::{
    action::Action,
    id::HostId,
    stack::{Container, PullPolicy, Stack},
};
use indexmap::IndexMap;

/// Something that a host needs.
#[derive(Debug)]
struct Need {
    id: String,
    /// The member that asked first.
    by: usize,
}

/// Everything that hosts need, in the order in which it is first asked for.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    stack: &'a Stack,
    pulls: IndexMap<(&'a HostId, &'a str), (Need, PullPolicy)>,
    networks: IndexMap<&'a HostId, Need>,
    volumes: IndexMap<(&'a HostId, &'a str), Need>,
}

impl<'a> Setup<'a> {
    /// Collects the needs of changing members.
    pub(super) fn of(draft: &Draft<'a, '_>, changing: &[usize], options: &Options) -> Self {
        let stack = draft.layout.stack;
        let mut setup = Self { stack, pulls: IndexMap::new(), networks: IndexMap::new(), volumes: IndexMap::new() };
        let makes_network = !stack.network.as_ref().is_some_and(|network| network.external);
        for &by in changing {
            let Some(host) = draft.layout.host(by) else { continue };
            let definition = draft.layout.members.list[by].definition;
            let policy = if options.pull_images { PullPolicy::Always } else { definition.pull_policy };
            let image = definition.image.as_str();
            let pull = setup
                .pulls
                .entry((host, image))
                .or_insert_with(|| (Need { id: format!("pull:{host}:{image}"), by }, policy));
            pull.1 = eager(pull.1, policy);
            if makes_network && definition.network_mode.is_none() {
                setup.networks.entry(host).or_insert_with(|| Need { id: format!("network:{host}"), by });
            }
            for volume in layout::own_volumes(stack, definition) {
                let need = || Need { id: format!("volume:{host}:{volume}"), by };
                setup.volumes.entry((host, volume)).or_insert_with(need);
            }
        }
        setup
    }

    /// Adds the ids of what a container needs of its host.
    pub(super) fn needed(&self, host: &HostId, definition: &Container, ids: &mut Vec<String>) {
        ids.extend(self.pulls.get(&(host, definition.image.as_str())).map(|(need, _)| need.id.clone()));
        if definition.network_mode.is_none() {
            ids.extend(self.networks.get(host).map(|need| need.id.clone()));
        }
        for volume in layout::own_volumes(self.stack, definition) {
            ids.extend(self.volumes.get(&(host, volume)).map(|need| need.id.clone()));
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
            tasks.push(task(need.id.clone(), Action::Network { spec }, host, why).undone_by(undo));
        }
        for ((host, volume), need) in &self.volumes {
            // Whether the volume was there before is not known, so nothing may take it back: it may hold data.
            let Some(spec) = layout::volume(self.stack, volume) else { continue };
            let why = format!("`{}` mounts it", draft.name(need.by));
            tasks.push(task(need.id.clone(), Action::Volume { spec }, host, why));
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
