//! What goes into a store and comes out.

use super::StoreError;
use crate::{
    event::NewEvent,
    id::{ClaimId, DeploymentId, HostId, StackId, TaskId},
    task::{Task, TaskStatus},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The kinds of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A stack with its present document and status.
    Stack,
    /// An earlier document of a stack.
    Revision,
    /// The state of one deployment.
    Deployment,
    /// A Docker host.
    Host,
    /// A container that was seen.
    Container,
    /// A credential.
    Token,
    /// One of several servers on the same store.
    Server,
    /// What may be left on a host that was away when its stack was removed.
    Forgotten,
    /// Networks and volumes of ours on a host.
    Holdings,
    /// A person who may log in.
    User,
    /// Something that was done, and is only ever added.
    Audit,
    /// A secret, sealed.
    Secret,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Stack,
        Self::Revision,
        Self::Deployment,
        Self::Host,
        Self::Container,
        Self::Token,
        Self::Server,
        Self::Forgotten,
        Self::Holdings,
        Self::User,
        Self::Audit,
        Self::Secret,
    ];

    /// The name as it is stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stack => "stack",
            Self::Revision => "revision",
            Self::Deployment => "deployment",
            Self::Host => "host",
            Self::Container => "container",
            Self::Token => "token",
            Self::Server => "server",
            Self::Forgotten => "forgotten",
            Self::Holdings => "holdings",
            Self::User => "user",
            Self::Audit => "audit",
            Self::Secret => "secret",
        }
    }
}

/// Which record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its id, unique within the kind.
    pub id: String,
}

impl Key {
    /// Puts the two together.
    pub fn new(kind: Kind, id: impl Into<String>) -> Self {
        Self { kind, id: id.into() }
    }
}

/// A record as it is stored. Stores do not look into the body.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Which.
    pub key: Key,
    /// Grows with every change, from 1.
    pub version: u64,
    /// The stack that it belongs to, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stack: Option<StackId>,
    /// The host that it belongs to, for lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<HostId>,
    /// Its content.
    pub body: Arc<serde_json::Value>,
}

impl Record {
    /// Reads the body as whatever the caller wants of it: all, or the few fields of a struct that has no more.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when it does not hold that.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, StoreError> {
        T::deserialize(&*self.body).map_err(|error| StoreError::Corrupt {
            kind: self.key.kind.as_str(),
            id: self.key.id.clone(),
            reason: error.to_string(),
        })
    }
}

/// What a writer expects of the record that it writes.
///
/// # Example
/// ```
/// use graphium_core::store::Expect;
///
/// assert!(Expect::Absent.holds(None) && !Expect::Absent.holds(Some(1)));
/// assert!(Expect::Version(2).holds(Some(2)) && !Expect::Version(2).holds(Some(3)));
/// assert!(Expect::Any.holds(Some(7)));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expect {
    /// Whatever is there.
    Any,
    /// Nothing.
    Absent,
    /// This version.
    Version(u64),
}

impl Expect {
    /// Whether it is so; `present` is the version of the record that is there.
    pub fn holds(self, present: Option<u64>) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => present.is_none(),
            Self::Version(version) => present == Some(version),
        }
    }

    /// The same, with the error of what does not hold.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], which names the record.
    pub fn check(self, key: &Key, present: Option<u64>) -> Result<(), StoreError> {
        if self.holds(present) {
            Ok(())
        } else {
            Err(StoreError::Conflict { kind: key.kind.as_str(), id: key.id.clone() })
        }
    }
}

/// A change of one record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordWrite {
    /// Which.
    pub key: Key,
    /// What is expected to be there.
    pub expect: Expect,
    /// The stack that it belongs to.
    #[serde(default)]
    pub stack: Option<StackId>,
    /// The host that it belongs to.
    #[serde(default)]
    pub host: Option<HostId>,
    /// The new content; `None` removes the record.
    pub body: Option<Arc<serde_json::Value>>,
}

/// Changes that belong together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Submission {
    /// Records to write.
    pub records: Vec<RecordWrite>,
    /// Tasks to add; those that they depend on are among them. A task whose id exists is left as it is.
    pub tasks: Vec<Task>,
    /// Pending and running tasks of these deployments are asked to end, because this submission takes their place.
    pub supersedes: Vec<DeploymentId>,
    /// A task that failed or was cancelled, and is tried again with what was cancelled because of it. Where it may not be, the
    /// whole submission is refused, as [`act`](crate::store::TaskStore::act) refuses [`Retry`](crate::task::Input::Retry).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry: Option<TaskId>,
    /// Events beside those of the tasks.
    pub events: Vec<NewEvent>,
    /// The caller's key for this request.
    pub idempotency_key: Option<String>,
}

/// What became of a submission.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Submitted {
    /// The idempotency key was seen before; nothing changed.
    pub repeated: bool,
    /// The records of this, or of the first submission with the key.
    pub keys: Vec<Key>,
    /// Hosts that have something to do now.
    pub ready: Vec<HostId>,
}

/// What an act led to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Acted {
    /// Tasks that changed, the one that was acted on first.
    pub tasks: Vec<Task>,
    /// Hosts that have something to do now.
    pub ready: Vec<HostId>,
}

