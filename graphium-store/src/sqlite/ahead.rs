//! What was decided and may not be on the disk yet.

use graphium_core::{
    id::TaskId,
    store::{Key, ledger::Work},
};
use std::{
    collections::{HashMap, VecDeque},
    hash::Hash,
};

/// What the disk cannot be asked for, each with the number of the write that brings it there.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    /// The version of a record; `None` when it is no more.
    records: Numbered<Key, Option<u64>>,
    /// What an idempotency key led to.
    submissions: Numbered<String, Vec<Key>>,
    /// Work of which something ended, and which may all have.
    ended: Numbered<Work, ()>,
}

impl Ahead {
    pub(super) fn version(&self, key: &Key) -> Option<Option<u64>> {
        self.records.get(key).copied()
    }

    pub(super) fn seen(&self, key: &str) -> Option<&Vec<Key>> {
        self.submissions.values.get(key).map(|(_, keys)| keys)
    }

    pub(super) fn record(&mut self, key: Key, version: Option<u64>, number: u64) {
        self.records.insert(key, version, number);
    }

    pub(super) fn submission(&mut self, key: String, keys: Vec<Key>, number: u64) {
        self.submissions.insert(key, keys, number);
    }

    pub(super) fn ended(&mut self, work: Work, number: u64) {
        self.ended.insert(work, (), number);
    }

    /// Forgets what is on the disk since the write with the number `committed`.
    pub(super) fn forget(&mut self, committed: u64, forget: impl FnMut(&Work)) {
        self.records.forget(committed, |_| {});
        self.submissions.forget(committed, |_| {});
        self.ended.forget(committed, forget);
    }
}

/// Values with the number of the write that changed them last.
#[derive(Debug)]
struct Numbered<K, V> {
    values: HashMap<K, (u64, V)>,
    /// Each change, in order: numbers rise.
    changes: VecDeque<(u64, K)>,
}

impl<K: Clone + Eq + Hash, V> Numbered<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.values.get(key).map(|(_, value)| value)
    }

    fn insert(&mut self, key: K, value: V, number: u64) {
        self.changes.push_back((number, key.clone()));
        self.values.insert(key, (number, value));
    }

    fn forget(&mut self, committed: u64, mut forget: impl FnMut(&K)) {
        while let Some((number, key)) = self.changes.pop_front_if(|(number, _)| *number <= committed) {
            // One that changed again since is still to come.
            if self.values.get(&key).is_some_and(|(last, _)| *last == number) {
                self.values.remove(&key);
                forget(&key);
            }
        }
    }
}

impl<K, V> Default for Numbered<K, V> {
    fn default() -> Self {
        Self { values: HashMap::new(), changes: VecDeque::new() }
    }
}

/// Newest ids that are remembered: new ones come nearly in order, from as many submitters as there are.
const NEWEST: usize = 4096;

/// Tells that a task is new without looking for it: ids grow with time, mostly.
#[derive(Debug, Default)]
pub(super) struct Ids {
    /// Every id that is not among `newest` is at most this.
    floor: Option<TaskId>,
    /// In order.
    newest: VecDeque<TaskId>,
}

impl Ids {
    /// There is none above the given one.
    pub(super) fn above(floor: Option<TaskId>) -> Self {
        Self { floor, newest: VecDeque::new() }
    }

    /// Whether there can be a task with this id.
    pub(super) fn may_be_stored(&self, id: &TaskId) -> bool {
        self.floor.as_ref().is_some_and(|floor| id <= floor) || self.place(id).is_ok()
    }

    pub(super) fn add(&mut self, id: &TaskId) {
        if let Err(place) = self.place(id) {
            self.newest.insert(place, id.clone());
        }
        while self.newest.len() > NEWEST
            && let Some(smallest) = self.newest.pop_front()
        {
            self.floor = self.floor.take().max(Some(smallest));
        }
    }

    /// Where an id is among the newest, or would be: at the end, mostly.
    fn place(&self, id: &TaskId) -> Result<usize, usize> {
        match self.newest.back() {
            Some(last) if last >= id => self.newest.binary_search(id),
            _ => Err(self.newest.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_that_was_stored_is_never_taken_for_a_new_one() {
        let id = |number: usize| TaskId::new(format!("task:{number:06}"));
        let mut ids = Ids::above(Some(id(10)));
        assert!(ids.may_be_stored(&id(10)) && ids.may_be_stored(&id(3)), "the disk is asked");
        assert!(!ids.may_be_stored(&id(11)));
        // Nearly in order, as many submitters bring them.
        let order = (11..3 * NEWEST).map(|number| id(number ^ 1));
        let added: Vec<TaskId> = order.inspect(|id| ids.add(id)).collect();
        assert!(added.iter().all(|id| ids.may_be_stored(id)));
        assert!(!ids.may_be_stored(&id(3 * NEWEST + 1)));
        assert_eq!(ids.newest.len(), NEWEST);
    }

    #[test]
    fn what_changed_again_is_kept_until_that_is_on_the_disk() {
        let key = Key::new(graphium_core::store::Kind::Stack, "stack:shop");
        let mut ahead = Ahead::default();
        ahead.record(key.clone(), Some(1), 5);
        ahead.record(key.clone(), None, 7);
        ahead.forget(6, |_| {});
        assert_eq!(ahead.version(&key), Some(None));
        ahead.forget(7, |_| {});
        assert_eq!(ahead.version(&key), None);
    }
}
