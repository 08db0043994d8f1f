//! Leaving hosts: who goes elsewhere, who stays and why. All that is on other hosts stays where it is, whatever those take.

use super::{
    layout,
    place::Placer,
    shared::{Access, Source, mounted},
    verdict::{has_ended_well, keeps_running},
};
use crate::{
    id::HostId,
    stack::{Container, Mode, Stack, Strategy},
};
use std::collections::{BTreeMap, BTreeSet};

impl Placer<'_, '_> {
    /// Places what is on these hosts elsewhere, where that is possible; the others stay. Nobody is without a place after it who
    /// had one. What has failed on some hosts goes to others, too, and stays only where none takes it.
    pub(super) fn leave(&mut self, hosts: &BTreeSet<HostId>, avoid: &BTreeMap<String, BTreeSet<HostId>>) {
        self.avoid(avoid);
        let current: Vec<Option<usize>> = (0..self.placed.len()).map(|number| self.current(number)).collect();
        let (mut free, mut tried) = (Vec::new(), Vec::new());
        for (number, &at) in current.iter().enumerate() {
            let leaves = |&host: &usize| hosts.contains(self.host_name(host)) || self.room.was_tried(number, host);
            let Some(host) = at.filter(leaves) else {
                match at {
                    Some(host) => self.settle(number, host, "its host is not left"),
                    // It was nowhere, or its host is not known any more.
                    None => free.push(number),
                }
                continue;
            };
            let rests = || self.has_ended_at(number, host).then(|| "it has done its work there".to_owned());
            match self.tie(number).or_else(rests) {
                Some(tie) => {
                    self.staying.insert(number, tie);
                    self.settle(number, host, "it is tied to its host");
                }
                None if self.room.stack.deployment.mode == Mode::SingleHost || hosts.contains(self.host_name(host)) => {
                    free.push(number);
                }
                None => tried.push((number, host)),
            }
        }
        let strategy = self.room.stack.deployment.placement_strategy;
        if strategy == Some(Strategy::Datacenter) {
            self.within = self.room.stack.deployment.target_datacenter.as_deref();
        }
        self.try_elsewhere(&tried, &current);
        if free.is_empty() {
            return;
        }
        let tied = self.staying.keys().next().map(|&number| self.name(number).to_owned());
        match (self.room.stack.deployment.mode, tied) {
            (Mode::SingleHost, Some(tied)) => {
                let stays = free.iter().filter(|&&number| current[number].is_some());
                let why = format!("all of its stack is on one host, and `{tied}` stays there");
                self.staying.extend(stays.map(|&number| (number, why.clone())));
            }
            (Mode::SingleHost, None) => self.place_together(&free),
            (Mode::MultiHost, _) => self.place_each(&free),
        }
        self.settle_unplaced(&free, &current);
    }

    fn place_each(&mut self, free: &[usize]) {
        match self.room.stack.deployment.placement_strategy {
            Some(Strategy::Auto) => self.weigh(free),
            _ => self.spread(free),
        }
    }

    /// Each of those that have failed where they are goes elsewhere, or stays: its place is kept until that is decided, for others
    /// may go to a host that is not left.
    fn try_elsewhere(&mut self, tried: &[(usize, usize)], current: &[Option<usize>]) {
        for &(number, host) in tried {
            self.room.occupy(number, host);
        }
        for &(number, host) in tried {
            self.room.vacate(number, host);
            self.place_each(&[number]);
            self.settle_unplaced(&[number], current);
        }
    }

    /// Notes on which hosts who has failed; of a stack that is on one host, all of it.
    fn avoid(&mut self, avoid: &BTreeMap<String, BTreeSet<HostId>>) {
        let is_one = self.room.stack.deployment.mode == Mode::SingleHost;
        for (name, hosts) in avoid {
            for host in hosts.iter().filter_map(|host| self.room.hosts.find(host)) {
                for number in 0..self.placed.len() {
                    if is_one || self.name(number) == name {
                        self.room.avoid(number, host);
                    }
                }
            }
        }
    }

    /// Whoever finds no other place stays.
    fn settle_unplaced(&mut self, free: &[usize], current: &[Option<usize>]) {
        let mut reasons: BTreeMap<usize, String> = BTreeMap::new();
        for wanting in &self.wanting {
            for &number in &wanting.members {
                reasons.insert(number, wanting.plight.told_of(self.room.members, &[number]));
            }
        }
        let stays: Vec<(usize, usize)> = free
            .iter()
            .filter(|&&number| self.placed[number].is_none())
            .filter_map(|&number| Some((number, current[number]?)))
            .collect();
        if stays.len() == free.iter().filter(|&&number| self.placed[number].is_none()).count() {
            self.errors.clear();
            self.wanting.clear();
            self.unlisted = 0;
        }
        for (number, host) in stays {
            let reason = reasons.remove(&number).unwrap_or_else(|| "no other host takes it".to_owned());
            self.staying.entry(number).or_insert(reason);
            self.settle(number, host, "no other host takes it");
        }
    }

    /// Whether a container has ended well on a host, and nobody starts it again: elsewhere it would do its work once more.
    fn has_ended_at(&self, number: usize, host: usize) -> bool {
        let seen = self.room.seen.named(self.name(number)).iter().map(|own| own.container);
        let mut there = seen.filter(|seen| seen.hosted_on == *self.host_name(host));
        !keeps_running(self.definition(number)) && there.any(has_ended_well)
    }

    /// What ties a container to the host that it is on.
    fn tie(&self, number: usize) -> Option<String> {
        let definition = self.definition(number);
        if let Some(host) = self.room.constraints.bound(definition) {
            return Some(format!("its document names the host `{host}` for it"));
        }
        data_of_host(self.room.stack, definition)
    }
}

/// Data of its host that a container would have to leave behind.
fn data_of_host(stack: &Stack, definition: &Container) -> Option<String> {
    let is_elsewhere = |name: &str| {
        let volume = stack.volumes.iter().find(|volume| layout::volume_name(stack, &volume.name) == name);
        volume.and_then(|volume| volume.driver.as_deref()).is_some_and(|driver| driver != "local")
    };
    mounted(stack, definition).into_iter().find_map(|(source, access)| match &source {
        Source::Volume(name) if is_elsewhere(name) => None,
        Source::Volume(_) => Some(format!("its data is there: the {source}")),
        Source::Path(_) if access == Access::Writes => Some(format!("it may write there: the {source}")),
        Source::Path(_) => None,
    })
}
