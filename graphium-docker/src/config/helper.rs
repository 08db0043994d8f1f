//! Credential helpers: programs that keep logins, as `docker-credential-pass` does.

use super::credentials::{Credentials, NoCredentials, Secret};
use serde::Deserialize;
use std::{io, process::Stdio, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    process::Command,
    time::timeout,
};

/// A helper that says nothing for so long is given up: it may wait for a person who is not there.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// No login is longer.
const MOST_BYTES: u64 = 64 * 1024;
/// What helpers say of a registry that they do not know, on their standard output.
const UNKNOWN: &str = "credentials not found";
/// What helpers give for a user's name where the secret is a token.
const TOKEN: &str = "<token>";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    secret: String,
}

/// Asks a helper for a login; `None` where it has none. No word of its answer is repeated: it may be a secret.
pub(super) async fn ask(name: &str, registry: &str) -> Result<Option<Credentials>, NoCredentials> {
    let program = format!("docker-credential-{name}");
    let wrong = |words: &str| NoCredentials(format!("the credential helper `{program}` {words}"));
    // It is a part of a program's name, and of no path.
    if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(NoCredentials(format!("`{name}` is no name of a credential helper")));
    }
    let mut command = Command::new(&program);
    command.arg("get").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("is not installed"),
        _ => wrong(&format!("cannot be run: {error}")),
    })?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let conversation = async {
        if let Some(mut stdin) = stdin {
            // One that does not listen may still answer.
            let _ = stdin.write_all(registry.as_bytes()).await;
        }
        let mut said = Vec::new();
        if let Some(stdout) = stdout {
            stdout.take(MOST_BYTES).read_to_end(&mut said).await?;
        }
        Ok::<_, io::Error>((child.wait().await?, said))
    };
    let (status, said) = match timeout(DEADLINE, conversation).await {
        Ok(answer) => answer.map_err(|error| wrong(&format!("broke off: {error}")))?,
        Err(_) => return Err(wrong(&format!("gave no answer within {} s", DEADLINE.as_secs()))),
    };
    if !status.success() {
        let is_unknown = String::from_utf8_lossy(&said).to_lowercase().contains(UNKNOWN);
        return if is_unknown { Ok(None) } else { Err(wrong(&format!("failed ({status})"))) };
    }
    let answer: Answer = serde_json::from_slice(&said).map_err(|_| wrong("answers something else than a login"))?;
    let secret = match answer.username.as_str() {
        TOKEN => Secret::IdentityToken(answer.secret),
        _ => Secret::Password(answer.secret),
    };
    let username = Some(answer.username).filter(|name| name != TOKEN).unwrap_or_default();
    Ok(Some(Credentials { registry: registry.to_owned(), username, secret }))
}