/// An agent introduces itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionRequest {
    /// Its host.
    pub host: HostId,
    /// Chosen at random for this run of the agent.
    pub nonce: String,
    /// The highest epoch that it has seen.
    pub seen_epoch: u64,
}

impl SessionRequest {
    /// Whether a session is one that this asks for: above all that the agent has seen, or the one that this run of it has already.
    ///
    /// A store that was set back, or a server that reads what is old, may know less than the agent: what it grants then was granted
    /// to somebody before.
    pub fn is_answered_by(&self, session: &Session) -> bool {
        session.epoch > self.seen_epoch || session.epoch == self.seen_epoch && session.nonce == self.nonce
    }
}

/// The right to act for a host, until a newer session takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Session {
    /// The host.
    pub host: HostId,
    /// Higher than that of every session before.
    pub epoch: u64,
    /// The agent's nonce.
    pub nonce: String,
}

/// An agent asks for work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRequest {
    /// Its host.
    pub host: HostId,
    /// Its session.
    pub epoch: u64,
    /// Chosen at random for this request.
    pub claim: ClaimId,
    /// How many at most.
    pub max: usize,
    /// Until when what is granted is held.
    pub expires_at: Timestamp,
    /// What must be so of a record in the moment in which work is handed out.
    pub expect: Option<(Key, Expect)>,
}

/// Which records.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordQuery {
    /// Of this kind.
    pub kind: Kind,
    /// Of this stack.
    pub stack: Option<StackId>,
    /// Of this host.
    pub host: Option<HostId>,
    /// With ids above this one.
    pub after: Option<String>,
    /// At most so many; 0 is a thousand.
    pub limit: usize,
}

impl RecordQuery {
    /// The first thousand of a kind.
    pub fn of(kind: Kind) -> Self {
        Self { kind, stack: None, host: None, after: None, limit: 1000 }
    }

    /// How many at most.
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { PAGE } else { self.limit }
    }

    /// Whether a record is one of those, its place in the list aside.
    pub fn selects(&self, record: &Record) -> bool {
        record.key.kind == self.kind
            && is_wanted(self.stack.as_ref(), record.stack.as_ref())
            && is_wanted(self.host.as_ref(), record.host.as_ref())
    }
}

/// Which tasks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TaskQuery {
    /// In one of these statuses; empty: in any.
    pub statuses: Vec<TaskStatus>,
    /// Of this stack.
    pub stack: Option<StackId>,
    /// Of this deployment.
    pub deployment: Option<DeploymentId>,
    /// Of this host.
    pub host: Option<HostId>,
    /// That act on this container (or network, volume, image).
    pub container: Option<String>,
    /// With ids above this one.
    pub after: Option<TaskId>,
    /// At most so many; 0 is a thousand.
    pub limit: usize,
}

/// Size of a page where the caller gives none.
const PAGE: usize = 1000;

impl TaskQuery {
    /// Whether a task is one of those, its place in the list aside.
    pub fn selects(&self, task: &Task) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&task.status))
            && is_wanted(self.stack.as_ref(), task.stack_id.as_ref())
            && is_wanted(self.deployment.as_ref(), task.deployment_id.as_ref())
            && is_wanted(self.host.as_ref(), Some(&task.host_id))
            && is_wanted(self.container.as_ref(), task.container_id.as_ref())
    }

    /// How many at most.
    pub fn page_size(&self) -> usize {
        if self.limit == 0 { PAGE } else { self.limit }
    }
}

fn is_wanted<T: PartialEq>(wanted: Option<&T>, is: Option<&T>) -> bool {
    wanted.is_none() || wanted == is
}

/// A part of a list.
///
/// # Example
/// ```
/// use graphium_core::store::Page;
///
/// let page = Page::cut(1..=10, 4, ToString::to_string);
/// assert_eq!((page.items.as_slice(), page.next.as_deref()), (&[1, 2, 3, 4][..], Some("4")));
/// assert_eq!(Page::cut(1..=4, 4, ToString::to_string).next, None, "there are no more");
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// What to ask for as `after` to go on; absent: this was the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// The first `size` of some items; there are more when a further one is there.
    pub fn cut(items: impl Iterator<Item = T>, size: usize, id: impl Fn(&T) -> String) -> Self {
        let mut items: Vec<T> = items.take(size.saturating_add(1)).collect();
        let more = items.len() > size;
        items.truncate(size);
        let next = items.last().filter(|_| more).map(id);
        Self { items, next }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn of_a_record_is_read_what_is_asked_for_and_no_more() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Name<'a> {
            name: &'a str,
        }
        let of = |body: serde_json::Value| Record {
            key: Key::new(Kind::Stack, "stack:shop"),
            version: 1,
            stack: None,
            host: None,
            body: Arc::new(body),
        };
        assert_eq!(of(json!({"containers": [{}], "name": "shop"})).read(), Ok(Name { name: "shop" }));
        let wrong = of(json!({"name": 7}));
        let wrong = wrong.read::<Name<'_>>().map_err(|error| error.to_string());
        assert!(wrong.as_ref().is_err_and(|text| text.contains("stack:shop") && text.contains("string")), "{wrong:?}");
    }
}
