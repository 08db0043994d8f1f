//! Calls as data: each method of the trait with its arguments.

use graphium_core::{
    id::{HostId, TaskId},
    store::{ClaimRequest, Cut, Key, RecordQuery, SessionRequest, StoreError, Submission, TaskQuery, TaskStore},
    task::{Input, Lease},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A method of [`TaskStore`] and its arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[expect(missing_docs, reason = "each is a method of the trait, with its arguments")]
pub enum Call {
    Submit { submission: Box<Submission>, now: Timestamp },
    OpenSession { request: SessionRequest, now: Timestamp },
    Claim { request: ClaimRequest, now: Timestamp },
    Act { task: TaskId, input: Box<Input>, now: Timestamp },
    Renew { leases: Vec<Lease>, expires_at: Timestamp },
    Expire { now: Timestamp },
    NextWakeup,
    Record { key: Key },
    Records { query: RecordQuery },
    Task { id: TaskId },
    Tasks { query: TaskQuery },
    Events { after: u64, limit: usize },
    LastEvent,
    Prune { cut: Box<Cut> },
}

/// What a store answered to a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// As JSON: `{"Ok": …}` or `{"Err": …}`.
    pub text: String,
    /// Hosts that have something to do now.
    pub ready: Vec<HostId>,
}

impl Call {
    /// Asks a store.
    ///
    /// # Errors
    /// When the answer cannot be put into JSON.
    pub async fn carry_out(self, store: &dyn TaskStore) -> Result<Answer, serde_json::Error> {
        match self {
            Self::Submit { submission, now } => {
                let result = store.submit(*submission, now).await;
                let ready = result.as_ref().map(|submitted| submitted.ready.clone()).unwrap_or_default();
                told(&result, ready)
            }
            Self::OpenSession { request, now } => {
                let host = request.host.clone();
                // What the older session held is there to be had.
                told(&store.open_session(request, now).await, vec![host])
            }
            Self::Act { task, input, now } => {
                let result = store.act(&task, *input, now).await;
                let ready = result.as_ref().map(|acted| acted.ready.clone()).unwrap_or_default();
                told(&result, ready)
            }
            Self::Expire { now } => {
                let result = store.expire(now).await;
                let ready = result.as_ref().map(|acted| acted.ready.clone()).unwrap_or_default();
                told(&result, ready)
            }
            Self::Claim { request, now } => told(&store.claim(request, now).await, Vec::new()),
            Self::Renew { leases, expires_at } => told(&store.renew(&leases, expires_at).await, Vec::new()),
            Self::NextWakeup => told(&store.next_wakeup().await, Vec::new()),
            Self::Record { key } => told(&store.record(&key).await, Vec::new()),
            Self::Records { query } => told(&store.records(&query).await, Vec::new()),
            Self::Task { id } => told(&store.task(&id).await, Vec::new()),
            Self::Tasks { query } => told(&store.tasks(&query).await, Vec::new()),
            Self::Events { after, limit } => told(&store.events(after, limit).await, Vec::new()),
            Self::LastEvent => told(&store.last_event().await, Vec::new()),
            Self::Prune { cut } => told(&store.prune(&cut).await, Vec::new()),
        }
    }
}

fn told<T: Serialize>(result: &Result<T, StoreError>, ready: Vec<HostId>) -> Result<Answer, serde_json::Error> {
    Ok(Answer { text: serde_json::to_string(result)?, ready })
}
