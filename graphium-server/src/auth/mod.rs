//! Who may ask for what.
//!
//! A credential is a random token; the store has its SHA-256. Its role says what it may do ([`needs`] is the whole table), and a
//! stream ends with its token.

mod admin;
mod gate;
mod lifeline;
pub mod local;
mod policy;
mod private;
mod token;

pub use admin::{AdminTokenError, admin_token};
pub use policy::{Needs, needs};
pub use private::write as write_private;
pub use token::Token;

pub(crate) use gate::{gate, of_hash};
pub(crate) use lifeline::{Cut, Lifeline};

use graphium_core::{control::Role, id::HostId};

/// Who asks.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) role: Role,
    pub(crate) host: Option<HostId>,
    /// For `createdBy`: the token's name, or its public id.
    pub(crate) name: String,
    /// SHA-256 of the token.
    pub(crate) hash: String,
}

/// In the extensions of a request that the page asks within the server: whoever has the token of this hash has shown it before.
/// No request from outside can bear it.
#[derive(Clone)]
pub(crate) struct Known(pub(crate) String);
