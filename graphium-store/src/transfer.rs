//! From one store to another: everything that there is, as it is.

use graphium_core::{
    id::DeploymentId,
    store::{
        Expect, Kind, Record, RecordQuery, RecordWrite, StoreError, Submission, TaskQuery, TaskStore, TaskStoreExt,
    },
    task::Task,
};
use indexmap::IndexMap;
use jiff::Timestamp;

/// Records that are written in one step.
const RECORDS: usize = 100;

/// Tasks of no deployment that are written in one step.
const TASKS: usize = 100;

/// What was taken over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transferred {
    /// Stacks, revisions, deployments, hosts, containers and credentials.
    pub records: usize,
    /// Tasks, those that have ended among them.
    pub tasks: usize,
}

/// Why a store was not taken over.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// There is something at the destination.
    #[error("the destination is not empty: it holds {what}")]
    NotEmpty {
        /// Of what there is some.
        what: String,
    },
    /// There is nothing to be taken over.
    #[error("there is nothing in the source")]
    Empty,
    /// What arrived is not what there was.
    #[error("{what} is not the same at the destination")]
    Different {
        /// ``record `…` `` or ``task `…` ``.
        what: String,
    },
    /// One of the two failed.
    #[error("{which} failed")]
    Store {
        /// The source or the destination.
        which: &'static str,
        /// Why.
        #[source]
        source: StoreError,
    },
}

/// Takes everything of one store over into another, which is empty, and compares the two.
///
/// Tasks keep their status, attempts and leases, so agents go on where they are: their next session gets a higher epoch, for
/// they tell the highest that they have seen. Versions of records and numbers of events begin anew, and idempotency keys
/// stay behind. Nobody may write to either store meanwhile.
///
/// # Errors
/// [`TransferError`]. What was written by then stays at the destination.
pub async fn transfer(from: &dyn TaskStore, to: &dyn TaskStore, now: Timestamp) -> Result<Transferred, TransferError> {
    must_be_empty(to).await?;
    let mut transferred = Transferred::default();
    for kind in Kind::ALL {
        let mut query = RecordQuery { limit: RECORDS, ..RecordQuery::of(kind) };
        loop {
            let page = from.records(&query).await.map_err(at_source)?;
            transferred.records += page.items.len();
            put_records(to, page.items, now).await?;
            match page.next {
                Some(next) => query.after = Some(next),
                None => break,
            }
        }
    }
    let tasks = from.all_tasks(TaskQuery::default()).await.map_err(at_source)?;
    transferred.tasks = tasks.len();
    if transferred == Transferred::default() {
        return Err(TransferError::Empty);
    }
    for part in parts(&tasks) {
        let submission = Submission { tasks: part, ..Submission::default() };
        to.submit(submission, now).await.map_err(at_destination)?;
    }
    for task in &tasks {
        if to.task(&task.id).await.map_err(at_destination)?.as_ref() != Some(task) {
            return Err(TransferError::Different { what: format!("task `{}`", task.id) });
        }
    }
    Ok(transferred)
}

async fn must_be_empty(to: &dyn TaskStore) -> Result<(), TransferError> {
    for kind in Kind::ALL {
        let query = RecordQuery { limit: 1, ..RecordQuery::of(kind) };
        if let Some(record) = to.records(&query).await.map_err(at_destination)?.items.first() {
            return Err(TransferError::NotEmpty { what: format!("the {} `{}`", kind.as_str(), record.key.id) });
        }
    }
    let query = TaskQuery { limit: 1, ..TaskQuery::default() };
    match to.tasks(&query).await.map_err(at_destination)?.items.first() {
        Some(task) => Err(TransferError::NotEmpty { what: format!("the task `{}`", task.id) }),
        None => Ok(()),
    }
}

async fn put_records(to: &dyn TaskStore, records: Vec<Record>, now: Timestamp) -> Result<(), TransferError> {
    if records.is_empty() {
        return Ok(());
    }
    let write = |record: &Record| RecordWrite {
        key: record.key.clone(),
        expect: Expect::Absent,
        stack: record.stack.clone(),
        host: record.host.clone(),
        body: Some(record.body.clone()),
    };
    let submission = Submission { records: records.iter().map(write).collect(), ..Submission::default() };
    to.submit(submission, now).await.map_err(at_destination)?;
    for record in records {
        let arrived = to.record(&record.key).await.map_err(at_destination)?;
        let is_same = arrived.is_some_and(|arrived| {
            (&arrived.stack, &arrived.host, &arrived.body) == (&record.stack, &record.host, &record.body)
        });
        if !is_same {
            let what = format!("{} `{}`", record.key.kind.as_str(), record.key.id);
            return Err(TransferError::Different { what });
        }
    }
    Ok(())
}

/// Tasks that are written in one step: those of a deployment wait for each other.
fn parts(tasks: &[Task]) -> Vec<Vec<Task>> {
    let mut deployments: IndexMap<&DeploymentId, Vec<Task>> = IndexMap::new();
    let mut single = Vec::new();
    for task in tasks {
        match &task.deployment_id {
            Some(deployment) => deployments.entry(deployment).or_default().push(task.clone()),
            None => single.push(task.clone()),
        }
    }
    deployments.into_values().chain(single.chunks(TASKS).map(<[Task]>::to_vec)).collect()
}

fn at_source(source: StoreError) -> TransferError {
    TransferError::Store { which: "the source", source }
}

fn at_destination(source: StoreError) -> TransferError {
    TransferError::Store { which: "the destination", source }
}
