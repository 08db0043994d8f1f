//! How well the control plane is reached.

use std::time::Duration;

/// First and longest pause after an error.
const PAUSES: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Lets calls out, or holds them back for a while after one failed.
#[derive(Debug)]
pub(super) struct Uplink {
    failures: u32,
    closed_until: Duration,
    jitter: u64,
}

impl Uplink {
    /// The seed spreads agents that lose the same server.
    pub(super) fn new(seed: &str) -> Self {
        let jitter = seed
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self { failures: 0, closed_until: Duration::ZERO, jitter }
    }

    pub(super) fn is_open(&self, now: Duration) -> bool {
        now >= self.closed_until
    }

    /// The end of the pause, while there is one.
    pub(super) fn closed_until(&self, now: Duration) -> Option<Duration> {
        (!self.is_open(now)).then_some(self.closed_until)
    }

    pub(super) fn answered(&mut self) {
        self.failures = 0;
        self.closed_until = Duration::ZERO;
    }

    /// Begins a pause. Calls that left before it and fail in it do not make it longer.
    pub(super) fn failed(&mut self, now: Duration) {
        if !self.is_open(now) {
            return;
        }
        let pause = (PAUSES.0 * (1 << self.failures.min(8))).min(PAUSES.1);
        self.failures += 1;
        self.jitter = self.jitter.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(1);
        // From three quarters to five quarters of it.
        let quarters = u32::try_from((self.jitter >> 33) % 1024).unwrap_or(0);
        self.closed_until = now + pause * 3 / 4 + pause * quarters / 2048;
    }
}
