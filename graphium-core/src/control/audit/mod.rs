//! The audit: who did what, from where, with what result. It is only ever added to.
//!
//! An entry is a record of its own kind, under its number. Numbers are given by the store itself (a record that is there already is
//! refused), so they have no gaps, also with several servers, and one that is missing shows.

mod prune;
mod writer;

pub(super) use writer::Writer;

use super::{Control, ControlError, Role};
use crate::{
    id::DeploymentId,
    store::{Expect, Key, Kind, Record, RecordQuery, RecordWrite, StoreError},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::{net::IpAddr, sync::Arc};

/// One thing that somebody did, or was refused.
///
/// It holds nothing of what was sent: no body, no query, no token.
///
/// # Example
/// ```
/// use graphium_core::control::{AuditActor, AuditEntry, AuditObject, Control, ControlError, Settings};
/// use graphium_core::{environment::Environment, event::NoSink, store::MemoryStore, testing::ManualEnvironment};
/// use std::sync::Arc;
///
/// let world = Arc::new(ManualEnvironment::default());
/// world.run(async {
///     let store = Arc::new(MemoryStore::new());
///     let control = Control::open(store, Arc::new(NoSink), world.clone(), Settings::default()).await?;
///     let entry = AuditEntry {
///         seq: 0,
///         timestamp: world.now(),
///         who: AuditActor::anonymous(),
///         from: Some([192, 0, 2, 7].into()),
///         operation: "removeStack".to_owned(),
///         method: "DELETE".to_owned(),
///         on: Some(AuditObject::new("stack", "shop")),
///         program: None,
///         status: 401,
///         code: Some("unauthorized".to_owned()),
///         deployment: None,
///         times: 1,
///     };
///     control.record_audit(entry).await?;
///     // The number is given here, and there are no gaps.
///     let entries = control.audit(0, 10).await?;
///     assert_eq!((entries[0].seq, control.last_audit().await?), (1, 1));
///     assert!(entries[0].who.is_anonymous());
///     Ok::<(), ControlError>(())
/// })?;
/// # Ok::<(), ControlError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Its number, from 1. There are no gaps.
    pub seq: u64,
    /// When the answer was known.
    pub timestamp: Timestamp,
    /// Who.
    pub who: AuditActor,
    /// From which address; absent: it is not known, or there were many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<IpAddr>,
    /// What: the operation's id in the description of the API; `various` where there were too many to tell apart.
    pub operation: String,
    /// The method of the request.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// On what.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on: Option<AuditObject>,
    /// Of a command in a container: the program, without its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// The answer's status.
    pub status: u16,
    /// The code of the problem, where it was refused or failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The deployment that came of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
    /// For how many requests it stands: refusals of the same kind are counted, after the first.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub times: u64,
}

fn one() -> u64 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_one(times: &u64) -> bool {
    *times == 1
}

/// Who did something.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditActor {
    /// The name of the person or of the token, or `anonymous`.
    pub name: String,
    /// The person, where it was a session of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The public id of the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What whoever it is may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
}

impl AuditActor {
    /// Nobody who is known.
    pub fn anonymous() -> Self {
        Self { name: "anonymous".to_owned(), user: None, token: None, role: None }
    }

    /// Whether it is nobody who is known.
    pub fn is_anonymous(&self) -> bool {
        self.role.is_none()
    }
}

/// What something was done to.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditObject {
    /// `stack`, `host`, `task`, `container`, `token`, `user` …
    pub kind: String,
    /// Its id or name, as it was asked for.
    pub id: String,
}

impl AuditObject {
    /// Puts the two together.
    pub fn new(kind: impl Into<String>, id: impl Into<String>) -> Self {
        Self { kind: kind.into(), id: id.into() }
    }
}

impl AuditEntry {
    fn id(seq: u64) -> String {
        format!("{seq:016}")
    }

    /// The change that adds it, and nothing else: what is there already is not written over.
    fn write(&self) -> Result<RecordWrite, StoreError> {
        // As text: a store that keeps records in memory needs a third of the room.
        let text = serde_json::to_string(self).map_err(|error| corrupt(self.seq, &error))?;
        Ok(RecordWrite {
            key: Key::new(Kind::Audit, Self::id(self.seq)),
            expect: Expect::Absent,
            stack: None,
            host: None,
            body: Some(Arc::new(Value::String(text))),
        })
    }

    fn read(record: &Record) -> Result<Self, StoreError> {
        let seq = number(record);
        let text = record.body.as_str().ok_or_else(|| corrupt(seq, &"it is no text"))?;
        serde_json::from_str(text).map_err(|error| corrupt(seq, &error))
    }
}

/// The number of a record of the audit.
fn number(record: &Record) -> u64 {
    record.key.id.parse().unwrap_or(0)
}

fn corrupt(seq: u64, reason: &dyn std::fmt::Display) -> StoreError {
    StoreError::Corrupt { kind: Kind::Audit.as_str(), id: seq.to_string(), reason: reason.to_string() }
}

impl Control {
    /// Adds an entry; its number and its time are given here. When this returns it is as safe as the store makes anything.
    ///
    /// Cancellation: the entry may be there, or be written with the next.
    ///
    /// # Errors
    /// When the store does not take it, or more wait to be written than can be kept.
    pub async fn record_audit(&self, entry: AuditEntry) -> Result<(), ControlError> {
        let entry = AuditEntry { timestamp: self.environment.now(), ..entry };
        Ok(self.audit.append(&*self.store, entry, self.environment.now()).await?)
    }

    /// Up to `limit` entries with numbers above `after`, in order.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn audit(&self, after: u64, limit: usize) -> Result<Vec<AuditEntry>, ControlError> {
        let query = RecordQuery { after: Some(AuditEntry::id(after)), limit, ..RecordQuery::of(Kind::Audit) };
        let page = self.store.records(&query).await?;
        Ok(page.items.iter().map(AuditEntry::read).collect::<Result<_, _>>()?)
    }

    /// The number of the last entry, 0 when there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_audit(&self) -> Result<u64, ControlError> {
        Ok(writer::last(&*self.store, self.audit.known()).await?)
    }
}
