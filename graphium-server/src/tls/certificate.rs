//! The server's certificate: of its own files, or made by itself.

use super::{Pin, provider};
use crate::auth;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use std::{
    fmt, fs, io,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};
use tokio_rustls::TlsAcceptor;

/// A certificate with its key.
#[derive(Clone)]
pub struct Certificate {
    acceptor: TlsAcceptor,
    pin: Pin,
    is_own: bool,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("pin", &self.pin).field("is_own", &self.is_own).finish_non_exhaustive()
    }
}

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// A file cannot be read or written.
    #[error("`{}`: {reason}", .path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Certificate and key do not go together, or cannot be used.
    #[error("certificate and key cannot be used: {0}")]
    Unusable(String),
}

impl Certificate {
    /// The certificate of two files in PEM: the server's first, then those that sign it.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn of_files(certificate: &Path, key: &Path) -> Result<Self, CertificateError> {
        Self::read(certificate, key, false)
    }

    /// The certificate that a server has made for itself, in the folder `tls` of its data; where there is none it is made, for these
    /// names and addresses. It is not meant to be checked by its names, but by its fingerprint.
    ///
    /// # Errors
    /// [`CertificateError`].
    pub fn own(data_dir: &Path, names: &[String], addresses: &[IpAddr]) -> Result<Self, CertificateError> {
        let folder = data_dir.join("tls");
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        if !(certificate.exists() && key.exists()) {
            make(&folder, (&certificate, &key), names, addresses)?;
        }
        Self::read(&certificate, &key, true)
    }

    /// Its fingerprint.
    pub fn pin(&self) -> Pin {
        self.pin
    }

    /// Whether nobody has signed it: then it is known by its fingerprint alone.
    pub fn is_own(&self) -> bool {
        self.is_own
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }

    fn read(certificate: &Path, key: &Path, is_own: bool) -> Result<Self, CertificateError> {
        let wrong = |path: &Path, reason: String| CertificateError::File { path: path.to_owned(), reason };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
            .and_then(Iterator::collect)
            .map_err(|error| wrong(certificate, error.to_string()))?;
        let first = chain.first().ok_or_else(|| wrong(certificate, "there is no certificate in it".to_owned()))?;
        let pin = Pin::of(first);
        let secret = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, error.to_string()))?;
        let unusable = |error: rustls::Error| CertificateError::Unusable(error.to_string());
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_no_client_auth()
            .with_single_cert(chain, secret)
            .map_err(unusable)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), pin, is_own })
    }
}

fn make(
    folder: &Path,
    (certificate, key): (&Path, &Path),
    names: &[String],
    addresses: &[IpAddr],
) -> Result<(), CertificateError> {
    let unusable = |error: rcgen::Error| CertificateError::Unusable(error.to_string());
    let names = names.iter().cloned().chain(addresses.iter().map(ToString::to_string));
    let mut params = CertificateParams::new(names.collect::<Vec<_>>()).map_err(unusable)?;
    params.distinguished_name.push(rcgen::DnType::CommonName, "Graphium");
    // It is known by its fingerprint: an end in between would cut every agent off.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2120, 1, 1);
    let pair = KeyPair::generate().map_err(unusable)?;
    let made = params.self_signed(&pair).map_err(unusable)?;
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: io::Error| CertificateError::File { path, reason: error.to_string() }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    // The key first: a crash between the two leaves no certificate, and both are made anew.
    auth::write_private(key, &pair.serialize_pem()).map_err(failed(key))?;
    auth::write_private(certificate, &made.pem()).map_err(failed(certificate))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_kept() {
        let folder = tempfile::tempdir().unwrap();
        let make =
            || Certificate::own(folder.path(), &["localhost".to_owned()], &["10.0.0.1".parse().unwrap()]).unwrap();
        let first = make();
        assert_eq!(first.pin(), make().pin());
        fs::remove_file(folder.path().join("tls/key.pem")).unwrap();
        assert_ne!(first.pin(), make().pin(), "without its key it is worth nothing");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = fs::metadata(folder.path().join("tls/key.pem")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn files_that_are_no_certificate_say_which_and_why() {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
        let told = || Certificate::of_files(&certificate, &key).unwrap_err().to_string();
        assert!(told().contains("c.pem"), "{}", told());
        fs::write(&certificate, "nothing").unwrap();
        assert!(told().contains("c.pem") && told().contains("no certificate"), "{}", told());
        let other = Certificate::own(&folder.path().join("a"), &["x".to_owned()], &[]).unwrap();
        assert!(other.is_own());
        fs::copy(folder.path().join("a/tls/certificate.pem"), &certificate).unwrap();
        assert!(told().contains("k.pem"), "{}", told());
        let _ = Certificate::own(&folder.path().join("b"), &["x".to_owned()], &[]).unwrap();
        fs::copy(folder.path().join("b/tls/key.pem"), &key).unwrap();
        assert!(told().contains("cannot be used"), "{}", told());
    }
}
