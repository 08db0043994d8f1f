//! What the checks of one container have shown, counted as Docker counts them.

use crate::{inventory::Health, runtime::Probe, stack::HealthCheck};
use std::time::Duration;

/// Docker's own, where a document says nothing.
const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(30);
const RETRIES: u32 = 3;
/// No check is made more often.
const LEAST: Duration = Duration::from_millis(100);
/// No time that somebody means is longer: what is beyond would leave the range of clocks.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// What the checks of one container have shown since it started.
///
/// The first is made one interval after the start, each further one an interval after the end of the one before. So many
/// failures in a row as there are retries make it unwell; those within the start period do not count until it was well
/// once. A success makes it well.
#[derive(Clone, Debug)]
pub(super) struct Record {
    interval: Duration,
    timeout: Duration,
    retries: u32,
    /// Until then failures do not count, by the agent's clock.
    starting_until: Duration,
    /// When the next check is due, by the agent's clock.
    due: Duration,
    failures: u32,
    health: Health,
    last: Option<String>,
}

impl Record {
    /// Nothing is known yet of a container that has been running for some time at this moment of the agent's clock.
    pub(super) fn new(check: &HealthCheck, now: Duration, running_for: Duration) -> Self {
        let usual = |said: Option<Duration>, usual: Duration| {
            said.filter(|time| !time.is_zero()).unwrap_or(usual).clamp(LEAST, LONGEST)
        };
        let interval = usual(check.interval, INTERVAL);
        let start_period = check.start_period.unwrap_or_default().min(LONGEST);
        Self {
            interval,
            timeout: usual(check.timeout, TIMEOUT),
            retries: check.retries.filter(|count| *count > 0).unwrap_or(RETRIES),
            starting_until: now.saturating_add(start_period.saturating_sub(running_for)),
            due: now.saturating_add(interval.saturating_sub(running_for)),
            failures: 0,
            health: Health::Starting,
            last: None,
        }
    }

    pub(super) fn due(&self) -> Duration {
        self.due
    }

    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) fn health(&self) -> Health {
        self.health
    }

    /// What the last check has shown, in words.
    pub(super) fn last(&self) -> Option<&str> {
        self.last.as_deref()
    }

    /// Counts a check that began and ended at these moments.
    pub(super) fn take_in(&mut self, begun: Duration, ended: Duration, probe: Probe) {
        self.due = ended.saturating_add(self.interval);
        self.last = Some(probe.output);
        if probe.is_well {
            (self.failures, self.health) = (0, Health::Healthy);
            return;
        }
        if self.health == Health::Starting && begun < self.starting_until {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures >= self.retries {
            self.health = Health::Unhealthy;
        }
    }

    /// Nothing came of a check that was begun: the engine did not say where to ask.
    pub(super) fn postpone(&mut self, now: Duration) {
        self.due = now.saturating_add(self.interval);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::HealthTest;
    use proptest::prelude::*;

    fn check(interval: u64, retries: u32, start_period: u64) -> HealthCheck {
        HealthCheck {
            test: HealthTest::Tcp { port: 80 },
            interval: Some(Duration::from_secs(interval)),
            timeout: None,
            retries: Some(retries),
            start_period: Some(Duration::from_secs(start_period)),
        }
    }

    /// The health after each of some checks, one interval after the other.
    fn seen(check: &HealthCheck, outcomes: &[bool]) -> Vec<Health> {
        let mut record = Record::new(check, Duration::ZERO, Duration::ZERO);
        let mut seen = Vec::new();
        for is_well in outcomes {
            let now = record.due();
            record.take_in(now, now, Probe { is_well: *is_well, output: String::new() });
            seen.push(record.health());
        }
        seen
    }

    use Health::{Healthy, Starting, Unhealthy};

    #[test]
    fn so_many_failures_in_a_row_as_there_are_retries_make_it_unwell() {
        assert_eq!(seen(&check(1, 3, 0), &[false, false, false]), [Starting, Starting, Unhealthy]);
        assert_eq!(seen(&check(1, 2, 0), &[true, false, true, false]), [Healthy; 4]);
        assert_eq!(seen(&check(1, 2, 0), &[true, false, false, true]), [Healthy, Healthy, Unhealthy, Healthy]);
    }

    #[test]
    fn failures_within_the_start_period_do_not_count_until_it_was_well() {
        assert_eq!(seen(&check(1, 1, 4), &[false, false, false, false]), [Starting, Starting, Starting, Unhealthy]);
        assert_eq!(seen(&check(1, 1, 60), &[false, true, false]), [Starting, Healthy, Unhealthy]);
    }

    #[test]
    fn the_first_check_comes_one_interval_after_the_start_and_at_once_where_that_is_past() {
        let at = |running_for| {
            Record::new(&check(10, 1, 0), Duration::from_secs(100), Duration::from_secs(running_for)).due().as_secs()
        };
        assert_eq!([at(0), at(4), at(10), at(500)], [110, 106, 100, 100]);
    }

    #[test]
    fn what_a_document_leaves_out_is_as_with_docker() {
        let nothing = HealthCheck { interval: None, retries: None, start_period: None, ..check(1, 1, 0) };
        let record = Record::new(&nothing, Duration::ZERO, Duration::ZERO);
        let said = (record.due.as_secs(), record.timeout.as_secs(), record.retries, record.starting_until.as_secs());
        assert_eq!(said, (30, 30, 3, 0));
        let zero = check(0, 0, 0);
        assert_eq!(Record::new(&zero, Duration::ZERO, Duration::ZERO).due().as_secs(), 30, "0 is nothing said");
    }

    #[test]
    fn times_beyond_all_clocks_are_long_and_nothing_worse() {
        let forever = Some(Duration::MAX);
        let check = HealthCheck { interval: forever, timeout: forever, start_period: forever, ..check(1, 1, 0) };
        for now in [Duration::from_secs(100), Duration::MAX] {
            let mut record = Record::new(&check, now, Duration::ZERO);
            let (due, year) = (record.due(), Duration::from_secs(365 * 24 * 60 * 60));
            assert!(due >= now.saturating_add(year), "{due:?}");
            assert!(record.timeout() > year && record.timeout() <= LONGEST);
            record.take_in(now, now, Probe::failed("no"));
            assert!(record.due() >= now);
            record.postpone(now);
            assert!(record.due() >= now);
        }
    }

    proptest! {
        #[test]
        fn a_success_is_always_well_and_unwell_is_always_a_row_of_failures(
            outcomes in prop::collection::vec(any::<bool>(), 1..40), retries in 1_u32..6, start_period in 0_u64..20,
        ) {
            let seen = seen(&check(1, retries, start_period), &outcomes);
            for (number, health) in seen.iter().enumerate() {
                let row = outcomes[..=number].iter().rev().take_while(|is_well| !**is_well).count();
                prop_assert!(!outcomes[number] || *health == Healthy);
                prop_assert!(*health != Unhealthy || row >= retries as usize);
                let was_well = outcomes[..=number].contains(&true);
                prop_assert!(!was_well || *health != Starting);
            }
        }
    }
}
