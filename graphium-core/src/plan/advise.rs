//! Finding the smallest changes that let refused containers be placed: each proposal is tried by placing everything anew.
//!
//! Errors are taken one after the other, each with the changes of those before it made. So all changes together help, and
//! whoever has a place once another is helped needs no change of its own.

use super::{
    Applied, Options,
    fix::Fix,
    hosts::{Hosts, Seen},
    members::Members,
    place::{Placement, place},
    subject,
    wanting::Wanting,
};
use crate::{diagnostic::Diagnostic, inventory::Inventory, stack::Stack};
use std::collections::{BTreeMap, BTreeSet};

/// So many pairs of a container and a host may be looked at in all trials together, but for the first.
const WORK: usize = 20_000_000;
/// So many trials are made for all errors together.
const TRIALS: usize = 200;

/// Gives each error of placement the smallest change that helps, as far as there is one and it is found in good time.
pub(super) fn advise(
    desired: &Stack,
    applied: Option<&Applied>,
    observed: &Inventory,
    members: &Members<'_>,
    hosts: &Hosts<'_>,
    placement: &mut Placement<'_>,
) {
    let cost = members.list.len().saturating_mul(hosts.list.len()).max(1);
    let wanting = std::mem::take(&mut placement.wanting);
    let unplaced = unplaced(members, &placement.hosts);
    let fixes = wanting.iter().map(|wanting| (first(members, wanting), fixes_of(wanting, hosts))).collect();
    let left = (WORK / cost).clamp(1, TRIALS);
    let mut trials = Trials { now: Estate::of(desired, observed), applied, unplaced, fixes, left };
    let names = |who: &Wanting| who.members.iter().map(|&number| &*members.list[number].name).collect::<Vec<_>>();
    let mut remedies: Vec<Option<Remedy>> = wanting.iter().map(|_| None).collect();
    let mut helpless = 0;
    for at in 0..wanting.len() {
        if remedies[at].is_some() {
            continue;
        }
        let Some(fix) = trials.find(&names(&wanting[at]), helpless) else {
            helpless += 1;
            continue;
        };
        remedies[at] = Some(Remedy::Own(fix));
        for later in at + 1..wanting.len() {
            if remedies[later].is_none() && trials.helped(&names(&wanting[later])) {
                remedies[later] = Some(Remedy::Of(at));
            }
        }
    }
    tell(placement, members, wanting, remedies);
}

/// What is known to help somebody.
enum Remedy {
    Own(Fix),
    /// What is to be changed for the one of this number, after those before it.
    Of(usize),
}

/// A document and an estate in which changes are made.
struct Estate {
    stack: Stack,
    inventory: Inventory,
}

impl Estate {
    fn of(stack: &Stack, inventory: &Inventory) -> Self {
        Self { stack: stack.clone(), inventory: inventory.clone() }
    }

    fn with(&self, fix: &Fix) -> Self {
        let mut changed = Self::of(&self.stack, &self.inventory);
        fix.apply(&mut changed.stack, &mut changed.inventory);
        changed
    }
}

/// What was found out by trying.
struct Trials<'a> {
    /// With all changes that were found so far.
    now: Estate,
    applied: Option<&'a Applied>,
    /// Who has no place then.
    unplaced: BTreeSet<String>,
    /// What is proposed then, by the name of the first that it is for.
    fixes: BTreeMap<String, Vec<Fix>>,
    /// So many trials may still be made.
    left: usize,
}

impl Trials<'_> {
    fn helped(&self, names: &[&str]) -> bool {
        !names.iter().any(|name| self.unplaced.contains(*name))
    }

    /// The first change with which all of these have a place and nobody loses one; from then on it is made.
    ///
    /// `helpless` of those before them have no remedy, and will be told of again.
    fn find(&mut self, names: &[&str], helpless: usize) -> Option<Fix> {
        for fix in self.fixes.remove(*names.first()?)? {
            self.left = self.left.checked_sub(1)?;
            let changed = self.now.with(&fix);
            let Some(unplaced) = changed.unplaced(self.applied) else { continue };
            let helps = unplaced.is_subset(&self.unplaced) && !names.iter().any(|name| unplaced.contains(*name));
            if helps {
                (self.now, self.unplaced) = (changed, unplaced);
                self.fixes =
                    if self.unplaced.is_empty() { BTreeMap::new() } else { self.now.fixes(self.applied, helpless + 1) };
                return Some(fix);
            }
        }
        None
    }
}

