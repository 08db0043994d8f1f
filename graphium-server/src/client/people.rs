//! Who may log in, and logging in.

use super::{
    Client, ClientError,
    call::{Call, reason},
};
use crate::api::wire::{
    AuditList, Caller, IssuedLink, IssuedToken, JoinRequest, LinkRequest, LoginRequest, PasswordRequest, SetupRequest,
    UserChange, UserList, UserRequest, UserView,
};
use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use graphium_core::{control::AuditEntry, id::HostId};
use jiff::Timestamp;
use reqwest::Method;
use std::time::Duration;

/// How long all of the audit may take to come.
const EXPORT: Duration = Duration::from_secs(3600);

impl Client {
    /// Logs somebody in; the answer alone holds the session's token.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where name or password is wrong, and what any call can fail with.
    pub async fn login(&self, user: &str, password: &str) -> Result<IssuedToken, ClientError> {
        let request = LoginRequest { user: user.to_owned(), password: password.to_owned() };
        self.call(Method::POST, &["auth", "login"]).body(&request).json().await
    }

    /// Ends the session whose token this client has.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] where it is no session, and what any call can fail with.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.call(Method::POST, &["auth", "logout"]).done().await
    }

    /// Who this client is for the server.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn whoami(&self) -> Result<Caller, ClientError> {
        self.get(&["auth", "me"]).await
    }

    /// Makes the first administrator, with the code of the server's first start.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where the code is worth nothing, and what any call can fail with.
    pub async fn set_up(&self, code: &str, user: &str, password: &str) -> Result<UserView, ClientError> {
        let (code, user, password) = (code.to_owned(), Some(user.to_owned()), password.to_owned());
        self.call(Method::POST, &["auth", "setup"]).body(&SetupRequest { code, user, password }).json().await
    }

    /// Sets one's own password, with the code of a link that was made for one.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where the code is worth nothing, and what any call can fail with.
    pub async fn redeem_link(&self, code: &str, password: &str) -> Result<UserView, ClientError> {
        let request = SetupRequest { code: code.to_owned(), user: None, password: password.to_owned() };
        self.call(Method::POST, &["auth", "setup"]).body(&request).json().await
    }

    /// Gets an agent its credential, for a code that is good once.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where the code is worth nothing, or another host's, and what any call can fail with.
    pub async fn join(&self, code: &str, host: &HostId) -> Result<IssuedToken, ClientError> {
        let request = JoinRequest { code: code.to_owned(), host: host.clone() };
        self.call(Method::POST, &["auth", "join"]).body(&request).json().await
    }

    /// Waits until a server has said that the agent's token, which this client shows, is to be replaced.
    ///
    /// Cancellation: what was said is told to the next that waits.
    pub async fn credential_is_due(&self) {
        self.due().notified().await;
    }

    /// Gets the agent of a host the successor of its token. This client goes on with the one that it has, which is good until the other
    /// was used: keep the new one first, then [`show`](Self::show) it.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] where it is not to be replaced now, and what any call can fail with.
    pub async fn replace_credential(&self, host: &HostId) -> Result<IssuedToken, ClientError> {
        self.agents_call(Method::POST, &["agents", host.as_str(), "credential"]).json().await
    }

    /// Has the agent of a host replace its token when it calls next.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] where it has none, and what any call can fail with.
    pub async fn rotate_credential(&self, host: &str) -> Result<(), ClientError> {
        self.call(Method::POST, &["hosts", host, "rotate"]).done().await
    }

    /// What was done, the newest first: since a time, and of one person or token; at most so many.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn audit(
        &self,
        since: Option<Timestamp>,
        user: Option<&str>,
        most: usize,
    ) -> Result<Vec<AuditEntry>, ClientError> {
        const PAGE: usize = 500;
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let limit = (most - all.len()).clamp(1, PAGE);
            let mut call = self.audited(since, user, "json").query("limit", &limit.to_string());
            if let Some(cursor) = &cursor {
                call = call.query("cursor", cursor);
            }
            let AuditList { entries, next } = call.json().await?;
            all.extend(entries);
            if all.len() >= most || next.is_none() || next == cursor {
                all.truncate(most);
                return Ok(all);
            }
            cursor = next;
        }
    }

    /// All of it as NDJSON, the oldest first, piece by piece as it comes.
    ///
    /// # Errors
    /// What any call can fail with; a piece that does not come means that it broke off.
    pub async fn audit_lines(
        &self,
        since: Option<Timestamp>,
        user: Option<&str>,
    ) -> Result<impl Stream<Item = Result<Bytes, ClientError>> + use<>, ClientError> {
        let response = self.audited(since, user, "ndjson").deadline(EXPORT).send().await?;
        let url = response.url().path().to_owned();
        Ok(response.bytes_stream().map(move |piece| {
            piece.map_err(|error| ClientError::Unreachable { url: url.clone(), reason: reason(&error) })
        }))
    }

    fn audited(&self, since: Option<Timestamp>, user: Option<&str>, format: &str) -> Call {
        let mut call = self.call(Method::GET, &["audit"]).query("format", format);
        if let Some(since) = since {
            call = call.query("since", &since.to_string());
        }
        if let Some(user) = user {
            call = call.query("user", user);
        }
        call
    }

    /// Everybody who may log in.
    ///
    /// # Errors
    /// What any call can fail with.
    pub async fn users(&self) -> Result<Vec<UserView>, ClientError> {
        self.list::<UserList>(&["users"], &[]).await
    }

    /// Takes somebody on.
    ///
    /// # Errors
    /// [`ClientError::Conflict`] where the name is taken, and what any call can fail with.
    pub async fn create_user(&self, request: &UserRequest) -> Result<UserView, ClientError> {
        self.call(Method::POST, &["users"]).body(request).json().await
    }

    /// Gives somebody another role, or other stacks; open sessions have them from the next request on.
    ///
    /// # Errors
    /// [`ClientError::NotFound`]; [`ClientError::Conflict`] where nobody would be left who can log in as an administrator, and of
    /// oneself; and what any call can fail with.
    pub async fn change_user(&self, user: &str, change: &UserChange) -> Result<UserView, ClientError> {
        self.call(Method::PATCH, &["users", user]).body(change).json().await
    }

    /// Makes a link with which somebody sets a password, once. The password before, every session and every earlier link end. It is
    /// good for a day, or from 15 minutes on as long as told.
    ///
    /// # Errors
    /// As [`change_user`](Self::change_user).
    pub async fn link_user(&self, user: &str, lasts: Option<Duration>) -> Result<IssuedLink, ClientError> {
        let request = LinkRequest { expires_in: lasts.map(|lasts| lasts.as_secs()) };
        self.call(Method::POST, &["users", user, "link"]).body(&request).json().await
    }

    /// Gives somebody another password, and ends every session.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn reset_password(&self, user: &str, password: &str) -> Result<(), ClientError> {
        let request = PasswordRequest { password: password.to_owned(), before: None };
        self.call(Method::PUT, &["users", user, "password"]).body(&request).done().await
    }

    /// Lets somebody go, and ends every session.
    ///
    /// # Errors
    /// [`ClientError::NotFound`], and what any call can fail with.
    pub async fn remove_user(&self, user: &str) -> Result<(), ClientError> {
        self.call(Method::DELETE, &["users", user]).done().await
    }
}
