//! The agent's memory, written down before anything rests on it.

use super::journal::{Journal, JournalError, Memory, MemoryJournal};
use crate::inventory::ObservedContainer;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Keeps what an agent remembers, for all that happens in it at the same time.
#[derive(Debug)]
pub struct Keeper {
    kept: Mutex<(Box<dyn Journal>, Memory)>,
    /// Containers whose stop the engine has not answered, by their ids: it may come yet.
    stopping: Mutex<BTreeSet<String>>,
}

impl Keeper {
    /// One that has read nothing yet.
    pub fn new(journal: Box<dyn Journal>) -> Self {
        Self { kept: Mutex::new((journal, Memory::default())), stopping: Mutex::default() }
    }

    /// Reads what was saved last.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn load(&self) -> Result<Memory, JournalError> {
        let mut kept = self.lock();
        kept.1 = kept.0.load()?;
        Ok(kept.1.clone())
    }

    /// What is remembered now.
    pub fn memory(&self) -> Memory {
        self.lock().1.clone()
    }

    /// Changes what is remembered: when this returns well it is saved. Where nothing changes nothing is written.
    ///
    /// # Errors
    /// When it cannot be written; then it is as it was.
    pub fn change(&self, change: impl FnOnce(&mut Memory)) -> Result<(), JournalError> {
        let mut kept = self.lock();
        let mut memory = kept.1.clone();
        change(&mut memory);
        let memory = memory.bounded();
        if memory != kept.1 {
            kept.0.save(&memory)?;
            kept.1 = memory;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, (Box<dyn Journal>, Memory)> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stopping(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.stopping.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What tasks have stopped. It is written down before the engine is asked, for an attempt may end at any time. Where it cannot be
/// written containers are stopped and started all the same: then they count as ended by themselves, as far as nobody else knows.
impl Keeper {
    /// A container that runs is about to be stopped.
    pub(super) fn stops(&self, id: &str) {
        self.stopping().insert(id.to_owned());
        self.has_stopped(id);
    }

    /// The engine has said what became of that.
    pub(super) fn has_answered(&self, id: &str) {
        self.stopping().remove(id);
    }

    /// A container has been stopped.
    pub(super) fn has_stopped(&self, id: &str) {
        let _unlikely = self.change(|memory| memory.stopped.extend([id.to_owned()]));
    }

    /// A container is about to be started: what it does from then on is its own. Whether it was stopped.
    pub(super) fn starts(&self, id: &str) -> bool {
        self.stopping().remove(id);
        let mut was_stopped = false;
        let _unlikely = self.change(|memory| was_stopped = memory.stopped.remove(id));
        was_stopped
    }

    /// Those whose stops were answered: what a look that begins now shows of them counts.
    pub(super) fn stopped(&self) -> BTreeSet<String> {
        let stopping = self.stopping().clone();
        self.lock().1.stopped.difference(&stopping).cloned().collect()
    }

    /// Tells of what was seen whether a task has stopped it. Forgets of `stopped`, as it was before the look, what runs again or is gone.
    pub(super) fn show(&self, stopped: &BTreeSet<String>, seen: &mut [ObservedContainer]) {
        if !stopped.is_empty() {
            let ended: BTreeSet<&str> = seen.iter().filter(|one| one.has_ended()).map(|one| &*one.id).collect();
            let _unlikely =
                self.change(|memory| memory.stopped.retain(|id| !stopped.contains(id) || ended.contains(id.as_str())));
        }
        let memory = &self.lock().1;
        for one in seen {
            one.ended_by_task = one.has_ended() && memory.stopped.contains(&one.id);
        }
    }
}

impl Default for Keeper {
    /// One that forgets everything with the program.
    fn default() -> Self {
        Self::new(Box::new(MemoryJournal::default()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{inventory::ContainerStatus, plan::fixtures};

    fn seen(keeper: &Keeper, status: ContainerStatus) -> bool {
        let stopped = keeper.stopped();
        let mut one = fixtures::foreign("web", "vm1", None);
        one.status = status;
        keeper.show(&stopped, std::slice::from_mut(&mut one));
        one.ended_by_task
    }

    #[test]
    fn what_was_stopped_is_told_until_it_runs_again() {
        use ContainerStatus::{Exited, Running};
        let journal = MemoryJournal::default();
        let keeper = Keeper::new(Box::new(journal.clone()));
        assert!(!seen(&keeper, Exited), "it has ended by itself");
        keeper.stops("vm1/web");
        assert!(!seen(&keeper, Running), "the engine is at it");
        assert!(seen(&keeper, Exited), "and did not say so");
        keeper.has_answered("vm1/web");
        assert!(seen(&keeper, Exited) && seen(&keeper, Exited));
        let next = Keeper::new(Box::new(journal));
        next.load().unwrap();
        assert!(seen(&next, Exited), "the next agent knows");
        assert!(!seen(&next, Running) && !seen(&next, Exited), "somebody has started it, and it has ended since");
        assert!(keeper.starts("vm1/web") && !keeper.starts("vm1/web"));
        assert!(!seen(&keeper, Exited));
        keeper.has_stopped("vm1/web");
        assert!(seen(&keeper, Exited), "it could not be started");
        keeper.starts("vm1/web");
        assert_eq!(keeper.memory(), Memory::default());
    }

    #[test]
    fn a_look_that_was_taken_before_a_stop_says_nothing_of_it() {
        let keeper = Keeper::default();
        let before = keeper.stopped();
        keeper.stops("vm1/web");
        keeper.has_answered("vm1/web");
        keeper.show(&before, &mut [fixtures::foreign("web", "vm1", None)]);
        assert!(seen(&keeper, ContainerStatus::Exited));
        keeper.show(&keeper.stopped(), &mut []);
        assert_eq!(keeper.memory(), Memory::default(), "what is gone is forgotten");
    }
}
