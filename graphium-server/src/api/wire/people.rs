//! Bodies of who logs in, and of who may.

use super::TokenView;
use graphium_core::{
    control::{Grants, Role, UserRecord},
    id::HostId,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// `POST /auth/login`.
#[derive(Clone, Serialize, Deserialize)]
pub struct LoginRequest {
    /// The person's name.
    pub user: String,
    /// The password.
    pub password: String,
}

/// `POST /auth/setup`: the first administrator.
#[derive(Clone, Serialize, Deserialize)]
pub struct SetupRequest {
    /// What the server's first start has printed.
    pub code: String,
    /// The name to log in with.
    pub user: String,
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
    /// The password.
    pub password: String,
    /// The stacks that it is for, by name or id; none: all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stacks: Vec<String>,
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
    /// When the password was set.
    pub password_set: Timestamp,
    /// When the person logged in last; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
}

impl From<UserRecord> for UserView {
    fn from(record: UserRecord) -> Self {
        let UserRecord { name, role, stacks, date_created, password_set, last_login, password: _ } = record;
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
    /// Of agents: the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The token.
    pub token: TokenView,
}
