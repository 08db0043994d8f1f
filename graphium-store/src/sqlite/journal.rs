//! Events as rows: those of one transaction share a row, for they come in great numbers and are read in order.

use super::{error::store_error, row};
use graphium_core::{
    event::{Event, EventType},
    store::StoreError,
};
use jiff::Timestamp;
use rusqlite::{Connection, Row, Statement, params};

/// Bytes of a row beyond which the next event begins another: whoever asks for one event reads its row.
const ROW: usize = 64 * 1024;

/// Writes the events of the present transaction.
pub(super) struct Journal<'c> {
    insert: Statement<'c>,
    /// Number of the last event that has a row, in the present transaction too.
    last: u64,
    /// Those that have none yet, a line each.
    waiting: String,
    count: u64,
}

impl<'c> Journal<'c> {
    pub(super) fn new(connection: &'c Connection) -> Result<Self, StoreError> {
        let insert = connection.prepare("INSERT INTO events (first, last, lines) VALUES (?, ?, ?)");
        let insert = insert.map_err(|error| store_error(&error))?;
        Ok(Self { insert, last: last_event(connection)?, waiting: String::new(), count: 0 })
    }

    /// Gives some events, a line each, their numbers and writes them, at the latest with the next [`flush`](Self::flush).
    pub(super) fn push(&mut self, events: &str) -> rusqlite::Result<()> {
        for line in events.split_inclusive('\n') {
            self.waiting.push_str(line);
            self.count += 1;
            if self.waiting.len() >= ROW {
                self.flush()?;
            }
        }
        Ok(())
    }

    pub(super) fn flush(&mut self) -> rusqlite::Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let last = self.last + self.count;
        self.insert.execute(params![self.last + 1, last, self.waiting])?;
        self.go_on_after(last);
        Ok(())
    }

    /// Forgets those that have no row; the next event has the number after `last`.
    pub(super) fn go_on_after(&mut self, last: u64) {
        self.last = last;
        self.count = 0;
        self.waiting.clear();
    }
}

/// The events above a number, in order, as many as asked for.
pub(super) fn events(connection: &Connection, after: u64, size: usize) -> Result<Vec<Event>, StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error);
    // From the row that holds the next event, or the last that holds none above.
    let sql = "SELECT first, lines FROM events
               WHERE first >= coalesce((SELECT max(first) FROM events WHERE first <= ?), 0) ORDER BY first";
    let next = after.saturating_add(1);
    let mut statement = connection.prepare_cached(sql).map_err(failed)?;
    let mut rows = statement.query(params![i64::try_from(next).unwrap_or(i64::MAX)]).map_err(failed)?;
    let mut events = Vec::new();
    while events.len() < size
        && let Some(row) = rows.next().map_err(failed)?
    {
        read(row, next, size, &mut events)?;
    }
    match events.first() {
        Some(first) if first.seq > next => Err(StoreError::Pruned { up_to: first.seq - 1 }),
        _ => Ok(events),
    }
}

/// Adds the events of a row from the number `next` on, until there are `size`.
fn read(row: &Row<'_>, next: u64, size: usize, events: &mut Vec<Event>) -> Result<(), StoreError> {
    let failed = |error: rusqlite::Error| store_error(&error);
    let first: u64 = row.get(0).map_err(failed)?;
    let lines = row.get_ref(1).map_err(failed)?.as_str().map_err(|error| failed(error.into()))?;
    let wanted = (first..).zip(lines.lines()).filter(|(seq, _)| *seq >= next);
    for (seq, line) in wanted.take(size - events.len()) {
        events.push(event(seq, line)?);
    }
    Ok(())
}

/// The event of a line.
pub(super) fn event(seq: u64, line: &str) -> Result<Event, StoreError> {
    let id = seq.to_string();
    let (kind, at, data): (EventType, i64, serde_json::Value) = row::parse("event", &id, line)?;
    let timestamp = Timestamp::from_nanosecond(at.into()).map_err(|error| row::corrupt("event", &id, &error))?;
    Ok(Event { seq, kind, timestamp, data })
}

/// The number of the last event; 0 when there is none.
pub(super) fn last_event(connection: &Connection) -> Result<u64, StoreError> {
    // The last row by its key: `max(last)` would read them all.
    let sql = "SELECT coalesce((SELECT last FROM events ORDER BY first DESC LIMIT 1), 0)";
    connection.query_row(sql, [], |row| row.get(0)).map_err(|error| store_error(&error))
}
