//! Documents that were read before.
//!
//! Every plan is made with every host, container and stack, of which few have changed since the last one. A store that hands out
//! the very value that it handed out before spares reading it again; from one that makes each value anew, all is read each time.

use super::StackRecord;
use crate::{
    inventory::{Host, ObservedContainer},
    store::{Document, Record, RecordQuery, StoreError, TaskStore, TaskStoreExt as _},
};
use serde_json::Value;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

/// So many documents of a kind are remembered.
const MOST: usize = 2000;

/// What plans are made with.
#[derive(Debug, Default)]
pub(super) struct Memos {
    pub(super) hosts: Memo<Host>,
    pub(super) containers: Memo<ObservedContainer>,
    pub(super) stacks: Memo<StackRecord>,
}

/// Documents of one kind, by id.
#[derive(Debug)]
pub(super) struct Memo<T>(Mutex<HashMap<String, Known<T>>>);

/// A document, and the value that it was read from: held here, so that no other can take its place in memory.
type Known<T> = (Arc<Value>, Arc<T>);

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Document> Memo<T> {
    /// Every document of the kind, by id.
    pub(super) async fn all(&self, store: &dyn TaskStore) -> Result<Vec<Arc<T>>, StoreError> {
        self.read(&store.all_records(RecordQuery::of(T::KIND)).await?)
    }

    /// Reads all that there is; what is not among it is forgotten.
    fn read(&self, records: &[Record]) -> Result<Vec<Arc<T>>, StoreError> {
        let mut memo = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut *memo);
        let mut all = Vec::with_capacity(records.len());
        for record in records {
            let id = &record.key.id;
            let known = before.remove_entry(id).filter(|(_, (body, _))| Arc::ptr_eq(body, &record.body));
            let (id, (body, value)) = match known {
                Some(known) => known,
                None => (id.clone(), (Arc::clone(&record.body), Arc::new(record.read()?))),
            };
            all.push(Arc::clone(&value));
            if memo.len() < MOST {
                memo.insert(id, (body, value));
            }
        }
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Key, Kind};
    use serde_json::json;

    fn record(id: &str, body: &Arc<Value>) -> Record {
        Record { key: Key::new(Kind::Host, id), version: 1, stack: None, host: None, body: Arc::clone(body) }
    }

    fn host(cpu: f64) -> Arc<Value> {
        Arc::new(serde_json::to_value(Host { cpu, ..Host::named("vm1".into()) }).unwrap())
    }

    #[test]
    fn the_same_value_is_read_once_and_another_of_the_same_version_anew() {
        let (memo, body) = (Memo::<Host>::default(), host(4.0));
        let first = memo.read(&[record("vm1", &body)]).unwrap();
        let again = memo.read(&[record("vm1", &body)]).unwrap();
        assert!(Arc::ptr_eq(&first[0], &again[0]));
        // One that was removed and made anew has the version that it had.
        let other = memo.read(&[record("vm1", &host(8.0))]).unwrap();
        assert_eq!((first[0].cpu, other[0].cpu), (4.0, 8.0));
        assert_eq!(memo.read(&[]).unwrap(), []);
        assert!(memo.0.lock().unwrap().is_empty(), "what is gone is remembered");
    }

    #[test]
    fn what_cannot_be_read_is_an_error_each_time_and_harms_no_other() {
        let (memo, body) = (Memo::<Host>::default(), host(4.0));
        for _ in 0..2 {
            memo.read(&[record("vm1", &body), record("vm2", &Arc::new(json!([])))]).unwrap_err();
        }
        assert_eq!(memo.read(&[record("vm1", &body)]).unwrap().len(), 1);
    }

    #[test]
    fn they_are_bounded() {
        let (memo, body) = (Memo::<Host>::default(), host(4.0));
        let records: Vec<Record> = (0..MOST + 10).map(|number| record(&format!("vm{number:05}"), &body)).collect();
        assert_eq!(memo.read(&records).unwrap().len(), MOST + 10);
        assert_eq!(memo.0.lock().unwrap().len(), MOST);
    }
}
