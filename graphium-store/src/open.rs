//! From a URL to a store.

use crate::sqlite::SqliteStore;
use graphium_core::store::{MemoryStore, StoreError, TaskStore};
use jiff::Timestamp;
use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// The forms of a store's URL, for people.
const KNOWN: &[&str] = &[
    "`sqlite:PATH`",
    #[cfg(feature = "couchdb")]
    "`couchdb://USER:PASSWORD@HOST:5984/DATABASE`",
    "`memory:`",
    #[cfg(feature = "http")]
    "`http://TOKEN@HOST:PORT`",
];

/// A path alone was probably meant as one.
fn near(url: &str) -> String {
    let is_path = !url.is_empty() && !url.contains([':', '@']);
    if is_path { format!("did you mean `sqlite:{url}`? ") } else { String::new() }
}

/// How a store is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// The time at which it is opened.
    pub now: Timestamp,
    /// How long every lease lasts from then at least: while the store was closed nobody could renew.
    pub grace: Duration,
}

impl Options {
    /// Opened at the given time, with a minute of grace.
    pub fn at(now: Timestamp) -> Self {
        Self { now, grace: Duration::from_secs(60) }
    }
}

/// Why a store cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// The URL is of no known form.
    #[error("`{url}` is no store; {near}a store is one of {known}", near = near(url), known = KNOWN.join(", "))]
    UnknownScheme {
        /// What was given; a password in it is not shown.
        url: String,
    },
    /// The URL is not the address of a server.
    #[error("`{url}` is not the address of a server: {reason}; write it like `http://TOKEN@localhost:8095`")]
    Address {
        /// What was given; a token in it is not shown.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Another process has it open.
    #[error("`{}` is in use by {owner}: two servers cannot share one SQLite file", .path.display())]
    InUse {
        /// The database.
        path: PathBuf,
        /// `process 4711`, as far as it is known.
        owner: String,
    },
    /// A newer version of Graphium has written it.
    #[error(
        "`{}` was written by a newer version of Graphium (its schema is {found}, this one knows up to {known}): \
         upgrade Graphium, or restore a backup from before",
        .path.display()
    )]
    NewerSchema {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that is known.
        known: u32,
    },
    /// There is none, and none is to be made.
    #[error("there is no database at `{}`", .path.display())]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// It is a file, and not a database of Graphium's.
    #[error("`{}` is empty or belongs to another program", .path.display())]
    Foreign {
        /// The database.
        path: PathBuf,
    },
    /// The file cannot be used.
    #[error("`{}` cannot be opened", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The URL names no database of a CouchDB.
    #[cfg(feature = "couchdb")]
    #[error(transparent)]
    CouchAddress(#[from] crate::couch::AddressError),
    /// A database of a CouchDB cannot be used.
    #[cfg(feature = "couchdb")]
    #[error("the CouchDB database `{place}` cannot be opened")]
    Couch {
        /// The database, without credentials.
        place: String,
        /// Why.
        #[source]
        source: StoreError,
    },
    /// What is in it cannot be read.
    #[error("`{}` cannot be read", .path.display())]
    Read {
        /// The database.
        path: PathBuf,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// Opens the store that a URL names, and makes it where there is none.
///
/// # Errors
/// [`OpenError`].
pub async fn open(url: &str, options: Options) -> Result<Arc<dyn TaskStore>, OpenError> {
    if let Some(path) = sqlite_path(url) {
        return Ok(Arc::new(SqliteStore::open(path, options).await?));
    }
    match url.split_once(':') {
        Some(("memory", _)) => Ok(Arc::new(MemoryStore::new())),
        #[cfg(feature = "couchdb")]
        Some(("couchdb", _)) => {
            let address = crate::couch::CouchAddress::parse(url)?;
            Ok(Arc::new(crate::couch::CouchStore::open(address, options).await?))
        }
        #[cfg(feature = "http")]
        Some(("http" | "https", _)) => Ok(Arc::new(crate::HttpStore::open(url)?)),
        _ => Err(OpenError::UnknownScheme { url: without_password(url) }),
    }
}

/// The file of a `sqlite:` URL; nothing for a store of another kind.
pub fn sqlite_path(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite:")?;
    // `sqlite:///var/lib/x` is `sqlite:/var/lib/x`.
    let path = path.strip_prefix("//").unwrap_or(path);
    (!path.is_empty()).then_some(Path::new(path))
}

/// A store's URL for people: without the user, password or token in it.
pub fn without_password(url: &str) -> String {
    match (url.split_once(':'), url.rsplit_once('@')) {
        (Some((scheme, rest)), Some((_, host))) => {
            format!("{scheme}:{}…@{host}", if rest.starts_with("//") { "//" } else { "" })
        }
        (None, Some((_, host))) => format!("…@{host}"),
        _ => url.to_owned(),
    }
}
