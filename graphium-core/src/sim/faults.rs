//! What goes wrong, and how often.

use std::time::Duration;

/// How often things go wrong while a simulation is stormy. Rates are in a thousandth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Faults {
    /// Messages that never arrive.
    pub lost: u16,
    /// Messages that arrive twice, the second time up to 20 s later.
    pub doubled: u16,
    /// Messages that take up to 40 s.
    pub late: u16,
    /// Callers that give up whose requests are dropped where they stand, as a server does with a closed connection.
    pub hung_up: u16,
    /// Calls of the store that fail without effect.
    pub store_refuses: u16,
    /// Calls of the store that have their effect and fail.
    pub store_unclear: u16,
    /// Journals that cannot be written.
    pub journal_fails: u16,
    /// Calls of an engine that fail without effect.
    pub engine_fails: u16,
    /// Calls of an engine that have their effect and are not answered.
    pub engine_unclear: u16,
    /// Removals that are done by half.
    pub engine_halves: u16,
    /// Calls of an engine that take up to 30 s.
    pub engine_slow: u16,
    /// The longest pause between two greater troubles: crashes, partitions, clocks that jump, engines that hang or go away.
    pub trouble: Option<Duration>,
}

impl Faults {
    /// Nothing goes wrong.
    pub fn none() -> Self {
        Self {
            lost: 0,
            doubled: 0,
            late: 0,
            hung_up: 0,
            store_refuses: 0,
            store_unclear: 0,
            journal_fails: 0,
            engine_fails: 0,
            engine_unclear: 0,
            engine_halves: 0,
            engine_slow: 0,
            trouble: None,
        }
    }

    /// Everything goes wrong, now and then.
    pub fn storm() -> Self {
        Self {
            lost: 20,
            doubled: 30,
            late: 15,
            hung_up: 500,
            store_refuses: 4,
            store_unclear: 4,
            journal_fails: 50,
            engine_fails: 20,
            engine_unclear: 20,
            engine_halves: 40,
            engine_slow: 30,
            trouble: Some(Duration::from_secs(12)),
        }
    }
}
