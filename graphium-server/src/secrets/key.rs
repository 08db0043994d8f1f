//! The key, in its file.

use crate::auth;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use graphium_core::secret::SealError;
use sha2::{Digest as _, Sha256};
use std::{
    fs,
    io::{self, Read as _},
    path::Path,
};
use zeroize::Zeroizing;

/// Bytes of a key.
const BYTES: usize = 32;
/// No file with a key is longer.
const LONGEST: u64 = 1024;

/// A key; its memory is overwritten when it is no longer needed.
#[derive(Clone)]
pub(super) struct SecretKey(Zeroizing<[u8; BYTES]>);

impl SecretKey {
    pub(super) fn bytes(&self) -> &[u8; BYTES] {
        &self.0
    }

    /// By what it is known: of its hash a part, which says nothing of it.
    pub(super) fn id(&self) -> String {
        let hash = Sha256::new().chain_update(b"graphium secrets key").chain_update(&self.0[..]).finalize();
        hash.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    /// The key of a file; `None` where there is no file.
    pub(super) fn read(path: &Path) -> Result<Option<Self>, SealError> {
        let failed = |error: io::Error| SealError::Key(format!("`{}` cannot be read: {error}", path.display()));
        let file = match fs::File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        restrict(path, &file).map_err(failed)?;
        let mut text = Zeroizing::new(String::new());
        file.take(LONGEST).read_to_string(&mut text).map_err(failed)?;
        let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new).ok();
        let key = bytes.and_then(|bytes| <[u8; BYTES]>::try_from(bytes.as_slice()).ok());
        let key = key.ok_or_else(|| {
            SealError::Key(format!(
                "`{}` holds no key: it is to hold 32 bytes in base64, as a server has made it",
                path.display()
            ))
        })?;
        Ok(Some(Self(Zeroizing::new(key))))
    }

    /// Makes a key and keeps it for its owner alone. One that another has made meanwhile is taken instead.
    pub(super) fn make(path: &Path) -> Result<Self, SealError> {
        let failed = |error: io::Error| SealError::Key(format!("`{}` cannot be written: {error}", path.display()));
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(&mut bytes[..])
            .map_err(|error| SealError::Key(format!("there are no random numbers: {error}")))?;
        let text = Zeroizing::new(STANDARD.encode(&bytes[..]) + "\n");
        match auth::write_private_once(path, &text) {
            Ok(()) => Ok(Self(bytes)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Self::read(path)?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Takes the rights of others away from a file that has more than it should.
#[cfg(unix)]
fn restrict(path: &Path, file: &fs::File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    if mode & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "others could read the key of the secrets; their rights are taken away");
        file.set_permissions(fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn restrict(_: &Path, _: &fs::File) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    #[cfg(unix)]
    #[test]
    fn the_file_is_its_owners_alone_and_is_never_overwritten() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep").join("secrets.key");
        assert!(SecretKey::read(&path).unwrap().is_none());
        let made = SecretKey::make(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(SecretKey::make(&path).unwrap().id(), made.id(), "another start takes what is there");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(SecretKey::read(&path).unwrap().unwrap().id(), made.id());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_is_no_key_is_told_without_its_content_and_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secrets.key");
        for text in ["", "bm8ga2V5", "hunter2 is no base64"] {
            fs::write(&path, text).unwrap();
            let Err(SealError::Key(words)) = SecretKey::read(&path) else { panic!("{text:?} is a key") };
            assert!(words.contains("holds no key") && !words.contains("hunter2"), "{words}");
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
        }
    }
}
