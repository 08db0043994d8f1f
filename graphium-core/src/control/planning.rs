//! One plan at a time: what a plan takes (ports, room) must be seen by the next, also by that of another server.

use super::{Control, ControlError, company::ServerRecord};
use crate::store::{Document, Expect, Kind, RecordWrite, StoreError, TaskStoreExt};
use futures::future::BoxFuture;
use std::collections::BTreeMap;

/// The record that every plan of servers on one store changes: who planned upon an older one plans anew.
pub(super) const PLANNING: &str = "planning";

/// What the monitor writes of a stack, and what a plan of it changes.
const WRITTEN_MEANWHILE: [Kind; 3] = [Kind::Stack, Kind::Deployment, Kind::Revision];
/// So often a plan is made anew because something of its stack was written meanwhile.
const OVERTAKEN: u32 = 8;

impl Control {
    /// Plans and stores, one at a time; anew as often as another server on the same store has planned meanwhile.
    pub(super) async fn alone<'a, T>(
        &self,
        plan: impl Fn() -> BoxFuture<'a, Result<T, ControlError>>,
    ) -> Result<T, ControlError> {
        let _planning = self.planning.lock().await;
        self.anew(plan).await
    }

    /// The same where nobody plans now; nothing otherwise. For whoever may not wait for a request: that may take as long as
    /// the store does.
    pub(super) async fn alone_or_later<'a, T>(
        &self,
        plan: impl Fn() -> BoxFuture<'a, Result<T, ControlError>>,
    ) -> Result<Option<T>, ControlError> {
        let Some(_planning) = self.planning.try_lock() else { return Ok(None) };
        self.anew(plan).await.map(Some)
    }

    async fn anew<'a, T>(&self, plan: impl Fn() -> BoxFuture<'a, Result<T, ControlError>>) -> Result<T, ControlError> {
        let mut overtaken = 0;
        loop {
            self.note_planned().await?;
            match plan().await {
                Err(ControlError::Store(StoreError::Conflict { kind, id }))
                    if kind == Kind::Server.as_str() && id == PLANNING => {}
                // The monitor writes what it sees of a stack whenever it sees it.
                Err(ControlError::Store(StoreError::Conflict { kind, .. }))
                    if WRITTEN_MEANWHILE.iter().any(|written| kind == written.as_str()) && overtaken < OVERTAKEN =>
                {
                    overtaken += 1;
                }
                other => return other,
            }
        }
    }

    /// Notes how often was planned by now, before anything else is read.
    async fn note_planned(&self) -> Result<(), ControlError> {
        if self.store.is_shared() {
            let record = self.store.document::<ServerRecord>(PLANNING).await?;
            self.state().planned = Some(record.map_or(Expect::Absent, |record| Expect::Version(record.version)));
        }
        Ok(())
    }

    /// The change that refuses what is stored with it when another server has planned since.
    pub(super) fn planned(&self) -> Result<Option<RecordWrite>, ControlError> {
        let Some(expect) = self.state().planned else { return Ok(None) };
        let record = ServerRecord { id: PLANNING.to_owned(), at: self.environment.now(), heard: BTreeMap::new() };
        Ok(Some(record.write(expect)?))
    }
}
