//! Which host each container gets.
//!
//! Bound containers come first, then those that are somewhere already and may stay, then the others: each on the eligible
//! host with the fewest containers, or for `auto` with the highest score. For the fewest a host is looked up in an ordered
//! set, for the score in [heaps](super::rank), so the work hardly grows with the hosts.

use super::{
    Applied, Choice, Options,
    amount::count,
    explain,
    hosts::{Hosts, Own, Seen},
    members::Members,
    rank::Ranking,
    refuse,
    rename::Renames,
    room::{Refusal, Room},
    wanting::Wanting,
};
use crate::{
    diagnostic::{Diagnostic, Subject},
    id::HostId,
    inventory::{ContainerStatus, HostStatus},
    stack::{Container, Mode, Stack, Strategy},
};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// More errors of placement than these are counted, not listed.
pub(super) const LISTED: usize = 100;

/// The number of the host of each member.
#[derive(Debug)]
pub(super) struct Placement<'a> {
    pub(super) hosts: Vec<Option<usize>>,
    /// Who had another name before.
    pub(super) renames: Renames<'a>,
    pub(super) errors: Vec<Diagnostic>,
    pub(super) choices: Vec<Choice>,
    /// What could be changed for those that have none.
    pub(super) wanting: Vec<Wanting>,
    /// Who stays on a host that is to be left, and why.
    pub(super) staying: BTreeMap<usize, String>,
}

pub(super) struct Placer<'a, 'p> {
    pub(super) room: Room<'a, 'p>,
    applied: Option<&'a Applied>,
    renames: Renames<'a>,
    /// Where an earlier plan placed what.
    planned: &'p BTreeMap<String, HostId>,
    /// The datacenter that the strategy asks for.
    pub(super) within: Option<&'a str>,
    pub(super) placed: Vec<Option<usize>>,
    /// Why, if that is asked for.
    choices: Option<Vec<Choice>>,
    pub(super) errors: Vec<Diagnostic>,
    pub(super) unlisted: usize,
    /// So many errors are told.
    pub(super) told: usize,
    pub(super) wanting: Vec<Wanting>,
    /// Which of those wanting tells of the replicas of a container, by its name.
    pub(super) refused: BTreeMap<&'a str, usize>,
    /// Who stays on a host that is to be left, and why.
    pub(super) staying: BTreeMap<usize, String>,
}

