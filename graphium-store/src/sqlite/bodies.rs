//! What records hold, as it was read before.
//!
//! Who plans reads every host, container and stack each time, of which few have changed. A body that was read before is neither
//! fetched nor parsed again, and whoever reads it twice gets the very same value.
//!
//! Of other kinds nothing is remembered: a deployment or a revision is read a few times, and then there is the next.
//!
//! It goes by row and version. A row has each version once, and the thread that writes gives no row the number of one that is gone
//! ([`Rows`]), so what is remembered is never stale. Of each row one version is remembered: nobody asks for those before it.

use super::{error::store_error, row};
use graphium_core::store::{Kind, StoreError};
use quick_cache::{Weighter, sync::Cache};
use rusqlite::Connection;
use serde_json::Value;
use std::sync::Arc;

/// What is read for every plan.
const AGAIN: [Kind; 3] = [Kind::Host, Kind::Container, Kind::Stack];
/// Bytes of text whose values are remembered. They take about seven times as much.
const MOST: u64 = 4 * 1024 * 1024;
/// About so long is the text of a record.
const USUAL: u64 = 1024;

/// A body and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) row: i64,
    pub(super) version: u64,
}

#[derive(Clone)]
struct Body {
    version: u64,
    length: u64,
    value: Arc<Value>,
}

#[derive(Clone)]
struct Length;

impl Weighter<i64, Body> for Length {
    fn weight(&self, _: &i64, body: &Body) -> u64 {
        body.length
    }
}

pub(super) struct Bodies(Cache<i64, Body, Length>);

impl Default for Bodies {
    fn default() -> Self {
        let records = usize::try_from(MOST / USUAL).unwrap_or(usize::MAX);
        Self(Cache::with_weighter(records, MOST, Length))
    }
}

impl Bodies {
    /// The body at a place that was found in the same transaction.
    pub(super) fn read(
        &self,
        connection: &Connection,
        kind: Kind,
        id: &str,
        place: Place,
    ) -> Result<Arc<Value>, StoreError> {
        if let Some(Body { version, value, .. }) = self.0.get(&place.row)
            && version == place.version
        {
            return Ok(value);
        }
        let mut statement = connection
            .prepare_cached("SELECT body FROM records WHERE rowid = ?")
            .map_err(|error| store_error(&error))?;
        let read = statement.query_row([place.row], |found| {
            let text = found.get_ref(0)?.as_str()?;
            let length = text.len().max(1) as u64;
            Ok(row::parse(kind.as_str(), id, text).map(|value| Body { version: place.version, length, value }))
        });
        let body = read.map_err(|error| store_error(&error))??;
        if AGAIN.contains(&kind) {
            self.0.insert(place.row, body.clone());
        }
        Ok(body.value)
    }
}

/// The numbers of rows: none is given twice while the program runs, whatever is deleted.
pub(super) struct Rows(i64);

impl Rows {
    pub(super) fn after_those_of(connection: &Connection) -> rusqlite::Result<Self> {
        connection.query_row("SELECT ifnull(max(rowid), 0) FROM records", [], |row| row.get(0)).map(Self)
    }

    pub(super) fn next(&mut self) -> i64 {
        self.0 += 1;
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(texts: impl IntoIterator<Item = String>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch("CREATE TABLE records (body TEXT)").unwrap();
        for text in texts {
            connection.execute("INSERT INTO records (body) VALUES (?)", [text]).unwrap();
        }
        connection
    }

    fn place(row: i64, version: u64) -> Place {
        Place { row, version }
    }

    #[test]
    fn a_version_is_read_once_and_the_next_anew() {
        let (connection, bodies) = (filled([r#"{"cpu":4}"#.to_owned()]), Bodies::default());
        let read = |version| bodies.read(&connection, Kind::Host, "vm1", place(1, version)).unwrap();
        let first = read(1);
        connection.execute("UPDATE records SET body = ?", [r#"{"cpu":5}"#]).unwrap();
        assert!(Arc::ptr_eq(&first, &read(1)), "it was fetched again");
        assert_eq!(read(2)["cpu"], 5);
        assert_eq!(bodies.0.len(), 1, "a version is remembered that nobody asks for");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_each_time() {
        let (connection, bodies) = (filled(["{".to_owned()]), Bodies::default());
        for _ in 0..2 {
            let failure = bodies.read(&connection, Kind::Host, "vm3", place(1, 1)).unwrap_err().to_string();
            assert!(failure.contains("vm3"), "{failure}");
        }
    }

    #[test]
    fn what_is_read_a_few_times_is_not_remembered() {
        let (connection, bodies) = (filled(["{}".to_owned()]), Bodies::default());
        for kind in Kind::ALL {
            let read = || bodies.read(&connection, kind, "x", place(1, 1)).unwrap();
            let is_remembered = Arc::ptr_eq(&read(), &read());
            assert_eq!(is_remembered, AGAIN.contains(&kind), "{}", kind.as_str());
            bodies.0.clear();
        }
    }

    #[test]
    fn they_are_bounded() {
        let filler = "x".repeat(2000);
        let connection = filled((0..5000).map(|number| format!("\"{filler}{number}\"")));
        let bodies = Bodies::default();
        for row in 1..=5000 {
            bodies.read(&connection, Kind::Stack, "s", place(row, 1)).unwrap();
        }
        assert!(bodies.0.weight() <= MOST, "{}", bodies.0.weight());
        assert!(bodies.0.len() > 1000, "{}", bodies.0.len());
    }
}
