//! What a simulation is made of.

use super::{bug::Bug, faults::Faults};
use crate::{control::Settings, stack::Stack};
use std::time::Duration;

/// What a simulation is made of; with a seed it says everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Setup {
    /// How many hosts there are: `vm1`, `vm2` …
    pub hosts: usize,
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
    /// A defect to be found.
    pub bug: Option<Bug>,
}

impl Default for Setup {
    /// Three hosts, stacks of the seed, everything goes wrong for 40 s.
    fn default() -> Self {
        Self {
            hosts: 3,
            stacks: Vec::new(),
            faults: Faults::storm(),
            storm: Duration::from_secs(40),
            rest: Duration::from_secs(900),
            control: Settings::default(),
            bug: None,
        }
    }
}
