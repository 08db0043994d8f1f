//! Credentials, as records.

use super::{Control, ControlError, Purpose, Role, TokenRecord, UserRecord};
use crate::store::{Document, Expect, Kind, RecordQuery, RecordWrite, Submission, TaskStoreExt};
use jiff::SignedDuration;

/// How exactly it is known when a token was used last: each note of it is a write.
const USE: SignedDuration = SignedDuration::from_mins(10);

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
        self.write_all(self.with_place_for(&record).await?).await
    }

    /// Every credential that is not over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn tokens(&self) -> Result<Vec<TokenRecord>, ControlError> {
        let now = self.environment.now();
        let tokens = self.store.documents::<TokenRecord>(RecordQuery::of(Kind::Token)).await?;
        Ok(tokens.into_iter().map(|token| token.value).filter(|token| !token.has_expired(now)).collect())
    }

    /// Ends a credential, and the sessions of the page that were opened with it.
    ///
    /// # Errors
    /// [`ControlError::NotFound`].
    pub async fn revoke_token(&self, id: &str) -> Result<(), ControlError> {
        let token = self.store.document::<TokenRecord>(id).await?;
        let token = token.ok_or_else(|| ControlError::NotFound { kind: "token", id: id.to_owned() })?;
        // Whatever is noted of it in this moment: a note finds it gone, and brings nothing back.
        let mut records = vec![token.value.removal(Expect::Any)];
        records.extend(self.successors(id).await?);
        self.write_all(records).await
    }

    /// The credential whose token has this SHA-256, if it is not over, nor the one that has opened it. By its [key](TokenRecord::key) it
    /// is found as long as its person's rights are the same, too.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token_by_hash(&self, key: &str) -> Result<Option<TokenRecord>, ControlError> {
        let (hash, rights) = key.split_once('+').map_or((key, None), |(hash, rights)| (hash, Some(rights)));
        let found = self.token(&TokenRecord::id_of(hash)).await?.filter(|token| token.hash == hash);
        let opened_by = found.as_ref().and_then(|token| token.opened_by.as_deref());
        if let Some(opened_by) = opened_by
            && self.token(opened_by).await?.is_none()
        {
            return Ok(None);
        }
        let user = found.as_ref().and_then(|token| token.user.as_deref());
        if let (Some(rights), Some(user)) = (rights, user)
            && self.user(user).await?.is_none_or(|user| user.rights.to_string() != rights)
        {
            return Ok(None);
        }
        Ok(found)
    }

    /// The credential of that public id, if it is not over.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn token(&self, id: &str) -> Result<Option<TokenRecord>, ControlError> {
        let now = self.environment.now();
        let found = self.store.document::<TokenRecord>(id).await?;
        Ok(found.map(|token| token.value).filter(|token| !token.has_expired(now)))
    }

    /// Whether it is to be noted that a credential is used: it was not a few minutes ago.
    pub fn is_use_of_note(&self, token: &TokenRecord) -> bool {
        let now = self.environment.now();
        token.replaces.is_some() || token.last_used.is_none_or(|at| now.duration_since(at).abs() >= USE)
    }

    /// Notes that a credential is used. That it could not be noted is nobody's mistake.
    pub async fn note_use(&self, token: &TokenRecord) {
        let now = self.environment.now();
        let noted = async {
            let Some(kept) = self.store.document::<TokenRecord>(&token.id).await? else { return Ok(()) };
            // Of many uses at a time one is noted.
            if !self.is_use_of_note(&kept.value) {
                return Ok(());
            }
            let record = TokenRecord { last_used: Some(now), ..kept.value };
            self.write_all(vec![record.write(Expect::Version(kept.version))?]).await
        };
        let noted: Result<(), ControlError> =
            if token.replaces.is_some() { self.take_over(token).await } else { noted.await };
        // Another has written it meanwhile, or the store does not answer: it is noted with the next use.
        drop(noted);
    }

    /// Uses up a credential of that purpose and writes what it was for, both or neither: it is good once.
    ///
    /// # Errors
    /// [`ControlError::NotFound`] where there is no such credential any more, or nobody whom it is for; [`ControlError::Store`] where somebody else has used it,
    /// or what is to be written is there already.
    pub async fn redeem(&self, hash: &str, purpose: Purpose, then: Redeemed) -> Result<(), ControlError> {
        let found = self.store.document::<TokenRecord>(&TokenRecord::id_of(hash)).await?;
        let now = self.environment.now();
        let is_good = |token: &TokenRecord| token.hash == hash && token.purpose == purpose && !token.has_expired(now);
        let code = found.filter(|token| is_good(&token.value));
        let code = code.ok_or_else(|| ControlError::NotFound { kind: "code", id: TokenRecord::id_of(hash) })?;
        let mut records = vec![code.value.removal(Expect::Version(code.version))];
        match then {
            Redeemed::User(user) => records.push(user.write(Expect::Absent)?),
            Redeemed::Token(token) => {
                if let Some(host) = &token.host {
                    self.expect_host(host).await?;
                }
                records.push(token.write(Expect::Absent)?);
            }
            Redeemed::Password(password) => {
                let name = code.value.user.as_deref().unwrap_or_default();
                let gone = || ControlError::NotFound { kind: "code", id: code.value.id.clone() };
                let mut user = self.store.document::<UserRecord>(name).await?.ok_or_else(gone)?;
                (user.value.password, user.value.password_set) = (Some(password), Some(now));
                records.push(user.write()?);
                records.extend(self.sessions_but(name, Some(&code.value.id)).await?);
            }
        }
        self.write_all(records).await
    }

    pub(super) async fn write_all(&self, records: Vec<RecordWrite>) -> Result<(), ControlError> {
        self.store.submit(Submission { records, ..Submission::default() }, self.environment.now()).await?;
        Ok(())
    }
}

/// What a credential that is good once was for.
#[derive(Clone, Debug)]
pub enum Redeemed {
    /// A person.
    User(UserRecord),
    /// Another credential.
    Token(TokenRecord),
    /// The password of the person whom it is for, as a PHC string; every session and every other link of that person ends.
    Password(String),
}
