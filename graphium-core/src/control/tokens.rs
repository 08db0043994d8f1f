//! Credentials, as records.

use super::{Control, ControlError, Role, TokenRecord};
use crate::store::{Document, Expect, Kind, RecordQuery, Submission, TaskStoreExt};

impl Control {
    /// Keeps a credential; one for an agent makes its host known. Its id becomes the one of its hash.
    ///
    /// # Errors
    /// When the store does not take it.
    pub async fn issue_token(&self, record: TokenRecord) -> Result<(), ControlError> {
        if let (Role::Agent, Some(host)) = (record.role, &record.host) {
            self.expect_host(host).await?;
        }
        let record = TokenRecord { id: TokenRecord::id_of(&record.hash), ..record };
        let submission = Submission { records: vec![record.write(Expect::Absent)?], ..Submission::default() };
        self.store.submit(submission, self.environment.now()).await?;
        Ok(())
    }

    /// Every credential.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, ControlError> {
        let tokens = self.store.documents::<TokenRecord>(RecordQuery::of(Kind::Token)).await?;
        Ok(tokens.into_iter().map(|token| token.value).collect())
    }

    /// Ends a credential.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn revoke_token(&self, id: &str) -> Result<(), ControlError> {
        let token = self.store.document::<TokenRecord>(id).await?;
        let token = token.ok_or_else(|| ControlError::NotFound { kind: "token", id: id.to_owned() })?;
        let submission =
            Submission { records: vec![token.value.removal(Expect::Version(token.version))], ..Submission::default() };
        self.store.submit(submission, self.environment.now()).await?;
        Ok(())
    }

    /// The credential whose token has this SHA-256.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token_by_hash(&self, hash: &str) -> Result<Option<TokenRecord>, ControlError> {
        let found = self.store.document::<TokenRecord>(&TokenRecord::id_of(hash)).await?;
        Ok(found.map(|token| token.value).filter(|token| token.hash == hash))
    }
}
