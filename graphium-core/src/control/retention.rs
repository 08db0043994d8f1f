//! Retention: what is over is let go of in time, and never what is present.

use super::{Control, ControlError};
use crate::{
    id::DeploymentId,
    store::{Cut, Expect, Kind, Record, RecordQuery, RecordWrite, Submission},
};
use jiff::Timestamp;
use serde::Deserialize;
use std::time::Duration;

/// So many records are read at a time.
const PAGE: usize = 100;

/// How long what is over is kept.
///
/// # Example
/// ```
/// use graphium_core::control::{Retention, Settings};
/// use std::time::Duration;
///
/// let retention = Retention { tasks: Duration::from_secs(86_400), ..Retention::default() };
/// assert_eq!(retention.max_tasks, 100_000);
/// let settings = Settings { retention, ..Settings::default() };
/// assert!(settings.offline_after < settings.lease);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Tasks, from the end of the last of their deployment on, with the deployment's record. Idempotency keys, too.
    pub tasks: Duration,
    /// Tasks beyond this number go before their time, the oldest first.
    pub max_tasks: u64,
    /// Events.
    pub events: Duration,
    /// Events beyond this number go before their time, the oldest first.
    pub max_events: u64,
    /// Entries of the audit.
    pub audit: Duration,
    /// Entries of the audit beyond this number go before their time, the oldest first; absent: 1,000,000, and 50,000 of a store
    /// that several servers share, for each of them holds it in memory.
    pub max_audit: Option<u64>,
    /// How often the store is asked to let go of them.
    pub every: Duration,
}

impl Default for Retention {
    /// A week, of at most 100,000 tasks and 1,000,000 events; of the audit 400 days.
    fn default() -> Self {
        let week = Duration::from_secs(7 * 24 * 60 * 60);
        Self {
            tasks: week,
            max_tasks: 100_000,
            events: week,
            max_events: 1_000_000,
            audit: Duration::from_secs(400 * 24 * 60 * 60),
            max_audit: None,
            every: Duration::from_secs(300),
        }
    }
}

impl Control {
    /// Lets the store go of what is over, a bounded part at a time.
    pub(super) async fn prune(&self) -> Result<(), ControlError> {
        let elapsed = self.environment.elapsed();
        if self.state().prune_at.is_some_and(|due| elapsed < due) {
            return Ok(());
        }
        let cut = self.cut().await?;
        let pruned = self.store.prune(&cut).await?;
        if pruned.is_some() {
            self.prune_idle(&cut).await?;
        }
        let more = self.prune_audit().await? | pruned.is_some_and(|pruned| pruned.more);
        // Where there is more, at the next tick.
        let pause = if more { Duration::ZERO } else { self.settings.retention.every };
        self.state().prune_at = Some(elapsed.saturating_add(pause));
        Ok(())
    }

    /// A store knows work by its tasks: deployments that had none, for all was as it should be, are let go of here.
    ///
    /// Their ids are in the order in which they began, and what began lately has not been over for long: of very many the oldest
    /// are read.
    async fn prune_idle(&self, cut: &Cut) -> Result<(), ControlError> {
        let mut query = RecordQuery { limit: PAGE, ..RecordQuery::of(Kind::Deployment) };
        loop {
            let page = self.store.records(&query).await?;
            let found = page.items.len();
            // What cannot be read hides nothing that comes after it.
            let is_old =
                |record: &Record| record.read::<Begun>().map_or(true, |begun| begun.started_at < cut.ended_before);
            let old: Vec<Record> = page.items.into_iter().take_while(is_old).collect();
            let is_next_old = old.len() == found;
            let goes = |record: &Record| {
                let is_over =
                    |idle: Idle| idle.task_count == 0 && idle.completed_at.is_some_and(|end| end < cut.ended_before);
                !cut.live.contains(&DeploymentId::new(&*record.key.id)) && record.read().is_ok_and(is_over)
            };
            let gone = old.into_iter().filter(goes);
            let records: Vec<RecordWrite> = gone
                .map(|record| RecordWrite { key: record.key, expect: Expect::Any, stack: None, host: None, body: None })
                .collect();
            if !records.is_empty() {
                self.store.submit(Submission { records, ..Submission::default() }, self.environment.now()).await?;
            }
            let Some(next) = page.next.filter(|_| is_next_old) else { return Ok(()) };
            query.after = Some(next);
        }
    }

    async fn cut(&self) -> Result<Cut, ControlError> {
        let retention = &self.settings.retention;
        let now = self.environment.now();
        // What a stack does or did last is looked at for as long as there is the stack.
        let stacks = self.stack_heads().await?;
        Ok(Cut {
            ended_before: now.checked_sub(retention.tasks).unwrap_or(Timestamp::MIN),
            max_tasks: retention.max_tasks,
            events_before: now.checked_sub(retention.events).unwrap_or(Timestamp::MIN),
            max_events: retention.max_events,
            live: stacks.into_iter().map(|stack| stack.deployment_id).collect(),
        })
    }
}

/// Of a [`DeploymentState`](super::DeploymentState) when it began.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Begun {
    started_at: Timestamp,
}

/// Of a [`DeploymentState`](super::DeploymentState) what says whether it had nothing to do, and since when it is over.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Idle {
    task_count: usize,
    #[serde(default)]
    completed_at: Option<Timestamp>,
}
