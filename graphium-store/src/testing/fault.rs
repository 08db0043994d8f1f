//! What goes wrong, and when.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

/// What becomes of one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// It is stored, and answered with 202.
    Accepted,
    /// It is stored where nobody sees it before the network heals ([`FakeCouch::heal`](super::FakeCouch::heal)), and answered
    /// with 202.
    AcceptedElsewhere,
    /// It is stored and answered with 201; beside it lies another's, which wins while the two are of one depth. (Where
    /// others do not write, as upon an entry of the log, nothing goes wrong.)
    StrayLeaf,
    /// It is not stored; the answer is 409, after so long.
    LateConflict(Duration),
    /// It is stored, and the connection breaks.
    BrokenAfterCommit,
    /// It is not stored, and the connection breaks.
    BrokenBefore,
    /// It is stored after so long; the connection breaks at once.
    StoredLater(Duration),
    /// A node fails: 500, and nothing is stored.
    ServerError,
}

/// Which faults come when. The same seed and the same order of writes give the same faults.
#[derive(Clone, Debug, Default)]
pub struct Faults {
    queued: VecDeque<Fault>,
    chances: BTreeMap<Fault, f64>,
    seed: u64,
}

impl Faults {
    /// None.
    pub fn none() -> Self {
        Self::default()
    }

    /// At random from a seed.
    pub fn from_seed(seed: u64) -> Self {
        Self { seed, ..Self::default() }
    }

    /// This fault happens to a write with the given chance, from 0 to 1.
    #[must_use]
    pub fn with(mut self, fault: Fault, chance: f64) -> Self {
        self.chances.insert(fault, chance);
        self
    }

    /// The next writes have these faults.
    #[must_use]
    pub fn then(mut self, faults: impl IntoIterator<Item = Fault>) -> Self {
        self.queued.extend(faults);
        self
    }

    pub(super) fn next(&mut self) -> Option<Fault> {
        if let Some(fault) = self.queued.pop_front() {
            return Some(fault);
        }
        let mut number = fraction(&mut self.seed);
        for (fault, chance) in &self.chances {
            if number < *chance {
                return Some(*fault);
            }
            number -= chance;
        }
        None
    }
}

/// A number from 0 up to 1.
pub(super) fn fraction(seed: &mut u64) -> f64 {
    f64::from(u32::try_from(split_mix(seed) >> 32).unwrap_or_default()) / f64::from(u32::MAX)
}

/// The next number of `SplitMix64`.
pub(super) fn split_mix(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
