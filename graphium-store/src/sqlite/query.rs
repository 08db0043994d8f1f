//! Questions that a reader answers from what was committed.

use super::{bodies::Bodies, error::store_error, row};
use graphium_core::{
    id::{DeploymentId, TaskId},
    store::{Key, Kind, Page, Record, RecordQuery, Session, StoreError, TaskQuery},
    task::{Task, TaskStatus},
};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params, params_from_iter};

/// What comes out of rows that may hold what cannot be understood.
type Read<T> = rusqlite::Result<Result<T, StoreError>>;

pub(super) fn record(connection: &Connection, bodies: &Bodies, key: &Key) -> Result<Option<Record>, StoreError> {
    let condition = "kind = ? AND id = ?";
    with_bodies(connection, bodies, key.kind, condition, &[&key.kind.as_str(), &key.id]).map(|mut found| found.pop())
}

pub(super) fn records(
    connection: &Connection,
    bodies: &Bodies,
    query: &RecordQuery,
) -> Result<Page<Record>, StoreError> {
    let mut filter = Filter::new("kind = ?", query.kind.as_str());
    filter.and("stack = ?", query.stack.as_ref().map(|id| id.as_str()));
    filter.and("host = ?", query.host.as_ref().map(|id| id.as_str()));
    filter.and("id > ?", query.after.as_deref());
    let size = query.page_size();
    let condition = format!("{} ORDER BY id LIMIT {}", filter.sql, limit(size));
    let records = with_bodies(connection, bodies, query.kind, &condition, &filter.values())?;
    Ok(Page::cut(records.into_iter(), size, |record| record.key.id.clone()))
}

/// Records of a kind, found by all else, and their bodies as they were at the same moment.
fn with_bodies(
    connection: &Connection,
    bodies: &Bodies,
    kind: Kind,
    condition: &str,
    values: &[&dyn ToSql],
) -> Result<Vec<Record>, StoreError> {
    let moment = connection.unchecked_transaction().map_err(|error| store_error(&error))?;
    let sql = format!("SELECT {} FROM records WHERE {condition}", row::RECORD);
    let found = all(&moment, &sql, values, row::record)?;
    found.into_iter().map(|found| found.with(kind, |id, place| bodies.read(&moment, kind, id, place))).collect()
}

pub(super) fn task(connection: &Connection, id: &TaskId) -> Result<Option<Task>, StoreError> {
    let sql = tasks_where("tasks.id = ?");
    one(connection, &sql, &[&id.as_str()], row::task)
}

pub(super) fn tasks(connection: &Connection, query: &TaskQuery) -> Result<Page<Task>, StoreError> {
    let (sql, filter) = listing(query);
    let tasks = all(connection, &sql, &filter.values(), row::task)?;
    Ok(Page::cut(tasks.into_iter(), query.page_size(), |task| task.id.as_str().to_owned()))
}

/// All tasks in the order of their ids: SQLite takes the index that has their hosts and little else.
const WALK: &str = "SELECT key, id AS place FROM tasks";

fn listing(query: &TaskQuery) -> (String, Filter<'_>) {
    let mut filter = Filter::new("tasks.id > ?", query.after.as_ref().map_or("", TaskId::as_str));
    filter.and("deployment = ?", query.deployment.as_ref().map(|id| id.as_str()));
    filter.and("container = ?", query.container.as_deref());
    let is_of_one = filter.values.len() > 1;
    // A stack may have had very many tasks, of which few are open; their index says of what stack they are.
    let is_narrow = is_of_one || query.stack.is_some() && !are_open(&query.statuses);
    let stack = if is_narrow && !is_of_one { "stack = ?" } else { "+stack = ?" };
    filter.and(stack, query.stack.as_ref().map(|id| id.as_str()));
    // What is open and what has failed lie in an index each, which together hold less than what the host ever had.
    let host = if are_mixed(&query.statuses) { "+host = ?" } else { "host = ?" };
    filter.and(host, query.host.as_ref().map(|id| id.as_str()));
    let is_walk = !is_narrow && query.host.is_some() && are_most(&query.statuses);
    let (source, place) = if is_walk {
        let walk = format!("({WALK} WHERE {}) AS walk", filter.take());
        (format!("{walk} CROSS JOIN tasks ON tasks.key = walk.key"), "walk.place")
    } else {
        ("tasks".to_owned(), "tasks.id")
    };
    filter.statuses(&query.statuses, is_narrow);
    // Where an index is not in the order of the ids, they alone are sorted, and not what lies behind them.
    let sql = format!(
        "SELECT {} FROM (SELECT tasks.key FROM {source} WHERE {} ORDER BY {place} LIMIT {}) AS page
         CROSS JOIN tasks ON tasks.key = page.key CROSS JOIN task_bodies ON task_bodies.key = tasks.key
         ORDER BY tasks.id",
        row::TASK,
        filter.sql,
        limit(query.page_size())
    );
    (sql, filter)
}

