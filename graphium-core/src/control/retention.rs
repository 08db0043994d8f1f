//! Retention: what is over is let go of in time, and never what is present.

use super::{Control, ControlError};
use crate::{
    id::DeploymentId,
    store::{Cut, Expect, Key, Kind, RecordQuery, RecordWrite, Submission},
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
    /// are read. Those of the older system have ids that come last, and stay while there are others.
    async fn prune_idle(&self, cut: &Cut) -> Result<(), ControlError> {
        let mut query = RecordQuery { limit: PAGE, ..RecordQuery::of(Kind::Deployment) };
        loop {
            let page = self.store.records(&query).await?;
            let found = page.items.len();
            let read = page.items.into_iter().map(|record| (record.read::<Span>(), record.key));
            // What cannot be read hides nothing that comes after it.
            let old: Vec<_> = read
                .take_while(|(span, _)| span.as_ref().map_or(true, |span| span.started_at < cut.ended_before))
                .collect();
            let is_next_old = old.len() == found;
            let goes = |span: &Span, key: &Key| {
                let is_over = span.completed_at.is_some_and(|end| end < cut.ended_before);
                span.task_count == 0 && is_over && !cut.live.contains(&DeploymentId::new(&*key.id))
            };
            let gone = old.into_iter().filter(|(span, key)| span.as_ref().is_ok_and(|span| goes(span, key)));
            let records: Vec<RecordWrite> = gone
                .map(|(_, key)| RecordWrite { key, expect: Expect::Any, stack: None, host: None, body: None })
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

/// Of a [`DeploymentState`](super::DeploymentState) how much it had to do, and from when to when.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Span {
    started_at: Timestamp,
    task_count: usize,
    #[serde(default)]
    completed_at: Option<Timestamp>,
}
