//! The tables, and how older ones become newer.

use super::{error::store_error, file};
use crate::open::OpenError;
use graphium_core::store::StoreError;
use rusqlite::{Connection, OpenFlags, TransactionBehavior};
use std::{path::Path, time::Duration};

/// Each leads from the schema of its place in the list to the next; none is ever changed once it was released.
const MIGRATIONS: &[&str] = &[include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];

/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS: usize = 64;

/// Opens the connection that writes, and brings the schema up to date.
pub(super) fn writer(path: &Path) -> Result<Connection, OpenError> {
    let broken = |error: rusqlite::Error| broken(path, &error);
    let mut connection = Connection::open(path).map_err(broken)?;
    // A write-ahead log lets readers go on while one writes; only `FULL` keeps every commit when power is lost.
    let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 67108864; \
                 PRAGMA temp_store = MEMORY;";
    connection.execute_batch(setup).map_err(broken)?;
    prepare(&connection).map_err(broken)?;
    migrate(&mut connection, MIGRATIONS, path)?;
    Ok(connection)
}

/// Opens one more connection that may write, to what the first has made.
pub(super) fn helper(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(|error| broken(path, &error))?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(|error| broken(path, &error))?;
    // That there is a log it only knows once it has read.
    version(&connection, known(), path)?;
    Ok(connection)
}

/// KiB of pages that a reading connection keeps. The kernel keeps the same pages once for all of them.
const READ_PAGES: i64 = 512;

/// Opens a connection that reads.
pub(super) fn reader(path: &Path) -> Result<Connection, OpenError> {
    let broken = |error: rusqlite::Error| broken(path, &error);
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
    let found = found.map_err(|error| broken(path, &error))?;
    // What is negative was written by something else.
    let found = u32::try_from(found).unwrap_or(0);
    if found > known {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found, known });
    }
    Ok(found)
}

/// Goes one version after the other, each in a transaction with its number.
fn migrate(connection: &mut Connection, migrations: &[&str], path: &Path) -> Result<(), OpenError> {
    let broken = |error: rusqlite::Error| broken(path, &error);
    let found = version(connection, newest(migrations), path)?;
    for (version, migration) in (1_u32..).zip(migrations).skip(found as usize) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(broken)?;
        transaction.execute_batch(migration).map_err(broken)?;
        transaction.pragma_update(None, "user_version", version).map_err(broken)?;
        transaction.commit().map_err(broken)?;
    }
    Ok(())
}

pub(super) fn broken(path: &Path, error: &rusqlite::Error) -> OpenError {
    read_error(path, store_error(error))
}

pub(super) fn read_error(path: &Path, source: StoreError) -> OpenError {
    OpenError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Options, SqliteStore};
    use futures::executor::block_on;
    use graphium_core::{
        action::Action,
        store::{ClaimRequest, SessionRequest, Submission, TaskQuery, TaskStore},
        task::{Input, Outcome, Task, TaskResult},
    };
    use jiff::{SignedDuration, Timestamp};

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

    /// A database of the first schema, as text.
    const WRITTEN: &str = include_str!("schema/1_written.sql");

    fn statements(connection: &Connection) -> Vec<String> {
        let mut statement =
            connection.prepare("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name").unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn a_released_schema_never_changes() {
        let mut made = Connection::open_in_memory().unwrap();
        migrate(&mut made, &MIGRATIONS[..1], Path::new("made")).unwrap();
        let written = Connection::open_in_memory().unwrap();
        written.execute_batch(WRITTEN).unwrap();
        assert_eq!(statements(&made), statements(&written), "a released schema never changes: add a migration");
    }

    #[test]
    fn what_was_written_with_the_first_schema_opens_and_goes_on() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("graphium.db");
        Connection::open(&path).unwrap().execute_batch(WRITTEN).unwrap();
        let now = "2026-01-01T00:00:10Z".parse::<Timestamp>().unwrap();
        let store = block_on(SqliteStore::open(&path, Options::at(now))).unwrap();

        let tasks = block_on(store.tasks(&TaskQuery::default())).unwrap().items;
        let stands: Vec<_> = tasks.iter().map(|task| (task.id.as_str(), task.status.as_str(), task.attempt)).collect();
        let expected = [
            ("task:asked", "assigned", 1),
            ("task:completed", "completed", 1),
            ("task:dragged", "cancelled", 0),
            ("task:failed", "failed", 1),
            ("task:held", "assigned", 1),
            ("task:pending", "pending", 0),
            ("task:retried", "pending", 1),
            ("task:running", "running", 1),
            ("task:waiting", "pending", 0),
        ];
        assert_eq!(stands, expected);
        assert_eq!(block_on(store.events(0, 100)).unwrap().len(), 24);

        // Its agent goes on with what it holds; what waits for that, or for its time, comes after it with what is new.
        let claim = |name: &str| {
            let (claim, expires_at) = (name.into(), now + SignedDuration::from_mins(1));
            let request = ClaimRequest { host: "vm1".into(), epoch: 2, claim, max: 9, expires_at, expect: None };
            block_on(store.claim(request, now)).unwrap()
        };
        let ids = |tasks: &[Task]| tasks.iter().map(|task| task.id.as_str().to_owned()).collect::<Vec<_>>();
        let request = SessionRequest { host: "vm1".into(), nonce: "second".to_owned(), seen_epoch: 2 };
        assert_eq!(block_on(store.open_session(request, now)).unwrap().epoch, 2);
        let held = claim("claim:1");
        assert_eq!(ids(&held), ["task:asked", "task:held", "task:running"]);
        let lease = held[1].lease.clone().unwrap();
        let outcome = Outcome::Completed(TaskResult { success: true, ..TaskResult::default() });
        block_on(store.act(&lease.task.clone(), Input::Report { lease, outcome }, now)).unwrap();
        let new = Task::new("task:new".into(), "vm1".into(), Action::Start { name: "shop-new".to_owned() }, now);
        let keyed = Submission { idempotency_key: Some("once".to_owned()), ..Submission::default() };
        assert!(block_on(store.submit(Submission { tasks: vec![new.clone()], ..keyed }, now)).unwrap().repeated);
        block_on(store.submit(Submission { tasks: vec![new], ..Submission::default() }, now)).unwrap();
        assert_eq!(ids(&claim("claim:2")), ["task:retried", "task:waiting", "task:new"]);
        drop(store);

        let verdict = SqliteStore::check(&path).unwrap();
        assert_eq!((verdict.findings, verdict.schema, verdict.tasks), (Vec::new(), known(), 10));
    }
}