/// The tasks of a deployment, in the order in which they were submitted.
pub(super) fn deployment(connection: &Connection, id: &DeploymentId) -> Result<Vec<Task>, StoreError> {
    let sql = format!("{} ORDER BY tasks.key", tasks_where("deployment = ?"));
    all(connection, &sql, &[&id.as_str()], row::task)
}

/// Every task of unfinished work: of deployments in which something has not ended, and single ones that have not.
pub(super) fn unfinished(connection: &Connection) -> Result<Vec<Task>, StoreError> {
    let parts = tasks_where("deployment IN (SELECT deployment FROM tasks WHERE open = 1)");
    let single = tasks_where("open = 1 AND deployment IS NULL");
    let mut tasks = all(connection, &format!("{parts} ORDER BY tasks.key"), &[], row::task)?;
    tasks.extend(all(connection, &single, &[], row::task)?);
    Ok(tasks)
}

pub(super) fn sessions(connection: &Connection) -> Result<Vec<Session>, StoreError> {
    all(connection, "SELECT host, epoch, nonce FROM sessions", &[], |row| {
        let host: String = row.get(0)?;
        Ok(Ok(Session { host: host.as_str().into(), epoch: row.get(1)?, nonce: row.get(2)? }))
    })
}

/// The deployment of a task: nothing when there is no such task, `Some(None)` when it has none.
pub(super) fn deployment_of(connection: &Connection, id: &TaskId) -> rusqlite::Result<Option<Option<DeploymentId>>> {
    let mut statement = connection.prepare_cached("SELECT deployment FROM tasks WHERE id = ?")?;
    let row = statement.query_row(params![id.as_str()], |row| row.get::<_, Option<String>>(0)).optional()?;
    Ok(row.map(|deployment| deployment.map(DeploymentId::new)))
}

/// The task with the greatest id.
pub(super) fn last_task(connection: &Connection) -> Result<Option<TaskId>, StoreError> {
    let id: Option<String> =
        connection.query_row("SELECT max(id) FROM tasks", [], |row| row.get(0)).map_err(|error| store_error(&error))?;
    Ok(id.map(TaskId::new))
}

/// The version of a record, if it is there.
pub(super) fn version(connection: &Connection, key: &Key) -> Result<Option<u64>, StoreError> {
    let sql = "SELECT version FROM records WHERE kind = ? AND id = ?";
    one(connection, sql, &[&key.kind.as_str(), &key.id], |row| row.get(0).map(Ok))
}

/// What a submission with an idempotency key led to, if there was one.
pub(super) fn submission(connection: &Connection, key: &str) -> Result<Option<Vec<Key>>, StoreError> {
    let sql = "SELECT keys FROM submissions WHERE key = ?";
    one(connection, sql, &[&key], |row| Ok(row::parse("submission", key, row.get_ref(0)?.as_str()?)))
}

fn tasks_where(condition: &str) -> String {
    format!("SELECT {} FROM tasks JOIN task_bodies ON task_bodies.key = tasks.key WHERE {condition}", row::TASK)
}

/// Whether both tasks that are open and tasks that have failed are wanted, and none that is completed.
fn are_mixed(statuses: &[TaskStatus]) -> bool {
    let wanted = |wanted: fn(&TaskStatus) -> bool| statuses.iter().any(wanted);
    wanted(|status| status.is_terminal())
        && wanted(|status| !status.is_terminal())
        && !statuses.contains(&TaskStatus::Completed)
}

/// Whether what has completed is wanted: the most that there is, and in no index.
fn are_most(statuses: &[TaskStatus]) -> bool {
    statuses.is_empty() || statuses.contains(&TaskStatus::Completed)
}

/// Whether only what is open is wanted.
fn are_open(statuses: &[TaskStatus]) -> bool {
    !statuses.is_empty() && statuses.iter().all(|status| !status.is_terminal())
}

/// Conditions with their values.
struct Filter<'a> {
    sql: String,
    values: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn new(condition: &str, value: &'a str) -> Self {
        Self { sql: condition.to_owned(), values: vec![value] }
    }

    fn and(&mut self, condition: &str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.sql.push_str(" AND ");
            self.sql.push_str(condition);
            self.values.push(value);
        }
    }

    /// The conditions so far, for a query of its own within the query; their values stay first.
    fn take(&mut self) -> String {
        std::mem::replace(&mut self.sql, "TRUE".to_owned())
    }

    /// One of some statuses, in the words of an index where one holds them all; a plus keeps SQLite from an index where a
    /// narrower one serves.
    fn statuses(&mut self, statuses: &[TaskStatus], is_narrow: bool) {
        if statuses.is_empty() {
            return;
        }
        let plus = if is_narrow { "+" } else { "" };
        let names = |wanted: fn(&TaskStatus) -> bool| {
            let names = statuses.iter().filter(|status| wanted(status)).map(|status| format!("'{}'", status.as_str()));
            names.collect::<Vec<_>>().join(", ")
        };
        if are_most(statuses) {
            self.sql.push_str(&format!(" AND {plus}status IN ({})", names(|_| true)));
            return;
        }
        // In the words of the indexes that leave out what is completed.
        let open = names(|status| !status.is_terminal());
        let failed = names(|status| status.is_terminal());
        // Of those that are open all or some.
        let status = match TaskStatus::ALL.iter().all(|status| status.is_terminal() || statuses.contains(status)) {
            true => String::new(),
            false => format!(" AND +status IN ({open})"),
        };
        let open = (!open.is_empty()).then(|| format!("({plus}open = 1{status})"));
        let failed = (!failed.is_empty())
            .then(|| format!("({plus}open = 0 AND status <> 'completed' AND {plus}status IN ({failed}))"));
        let either: Vec<String> = open.into_iter().chain(failed).collect();
        self.sql.push_str(&format!(" AND ({})", either.join(" OR ")));
    }

    fn values(&self) -> Vec<&dyn ToSql> {
        self.values.iter().map(|value| value as &dyn ToSql).collect()
    }
}

