//! A document in a request: bare, in the envelope that holds it as JSON, or in the one that holds it as text.

use super::{problem::Problem, wire::Envelope};
use bytes::Bytes;
use graphium_core::{
    control::{ControlError, DeployOptions, PolicyChange},
    diagnostic::Diagnostic,
    document::{self, ReadContext, Reading},
    stack::{OnDrift, OnFailure},
};
use serde::Deserialize;
use std::time::Duration;

/// What the URL may say beside the document; it goes before what an envelope says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct DeployQuery {
    /// In seconds.
    timeout: Option<u64>,
    rollback_on_error: Option<bool>,
    on_drift: Option<OnDrift>,
    /// In seconds; 0: never.
    reschedule_after: Option<u64>,
    pull_images: Option<bool>,
    /// Of a plan: why each container is where it is.
    explain: Option<bool>,
}

/// A document that was read.
pub(super) struct Submission {
    pub(super) reading: Reading,
    pub(super) options: DeployOptions,
    pub(super) origin: Origin,
}

/// Where a stack was read from, for what is found in it later.
pub(super) struct Origin(Bytes);

impl Origin {
    /// The findings with their places in what the request holds.
    pub(super) async fn locate(&self, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
        if found.iter().all(|finding| finding.subject.is_none()) {
            return found;
        }
        let (body, mut placed) = (self.0.clone(), found.clone());
        let placing = tokio::task::spawn_blocking(move || {
            Text::of(&body).with(|source, context| document::locate(source, context, &mut placed));
            placed
        });
        // A finding without its place is worth more than none.
        placing.await.unwrap_or(found)
    }

    /// What refuses the stack, with its places where it stems from the document.
    pub(super) async fn problem(&self, error: ControlError) -> Problem {
        match error {
            ControlError::Invalid(found) => ControlError::Invalid(self.locate(found).await).into(),
            other => other.into(),
        }
    }
}

/// What a request holds: a document, or an envelope that holds it as text.
struct Text<'b> {
    body: &'b [u8],
    envelope: Option<Envelope>,
}

impl<'b> Text<'b> {
    /// An envelope of JSON is the reader's: it knows its places. What is no envelope of text is its, too.
    fn of(body: &'b [u8]) -> Self {
        Self { body, envelope: serde_json::from_slice(body).ok() }
    }

    fn with<T>(&self, read: impl FnOnce(&[u8], &ReadContext<'_>) -> T) -> T {
        let Some(Envelope { stack_definition, variables, .. }) = &self.envelope else {
            return read(self.body, &ReadContext::default());
        };
        // `${NAME}` never reads the server's own environment: it is not the caller's.
        read(stack_definition.as_bytes(), &ReadContext::new(&|name| variables.get(name).cloned()))
    }
}

/// Reads the document of a request. What is wrong with the document is told apart from what is wrong with the request.
pub(super) async fn submission(
    body: Bytes,
    query: DeployQuery,
) -> Result<Result<Submission, Vec<Diagnostic>>, Problem> {
    // A large document takes a while: not on a thread that others wait for.
    tokio::task::spawn_blocking(move || understand(body, &query))
        .await
        .map_err(|_| Problem::new(500, "internal", "reading the document failed; this is a defect of the server"))
}

fn understand(body: Bytes, query: &DeployQuery) -> Result<Submission, Vec<Diagnostic>> {
    let text = Text::of(&body);
    let reading = text.with(|source, context| document::read(source, context))?;
    let envelope = text.envelope.as_ref();
    let seconds = query.timeout.or_else(|| envelope?.timeout).map(Duration::from_secs);
    let pull_images = query.pull_images.or_else(|| envelope?.pull_images).or(reading.options.pull_images);
    let rollback =
        query.rollback_on_error.or_else(|| envelope?.rollback_on_error).or(reading.options.rollback_on_error);
    let on_drift = query.on_drift.or_else(|| envelope?.on_drift);
    let reschedule_after = query.reschedule_after.or_else(|| envelope?.reschedule_after).map(Duration::from_secs);
    let options = DeployOptions {
        timeout: seconds.or(reading.options.timeout),
        pull_images: pull_images.unwrap_or(false),
        explain: query.explain.unwrap_or(false),
        on_failure: rollback.map(|back| if back { OnFailure::Rollback } else { OnFailure::Pause }),
        policy: PolicyChange {
            on_drift: on_drift.or(reading.options.on_drift),
            reschedule_after: reschedule_after.or(reading.options.reschedule_after),
        },
        ..DeployOptions::default()
    };
    Ok(Submission { reading, options, origin: Origin(body) })
}
