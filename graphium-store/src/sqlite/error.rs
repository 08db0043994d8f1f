//! From SQLite's errors to those of the store, once.

use graphium_core::store::StoreError;
use rusqlite::{Error, ErrorCode, ffi};

/// What an error of SQLite means to a caller.
pub(super) fn store_error(error: &Error) -> StoreError {
    let text = error.to_string();
    match error {
        Error::SqliteFailure(failure, _) if failure.code == ErrorCode::DiskFull => StoreError::Full(text),
        // The shared memory file of the write-ahead log could not grow.
        Error::SqliteFailure(failure, _) if failure.extended_code == ffi::SQLITE_IOERR_SHMSIZE => {
            StoreError::Full(text)
        }
        Error::QueryReturnedNoRows => {
            StoreError::Unavailable("a row that must be there is missing: `graphium store check` says more".to_owned())
        }
        _ => StoreError::Unavailable(text),
    }
}
