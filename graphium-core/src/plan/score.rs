//! How well a host suits a container, for the strategy `auto`.
//!
//! Up to 1,000 points, whole numbers, so that the same input gives the same host everywhere:
//!
//! | points | for |
//! |---|---|
//! | 300 | the part of its processors that is free after what is reserved, this container included |
//! | 300 | the part of its memory, likewise; a host that does not tell how much it has gets half |
//! | 200 | bearing few containers: 200 for none, 100 for four, 50 for twelve |
//! | 150 | the part of the container's dependencies that are on it; half of that for those in its datacenter |
//! | 50 | being in the datacenter that the container prefers, or the stack |
//!
//! Of equals the first by id is taken.

use super::room::Room;
use crate::stack::Container;
use serde::{Deserialize, Serialize};

/// Points of a host for a container, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Free processors, 0–300.
    pub cpu: u32,
    /// Free memory, 0–300.
    pub memory: u32,
    /// Few containers, 0–200.
    pub load: u32,
    /// Dependencies on it or near it, 0–150.
    pub near: u32,
    /// The datacenter that is preferred, 0 or 50.
    pub datacenter: u32,
}

impl Score {
    /// All points.
    pub fn total(&self) -> u32 {
        self.cpu + self.memory + self.load + self.near + self.datacenter
    }
}

/// The score of a host that takes the container; `placed` tells where the others are.
pub(super) fn score(room: &Room<'_, '_>, number: usize, host: usize, placed: &[Option<usize>]) -> Score {
    let wanted = room.wanted(number);
    Score {
        near: near(room, number, host, placed),
        datacenter: if wanted.is_some() && room.hosts.list[host].datacenter == wanted { 50 } else { 0 },
        ..standing(room, room.members.list[number].definition, host)
    }
}

/// The part of a score that is the same for all containers that reserve the same, and only shrinks as a host fills up.
pub(super) fn standing(room: &Room<'_, '_>, definition: &Container, host: usize) -> Score {
    let (site, asked) = (&room.hosts.list[host], &definition.resources.reservations);
    let (cpus, memory) = room.reserved(host);
    Score {
        cpu: free(site.host.cpu, cpus + asked.cpus.unwrap_or(0.0)),
        memory: free(site.host.memory as f64, memory.saturating_add(asked.memory.unwrap_or(0)) as f64),
        load: 800 / (4 + u32::try_from(room.containers(host)).unwrap_or(u32::MAX - 4)),
        ..Score::default()
    }
}

/// Points for what is free of something; half where it is not known how much there is.
fn free(of: f64, reserved: f64) -> u32 {
    if of <= 0.0 {
        return 150;
    }
    let part = (1.0 - reserved / of).clamp(0.0, 1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 300")]
    let points = (part * 300.0).round() as u32;
    points
}

fn near(room: &Room<'_, '_>, number: usize, host: usize, placed: &[Option<usize>]) -> u32 {
    let edges = room.members.graph.dependencies(number);
    let datacenter = room.hosts.list[host].datacenter;
    let points = edges.iter().filter_map(|edge| placed[edge.on]).map(|other| {
        let is_near = datacenter.is_some() && room.hosts.list[other].datacenter == datacenter;
        if other == host { 150 } else { u32::from(is_near) * 75 }
    });
    points.sum::<u32>() / u32::try_from(edges.len()).unwrap_or(u32::MAX).max(1)
}
