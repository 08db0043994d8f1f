//! The log of long-running commands, on stderr.

use crate::render::printable;
use std::{env, io::IsTerminal};
use tracing_subscriber::{
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Begins to log: what `GRAPHIUM_LOG` or `RUST_LOG` asks for, otherwise from this level on.
pub(crate) fn begin(level: LevelFilter) {
    let asked =
        ["GRAPHIUM_LOG", "RUST_LOG"].iter().find_map(|name| env::var(name).ok()).filter(|text| !text.is_empty());
    // `Targets` reads `info` and `graphium_core=debug,warn`; the larger `EnvFilter` would bring a regular expression engine.
    let usual = || Targets::new().with_default(level);
    let filter = asked.and_then(|text| text.parse().ok()).unwrap_or_else(usual);
    let colours = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_target(false).with_ansi(colours);
    // A second subscriber is refused, and the first goes on.
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

/// Logs what an agent says of itself.
pub(crate) fn notice(host: &str, notice: &graphium_core::agent::Notice) {
    use graphium_core::agent::Notice;
    let text = notice.to_string();
    let text = printable(&text);
    match notice {
        Notice::LinkLost(_) | Notice::EngineLost(_) | Notice::JournalLost(_) => tracing::warn!(host, "{text}"),
        Notice::Began { .. } | Notice::Ended { .. } => tracing::debug!(host, "{text}"),
        _ => tracing::info!(host, "{text}"),
    }
}
