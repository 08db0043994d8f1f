//! The host with the highest score, without asking every host for every container.
//!
//! What a host has left only shrinks while containers are placed, and what it refuses once it refuses again. So the hosts
//! lie in heaps by the part of their score that is the same for all containers that ask for the same; a score in a heap
//! is an upper bound, brought up to date when it comes to the top. Nearness differs from container to container: hosts of
//! its dependencies are asked one by one, and a datacenter that gives points has a heap of its own.

use super::{
    map::Map,
    room::{Refusal, Room},
    score::{Score, score, standing},
};
use std::{
    cmp::Reverse,
    collections::{BTreeSet, BinaryHeap, binary_heap::PeekMut},
};

/// Hosts by points, of equals the first by number.
type Heap = BinaryHeap<(u32, Reverse<usize>)>;

/// What decides about a host but for ports and names.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Demand<'a> {
    cpus: Option<u64>,
    memory: Option<u64>,
    labels: Vec<(&'a str, &'a str)>,
    /// The container that the stack has constraints for.
    constrained: Option<&'a str>,
}

/// The hosts that may still be given to containers of one demand: all, and those of some datacenters.
#[derive(Debug, Default)]
struct Ranks<'a> {
    of: Map<Option<&'a str>, Heap>,
}

/// Hosts by score.
#[derive(Debug, Default)]
pub(super) struct Ranking<'a> {
    ranks: Map<Demand<'a>, Ranks<'a>>,
}

impl<'a> Ranking<'a> {
    /// The active host with the highest score for a container; `None`: none takes it.
    pub(super) fn best(
        &mut self,
        room: &Room<'a, '_>,
        number: usize,
        within: Option<&'a str>,
        placed: &[Option<usize>],
    ) -> Option<usize> {
        let ranks = self.ranks.entry(Demand::of(room, number)).or_default();
        let near = near(room, number, placed);
        let datacenters: BTreeSet<&str> =
            near.iter().filter_map(|&host| room.hosts.list[host].datacenter).chain(room.wanted(number)).collect();
        let tops = [None].into_iter().chain(datacenters.into_iter().map(Some));
        let tops: Vec<usize> = tops.filter_map(|datacenter| ranks.top(room, number, within, datacenter)).collect();
        let takes = |&host: &usize| room.hosts.list[host].is_active() && room.refusal(number, host, within).is_none();
        let near = near.into_iter().filter(takes);
        tops.into_iter()
            .chain(near)
            .max_by_key(|&host| (Score::total(&score(room, number, host, placed)), Reverse(host)))
    }
}

/// The hosts of what a container waits for.
fn near(room: &Room<'_, '_>, number: usize, placed: &[Option<usize>]) -> Vec<usize> {
    room.members.graph.dependencies(number).iter().filter_map(|edge| placed[edge.on]).collect()
}

impl<'a> Demand<'a> {
    fn of(room: &Room<'a, '_>, number: usize) -> Self {
        let definition = room.members.list[number].definition;
        let asked = &definition.resources.reservations;
        let labels = &definition.requirements.labels;
        Self {
            cpus: asked.cpus.map(f64::to_bits),
            memory: asked.memory,
            labels: labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
            constrained: (!room.constraints.for_container(definition).is_empty()).then_some(definition.name.as_str()),
        }
    }
}

impl<'a> Ranks<'a> {
    /// The host of a datacenter, or of all, that has most points and takes the container.
    fn top(
        &mut self,
        room: &Room<'a, '_>,
        number: usize,
        within: Option<&'a str>,
        datacenter: Option<&'a str>,
    ) -> Option<usize> {
        let definition = room.members.list[number].definition;
        let points = |host: usize| standing(room, definition, host).total();
        let heap = self.of.entry(datacenter).or_insert_with(|| {
            let hosts = room.hosts.list.iter().enumerate();
            let inside = hosts.filter(|(_, site)| datacenter.is_none() || site.datacenter == datacenter);
            inside.filter(|(_, site)| site.is_active()).map(|(host, _)| (points(host), Reverse(host))).collect()
        });
        let mut aside = Vec::new();
        let top = loop {
            let Some(mut first) = heap.peek_mut() else { break None };
            let Reverse(host) = first.1;
            let now = points(host);
            if now < first.0 {
                first.0 = now;
                continue;
            }
            match room.refusal(number, host, within) {
                None => break Some(host),
                // Of this container alone.
                Some(Refusal::Port { .. } | Refusal::Name | Refusal::Tried) => aside.push(PeekMut::pop(first)),
                Some(_) => drop(PeekMut::pop(first)),
            }
        };
        heap.extend(aside);
        top
    }
}

#[cfg(test)]
#[path = "rank_tests.rs"]
mod tests;
