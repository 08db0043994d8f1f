//! Work that has ended and is still held: what a store that keeps everything in its ledger may let go of.

use super::{Ledger, Work};
use jiff::Timestamp;
use std::collections::HashSet;

/// Work of which every task has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ended {
    /// Which.
    pub work: Work,
    /// When the last of its tasks ended.
    pub at: Timestamp,
    /// How many tasks it has.
    pub tasks: u64,
}

impl Ledger {
    /// All work that has ended, in the order of the first task of each.
    pub fn ended(&self) -> Vec<Ended> {
        let mut seen = HashSet::new();
        let works = self.tasks(None, None).map(Work::of).filter(|work| seen.insert(work.clone()));
        works.filter_map(|work| self.end_of(work)).collect()
    }

    fn end_of(&self, work: Work) -> Option<Ended> {
        let tasks = match &work {
            Work::Deployment(id) => self.parts.get(id).map(|part| part.tasks.as_slice()).unwrap_or_default(),
            Work::Task(id) => std::slice::from_ref(id),
        };
        let mut at = Timestamp::MIN;
        for task in tasks.iter().filter_map(|id| self.task(id)) {
            if !task.status.is_terminal() {
                return None;
            }
            at = at.max(task.completed_at.unwrap_or(task.date_created));
        }
        let tasks = tasks.len() as u64;
        Some(Ended { work, at, tasks })
    }
}
