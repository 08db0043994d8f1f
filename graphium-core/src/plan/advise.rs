//! Finding the smallest change that lets a refused container be placed: each proposal is tried by placing everything anew.

use super::{
    Applied, Options,
    fix::Fix,
    hosts::{Hosts, Seen},
    members::Members,
    place::{Placement, Reasons, place},
    subject,
};
use crate::{inventory::Inventory, stack::Stack};
use std::collections::BTreeSet;

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
    let mut left = (WORK / cost).clamp(1, TRIALS);
    let placed: BTreeSet<&str> = names(members, &placement.hosts).collect();
    for wanting in std::mem::take(&mut placement.wanting) {
        let wanted: Vec<&str> = wanting.members.iter().map(|&number| &*members.list[number].name).collect();
        for proposal in wanting.proposals {
            if left == 0 {
                return;
            }
            left -= 1;
            let fix = proposal.into_fix(|host| hosts.list[host].host.id.clone());
            if helps(&fix, desired, applied, observed, |name| wanted.contains(&name) || placed.contains(name)) {
                let error = &mut placement.errors[wanting.error];
                error.help = Some(fix.to_string());
                // Where something is to be changed is of more use than where it was found wrong.
                if let Some((container, property)) = fix.steps.iter().find_map(subject::of_step) {
                    let subject = error.subject.get_or_insert_default();
                    subject.container = container.map(str::to_owned).or(subject.container.take());
                    subject.property = Some(property);
                }
                error.fix = Some(Box::new(fix));
                break;
            }
        }
    }
}

/// Whether with a change everything has a host that must have one.
fn helps(
    fix: &Fix,
    desired: &Stack,
    applied: Option<&Applied>,
    observed: &Inventory,
    must: impl Fn(&str) -> bool,
) -> bool {
    let (mut stack, mut inventory) = (desired.clone(), observed.clone());
    fix.apply(&mut stack, &mut inventory);
    let (members, errors) = Members::of(&stack);
    if !errors.is_empty() {
        return false;
    }
    let (hosts, seen) = (Hosts::of(&inventory, &stack), Seen::of(&inventory, &stack.id));
    let placement = place(&stack, &members, &hosts, &seen, applied, &Options::default(), Reasons::Kept);
    let mut all = members.list.iter().zip(&placement.hosts);
    // Of several that have become one the first is left, without its number.
    all.all(|(member, host)| host.is_some() || !must(&member.name) && !must(&format!("{}-1", member.name)))
}

fn names<'m>(members: &'m Members<'_>, hosts: &'m [Option<usize>]) -> impl Iterator<Item = &'m str> {
    members.list.iter().zip(hosts).filter(|(_, host)| host.is_some()).map(|(member, _)| &*member.name)
}
