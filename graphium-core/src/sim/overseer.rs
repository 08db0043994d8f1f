//! Looks now and then at what people are shown: what waits says for what, and who is away is shown as away.

use super::{promise::Promise, world::World};
use crate::{
    control::StatusView,
    inventory::Host,
    store::{Kind, RecordQuery, TaskStoreExt},
};
use futures::FutureExt as _;
use std::{sync::Arc, time::Duration};

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(5);
/// What the monitor may take beyond its own times, its store being slow now and then.
const SLACK: Duration = Duration::from_secs(15);

impl World {
    /// Looks until all is over.
    pub(super) async fn oversee(self: Arc<Self>) {
        loop {
            self.sleep(LOOK).await;
            let server = self.state().server.clone();
            if let Some(control) = server {
                for (id, ..) in self.stack_statuses() {
                    // A store that fails now is no news.
                    if let Ok(status) = control.status(&id).await {
                        self.look_at_reasons(&status);
                    }
                }
            }
            self.look_for_absent();
        }
    }

    fn look_at_reasons(&self, status: &StatusView) {
        for shown in status.tasks.iter().filter(|shown| !shown.task.status.is_terminal()) {
            let reason =
                shown.waiting.as_ref().map(|waiting| (waiting.reason.as_str(), waiting.on.as_str(), waiting.until));
            let is_told = match reason {
                None | Some((_, "", _)) => false,
                // An attempt that is held, or that comes later, ends or begins at a time that is known.
                Some(("agent" | "retry", _, until)) => until.is_some(),
                Some((reason, ..)) => !reason.is_empty(),
            };
            if !is_told {
                let (id, task_status) = (&shown.task.id, shown.task.status.as_str());
                let detail = format!("{id} of {} is {task_status} and says of its wait: {reason:?}", status.stack_id);
                self.judge().accuse(Promise::NothingWaitsForEver, detail);
            }
        }
    }

    /// A host that the server has not heard for too long is shown as offline.
    fn look_for_absent(&self) {
        let settings = &self.setup.control;
        let limit = settings.offline_after + settings.tick + SLACK;
        let elapsed = self.elapsed();
        let Some(since) = self.state().works_since.filter(|since| elapsed.saturating_sub(*since) > limit) else {
            return;
        };
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).now_or_never();
        for host in hosts.and_then(Result::ok).unwrap_or_default() {
            let number = self.hosts.iter().position(|node| node.id == host.value.id);
            let heard = number.map_or(since, |number| self.state().heard[number].max(since));
            let silence = elapsed.saturating_sub(heard);
            if silence > limit && host.value.offline_since.is_none() {
                let detail = format!("{} was not heard for {silence:?} and is not shown as offline", host.value.id);
                self.judge().accuse(Promise::NothingWaitsForEver, detail);
            }
        }
    }
}
