//! How many connections the operating system lets this process have.

use super::Limits;

/// Kept for everything but connections: the store, the clients of the server's own, the log.
const OTHERS: u64 = 64;

impl Limits {
    /// Lets this process have as many descriptors as it may (its hard limit), and takes no more connections than fit into them.
    /// Shells and service managers give a process 1,024 at first, and 1,000 agents have as many connections, or some thousands when all work.
    ///
    /// Elsewhere than on Unix nothing changes.
    #[must_use]
    pub fn within_descriptors(self) -> Self {
        match most() {
            Some(most) => self.within(most),
            None => self,
        }
    }

    fn within(self, descriptors: u64) -> Self {
        let room = usize::try_from(descriptors.saturating_sub(OTHERS).max(1)).unwrap_or(usize::MAX);
        Self { connections: self.connections.min(room), ..self }
    }
}

/// How many there may be; none: as many as one likes, or nobody knows.
#[cfg(unix)]
fn most() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    if now.current == now.maximum {
        return now.current;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum }) {
        Ok(()) => now.maximum,
        Err(error) => {
            tracing::warn!(%error, most = now.current, "the limit of open files stays as it is");
            now.current
        }
    }
}

#[cfg(not(unix))]
fn most() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_no_more_connections_than_descriptors() {
        let limits = Limits::default();
        assert_eq!(limits.within(1024).connections, 1024 - 64);
        assert_eq!(limits.within(10).connections, 1);
        assert_eq!(limits.within(u64::MAX), limits);
    }
}
