//! Pages come out of the write-ahead log into the database, most of them beside the thread that writes.
//!
//! The log begins anew only once all of it has been copied, and to a thread that never rests more is added meanwhile. So another
//! copies what there is when the log is [`SOON`] pages long, and at [`FULL`] the one that writes copies what came since.

use super::{Thread, schema, spawn};
use crate::open::OpenError;
use rusqlite::{Connection, hooks::Wal};
use std::{path::Path, sync::mpsc};

/// Pages of the log.
const SOON: i32 = 4000;
const FULL: i32 = 5000;

/// The thread that helps. It is let go of when the connection that writes has been closed: of two that close at once neither copies
/// what is left.
pub(super) struct Helper {
    _ask: mpsc::SyncSender<()>,
    _thread: Thread,
}

/// Starts the thread that helps a connection that writes: they come in the order in which one must be there before the other.
pub(super) fn start(path: &Path, mut writer: Connection) -> Result<(Helper, Connection), OpenError> {
    let helper = schema::helper(path)?;
    let (ask, asked) = mpsc::sync_channel(1);
    let thread = spawn("store-checkpoint", path, move || {
        for () in asked {
            // What it could not copy, the one that writes will.
            let _ = helper.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    })?;
    let kept = ask.clone();
    let mut is_asked = false;
    let hook = move |log: &mut Wal, pages: i32| {
        if pages >= FULL {
            // Where somebody is at it still, or the disk is full, the log grows until it can be.
            let _ = log.checkpoint();
        } else if pages < SOON {
            is_asked = false;
        } else if !is_asked {
            is_asked = ask.try_send(()).is_ok();
        }
        Ok(())
    };
    writer.wal_hook(Some(hook)).map_err(|error| schema::broken(path, &error))?;
    Ok((Helper { _ask: kept, _thread: Thread(Some(thread)) }, writer))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests::database;
    use std::{
        error::Error,
        fs, thread,
        time::{Duration, Instant},
    };

    const PAGE: u64 = 4096;

    fn length(path: &Path) -> u64 {
        fs::metadata(path).map_or(0, |file| file.len())
    }

    /// Adds a row of about so many pages.
    fn write(connection: &Connection, pages: u64) -> rusqlite::Result<()> {
        connection.execute("INSERT INTO task_bodies (body) VALUES (?)", ["x".repeat((pages * PAGE) as usize)])?;
        Ok(())
    }

    #[test]
    fn most_is_copied_before_the_log_is_full() -> Result<(), Box<dyn Error>> {
        let (_directory, path, connection) = database()?;
        let (_helper, connection) = start(&path, connection)?;
        let before = length(&path);
        for _ in 0..41 {
            write(&connection, 100)?;
        }
        let deadline = Instant::now() + Duration::from_secs(60);
        while length(&path) < before + 3000 * PAGE {
            assert!(Instant::now() < deadline, "nobody has copied what is in the log");
            thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    #[test]
    fn the_log_of_one_who_never_rests_stays_short() -> Result<(), Box<dyn Error>> {
        let (_directory, path, connection) = database()?;
        let (helper, connection) = start(&path, connection)?;
        let log = path.with_extension("db-wal");
        for _ in 0..600 {
            write(&connection, 100)?;
            assert!(length(&log) < 8 * FULL as u64 * PAGE, "{} bytes", length(&log));
        }
        assert!(length(&path) > 40_000 * PAGE);
        drop(connection);
        drop(helper);
        assert_eq!(length(&log), 0, "the file is whole when all have let go of it");
        Ok(())
    }
}
