//! Comfort over [`TaskStore`]: records as the types that they hold.

use super::{Expect, Key, Kind, Record, RecordQuery, RecordWrite, StoreError, TaskQuery, TaskStore};
use crate::{
    id::{HostId, StackId},
    task::Task,
};
use async_trait::async_trait;
use serde::{Serialize, de::DeserializeOwned};
use std::sync::Arc;

/// A type that is stored as a record.
///
/// # Example
/// ```
/// use graphium_core::{event::EventType, store::*};
/// use jiff::Timestamp;
/// use serde::{Deserialize, Serialize};
/// # futures::executor::block_on(async {
/// #[derive(Serialize, Deserialize)]
/// struct Note {
///     name: String,
///     text: String,
/// }
///
/// impl Document for Note {
///     const KIND: Kind = Kind::Stack;
///     fn id(&self) -> String {
///         self.name.clone()
///     }
/// }
///
/// let store = MemoryStore::new();
/// let note = Note { name: "stack:a".to_owned(), text: "one".to_owned() };
/// let write: RecordWrite = note.write(Expect::Absent)?;
/// assert_eq!(write.key, Key::new(Kind::Stack, "stack:a"));
/// let event = event_for(&write, false).unwrap();
/// assert_eq!((event.kind, &event.data["text"]), (EventType::StackAdded, &"one".into()));
/// // One record is written once in a step: which would come first?
/// assert!(key_twice(&[write.clone(), write.clone()]).is_err());
/// store.submit(Submission { records: vec![write.clone()], ..Submission::default() }, Timestamp::UNIX_EPOCH).await?;
///
/// // It is there now, so what expects that it is not is refused.
/// let again = Submission { records: vec![write], ..Submission::default() };
/// let refused = store.submit(again, Timestamp::UNIX_EPOCH).await.unwrap_err();
/// assert_eq!(refused.to_string(), "stack `stack:a` was changed by somebody else");
///
/// let mut there: Versioned<Note> = store.document("stack:a").await?.unwrap();
/// assert_eq!(there.version, 1);
/// there.value.text = "two".to_owned();
/// store.submit(Submission { records: vec![there.write()?], ..Submission::default() }, Timestamp::UNIX_EPOCH).await?;
///
/// let records: Vec<Record> = TaskStoreExt::all_records(&store, RecordQuery::of(Kind::Stack)).await?;
/// assert_eq!((records[0].version, &records[0].body["text"]), (2, &"two".into()));
/// # Ok::<(), StoreError>(())
/// # }).unwrap();
/// ```
pub trait Document: Serialize + DeserializeOwned + Send + Sync {
    /// The kind of its records.
    const KIND: Kind;

    /// The id of its record.
    fn id(&self) -> String;

    /// The stack that it belongs to.
    fn stack(&self) -> Option<StackId> {
        None
    }

    /// The host that it belongs to.
    fn host(&self) -> Option<HostId> {
        None
    }

    /// The change that writes it.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not serialise.
    fn write(&self, expect: Expect) -> Result<RecordWrite, StoreError> {
        let body = serde_json::to_value(self).map_err(|error| StoreError::Corrupt {
            kind: Self::KIND.as_str(),
            id: self.id(),
            reason: error.to_string(),
        })?;
        Ok(RecordWrite {
            key: Key::new(Self::KIND, self.id()),
            expect,
            stack: self.stack(),
            host: self.host(),
            body: Some(Arc::new(body)),
        })
    }

    /// The change that removes it.
    fn removal(&self, expect: Expect) -> RecordWrite {
        RecordWrite { key: Key::new(Self::KIND, self.id()), expect, stack: self.stack(), host: self.host(), body: None }
    }
}

/// A document with the version that it was read at.
#[derive(Clone, Debug, PartialEq)]
pub struct Versioned<T> {
    /// The record's version.
    pub version: u64,
    /// The document.
    pub value: T,
}

impl<T: Document> Versioned<T> {
    /// Reads a record's body.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not hold such a document.
    pub fn read(record: &Record) -> Result<Self, StoreError> {
        Ok(Self { version: record.version, value: record.read()? })
    }

    /// The change that writes it back, refused when somebody else was faster.
    ///
    /// # Errors
    /// As [`Document::write`].
    pub fn write(&self) -> Result<RecordWrite, StoreError> {
        self.value.write(Expect::Version(self.version))
    }
}

/// What every [`TaskStore`] can do besides.
#[async_trait]
pub trait TaskStoreExt: TaskStore {
    /// One document by id.
    async fn document<T: Document>(&self, id: &str) -> Result<Option<Versioned<T>>, StoreError> {
        self.record(&Key::new(T::KIND, id)).await?.as_ref().map(Versioned::read).transpose()
    }

    /// Every document of a kind that the query selects; its `after` and `limit` are the size of the steps.
    async fn documents<T: Document>(&self, query: RecordQuery) -> Result<Vec<Versioned<T>>, StoreError> {
        let records = self.all_records(RecordQuery { kind: T::KIND, ..query }).await?;
        records.iter().map(Versioned::read).collect()
    }

    /// Every record that the query selects, unread.
    async fn all_records(&self, mut query: RecordQuery) -> Result<Vec<Record>, StoreError> {
        let mut all = Vec::new();
        loop {
            let page = self.records(&query).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// Every task that the query selects.
    async fn all_tasks(&self, mut query: TaskQuery) -> Result<Vec<Task>, StoreError> {
        let mut all = Vec::new();
        loop {
            let page = self.tasks(&query).await?;
            all.extend(page.items);
            match page.next {
                Some(next) => query.after = Some(next.as_str().into()),
                None => return Ok(all),
            }
        }
    }
}

impl<S: TaskStore + ?Sized> TaskStoreExt for S {}
