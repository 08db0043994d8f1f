//! Stacks and deployments.

use super::{Client, ClientError};
use crate::{
    api::wire::{DeploymentList, Envelope, Listing, RevisionList, StackList, Validation},
    environment::TokioEnvironment,
};
use bytes::Bytes;
use graphium_core::{
    control::{DeploymentState, DifferenceView, LiveDifferenceView, RevisionView, StackView, Started, StatusView},
    environment::Environment as _,
    plan::{SavedPlan, SealedPlan},
    stack::OnDrift,
};
use reqwest::Method;
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt, time::Duration};

/// How long a document of the largest size may take to be sent, read and planned.
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(120);

/// What is asked beside a document.
#[derive(Clone, Default)]
pub struct DeployRequest {
    /// Values for `${NAME}`. The whole environment may be given: only what the document names is sent.
    pub variables: BTreeMap<String, String>,
    /// Give up after this time.
    pub timeout: Option<Duration>,
    /// Take the stack back to where it was when it fails.
    pub rollback_on_error: Option<bool>,
    /// What follows when a container does not run that should; without it the stack keeps what it has.
    pub on_drift: Option<OnDrift>,
    /// How long after a host has gone offline what ran there is placed elsewhere, in whole seconds; zero: never; without it the
    /// stack keeps what it has.
    pub reschedule_after: Option<Duration>,
    /// Pull images also where a host has them, and make anew what runs from others.
    pub pull_images: Option<bool>,
    /// Of a plan: say why each container is where it is.
    pub explain: Option<bool>,
    /// Sent twice with the same key, the document is deployed once.
    pub idempotency_key: Option<String>,
}

impl fmt::Debug for DeployRequest {
    /// Without the variables' values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DeployRequest").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl Client {
    /// Deploys a document. The answer says that it was taken on, not that it runs.
    ///
    /// # Errors
    /// [`ClientError::Invalid`] with all that is wrong with the document, and what any call can fail with.
    pub async fn deploy(&self, document: impl Into<Bytes>, request: &DeployRequest) -> Result<Started, ClientError> {
        self.submit(&["stacks"], document.into(), request).await
    }

