//! An engine that listens with TLS.

use std::path::PathBuf;

/// Where an engine listens with TLS, and what is shown to it and asked of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsTarget {
    /// `host:port`; its certificate must be of that host.
    pub authority: String,
    /// A folder as `docker` has it: `ca.pem`, by which the engine's certificate is signed, and, where the engine asks for them,
    /// `cert.pem` and `key.pem`. Read for each connection.
    pub certificates: PathBuf,
}

impl TlsTarget {
    /// The host without its port, and an address of version 6 without brackets.
    pub(crate) fn host(&self) -> &str {
        let host = self.authority.rsplit_once(':').map_or(&*self.authority, |(host, _)| host);
        host.trim_matches(['[', ']'])
    }
}
