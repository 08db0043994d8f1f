//! Records: what their changes tell the world.

use super::{Kind, RecordWrite, StoreError};
use crate::event::{EventType, NewEvent};
use serde_json::{Map, Value};
use std::collections::HashSet;

/// The event of a record's change; `existed`: a record was there before.
///
/// Secrets stay behind: of a stack only the plain values of its top level are shown (a document holds environments), of a
/// container everything but its environment. Revisions, deployments, tokens, users, secrets, servers, what was forgotten, what
/// hosts hold and the audit have no events of their own.
///
/// # Example
/// ```
/// use graphium_core::{event::EventType, store::{Expect, Key, Kind, RecordWrite, event_for}};
/// use serde_json::json;
///
/// let write = |kind, body| RecordWrite { key: Key::new(kind, "a"), expect: Expect::Any, stack: None, host: None, body };
/// let stack = write(Kind::Stack, Some(json!({"name": "shop", "hasPart": [{"environment": ["secret"]}]}).into()));
/// let event = event_for(&stack, true).unwrap();
/// assert_eq!((event.kind, event.data), (EventType::StackUpdated, json!({"@id": "a", "name": "shop"})));
/// assert_eq!(event_for(&write(Kind::Token, None), true), None, "nobody is told of those");
/// ```
pub fn event_for(write: &RecordWrite, existed: bool) -> Option<NewEvent> {
    let [added, updated, removed] = match write.key.kind {
        Kind::Stack => [EventType::StackAdded, EventType::StackUpdated, EventType::StackRemoved],
        Kind::Host => [EventType::HostAdded, EventType::HostUpdated, EventType::HostRemoved],
        Kind::Container => [EventType::ContainerAdded, EventType::ContainerUpdated, EventType::ContainerRemoved],
        Kind::Revision
        | Kind::Deployment
        | Kind::Token
        | Kind::Server
        | Kind::Forgotten
        | Kind::Holdings
        | Kind::User
        | Kind::Audit
        | Kind::Secret => return None,
    };
    let kind = match (&write.body, existed) {
        (None, false) => return None,
        (None, true) => removed,
        (Some(_), true) => updated,
        (Some(_), false) => added,
    };
    let mut data = Map::new();
    data.insert("@id".to_owned(), Value::from(write.key.id.as_str()));
    if let Some(Value::Object(body)) = write.body.as_deref() {
        data.extend(
            body.iter()
                .filter(|(name, value)| is_shown(write.key.kind, name, value))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    Some(NewEvent { kind, data: Value::Object(data) })
}

fn is_shown(kind: Kind, name: &str, value: &Value) -> bool {
    match kind {
        Kind::Stack => !value.is_object() && !value.is_array(),
        Kind::Container => name != "environment",
        _ => true,
    }
}

/// Refuses changes that write a record twice: which would come first?
///
/// # Errors
/// [`StoreError::Invalid`].
///
/// # Example
/// ```
/// use graphium_core::store::{Expect, Key, Kind, RecordWrite, key_twice};
///
/// let key = |id: &str| Key::new(Kind::Host, id);
/// let write = |id| RecordWrite { key: key(id), expect: Expect::Any, stack: None, host: None, body: None };
/// assert_eq!(key_twice(&[write("vm1"), write("vm2")]), Ok(()));
/// let error = key_twice(&[write("vm1"), write("vm1")]).unwrap_err();
/// assert_eq!(error.to_string(), "host `vm1` cannot be stored: it is written twice in one step");
/// ```
pub fn key_twice(writes: &[RecordWrite]) -> Result<(), StoreError> {
    let mut seen = HashSet::new();
    match writes.iter().find(|write| !seen.insert(&write.key)) {
        None => Ok(()),
        Some(write) => Err(StoreError::Invalid {
            kind: write.key.kind.as_str(),
            id: write.key.id.clone(),
            reason: "it is written twice in one step".to_owned(),
        }),
    }
}
