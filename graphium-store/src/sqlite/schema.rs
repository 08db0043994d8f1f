//! The tables, and how older ones become newer.

use super::error::store_error;
use crate::open::OpenError;
use graphium_core::store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{path::Path, time::Duration};

/// Each leads from the schema of its place in the list to the next; none is ever changed once it was released.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql")];

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 64;

/// Opens the connection that writes, and brings the schema up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let broken = |error: rusqlite::Error| read_error(path, store_error(&error));
    let mut connection = Connection::open(path).map_err(broken)?;
    // A write-ahead log lets readers go on while one writes; only `FULL` keeps every commit when power is lost.
    let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000; \
                 PRAGMA journal_size_limit = 67108864; PRAGMA temp_store = MEMORY;";
    connection.execute_batch(setup).map_err(broken)?;
    prepare(&connection).map_err(broken)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let broken = |error: rusqlite::Error| read_error(path, store_error(&error));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
    prepare(&connection).map_err(broken)?;
    Ok(connection)
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(10))
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let broken = |error: rusqlite::Error| read_error(path, store_error(&error));
    let found: u32 = connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(broken)?;
    let known = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    if found > known {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known });
    }
    for (version, migration) in (1_u32..).zip(MIGRATIONS).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        transaction.execute_batch(migration).map_err(broken)?;
        transaction.pragma_update(None, "user_version", version).map_err(broken)?;
        transaction.commit().map_err(broken)?;
    }
    Ok(())
}

pub(super) fn read_error(path: &Path, source: StoreError) -> OpenError {
    OpenError::Read { path: path.to_owned(), source }
}