/// One more than asked for: whether there is more.
fn limit(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX).saturating_add(1)
}

fn one<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> Read<T>,
) -> Result<Option<T>, StoreError> {
    all(connection, sql, values, read).map(|mut found| found.pop())
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    values: &[&dyn ToSql],
    read: impl FnMut(&Row<'_>) -> Read<T>,
) -> Result<Vec<T>, StoreError> {
    let rows = connection.prepare_cached(sql).and_then(|mut statement| {
        let rows = statement.query_map(params_from_iter(values), read)?;
        rows.collect::<rusqlite::Result<Vec<_>>>()
    });
    rows.map_err(|error| store_error(&error))?.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::schema;

    /// How SQLite would find the tasks.
    fn way(query: &TaskQuery) -> String {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::writer(&directory.path().join("graphium.db")).unwrap();
        let (sql, filter) = listing(query);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let steps = statement.query_map(params_from_iter(filter.values()), |row| row.get::<_, String>(3)).unwrap();
        steps.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    }

    fn columns(index: &str) -> String {
        let directory = tempfile::tempdir().unwrap();
        let connection = schema::writer(&directory.path().join("graphium.db")).unwrap();
        let sql = "SELECT group_concat(name, ', ' ORDER BY seqno) FROM pragma_index_info(?)";
        connection.query_row(sql, [index], |row| row.get(0)).unwrap()
    }

    #[test]
    fn tasks_are_found_by_the_narrowest_index() {
        let uses = |query: &TaskQuery, index: &str| {
            let way = way(query);
            assert!(way.contains(index), "{way}");
        };
        let open = TaskQuery { statuses: vec![TaskStatus::Pending, TaskStatus::Running], ..TaskQuery::default() };
        uses(&open, "tasks_open");
        let of_host = TaskQuery { host: Some("vm1".into()), ..open.clone() };
        uses(&of_host, "tasks_open (open=? AND host=?");
        let all_of_host = TaskQuery { host: Some("vm1".into()), ..TaskQuery::default() };
        let completed_of_host = TaskQuery { statuses: vec![TaskStatus::Completed], ..all_of_host.clone() };
        for query in [all_of_host, completed_of_host] {
            uses(&query, "SEARCH tasks USING COVERING INDEX tasks_in_order (id>?)");
            // The page is sorted once more, what it was taken from never.
            assert_eq!(way(&query).matches("B-TREE").count(), 1, "{}", way(&query));
        }
        uses(&TaskQuery { deployment: Some("deployment:1".into()), ..of_host.clone() }, "tasks_by_deployment");
        let of_stack = TaskQuery { stack: Some("stack:a".into()), ..open.clone() };
        uses(&of_stack, "SEARCH tasks USING INDEX tasks_open (open=?)");
        let every = TaskStatus::ALL.into_iter().filter(|status| !status.is_terminal()).collect();
        uses(&TaskQuery { statuses: every, ..of_stack.clone() }, "SEARCH tasks USING INDEX tasks_open (open=?)");
        assert_eq!(
            columns("tasks_open"),
            "open, host, stack",
            "those of other stacks are passed by without their rows"
        );
        uses(&TaskQuery { host: Some("vm1".into()), ..of_stack.clone() }, "tasks_open (open=? AND host=?");
        uses(&TaskQuery { statuses: Vec::new(), ..of_stack.clone() }, "tasks_by_stack");
        uses(&TaskQuery { statuses: vec![TaskStatus::Failed], ..of_stack.clone() }, "tasks_by_stack");
        uses(&TaskQuery { deployment: Some("deployment:1".into()), ..of_stack }, "tasks_by_deployment");
        let failed = TaskQuery { statuses: vec![TaskStatus::Failed], ..of_host };
        uses(&failed, "COVERING INDEX tasks_failed (status=? AND host=?");
        let both = vec![TaskStatus::Failed, TaskStatus::Cancelled];
        uses(&TaskQuery { statuses: both, ..open.clone() }, "COVERING INDEX tasks_failed (status=?");
        let mixed = vec![TaskStatus::Failed, TaskStatus::Pending];
        let mixed = TaskQuery { statuses: mixed, host: Some("vm1".into()), ..open };
        uses(&mixed, "tasks_failed");
        uses(&mixed, "tasks_open");
    }
}
