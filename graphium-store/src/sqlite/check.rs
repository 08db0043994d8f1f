//! Whether what is in a database fits together.

use super::{error::store_error, journal, row, schema};
use crate::open::OpenError;
use graphium_core::{
    store::{Key, Kind, StoreError},
    task::Task,
};
use rusqlite::{Connection, Row, Statement};
use serde::Serialize;
use std::path::Path;

/// Findings that are told one by one; of more, the number is.
const TOLD: usize = 20;

/// What was found in a database.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The version of its schema. An older one becomes the present when a server opens it; then only the file is checked.
    pub schema: u32,
    /// How many tasks there are.
    pub tasks: u64,
    /// How many records there are.
    pub records: u64,
    /// The number of the first event that has not been pruned; 0 when there is none.
    pub first_event: u64,
    /// The number of the last event; 0 when there is none.
    pub last_event: u64,
    /// What is wrong, for people. Empty: nothing.
    pub findings: Vec<String>,
}

impl Verdict {
    /// Whether its schema is older than this version's: only the file was looked at, and nothing was counted.
    pub fn is_of_file_alone(&self) -> bool {
        self.schema != schema::known()
    }
}

/// Looks at everything in a database, as it is at one moment.
///
/// # Errors
/// [`OpenError`]: it was written by a newer version, or is not Graphium's, or too damaged to be looked at.
pub(super) fn check(connection: &Connection, path: &Path) -> Result<Verdict, OpenError> {
    let failed = |source: StoreError| schema::read_error(path, source);
    let schema = schema::refuse_newer(connection, path)?;
    let snapshot = connection.unchecked_transaction().map_err(|error| failed(store_error(&error)))?;
    let mut check = Check { connection: &snapshot, verdict: Verdict { schema, ..Verdict::default() }, untold: 0 };
    let looks = [Check::file, Check::tasks, Check::ids, Check::bodies, Check::records, Check::events, Check::rest];
    // Of an older schema the tables are not known.
    let known = if check.verdict.is_of_file_alone() { 1 } else { looks.len() };
    for look in looks.into_iter().take(known) {
        // A damaged file can fail any question; what it says then is one more finding.
        if let Err(failure) = look(&mut check) {
            check.find(failure.to_string());
        }
    }
    if check.untold > 0 {
        check.verdict.findings.push(format!("and {} more", check.untold));
    }
    Ok(check.verdict)
}

struct Check<'c> {
    connection: &'c Connection,
    verdict: Verdict,
    untold: usize,
}

