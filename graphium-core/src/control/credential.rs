//! Credentials and people as they are kept.

use crate::{
    id::HostId,
    store::{Document, Kind},
};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A credential. The token itself is known to its owner alone.
///
/// # Example
/// ```
/// use graphium_core::control::{Control, ControlError, Grants, Purpose, Redeemed, Role, Settings, TokenRecord, UserRecord};
/// use graphium_core::{environment::Environment, event::NoSink, store::MemoryStore, testing::ManualEnvironment};
/// use std::sync::Arc;
///
/// let grants = Grants::of(["shop".to_owned()]);
/// assert!(grants.include("stack:shop", "shop") && !grants.include("stack:blog", "blog"));
///
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
///     let now = world.now();
///
///     // A code that lets one person in, once.
///     let code = TokenRecord { purpose: Purpose::Setup, ..TokenRecord::new("5e1f", Role::Admin, now) };
///     control.issue_token(code).await?;
///     let alice = UserRecord { stacks: grants, ..UserRecord::new("alice", Role::Operator, now) };
///     control.redeem("5e1f", Purpose::Setup, Redeemed::User(alice)).await?;
///     assert_eq!(control.user("alice").await?.unwrap().role.to_string(), "operator");
///     let bob = Redeemed::User(UserRecord::new("bob", Role::Admin, now));
///     assert!(control.redeem("5e1f", Purpose::Setup, bob).await.is_err(), "it was good once");
///
///     // A token is found by its hash until it is revoked.
///     control.issue_token(TokenRecord::new("77aa", Role::Viewer, now)).await?;
///     assert!(control.token_by_hash("77aa").await?.is_some());
///     control.revoke_token(&TokenRecord::id_of("77aa")).await?;
///     assert!(control.token_by_hash("77aa").await?.is_none());
///     Ok::<(), ControlError>(())
/// })?;
/// # Ok::<(), ControlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// Its public id: [`TokenRecord::id_of`] its hash.
    #[serde(rename = "@id")]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do; of a session of a person what that person may, whatever stands here.
    pub role: Role,
    /// For agents: the host that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// What it is good for.
    #[serde(default, skip_serializing_if = "Purpose::is_access")]
    pub purpose: Purpose,
    /// The person whose session it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Of a session of the page that was opened with a token: the public id of that one, with which it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opened_by: Option<String>,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// When it was made.
    pub date_created: Timestamp,
    /// From when on it is worth nothing; absent: it lasts until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// When it was used last, to some minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used: Option<Timestamp>,
    /// Of agents: the public id of the one whose place it takes, as long as it was not used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Of agents: whether it is to give way to another at the next call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rotate: bool,
    /// Of agents: whether another has taken its place, and was used.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_replaced: bool,
}

impl TokenRecord {
    /// By what it is found while it is worth what it is now ([`Control::token_by_hash`](super::Control::token_by_hash)): its hash, and of
    /// a person's how often that person's rights have changed.
    pub fn key(&self, user: Option<&UserRecord>) -> String {
        user.map_or_else(|| self.hash.clone(), |user| format!("{}+{}", self.hash, user.rights))
    }

    /// How long a session of the page lasts that is not used.
    pub const PAGE_IDLE: SignedDuration = SignedDuration::from_hours(12);
    /// How long a session of the page lasts at most.
    pub const PAGE_LONGEST: SignedDuration = SignedDuration::from_hours(7 * 24);

    /// A credential of that role whose token has this SHA-256 in hexadecimal: for everything, and until it is revoked.
    pub fn new(hash: impl Into<String>, role: Role, now: Timestamp) -> Self {
        let hash = hash.into();
        Self {
            id: Self::id_of(&hash),
            name: None,
            role,
            host: None,
            stacks: Grants::default(),
            purpose: Purpose::default(),
            user: None,
            opened_by: None,
            hash,
            date_created: now,
            expires: None,
            last_used: None,
            replaces: None,
            rotate: false,
            is_replaced: false,
        }
    }

