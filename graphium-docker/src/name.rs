//! Names that are safe as part of a request's path.
//!
//! A name may come from a server that the agent has no reason to trust blindly; it must never reach another object
//! of the engine's API than the one it stands for.

use graphium_core::runtime::RuntimeError;

/// The name of a container, network or volume, if it is one by the engine's own rule.
pub(crate) fn checked(name: &str) -> Result<&str, RuntimeError> {
    let mut bytes = name.bytes();
    let begins = bytes.next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    if begins && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte)) {
        Ok(name)
    } else {
        Err(RuntimeError::Refused(format!(
            "`{name}` is no name: letters, digits, `_`, `.`, `-`, a letter or digit first"
        )))
    }
}

/// A reference of an image, split as the engine's pull wants it.
///
/// Without a tag the engine would pull every tag of a repository: `latest` is filled in, as `docker pull` does.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reference<'a> {
    /// The whole, as it was given.
    pub(crate) text: &'a str,
    /// Registry and repository.
    pub(crate) repository: &'a str,
    /// The tag, or the digest where there is one.
    pub(crate) version: &'a str,
}

impl<'a> Reference<'a> {
    /// Splits a reference.
    pub(crate) fn new(text: &'a str) -> Result<Self, RuntimeError> {
        let legal = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@".contains(&byte);
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => (name, Some(digest)),
            None => (text, None),
        };
        // A colon before the last slash belongs to the registry's port.
        let (repository, tag) = match name.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, tag),
            _ => (name, "latest"),
        };
        let version = digest.unwrap_or(tag);
        let parts_are_plain = repository.split('/').all(|part| part.starts_with(|c: char| c.is_ascii_alphanumeric()));
        if text.bytes().all(legal) && parts_are_plain && !version.is_empty() && !version.contains('/') {
            Ok(Self { text, repository, version })
        } else {
            Err(RuntimeError::Refused(format!("`{text}` is no reference of an image")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_place_in_a_path() {
        assert!(checked("shop-web.1_a").is_ok());
        for name in ["", "..", "../images", "a/b", "a?force=1", "a b", "-a", "a%2f"] {
            assert!(checked(name).is_err(), "{name}");
        }
    }

    #[test]
    fn references_are_split_as_docker_splits_them() {
        for (text, repository, version) in [
            ("nginx", "nginx", "latest"),
            ("nginx:alpine", "nginx", "alpine"),
            ("localhost:5000/a/b", "localhost:5000/a/b", "latest"),
            ("localhost:5000/a:1", "localhost:5000/a", "1"),
            ("a@sha256:12", "a", "sha256:12"),
            ("a:1@sha256:12", "a", "sha256:12"),
        ] {
            assert_eq!(Reference::new(text), Ok(Reference { text, repository, version }), "{text}");
        }
        for text in ["", "a:", "../x", "a?b", "a b", "/a", "a//b"] {
            assert!(Reference::new(text).is_err(), "{text}");
        }
    }
}
