//! Bodies of who logs in, and of who may.

use super::TokenView;
use graphium_core::{
    control::{Grants, Role, UserRecord},
    id::HostId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// `POST /auth/login`.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginRequest {
    /// The person's name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// `POST /auth/setup`: the first administrator, or the password of whom a link was made for.
#[derive(Clone, Serialize, Deserialize)]
pub struct SetupRequest {
    /// What the server's first start has printed, or the code of the link.
    pub code: String,
    /// The name to log in with; whom a link was made for has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The password.
    pub password: String,
}

/// `POST /auth/join`: an agent's credential.
#[derive(Clone, Serialize, Deserialize)]
pub struct JoinRequest {
    /// What `graphium host add` has printed.
    pub code: String,
    /// The host that the agent serves.
    pub host: HostId,
}

/// `PUT /auth/password`, `PUT /users/:name/password`.
#[derive(Clone, Serialize, Deserialize)]
pub struct PasswordRequest {
    /// The new one.
    pub password: String,
    /// Of oneself: the one before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
}

/// `POST /users`.
#[derive(Clone, Serialize, Deserialize)]
pub struct UserRequest {
    /// The name to log in with.
    pub user: String,
    /// What the person may do.
    pub role: Role,
    /// The password; without one nobody logs in by that name before a link was made and used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The stacks that it is for, by name or id; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<String>,
}

/// `PATCH /users/:name`: what is not said stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    /// What the person may do from now on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// The stacks that it is for, by name or id; an empty list: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stacks: Option<Vec<String>>,
}

/// `POST /users/:name/link`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LinkRequest {
    /// For how many seconds it is good: from 15 minutes to a day, which it is unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u64>,
}

/// A link with which a person sets a password, once. This answer alone holds it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedLink {
    /// The person.
    pub user: String,
    /// Where the page for it is, at whatever address the server is reached.
    pub path: String,
    /// The same for programs (`POST /auth/setup`).
    pub code: String,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
}

impl fmt::Debug for IssuedLink {
    /// Without what sets a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedLink").field("user", &self.user).field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// A person as others see it: without the password's hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserView {
    /// The name to log in with.
    #[serde(rename = "@id")]
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// When the person was taken on.
    pub date_created: Timestamp,
    /// When the password was set; absent: there is none, and nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set: Option<Timestamp>,
    /// When the person logged in last; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
}

impl From<UserRecord> for UserView {
    fn from(record: UserRecord) -> Self {
        let UserRecord { name, role, stacks, date_created, password_set, last_login, .. } = record;
        Self { name, role, stacks, date_created, password_set, last_login }
    }
}

/// `GET /auth/me`: who asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Caller {
    /// As it stands in `createdBy`.
    pub name: String,
    /// The person whose session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// What may be done.
    pub role: Role,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// Of a person: when the last login was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
    /// Of a person: when the password was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set: Option<Timestamp>,
    /// Of agents: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The token.
    pub token: TokenView,
}
