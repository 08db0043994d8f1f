//! A host is away for long while nothing else goes wrong: what may go runs elsewhere, the rest says why it stays, and when the
//! host is back nothing of what has gone is left there.

use super::{
    operator::Operator,
    promise::Promise,
    world::{Wires, World},
};
use crate::control::{RemainingState, StackRecord, StackStatus};
use std::{sync::Arc, time::Duration};

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(1);

impl World {
    pub(super) async fn loses_in_calm(self: &Arc<Self>, operator: &Operator) -> Option<()> {
        let lost = self.throw(|dice| dice.chance(700).then(|| dice.below(self.hosts.len())));
        let Some(number) = lost else { return Some(()) };
        let host = self.hosts[number].id.clone();
        let is_whole = |record: &StackRecord| record.status == StackStatus::Running && self.absent(record).is_empty();
        let concerned: Vec<StackRecord> = self
            .stack_records()
            .into_iter()
            .map(|record| record.value)
            .filter(|record| record.applied.placements.values().any(|place| *place == host) && is_whole(record))
            .collect();
        let cut = self.throw(|dice| dice.below(3));
        // Whether it hears or is heard, or neither.
        let wires = Wires { to_server_cut: cut != 1, from_server_cut: cut != 2 };
        self.tell("wire", || format!("between {host} and the server: {wires:?} for long"));
        self.state().wires[number] = wires;
        let away =
            self.throw(|dice| if dice.chance(300) { dice.millis(5_000, 60_000) } else { dice.millis(60_000, 240_000) });
        let end = self.elapsed() + away;
        // What can go has gone by then: the longest that stacks wait, and as long as a move may take.
        let is_long = away > Duration::from_secs(150);
        while self.elapsed() < end {
            self.sleep(LOOK).await;
        }
        for before in &concerned {
            let now = self.stack_records().into_iter().map(|record| record.value).find(|record| record.id == before.id);
            let Some(now) = now else { continue };
            let may_go = before.policy.reschedule_after.is_some();
            if !may_go && now.applied.placements != before.applied.placements {
                let detail = format!("{} was moved from {host}, and nobody has allowed that", before.id);
                self.judge().accuse(Promise::Converges, detail);
            }
            let stays: Vec<&String> =
                now.applied.placements.iter().filter(|(_, place)| **place == host).map(|(name, _)| name).collect();
            // Only one way cut, it may be heard all the same.
            if !is_long || !may_go || stays.is_empty() || !wires.to_server_cut || self.state().has_excuse {
                continue;
            }
            let told = operator.away(&now.name).await.unwrap_or_default();
            for name in stays {
                let line = told.iter().flat_map(|one| &one.remaining).find(|line| line.container == *name);
                if line.is_none_or(|line| line.state != RemainingState::Staying || line.why.is_empty()) {
                    let detail = format!("{name} of {} is still to be on {host}, which is away: {told:?}", now.id);
                    self.judge().accuse(Promise::NothingWaitsForEver, detail);
                }
            }
        }
        self.tell("wire", || format!("between {host} and the server is mended"));
        self.state().wires[number] = Wires::default();
        self.rests(&format!("after {host} was away")).await?;
        // What is known by then is what its agent has told since.
        self.sleep(Duration::from_secs(60)).await;
        self.rests(&format!("when {host} is known again")).await?;
        for before in &concerned {
            let now = self.stack_records().into_iter().map(|record| record.value).find(|record| record.id == before.id);
            let Some(now) = now else { continue };
            if now.status == StackStatus::Running {
                self.look_at_containers(&now, Promise::Converges);
            } else if !self.state().has_excuse {
                let words = now.error_message.unwrap_or_default();
                let detail = format!("{} is {} since {host} was away: {words}", now.id, now.status.as_str());
                self.judge().accuse(Promise::Converges, detail);
            }
        }
        Some(())
    }
}
