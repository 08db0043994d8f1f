//! The token of an agent: named, kept from before, or got for a code.

use super::super::{
    connect,
    exit::{Exit, Failure},
};
use crate::config::Config;
use graphium_core::id::HostId;
use graphium_server::{
    auth,
    client::{Client, ClientError},
};
use std::{fs, path::Path};

/// The file within the agent's state.
const FILE: &str = "token";

/// The agent's token. One that is named goes before one that is kept, and that before a code: with a code that was used already
/// the same command starts the agent again.
pub(super) fn find(code: Option<&str>, config: &Config, host: &HostId, state_dir: &Path) -> Result<String, Failure> {
    if let Some(token) = &config.token {
        return Ok(token.value.expose().to_owned());
    }
    let path = state_dir.join(FILE);
    if let Ok(kept) = fs::read_to_string(&path)
        && let Some(token) = auth::Token::parse(&kept)
    {
        return Ok(token.reveal().to_owned());
    }
    let code = code.ok_or_else(|| missing(host))?;
    let joined = connect::run(async {
        let client = Client::of_several(config.server.value.urls().map(|url| (url, None)))?;
        Ok(client.join(code, host).await.map_err(|error| refused(error, host))?.token)
    })?;
    auth::write_private(&path, &joined).map_err(|error| {
        Failure::new(Exit::Failed, format!("the agent's token cannot be kept in `{}`", path.display()))
            .because(&error)
            .hint("mend that, and have another code made: the present one is used up")
    })?;
    Ok(joined)
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
