//! The client of the REST API: for the command line, for agents on other machines, for other people's programs.
//!
//! Every call has a deadline, so nothing waits for ever; every error says what was asked and what to do.

mod adoptions;
mod call;
mod credential;
mod error;
mod estate;
mod events;
mod exec;
mod link;
mod logs;
mod people;
mod pulse;
mod reports;
mod ride;
mod secrets;
mod servers;
mod socket;
mod stacks;
mod tasks;

pub use adoptions::AdoptRequest;
pub use call::Client;
#[cfg(feature = "otel")]
pub(crate) use call::reason;
pub use credential::{CredentialError, keep_credential_fresh, replace_credential};
pub use error::ClientError;
pub use exec::ExecSocket;
pub use link::HttpLink;
pub use logs::{LogFrames, LogOptions};
pub use pulse::PulseLink;
pub use servers::Access;
pub use stacks::DeployRequest;
pub use tasks::TaskFilter;

/// Whether an address is one of this machine alone.
pub(crate) fn is_loopback(url: &reqwest::Url) -> bool {
    match url.host_str().map(|host| host.trim_matches(['[', ']'])) {
        Some("localhost") => true,
        Some(host) => host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback()),
        None => false,
    }
}
