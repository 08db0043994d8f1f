//! The numbers of tasks, by which the writer finds their rows.

use graphium_core::{id::TaskId, task::Task};
use rusqlite::{Connection, Statement};
use std::collections::HashMap;

/// Numbers of tasks that have not ended: those are changed again. Any other's is looked for.
pub(super) struct Keys<'c> {
    known: HashMap<TaskId, i64>,
    find: Statement<'c>,
}

impl<'c> Keys<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let find = connection.prepare("SELECT key FROM tasks WHERE id = ?")?;
        Ok(Self { known: HashMap::new(), find })
    }

    /// Notes where a task has been written.
    pub(super) fn put(&mut self, task: &Task, key: i64) {
        if task.status.is_terminal() {
            self.known.remove(&task.id);
        } else {
            self.known.insert(task.id.clone(), key);
        }
    }

    /// The number of a task, which must be there.
    pub(super) fn of(&mut self, task: &Task) -> rusqlite::Result<i64> {
        match self.known.get(&task.id) {
            Some(key) => Ok(*key),
            None => self.find.query_row([task.id.as_str()], |row| row.get(0)),
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Forgets all: what was written is taken back.
    pub(super) fn clear(&mut self) {
        self.known.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::tests;
    use graphium_core::{action::Action, store::Submission, task::TaskStatus};
    use jiff::Timestamp;
    use std::error::Error;

    #[test]
    fn numbers_of_what_is_open_are_known_and_all_others_are_looked_for() -> Result<(), Box<dyn Error>> {
        let (_directory, path, connection) = tests::database()?;
        let mut task =
            Task::new("task:1".into(), "vm1".into(), Action::Start { name: "web".to_owned() }, Timestamp::UNIX_EPOCH);
        let mut keys = Keys::new(&connection)?;
        assert!(keys.of(&task).is_err(), "a change that no row would take is not passed over");
        keys.put(&task, 7);
        assert_eq!(keys.of(&task)?, 7);
        tests::write(&path, &connection, vec![Submission { tasks: vec![task.clone()], ..Submission::default() }])?;
        keys.clear();
        assert_eq!(keys.of(&task)?, 1, "what was taken back is not known");
        keys.put(&task, 1);
        task.status = TaskStatus::Completed;
        keys.put(&task, 1);
        assert!(keys.is_empty(), "as many are known as are open");
        assert_eq!(keys.of(&task)?, 1);
        Ok(())
    }
}
