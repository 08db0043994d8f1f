//! Credentials as they are kept.

use crate::{
    id::HostId,
    store::{Document, Kind},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A credential. The token itself is known to its owner alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenRecord {
    /// Its public id: [`TokenRecord::id_of`] its hash.
    #[serde(rename = "@id")]
    pub id: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// For agents: the host that it is bound to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// SHA-256 of the token, in hexadecimal.
    pub hash: String,
    /// When it was made.
    pub date_created: Timestamp,
}

impl TokenRecord {
    /// The public id of the credential whose token has this SHA-256 in hexadecimal.
    pub fn id_of(hash: &str) -> String {
        format!("token-{}", hash.get(..16).unwrap_or(hash))
    }
}

/// What a credential may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Everything.
    Admin,
    /// See.
    Viewer,
    /// Do the work of one host.
    Agent,
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
