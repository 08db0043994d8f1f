//! How often one container is brought back: at once, then more and more slowly, then not at all.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// How long after the repair before a repair is begun at the earliest: as many as there may be within [`WINDOW`].
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::ZERO,
    SignedDuration::from_secs(10),
    SignedDuration::from_secs(30),
    SignedDuration::from_secs(60),
    SignedDuration::from_secs(120),
];

/// A repair that is longer ago does not count any more, if the container has run since.
const WINDOW: SignedDuration = SignedDuration::from_mins(10);

/// The repairs of one container that count still.
///
/// # Example
/// ```
/// use graphium_core::control::Repairs;
///
/// let repairs: Repairs = serde_json::from_str(r#"{"begun": ["2026-01-02T03:04:05Z"]}"#)?;
/// assert_ne!(repairs, Repairs::default(), "one of them counts");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Repairs {
    /// When they were begun, the latest last.
    begun: Vec<Timestamp>,
    /// When it ended once more, and nothing was done any more; it stays so until it is seen running, or its stack is deployed,
    /// started or restarted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    given_up: Option<Timestamp>,
}

/// Whose turn it is when a container does not run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// It is brought back.
    Now,
    /// It is brought back then, if it does not run by then.
    At(Timestamp),
    /// It is left as it is: it has ended so many times within this time.
    Never(usize, SignedDuration),
}

impl Repairs {
    pub(super) fn turn(&self, now: Timestamp) -> Turn {
        let begun: Vec<Timestamp> = self.counted(now).collect();
        let (Some(first), Some(last)) = (begun.first(), begun.last()) else { return Turn::Now };
        if let Some(at) = self.given_up {
            return Turn::Never(begun.len() + 1, at.duration_since(*first));
        }
        let Some(pause) = PAUSES.get(begun.len()) else {
            return Turn::Never(begun.len() + 1, now.duration_since(*first));
        };
        match last.checked_add(*pause) {
            Ok(due) if due > now => Turn::At(due),
            _ => Turn::Now,
        }
    }

    /// With one that is begun now.
    pub(super) fn with(&self, now: Timestamp) -> Self {
        Self { begun: self.counted(now).chain([now]).collect(), given_up: None }
    }

    /// What is left of them for a container that was seen running after the last, when it does not run any more.
    pub(super) fn since_it_ran(&self, now: Timestamp) -> Self {
        let late = self.counted(now).filter(|at| now.duration_since(*at) < WINDOW);
        Self { begun: late.collect(), given_up: None }
    }

    /// The same, given up from now on.
    pub(super) fn given_up(&self, now: Timestamp) -> Self {
        Self { begun: self.counted(now).collect(), given_up: self.given_up.or(Some(now)) }
    }

    /// Those that count. What was noted by a clock that was far ahead does not: it would for ever.
    fn counted(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        let longest = PAUSES[PAUSES.len() - 1];
        self.begun.iter().copied().filter(move |at| at.duration_since(now) <= longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap_or_default()
    }

    /// Repairs as early as may be of what ends at once.
    fn eager(mut now: i64) -> (Vec<i64>, Repairs, Turn) {
        let (mut repairs, mut times) = (Repairs::default(), Vec::new());
        loop {
            match repairs.turn(at(now)) {
                Turn::Now => {
                    repairs = repairs.with(at(now));
                    times.push(now);
                    now += 1;
                }
                Turn::At(due) => now = due.as_second() - 1_000_000,
                never @ Turn::Never(..) => return (times, repairs, never),
            }
        }
    }

    #[test]
    fn what_ends_at_once_is_brought_back_five_times() {
        let (times, repairs, end) = eager(0);
        assert_eq!(times, [0, 10, 40, 100, 220]);
        assert_eq!(end, Turn::Never(6, SignedDuration::from_secs(221)));
        assert_eq!(repairs.given_up(at(221)).turn(at(100_000)), end, "and never again by itself");
    }

    #[test]
    fn what_has_run_for_long_begins_anew() {
        let repairs = Repairs::default().with(at(0)).with(at(10));
        assert_eq!(repairs.turn(at(20)), Turn::At(at(40)));
        assert_eq!(repairs.turn(at(40)), Turn::Now);
        let given_up = repairs.given_up(at(40));
        assert_eq!(given_up.since_it_ran(at(609)), Repairs::default().with(at(10)));
        assert_eq!(given_up.since_it_ran(at(610)), Repairs::default());
    }

    #[test]
    fn what_never_comes_up_is_given_up_however_long_each_repair_takes() {
        let (mut repairs, mut now, mut begun) = (Repairs::default(), 0, 0);
        while repairs.turn(at(now)) == Turn::Now {
            repairs = repairs.with(at(now));
            (now, begun) = (now + 660, begun + 1);
        }
        assert_eq!((begun, repairs.turn(at(now))), (5, Turn::Never(6, SignedDuration::from_secs(5 * 660))));
    }

    #[test]
    fn a_clock_that_went_back_keeps_nobody_waiting_for_long() {
        let repairs = Repairs::default().with(at(1_000_000));
        assert_eq!(repairs.turn(at(0)), Turn::Now);
        assert_eq!(Repairs::default().with(at(100)).turn(at(0)), Turn::At(at(110)));
    }
}
