//! What may go: found by a reader, so that nobody waits for the search; decided with everything else, so that nothing goes
//! that has become live meanwhile; deleted in the transaction of the others.

use super::{error::store_error, row};
use graphium_core::{
    id::{DeploymentId, TaskId},
    store::{
        Cut, StoreError,
        ledger::{Ended, Work},
    },
};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde::de::IgnoredAny;
use std::collections::HashSet;

/// Tasks that are looked at in one call at most.
const LOOKS: usize = 5_000;

/// Tasks that go in one call, but for the rest of the last deployment.
const TASKS: u64 = 1_000;

/// Rows of events that are looked at in one call at most; each has some events, or one large one.
const ROWS: usize = 200;

/// Idempotency keys that go in one call at most.
pub(super) const KEYS: usize = 1_000;

/// How far a walk over all tasks has come, of which each call does a part.
#[derive(Debug, Default)]
pub(super) struct Walk {
    /// The last task that was looked at; absent: the next call begins anew.
    after: Option<TaskId>,
    /// By how many tasks there are too many.
    excess: u64,
    /// How many were to be kept when that was counted.
    max_tasks: u64,
}

/// What a reader has found.
#[derive(Debug, Default)]
pub(super) struct Stale {
    pub(super) works: Vec<Ended>,
    pub(super) events: Option<Gone>,
    /// Idempotency keys from before this time, in nanoseconds since 1970.
    pub(super) keys_before: Option<i64>,
    /// Whether there was more to look at.
    pub(super) more: bool,
}

/// Events that go.
#[derive(Clone, Copy, Debug)]
pub(super) struct Gone {
    /// The row of the last of them.
    pub(super) row: u64,
    pub(super) count: u64,
}

impl Stale {
    pub(super) fn is_empty(&self) -> bool {
        self.works.is_empty() && self.events.is_none() && self.keys_before.is_none()
    }
}

/// Looks at what comes next in the walk.
pub(super) fn stale(connection: &Connection, cut: &Cut, walk: Walk) -> Result<(Stale, Walk), StoreError> {
    find(connection, cut, walk).map_err(|error| store_error(&error)).flatten()
}

fn find(connection: &Connection, cut: &Cut, walk: Walk) -> rusqlite::Result<Result<(Stale, Walk), StoreError>> {
    let mut stale = Stale::default();
    let walk = works(connection, cut, walk, &mut stale)?;
    if let Err(failure) = events(connection, cut, &mut stale)? {
        return Ok(Err(failure));
    }
    let before = row::time(cut.ended_before);
    let sql = "SELECT EXISTS (SELECT 1 FROM submissions WHERE at < ?)";
    let are_old: bool = connection.prepare_cached(sql)?.query_row([before], |row| row.get(0))?;
    stale.keys_before = are_old.then_some(before);
    Ok(Ok((stale, walk)))
}

fn works(connection: &Connection, cut: &Cut, mut walk: Walk, stale: &mut Stale) -> rusqlite::Result<Walk> {
    if walk.max_tasks != cut.max_tasks {
        // What was passed by may have to go now.
        walk = Walk { max_tasks: cut.max_tasks, ..Walk::default() };
    }
    if walk.after.is_none() && cut.max_tasks < u64::MAX {
        let count: u64 = connection.query_row("SELECT count(*) FROM tasks", [], |row| row.get(0))?;
        walk.excess = count.saturating_sub(cut.max_tasks);
    }
    let after = walk.after.take().map_or(String::new(), |id| id.as_str().to_owned());
    let mut next =
        connection.prepare_cached("SELECT id, deployment, open FROM tasks WHERE id > ? ORDER BY id LIMIT ?")?;
    let mut rows = next.query(params![after, LOOKS])?;
    let (mut seen, mut looks, mut taken) = (HashSet::new(), 0, 0);
    while let Some(row) = rows.next()? {
        let id = TaskId::new(row.get::<_, String>(0)?);
        let (deployment, is_open): (Option<String>, bool) = (row.get(1)?, row.get(2)?);
        looks += 1;
        let work = match deployment {
            Some(deployment) => Work::Deployment(DeploymentId::new(deployment)),
            None => Work::Task(id.clone()),
        };
        if seen.insert(work.clone())
            && !is_open
            && let Some(ended) = ended(connection, work)?
            && cut.takes(&ended, walk.excess)
        {
            walk.excess = walk.excess.saturating_sub(ended.tasks);
            taken += ended.tasks;
            stale.works.push(ended);
        }
        if looks == LOOKS || taken >= TASKS {
            stale.more = true;
            walk.after = Some(id);
            return Ok(walk);
        }
    }
    Ok(Walk::default())
}

/// When some work ended, if all of it has.
fn ended(connection: &Connection, work: Work) -> rusqlite::Result<Option<Ended>> {
    // A task without that time cannot be; were there one, it would have ended before all others.
    let columns = "SELECT count(*), sum(open), max(coalesce(json_extract(state, '$.completedAt'), 0)) FROM tasks";
    let (sql, id) = match &work {
        Work::Deployment(id) => (format!("{columns} WHERE deployment = ?"), id.as_str()),
        Work::Task(id) => (format!("{columns} WHERE id = ?"), id.as_str()),
    };
    let found = connection.prepare_cached(&sql)?.query_row([id], |row| {
        let (tasks, open): (u64, u64) = (row.get(0)?, row.get(1)?);
        Ok((open == 0).then_some((tasks, row.get::<_, i64>(2)?)))
    })?;
    Ok(found.map(|(tasks, at)| Ended {
        work,
        at: Timestamp::from_nanosecond(at.into()).unwrap_or(Timestamp::MAX),
        tasks,
    }))
}

fn events(connection: &Connection, cut: &Cut, stale: &mut Stale) -> rusqlite::Result<Result<(), StoreError>> {
    let sql = "SELECT last FROM events ORDER BY first DESC LIMIT 1";
    let Some(last) = connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, u64>(0)).optional()? else {
        return Ok(Ok(()));
    };
    let surplus_to = last.saturating_sub(cut.max_events);
    let mut rows = connection.prepare_cached("SELECT first, last, lines FROM events ORDER BY first LIMIT ?")?;
    let mut rows = rows.query([ROWS])?;
    let (mut looks, mut count) = (0, 0);
    while let Some(row) = rows.next()? {
        let (first, end): (u64, u64) = (row.get(0)?, row.get(1)?);
        // The last row stays: the next number is the one after it.
        let goes = end < last
            && (end <= surplus_to || {
                match is_older(end, row.get_ref(2)?.as_str()?, cut.events_before) {
                    Ok(is_older) => is_older,
                    Err(failure) => return Ok(Err(failure)),
                }
            });
        if !goes {
            return Ok(Ok(()));
        }
        looks += 1;
        count += end + 1 - first;
        stale.events = Some(Gone { row: first, count });
    }
    stale.more |= looks == ROWS;
    Ok(Ok(()))
}

/// Whether the last event of a row is older than a time.
fn is_older(seq: u64, lines: &str, time: Timestamp) -> Result<bool, StoreError> {
    let line = lines.lines().next_back().unwrap_or_default();
    let (_, at, _): (IgnoredAny, i64, IgnoredAny) = row::parse("event", &seq.to_string(), line)?;
    Ok(at < row::time(time))
}
