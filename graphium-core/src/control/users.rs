//! People who may log in, as records.

use super::{Control, ControlError, TokenRecord, UserRecord};
use crate::store::{Document, Expect, Kind, RecordQuery, TaskStoreExt};

impl Control {
    /// Everybody who may log in.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self) -> Result<Vec<UserRecord>, ControlError> {
        let users = self.store.documents::<UserRecord>(RecordQuery::of(Kind::User)).await?;
        Ok(users.into_iter().map(|user| user.value).collect())
    }

    /// The person of that name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user(&self, name: &str) -> Result<Option<UserRecord>, ControlError> {
        Ok(self.store.document::<UserRecord>(name).await?.map(|user| user.value))
    }

    /// Takes somebody on.
    ///
    /// # Errors
    /// [`ControlError::Conflict`] where the name is taken.
    pub async fn add_user(&self, user: UserRecord) -> Result<(), ControlError> {
        if self.user(&user.name).await?.is_some() {
            return Err(ControlError::Conflict {
                code: "user-exists",
                message: format!("there is a user `{}` already", user.name),
            });
        }
        self.write_all(vec![user.write(Expect::Absent)?]).await
    }

    /// Changes what is kept of somebody. Where the password is another one, every session ends but the one of that id.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn change_user(
        &self,
        name: &str,
        but: Option<&str>,
        change: impl FnOnce(UserRecord) -> UserRecord,
    ) -> Result<UserRecord, ControlError> {
        let found = self.store.document::<UserRecord>(name).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "user", id: name.to_owned() })?;
        let before = found.value.password.clone();
        let changed = UserRecord { name: name.to_owned(), ..change(found.value) };
        let mut records = vec![changed.write(Expect::Version(found.version))?];
        if changed.password != before {
            let sessions = self.sessions(name).await?;
            let ended = sessions.iter().filter(|session| Some(session.id.as_str()) != but);
            records.extend(ended.map(|session| session.removal(Expect::Any)));
        }
        self.write_all(records).await?;
        Ok(changed)
    }

    /// Lets somebody go, and ends every session.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn remove_user(&self, name: &str) -> Result<(), ControlError> {
        let found = self.store.document::<UserRecord>(name).await?;
        let found = found.ok_or_else(|| ControlError::NotFound { kind: "user", id: name.to_owned() })?;
        let mut records = vec![found.value.removal(Expect::Version(found.version))];
        records.extend(self.sessions(name).await?.iter().map(|session| session.removal(Expect::Any)));
        self.write_all(records).await
    }

    async fn sessions(&self, name: &str) -> Result<Vec<TokenRecord>, ControlError> {
        Ok(self.tokens().await?.into_iter().filter(|token| token.user.as_deref() == Some(name)).collect())
    }
}
