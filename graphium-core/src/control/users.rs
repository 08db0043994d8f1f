//! People who may log in, as records.

use super::{Control, ControlError, TokenRecord, UserRecord, crossed::uncrossed};
use crate::store::{Document, Expect, Kind, RecordQuery, RecordWrite, TaskStoreExt, Versioned};

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

    /// Changes what is kept of somebody. Where the password is another one, every session ends but the one of that id, and every link.
    ///
    /// # Errors
    /// [`ControlError::NotFound`]; [`ControlError::Conflict`] where nobody would be left who can log in as an administrator.
    ///
    /// # Example
    /// ```
    /// # use graphium_core::control::{Control, ControlError, Role, Settings, UserRecord};
    /// # use graphium_core::{environment::Environment, event::NoSink, store::MemoryStore, testing::ManualEnvironment};
    /// # use std::sync::Arc;
    /// # let world = Arc::new(ManualEnvironment::default());
    /// # world.run(async {
    /// # let store = Arc::new(MemoryStore::new());
    /// # let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
    /// let alice = UserRecord { password: Some("…".to_owned()), ..UserRecord::new("alice", Role::Admin, world.now()) };
    /// control.add_user(alice).await?;
    /// control.add_user(UserRecord::new("bob", Role::Viewer, world.now())).await?;
    ///
    /// let bob = control.change_user("bob", None, |user| UserRecord { role: Role::Operator, ..user }).await?;
    /// assert_eq!(bob.role, Role::Operator);
    /// // Somebody must stay who can let others in.
    /// let less = control.change_user("alice", None, |user| UserRecord { role: Role::Viewer, ..user }).await;
    /// let refused = less.unwrap_err();
    /// assert!(refused.to_string().starts_with("`alice` is the last administrator"), "{refused}");
    /// # Ok::<(), ControlError>(())
    /// # })?;
    /// # Ok::<(), ControlError>(())
    /// ```
    pub async fn change_user(
        &self,
        name: &str,
        but: Option<&str>,
        change: impl Fn(UserRecord) -> UserRecord + Send + Sync,
    ) -> Result<UserRecord, ControlError> {
        self.change(name, but, None, &change).await
    }

    /// Takes somebody's password away and ends every session and every link; another is set with the new link, once.
    ///
    /// # Errors
    /// As [`change_user`](Self::change_user).
    pub async fn reset_user(&self, name: &str, link: &TokenRecord) -> Result<UserRecord, ControlError> {
        let change = |user: UserRecord| UserRecord { password: None, password_set: None, ..user };
        self.change(name, None, Some(link), &change).await
    }

    async fn change(
        &self,
        name: &str,
        but: Option<&str>,
        link: Option<&TokenRecord>,
        change: &(impl Fn(UserRecord) -> UserRecord + Send + Sync),
    ) -> Result<UserRecord, ControlError> {
        uncrossed(|| self.try_change(name, but, link, change)).await
    }

    async fn try_change(
        &self,
        name: &str,
        but: Option<&str>,
        link: Option<&TokenRecord>,
        change: &(impl Fn(UserRecord) -> UserRecord + Send + Sync),
    ) -> Result<UserRecord, ControlError> {
        let Versioned { version, value: before } = self.known_user(name).await?;
        let mut changed = UserRecord { name: name.to_owned(), rights: before.rights, ..change(before.clone()) };
        if (changed.role, &changed.stacks) != (before.role, &before.stacks) {
            changed.rights += 1;
        }
        let mut records = vec![changed.write(Expect::Version(version))?];
        if before.is_able_administrator() && !changed.is_able_administrator() {
            records.push(self.other_administrator(name).await?);
        }
        if changed.password != before.password || link.is_some() {
            records.extend(self.sessions_but(name, but).await?);
        }
        if let Some(link) = link {
            records.push(link.write(Expect::Absent)?);
        }
        self.write_all(records).await?;
        Ok(changed)
    }

    /// Lets somebody go, and ends every session and every link.
    ///
    /// # Errors
    /// As [`change_user`](Self::change_user).
    pub async fn remove_user(&self, name: &str) -> Result<(), ControlError> {
        uncrossed(|| self.try_remove_user(name)).await
    }

    async fn try_remove_user(&self, name: &str) -> Result<(), ControlError> {
        let found = self.known_user(name).await?;
        let mut records = vec![found.value.removal(Expect::Version(found.version))];
        if found.value.is_able_administrator() {
            records.push(self.other_administrator(name).await?);
        }
        records.extend(self.sessions_but(name, None).await?);
        self.write_all(records).await
    }

    async fn known_user(&self, name: &str) -> Result<Versioned<UserRecord>, ControlError> {
        let found = self.store.document::<UserRecord>(name).await?;
        found.ok_or_else(|| ControlError::NotFound { kind: "user", id: name.to_owned() })
    }

    /// One who stays an administrator when somebody else ceases to be one, written back as it is: were that one to cease in the same
    /// moment, one of the two steps would be refused.
    async fn other_administrator(&self, but: &str) -> Result<RecordWrite, ControlError> {
        let users = self.store.documents::<UserRecord>(RecordQuery::of(Kind::User)).await?;
        let other = users.into_iter().find(|user| user.value.name != but && user.value.is_able_administrator());
        let other = other.ok_or_else(|| ControlError::Conflict {
            code: "last-administrator",
            message: format!(
                "`{but}` is the last administrator who can log in: without one nobody could let anybody in any more; make somebody else an \
                 administrator first, who has set a password"
            ),
        })?;
        Ok(other.write()?)
    }

    /// Removals of somebody's sessions and links, but for the one of that id.
    pub(super) async fn sessions_but(&self, name: &str, but: Option<&str>) -> Result<Vec<RecordWrite>, ControlError> {
        let all = self.tokens().await?.into_iter().filter(|token| token.user.as_deref() == Some(name));
        let ended = all.filter(|token| Some(token.id.as_str()) != but);
        Ok(ended.map(|token| token.removal(Expect::Any)).collect())
    }
}
