//! The database as a file: private, and open in one process at a time.

use crate::open::OpenError;
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    process,
};

/// The right to open a database: an advisory lock on a file beside it, which ends with the process however it ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    pub(super) fn take(database: &Path) -> Result<Self, OpenError> {
        let path = beside(database, ".lock");
        let failed = |source| OpenError::Io { path: path.clone(), source };
        if let Some(directory) = database.parent() {
            fs::create_dir_all(directory).map_err(failed)?;
        }
        let mut file = private(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { path: database.to_owned(), owner: owner(&mut file) });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // For people only: the lock itself is what counts.
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Refuses a file of something else, before anything in it or beside it is touched.
///
/// By the header of a database (<https://www.sqlite.org/fileformat2.html>, 1.3): the magic, the page size at 16 and the user
/// version at 60, which is ours from the first commit on. Until then there is one page at most, or the commit is in the log.
pub(super) fn refuse_foreign(path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Io { path: path.to_owned(), source };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(failed)?,
    };
    let length = file.metadata().map_err(failed)?.len();
    let mut header = Vec::with_capacity(64);
    file.take(64).read_to_end(&mut header).map_err(failed)?;
    let number = |at: std::ops::Range<usize>| {
        let bytes = header.get(at).unwrap_or_default();
        bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte))
    };
    let is_ours = match header.strip_prefix(b"SQLite format 3\0") {
        None => header.is_empty(),
        Some(_) => {
            let page = if number(16..18) == 1 { 65_536 } else { number(16..18) };
            let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
            number(60..64) > 0 || length <= page || has_log
        }
    };
    if is_ours { Ok(()) } else { Err(OpenError::Foreign { path: path.to_owned() }) }
}

fn owner(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}

/// Makes a file that only its owner can read; SQLite gives the files beside it the same rights.
pub(super) fn create(path: &Path) -> Result<(), OpenError> {
    private(path).map(drop).map_err(|source| OpenError::Io { path: path.to_owned(), source })
}

fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

/// A file whose name begins as that of another.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

/// Brings the names in the folder of a file to the disk.
pub(super) fn sync_folder(path: &Path) -> Result<(), OpenError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| OpenError::Io { path: folder.to_owned(), source })
}

pub(super) fn exists(path: &Path) -> Result<bool, OpenError> {
    path.try_exists().map_err(failed(path))
}

pub(super) fn remove(path: &Path) -> Result<(), OpenError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(path)(error)),
        _ => Ok(()),
    }
}

pub(super) fn failed(path: &Path) -> impl FnOnce(io::Error) -> OpenError {
    let path = path.to_owned();
    move |source| OpenError::Io { path, source }
}
