//! Where a CouchDB is, and who we are to it.

use reqwest::Url;
use std::fmt;

/// The address of a database, with the credentials that open it. A password is in no text that it makes of itself.
#[derive(Clone, PartialEq, Eq)]
pub struct CouchAddress {
    /// `http://host:5984/graphium`, without credentials.
    base: Url,
    user: String,
    password: Option<String>,
}

/// Why a URL names no database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{url}` names no CouchDB: {reason}; write `couchdb://USER:PASSWORD@HOST:5984/DATABASE`")]
pub struct AddressError {
    /// What was given, without its password.
    pub url: String,
    /// What is wrong with it.
    pub reason: String,
}

impl CouchAddress {
    /// Reads `couchdb://user:password@host:5984/database`; user and password may be percent-encoded.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(url: &str) -> Result<Self, AddressError> {
        let wrong = |reason: &str| AddressError { url: crate::open::without_password(url), reason: reason.to_owned() };
        let rest = url.strip_prefix("couchdb://").ok_or_else(|| wrong("it does not begin with `couchdb://`"))?;
        let mut base = Url::parse(&format!("http://{rest}")).map_err(|error| wrong(&error.to_string()))?;
        let user = decoded(base.username()).ok_or_else(|| wrong("its user is not text"))?;
        let password = match base.password().map(decoded) {
            Some(None) => return Err(wrong("its password is not text")),
            Some(Some(password)) => Some(password),
            None => None,
        };
        if base.port().is_none() && !rest.contains(":80/") {
            // A port that is a scheme's own is not kept: CouchDB's own is another.
            base.set_port(Some(5984)).map_err(|()| wrong("it has no host"))?;
        }
        let name = base.path().trim_matches('/').to_owned();
        if !is_database_name(&name) {
            let rule =
                "the name of a database begins with a letter and has lower-case letters, digits and `_$()+-` alone";
            return Err(wrong(rule));
        }
        base.set_path(&name);
        base.set_query(None);
        base.set_fragment(None);
        // An address without a host was refused above: neither can fail.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        Ok(Self { base, user, password })
    }

    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    pub(super) fn credentials(&self) -> Option<(&str, Option<&str>)> {
        (!self.user.is_empty()).then_some((self.user.as_str(), self.password.as_deref()))
    }
}

impl fmt::Display for CouchAddress {
    /// Without credentials.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.base.as_str())
    }
}

impl fmt::Debug for CouchAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CouchAddress").field(&self.base.as_str()).finish()
    }
}

/// CouchDB's own rule.
fn is_database_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$()+-".contains(c))
}

/// Text without percent-encoding, if it is text.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (first, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_its_parts_and_shows_no_password() {
        let address = CouchAddress::parse("couchdb://me:p%40ss%2Fw@db.example:5985/graphium").ok();
        let address = address.as_ref();
        assert_eq!(address.map(ToString::to_string).as_deref(), Some("http://db.example:5985/graphium"));
        assert_eq!(address.and_then(CouchAddress::credentials), Some(("me", Some("p@ss/w"))));
        let shown = format!("{address:?}");
        assert!(!shown.contains("p@ss") && !shown.contains("p%40"), "{shown}");
    }

    #[test]
    fn the_port_is_that_of_couchdb_where_none_is_given() {
        let text = |url| CouchAddress::parse(url).map(|address| address.to_string());
        assert_eq!(text("couchdb://localhost/graphium").as_deref(), Ok("http://localhost:5984/graphium"));
        assert_eq!(text("couchdb://localhost:80/graphium").as_deref(), Ok("http://localhost/graphium"));
    }

    #[test]
    fn what_names_no_database_is_refused_without_its_password() {
        for url in [
            "couchdb://me:secret@host:5984",
            "couchdb://me:secret@host/Upper",
            "couchdb://me:secret@/x",
            "couchdb://me:secret@host:99999/x",
        ] {
            let error = CouchAddress::parse(url).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(error.contains("names no CouchDB") && !error.contains("secret"), "{url}: {error}");
        }
    }
}
