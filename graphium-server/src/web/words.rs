//! How states, moments and sizes look: a colour is never alone, a shape and a word say the same.

use askama::filters::HtmlSafe;
use graphium_core::{
    control::{RevisionOutcome, Role, StackStatus},
    inventory::{ContainerStatus, Health, Host, HostStatus, ObservedContainer},
    task::{Progress, TaskStatus},
};
use jiff::Timestamp;
use std::fmt;

/// How something stands; each has its colour and its shape.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    Bad,
    Warn,
    Work,
    Wait,
    Ok,
    Off,
}

impl Tone {
    /// The class of the style sheet, and the name of the shape.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Work => "work",
            Self::Wait => "wait",
            Self::Ok => "ok",
            Self::Off => "off",
        }
    }
}

/// A state in a word.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Badge {
    pub(super) tone: Tone,
    pub(super) word: String,
}

impl Badge {
    pub(super) fn new(tone: Tone, word: impl Into<String>) -> Self {
        Self { tone, word: word.into() }
    }
}

impl fmt::Display for Badge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tone = self.tone.as_str();
        write!(
            f,
            "<span class=\"badge {tone}\"><svg class=\"i\" aria-hidden=\"true\"><use href=\"#i-{tone}\"/></svg>{}</span>",
            escaped(&self.word)
        )
    }
}

impl HtmlSafe for Badge {}

/// A text that a page may hold.
pub(super) fn escaped(text: &str) -> impl fmt::Display + '_ {
    askama::filters::escape(text, askama::filters::Html).unwrap_or_else(|never| match never {})
}

/// A moment, told as the time since.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) now: Timestamp,
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.now.as_second() - self.at.as_second();
        let text = if seconds < 0 { format!("in {}", span(-seconds)) } else { format!("{} ago", span(seconds)) };
        write!(
            f,
            "<time datetime=\"{0:.0}\" title=\"{1}\">{text}</time>",
            self.at,
            self.at.strftime("%Y-%m-%d %H:%M:%S UTC")
        )
    }
}

impl HtmlSafe for Moment {}

/// A moment since which something lasts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since(pub(super) Moment);

impl fmt::Display for Since {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Moment { at, now } = self.0;
        let (text, title) = (span(now.as_second() - at.as_second()), at.strftime("%Y-%m-%d %H:%M:%S UTC"));
        write!(f, "<time data-for=\"\" datetime=\"{at:.0}\" title=\"{title}\">for {text}</time>")
    }
}

impl HtmlSafe for Since {}

/// A text for people in which literals stand between backticks.
#[derive(Clone, Debug)]
pub(super) struct Told(String);

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_str();
        while let Some((before, after)) = rest.split_once('`') {
            let Some((literal, after)) = after.split_once('`') else { break };
            plain(f, before)?;
            write!(f, "<code>{}</code>", escaped(literal))?;
            rest = after;
        }
        plain(f, rest)
    }
}

/// Text between literals; moments in it are for a clock and not for people.
fn plain(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    for word in text.split_inclusive(' ') {
        let end = word.find('Z').map_or(0, |place| place + 1);
        match word[..end].parse::<Timestamp>() {
            Ok(at) => {
                let short = at.strftime("%Y-%m-%d %H:%M:%S UTC");
                write!(f, "<time data-at=\"\" datetime=\"{at:.0}\">{short}</time>{}", escaped(&word[end..]))?;
            }
            Err(_) => write!(f, "{}", escaped(word))?,
        }
    }
    Ok(())
}

impl HtmlSafe for Told {}

/// What templates do with a text.
#[allow(unreachable_pub, reason = "what the macro makes of a filter")]
pub(super) mod filters {
    use super::Told;
    use std::fmt::Display;

    /// Literals between backticks as such.
    #[askama::filter_fn]
    pub(in crate::web) fn told<T: Display>(text: T, _: &dyn askama::Values) -> askama::Result<Told> {
        Ok(Told(text.to_string()))
    }
}

