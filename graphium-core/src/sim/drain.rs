//! A host is drained while nothing goes wrong: all that may go goes, never serves less meanwhile, and the others say why they stay.

use super::{operator::Operator, promise::Promise, stacks::BROKEN, world::World};
use crate::{
    control::{Remaining, RemainingState, StackStatus},
    id::HostId,
    inventory::{ContainerStatus, HostStatus},
};
use std::{collections::BTreeSet, sync::Arc, time::Duration};

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(100);

impl World {
    pub(super) async fn drains_in_calm(self: &Arc<Self>, operator: &Operator) -> Option<()> {
        let host = self.throw(|dice| dice.chance(400).then(|| dice.pick(operator.hosts()).cloned()));
        let Some(host) = host.flatten() else { return Some(()) };
        // What runs there now, of stacks that run as a whole and as they were deployed last: what has overtaken a deployment may
        // have left another revision.
        let whole: BTreeSet<String> = self
            .stack_records()
            .into_iter()
            .filter(|record| record.value.status == StackStatus::Running && self.absent(&record.value).is_empty())
            .map(|record| record.value.id.to_string())
            .collect();
        let mut serving: Vec<String> = self.running_on(&host, &whole);
        operator.order(&host, HostStatus::Draining).await;
        let end = self.elapsed() + self.setup.rest;
        let mut next = self.elapsed();
        let left = loop {
            // What stays may be made anew where it is.
            let placed = self.stack_records();
            let is_here = |name: &String| {
                placed.iter().map(|record| &record.value.applied).any(|applied| {
                    let mut here = applied.placements.iter().filter(|(_, place)| **place == host);
                    here.any(|(container, _)| applied.stack.engine_name(container) == *name)
                })
            };
            // What has arrived may be made anew there, when something that it knows the address of moves after it.
            let runs: BTreeSet<String> =
                self.hosts.iter().flat_map(|other| self.running_on(&other.id, &whole)).collect();
            if let Some(name) = serving.iter().find(|name| !is_here(name) && !runs.contains(*name)) {
                self.judge().accuse(Promise::ServesMeanwhile, format!("{host} drains, and {name} runs nowhere"));
                return None;
            }
            serving.retain(is_here);
            if self.elapsed() >= next {
                next = self.elapsed() + Duration::from_secs(1);
                let Some(left) = operator.remaining(&host).await else {
                    self.judge().accuse(Promise::Converges, format!("nobody says what is left on {host}"));
                    return None;
                };
                if left.iter().all(|line| line.state == RemainingState::Staying) {
                    break left;
                }
                if self.elapsed() > end {
                    // What a stack that cannot run anywhere has on the host it tries to move to the end of its tries.
                    let is_vain = |line: &Remaining| {
                        let mut own = placed.iter().filter(|record| record.value.name == line.stack);
                        own.any(|record| record.value.applied.stack.containers.iter().any(|one| one.image == BROKEN))
                    };
                    let all_may = left.iter().all(|line| line.state == RemainingState::Staying || is_vain(line));
                    if !all_may && !self.state().has_excuse {
                        self.judge().accuse(Promise::Converges, format!("{host} is not left: {left:?}"));
                        return None;
                    }
                    break left;
                }
            }
            self.sleep(LOOK).await;
        };
        for record in self.stack_records().into_iter().map(|record| record.value) {
            if record.status == StackStatus::Running && whole.contains(record.id.as_str()) {
                for (name, place) in self.absent(&record) {
                    let detail = format!("{} is said to run, and {name} does not on {place}", record.id);
                    self.judge().accuse(Promise::Converges, detail);
                }
            }
            for (container, _) in record.applied.placements.iter().filter(|(_, place)| **place == host) {
                let told = left.iter().find(|line| line.stack == record.name && line.container == *container);
                if told.is_none_or(|line| line.why.is_empty()) {
                    let detail = format!("{container} of {} stays on {host}, which drains, without a word", record.id);
                    self.judge().accuse(Promise::NothingWaitsForEver, detail);
                }
            }
        }
        operator.order(&host, HostStatus::Active).await;
        Some(())
    }

    /// The names on the engine of what runs on a host of these stacks.
    fn running_on(&self, host: &HostId, stacks: &BTreeSet<String>) -> Vec<String> {
        let host = self.hosts.iter().position(|known| known.id == *host);
        let containers = host.into_iter().flat_map(|host| self.shown(host));
        containers
            .filter(|state| state.status() == ContainerStatus::Running)
            .filter(|state| state.observed.stack().is_some_and(|stack| stacks.contains(stack.as_str())))
            .map(|state| state.observed.name)
            .collect()
    }
}
