//! Events: every change, numbered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// One change, as it is stored and streamed. It never holds a secret.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number: the first is 1, and none is left out.
    pub seq: u64,
    /// What changed.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// When.
    pub timestamp: Timestamp,
    /// The thing that changed, as people may see it.
    pub data: serde_json::Value,
}

/// An event that has no number yet.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewEvent {
    /// What changed.
    #[serde(rename = "type")]
    pub kind: EventType,
    /// The thing that changed, as people may see it.
    pub data: serde_json::Value,
}

/// What changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each says what changed and how")]
pub enum EventType {
    ContainerAdded,
    ContainerUpdated,
    ContainerRemoved,
    HostAdded,
    HostUpdated,
    HostRemoved,
    StackAdded,
    StackUpdated,
    StackRemoved,
    StackDeploying,
    StackDeployed,
    StackError,
    StackDeleting,
    StackDeleted,
    StackRollingBack,
    StackRolledBack,
    StackDrifted,
    StackRepaired,
    StackRescheduling,
    StackRescheduled,
    HostFenced,
    TaskCreated,
    TaskUpdated,
}

/// Takes events as they happen.
///
/// * **Never blocks**: a sink that cannot keep up drops its slow readers, who resume from the store by number.
/// * **Ordering**: numbers rise; a number may come twice after a restart, and a reader ignores those that it has.
pub trait EventSink: Send + Sync + fmt::Debug {
    /// Takes some events, in order.
    fn publish(&self, events: &[Event]);
}

/// A sink that keeps nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoSink;

impl EventSink for NoSink {
    fn publish(&self, _events: &[Event]) {}
}