/// `45s`, `3m`, `2h 5m`, `4d`.
pub(super) fn span(seconds: i64) -> String {
    let seconds = seconds.max(0);
    match (seconds / 86_400, seconds / 3600, seconds / 60) {
        (days @ 2.., _, _) => format!("{days}d"),
        (_, hours @ 1.., minutes) if minutes % 60 == 0 => format!("{hours}h"),
        (_, hours @ 1.., minutes) => format!("{hours}h {}m", minutes % 60),
        (_, _, minutes @ 1..) => format!("{minutes}m"),
        _ => format!("{seconds}s"),
    }
}

/// A role, for people.
pub(super) fn role(role: Role) -> &'static str {
    match role {
        Role::Admin => "administrator",
        Role::Operator => "operator",
        Role::Viewer => "viewer",
        Role::Agent => "agent",
    }
}

/// `12.3 MB`.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [(&str, u64); 4] =
        [("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("kB", 1_000)];
    match UNITS.into_iter().find(|(_, size)| count >= *size) {
        Some((unit, size)) => format!("{}.{} {unit}", count / size, count % size * 10 / size),
        None => format!("{count} B"),
    }
}

/// What an attempt does, in a few words.
pub(super) fn progress(progress: &Progress) -> String {
    match (progress.bytes, progress.total_bytes.filter(|total| *total > 0)) {
        (Some(done), Some(total)) => format!("{} {} of {}", progress.phase, bytes(done), bytes(total)),
        (Some(done), None) if done > 0 => format!("{} {}", progress.phase, bytes(done)),
        _ if progress.message.is_empty() => progress.phase.clone(),
        _ => format!("{}: {}", progress.phase, progress.message),
    }
}

/// Of a hundred.
pub(super) fn percent(progress: &Progress) -> Option<u64> {
    let total = progress.total_bytes.filter(|total| *total > 0)?;
    Some((progress.bytes?.min(total)) * 100 / total)
}

pub(super) fn stack(status: StackStatus) -> Badge {
    let tone = match status {
        StackStatus::Running => Tone::Ok,
        StackStatus::Degraded => Tone::Warn,
        StackStatus::Error => Tone::Bad,
        StackStatus::Pending => Tone::Wait,
        StackStatus::Stopped | StackStatus::Deleted => Tone::Off,
        StackStatus::Deploying
        | StackStatus::Stopping
        | StackStatus::Updating
        | StackStatus::RollingBack
        | StackStatus::Deleting => Tone::Work,
    };
    Badge::new(tone, status.as_str().replace('-', " "))
}

pub(super) fn task(status: TaskStatus) -> Badge {
    let (tone, word) = match status {
        TaskStatus::Pending => (Tone::Wait, "waiting"),
        TaskStatus::Assigned => (Tone::Work, "handed out"),
        TaskStatus::Running => (Tone::Work, "running"),
        TaskStatus::Completed => (Tone::Ok, "done"),
        TaskStatus::Failed => (Tone::Bad, "failed"),
        TaskStatus::Cancelled => (Tone::Off, "cancelled"),
    };
    Badge::new(tone, word)
}

pub(super) fn container(seen: &ObservedContainer) -> Badge {
    match (seen.status, seen.health, seen.exit_code) {
        (ContainerStatus::Running, Some(Health::Unhealthy), _) => Badge::new(Tone::Warn, "unhealthy"),
        (ContainerStatus::Running, Some(Health::Starting), _) => Badge::new(Tone::Work, "starting"),
        (ContainerStatus::Running, Some(Health::Healthy), _) => Badge::new(Tone::Ok, "healthy"),
        (ContainerStatus::Running, None, _) => Badge::new(Tone::Ok, "running"),
        (ContainerStatus::Exited, ..) if seen.ended_by_task => Badge::new(Tone::Off, "stopped"),
        (ContainerStatus::Exited, _, Some(0)) => Badge::new(Tone::Off, "ended well"),
        (ContainerStatus::Exited, _, Some(code)) => Badge::new(Tone::Bad, format!("ended with {code}")),
        (ContainerStatus::Exited | ContainerStatus::Dead, ..) => Badge::new(Tone::Bad, seen.status.as_str()),
        (ContainerStatus::Restarting, ..) => Badge::new(Tone::Warn, "restarting"),
        (ContainerStatus::Removing, ..) => Badge::new(Tone::Work, "removing"),
        (ContainerStatus::Stopped | ContainerStatus::Paused | ContainerStatus::Created, ..) => {
            Badge::new(Tone::Off, seen.status.as_str())
        }
    }
}

pub(super) fn host(host: &Host) -> Badge {
    if host.engine_error.is_some() && host.status != HostStatus::Offline {
        return Badge::new(Tone::Bad, "engine away");
    }
    match host.status {
        HostStatus::Active => Badge::new(Tone::Ok, "active"),
        HostStatus::Maintenance => Badge::new(Tone::Off, "maintenance"),
        HostStatus::Draining => Badge::new(Tone::Work, "draining"),
        HostStatus::Offline => Badge::new(Tone::Bad, "offline"),
    }
}

pub(super) fn outcome(outcome: Option<RevisionOutcome>) -> Badge {
    match outcome {
        Some(RevisionOutcome::Ran) => Badge::new(Tone::Ok, "ran"),
        Some(RevisionOutcome::Failed) => Badge::new(Tone::Bad, "failed"),
        Some(RevisionOutcome::RolledBack) => Badge::new(Tone::Warn, "rolled back"),
        Some(RevisionOutcome::Overtaken) => Badge::new(Tone::Off, "overtaken"),
        None => Badge::new(Tone::Work, "under way"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_word_becomes_markup() {
        let badge = Badge::new(Tone::Bad, "<b>&\"").to_string();
        assert!(badge.contains("&#60;b&#62;&#38;&#34;") && !badge.contains("<b>"), "{badge}");
    }

    #[test]
    fn literals_between_backticks_are_code_and_the_rest_is_text() {
        let told = |text: &str| Told(text.to_owned()).to_string();
        assert_eq!(told("no `a<b`, or `c`"), "no <code>a&#60;b</code>, or <code>c</code>");
        assert_eq!(
            told("again at 2026-11-27T09:42:15.260703551Z, or so"),
            "again at <time data-at=\"\" datetime=\"2026-11-27T09:42:15Z\">2026-11-27 09:42:15 UTC</time>, or so"
        );
        assert_eq!(told("a ` alone <b>"), "a ` alone &#60;b&#62;");
    }

    #[test]
    fn what_a_task_has_stopped_has_not_failed_whatever_its_code() {
        let shown = |ended_by_task: bool, code: i64| {
            let seen = serde_json::json!({
                "@id": "1", "name": "shop-web", "hostedOn": "vm1", "status": "exited", "exitCode": code,
                "endedByTask": ended_by_task,
            });
            container(&serde_json::from_value(seen).unwrap()).to_string()
        };
        assert_eq!(shown(true, 137), Badge::new(Tone::Off, "stopped").to_string());
        assert_eq!(shown(false, 137), Badge::new(Tone::Bad, "ended with 137").to_string());
        assert_eq!(shown(false, 0), Badge::new(Tone::Off, "ended well").to_string());
    }

    #[test]
    fn sizes_and_spans_are_short() {
        assert_eq!(
            [0, 999, 1_500, 12_340_000, 3_000_000_000].map(bytes),
            ["0 B", "999 B", "1.5 kB", "12.3 MB", "3.0 GB"]
        );
        assert_eq!([0, 60, 7500, 200_000].map(span), ["0s", "1m", "2h 5m", "2d"]);
        let half = Progress { phase: "pulling".into(), bytes: Some(50), total_bytes: Some(100), ..Progress::default() };
        assert_eq!((progress(&half).as_str(), percent(&half)), ("pulling 50 B of 100 B", Some(50)));
    }

    #[test]
    fn moments_are_told_in_both_directions() {
        let now: Timestamp = "2026-11-20T12:06:00Z".parse().unwrap();
        let at = "2026-11-20T12:03:00Z".parse().unwrap();
        assert!(Moment { at, now }.to_string().contains(">3m ago<"));
        assert!(Moment { at: now, now: at }.to_string().contains(">in 3m<"));
    }
}
