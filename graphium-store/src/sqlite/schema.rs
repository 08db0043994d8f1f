//! The tables, and how older ones become newer.

use super::{error::store_error, file};
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
    migrate(&mut connection, MIGRATIONS, path)?;
    Ok(connection)
}

/// KiB of pages that a reading connection keeps. The kernel keeps the same pages once for all of them.
const READ_PAGES: i64 = 512;

/// Opens a connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let broken = |error: rusqlite::Error| read_error(path, store_error(&error));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(broken)?;
    connection.pragma_update(None, "cache_size", -READ_PAGES).map_err(broken)?;
    prepare(&connection).map_err(broken)?;
    Ok(connection)
}

/// Opens a connection that reads a database which must be there.
pub(super) fn existing(path: &Path) -> Result<Connection, OpenError> {
    must_exist(path)?;
    reader(path)
}

/// Refuses what is not there, and what is plainly something else, before anything is touched.
pub(super) fn must_exist(path: &Path) -> Result<(), OpenError> {
    if file::exists(path)? { file::refuse_foreign(path) } else { Err(OpenError::Missing { path: path.to_owned() }) }
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.busy_timeout(Duration::from_secs(10))
}

/// The newest schema that this version reads.
pub(super) fn known() -> u32 {
    newest(MIGRATIONS)
}

fn newest(migrations: &[&str]) -> u32 {
    u32::try_from(migrations.len()).unwrap_or(u32::MAX)
}

/// The schema of a database, which must be Graphium's and not newer than this version.
pub(super) fn refuse_newer(connection: &Connection, path: &Path) -> Result<u32, OpenError> {
    match version(connection, known(), path)? {
        0 => Err(OpenError::Foreign { path: path.to_owned() }),
        found => Ok(found),
    }
}

fn version(connection: &Connection, known: u32, path: &Path) -> Result<u32, OpenError> {
    let found = connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
    let found = found.map_err(|error| read_error(path, store_error(&error)))?;
    // What is negative was written by something else.
    let found = u32::try_from(found).unwrap_or(0);
    if found > known {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// Goes one version after the other, each in a transaction with its number.
fn migrate(connection: &mut Connection, migrations: &[&str], path: &Path) -> Result<(), OpenError> {
    let broken = |error: rusqlite::Error| read_error(path, store_error(&error));
    let found = version(connection, newest(migrations), path)?;
    for (version, migration) in (1_u32..).zip(migrations).skip(found as usize) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Steps of a made-up history: what was there before goes on under a new name.
    const STEPS: &[&str] = &[
        "CREATE TABLE boats (name TEXT); INSERT INTO boats VALUES ('Argo');",
        "ALTER TABLE boats RENAME TO ships;",
        "ALTER TABLE ships ADD COLUMN oars INTEGER NOT NULL DEFAULT 50;",
    ];

    fn version_of(connection: &Connection) -> u32 {
        connection.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn an_older_schema_becomes_the_present_one_step_by_step_and_keeps_what_it_holds() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, &STEPS[..1], Path::new("old")).unwrap();
        assert_eq!(version_of(&connection), 1);
        migrate(&mut connection, STEPS, Path::new("old")).unwrap();
        assert_eq!(version_of(&connection), 3);
        let row = connection
            .query_row("SELECT name, oars FROM ships", [], |row| Ok((row.get::<_, String>(0)?, row.get::<_, u32>(1)?)));
        assert_eq!(row.unwrap(), ("Argo".to_owned(), 50));
        migrate(&mut connection, STEPS, Path::new("old")).unwrap();
        assert_eq!(version_of(&connection), 3, "what is present already stays as it is");
    }

    #[test]
    fn a_step_that_fails_leaves_the_schema_before_it_whole() {
        let mut connection = Connection::open_in_memory().unwrap();
        let steps = [STEPS[0], STEPS[1], "ALTER TABLE ships ADD COLUMN oars INTEGER; SELECT nothing FROM nowhere;"];
        let refused = migrate(&mut connection, &steps, Path::new("old"));
        assert!(matches!(refused, Err(OpenError::Read { .. })), "{refused:?}");
        assert_eq!(version_of(&connection), 2);
        let columns = connection.query_row("SELECT count(*) FROM pragma_table_info('ships')", [], |row| row.get(0));
        assert_eq!(columns, Ok(1));
    }

    #[test]
    fn a_schema_from_the_future_is_refused_with_both_numbers() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrate(&mut connection, STEPS, Path::new("new")).unwrap();
        let refused = migrate(&mut connection, &STEPS[..2], Path::new("new"));
        assert!(matches!(refused, Err(OpenError::NewerSchema { found: 3, known: 2, .. })), "{refused:?}");
    }
}
