//! Which library makes TLS connections in this program.

/// Sets it, unless somebody has before. Where another part of the program builds `reqwest` with TLS and without a library for it, a client
/// cannot be made before that is said, not even one that speaks no TLS.
pub(crate) fn ready() {
    let _another_is_as_good = rustls::crypto::ring::default_provider().install_default();
}
