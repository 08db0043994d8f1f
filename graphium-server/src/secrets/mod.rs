//! Sealing secrets: the key lies in a file of its own, the sealed values in the store, and neither opens without the other.

mod key;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::{
    Key, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use graphium_core::secret::{SealError, SecretLabel, SecretSealer, SecretText};
use key::SecretKey;
use std::{
    fmt,
    path::PathBuf,
    sync::{Mutex, PoisonError},
};
use zeroize::Zeroizing;

/// The file within the data directory.
pub(crate) const FILE: &str = "secrets.key";
/// Bytes of a nonce: enough of them that random ones never meet.
const NONCE: usize = 24;

/// Seals with XChaCha20-Poly1305 and the key of a file, which is made with the first secret.
pub struct FileSealer {
    path: PathBuf,
    /// The key, once it was read: whatever happens to the file meanwhile, what was read stays.
    key: Mutex<Option<SecretKey>>,
}

impl fmt::Debug for FileSealer {
    /// Without the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileSealer").field("path", &self.path).finish_non_exhaustive()
    }
}

impl FileSealer {
    /// A sealer with the key of that file. Nothing is read yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), key: Mutex::new(None) }
    }

    fn key(&self) -> Result<Option<SecretKey>, SealError> {
        let mut known = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            *known = SecretKey::read(&self.path)?;
        }
        Ok(known.clone())
    }

    fn cipher(&self) -> Result<XChaCha20Poly1305, SealError> {
        let key = self.key()?.ok_or_else(|| SealError::Key(format!("there is none in {}", self.place())))?;
        Ok(XChaCha20Poly1305::new(&Key::from(*key.bytes())))
    }
}

impl SecretSealer for FileSealer {
    fn key_id(&self) -> Result<Option<String>, SealError> {
        Ok(self.key()?.map(|key| key.id()))
    }

    fn make_key(&self) -> Result<String, SealError> {
        if let Some(key) = self.key()? {
            return Ok(key.id());
        }
        let made = SecretKey::make(&self.path)?;
        let id = made.id();
        tracing::info!(path = %self.path.display(), key = id, "the key of the secrets was made; keep a copy of it, apart from those of the store");
        *self.key.lock().unwrap_or_else(PoisonError::into_inner) = Some(made);
        Ok(id)
    }

    fn seal(&self, label: SecretLabel<'_>, value: &SecretText) -> Result<String, SealError> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(|error| SealError::Key(format!("there are no random numbers: {error}")))?;
        let payload = Payload { msg: value.reveal().as_bytes(), aad: &bound_to(label) };
        let sealed = self.cipher()?.encrypt(&XNonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| SealError::Key("it seals nothing".to_owned()))?;
        Ok(STANDARD.encode([&nonce[..], &sealed].concat()))
    }

    fn open(&self, label: SecretLabel<'_>, sealed: &str) -> Result<SecretText, SealError> {
        let broken = || SealError::Broken(label.name.to_owned());
        let bytes = STANDARD.decode(sealed).map_err(|_| broken())?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE>().ok_or_else(broken)?;
        let payload = Payload { msg: sealed, aad: &bound_to(label) };
        let opened = self.cipher()?.decrypt(&XNonce::from(*nonce), payload).map_err(|_| broken())?;
        let opened = Zeroizing::new(opened);
        std::str::from_utf8(&opened).map(SecretText::new).map_err(|_| broken())
    }

    fn place(&self) -> String {
        format!("`{}`", self.path.display())
    }
}

/// What a sealed value is bound to. Every part stands behind its length, so that no two labels look alike.
fn bound_to(label: SecretLabel<'_>) -> Vec<u8> {
    let SecretLabel { name, version, stacks } = label;
    let mut bytes = b"graphium secret 1".to_vec();
    bytes.extend(version.to_be_bytes());
    for part in std::iter::once(name).chain(stacks.iter().map(String::as_str)) {
        bytes.extend((part.len() as u64).to_be_bytes());
        bytes.extend(part.as_bytes());
    }
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    fn sealer() -> (tempfile::TempDir, FileSealer) {
        let folder = tempfile::tempdir().unwrap();
        let sealer = FileSealer::new(folder.path().join("data").join(FILE));
        (folder, sealer)
    }

    const LABEL: SecretLabel<'_> = SecretLabel { name: "db", version: 3, stacks: &[] };

    #[test]
    fn what_is_sealed_opens_with_its_key_and_label_alone() {
        let (_folder, sealer) = sealer();
        assert_eq!(sealer.key_id().unwrap(), None, "looking makes no key");
        let id = sealer.make_key().unwrap();
        assert_eq!(sealer.make_key().unwrap(), id, "and there is one only");
        let sealed = sealer.seal(LABEL, &SecretText::new("hunter2")).unwrap();
        assert_eq!(sealer.open(LABEL, &sealed).unwrap().reveal(), "hunter2");
        assert_ne!(
            sealer.seal(LABEL, &SecretText::new("hunter2")).unwrap(),
            sealed,
            "nobody sees that two are the same"
        );

        let stacks = ["shop".to_owned()];
        for other in [
            SecretLabel { name: "dc", ..LABEL },
            SecretLabel { version: 4, ..LABEL },
            SecretLabel { stacks: &stacks, ..LABEL },
        ] {
            assert_eq!(sealer.open(other, &sealed).unwrap_err(), SealError::Broken(other.name.to_owned()));
        }
    }

    #[test]
    fn a_value_that_was_changed_or_cut_off_opens_as_nothing() {
        let (_folder, sealer) = sealer();
        sealer.make_key().unwrap();
        let sealed = sealer.seal(LABEL, &SecretText::new("hunter2")).unwrap();
        let bytes = STANDARD.decode(&sealed).unwrap();
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(sealer.open(LABEL, &STANDARD.encode(changed)).is_err(), "byte {place}");
            assert!(sealer.open(LABEL, &STANDARD.encode(&bytes[..place])).is_err(), "{place} bytes");
        }
        assert!(sealer.open(LABEL, "no base64").is_err());
    }

    #[test]
    fn another_key_opens_nothing_and_is_known_by_its_id() {
        let (_one, first) = sealer();
        let (_two, second) = sealer();
        assert_ne!(first.make_key().unwrap(), second.make_key().unwrap());
        let sealed = first.seal(LABEL, &SecretText::new("hunter2")).unwrap();
        assert!(second.open(LABEL, &sealed).is_err());
    }

    #[test]
    fn two_servers_with_the_same_file_have_the_same_key() {
        let (folder, sealer) = sealer();
        sealer.make_key().unwrap();
        let sealed = sealer.seal(LABEL, &SecretText::new("hunter2")).unwrap();
        let again = FileSealer::new(folder.path().join("data").join(FILE));
        assert_eq!(again.open(LABEL, &sealed).unwrap().reveal(), "hunter2");
        let shown = format!("{again:?}");
        let text = std::fs::read_to_string(folder.path().join("data").join(FILE)).unwrap();
        assert!(!shown.contains(text.trim()), "{shown}");
    }
}
