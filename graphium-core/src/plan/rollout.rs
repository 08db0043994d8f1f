//! Replicas give way to new ones in waves, so that the others do their work meanwhile, and a bad image stops at the first wave.
//!
//! A wave has as many as `update.maxParallel` says. The next one waits until all of it run, and where they have a health
//! check, until all of them are healthy. Replicas that were nowhere before take nothing away from anybody: they do not wait.

use super::{deploy::Draft, map::Map};
use crate::stack::{Container, HealthTest, OnFailure};
use std::collections::BTreeMap;

/// Who waits for whom, by the numbers of members.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    waves: Vec<Vec<usize>>,
    /// The wave that a member waits for, by its place in `waves`.
    after: BTreeMap<usize, usize>,
    /// Members whose health is looked at, each with who waits for that.
    checked: BTreeMap<usize, Option<usize>>,
}

impl Rollout {
    /// The waves of those that change, which are in their order; `on_failure` is what follows a failure.
    pub(super) fn of(draft: &Draft<'_, '_>, changing: &[usize], on_failure: Option<OnFailure>) -> Self {
        let mut rollout = Self::default();
        let list = &draft.layout.members.list;
        let most = draft.layout.stack.deployment.update.max_parallel.max(1) as usize;
        let mut groups: Map<&str, Vec<usize>> = Map::default();
        for &number in changing {
            let definition = list[number].definition;
            if definition.is_replicated() && draft.was_there(number) {
                groups.entry(&definition.name).or_default().push(number);
            }
            if on_failure == Some(OnFailure::Rollback) && has_check(definition) {
                rollout.checked.insert(number, None);
            }
        }
        for group in groups.values().filter(|group| group.len() > most) {
            let is_checked = has_check(list[group[0]].definition);
            let mut waves = group.chunks(most).peekable();
            while let Some(wave) = waves.next() {
                let next = waves.peek();
                if is_checked {
                    let waiting = next.map(|next| next[0]);
                    rollout.checked.extend(wave.iter().map(|&number| (number, waiting)));
                }
                if let Some(next) = next {
                    let before = rollout.waves.len();
                    rollout.after.extend(next.iter().map(|&number| (number, before)));
                    rollout.waves.push(wave.to_vec());
                }
            }
        }
        rollout
    }

    /// The members that one waits for.
    pub(super) fn before(&self, number: usize) -> &[usize] {
        self.after.get(&number).map_or(&[], |&wave| &self.waves[wave])
    }

    /// Members whose health is looked at, each with the first that waits for that.
    pub(super) fn checked(&self) -> impl Iterator<Item = (usize, Option<usize>)> + '_ {
        self.checked.iter().map(|(&number, &waiting)| (number, waiting))
    }

    /// Whether the health of a member is looked at because of the roll-out.
    pub(super) fn checks(&self, number: usize) -> bool {
        self.checked.contains_key(&number)
    }
}

fn has_check(definition: &Container) -> bool {
    definition.health_check.as_ref().is_some_and(|check| check.test != HealthTest::None)
}
