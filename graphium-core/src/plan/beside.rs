//! Which containers run on beside their successors for a moment, and why others cannot, where the order asks for it.
//!
//! Both can be there where neither has anything that the other may not have at the same time, and where the host has room for
//! both. Of the replicas of a container at most a wave needs room twice.

use super::{
    deploy::Draft,
    handover::{Handover, present},
    map::Map,
    shared::{Source, mounted},
    subject,
    warn::{names, warning},
};
use crate::{
    diagnostic::{Diagnostic, Property},
    inventory::ContainerStatus,
    stack::{Container, Reservations, UpdateOrder},
};
use std::collections::BTreeSet;

/// Why a container stops before its successor starts, though the order is another.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Obstacle<'a> {
    /// It is stopped for others.
    Given,
    /// Others wait until it has ended.
    Ends,
    /// Both would be in this network.
    Network(&'a str),
    /// Both would have this of the host.
    Setting(&'static str, &'static str),
    /// One of the two would write what both mount.
    Source(Source<'a>),
    /// What it mounts is not known.
    Unknown,
    /// The host has too little for both, of this.
    Room(Property, &'static str),
}

/// The order of each member's update.
#[derive(Debug, Default)]
pub(super) struct Beside<'a> {
    first: BTreeSet<usize>,
    /// Those that cannot, by obstacle and container, in their order.
    kept: Vec<(Obstacle<'a>, Vec<usize>)>,
}

/// What is left of a host, and who needs it twice.
struct Room<'a> {
    /// Processors and bytes of memory; absent: unknown.
    left: Vec<(Option<f64>, Option<u64>)>,
    /// By container and host: how many take their turns in this room, or why there is none.
    turns: Map<(&'a str, usize), Result<u32, Obstacle<'a>>>,
}

impl<'p> Beside<'p> {
    /// Decides for those of which new ones are made.
    pub(super) fn of(draft: &Draft<'_, 'p>, changing: &[usize], handover: &Handover) -> Self {
        let mut beside = Self::default();
        if draft.layout.stack.deployment.update.order != UpdateOrder::StartFirst {
            return beside;
        }
        let mut room = None;
        for &number in changing.iter().filter(|&&number| runs(draft, number)) {
            let room = room.get_or_insert_with(|| Room::of(draft));
            match obstacle(draft, number, handover).or_else(|| room.take(draft, number)) {
                None => drop(beside.first.insert(number)),
                Some(obstacle) => beside.keep(draft, obstacle, number),
            }
        }
        beside
    }

    /// Which goes first, the old one or the new one.
    pub(super) fn order(&self, number: usize) -> UpdateOrder {
        if self.first.contains(&number) { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst }
    }

    fn keep(&mut self, draft: &Draft<'_, 'p>, obstacle: Obstacle<'p>, number: usize) {
        let definition = |number: usize| &draft.layout.members.list[number].definition.name;
        let alike = self
            .kept
            .iter_mut()
            .find(|(known, numbers)| *known == obstacle && definition(numbers[0]) == definition(number));
        match alike {
            Some((_, numbers)) => numbers.push(number),
            None => self.kept.push((obstacle, vec![number])),
        }
    }

    /// Says who stops first after all; one warning for all replicas of a container.
    pub(super) fn warnings(&self, draft: &Draft<'_, '_>) -> impl Iterator<Item = Diagnostic> {
        let members = draft.layout.members;
        self.kept.iter().map(|(obstacle, numbers)| {
            let message = format!(
                "against the order `start-first`, {} stops before the new one starts: {}",
                names(members, numbers),
                obstacle.words()
            );
            let definition = members.list[numbers[0]].definition;
            let help = "make room for both, let them share nothing, or use the order `stop-first`";
            warning("stops-first", message).with_help(help).about(subject::of(definition, obstacle.property()))
        })
    }
}

impl Obstacle<'_> {
    fn words(&self) -> String {
        match self {
            Self::Given => "another container takes a port or data of it".to_owned(),
            Self::Ends => "others wait until it has ended, and two at once would do its work twice".to_owned(),
            Self::Network(mode) => format!("both would have the ports of one network (`networkMode` is `{mode}`)"),
            Self::Setting(key, what) => format!("both would have the same {what} (`{key}`)"),
            Self::Source(source) => format!("both would have the {source}, and one of them writes"),
            Self::Unknown => {
                "what it was made from is not known, so it may have what the new one mounts, and write".to_owned()
            }
            Self::Room(_, what) => format!("its host has too {what} for both"),
        }
    }

    /// What of the document says so.
    fn property(&self) -> Option<Property> {
        let setting = |key: &str| Some(Property::Setting { key: key.to_owned() });
        match self {
            Self::Given | Self::Ends => None,
            Self::Network(_) => setting("networkMode"),
            Self::Setting(key, _) => setting(key),
            Self::Source(_) | Self::Unknown => setting("volumeMounts"),
            Self::Room(property, _) => Some(property.clone()),
        }
    }
}

/// Whether something runs in a member's place that its successor could run beside.
fn runs(draft: &Draft<'_, '_>, number: usize) -> bool {
    let is_up =
        |status| matches!(status, ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused);
    draft.is_half_way(number) || draft.there[number].is_some_and(|there| is_up(there.status))
}

fn obstacle<'p>(draft: &Draft<'_, 'p>, number: usize, handover: &Handover) -> Option<Obstacle<'p>> {
    let (layout, definition) = (&draft.layout, draft.layout.members.list[number].definition);
    if handover.stops(number) {
        return Some(Obstacle::Given);
    }
    if draft.is_to_end(number) {
        return Some(Obstacle::Ends);
    }
    if let Some(mode) = definition.network_mode.as_deref().filter(|mode| !matches!(*mode, "none" | "bridge")) {
        return Some(Obstacle::Network(mode));
    }
    if !definition.devices.is_empty() {
        return Some(Obstacle::Setting("devices", "devices of the host"));
    }
    if definition.gpus.is_some() {
        return Some(Obstacle::Setting("gpus", "GPUs"));
    }
    let wanted = mounted(layout.stack, definition);
    let host = layout.host(number).filter(|_| !wanted.is_empty())?;
    let engine_name = layout.stack.engine_name(draft.name(number));
    let Some(had) = present(draft, draft.name(number), host, &engine_name, draft.there[number]) else {
        return Some(Obstacle::Unknown);
    };
    let clash = wanted.into_iter().find(|(source, access)| had.get(source).is_some_and(|had| access.clashes(*had)));
    clash.map(|(source, _)| Obstacle::Source(source))
}

impl<'p> Room<'p> {
    fn of(draft: &Draft<'_, 'p>) -> Self {
        let mut left: Vec<_> = draft
            .hosts
            .list
            .iter()
            .map(|site| {
                let (host, taken) = (site.host, &site.host.reserved);
                let cpus = (host.cpu > 0.0).then(|| host.cpu - taken.cpus.unwrap_or(0.0));
                let memory = (host.memory > 0).then(|| host.memory.saturating_sub(taken.memory.unwrap_or(0)));
                (cpus, memory)
            })
            .collect();
        for (number, member) in draft.layout.members.list.iter().enumerate() {
            if let Some(host) = draft.layout.host(number).and_then(|host| draft.hosts.find(host)) {
                take(&mut left[host], reserved(member.definition));
            }
        }
        Self { left, turns: Map::default() }
    }

    /// Takes the room for one that is to go, beside that of its successor; says what is missing where there is too little.
    fn take(&mut self, draft: &Draft<'_, 'p>, number: usize) -> Option<Obstacle<'p>> {
        let host = draft.layout.host(number).and_then(|host| draft.hosts.find(host))?;
        let definition = draft.layout.members.list[number].definition;
        let most = draft.layout.stack.deployment.update.max_parallel.max(1);
        let turns = self.turns.entry((&definition.name, host)).or_insert(Ok(0));
        match turns {
            Err(obstacle) => return Some(obstacle.clone()),
            Ok(taken) if *taken >= most => return None,
            Ok(taken) => *taken += 1,
        }
        let old = draft.before.and_then(|before| before.definition(draft.name(number))).unwrap_or(definition);
        let (cpus, memory) = reserved(old);
        let (left_cpus, left_memory) = self.left[host];
        // As where it is placed: a billionth of a processor is lost to the sums.
        let obstacle = if cpus > 0.0 && left_cpus.is_some_and(|left| cpus > left + 1e-9) {
            Obstacle::Room(Property::ReservedProcessors, "few processors left")
        } else if memory > 0 && left_memory.is_some_and(|left| memory > left) {
            Obstacle::Room(Property::ReservedMemory, "little memory left")
        } else {
            take(&mut self.left[host], (cpus, memory));
            return None;
        };
        *turns = Err(obstacle.clone());
        Some(obstacle)
    }
}

fn reserved(definition: &Container) -> (f64, u64) {
    let Reservations { cpus, memory } = &definition.resources.reservations;
    (cpus.unwrap_or(0.0), memory.unwrap_or(0))
}

fn take((cpus, memory): &mut (Option<f64>, Option<u64>), taken: (f64, u64)) {
    *cpus = cpus.map(|left| left - taken.0);
    *memory = memory.map(|left| left.saturating_sub(taken.1));
}
