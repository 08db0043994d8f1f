//! Tasks and records as rows.

use super::bodies::Place;
use graphium_core::{
    id::{ClaimId, HostId, StackId, TaskId},
    store::{Key, Kind, Record, StoreError},
    task::{Lease, Progress, Task, TaskError, TaskResult, TaskStatus},
};
use jiff::{Timestamp, fmt::serde::timestamp::nanosecond};
use rusqlite::Row;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{borrow::Cow, sync::Arc};

/// What of a task moves, written at every step: numbers for times, no zeros, nothing twice. All else is as it was submitted.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct State<'a> {
    status: TaskStatus,
    #[serde(default, skip_serializing_if = "is_zero")]
    attempt: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    retry_count: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    lost_count: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    agent_id: Option<Cow<'a, str>>,
    #[serde(default, with = "nanosecond::optional", skip_serializing_if = "Option::is_none")]
    assigned_at: Option<Timestamp>,
    #[serde(default, with = "nanosecond::optional", skip_serializing_if = "Option::is_none")]
    started_at: Option<Timestamp>,
    #[serde(default, with = "nanosecond::optional", skip_serializing_if = "Option::is_none")]
    completed_at: Option<Timestamp>,
    #[serde(default, with = "nanosecond::optional", skip_serializing_if = "Option::is_none")]
    not_before: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, TaskError>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Cow<'a, TaskResult>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    lease: Option<Grant<'a>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancel_requested: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    progress: Option<Cow<'a, Progress>>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl<'a> State<'a> {
    fn of(task: &'a Task) -> Self {
        Self {
            status: task.status,
            attempt: task.attempt,
            retry_count: task.retry_count,
            lost_count: task.lost_count,
            agent_id: task.agent_id.as_deref().map(Cow::Borrowed),
            assigned_at: task.assigned_at,
            started_at: task.started_at,
            completed_at: task.completed_at,
            not_before: task.not_before,
            error: task.error.as_ref().map(Cow::Borrowed),
            result: task.result.as_ref().map(Cow::Borrowed),
            lease: task.lease.as_ref().map(Grant::of),
            cancel_requested: task.cancel_requested.as_deref().map(Cow::Borrowed),
            progress: task.progress.as_ref().map(Cow::Borrowed),
        }
    }

    fn restore(self, task: &mut Task) {
        task.status = self.status;
        task.attempt = self.attempt;
        task.retry_count = self.retry_count;
        task.lost_count = self.lost_count;
        task.agent_id = self.agent_id.map(Cow::into_owned);
        task.assigned_at = self.assigned_at;
        task.started_at = self.started_at;
        task.completed_at = self.completed_at;
        task.not_before = self.not_before;
        task.error = self.error.map(Cow::into_owned);
        task.result = self.result.map(Cow::into_owned);
        task.lease = self.lease.map(|grant| grant.restore(&task.id, self.attempt));
        task.cancel_requested = self.cancel_requested.map(Cow::into_owned);
        task.progress = self.progress.map(Cow::into_owned);
    }
}

/// What a lease says beyond its task and attempt.
#[derive(Serialize, Deserialize)]
struct Grant<'a> {
    epoch: u64,
    claim: Cow<'a, str>,
    #[serde(with = "nanosecond::required")]
    until: Timestamp,
}

impl<'a> Grant<'a> {
    fn of(lease: &'a Lease) -> Self {
        Self { epoch: lease.epoch, claim: Cow::Borrowed(lease.claim.as_str()), until: lease.expires_at }
    }

    fn restore(self, task: &TaskId, attempt: u32) -> Lease {
        let claim = ClaimId::new(&*self.claim);
        Lease { task: task.clone(), attempt, epoch: self.epoch, claim, expires_at: self.until }
    }
}

/// Adds what moves of a task, as it is stored, to a text.
pub(super) fn state(text: &mut String, task: &Task) -> Result<(), StoreError> {
    append(text, "task", task.id.as_str(), &State::of(task))
}

/// Columns of [`task`], of `tasks JOIN task_bodies`.
pub(super) const TASK: &str = "tasks.id, task_bodies.body, tasks.state";

/// A task of a row of [`TASK`].
pub(super) fn task(row: &Row<'_>) -> rusqlite::Result<Result<Task, StoreError>> {
    let id = row.get_ref(0)?.as_str()?;
    let (body, moved) = (row.get_ref(1)?.as_str()?, row.get_ref(2)?.as_str()?);
    Ok(parse::<Task>("task", id, body).and_then(|mut task| {
        parse::<State<'_>>("task", id, moved)?.restore(&mut task);
        Ok(task)
    }))
}

/// Columns of [`record`].
pub(super) const RECORD: &str = "rowid, id, version, stack, host";

/// A record without its body.
pub(super) struct Found {
    id: String,
    place: Place,
    stack: Option<String>,
    host: Option<String>,
}

/// A record of a row of [`RECORD`].
pub(super) fn record(row: &Row<'_>) -> rusqlite::Result<Result<Found, StoreError>> {
    let place = Place { row: row.get(0)?, version: row.get(2)? };
    Ok(Ok(Found { id: row.get(1)?, place, stack: row.get(3)?, host: row.get(4)? }))
}

impl Found {
    /// The whole record.
    pub(super) fn with(
        self,
        kind: Kind,
        body: impl FnOnce(&str, Place) -> Result<Arc<Value>, StoreError>,
    ) -> Result<Record, StoreError> {
        let body = body(&self.id, self.place)?;
        Ok(Record {
            key: Key::new(kind, self.id),
            version: self.place.version,
            stack: self.stack.map(StackId::new),
            host: self.host.map(HostId::new),
            body,
        })
    }
}

/// A time as it is stored: nanoseconds since 1970, from 1677 to 2262.
pub(super) fn time(at: Timestamp) -> i64 {
    i64::try_from(at.as_nanosecond()).unwrap_or(if at < Timestamp::UNIX_EPOCH { i64::MIN } else { i64::MAX })
}

/// A value as it is stored.
pub(super) fn text(kind: &'static str, id: &str, value: &(impl Serialize + ?Sized)) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| corrupt(kind, id, &error))
}

/// Adds a value as it is stored to a text; one that cannot be stored leaves the text as it was.
pub(super) fn append(
    text: &mut String,
    kind: &'static str,
    id: &str,
    value: &impl Serialize,
) -> Result<(), StoreError> {
    let mut bytes = std::mem::take(text).into_bytes();
    let before = bytes.len();
    let written = serde_json::to_writer(&mut bytes, value);
    if written.is_err() {
        bytes.truncate(before);
    }
    // JSON is UTF-8 throughout.
    *text = String::from_utf8(bytes).map_err(|error| corrupt(kind, id, &error))?;
    written.map_err(|error| corrupt(kind, id, &error))
}

/// A value as it was stored.
pub(super) fn parse<T: DeserializeOwned>(kind: &'static str, id: &str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|error| corrupt(kind, id, &error))
}

pub(super) fn corrupt(kind: &'static str, id: &str, error: &dyn std::error::Error) -> StoreError {
    StoreError::Corrupt { kind, id: id.to_owned(), reason: error.to_string() }
}
