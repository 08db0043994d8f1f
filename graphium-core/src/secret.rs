//! Secrets: values that are given to the containers that ask for them, and shown nowhere.
//!
//! # Example
//! A sealer for tests: what it "seals" is bound to its label, and open to everybody.
//! ```
//! use graphium_core::secret::{SealError, SecretLabel, SecretSealer, SecretText};
//!
//! #[derive(Debug)]
//! struct Envelope;
//!
//! impl SecretSealer for Envelope {
//!     fn key_id(&self) -> Result<Option<String>, SealError> {
//!         Ok(Some("none".to_owned()))
//!     }
//!     fn make_key(&self) -> Result<String, SealError> {
//!         Err(SealError::Key("an envelope has none".to_owned()))
//!     }
//!     fn seal(&self, label: SecretLabel<'_>, value: &SecretText) -> Result<String, SealError> {
//!         Ok(format!("{}/{}/{}", label.name, label.version, value.reveal()))
//!     }
//!     fn open(&self, label: SecretLabel<'_>, sealed: &str) -> Result<SecretText, SealError> {
//!         let value = sealed.strip_prefix(&format!("{}/{}/", label.name, label.version));
//!         value.map(SecretText::new).ok_or_else(|| SealError::Broken(label.name.to_owned()))
//!     }
//!     fn place(&self) -> String {
//!         "this test".to_owned()
//!     }
//! }
//!
//! let label = SecretLabel { name: "db-password", version: 1, stacks: &[] };
//! let sealed = Envelope.seal(label, &SecretText::new("hunter2"))?;
//! let opened = Envelope.open(label, &sealed)?;
//! assert_eq!(opened.reveal(), "hunter2");
//! assert_eq!(format!("{opened:?}"), "SecretText(…)");
//! // The next value of the secret is another one, and what was sealed for the first does not open as it.
//! let other = Envelope.open(SecretLabel { version: 2, ..label }, &sealed);
//! assert!(matches!(other, Err(SealError::Broken(name)) if name == "db-password"));
//! # Ok::<(), SealError>(())
//! ```

use std::fmt;
use zeroize::Zeroizing;

/// The value of a secret. Whatever writes it out has asked for it by [`reveal`](Self::reveal), and its memory is overwritten when
/// it is no longer needed.
#[derive(Clone)]
pub struct SecretText(Zeroizing<String>);

impl SecretText {
    /// Takes a value over.
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

impl fmt::Debug for SecretText {
    /// Without the value, and without its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// What a sealed value is bound to: it opens as nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SecretLabel<'a> {
    /// The name of the secret.
    pub name: &'a str,
    /// Which of its values, from 1.
    pub version: u64,
    /// The stacks that it is for; none: all.
    pub stacks: &'a [String],
}

/// Seals the values of secrets before they go into a store, and opens what comes out of it. The key lies elsewhere.
pub trait SecretSealer: Send + Sync + fmt::Debug {
    /// The public id of its key; `None`: it has none yet.
    ///
    /// # Errors
    /// [`SealError::Key`] where there is something that is no key, or cannot be read.
    fn key_id(&self) -> Result<Option<String>, SealError>;

    /// Makes a key where there is none, keeps it, and gives its id.
    ///
    /// # Errors
    /// [`SealError::Key`] where none can be made or kept.
    fn make_key(&self) -> Result<String, SealError>;

    /// Seals a value; the text says nothing of it but about how long it is.
    ///
    /// # Errors
    /// [`SealError::Key`].
    fn seal(&self, label: SecretLabel<'_>, value: &SecretText) -> Result<String, SealError>;

    /// Opens what was sealed under the same label with the same key.
    ///
    /// # Errors
    /// [`SealError::Broken`] where it was not, or was changed since.
    fn open(&self, label: SecretLabel<'_>, sealed: &str) -> Result<SecretText, SealError>;

    /// Where its key is kept, for people.
    fn place(&self) -> String;
}

/// Why a secret cannot be sealed or opened. None of it tells a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SealError {
    /// The key cannot be had.
    #[error("the key of the secrets cannot be had: {0}")]
    Key(String),
    /// What is kept is not what was sealed.
    #[error(
        "what the store keeps of the secret `{0}` was not sealed so, with this key: it was changed, or another record was put in its place"
    )]
    Broken(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_not_shown_by_accident() {
        assert_eq!(format!("{:?}", SecretText::new("hunter2")), "SecretText(…)");
    }
}
