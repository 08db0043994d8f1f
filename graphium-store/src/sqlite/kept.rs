//! Records that were read last, as text: who a token is and how a host is are asked with every call, and mostly nothing has changed.

use super::row;
use graphium_core::{
    id::{HostId, StackId},
    store::{Key, Record, StoreError},
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many bytes of ids and bodies are kept at most, and of one record.
const MOST: usize = 4 * 1024 * 1024;
const LARGEST: usize = 4 * 1024;

/// A record as it is stored.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) version: u64,
    pub(super) stack: Option<StackId>,
    pub(super) host: Option<HostId>,
    pub(super) body: Box<str>,
}

impl Stored {
    pub(super) fn record(&self, key: &Key) -> Result<Record, StoreError> {
        let body = row::parse(key.kind.as_str(), &key.id, &self.body)?;
        Ok(Record { key: key.clone(), version: self.version, stack: self.stack.clone(), host: self.host.clone(), body })
    }
}

/// What was read last and has not changed since. A record leaves before a change of it is committed, and what was read before a commit
/// does not come in after it: so nobody sees what is older than what somebody has seen already.
#[derive(Debug, Default)]
pub(super) struct Kept(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    young: HashMap<Key, Arc<Stored>>,
    /// Those of before `young` was full: what is not asked for again goes with them.
    old: HashMap<Key, Arc<Stored>>,
    /// In `young`.
    bytes: usize,
    /// Rises with each change of a record.
    changes: u64,
    /// Changes are on their way to the disk: what is read now may be from before or after them.
    is_changing: bool,
}

impl Kept {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Stored>> {
        let mut state = self.state();
        if let Some(found) = state.young.get(key) {
            return Some(Arc::clone(found));
        }
        let (key, found) = state.old.remove_entry(key)?;
        state.insert(key, Arc::clone(&found));
        Some(found)
    }

    /// To be taken before something is read that is to be kept.
    pub(super) fn mark(&self) -> u64 {
        self.state().changes
    }

    /// Keeps what was read since a mark, unless something changes.
    pub(super) fn keep(&self, mark: u64, key: &Key, stored: &Arc<Stored>) {
        let mut state = self.state();
        if state.changes == mark && !state.is_changing && size(key, stored) <= LARGEST {
            state.insert(key.clone(), Arc::clone(stored));
        }
    }

    /// A record is to be another one, in the transaction that is open.
    pub(super) fn changes(&self, key: &Key) {
        let mut state = self.state();
        if let Some(gone) = state.young.remove(key) {
            state.bytes -= size(key, &gone);
        }
        state.old.remove(key);
        state.is_changing = true;
    }

    /// The transaction is over, one way or the other.
    pub(super) fn settle(&self) {
        let mut state = self.state();
        state.changes += u64::from(std::mem::take(&mut state.is_changing));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn insert(&mut self, key: Key, stored: Arc<Stored>) {
        let size = size(&key, &stored);
        if self.bytes + size > MOST / 2 {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        if self.young.insert(key, stored).is_none() {
            self.bytes += size;
        }
    }
}

fn size(key: &Key, stored: &Stored) -> usize {
    key.id.len() + stored.body.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::store::Kind;

    fn key(id: &str) -> Key {
        Key::new(Kind::Host, id)
    }

    fn stored(version: u64, body: &str) -> Arc<Stored> {
        Arc::new(Stored { version, stack: None, host: None, body: body.into() })
    }

    fn version(kept: &Kept, id: &str) -> Option<u64> {
        kept.get(&key(id)).map(|stored| stored.version)
    }

    #[test]
    fn what_was_read_before_a_change_is_not_kept_after_it() {
        let kept = Kept::default();
        let before = kept.mark();
        kept.keep(before, &key("vm1"), &stored(1, "{}"));
        assert_eq!(version(&kept, "vm1"), Some(1));
        kept.changes(&key("vm1"));
        assert_eq!(version(&kept, "vm1"), None, "the change may be committed at any moment");
        let during = kept.mark();
        kept.keep(during, &key("vm1"), &stored(1, "{}"));
        assert_eq!(version(&kept, "vm1"), None, "it may be from before the commit");
        kept.settle();
        for mark in [before, during] {
            kept.keep(mark, &key("vm1"), &stored(1, "{}"));
            assert_eq!(version(&kept, "vm1"), None);
        }
        kept.settle();
        kept.keep(kept.mark(), &key("vm1"), &stored(2, "{}"));
        assert_eq!(version(&kept, "vm1"), Some(2));
        kept.changes(&key("vm2"));
        assert_eq!(version(&kept, "vm1"), Some(2), "another changes");
    }

    #[test]
    fn there_is_a_bound_and_what_is_asked_for_stays() {
        let kept = Kept::default();
        let body = format!("\"{}\"", "x".repeat(2000));
        kept.keep(0, &key("large"), &stored(1, &"x".repeat(LARGEST)));
        assert_eq!(version(&kept, "large"), None);
        for number in 0..10_000 {
            kept.keep(0, &key(&number.to_string()), &stored(number, &body));
            assert_eq!(version(&kept, "0"), Some(0), "after {number}");
        }
        let state = kept.state();
        let bytes = |of: &HashMap<Key, Arc<Stored>>| of.iter().map(|(key, stored)| size(key, stored)).sum::<usize>();
        assert_eq!(bytes(&state.young), state.bytes);
        assert!(bytes(&state.young) + bytes(&state.old) <= MOST, "{} bytes", bytes(&state.old));
        assert!(state.young.len() + state.old.len() > 500);
    }
}
