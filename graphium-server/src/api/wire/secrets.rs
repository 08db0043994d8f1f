//! Bodies about secrets.

use graphium_core::{control::SecretView, secret::SecretText, task::Lease};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt};
use zeroize::Zeroize;

/// `PUT /secrets/{id}`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretRequest {
    /// The value: 1 byte to 64 KiB of text, without NUL.
    pub value: String,
    /// The stacks that it is for, by name or id; none: all; without it they stay as they are, and a new one is for all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Vec<String>>,
}

impl Drop for SecretRequest {
    fn drop(&mut self) {
        self.value.zeroize();
    }
}

impl fmt::Debug for SecretRequest {
    /// Without the value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretRequest").field("stacks", &self.stacks).finish_non_exhaustive()
    }
}

/// `GET /secrets`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretList {
    /// This part of the list.
    pub secrets: Vec<SecretView>,
    /// The `cursor` of the next part; absent: this was the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl super::Listing for SecretList {
    type Item = SecretView;

    fn page(secrets: Vec<SecretView>, next: Option<String>) -> Self {
        Self { secrets, next }
    }

    fn into_parts(self) -> (Vec<SecretView>, Option<String>) {
        (self.secrets, self.next)
    }
}

/// `POST /tasks/{id}/secrets`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SecretsCall {
    /// The lease of the attempt, as it was granted.
    pub lease: Lease,
}

/// The answer, for the agent that holds the lease and nobody else.
#[derive(Clone, Serialize, Deserialize)]
pub struct SecretsGrant {
    /// The values by name; `null` where there is no such secret for the stack.
    pub secrets: BTreeMap<String, Option<String>>,
}

impl SecretsGrant {
    /// The answer with these.
    pub fn of(secrets: BTreeMap<String, Option<SecretText>>) -> Self {
        let plain = |(name, value): (String, Option<SecretText>)| (name, value.map(|value| value.reveal().to_owned()));
        Self { secrets: secrets.into_iter().map(plain).collect() }
    }

    /// What was granted.
    pub fn into_secrets(mut self) -> BTreeMap<String, Option<SecretText>> {
        let all = std::mem::take(&mut self.secrets);
        all.into_iter().map(|(name, value)| (name, value.map(SecretText::from))).collect()
    }
}

impl Drop for SecretsGrant {
    fn drop(&mut self) {
        self.secrets.values_mut().flatten().for_each(Zeroize::zeroize);
    }
}

impl fmt::Debug for SecretsGrant {
    /// Without the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretsGrant").field("names", &self.secrets.keys()).finish_non_exhaustive()
    }
}