    /// The public id of the credential whose token has this SHA-256 in hexadecimal.
    pub fn id_of(hash: &str) -> String {
        format!("token-{}", hash.get(..16).unwrap_or(hash))
    }

    /// Whether it is worth nothing any more: its time is over, or it is a session of the page that nobody uses.
    pub fn has_expired(&self, now: Timestamp) -> bool {
        let is_idle = self.purpose == Purpose::Page && now.duration_since(self.used_or_made()) >= Self::PAGE_IDLE;
        is_idle || self.expires.is_some_and(|expires| expires <= now)
    }

    /// When it was used last, as far as that is known; else when it was made.
    pub(super) fn used_or_made(&self) -> Timestamp {
        self.last_used.unwrap_or(self.date_created)
    }
}

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// See, and deploy, change and remove stacks.
    Operator,
    /// See.
    Viewer,
    /// Do the work of one host.
    Agent,
}

impl Role {
    /// The name as it is written in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
            Self::Viewer => "viewer",
            Self::Agent => "agent",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a credential is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Purpose {
    /// Requests.
    #[default]
    Access,
    /// To make the first administrator, once.
    Setup,
    /// To get the credential of an agent for its host, once.
    Join,
    /// The page in a browser, for whoever has logged in there.
    Page,
    /// To set the password of a person, once.
    Password,
}

impl Purpose {
    fn is_access(&self) -> bool {
        *self == Self::Access
    }
}

/// The stacks that somebody may see or change.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(Vec<String>);

impl Grants {
    /// All stacks.
    pub fn all() -> Self {
        Self::default()
    }

    /// These stacks, each by its `@id` or its name; none: all.
    pub fn of(stacks: impl IntoIterator<Item = String>) -> Self {
        let mut stacks: Vec<_> = stacks.into_iter().collect();
        stacks.sort();
        stacks.dedup();
        Self(stacks)
    }

    /// Whether they are for every stack.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether they are for a stack of that `@id` and name.
    pub fn include(&self, id: &str, name: &str) -> bool {
        self.are_all() || self.0.iter().any(|stack| stack == id || stack == name)
    }

    /// The stacks, by `@id` or name; none where they are for all.
    pub fn stacks(&self) -> &[String] {
        &self.0
    }
}

/// A person who may log in. The password itself is known to nobody else.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRecord {
    /// The name with which the person logs in.
    #[serde(rename = "@id")]
    pub name: String,
    /// What the person may do; never [`Role::Agent`].
    pub role: Role,
    /// The stacks that it is for; none: all.
    #[serde(default, skip_serializing_if = "Grants::are_all")]
    pub stacks: Grants,
    /// How often `role` or `stacks` have changed: what waits with older rights ends.
    #[serde(default)]
    pub rights: u64,
    /// The password's hash, as a PHC string; absent: none was set yet, or it was taken away, and nobody logs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// When the record was made.
    pub date_created: Timestamp,
    /// When the password was set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_set: Option<Timestamp>,
    /// When the person logged in last; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_login: Option<Timestamp>,
}

impl UserRecord {
    /// Somebody of a role, for all stacks, who has no password yet.
    pub fn new(name: impl Into<String>, role: Role, now: Timestamp) -> Self {
        Self {
            name: name.into(),
            role,
            stacks: Grants::default(),
            rights: 0,
            password: None,
            date_created: now,
            password_set: None,
            last_login: None,
        }
    }

    /// Whether it is an administrator who can log in.
    pub(super) fn is_able_administrator(&self) -> bool {
        self.role == Role::Admin && self.password.is_some()
    }
}

impl fmt::Debug for UserRecord {
    /// Without the password's hash.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UserRecord")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("stacks", &self.stacks)
            .finish_non_exhaustive()
    }
}

impl Document for TokenRecord {
    const KIND: Kind = Kind::Token;
    fn id(&self) -> String {
        self.id.clone()
    }
    fn host(&self) -> Option<HostId> {
        self.host.clone()
    }
}

impl Document for UserRecord {
    const KIND: Kind = Kind::User;
    fn id(&self) -> String {
        self.name.clone()
    }
}
