//! Changes with which a container that fits nowhere might fit, the smallest first.
//!
//! A proposal is made of what stands against one host as things were when the container was refused. Whether it keeps its
//! word is found out by placing everything anew with it (`advise`).

use super::{
    amount::{plain, processors, thousandths},
    fix::{Fix, FixStep},
    ports::HostPort,
    room::{Holder, Refusal, Room},
};
use crate::{
    id::HostId,
    inventory::{Capability, Need, needs},
    stack::{Container, TextMap},
};
use std::{cmp::Reverse, sync::Arc};

/// So many proposals are kept beside those that need no host of today's.
const KEPT: usize = 8;

/// What a proposal costs: steps that give up what was asked for come last, then fewer steps, then their order of
/// preference, then how much figures change, then the host.
type Cost = (bool, usize, Vec<u8>, u64, usize);

/// Steps for one host, while they are gathered.
#[derive(Clone, Debug, Default)]
pub(super) struct Proposal {
    pub(super) host: Option<usize>,
    pub(super) steps: Vec<FixStep>,
}

impl Proposal {
    pub(super) fn on(host: usize) -> Self {
        Self { host: Some(host), steps: Vec::new() }
    }

    pub(super) fn of(step: FixStep) -> Self {
        Self { host: None, steps: vec![step] }
    }

    fn cost(&self) -> Cost {
        // The least preferred step decides first.
        let mut ranks: Vec<u8> = self.steps.iter().map(FixStep::rank).collect();
        ranks.sort_unstable_by_key(|&rank| Reverse(rank));
        let gives_up = self.steps.iter().any(|step| matches!(step, FixStep::Replicas { .. } | FixStep::AddHost { .. }));
        let extent = self.steps.iter().map(FixStep::extent).fold(0, u64::saturating_add);
        (gives_up, self.steps.len(), ranks, extent, self.host.unwrap_or(usize::MAX))
    }

    /// Whether it leaves a container less than half of what it asks for.
    pub(super) fn starves(&self) -> bool {
        self.steps.iter().any(|step| match step {
            FixStep::Memory { from, to, .. } | FixStep::Processors { from, to, .. } => *to < from / 2,
            _ => false,
        })
    }

    pub(super) fn into_fix(self, name: impl Fn(usize) -> HostId) -> Fix {
        Fix { host: self.host.map(name), steps: self.steps }
    }

    /// Processors and bytes of memory that others reserve on the host, where steps for earlier replicas of a container say it.
    ///
    /// Those replicas are taken to have what was left, so to the next one the host looks full of what nobody will reserve.
    fn reserved_by_others(&self, name: &str) -> (Option<f64>, Option<u64>) {
        let (mut cpus, mut memory) = (None, None);
        for step in &self.steps {
            match step {
                FixStep::Processors { container, reserved, .. } if container == name => {
                    cpus = Some(processors(*reserved));
                }
                FixStep::Memory { container, reserved, .. } if container == name => memory = Some(*reserved),
                _ => {}
            }
        }
        (cpus, memory)
    }

    /// Adds a step, or makes one that is there already go as far as both must; `None` where they contradict each other.
    fn add(&mut self, step: FixStep) -> Option<()> {
        for there in &mut self.steps {
            match (there, &step) {
                (FixStep::Label { key, to, .. }, FixStep::Label { key: other, to: value, .. }) if key == other => {
                    return (to == value).then_some(());
                }
                (FixStep::HostDatacenter { to, .. }, FixStep::HostDatacenter { to: other, .. }) => {
                    return (to == other).then_some(());
                }
                (FixStep::MaxInstances { to, .. }, FixStep::MaxInstances { to: other, .. }) => {
                    *to = (*to).max(*other);
                    return Some(());
                }
                (FixStep::Replicas { container, to, .. }, FixStep::Replicas { container: other, to: count, .. })
                    if container == other =>
                {
                    *to = (*to).min(*count);
                    return Some(());
                }
                (
                    FixStep::MinProcessors { container, from, .. },
                    FixStep::MinProcessors { container: other, from: asked, .. },
                )
                | (
                    FixStep::MinMemory { container, from, .. },
                    FixStep::MinMemory { container: other, from: asked, .. },
                ) if container == other => {
                    *from = (*from).max(*asked);
                    return Some(());
                }
                (FixStep::Processors { container, to, .. }, FixStep::Processors { container: other, to: left, .. })
                | (FixStep::Memory { container, to, .. }, FixStep::Memory { container: other, to: left, .. })
                    if container == other =>
                {
                    *to = (*to).min(*left);
                    return Some(());
                }
                (there, step) if there == step => return Some(()),
                _ => {}
            }
        }
        self.steps.push(step);
        Some(())
    }
}

