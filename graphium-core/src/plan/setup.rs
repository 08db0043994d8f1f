//! What a host needs before its containers: images, the network, volumes; each once.

use super::{
    Options,
    deploy::Draft,
    layout,
    map::Map,
    task::{Tasks, task},
};
use crate::{
    action::Action,
    id::HostId,
    stack::{Container, PullPolicy, Stack},
};

/// What one member needs, by position.
#[derive(Clone, Debug, Default)]
struct Needed {
    pull: Option<usize>,
    network: Option<usize>,
    volumes: Vec<usize>,
}

/// Everything that hosts need, in the order in which it is first asked for, each with the member that asked first.
#[derive(Debug)]
pub(super) struct Setup<'a> {
    stack: &'a Stack,
    pulls: Map<(&'a HostId, &'a str, Option<&'a str>), (usize, PullPolicy)>,
    networks: Map<&'a HostId, usize>,
    volumes: Map<(&'a HostId, &'a str), usize>,
    by_member: Vec<Needed>,
}

/// The numbers of the tasks that give hosts what they need.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    setup: Setup<'a>,
    pulls: Vec<usize>,
    networks: Vec<Option<usize>>,
    volumes: Vec<Option<usize>>,
}

impl<'a> Setup<'a> {
    /// Collects the needs of changing members.
    pub(super) fn of(draft: &Draft<'a, '_>, changing: &[usize], options: &Options) -> Self {
        let stack = draft.layout.stack;
        let mut setup = Self {
            stack,
            pulls: Map::default(),
            networks: Map::default(),
            volumes: Map::default(),
            by_member: vec![Needed::default(); draft.layout.members.list.len()],
        };
        let makes_network = !stack.network.as_ref().is_some_and(|network| network.external);
        for &by in changing {
            let Some(host) = draft.layout.host(by) else { continue };
            let definition = draft.layout.members.list[by].definition;
            let needed = &mut setup.by_member[by];
            let policy = policy(options, definition);
            let pull = setup.pulls.entry((host, &definition.image, definition.platform.as_deref()));
            needed.pull = Some(pull.index());
            let (_, agreed) = pull.or_insert((by, policy));
            *agreed = eager(*agreed, policy);
            if makes_network && definition.network_mode.is_none() {
                let network = setup.networks.entry(host);
                needed.network = Some(network.index());
                network.or_insert(by);
            }
            for name in layout::own_volumes(stack, definition) {
                let volume = setup.volumes.entry((host, name));
                needed.volumes.push(volume.index());
                volume.or_insert(by);
            }
        }
        setup
    }

    /// The number of tasks.
    pub(super) fn len(&self) -> usize {
        self.pulls.len() + self.networks.len() + self.volumes.len()
    }

    /// Adds the tasks: images first, for they take longest.
    pub(super) fn add(self, draft: &Draft<'_, '_>, tasks: &mut Tasks) -> Ready<'a> {
        let mut ready = Ready { setup: self, pulls: Vec::new(), networks: Vec::new(), volumes: Vec::new() };
        let setup = &ready.setup;
        for ((host, image, platform), (by, policy)) in &setup.pulls {
            let of = platform.map(|platform| format!(":{platform}")).unwrap_or_default();
            let platform = platform.map(str::to_owned);
            let action = Action::Pull { image: (*image).to_owned(), platform, policy: *policy };
            let why = format!("`{}` is made from it", draft.name(*by));
            ready.pulls.push(tasks.add(task(format!("pull:{host}:{image}{of}"), action, host, why), []));
        }
        for (host, by) in &setup.networks {
            let made = layout::network(setup.stack).map(|spec| {
                let undo = (!draft.was_on(host)).then(|| Action::RemoveNetwork { name: spec.name.clone() });
                let why = format!("`{}` is reached by name on it", draft.name(*by));
                let action = Action::Network { spec: Box::new(spec) };
                tasks.add(task(format!("network:{host}"), action, host, why).undone_by(undo), [])
            });
            ready.networks.push(made);
        }
        for ((host, volume), by) in &setup.volumes {
            // Whether the volume was there before is not known, so nothing may take it back: it may hold data.
            let made = layout::volume(setup.stack, volume).map(|spec| {
                let why = format!("`{}` mounts it", draft.name(*by));
                let action = Action::Volume { spec: Box::new(spec) };
                tasks.add(task(format!("volume:{host}:{volume}"), action, host, why), [])
            });
            ready.volumes.push(made);
        }
        ready
    }
}

impl Ready<'_> {
    /// The tasks that a member waits for.
    pub(super) fn before(&self, member: usize) -> impl Iterator<Item = usize> + '_ {
        let needed = &self.setup.by_member[member];
        let pull = needed.pull.map(|pull| self.pulls[pull]);
        let network = needed.network.and_then(|network| self.networks[network]);
        let volumes = needed.volumes.iter().filter_map(|&volume| self.volumes[volume]);
        pull.into_iter().chain(network).chain(volumes)
    }
}

/// When a registry is asked for the image of what is made anew.
pub(super) fn policy(options: &Options, definition: &Container) -> PullPolicy {
    match definition.pull_policy {
        PullPolicy::IfNotPresent if options.pull_images => PullPolicy::Always,
        own => own,
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