    /// The plan of a document: what [`deploy`](Self::deploy) would do now. Nothing is stored.
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy).
    pub async fn plan(&self, document: impl Into<Bytes>, request: &DeployRequest) -> Result<SealedPlan, ClientError> {
        self.submit(&["stacks", "plan"], document.into(), request).await
    }

    /// The plan of a document with all that it rests on, to be [applied](Self::apply) later. Nothing is stored.
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy).
    pub async fn save_plan(
        &self,
        document: impl Into<Bytes>,
        request: &DeployRequest,
    ) -> Result<SavedPlan, ClientError> {
        self.submit(&["stacks", "plan", "save"], document.into(), request).await
    }

    /// Carries out a saved plan, the text of its file: precisely that one, or nothing.
    ///
    /// # Errors
    /// [`ClientError::Outdated`] with every fact that has changed, and what any call can fail with.
    pub async fn apply(&self, saved: impl Into<Bytes>) -> Result<Started, ClientError> {
        let call = self.call(Method::POST, &["stacks", "plan", "apply"]).deadline(DOCUMENT_DEADLINE);
        call.bytes("application/json", saved.into()).json().await
    }

    /// What is found in a document. What is wrong with it is in the answer, not an error.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn validate(
        &self,
        document: impl Into<Bytes>,
        request: &DeployRequest,
    ) -> Result<Validation, ClientError> {
        self.submit(&["stacks", "jsonld", "validate"], document.into(), request).await
    }

    async fn submit<T: DeserializeOwned>(
        &self,
        path: &[&str],
        document: Bytes,
        request: &DeployRequest,
    ) -> Result<T, ClientError> {
        self.submit_with(path, None, document, request).await
    }

    async fn submit_with<T: DeserializeOwned>(
        &self,
        path: &[&str],
        from: Option<u64>,
        document: Bytes,
        request: &DeployRequest,
    ) -> Result<T, ClientError> {
        let from = from.map(|revision| ("from", revision.to_string()));
        self.submit_asking(path, from.into_iter().collect(), document, request).await
    }

    /// The same with more to say in the address.
    pub(super) async fn submit_asking<T: DeserializeOwned>(
        &self,
        path: &[&str],
        also: Vec<(&'static str, String)>,
        document: Bytes,
        request: &DeployRequest,
    ) -> Result<T, ClientError> {
        let mut call = self.call(Method::POST, path).deadline(DOCUMENT_DEADLINE);
        match &request.idempotency_key {
            Some(key) => call = call.key(key),
            // Then another server can be asked when the store of one is away.
            None if self.has_several() => call = call.key(&format!("{:032x}", TokioEnvironment::new().random())),
            None => {}
        }
        let seconds = request.timeout.map(|timeout| timeout.as_secs().max(1).to_string());
        let word = |flag: bool| flag.to_string();
        let options = [
            ("timeout", seconds),
            ("rollbackOnError", request.rollback_on_error.map(word)),
            ("onDrift", request.on_drift.map(|word| word.as_str().to_owned())),
            ("rescheduleAfter", request.reschedule_after.map(|after| after.as_secs().to_string())),
            ("pullImages", request.pull_images.map(word)),
            ("explain", request.explain.map(word)),
        ];
        for (name, value) in options {
            if let Some(value) = value {
                call = call.query(name, &value);
            }
        }
        for (name, value) in also {
            call = call.query(name, &value);
        }
        // Values of variables may be secrets: they never stand in an address, which others log.
        let text = std::str::from_utf8(&document).unwrap_or_default();
        let variables = named(text, &request.variables);
        let call = if variables.is_empty() {
            call.bytes("application/ld+json", document)
        } else {
            call.body(&Envelope { variables, ..Envelope::of(text) })
        };
        call.json().await
    }

    /// Every stack, by id.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn stacks(&self) -> Result<Vec<StackView>, ClientError> {
        self.list::<StackList>(&["stacks"], &[]).await
    }

    /// One stack, by name or id.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn stack(&self, stack: &str) -> Result<StackView, ClientError> {
        self.get(&["stacks", stack]).await
    }

    /// How the work of a stack goes; a deployment's id works also when its stack is gone.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn status(&self, stack_or_deployment: &str) -> Result<StatusView, ClientError> {
        self.get(&["stacks", stack_or_deployment, "status"]).await
    }

    /// Removes a stack; its volumes and their data too, when asked.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn remove(&self, stack: &str, remove_volumes: bool) -> Result<Started, ClientError> {
        let remove_volumes = if remove_volumes { "true" } else { "false" };
        self.call(Method::DELETE, &["stacks", stack]).query("removeVolumes", remove_volumes).json().await
    }

    /// Removes a stack without waiting for hosts that are away: what may be left there is removed when they return.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn forget(&self, stack: &str, remove_volumes: bool) -> Result<Started, ClientError> {
        let remove_volumes = if remove_volumes { "true" } else { "false" };
        let call = self.call(Method::DELETE, &["stacks", stack]).query("removeVolumes", remove_volumes);
        call.query("forget", "true").json().await
    }

    /// Stops the containers of a stack.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn stop(&self, stack: &str) -> Result<Started, ClientError> {
        self.post(&["stacks", stack, "stop"]).await
    }

    /// Starts the containers of a stopped stack.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn start(&self, stack: &str) -> Result<Started, ClientError> {
        self.post(&["stacks", stack, "start"]).await
    }

    /// Stops and starts the containers of a stack.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn restart(&self, stack: &str) -> Result<Started, ClientError> {
        self.post(&["stacks", stack, "restart"]).await
    }

    /// Deploys an earlier document of a stack: the one before, or the given revision.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn rollback(&self, stack: &str, to: Option<u64>) -> Result<Started, ClientError> {
        let mut call = self.call(Method::POST, &["stacks", stack, "rollback"]);
        if let Some(revision) = to {
            call = call.query("to", &revision.to_string());
        }
        call.json().await
    }

    /// The newest revisions of a stack, at most so many.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn history(&self, stack: &str, limit: usize) -> Result<Vec<RevisionView>, ClientError> {
        let mut revisions: Vec<RevisionView> = Vec::new();
        loop {
            let rest = limit.saturating_sub(revisions.len()).clamp(1, 1000);
            let mut call = self.call(Method::GET, &["stacks", stack, "revisions"]).query("limit", &rest.to_string());
            if let Some(last) = revisions.last() {
                call = call.query("cursor", &last.revision.to_string());
            }
            let (items, next) = call.json::<RevisionList>().await?.into_parts();
            revisions.extend(items);
            if next.is_none() || revisions.len() >= limit {
                return Ok(revisions);
            }
        }
    }

    /// What differs between two revisions of a stack: by default the one before the present and the present one.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn stack_difference(
        &self,
        stack: &str,
        from: Option<u64>,
        to: Option<u64>,
    ) -> Result<DifferenceView, ClientError> {
        let mut call = self.call(Method::GET, &["stacks", stack, "diff"]);
        for (name, revision) in [("from", from), ("to", to)] {
            if let Some(revision) = revision {
                call = call.query(name, &revision.to_string());
            }
        }
        call.json().await
    }

    /// What is wanted of a stack, compared with what agents have seen last.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn live_difference(&self, stack: &str) -> Result<LiveDifferenceView, ClientError> {
        self.call(Method::GET, &["stacks", stack, "diff"]).query("live", "true").json().await
    }

    /// What differs between a revision of a stack, by default the present one, and a document.
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy).
    pub async fn stack_difference_to(
        &self,
        stack: &str,
        from: Option<u64>,
        document: impl Into<Bytes>,
        request: &DeployRequest,
    ) -> Result<DifferenceView, ClientError> {
        self.submit_with(&["stacks", stack, "diff"], from, document.into(), request).await
    }

    /// The present or last deployment of a stack.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn stack_deployment(&self, stack: &str) -> Result<DeploymentState, ClientError> {
        self.get(&["stacks", stack, "deployment"]).await
    }

    /// Every deployment, the newest first.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn deployments(&self, stack: Option<&str>) -> Result<Vec<DeploymentState>, ClientError> {
        let query: Vec<_> = stack.map(|stack| ("stackId", stack)).into_iter().collect();
        self.list::<DeploymentList>(&["stacks", "jsonld", "deployments"], &query).await
    }

    /// One deployment.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn deployment(&self, id: &str) -> Result<DeploymentState, ClientError> {
        self.get(&["stacks", "jsonld", "deployments", id]).await
    }
}

/// Those of the variables that a text names as `${NAME…`.
fn named(text: &str, variables: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    text.split("${")
        .skip(1)
        .filter_map(|rest| {
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
            variables.get_key_value(&rest[..end])
        })
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_variables_that_a_document_names_leave_the_machine() {
        let environment = ["TAG", "PASSWORD", "HOME", "TA"].map(|name| (name.to_owned(), name.to_lowercase())).into();
        let sent = named(r#"{"image": "nginx:${TAG:-1}", "x": "${TA", "y": "$HOME ${} ${NONE}"}"#, &environment);
        assert_eq!(sent.keys().collect::<Vec<_>>(), ["TA", "TAG"]);
    }
}
