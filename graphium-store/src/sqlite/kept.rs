//! Records that every call asks for (whose token it shows, how its host is), to be had without a thread that reads.
//!
//! What is kept is what was committed last. Before a transaction is committed that writes a record, the thread that writes strikes it out,
//! and until that is over nobody keeps it anew; nor does whoever began to read it before. So what is found here is what would be read, and
//! who has heard that a record was written never finds the one before.

use graphium_core::store::{Key, Kind, Record};
use quick_cache::unsync::Cache;
use std::{
    collections::{HashMap, HashSet},
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Of these kinds: few, asked for often and written rarely.
const KINDS: [Kind; 3] = [Kind::Host, Kind::Token, Kind::User];
/// So many records are kept.
const MOST: usize = 4096;

pub(super) struct Kept(Mutex<State>);

struct State {
    records: Cache<Key, Record>,
    /// What the transaction that is under way writes.
    writing: HashSet<Key>,
    /// Looks that may be kept, by their numbers.
    looks: HashMap<Key, u64>,
    /// Of the last look.
    number: u64,
}

/// What is known of a record.
pub(super) enum Found<'a> {
    Kept(Record),
    /// Nothing; what is read may be kept by the look, where there is one.
    Unknown(Option<Look<'a>>),
}

/// Somebody reads a record: what was committed after the look began is found.
pub(super) struct Look<'a> {
    kept: &'a Kept,
    key: &'a Key,
    number: u64,
}

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(State { records: Cache::new(MOST), writing: HashSet::new(), looks: HashMap::new(), number: 0 }))
    }
}

impl Kept {
    pub(super) fn look<'a>(&'a self, key: &'a Key) -> Found<'a> {
        if !KINDS.contains(&key.kind) {
            return Found::Unknown(None);
        }
        let mut state = self.state();
        if let Some(record) = state.records.get(key) {
            return Found::Kept(record.clone());
        }
        if state.writing.contains(key) {
            return Found::Unknown(None);
        }
        state.number += 1;
        let number = state.number;
        state.looks.insert(key.clone(), number);
        Found::Unknown(Some(Look { kept: self, key, number }))
    }

    /// The version of a record, where it is kept.
    pub(super) fn version(&self, key: &Key) -> Option<u64> {
        let version = || self.state().records.peek(key).map(|record| record.version);
        KINDS.contains(&key.kind).then(version).flatten()
    }

    /// A record is written, by a transaction that is not committed yet.
    pub(super) fn strike(&self, key: &Key) {
        if !KINDS.contains(&key.kind) {
            return;
        }
        let mut state = self.state();
        state.records.remove(key);
        state.looks.remove(key);
        state.writing.insert(key.clone());
    }

    /// The transaction is over, whatever became of it.
    pub(super) fn is_written(&self) {
        self.state().writing.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Look<'_> {
    /// Keeps what was read, unless it is written since.
    pub(super) fn keep(self, record: &Record) {
        let mut state = self.kept.state();
        if state.looks.get(self.key) == Some(&self.number) {
            state.records.insert(self.key.clone(), record.clone());
        }
    }
}

impl Drop for Look<'_> {
    fn drop(&mut self) {
        let mut state = self.kept.state();
        if state.looks.get(self.key) == Some(&self.number) {
            state.looks.remove(self.key);
        }
    }
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::sync::Arc;

    fn token(name: &str) -> Key {
        Key::new(Kind::Token, name)
    }

    fn record(key: &Key, version: u64) -> Record {
        Record { key: key.clone(), version, stack: None, host: None, body: Arc::new(json!({"version": version})) }
    }

    /// A look of a record that is not kept.
    fn look<'a>(kept: &'a Kept, key: &'a Key) -> Option<Look<'a>> {
        match kept.look(key) {
            Found::Unknown(look) => look,
            Found::Kept(record) => panic!("version {} is kept", record.version),
        }
    }

    fn version(kept: &Kept, key: &Key) -> Option<u64> {
        assert!(kept.state().looks.is_empty(), "a look is left behind");
        kept.version(key)
    }

    #[test]
    fn what_was_read_once_is_kept_until_it_is_written() {
        let (kept, key) = (Kept::default(), token("one"));
        look(&kept, &key).unwrap().keep(&record(&key, 1));
        assert!(matches!(kept.look(&key), Found::Kept(found) if found == record(&key, 1)));
        kept.strike(&key);
        assert_eq!(version(&kept, &key), None);
        assert!(look(&kept, &key).is_none(), "it may be read before the commit, and be kept after it");
        kept.is_written();
        look(&kept, &key).unwrap().keep(&record(&key, 2));
        assert_eq!(version(&kept, &key), Some(2));
    }

    #[test]
    fn what_was_read_before_it_was_written_is_not_kept() {
        let (kept, key, other) = (Kept::default(), token("one"), token("two"));
        let (before, of_other) = (look(&kept, &key).unwrap(), look(&kept, &other).unwrap());
        kept.strike(&key);
        kept.is_written();
        before.keep(&record(&key, 1));
        assert_eq!(kept.version(&key), None, "it keeps what was");
        of_other.keep(&record(&other, 7));
        // Nor where somebody else has begun to read it since.
        let (before, after) = (look(&kept, &key).unwrap(), look(&kept, &key).unwrap());
        before.keep(&record(&key, 1));
        assert_eq!(kept.version(&key), None, "the later look may see more");
        after.keep(&record(&key, 2));
        assert_eq!((version(&kept, &key), version(&kept, &other)), (Some(2), Some(7)));
    }

    #[test]
    fn a_look_that_is_given_up_leaves_nothing_behind() {
        let (kept, key) = (Kept::default(), token("one"));
        drop(look(&kept, &key));
        assert_eq!(version(&kept, &key), None);
        assert!(look(&kept, &Key::new(Kind::Stack, "stack:shop")).is_none(), "stacks are not of those that are kept");
    }

    #[test]
    fn they_are_bounded() {
        let kept = Kept::default();
        for number in 0..3 * MOST {
            let key = token(&number.to_string());
            look(&kept, &key).unwrap().keep(&record(&key, 1));
        }
        assert!(kept.state().records.len() <= MOST);
    }
}