/// Places every member, or says why one cannot be placed; `told` errors at most, and a count of the others.
pub(super) fn place<'a>(
    stack: &'a Stack,
    members: &Members<'a>,
    hosts: &Hosts<'a>,
    seen: &Seen<'a>,
    applied: Option<&'a Applied>,
    options: &Options,
    told: usize,
) -> Placement<'a> {
    let mut placer = Placer {
        room: Room::new(stack, members, hosts, seen),
        applied,
        renames: Renames::of(stack, members, applied),
        planned: &options.keep,
        within: None,
        placed: vec![None; members.list.len()],
        choices: options.explain.then(Vec::new),
        errors: Vec::new(),
        unlisted: 0,
        told,
        wanting: Vec::new(),
        refused: BTreeMap::new(),
        staying: BTreeMap::new(),
    };
    if options.is_move() {
        placer.leave(&options.leave, &options.avoid);
    } else {
        placer.place_all();
    }
    for Wanting { error, members: numbers, plight, .. } in &placer.wanting {
        placer.errors[*error].message = plight.told_of(members, numbers);
    }
    if placer.unlisted > 0 {
        let more = format!("{} cannot be placed", count(placer.unlisted, "more container"));
        placer.errors.push(Diagnostic::error("no-eligible-host", "", more).about(Subject::stack()));
    }
    Placement {
        hosts: placer.placed,
        renames: placer.renames,
        errors: placer.errors,
        choices: placer.choices.unwrap_or_default(),
        wanting: placer.wanting,
        staying: placer.staying,
    }
}
impl<'a> Placer<'a, '_> {
    /// Places every member: bound ones, those that are somewhere and may stay, then the others.
    fn place_all(&mut self) {
        let mut free = self.place_bound();
        match self.room.stack.deployment.placement_strategy {
            Some(Strategy::Manual) => {
                free.iter().for_each(|&number| self.refuse_unbound(number));
                free.clear();
            }
            Some(Strategy::Datacenter) => {
                self.within = self.room.stack.deployment.target_datacenter.as_deref();
                let is_there = |name| self.room.hosts.list.iter().any(|site| site.datacenter == Some(name));
                match self.within {
                    _ if free.is_empty() => {}
                    None => self.refuse_without_datacenter(std::mem::take(&mut free)),
                    Some(name) if !is_there(name) => self.refuse_unknown_datacenter(name, std::mem::take(&mut free)),
                    Some(_) => {}
                }
            }
            Some(Strategy::Auto | Strategy::Spread) | None => {}
        }
        match self.room.stack.deployment.mode {
            Mode::SingleHost => self.place_together(&free),
            Mode::MultiHost => {
                self.keep(&mut free);
                if self.room.stack.deployment.placement_strategy == Some(Strategy::Auto) {
                    self.weigh(&free);
                } else {
                    self.spread(&free);
                }
            }
        }
    }

    pub(super) fn name(&self, number: usize) -> &str {
        &self.room.members.list[number].name
    }

    pub(super) fn definition(&self, number: usize) -> &'a Container {
        self.room.members.list[number].definition
    }

    pub(super) fn host_name(&self, host: usize) -> &HostId {
        &self.room.hosts.list[host].host.id
    }

    pub(super) fn settle(&mut self, number: usize, host: usize, why: &str) {
        if let Some(choices) = &mut self.choices {
            let is_weighed = self.room.stack.deployment.placement_strategy == Some(Strategy::Auto);
            let (room, placed) = (&self.room, is_weighed.then_some(&*self.placed));
            let refusal = |other| room.refusal(number, other, self.within).map(|refusal| room.words(refusal));
            choices.push(explain::choice(room, (number, host), why, placed, refusal));
        }
        self.room.occupy(number, host);
        self.placed[number] = Some(host);
    }

    /// Places what names its host, and returns what does not.
    fn place_bound(&mut self) -> Vec<usize> {
        let mut free = Vec::new();
        for number in 0..self.placed.len() {
            let Some(id) = self.room.constraints.bound(self.definition(number)) else {
                free.push(number);
                continue;
            };
            let Some(host) = self.room.hosts.find(id) else {
                self.refuse_unknown(number, id);
                continue;
            };
            let status = self.room.hosts.list[host].host.status;
            let closed = matches!(status, HostStatus::Maintenance | HostStatus::Draining);
            let closed = (closed && !self.is_at(number, id)).then_some(Refusal::Status(status));
            if closed.is_none() && self.room.refusal(number, host, None).is_none() {
                self.settle(number, host, "the document names it");
            } else {
                self.refuse_bound(number, host, closed);
            }
        }
        free
    }

    /// Whether a container is on a host already, by sight or by the revision that was applied.
    fn is_at(&self, number: usize, host: &HostId) -> bool {
        let former = self.renames.former(number).map(|former| former.name);
        [self.name(number)].into_iter().chain(former).any(|name| {
            self.room.seen.named(name).iter().any(|own| own.container.hosted_on == *host)
                || self.applied.and_then(|applied| applied.placements.get(name)) == Some(host)
        })
    }

    /// Where a container is already, under its name or the one that it had before: planned before seen running, that before
    /// seen, seen before applied.
    pub(super) fn current(&self, number: usize) -> Option<usize> {
        let name = self.name(number);
        let former = || self.whereabouts(self.renames.former(number)?.name);
        let host = self.planned.get(name).or_else(|| self.whereabouts(name)).or_else(former);
        self.room.hosts.find(host?)
    }

    fn whereabouts(&self, name: &str) -> Option<&HostId> {
        let applied = || self.applied.and_then(|applied| applied.placements.get(name));
        match self.room.seen.named(name) {
            [] => applied(),
            [own] => Some(&own.container.hosted_on),
            several => {
                let applied = applied();
                let preference = |own: &&Own<'_>| {
                    (Some(&own.container.hosted_on) != applied, own.container.status != ContainerStatus::Running)
                };
                several.iter().min_by_key(preference).map(|own| &own.container.hosted_on)
            }
        }
    }

    /// Leaves where it is whatever may stay there.
    fn keep(&mut self, free: &mut Vec<usize>) {
        free.retain(|&number| {
            let stays = self.current(number).filter(|&host| {
                self.room.hosts.list[host].is_active() && self.room.refusal(number, host, self.within).is_none()
            });
            if let Some(host) = stays {
                self.settle(number, host, "it is there already");
            }
            stays.is_none()
        });
    }

    /// Places each on the eligible host with the fewest containers.
    pub(super) fn spread(&mut self, free: &[usize]) {
        let mut queue: BTreeSet<(usize, usize)> = self.candidates().collect();
        for &number in free {
            let preferred = self.room.members.list[number].definition.requirements.preferred_datacenter.as_deref();
            let eligible = |host: usize| self.room.refusal(number, host, self.within).is_none();
            let near = preferred.and_then(|preferred| {
                let is_near = |host: usize| self.room.hosts.list[host].datacenter == Some(preferred);
                queue.iter().copied().find(|&(_, host)| is_near(host) && eligible(host))
            });
            match near.or_else(|| queue.iter().copied().find(|&(_, host)| eligible(host))) {
                Some((count, host)) => {
                    queue.remove(&(count, host));
                    queue.insert((count + 1, host));
                    let why = match preferred {
                        None => Cow::Borrowed("fewest containers"),
                        Some(name) if near.is_some() => {
                            Cow::Owned(format!("fewest containers in `{name}`, its preferred datacenter"))
                        }
                        Some(name) => Cow::Owned(format!(
                            "fewest containers; none in `{name}`, its preferred datacenter, takes it"
                        )),
                    };
                    self.settle(number, host, &why);
                }
                None => self.refuse_everywhere(number),
            }
        }
    }

    /// Places each on the eligible host with the highest score, dependencies first.
    pub(super) fn weigh(&mut self, free: &[usize]) {
        let mut ranking = Ranking::default();
        let mut is_free = vec![false; self.placed.len()];
        free.iter().for_each(|&number| is_free[number] = true);
        for &number in self.room.members.order.iter().filter(|&&number| is_free[number]) {
            match ranking.best(&self.room, number, self.within, &self.placed) {
                Some(host) => self.settle(number, host, "highest score"),
                None => self.refuse_everywhere(number),
            }
        }
    }

    /// Active hosts with the number of containers that they bear.
    fn candidates(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        let hosts = self.room.hosts.list.iter().enumerate();
        hosts.filter(|(_, site)| site.is_active()).map(|(host, _)| (self.room.containers(host), host))
    }

    /// Places all on one host: the one that bound containers name, else where one is already, else the emptiest that takes all.
    pub(super) fn place_together(&mut self, free: &[usize]) {
        let mut bound = self.placed.iter().enumerate().filter_map(|(number, host)| Some((number, (*host)?)));
        let candidates: Vec<usize> = match bound.next() {
            Some((first, host)) => {
                if let Some((other, elsewhere)) = bound.find(|&(_, other)| other != host) {
                    if !self.tells() {
                        return;
                    }
                    let bound = |number: usize, host: usize| (&self.room.members.list[number], self.host_name(host));
                    let conflict = refuse::host_conflict(bound(first, host), bound(other, elsewhere));
                    self.errors.push(conflict);
                    return;
                }
                vec![host]
            }
            None => {
                let mut candidates: Vec<_> = self.candidates().collect();
                let current = free.iter().find_map(|&number| self.current(number));
                candidates.sort_by_key(|&(count, host)| (Some(host) != current, count, host));
                candidates.into_iter().map(|(_, host)| host).collect()
            }
        };
        if free.is_empty() || candidates.iter().any(|&host| self.try_together(free, host).is_ok()) {
            return;
        }
        self.refuse_together(free, &candidates);
    }

    pub(super) fn try_together(&mut self, free: &[usize], host: usize) -> Result<(), (usize, Refusal<'a>)> {
        for (done, &number) in free.iter().enumerate() {
            if let Some(refusal) = self.room.refusal(number, host, self.within) {
                for &placed in &free[..done] {
                    self.room.vacate(placed, host);
                    self.choices.iter_mut().for_each(|choices| drop(choices.pop()));
                    self.placed[placed] = None;
                }
                return Err((number, refusal));
            }
            self.settle(number, host, "all of the stack on one host");
        }
        Ok(())
    }
}
