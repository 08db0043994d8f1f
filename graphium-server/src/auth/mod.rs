//! Who may ask for what.
//!
//! A credential is a random token; the store has its SHA-256. Its role says what it may do ([`needs`] is the whole table), and a
//! stream ends with its token.

mod admin;
mod gate;
mod lifeline;
pub mod local;
pub(crate) mod password;
mod policy;
mod private;
mod reach;
pub(crate) mod throttle;
mod token;

pub use admin::{AdminTokenError, admin_token, setup_code};
pub use policy::{Needs, needs};
pub use private::write as write_private;
pub(crate) use private::write_once as write_private_once;
pub use token::Token;

pub(crate) use gate::{gate, note_use, of_hash, of_session};
pub(crate) use lifeline::{Cut, Lifeline};

pub(crate) use reach::Reach;

use graphium_core::{
    control::{Role, TokenRecord},
    id::HostId,
};
use std::sync::Arc;

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) role: Role,
    pub(crate) host: Option<HostId>,
    /// For `createdBy`: the token's name, or its public id.
    pub(crate) name: String,
    /// By what the token that lets in what asks is found again while it is worth the same ([`TokenRecord::key`]); of the page the
    /// session's own.
    pub(crate) hash: String,
    /// The person whose session it is.
    pub(crate) user: Option<String>,
    /// The stacks that are reached.
    pub(crate) reach: Reach,
    /// What is kept of the token. Shared: a parked request has several copies of who asks.
    pub(crate) token: Arc<TokenRecord>,
    /// On the page, where it was opened with that token: the session.
    pub(crate) session: Option<Arc<TokenRecord>>,
}

/// In the extensions of a request that the page asks within the server: the hash of a session of the page, whose cookie was shown
/// there. No request from outside can bear it.
#[derive(Clone)]
pub(crate) struct Known(pub(crate) String);

/// The hash of a text that has the form of a token.
pub(crate) fn hash_of(text: &str) -> Option<String> {
    Token::parse(text).map(|token| token.hash())
}
