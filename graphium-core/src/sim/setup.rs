//! What a simulation is made of.

use super::{bug::Bug, faults::Faults};
use crate::{control::Settings, id::HostId, stack::Stack};
use std::{collections::BTreeSet, time::Duration};

/// What a simulation is made of; with a seed it says everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// The hosts, each with its engine and its agent.
    pub hosts: Vec<HostId>,
    /// The stacks that are deployed, changed and removed; none: each seed makes some of its own.
    pub stacks: Vec<Stack>,
    /// What goes wrong.
    pub faults: Faults,
    /// How long operators are at work while things go wrong.
    pub storm: Duration,
    /// How long everything may take to come to rest after that.
    pub rest: Duration,
    /// The times of the control plane.
    pub control: Settings,
    /// In how many of a thousand runs what is over is let go of within seconds, whatever those times say.
    pub pruned: u16,
    /// In how many of a thousand runs nobody takes a name or a port that a stack may want: what does not work there has no excuse
    /// in what is not ours.
    pub unobstructed: u16,
    /// A defect to be found.
    pub bug: Option<Bug>,
}

impl Default for Setup {
    /// Three hosts, stacks of the seed, everything goes wrong for 40 s.
    fn default() -> Self {
        Self {
            hosts: numbered(3),
            stacks: Vec::new(),
            faults: Faults::storm(),
            storm: Duration::from_secs(40),
            rest: Duration::from_secs(900),
            // Shorter than a server's own, so that more of them pass in a storm.
            control: Settings {
                lease: Duration::from_secs(12),
                tick: Duration::from_secs(5),
                offline_after: Duration::from_secs(8),
                ..Settings::default()
            },
            pruned: 333,
            unobstructed: 500,
            bug: None,
        }
    }
}

impl Setup {
    /// A storm over some stacks of your own, on the hosts that they name and as many more as make three.
    pub fn of(stacks: Vec<Stack>) -> Self {
        let named = |stack: &Stack| {
            let containers = stack.containers.iter().filter_map(|container| container.host.clone());
            let constraints = stack.deployment.host_constraints.iter().filter_map(|rule| rule.target_host.clone());
            containers.chain(constraints).chain(stack.host.clone()).collect::<Vec<_>>()
        };
        let mut hosts: BTreeSet<HostId> = stacks.iter().flat_map(named).collect();
        for host in numbered(3) {
            if hosts.len() < 3 {
                hosts.insert(host);
            }
        }
        Self { hosts: hosts.into_iter().collect(), stacks, ..Self::default() }
    }
}

fn numbered(count: usize) -> Vec<HostId> {
    (1..=count).map(|number| HostId::new(format!("vm{number}"))).collect()
}
