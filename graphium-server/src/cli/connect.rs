//! The way to the server: address and token found, errors told in our words.

use super::exit::{Exit, Failure};
use crate::config::Config;
use graphium_server::{
    auth,
    client::{Access, Client, ClientError},
};
use std::{future::Future, io};
use tokio::runtime;

/// A client of the servers that the settings name.
pub(crate) fn client(config: &Config) -> Result<Client, Failure> {
    Ok(Client::of_several(config.server.value.urls().map(|url| (url, access_for(config, url))))?)
}

/// A client of one of them.
pub(crate) fn client_of(config: &Config, url: &str) -> Result<Client, Failure> {
    Ok(Client::new(url, access_for(config, url))?)
}

/// What a server is shown, and how it is known.
fn access_for(config: &Config, url: &str) -> Access {
    Access { token: token_for(config, url), pin: config.pin.or_else(|| auth::local::pin(url)) }
}

/// What a server is shown. Where no token is named it is its own: whatever has taken the place of one of several is not shown
/// the token of another.
fn token_for(config: &Config, url: &str) -> Option<String> {
    match &config.token {
        Some(token) => Some(token.value.expose().to_owned()),
        None => auth::local::find(url),
    }
}

/// Runs a command that talks to a server, on this thread alone. Ctrl-C ends it.
pub(crate) fn run<T>(command: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build().map_err(|error| no_runtime(&error))?;
    runtime.block_on(async {
        tokio::select! {
            // A command that has its own way of ending goes first.
            biased;
            result = command => result,
            _ = tokio::signal::ctrl_c() => Err(Failure::quiet(Exit::Interrupted)),
        }
    })
}

/// A program without threads or timers can do nothing.
pub(crate) fn no_runtime(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, "the operating system gives no more threads or handles").because(error)
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Address { url, reason } => {
                Self::usage(format!("`{url}` is not the address of a server: {reason}"))
                    .coded("bad-address")
                    .hint("write it like http://localhost:8095")
            }
            ClientError::Unreachable { url, reason } => {
                Self::new(Exit::Unreachable, format!("no answer from {url}: {reason}"))
                    .hint("is the server running (`graphium server`), and is the address right (`--server`)?")
                    .hint("`graphium doctor` looks for the cause")
            }
            ClientError::Denied { url, status: 401, detail } => {
                Self::new(Exit::Denied, format!("{url} wants a token: {detail}"))
                    .hint("on the server's machine its user needs none; elsewhere set GRAPHIUM_TOKEN")
                    .hint("the first token is in the server's data directory, in the file `admin-token`")
            }
            ClientError::Denied { url, detail, .. } => {
                Self::new(Exit::Denied, format!("{url} refuses: {detail}")).hint("use a token that may do this")
            }
            ClientError::Invalid { detail, diagnostics } => {
                Self { what: detail, diagnostics: diagnostics.into(), ..Self::quiet(Exit::Invalid) }
            }
            ClientError::NoSuchCall { url, detail } => {
                Self::new(Exit::Failed, format!("{url} does not know what it is asked: {detail}"))
                    .coded("no-such-route")
                    .hint(format!(
                        "this is graphium {}: update the server if it is older, or use a command of its version",
                        env!("CARGO_PKG_VERSION")
                    ))
                    .hint("is the address that of a server, without a path of its own (`--server`)?")
            }
            ClientError::NotFound { detail, .. } => Self::new(Exit::Failed, detail).coded("not-found"),
            ClientError::Outdated { detail, changes } if changes.is_empty() => {
                Self::new(Exit::Failed, detail).coded("plan-outdated")
            }
            ClientError::Outdated { changes, .. } => changes
                .into_iter()
                .fold(
                    Self::new(Exit::Failed, "the plan does not fit any more, and nothing was done"),
                    |failure, change| failure.because(change),
                )
                .coded("plan-outdated")
                .hint("plan again: `graphium plan DOCUMENT -o FILE`"),
            ClientError::Conflict { code, detail } => Self::new(Exit::Failed, format!("{detail} [{code}]")).coded(code),
            ClientError::Problem { url, problem } => {
                Self::new(Exit::Failed, format!("{url} answers {}: {}", problem.status, problem.detail))
                    .coded(problem.code)
            }
            other => Self::new(Exit::Failed, other.to_string()),
        }
    }
}