impl Check<'_> {
    fn find(&mut self, finding: String) {
        if self.verdict.findings.len() < TOLD {
            self.verdict.findings.push(finding);
        } else {
            self.untold += 1;
        }
    }

    /// The file itself, in the words of SQLite.
    fn file(&mut self) -> Result<(), StoreError> {
        self.each("PRAGMA integrity_check", |check, row| {
            let text: String = row.get(0)?;
            if text != "ok" {
                check.find(text);
            }
            Ok(())
        })
    }

    /// Each can be read, its columns say what it says, and what it waits for is there.
    fn tasks(&mut self) -> Result<(), StoreError> {
        let connection = self.connection;
        let mut first = prepare(connection, "SELECT deployment FROM tasks WHERE id = ?")?;
        let mut session = prepare(connection, "SELECT epoch FROM sessions WHERE host = ?")?;
        let sql = format!(
            "SELECT {}, host, stack, deployment, container, status, open
             FROM tasks LEFT JOIN task_bodies ON task_bodies.key = tasks.key",
            row::TASK
        );
        self.each(&sql, |check, row| {
            check.verdict.tasks += 1;
            let id: String = row.get(0)?;
            if row.get_ref(1)?.as_str_or_null()?.is_none() {
                check.find(format!("task `{id}`: what was submitted is missing"));
                return Ok(());
            }
            let task = match row::task(row)? {
                Ok(task) => task,
                Err(failure) => {
                    check.find(failure.to_string());
                    return Ok(());
                }
            };
            if !columns_agree(&task, row)? {
                check.find(format!("task `{id}`: its columns say other than its content"));
            }
            for other in &task.depends_on {
                let mut rows = first.query([other.as_str()])?;
                let found = rows.next()?.map(|row| row.get::<_, Option<String>>(0)).transpose()?;
                match found {
                    None => check.find(format!("task `{id}`: `{other}`, which it waits for, is missing")),
                    Some(deployment) if deployment.as_deref() != task.deployment_id.as_ref().map(|id| id.as_str()) => {
                        check.find(format!("task `{id}`: `{other}`, which it waits for, is of another deployment"));
                    }
                    Some(_) => {}
                }
            }
            if let Some(lease) = &task.lease {
                let mut rows = session.query([task.host_id.as_str()])?;
                let epoch: u64 = rows.next()?.map(|row| row.get(0)).transpose()?.unwrap_or(0);
                if lease.epoch > epoch {
                    let host = &task.host_id;
                    check.find(format!("task `{id}`: leased by session {}, and `{host}` has {epoch}", lease.epoch));
                }
            }
            Ok(())
        })
    }

    /// An id is of one task: its index holds only tasks of one host to that.
    fn ids(&mut self) -> Result<(), StoreError> {
        self.each("SELECT id, count(*) FROM tasks GROUP BY id HAVING count(*) > 1", |check, row| {
            check.find(format!("task `{}` is there {} times", row.get::<_, String>(0)?, row.get::<_, u64>(1)?));
            Ok(())
        })
    }

    fn bodies(&mut self) -> Result<(), StoreError> {
        let sql = "SELECT key FROM task_bodies WHERE key NOT IN (SELECT key FROM tasks)";
        self.each(sql, |check, row| {
            check.find(format!("body {} is of no task", row.get::<_, i64>(0)?));
            Ok(())
        })
    }

    fn records(&mut self) -> Result<(), StoreError> {
        self.each("SELECT id, version, kind, body FROM records", |check, row| {
            check.verdict.records += 1;
            let (id, version): (String, i64) = (row.get(0)?, row.get(1)?);
            let name: String = row.get(2)?;
            if version < 1 {
                check.find(format!("{name} `{id}` has version {version}"));
            }
            match Kind::ALL.into_iter().find(|kind| kind.as_str() == name) {
                None => check.find(format!("record `{id}` is of unknown kind `{name}`")),
                Some(kind) => {
                    if let Err(failure) = row::parse::<serde_json::Value>(kind.as_str(), &id, row.get_ref(3)?.as_str()?)
                    {
                        check.find(failure.to_string());
                    }
                }
            }
            Ok(())
        })
    }

    /// Every number from the first to the last is there once, and can be read.
    fn events(&mut self) -> Result<(), StoreError> {
        let mut last: Option<u64> = None;
        self.each("SELECT first, last, lines FROM events ORDER BY first", |check, row| {
            let (first, end): (u64, u64) = (row.get(0)?, row.get(1)?);
            match last {
                None => check.verdict.first_event = first,
                Some(last) if first != last + 1 => {
                    check.find(format!("after event {last} comes event {first}"));
                }
                Some(_) => {}
            }
            let lines = row.get_ref(2)?.as_str()?;
            let count = lines.lines().count() as u64;
            if first + count != end + 1 {
                check.find(format!("events {first} to {end} are {count}"));
            }
            for (seq, line) in (first..).zip(lines.lines()) {
                if let Err(failure) = journal::event(seq, line) {
                    check.find(failure.to_string());
                }
            }
            last = Some(end);
            check.verdict.last_event = end;
            Ok(())
        })
    }

    /// Sessions and idempotency keys.
    fn rest(&mut self) -> Result<(), StoreError> {
        self.each("SELECT host FROM sessions WHERE epoch < 1", |check, row| {
            check.find(format!("the session of `{}` has no epoch", row.get::<_, String>(0)?));
            Ok(())
        })?;
        self.each("SELECT key, keys FROM submissions", |check, row| {
            let key: String = row.get(0)?;
            if let Err(failure) = row::parse::<Vec<Key>>("submission", &key, row.get_ref(1)?.as_str()?) {
                check.find(failure.to_string());
            }
            Ok(())
        })
    }

    fn each(
        &mut self,
        sql: &str,
        mut look: impl FnMut(&mut Self, &Row<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), StoreError> {
        let failed = |error: rusqlite::Error| store_error(&error);
        let mut statement = prepare(self.connection, sql)?;
        let mut rows = statement.query([]).map_err(failed)?;
        while let Some(row) = rows.next().map_err(failed)? {
            look(self, row).map_err(failed)?;
        }
        Ok(())
    }
}

fn prepare<'c>(connection: &'c Connection, sql: &str) -> Result<Statement<'c>, StoreError> {
    connection.prepare(sql).map_err(|error| store_error(&error))
}

fn columns_agree(task: &Task, row: &Row<'_>) -> rusqlite::Result<bool> {
    let text = |column| row.get::<_, Option<String>>(column);
    Ok(text(3)?.as_deref() == Some(task.host_id.as_str())
        && text(4)?.as_deref() == task.stack_id.as_ref().map(|id| id.as_str())
        && text(5)?.as_deref() == task.deployment_id.as_ref().map(|id| id.as_str())
        && text(6)?.as_deref() == task.container_id.as_deref()
        && text(7)?.as_deref() == Some(task.status.as_str())
        && row.get::<_, bool>(8)? != task.status.is_terminal())
}
