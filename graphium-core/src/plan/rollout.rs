//! Replicas give way to new ones in waves, so that the others do their work meanwhile, and a bad image stops at the first wave.
//!
//! A wave has as many as `update.maxParallel` says. The next one waits until all of it run, and where they have a health
//! check, until all of them are healthy. One that is to end well has done its work when it ends, healthy or not: nobody waits
//! for its health. Replicas that were nowhere before, or whose old ones others have stopped already, take nothing away from
//! anybody: they do not wait.
//!
//! In waves that are large each would wait for too many: there the first waits for all of the wave before, and the others for
//! it. So there are at most some twenty edges for each replica, and none of a wave starts before the wave before is well.

use super::{deploy::Draft, handover::Handover, map::Map};
use crate::stack::{Container, HealthTest, OnFailure};
use std::{collections::BTreeMap, slice};

/// In waves of more than this the first goes ahead of the others.
const EACH_FOR_EACH: usize = 16;

/// Who waits for whom, by the numbers of members.
#[derive(Debug, Default)]
pub(super) struct Rollout {
    waves: Vec<Vec<usize>>,
    after: BTreeMap<usize, After>,
    /// Members whose health is looked at, each with who waits for that.
    checked: BTreeMap<usize, Option<usize>>,
}

/// What a member waits for.
#[derive(Clone, Copy, Debug)]
enum After {
    /// That all of a wave do their work, by its place.
    Wave(usize),
    /// That this one of its own wave, the first, has started.
    First(usize),
}

impl Rollout {
    /// The waves of those that change, which are in their order; `on_failure` is what follows a failure.
    pub(super) fn of(
        draft: &Draft<'_, '_>,
        changing: &[usize],
        handover: &Handover,
        on_failure: Option<OnFailure>,
    ) -> Self {
        let mut rollout = Self::default();
        let list = &draft.layout.members.list;
        let most = draft.layout.stack.deployment.update.max_parallel.max(1) as usize;
        let is_checked = |number: &usize| has_check(list[*number].definition) && !draft.is_to_end(*number);
        let mut groups: Map<&str, Vec<usize>> = Map::default();
        for &number in changing {
            let definition = list[number].definition;
            if definition.is_replicated() && draft.was_there(number) && !handover.is_bereft(number) {
                groups.entry(&definition.name).or_default().push(number);
            }
            if on_failure == Some(OnFailure::Rollback) && is_checked(&number) {
                rollout.checked.insert(number, None);
            }
        }
        for group in groups.values().filter(|group| group.len() > most) {
            let mut waves = group.chunks(most).peekable();
            while let Some(wave) = waves.next() {
                let next = waves.peek();
                let waiting = next.map(|next| next[0]);
                rollout.checked.extend(wave.iter().copied().filter(is_checked).map(|number| (number, waiting)));
                if let Some((&first, others)) = next.and_then(|next| next.split_first()) {
                    let before = After::Wave(rollout.waves.len());
                    let after = if wave.len() > EACH_FOR_EACH { After::First(first) } else { before };
                    rollout.after.insert(first, before);
                    rollout.after.extend(others.iter().map(|&number| (number, after)));
                    rollout.waves.push(wave.to_vec());
                }
            }
        }
        rollout
    }

    /// The tasks that a member waits for: of those that `made` and `proven` name by member, which make one, and show that one
    /// does its work.
    pub(super) fn before<'r>(
        &'r self,
        number: usize,
        made: &'r [Option<usize>],
        proven: &'r [Option<usize>],
    ) -> impl Iterator<Item = usize> + 'r {
        let (earlier, tasks) = match self.after.get(&number) {
            None => (&[][..], proven),
            Some(After::Wave(wave)) => (&*self.waves[*wave], proven),
            Some(After::First(first)) => (slice::from_ref(first), made),
        };
        earlier.iter().filter_map(move |&earlier| tasks[earlier])
    }

    /// Whether a member waits for others in its turn.
    pub(super) fn waits(&self, number: usize) -> bool {
        self.after.contains_key(&number)
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
