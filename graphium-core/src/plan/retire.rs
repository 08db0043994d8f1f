//! Taking away what is left over: containers in reverse order, then networks that nobody uses.

use super::{
    PlannedTask,
    before::Before,
    deploy::Draft,
    handover::Handover,
    lasting::{LastingKind, drift},
    layout,
    leftover::Leftover,
    task::{Tasks, task},
};
use crate::{action::Action, id::HostId};
use std::collections::{BTreeMap, BTreeSet};

/// The numbers of deletions.
#[derive(Default)]
pub(super) struct Deletions<'l> {
    /// By host.
    pub(super) by_host: BTreeMap<HostId, Vec<usize>>,
    /// By host and name on the engine.
    pub(super) by_leftover: BTreeMap<(&'l HostId, &'l str), usize>,
}

/// Adds deletions, each after those of what depended on it; `first` adds what else one waits for, `why` gives its reason.
pub(super) fn deletions<'l>(
    leftovers: &'l [Leftover<'_>],
    before: Option<&Before<'_, '_>>,
    first: impl Fn(&Leftover<'_>, &mut Vec<usize>),
    why: impl Fn(&Leftover<'_>) -> String,
    tasks: &mut Tasks,
) -> Deletions<'l> {
    let mut by_name: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    let mut position = BTreeMap::new();
    if let Some(before) = before {
        for (place, &number) in before.layout.members.order.iter().enumerate() {
            position.insert(&*before.layout.members.list[number].name, place);
        }
    }
    let mut sorted: Vec<&Leftover<'_>> = leftovers.iter().collect();
    // Those that no revision tells of come first; nothing is known to depend on them.
    sorted.sort_by_key(|leftover| std::cmp::Reverse(position.get(leftover.name).copied().unwrap_or(usize::MAX)));
    let mut deletions = Deletions::default();
    for leftover in sorted {
        let mut awaited = Vec::new();
        first(leftover, &mut awaited);
        for dependant in before.into_iter().flat_map(|before| before.dependants(leftover.name)) {
            awaited.extend(by_name.get(dependant).into_iter().flatten());
        }
        let old = before.and_then(|before| before.container(leftover.name, leftover.host));
        let old = old.filter(|spec| spec.name == leftover.engine_name);
        let lasting = old.as_ref().and_then(|old| drift(leftover.seen, old));
        let undo = old.map(|spec| Action::Deploy { spec });
        let action = Action::Delete { name: leftover.engine_name.to_string() };
        let task = task(leftover.task_id("delete"), action, leftover.host, why(leftover)).of_container(leftover.name);
        let number = tasks.add(task.undone_by(undo).leaving(lasting), awaited);
        by_name.entry(leftover.name).or_default().push(number);
        deletions.by_host.entry(leftover.host.clone()).or_default().push(number);
        deletions.by_leftover.insert((leftover.host, &leftover.engine_name), number);
    }
    deletions
}

/// Adds to a deployment's tasks those that take away what is left over; `made` are the tasks of its members.
pub(super) fn retire(draft: &Draft<'_, '_>, handover: &Handover, made: &[Option<usize>], tasks: &mut Tasks) {
    let members = draft.layout.members;
    let networks = networks_to_go(draft);
    if draft.leftovers.is_empty() && networks.is_empty() {
        return;
    }
    let by_name = members.by_name();
    let successor = |name: &str| by_name.get(name).copied().or_else(|| draft.renames.successor(name));
    let task_of = |name: &str| successor(name).and_then(|number| made[number]);
    let first = |leftover: &Leftover<'_>, first: &mut Vec<usize>| {
        first.extend(handover.before_removal(leftover.host, &leftover.engine_name));
        // The new one first, and those that used the old one.
        first.extend(task_of(leftover.name));
        let dependants = draft.before.into_iter().flat_map(|before| before.dependants(leftover.name));
        first.extend(dependants.filter_map(task_of));
    };
    let why = |leftover: &Leftover<'_>| match by_name.get(leftover.name).and_then(|&number| draft.layout.host(number)) {
        None => match draft.renames.successor(leftover.name) {
            Some(number) => format!("goes on as `{}`", draft.name(number)),
            None => "is no longer part of the stack".to_owned(),
        },
        Some(host) if host == leftover.host => "is replaced under another name".to_owned(),
        Some(host) => format!("moves to `{host}`"),
    };
    let deletions = deletions(&draft.leftovers, draft.before, first, why, tasks);
    let was_on = draft.before.map(Before::network_hosts).unwrap_or_default();
    for (host, name) in networks {
        let is_update = |task: &PlannedTask| task.host == *host && matches!(task.action, Action::Update { .. });
        let updates = tasks.list().iter().enumerate().filter(|(_, task)| is_update(task)).map(|(number, _)| number);
        let mut first: Vec<usize> = updates.collect();
        first.extend(deletions.by_host.get(host).into_iter().flatten());
        tasks.add(remove_network(host, name, draft.before, &was_on), first);
    }
}

/// Networks that were the stack's and will not be: its own, on hosts where none of its containers uses it any more.
fn networks_to_go<'d>(draft: &'d Draft<'_, '_>) -> BTreeSet<(&'d HostId, &'d str)> {
    let stack = draft.layout.stack;
    let was = draft.before.map_or(stack, |before| before.layout.stack);
    if layout::network(was).is_none() {
        return BTreeSet::new();
    }
    let mut gone: BTreeSet<(&HostId, &str)> = BTreeSet::new();
    let name = layout::network_name(was);
    if let Some(before) = draft.before {
        gone.extend(before.network_hosts().into_iter().map(|host| (host, name)));
    }
    // Of what was never applied there nobody knows whether it used the network; to remove one that is absent does no harm.
    let applied_there = |leftover: &&Leftover<'_>| {
        draft.before.is_some_and(|before| {
            before.number(leftover.name).and_then(|number| before.layout.host(number)) == Some(leftover.host)
        })
    };
    let unknown = draft.leftovers.iter().filter(|leftover| !applied_there(leftover));
    gone.extend(unknown.map(|leftover| (leftover.host, name)));
    for (number, member) in draft.layout.members.list.iter().enumerate() {
        if gone.is_empty() {
            break;
        }
        if let Some(host) = draft.layout.host(number).filter(|_| member.definition.network_mode.is_none()) {
            gone.remove(&(host, layout::network_name(stack)));
        }
    }
    gone
}

/// The removal of a network from a host.
pub(super) fn remove_network(
    host: &HostId,
    name: &str,
    before: Option<&Before<'_, '_>>,
    was_on: &BTreeSet<&HostId>,
) -> PlannedTask {
    let spec = before.and_then(|before| layout::network(before.layout.stack)).filter(|spec| spec.name == name);
    let lasting = (spec.is_some() && !was_on.contains(host)).then_some(LastingKind::Network);
    let action = Action::RemoveNetwork { name: name.to_owned() };
    task(format!("remove-network:{host}"), action, host, "no container of the stack uses it any more")
        .undone_by(spec.map(|spec| Action::Network { spec: Box::new(spec) }))
        .leaving(lasting)
}
