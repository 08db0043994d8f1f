//! Events: every change, numbered.
//!
//! # Example
//! A sink that keeps the last number that it has seen, so that a number that comes twice is told from a new one.
//! ```
//! use graphium_core::event::{Event, EventSink, EventType, NewEvent, NoSink};
//! use std::sync::atomic::{AtomicU64, Ordering};
//!
//! #[derive(Debug, Default)]
//! struct Newest(AtomicU64);
//!
//! impl EventSink for Newest {
//!     fn publish(&self, events: &[Event]) {
//!         if let Some(last) = events.last() {
//!             self.0.fetch_max(last.seq, Ordering::Relaxed);
//!         }
//!     }
//! }
//!
//! let event: Event = serde_json::from_value(serde_json::json!({
//!     "seq": 7, "type": "stack_deployed", "timestamp": "2026-01-02T03:04:05Z", "data": {"stackId": "stack:shop"}
//! }))?;
//! assert_eq!(event.kind, EventType::StackDeployed);
//!
//! let sink = Newest::default();
//! sink.publish(std::slice::from_ref(&event));
//! sink.publish(&[Event { seq: 6, ..event.clone() }]);
//! assert_eq!(sink.0.into_inner(), 7);
//!
//! // Whoever writes an event gives it no number: the store does.
//! let new = NewEvent { kind: EventType::HostFenced, data: serde_json::json!({"hostId": "vm1"}) };
//! assert_eq!(serde_json::to_value(&new)?["type"], "host_fenced");
//! NoSink.publish(&[event]);
//! # Ok::<(), serde_json::Error>(())
//! ```

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
///
/// # Example
/// ```
/// use graphium_core::event::{Event, EventSink};
/// use std::sync::Mutex;
///
/// /// Keeps the newest hundred. A reader who has missed some asks the store by number.
/// #[derive(Debug, Default)]
/// struct Window(Mutex<Vec<Event>>);
///
/// impl EventSink for Window {
///     fn publish(&self, events: &[Event]) {
///         let mut kept = self.0.lock().unwrap();
///         kept.extend_from_slice(events);
///         let surplus = kept.len().saturating_sub(100);
///         kept.drain(..surplus);
///     }
/// }
///
/// let window = Window::default();
/// let event: Event = serde_json::from_str(
///     r#"{"seq": 1, "type": "host_added", "timestamp": "2026-01-02T03:04:05Z", "data": {"@id": "vm1"}}"#,
/// )?;
/// for seq in 1..=250 {
///     window.publish(&[Event { seq, ..event.clone() }]);
/// }
/// let kept = window.0.into_inner().unwrap();
/// assert_eq!((kept.len(), kept[0].seq), (100, 151));
/// # Ok::<(), serde_json::Error>(())
/// ```
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
