//! What an agent is asked for.

use crate::{id::StreamId, runtime::Tail};
use jiff::{SignedDuration, Span, SpanRelativeTo, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr, time::Duration};

/// A log that somebody wants to read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogRequest {
    /// Names the stream.
    pub stream: StreamId,
    /// Name of the container on the engine.
    pub container: String,
    /// The engine's id of the container that is meant; absent: whichever bears the name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How much of what is there already.
    #[serde(default)]
    pub tail: Tail,
    /// From when on.
    #[serde(default)]
    pub since: Since,
    /// Go on with what it writes.
    #[serde(default)]
    pub follow: bool,
    /// Of a container with a terminal: with times.
    #[serde(default)]
    pub timestamps: bool,
}

/// From when on something is asked for. How long ago a moment is, the clock of the container's own host says.
///
/// # Example
/// ```
/// use graphium_core::log::Since;
/// use std::time::Duration;
///
/// assert_eq!("90s".parse::<Since>().unwrap(), Since::Ago(Duration::from_secs(90)));
/// let at: Since = "2026-01-02T03:04:05Z".parse().unwrap();
/// assert_eq!(at.to_string(), "2026-01-02T03:04:05Z");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum Since {
    /// From the beginning.
    #[default]
    Beginning,
    /// From a moment on.
    At(Timestamp),
    /// Not older than this.
    Ago(Duration),
}

impl Since {
    /// The moment that is meant, where it is now `now`.
    pub fn moment(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Beginning => None,
            Self::At(moment) => Some(moment),
            Self::Ago(span) => {
                let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
                Some(now.saturating_sub(span).unwrap_or(Timestamp::MIN))
            }
        }
    }
}

impl FromStr for Since {
    type Err = String;

    /// Reads `10m`, `1h30m`, `2d` (ago), an RFC 3339 time, or seconds since 1970.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no time: write it like 10m, 1h30m or 2026-01-31T12:00:00Z");
        if text.is_empty() {
            return Ok(Self::Beginning);
        }
        if let Ok(seconds) = text.parse() {
            return Timestamp::from_second(seconds).map(Self::At).map_err(|_| wrong());
        }
        if let Ok(moment) = text.parse() {
            return Ok(Self::At(moment));
        }
        let span: Span = text.parse().map_err(|_| wrong())?;
        let span = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
        Ok(Self::Ago(span.unsigned_abs()))
    }
}

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beginning => Ok(()),
            Self::At(moment) => write!(f, "{moment}"),
            Self::Ago(span) => write!(f, "{}ms", span.as_millis()),
        }
    }
}

impl From<Since> for String {
    fn from(since: Since) -> Self {
        since.to_string()
    }
}

impl TryFrom<String> for Since {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().unwrap();
        for (text, moment) in [
            ("10m", "2026-01-31T11:50:00Z"),
            ("1h30m", "2026-01-31T10:30:00Z"),
            ("2d", "2026-01-29T12:00:00Z"),
            ("90s", "2026-01-31T11:58:30Z"),
            ("500ms", "2026-01-31T11:59:59.5Z"),
            ("2026-01-31T13:00:00+01:00", "2026-01-31T12:00:00Z"),
            ("1769860800", "2026-01-31T12:00:00Z"),
        ] {
            let since: Since = text.parse().unwrap();
            assert_eq!(since.moment(now), Some(moment.parse().unwrap()), "{text}");
            assert_eq!(since.to_string().parse(), Ok(since), "{text}");
        }
        assert_eq!("".parse::<Since>().unwrap().moment(now), None);
        for text in ["yesterday", "10", "m", "5x", "2026-01-31"] {
            let read = text.parse::<Since>();
            assert!(read.is_err() || text == "10", "{text}: {read:?}");
        }
        assert_eq!("all".parse(), Ok(Tail::All));
        assert_eq!("12".parse(), Ok(Tail::Last(12)));
        assert!("-1".parse::<Tail>().is_err() && "some".parse::<Tail>().is_err());
    }
}
