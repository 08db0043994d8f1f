//! The agent's token, which it replaces before it is too old.

use super::{Client, ClientError};
use graphium_core::id::HostId;
use std::{convert::Infallible, io, time::Duration};

/// How long to wait after it did not come off.
const AGAIN: Duration = Duration::from_secs(60);

/// Why an agent goes on with the token that it has.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CredentialError {
    /// The server gives it no other.
    #[error(transparent)]
    Refused(#[from] ClientError),
    /// The new one cannot be kept, so it is not used.
    #[error("the new token cannot be kept: {0}")]
    NotKept(#[source] io::Error),
}

/// Replaces the token of a host's agent whenever a server says so, for as long as it is polled. `tell` hears how it went: `true` where
/// there is another.
///
/// `keep` writes the new token down, so that it is there after a crash of the machine; it is used from then on, and not before. Until it
/// was used the one before is good: wherever this breaks off, what is kept lets the agent in.
///
/// Cancellation: as a crash.
pub async fn keep_credential_fresh(
    client: &Client,
    host: &HostId,
    keep: impl Fn(&str) -> io::Result<()> + Sync,
    tell: impl Fn(Result<bool, CredentialError>) + Sync,
) -> Infallible {
    loop {
        client.credential_is_due().await;
        let replaced = replace_credential(client, host, &keep).await;
        let has_failed = replaced.is_err();
        tell(replaced);
        if has_failed {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Replaces the token of a host's agent; `false`: the server has none for it, for it was replaced just now.
///
/// # Errors
/// [`CredentialError`]; the agent has the token that it had.
pub async fn replace_credential(
    client: &Client,
    host: &HostId,
    keep: impl Fn(&str) -> io::Result<()>,
) -> Result<bool, CredentialError> {
    let issued = match client.replace_credential(host).await {
        // What was under way with the token before has said it once more.
        Err(ClientError::Conflict { code, .. }) if code == "credential-not-due" => return Ok(false),
        issued => issued?,
    };
    keep(&issued.token).map_err(CredentialError::NotKept)?;
    client.show(&issued.token);
    Ok(true)
}
