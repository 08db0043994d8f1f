//! What an engine's list does not show, looked up one by one and remembered.

use crate::{
    inventory::ContainerStatus,
    runtime::{ContainerChange, ContainerRuntime, ContainerState, LiveSettings, RuntimeError},
};
use futures::{StreamExt as _, stream};
use std::collections::HashMap;

/// So many containers are inspected at a time.
const AT_ONCE: usize = 4;

/// The settings of our containers, each with the id of the container that has them, by name.
///
/// They change rarely, and an engine says when: so each container is inspected once, and again after it was updated.
#[derive(Debug, Default)]
pub(super) struct Inspected(HashMap<String, (String, Option<LiveSettings>)>);

impl Inspected {
    /// Forgets everything: changes may have been missed.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Forgets what a change makes outdated.
    pub(super) fn take_in(&mut self, change: &ContainerChange) {
        if change.action == ContainerChange::UPDATE {
            self.0.remove(&change.name);
        }
    }

    /// Fills in the settings of our containers where the list has left them out.
    ///
    /// # Errors
    ///
    /// The engine does not answer. Of a container that cannot be inspected for another reason they stay unknown.
    pub(super) async fn complete(
        &mut self,
        runtime: &dyn ContainerRuntime,
        listed: &mut [ContainerState],
    ) -> Result<(), RuntimeError> {
        let known = std::mem::take(&mut self.0);
        let mut unknown = Vec::new();
        for (place, state) in listed.iter_mut().enumerate() {
            // One that was just made is about to start, and its engine has better things to do.
            let is_new = state.status() == ContainerStatus::Created;
            if is_new || !state.is_managed() || state.observed.settings.is_some() {
                continue;
            }
            let observed = &mut state.observed;
            match known.get(&observed.name).filter(|(id, _)| *id == observed.id) {
                Some(entry) => {
                    observed.settings = entry.1;
                    self.0.insert(observed.name.clone(), entry.clone());
                }
                None => unknown.push((place, observed.name.clone())),
            }
        }
        let mut looks = stream::iter(unknown)
            .map(|(place, name)| async move { (place, runtime.inspect(&name).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((place, shown)) = looks.next().await {
            let observed = &mut listed[place].observed;
            match shown {
                Ok(Some(shown)) if shown.observed.id == observed.id => {
                    observed.settings = shown.observed.settings;
                    self.0.insert(observed.name.clone(), (shown.observed.id, observed.settings));
                }
                Err(error @ (RuntimeError::Unreachable { .. } | RuntimeError::TimedOut { .. })) => return Err(error),
                // It went, or another has its name: the next look shows which.
                Ok(_) | Err(_) => {}
            }
        }
        Ok(())
    }
}
