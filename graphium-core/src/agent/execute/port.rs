//! A port that something else has.

use super::Job;
use crate::{inventory::ContainerStatus, runtime::ContainerState, task::TaskError};

impl Job<'_> {
    /// What to tell of a port that is taken: which container has it, or that none has.
    ///
    /// What a container has stays taken. Where none has it the next attempt may find it free, for a program of the host may be
    /// on its way out. Docker 20.10 that was killed while it started a container has the port itself after its restart, until
    /// the next one.
    pub(super) async fn taken(&self, mut error: TaskError) -> TaskError {
        let Ok(listed) = self.runtime().list().await else { return error };
        match listed.iter().find(|state| has(state, &error.message)) {
            Some(holder) => {
                let name = &holder.observed.name;
                error.help = Some(format!("choose another hostPort, or stop the container `{name}`, which has it"));
            }
            None => {
                error.retryable = true;
                let help = "no container of this engine has it: stop the program that has it (`ss -lntup` on that host shows \
                            which; if it is the engine itself, restart that), or choose another hostPort";
                error.help = Some(help.to_owned());
            }
        }
        error
    }
}

/// Whether a container has the port that an engine's words name after an address.
fn has(state: &ContainerState, words: &str) -> bool {
    let is_up =
        matches!(state.status(), ContainerStatus::Running | ContainerStatus::Paused | ContainerStatus::Restarting);
    let mut ports = state.observed.ports.iter().filter(|_| is_up).filter_map(|port| port.host_port);
    let is_named = |port: u16| {
        let named = format!(":{port}");
        words
            .match_indices(&named)
            .any(|(at, _)| !words[at + named.len()..].starts_with(|next: char| next.is_ascii_digit()))
    };
    ports.any(is_named)
}
