//! Who may log in, and logging in.

use super::{Client, ClientError};
use crate::api::wire::{
    Caller, IssuedToken, JoinRequest, LoginRequest, PasswordRequest, SetupRequest, UserList, UserRequest, UserView,
};
use graphium_core::id::HostId;
use reqwest::Method;

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
        let (code, user, password) = (code.to_owned(), user.to_owned(), password.to_owned());
        self.call(Method::POST, &["auth", "setup"]).body(&SetupRequest { code, user, password }).json().await
    }

    /// Gets an agent its credential, for a code that is good once.
    ///
    /// # Errors
    /// [`ClientError::Denied`] where the code is worth nothing, or another host's, and what any call can fail with.
    pub async fn join(&self, code: &str, host: &HostId) -> Result<IssuedToken, ClientError> {
        let request = JoinRequest { code: code.to_owned(), host: host.clone() };
        self.call(Method::POST, &["auth", "join"]).body(&request).json().await
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