/// The best of some proposals, the smallest first.
pub(super) fn best(mut proposals: Vec<Proposal>, elsewhere: impl IntoIterator<Item = Proposal>) -> Vec<Proposal> {
    proposals.sort_by_cached_key(Proposal::cost);
    proposals.truncate(KEPT);
    proposals.extend(elsewhere);
    proposals.sort_by_cached_key(Proposal::cost);
    proposals
}

/// What has to be asked before steps can be told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asking<'r, 'a, 'p> {
    pub(super) room: &'r Room<'a, 'p>,
    /// Where each member is so far.
    pub(super) placed: &'r [Option<usize>],
    /// Whether all have to be on one host.
    pub(super) together: bool,
}

impl Asking<'_, '_, '_> {
    fn definition(&self, number: usize) -> &Arc<Container> {
        self.room.members.list[number].definition
    }

    /// The numbers of the replicas that come before a member.
    fn earlier_replicas(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        let definition = self.definition(number);
        let is_sibling = move |other: &usize| Arc::ptr_eq(self.room.members.list[*other].definition, definition);
        (0..number).rev().take_while(is_sibling)
    }

    /// The numbers of a member's replicas from it on that have no place yet.
    pub(super) fn unplaced_replicas(&self, number: usize) -> impl Iterator<Item = usize> + '_ {
        let definition = self.definition(number);
        let is_sibling = move |other: &usize| Arc::ptr_eq(self.room.members.list[*other].definition, definition);
        let replicas = (number..self.placed.len()).take_while(is_sibling);
        replicas.filter(|&other| self.placed[other].is_none())
    }

    /// Adds what has to change for a host to take a member; `None` where nothing would help.
    pub(super) fn answer(
        &self,
        proposal: &mut Proposal,
        number: usize,
        host: usize,
        refusals: &[Refusal<'_>],
    ) -> Option<()> {
        for refusal in refusals {
            let step = self.step(proposal, number, host, *refusal)?;
            proposal.add(step)?;
        }
        Some(())
    }

    fn step(&self, proposal: &Proposal, number: usize, host: usize, refusal: Refusal<'_>) -> Option<FixStep> {
        let definition = self.definition(number);
        let (name, id) = (|| definition.name.clone(), || self.room.hosts.list[host].host.id.clone());
        // Replicas share a definition: what is asked of one is asked of those beside it.
        let beside = self.earlier_replicas(number).filter(|&other| self.placed[other] == Some(host)).count() as u64;
        Some(match refusal {
            Refusal::Status(from) => FixStep::Activate { host: id(), from },
            Refusal::Label { key, wanted, found } => FixStep::Label {
                host: id(),
                key: key.to_owned(),
                from: found.map(str::to_owned),
                to: wanted.to_owned(),
            },
            Refusal::Datacenter { wanted, found: None, .. } => {
                FixStep::HostDatacenter { host: id(), to: wanted.to_owned() }
            }
            Refusal::Datacenter { wanted, found: Some(found), strategy } => {
                FixStep::Datacenter { container: (!strategy).then(name), from: wanted.to_owned(), to: found.to_owned() }
            }
            Refusal::FewProcessors { wanted, found } => {
                FixStep::MinProcessors { container: name(), from: thousandths(wanted), to: thousandths(found) }
            }
            Refusal::LittleMemory { wanted, found } => {
                FixStep::MinMemory { container: name(), from: wanted, to: plain(found) }
            }
            Refusal::Engine { need, .. } => FixStep::Equip { host: id(), with: need.capability() },
            // It may be mended there, and by nothing that a document says.
            Refusal::Tried => return None,
            Refusal::Port { holder: Holder::Planned(other), .. }
                if Arc::ptr_eq(self.definition(other), definition) && other != number =>
            {
                // Another number would be asked for by all of them; on other hosts there may be room for each.
                self.fewer_replicas(number).filter(|_| self.together)?
            }
            Refusal::Port { port, .. } => FixStep::HostPort {
                container: name(),
                protocol: port.protocol,
                from: port.number,
                to: self.spare(proposal, host, port)?,
            },
            Refusal::Name => FixStep::FreeName {
                host: id(),
                name: self.room.stack.engine_name(&self.room.members.list[number].name),
            },
            Refusal::Instances { most, there } => FixStep::MaxInstances { from: most, to: there.saturating_add(1) },
            Refusal::ProcessorsReserved { wanted, reserved, of } => {
                let (told, _) = proposal.reserved_by_others(&definition.name);
                let others = told.unwrap_or(reserved - beside as f64 * wanted);
                let to = thousandths((of - others) / (beside + 1) as f64);
                FixStep::Processors { container: name(), from: thousandths(wanted), to, reserved: thousandths(others) }
            }
            Refusal::MemoryReserved { wanted, reserved, of } => {
                let (_, told) = proposal.reserved_by_others(&definition.name);
                let others = told.unwrap_or_else(|| reserved.saturating_sub(wanted.saturating_mul(beside)));
                let to = plain(of.saturating_sub(others) / (beside + 1));
                FixStep::Memory { container: name(), from: wanted, to, reserved: others }
            }
        })
    }

    /// The next port that nobody on the host has and nobody in the stack asks for.
    fn spare(&self, proposal: &Proposal, host: usize, port: HostPort) -> Option<u16> {
        let is_given = |number: u16| {
            let given = |step: &FixStep| matches!(step, FixStep::HostPort { to, .. } if *to == number);
            proposal.steps.iter().any(given)
        };
        let mut others = (port.number..=u16::MAX).skip(1).chain((1024..port.number).rev());
        others.find(|&number| !is_given(number) && self.room.is_spare(host, HostPort { number, ..port }))
    }

    /// Asks for no more replicas than those before a member.
    pub(super) fn fewer_replicas(&self, number: usize) -> Option<FixStep> {
        let definition = self.definition(number);
        let from = definition.replicas?;
        let to = u32::try_from(self.earlier_replicas(number).count()).ok()?;
        (to > 0).then(|| FixStep::Replicas { container: definition.name.clone(), from, to })
    }

    /// A host that would take these members, all together.
    pub(super) fn new_host(&self, numbers: &[usize], within: Option<&str>) -> Option<FixStep> {
        let (mut labels, mut datacenter) = (TextMap::new(), within.map(str::to_owned));
        let mut engine: Vec<Capability> = Vec::new();
        let (mut least_cpu, mut least_memory, mut cpu, mut memory) = (0, 0, 0_u64, 0_u64);
        for &number in numbers {
            let definition = self.definition(number);
            for (key, value) in self.room.constraints.labels(definition) {
                let there = labels.entry(key.clone()).or_insert_with(|| value.clone());
                (there == value).then_some(())?;
            }
            for asked in self.room.constraints.datacenters(definition) {
                (datacenter.get_or_insert_with(|| asked.to_owned()) == asked).then_some(())?;
            }
            for constraint in self.room.constraints.for_container(definition) {
                least_cpu = least_cpu.max(constraint.min_cpu.map_or(0, upwards));
                least_memory = least_memory.max(constraint.min_memory.unwrap_or(0));
            }
            for need in
                needs(definition).map(Need::capability).filter(|need| !engine.contains(need)).collect::<Vec<_>>()
            {
                engine.push(need);
            }
            let asked = &definition.resources.reservations;
            cpu = cpu.saturating_add(asked.cpus.map_or(0, upwards));
            memory = memory.saturating_add(asked.memory.unwrap_or(0));
        }
        Some(FixStep::AddHost { cpu: cpu.max(least_cpu), memory: memory.max(least_memory), labels, datacenter, engine })
    }
}

/// Thousandths of a processor, rounded up.
fn upwards(processors: f64) -> u64 {
    let whole = thousandths(processors);
    if super::amount::processors(whole) < processors { whole + 1 } else { whole }
}

#[cfg(test)]
mod tests {
    use super::{FixStep, Proposal};

    #[test]
    fn what_two_replicas_must_give_up_is_one_step_that_suffices_for_both() {
        let (processors, memory) = (
            |container: &str, to| FixStep::Processors { container: container.to_owned(), from: 4_000, to, reserved: 0 },
            |container: &str, to| FixStep::Memory { container: container.to_owned(), from: 4_000, to, reserved: 0 },
        );
        let mut proposal = Proposal::of(processors("web", 2_000));
        for step in [processors("web", 1_000), processors("web", 3_000), memory("web", 500), memory("web", 700)] {
            assert_eq!(proposal.add(step), Some(()));
        }
        assert_eq!(proposal.add(processors("db", 100)), Some(()));
        assert_eq!(proposal.steps, [processors("web", 1_000), memory("web", 500), processors("db", 100)]);
    }
}
