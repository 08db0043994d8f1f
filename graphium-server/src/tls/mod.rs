//! TLS: the server's certificate, and how clients know it.
//!
//! A server has a certificate of its own files, or makes one for itself and keeps it. One that nobody has signed is known by its
//! fingerprint: the code with which an agent joins carries it, and a command line on the server's machine finds it.

mod certificate;
mod pin;

pub use certificate::{Certificate, CertificateError};
pub use pin::{Pin, WrongPin};

pub(crate) use pin::config as pinned;

/// Sets the library that makes TLS connections in this program, unless somebody has before. A client of `reqwest` cannot be made before that is
/// said, not even one that speaks no TLS: a program that makes such clients besides says it first.
pub fn ready() {
    let _another_is_as_good = rustls::crypto::ring::default_provider().install_default();
}

/// Every connection of this program is made by the same library.
pub(crate) fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::ring::default_provider())
}
