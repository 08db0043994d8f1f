//! How old events are, as exactly as it takes to let go of them: which was the last at some moments.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Moments that are kept at most: where there are more, those that are left lie further apart.
const MARKS: usize = 8192;

/// Moments, and the number of the last event of each. Both rise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Marks {
    /// How many events lie between two of them at least, but for the newest.
    apart: u64,
    kept: VecDeque<(Timestamp, u64)>,
}

impl Default for Marks {
    fn default() -> Self {
        Self { apart: 1, kept: VecDeque::new() }
    }
}

impl Marks {
    /// The last event of a step, and its time. Servers whose clocks differ write it: no event is younger than a later one.
    pub(super) fn add(&mut self, at: Timestamp, event: u64) {
        let at = self.kept.back().map_or(at, |(last, _)| at.max(*last));
        if !self.is_apart() {
            self.kept.pop_back();
        }
        self.kept.push_back((at, event));
        if self.kept.len() > MARKS {
            self.apart = self.apart.saturating_mul(2);
            for mark in std::mem::take(&mut self.kept) {
                if !self.is_apart() {
                    self.kept.pop_back();
                }
                self.kept.push_back(mark);
            }
        }
    }

    /// Whether the newest is so far from the one before it that it stays when another comes.
    fn is_apart(&self) -> bool {
        let mut newest = self.kept.iter().rev().map(|(_, event)| *event);
        match (newest.next(), newest.next()) {
            (Some(last), Some(before)) => last - before >= self.apart,
            _ => true,
        }
    }

    /// The last event that is certainly from before a time.
    pub(super) fn last_before(&self, time: Timestamp) -> Option<u64> {
        let older = self.kept.partition_point(|(at, _)| *at < time);
        Some(self.kept.get(older.checked_sub(1)?)?.1)
    }

    /// Nobody asks for events up to a number any more.
    pub(super) fn let_go(&mut self, events_to: u64) {
        let gone = self.kept.partition_point(|(_, event)| *event <= events_to);
        self.kept.drain(..gone);
        if self.kept.len() < MARKS / 4 {
            self.apart = (self.apart / 2).max(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap_or_default()
    }

    #[test]
    fn many_marks_become_few_that_are_right() {
        let mut marks = Marks::default();
        for number in 1..=5 * MARKS as u64 {
            marks.add(at(i64::try_from(number).unwrap_or_default()), number);
        }
        assert!((MARKS / 2..=MARKS).contains(&marks.kept.len()), "{}", marks.kept.len());
        assert_eq!(marks.kept.back().map(|(_, event)| *event), Some(5 * MARKS as u64));
        for second in [1, 2, 77, 20_000, 40_000] {
            let last = marks.last_before(at(second)).unwrap_or_default();
            let second = u64::try_from(second).unwrap_or_default();
            assert!(last < second && second - last <= 16, "{last} is the last before {second}");
        }
    }

    proptest! {
        #[test]
        fn nothing_counts_as_older_than_it_is(times in proptest::collection::vec(0..100i64, 1..50), cut in 0..100i64) {
            let mut marks = Marks::default();
            for (number, time) in (1..).zip(&times) {
                marks.add(at(*time), number);
            }
            let last = usize::try_from(marks.last_before(at(cut)).unwrap_or_default()).unwrap_or_default();
            prop_assert!(times[..last].iter().all(|time| *time < cut));
            // With clocks that agree nothing is left out.
            if times.is_sorted() {
                prop_assert!(times[last..].iter().all(|time| *time >= cut));
            }
        }
    }
}
