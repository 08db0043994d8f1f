//! Moments and spans, as people say them.

use jiff::{Timestamp, tz::TimeZone};

/// The present moment and the place of the reader.
#[derive(Clone, Debug)]
pub(crate) struct Clock {
    pub(crate) now: Timestamp,
    pub(crate) zone: TimeZone,
}

impl Clock {
    /// The clock of this machine.
    pub(crate) fn system() -> Self {
        Self { now: Timestamp::now(), zone: TimeZone::system() }
    }

    /// `12:03`, or the date too where that was not within the last twelve hours.
    pub(crate) fn at(&self, moment: Timestamp) -> String {
        let near = (self.now.as_second() - moment.as_second()).abs() < 12 * 3600;
        let format = if near { "%H:%M" } else { "%Y-%m-%d %H:%M" };
        moment.to_zoned(self.zone.clone()).strftime(format).to_string()
    }

    /// `for 3m`.
    pub(crate) fn since(&self, moment: Timestamp) -> String {
        format!("for {}", span(self.now.as_second() - moment.as_second()))
    }

    /// `3m ago`.
    pub(crate) fn ago(&self, moment: Timestamp) -> String {
        format!("{} ago", span(self.now.as_second() - moment.as_second()))
    }
}

/// `45s`, `3m`, `2h 5m`, `4d`.
pub(crate) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match (days, hours, minutes) {
        (2.., _, _) => format!("{days}d"),
        (_, 1.., _) if minutes % 60 == 0 => format!("{hours}h"),
        (_, 1.., _) => format!("{hours}h {}m", minutes % 60),
        (_, _, 1..) => format!("{minutes}m"),
        _ => format!("{seconds}s"),
    }
}

/// `3.2 / 12.0 MB`, `3.2 MB`.
pub(crate) fn bytes(done: Option<u64>, total: Option<u64>) -> Option<String> {
    const UNITS: [(&str, u64); 4] = [("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000), ("B", 1)];
    let total = total.filter(|total| *total > 0);
    let done = done?;
    let largest = total.unwrap_or(done).max(done);
    let (unit, size) = UNITS.into_iter().find(|(_, size)| largest >= *size).unwrap_or(("B", 1));
    // Tenths, without a detour over floating point.
    let tenths = |bytes: u64| match size {
        1 => bytes.to_string(),
        _ => format!("{}.{}", bytes / size, bytes % size * 10 / size),
    };
    Some(match total {
        Some(total) => format!("{} / {} {unit}", tenths(done), tenths(total)),
        None => format!("{} {unit}", tenths(done)),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    #[test]
    fn spans_are_short() {
        let seconds = [-5, 0, 59, 60, 3599, 3600, 7500, 86400, 200_000];
        let expected = ["0s", "0s", "59s", "1m", "59m", "1h", "2h 5m", "24h", "2d"];
        assert_eq!(seconds.map(span), expected);
    }

    #[test]
    fn bytes_share_a_unit() {
        assert_eq!(bytes(Some(3_210_000), Some(12_000_000)).unwrap(), "3.2 / 12.0 MB");
        assert_eq!(bytes(Some(0), Some(1_400)).unwrap(), "0.0 / 1.4 kB");
        assert_eq!(bytes(Some(12), None).unwrap(), "12 B");
        assert_eq!(bytes(Some(12), Some(0)).unwrap(), "12 B");
        assert_eq!(bytes(None, Some(5)), None);
    }

    #[test]
    fn moments_show_their_date_when_that_is_not_today() {
        let clock = Clock { now: "2026-11-20T12:06:00Z".parse().unwrap(), zone: TimeZone::UTC };
        assert_eq!(clock.at("2026-11-20T12:03:00Z".parse().unwrap()), "12:03");
        assert_eq!(clock.ago("2026-11-20T12:03:00Z".parse().unwrap()), "3m ago");
        assert_eq!(clock.at("2026-11-18T12:03:00Z".parse().unwrap()), "2026-11-18 12:03");
    }
}
