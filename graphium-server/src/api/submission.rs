//! A document in a request: bare, in the envelope that holds it as JSON, or in the one that holds it as text.

use super::{problem::Problem, wire::Envelope};
use bytes::Bytes;
use graphium_core::{
    control::DeployOptions,
    diagnostic::Diagnostic,
    document::{ReadContext, Reading, read},
};
use serde::Deserialize;
use std::{collections::BTreeMap, time::Duration};

/// What the URL may say beside the document; it goes before what an envelope says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeployQuery {
    /// In seconds.
    timeout: Option<u64>,
    rollback_on_error: Option<bool>,
    pull_images: Option<bool>,
    /// Of a plan: why each container is where it is.
    explain: Option<bool>,
}

/// A document that was read.
pub(super) struct Submission {
    pub(super) reading: Reading,
    pub(super) options: DeployOptions,
}

/// Reads the document of a request. What is wrong with the document is told apart from what is wrong with the request.
pub(super) async fn submission(
    body: Bytes,
    query: DeployQuery,
) -> Result<Result<Submission, Vec<Diagnostic>>, Problem> {
    // A large document takes a while: not on a thread that others wait for.
    tokio::task::spawn_blocking(move || understand(&body, &query))
        .await
        .map_err(|_| Problem::new(500, "internal", "reading the document failed; this is a defect of the server"))
}

fn understand(body: &[u8], query: &DeployQuery) -> Result<Submission, Vec<Diagnostic>> {
    // An envelope of JSON is the reader's: it knows its places. What is no envelope of text is its, too.
    let envelope = serde_json::from_slice::<Envelope>(body).ok();
    let nothing = BTreeMap::new();
    let (source, variables) = match &envelope {
        Some(envelope) => (envelope.stack_definition.as_bytes(), &envelope.variables),
        None => (body, &nothing),
    };
    // `${NAME}` never reads the server's own environment: it is not the caller's.
    let reading = read(source, &ReadContext::new(&|name: &str| variables.get(name).cloned()))?;
    let envelope = envelope.as_ref();
    let seconds = query.timeout.or_else(|| envelope?.timeout).map(Duration::from_secs);
    let pull_images = query.pull_images.or_else(|| envelope?.pull_images).or(reading.options.pull_images);
    let rollback =
        query.rollback_on_error.or_else(|| envelope?.rollback_on_error).or(reading.options.rollback_on_error);
    let options = DeployOptions {
        timeout: seconds.or(reading.options.timeout),
        pull_images: pull_images.unwrap_or(false),
        explain: query.explain.unwrap_or(false),
        ..DeployOptions::default()
    };
    let mut reading = reading;
    if rollback == Some(true) {
        reading.notes.push(not_yet());
    }
    Ok(Submission { reading, options })
}

/// Said rather than silently not done.
fn not_yet() -> Diagnostic {
    let mut warning = Diagnostic::error("rollback-by-hand", "", "a failure does not yet roll back by itself");
    warning.severity = graphium_core::diagnostic::Severity::Warning;
    warning.with_help("when it fails: `graphium stack rollback <name>`")
}
