//! The token of an agent, and how it knows its server: named, kept from before, or got for a code.

use super::super::{
    connect,
    exit::{Exit, Failure},
};
use crate::config::Config;
use graphium_core::id::HostId;
use graphium_server::{
    auth,
    client::{Access, Client, ClientError, CredentialError, keep_credential_fresh},
    tls::Pin,
};
use std::{convert::Infallible, fs, path::Path};

/// The files within the agent's state.
const TOKEN: &str = "token";
const PIN: &str = "server-pin";
/// The hash of the code that the token was got for.
const JOINED: &str = "joined";

/// What the agent shows its servers, and how it knows them. A token that is named goes before one that is kept, and that before a code
/// that it was got for: the same command starts the agent again. Another code gets it another token.
///
/// `true` with it: the agent keeps it itself, and replaces it.
pub(super) fn find(
    code: Option<&str>,
    config: &Config,
    host: &HostId,
    state_dir: &Path,
) -> Result<(Access, bool), Failure> {
    let kept = |file: &str| fs::read_to_string(state_dir.join(file)).ok();
    let pin = config.pin.or_else(|| kept(PIN)?.parse().ok());
    if let Some(token) = &config.token {
        return Ok((Access { token: Some(token.value.expose().to_owned()), pin }, false));
    }
    let is_new = |code: &str| hash(code).is_some_and(|hash| kept(JOINED).is_none_or(|kept| kept.trim() != hash));
    if let Some(token) = kept(TOKEN).and_then(|text| auth::Token::parse(&text))
        && !code.is_some_and(is_new)
    {
        return Ok((Access { token: Some(token.reveal().to_owned()), pin }, true));
    }
    Ok((join(code.ok_or_else(|| missing(host))?, config, host, state_dir)?, true))
}

/// Replaces the token that the agent keeps whenever its server says so. One that was named by hand is left to whoever named it.
pub(super) async fn stay_fresh(client: &Client, host: &HostId, state_dir: &Path, is_kept: bool) -> Infallible {
    if !is_kept {
        client.credential_is_due().await;
        tracing::warn!(%host, "the agent's token is to be replaced; it was named by hand, so replace it by hand: graphium host add {host}");
        return std::future::pending().await;
    }
    let path = state_dir.join(TOKEN);
    let keep = |token: &str| auth::write_private(&path, token);
    let tell = |replaced: Result<bool, CredentialError>| match replaced {
        Ok(true) => tracing::info!(%host, "the agent has another token, and keeps it"),
        Ok(false) => {}
        Err(error) => tracing::warn!(%host, "the agent goes on with the token that it has, and asks again: {error}"),
    };
    keep_credential_fresh(client, host, keep, tell).await
}

fn join(code: &str, config: &Config, host: &HostId, state_dir: &Path) -> Result<Access, Failure> {
    let (code, pin) = match code.split_once('.') {
        Some((code, pin)) => {
            let wrong = |error| Failure::usage(format!("the code is cut off: {error}")).hint("copy all of it");
            (code, Some(pin.parse::<Pin>().map_err(wrong)?))
        }
        None => (code, config.pin),
    };
    let token = connect::run(async {
        let access = Access { token: None, pin };
        let client = Client::of_several(config.server.value.urls().map(|url| (url, access.clone())))?;
        Ok(client.join(code, host).await.map_err(|error| refused(error, host))?.token)
    })?;
    let keep = |file: &str, text: &str| {
        let path = state_dir.join(file);
        auth::write_private(&path, text).map_err(|error| {
            Failure::new(Exit::Failed, format!("the agent's token cannot be kept in `{}`", path.display()))
                .because(&error)
                .hint(format!(
                    "mend that, and have another code made, for this one is used up: graphium host add {host}"
                ))
        })
    };
    // The token first: after a crash before the next the code counts as new, and that it is used up is said.
    if let Some(pin) = pin {
        keep(PIN, &pin.to_string())?;
    }
    keep(TOKEN, &token)?;
    if let Some(hash) = hash(code) {
        keep(JOINED, &hash)?;
    }
    Ok(Access { token: Some(token), pin })
}

/// The hash of a code, without the fingerprint behind it.
fn hash(code: &str) -> Option<String> {
    let code = code.split_once('.').map_or(code, |(code, _)| code);
    auth::Token::parse(code).map(|token| token.hash())
}

fn refused(error: ClientError, host: &HostId) -> Failure {
    match error {
        ClientError::Denied { url, detail, .. } => Failure::new(Exit::Denied, format!("{url} refuses: {detail}"))
            .hint(format!("have another code made where the server runs: graphium host add {host}")),
        other => other.into(),
    }
}

fn missing(host: &HostId) -> Failure {
    Failure::new(Exit::Denied, "the agent has no token")
        .because(
            "there is none with its state, TOKEN and GRAPHIUM_TOKEN are not set, and no file of settings names one",
        )
        .hint(format!(
            "where the server runs, `graphium host add {host}` prints the command that starts this agent with one"
        ))
}
