//! The log of long-running commands, on stderr.

use crate::render::printable;
use std::{env, io::IsTerminal};
use tracing_subscriber::EnvFilter;

/// Begins to log: what `GRAPHIUM_LOG` or `RUST_LOG` asks for, otherwise from this level on.
pub(crate) fn begin(level: &str) {
    let asked =
        ["GRAPHIUM_LOG", "RUST_LOG"].iter().find_map(|name| env::var(name).ok()).filter(|text| !text.is_empty());
    let filter = asked.and_then(|text| EnvFilter::try_new(text).ok()).unwrap_or_else(|| EnvFilter::new(level));
    let colours = std::io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // A second subscriber is refused, and the first goes on.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false)
        .with_ansi(colours)
        .try_init();
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
