//! Copies of a database: made while a server uses it, looked at, and put in its place.

use super::{
    check::{self, Verdict},
    error::store_error,
    file::{self, Lock},
    schema,
};
use crate::open::OpenError;
use jiff::Timestamp;
use rusqlite::Connection;
use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process,
};

/// What becomes of a file that lies where a copy is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and there is no copy.
    Keep,
    /// The copy takes its place.
    Replace,
}

/// Why a copy was not made or not put in place.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CopyError {
    /// A file lies where the copy is to go.
    #[error("`{}` is there already", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// What lies where the copy is to go is a database that a program may have open.
    #[error("`{}` is a database in use, or was left by a crash: `{}` lies beside it", .path.display(), .log.display())]
    Occupied {
        /// The database.
        path: PathBuf,
        /// Its write-ahead log.
        log: PathBuf,
    },
    /// The copy was looked at and is not sound.
    #[error("the copy of `{}` is damaged: {}", .path.display(), .findings.join("; "))]
    Damaged {
        /// What was copied.
        path: PathBuf,
        /// What is wrong.
        findings: Vec<String>,
    },
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// What a restored database replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What is in the database now.
    pub verdict: Verdict,
    /// Where the database from before lies; absent: there was none.
    pub kept: Option<PathBuf>,
}

/// Copies a database as it is at one moment, while others go on writing to it.
///
/// The copy is one file that only its owner can read. It is written beside its place, checked, brought to the disk and then
/// renamed, so that what lies there is always whole.
pub(super) fn backup(database: &Path, to: &Path, existing: Existing) -> Result<Verdict, CopyError> {
    if file::exists(to)? {
        if existing == Existing::Keep {
            return Err(CopyError::Exists { path: to.to_owned() });
        }
        let log = file::beside(to, "-wal");
        if file::exists(&log)? {
            // Were only the database replaced, what its log says would be written over the copy.
            return Err(CopyError::Occupied { path: to.to_owned(), log });
        }
    }
    let part = Part::copy(database, to)?;
    let verdict = part.examine(database)?;
    part.put(to)?;
    Ok(verdict)
}

/// Puts a copy in the place of a database that nobody has open, and keeps that beside it.
///
/// The copy is read in one moment, brought to the present schema and checked before anything is touched.
pub(super) fn restore(database: &Path, from: &Path, now: Timestamp) -> Result<Restored, CopyError> {
    schema::must_exist(from)?;
    let _lock = Lock::take(database)?;
    let part = Part::copy(from, database)?;
    // What an older version has written becomes the present schema here, where it can still be refused.
    drop(schema::writer(&part.path)?);
    let verdict = part.examine(from)?;
    let kept = if file::exists(database)? { Some(set_aside(database, now)?) } else { None };
    part.put(database)?;
    Ok(Restored { verdict, kept })
}

/// Gives a database a second name, with its log, and takes the log from the first: the database under the first name
/// can be replaced in one step then. There is a database under each name at every moment.
fn set_aside(database: &Path, now: Timestamp) -> Result<PathBuf, CopyError> {
    // What the log holds goes into the database where that is possible. One that is damaged is kept with its log as it is.
    if let Ok(connection) = Connection::open(database) {
        let _ = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    let kept = file::beside(database, &format!(".before-restore-{}", now.strftime("%Y%m%dT%H%M%S%.3fZ")));
    fs::hard_link(database, &kept).map_err(file::failed(&kept))?;
    let log = file::beside(database, "-wal");
    if file::exists(&log)? {
        let kept_log = file::beside(&kept, "-wal");
        fs::hard_link(&log, &kept_log).map_err(file::failed(&kept_log))?;
    }
    file::sync_folder(database)?;
    for suffix in ["-wal", "-shm"] {
        file::remove(&file::beside(database, suffix))?;
    }
    Ok(kept)
}

/// A copy on its way to its place; one that does not arrive is removed.
struct Part {
    path: PathBuf,
}

impl Part {
    /// Copies what is in a database at this moment to a file beside `place`.
    fn copy(database: &Path, place: &Path) -> Result<Self, CopyError> {
        let source = schema::existing(database)?;
        schema::refuse_newer(&source, database)?;
        let part = Self { path: file::beside(place, &format!(".{}.part", process::id())) };
        // Left by a process of the same number that was killed.
        part.remove_files()?;
        // SQLite takes an empty file, and leaves it its rights.
        file::create(&part.path)?;
        let target = part.path.to_string_lossy();
        source
            .execute("VACUUM INTO ?", [target.as_ref()])
            .map_err(|error| schema::read_error(database, store_error(&error)))?;
        Ok(part)
    }

    /// What is in it, if it is sound.
    fn examine(&self, source: &Path) -> Result<Verdict, CopyError> {
        let verdict = check::check(&schema::reader(&self.path)?, &self.path)?;
        if verdict.findings.is_empty() {
            return Ok(verdict);
        }
        Err(CopyError::Damaged { path: source.to_owned(), findings: verdict.findings })
    }

    /// Brings it to the disk and renames it.
    fn put(self, place: &Path) -> Result<(), OpenError> {
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(file::failed(&self.path))?;
        fs::rename(&self.path, place).map_err(file::failed(place))?;
        file::sync_folder(place)
    }

    fn remove_files(&self) -> Result<(), OpenError> {
        ["", "-journal", "-wal", "-shm"].iter().try_for_each(|suffix| file::remove(&file::beside(&self.path, suffix)))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // Whoever looks at the folder sees what is left; there is nothing else to do about it here.
        let _ = self.remove_files();
    }
}
