//! No question of every day reads a whole table: SQLite counts the steps that it goes through one without an index.

use super::{
    journal,
    prune::{self, Walk},
    query, schema,
};
use graphium_core::{
    action::Action,
    id::DeploymentId,
    store::{Cut, Expect, Key, Kind, RecordQuery, RecordWrite, Submission, TaskQuery},
    task::{Task, TaskStatus},
};
use jiff::Timestamp;
use rusqlite::{
    Connection, StatementStatus,
    trace::{TraceEvent, TraceEventCodes},
};
use serde_json::json;
use std::{
    error::Error,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

type Checked = Result<(), Box<dyn Error>>;

const NOW: Timestamp = Timestamp::UNIX_EPOCH;

/// Statements that went through a table, with the number of their steps.
type Scans = Arc<Mutex<Vec<(String, i32)>>>;

/// Takes what was found since.
fn scans(found: &Scans) -> Vec<(String, i32)> {
    std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner))
}

/// A connection that tells of scans.
fn watched(path: &Path) -> Result<(Connection, Scans), Box<dyn Error>> {
    let mut connection = schema::reader(path)?;
    let found = Scans::default();
    let told = Arc::clone(&found);
    connection.trace_v2(
        TraceEventCodes::SQLITE_TRACE_PROFILE,
        Some(move |event: TraceEvent<'_>| {
            if let TraceEvent::Profile(statement, _) = event
                && let steps @ 1.. = statement.get_status(StatementStatus::FullscanStep)
            {
                let found = (statement.sql().into_owned(), steps);
                told.lock().unwrap_or_else(PoisonError::into_inner).push(found);
            }
        }),
    )?;
    Ok((connection, found))
}

/// Thirty deployments of ten tasks, of which one is open.
fn fill(path: &Path, connection: &Connection) -> Checked {
    let deployment = |deployment: usize| {
        let id = DeploymentId::new(format!("deployment:{deployment}"));
        let task = |part: usize| Task {
            deployment_id: Some(id.clone()),
            stack_id: Some(format!("stack:{}", deployment % 5).as_str().into()),
            container_id: Some(format!("container-{part}")),
            status: if deployment == 7 { TaskStatus::Pending } else { TaskStatus::Failed },
            ..Task::new(
                format!("task:{deployment:03}.{part}").into(),
                format!("vm{part}").as_str().into(),
                Action::Start { name: "x".to_owned() },
                NOW,
            )
        };
        let write = RecordWrite {
            key: Key::new(Kind::Container, format!("container:{deployment}")),
            expect: Expect::Any,
            stack: Some("stack:1".into()),
            host: Some("vm1".into()),
            body: Some(Arc::new(json!({}))),
        };
        Submission {
            tasks: (0..10).map(task).collect(),
            records: vec![write],
            idempotency_key: Some(format!("key {deployment}")),
            ..Submission::default()
        }
    };
    super::tests::write(path, connection, (0..30).map(deployment).collect())
}

#[test]
fn no_question_of_every_day_goes_through_a_table() -> Checked {
    let (_directory, path, writer) = super::tests::database()?;
    fill(&path, &writer)?;
    let (connection, found) = watched(&path)?;
    let all = TaskQuery { limit: 5, ..TaskQuery::default() };
    let open = vec![TaskStatus::Pending, TaskStatus::Running];
    let queries = [
        TaskQuery { after: Some("task:010.0".into()), ..all.clone() },
        TaskQuery { deployment: Some("deployment:3".into()), ..all.clone() },
        TaskQuery { stack: Some("stack:3".into()), ..all.clone() },
        TaskQuery { host: Some("vm3".into()), ..all.clone() },
        TaskQuery { container: Some("container-3".to_owned()), ..all.clone() },
        TaskQuery { statuses: open.clone(), ..all.clone() },
        TaskQuery { statuses: open, host: Some("vm3".into()), ..all.clone() },
        TaskQuery { statuses: vec![TaskStatus::Failed], ..all.clone() },
        TaskQuery { statuses: vec![TaskStatus::Completed], ..all.clone() },
        all,
    ];
    for one in &queries {
        query::tasks(&connection, one)?;
        assert_eq!(scans(&found), [], "{one:?}");
    }
    let of_kind = RecordQuery { limit: 5, ..RecordQuery::of(Kind::Container) };
    query::records(&connection, &of_kind)?;
    query::records(&connection, &RecordQuery { stack: Some("stack:1".into()), ..of_kind.clone() })?;
    query::records(&connection, &RecordQuery { host: Some("vm1".into()), ..of_kind })?;
    query::stored(&connection, &Key::new(Kind::Container, "container:1"))?;
    query::version(&connection, &Key::new(Kind::Container, "container:1"))?;
    query::task(&connection, &"task:003.4".into())?;
    query::deployment(&connection, &"deployment:3".into())?;
    query::deployment_of(&connection, &"task:003.4".into())?;
    query::submission(&connection, "key 3")?;
    assert_eq!(query::unfinished(&connection)?.len(), 10);
    assert_eq!(query::last_task(&connection)?, Some("task:029.9".into()));
    assert_eq!(journal::events(&connection, 100, 10)?.len(), 10);
    assert_eq!(scans(&found), []);
    Ok(())
}

#[test]
fn the_watch_sees_a_scan() -> Checked {
    let (_directory, path, writer) = super::tests::database()?;
    fill(&path, &writer)?;
    let (connection, found) = watched(&path)?;
    connection.query_row("SELECT count(*) FROM tasks WHERE state LIKE '%nothing%'", [], |_| Ok(()))?;
    assert_eq!(scans(&found).into_iter().map(|(_, steps)| steps).collect::<Vec<_>>(), [299]);
    Ok(())
}

#[test]
fn what_may_go_is_looked_for_in_a_walk_and_not_in_whole_tables() -> Checked {
    let (_directory, path, writer) = super::tests::database()?;
    fill(&path, &writer)?;
    let (connection, found) = watched(&path)?;
    prune::stale(&connection, &Cut { ended_before: NOW, events_before: NOW, ..Cut::nothing() }, Walk::default())?;
    // Of events the first row shows that none is old enough.
    let of_tables: Vec<_> = scans(&found).into_iter().filter(|(_, steps)| *steps > 1).collect();
    assert_eq!(of_tables, []);
    Ok(())
}
