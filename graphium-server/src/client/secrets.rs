//! Secrets: kept, listed, forgotten.

use super::{Client, ClientError};
use crate::api::wire::{SecretList, SecretRequest};
use graphium_core::{
    control::{RemovalOfSecret, SecretView},
    secret::SecretText,
};
use reqwest::Method;

impl Client {
    /// Every secret, without its value.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn secrets(&self) -> Result<Vec<SecretView>, ClientError> {
        self.list::<SecretList>(&["secrets"], &[]).await
    }

    /// Keeps a secret, or gives it another value; `stacks` are those that it is for, none all, and absent as before.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] where the server has not the key, and what any call can fail with.
    pub async fn set_secret(
        &self,
        name: &str,
        value: &SecretText,
        stacks: Option<Vec<String>>,
    ) -> Result<SecretView, ClientError> {
        let request = SecretRequest { value: value.reveal().to_owned(), stacks };
        self.call(Method::PUT, &["secrets", name]).body(&request).json().await
    }

    /// Forgets a secret.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], [`ClientError::Conflict`] where stacks use it, and what any call can fail with.
    pub async fn remove_secret(&self, name: &str, removal: RemovalOfSecret) -> Result<(), ClientError> {
        let force = if removal == RemovalOfSecret::Anyway { "true" } else { "false" };
        self.call(Method::DELETE, &["secrets", name]).query("force", force).done().await
    }
}