impl Estate {
    /// Who has no place; absent where the stack contradicts itself.
    fn unplaced(&self, applied: Option<&Applied>) -> Option<BTreeSet<String>> {
        self.placed(applied, 0, |members, _, placement| unplaced(members, &placement.hosts))
    }

    /// What is proposed for the first of those that have none.
    fn fixes(&self, applied: Option<&Applied>, told: usize) -> BTreeMap<String, Vec<Fix>> {
        let fixes = self.placed(applied, told, |members, hosts, placement| {
            placement.wanting.iter().map(|wanting| (first(members, wanting), fixes_of(wanting, hosts))).collect()
        });
        fixes.unwrap_or_default()
    }

    fn placed<T>(
        &self,
        applied: Option<&Applied>,
        told: usize,
        then: impl FnOnce(&Members<'_>, &Hosts<'_>, Placement<'_>) -> T,
    ) -> Option<T> {
        let (members, errors) = Members::of(&self.stack);
        let Self { inventory, stack, .. } = self;
        let (hosts, seen) = (Hosts::of(inventory, stack), Seen::of(inventory, &stack.id, &stack.name));
        errors.is_empty().then(|| {
            let placement = place(&self.stack, &members, &hosts, &seen, applied, &Options::default(), told);
            then(&members, &hosts, placement)
        })
    }
}

fn unplaced(members: &Members<'_>, hosts: &[Option<usize>]) -> BTreeSet<String> {
    let unplaced = members.list.iter().zip(hosts).filter(|(_, host)| host.is_none());
    unplaced.map(|(member, _)| member.name.to_string()).collect()
}

fn first(members: &Members<'_>, wanting: &Wanting) -> String {
    wanting.members.first().map(|&number| members.list[number].name.to_string()).unwrap_or_default()
}

fn fixes_of(wanting: &Wanting, hosts: &Hosts<'_>) -> Vec<Fix> {
    let name = |host: usize| hosts.list[host].host.id.clone();
    wanting.proposals.iter().map(|proposal| proposal.clone().into_fix(name)).collect()
}

/// Puts what helps into the errors, and makes one of those that have the same reasons and the same remedy.
fn tell(
    placement: &mut Placement<'_>,
    members: &Members<'_>,
    mut wanting: Vec<Wanting>,
    remedies: Vec<Option<Remedy>>,
) {
    let mut merged = BTreeSet::new();
    for (at, remedy) in remedies.into_iter().enumerate() {
        let fix = match remedy {
            None => continue,
            Some(Remedy::Own(fix)) => fix,
            Some(Remedy::Of(other)) if wanting[other].plight == wanting[at].plight => {
                let more = std::mem::take(&mut wanting[at].members);
                wanting[other].members.extend(more);
                merged.insert(wanting[at].error);
                continue;
            }
            Some(Remedy::Of(_)) => Fix { host: None, steps: Vec::new() },
        };
        advise_one(&mut placement.errors[wanting[at].error], fix);
    }
    for Wanting { error, members: numbers, plight, .. } in &wanting {
        placement.errors[*error].message = plight.told_of(members, numbers);
    }
    let mut number = 0..;
    placement.errors.retain(|_| number.next().is_some_and(|number| !merged.contains(&number)));
}

fn advise_one(error: &mut Diagnostic, fix: Fix) {
    error.help = Some(fix.to_string());
    // Where something is to be changed is of more use than where it was found wrong.
    if let Some((container, property)) = fix.steps.iter().find_map(subject::of_step) {
        let subject = error.subject.get_or_insert_default();
        subject.container = container.map(str::to_owned).or(subject.container.take());
        subject.property = Some(property);
    }
    error.fix = Some(Box::new(fix));
}
