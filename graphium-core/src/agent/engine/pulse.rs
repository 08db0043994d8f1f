//! When leases are renewed. A renewal is also the agent's sign of life.

use super::Key;
use std::time::Duration;

/// How often an idle agent shows that it lives, where its claims do not.
const IDLE: Duration = Duration::from_secs(5);
/// How often one that works asks whether it still may: a wish to cancel arrives with the answer, and bytes of a pull
/// go along.
const BUSY: Duration = Duration::from_secs(1);
/// News of attempts are gathered for so long after the last renewal.
const GATHER: Duration = Duration::from_millis(250);

/// The rhythm of renewals: one at a time.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    in_flight: Option<Sent>,
    last: Option<Duration>,
    news: bool,
}

/// A renewal that left.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) at: Duration,
    pub(super) keys: Vec<Key>,
}

impl Pulse {
    /// Hears whether there is anything to tell.
    pub(super) fn hear(&mut self, news: bool) {
        self.news = news;
    }

    /// When the next renewal is due; none while one is on its way.
    pub(super) fn due(&self, idle: bool) -> Option<Duration> {
        if self.in_flight.is_some() {
            return None;
        }
        let pause = match (self.news, idle) {
            (true, _) => GATHER,
            (false, true) => IDLE,
            (false, false) => BUSY,
        };
        Some(self.last.map_or(Duration::ZERO, |last| last + pause))
    }

    pub(super) fn sent(&mut self, at: Duration, keys: Vec<Key>) {
        self.last = Some(at);
        self.news = false;
        self.in_flight = Some(Sent { at, keys });
    }

    pub(super) fn answered(&mut self) -> Option<Sent> {
        self.in_flight.take()
    }

    pub(super) fn failed(&mut self) {
        self.in_flight = None;
    }
}
