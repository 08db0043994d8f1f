//! What is worth knowing before a plan is carried out.

use super::{
    before::Before,
    deploy::Draft,
    hosts::{Hosts, Seen},
    layout::{self, Layout},
    leftover::Leftover,
    members::{Member, Members},
    reach,
    room::fixed_ports,
    subject,
};
use crate::{
    diagnostic::{Diagnostic, Property, Severity, Subject},
    id::HostId,
    inventory::ContainerStatus,
    runtime::label,
    stack::{Condition, Stack},
};
use std::collections::{BTreeMap, BTreeSet};

/// A warning that has no place in a source text.
pub(super) fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
    Diagnostic { severity: Severity::Warning, ..Diagnostic::error(code, "", message) }
}

/// Where containers will not find each other.
pub(super) fn of_reach(layout: &Layout<'_, '_>) -> Vec<Diagnostic> {
    let mut warnings = Vec::new();
    let members = layout.members;
    let reach = &layout.reach;
    let mut nowhere: BTreeMap<&HostId, Vec<usize>> = BTreeMap::new();
    for &number in &reach.unreachable {
        if let Some(host) = layout.host(number) {
            nowhere.entry(host).or_default().push(number);
        }
    }
    if members.list.len() > 1 {
        for (host, services) in nowhere {
            let names = names(members, &services);
            let message =
                format!("the address of `{host}` is not known: the others get no endpoint variables for {names}");
            let first = services.first().map(|&number| &**members.list[number].definition);
            let port = |definition| Some(subject::of(definition, subject::port(fixed_ports(definition).next()?)));
            warnings.push(warning("unknown-address", message).about(first.and_then(port).unwrap_or_default()));
        }
    }
    for &number in &reach.ambiguous {
        let Member { name, definition } = &members.list[number];
        let message = format!("the endpoint variables of `{name}` would have the names of another's, and are left out");
        warnings.push(warning("endpoint-clash", message).about(subject::of(definition, Property::Name)));
    }
    if reach.len() > reach::ALL {
        let message = format!(
            "{} containers publish ports: each container gets endpoint variables only for those that it depends on \
             (up to {} it would get all)",
            reach.len(),
            reach::ALL
        );
        warnings.push(warning("many-endpoints", message).about(Subject::stack()));
    }
    warnings.extend(of_cut_off(layout));
    warnings
}

/// Other stacks that are to run before this one and do not, as far as the hosts show it.
pub(super) fn of_stacks(stack: &Stack, seen: &Seen<'_>) -> Vec<Diagnostic> {
    if stack.depends_on.is_empty() {
        return Vec::new();
    }
    // By name and by id, whether anything of it runs.
    let mut runs: BTreeMap<&str, bool> = BTreeMap::new();
    for container in &seen.others {
        for word in [label::STACK, label::STACK_NAME].into_iter().filter_map(|name| container.label(name)) {
            *runs.entry(word).or_default() |= container.status == ContainerStatus::Running;
        }
    }
    let warned = stack.depends_on.iter().filter_map(|on| {
        let what = match runs.get(on.as_str()) {
            Some(true) => return None,
            Some(false) => "of which nothing runs",
            None => "which is on none of the hosts",
        };
        let message = format!("the stack `{}` depends on the stack `{on}`, {what}", stack.name);
        let subject = Subject::stack().property(Property::StackDependency { on: on.clone() });
        let help = "deploy that one first: nothing waits for it";
        Some(warning("stack-not-running", message).with_help(help).about(subject))
    });
    warned.collect()
}

/// A container on another host is reached through a fixed port or not at all; one warning speaks for all.
fn of_cut_off(layout: &Layout<'_, '_>) -> Option<Diagnostic> {
    const SHOWN: usize = 5;
    let members = layout.members;
    let mut shown = Vec::new();
    let mut first = None;
    let mut count = 0_usize;
    for number in 0..members.list.len() {
        for edge in members.graph.dependencies(number) {
            let apart = layout.host(number) != layout.host(edge.on);
            if apart && edge.condition != Condition::Completed && !layout.reach.knows(edge.on) {
                count += 1;
                if shown.len() < SHOWN {
                    let (on, who) = (&members.list[edge.on], &members.list[number]);
                    shown.push(format!("`{}` from `{}`", on.name, who.name));
                    first.get_or_insert_with(|| subject::of(who.definition, subject::dependency(&on.definition.name)));
                }
            }
        }
    }
    let more = if count > SHOWN { format!(" and {} more", count - SHOWN) } else { String::new() };
    (count > 0).then(|| {
        warning(
            "no-way-across",
            format!(
                "containers on other hosts cannot be reached, for they publish no fixed port: {}{more}",
                shown.join(", ")
            ),
        )
        .with_help("publish a port with a `hostPort`, or place them on one host")
        .about(first.unwrap_or_default())
    })
}

/// Containers of which nobody knows which settings they have; one warning speaks for all.
pub(super) fn of_unsure(draft: &Draft<'_, '_>) -> Option<Diagnostic> {
    let (members, unsure) = (draft.layout.members, &draft.unsure);
    let first = members.list[*unsure.first()?].definition;
    let message = format!(
        "which restart policy and limits these have now is not known, so whether they are as wanted is not either: {}",
        names(members, unsure)
    );
    let help = "plan on a server, or with an inventory that tells the `settings` of its containers";
    Some(warning("unknown-settings", message).with_help(help).about(subject::of(first, None)))
}

/// What becomes of things that deletions do not touch, and deletions that cannot be done soon.
pub(super) fn of_leftovers(
    layout: &Layout<'_, '_>,
    before: Option<&Before<'_, '_>>,
    leftovers: &[Leftover<'_>],
    hosts: &Hosts<'_>,
) -> Vec<Diagnostic> {
    let mut warnings = of_unknown_hosts(leftovers, hosts);
    if leftovers.is_empty() {
        return warnings;
    }
    let Some(before) = before else {
        warnings.extend(of_moves(layout, leftovers));
        return warnings;
    };
    // The volumes, each with the name of the container that had it.
    let mut kept: BTreeMap<(&HostId, String), &str> = BTreeMap::new();
    for leftover in leftovers {
        let engine_name = |volume| layout::volume_name(before.layout.stack, volume).into_owned();
        for volume in volumes_of(before, leftover) {
            kept.entry((leftover.host, engine_name(volume))).or_insert(leftover.name);
        }
    }
    if kept.is_empty() {
        return warnings;
    }
    let still_mounted = still_mounted(layout);
    kept.retain(|volume, _| !still_mounted.contains(volume));
    let by_name = layout.members.by_name();
    warnings.extend(kept.into_iter().map(|((host, volume), name)| {
        let warning = volume_kept(host, &volume);
        // What the document does not have any more is nowhere in it.
        match by_name.get(name) {
            Some(&number) => warning.about(subject::of(layout.members.list[number].definition, Property::Host)),
            None => warning,
        }
    }));
    warnings
}

/// What moves leaves its volumes where it was. What it had there is not known without the revision that was applied, so
/// it is taken to be what it is to have.
fn of_moves(layout: &Layout<'_, '_>, leftovers: &[Leftover<'_>]) -> Vec<Diagnostic> {
    let by_name = layout.members.by_name();
    let moved = leftovers.iter().filter_map(|leftover| Some((leftover.host, *by_name.get(leftover.name)?)));
    let moved = moved.filter(|(from, number)| layout.host(*number).is_some_and(|to| to != *from));
    let each = moved.flat_map(|(from, number)| {
        let definition = layout.members.list[number].definition;
        layout::own_volumes(layout.stack, definition).map(move |volume| {
            let volume = layout::volume_name(layout.stack, volume);
            let message = format!("what the volume `{volume}` holds on `{from}` stays there");
            warning("volume-kept", message).about(subject::of(definition, Property::Host))
        })
    });
    each.collect()
}

/// The stack's own volumes that its containers mount on their hosts, by their names there.
pub(super) fn still_mounted<'a>(layout: &Layout<'a, '_>) -> BTreeSet<(&'a HostId, String)> {
    let mut mounted = BTreeSet::new();
    for (number, member) in layout.members.list.iter().enumerate() {
        if let Some(host) = layout.host(number) {
            for volume in layout::own_volumes(layout.stack, member.definition) {
                mounted.insert((host, layout::volume_name(layout.stack, volume).into_owned()));
            }
        }
    }
    mounted
}

/// Names in the document of the volumes that a leftover has mounted, as far as they are the stack's own.
pub(super) fn volumes_of<'b>(
    before: &'b Before<'_, '_>,
    leftover: &Leftover<'_>,
) -> impl Iterator<Item = &'b str> + use<'b> {
    let layout = &before.layout;
    let definition = before.number(leftover.name).map(|number| layout.members.list[number].definition);
    definition.into_iter().flat_map(|definition| layout::own_volumes(layout.stack, definition))
}

pub(super) fn volume_kept(host: &HostId, volume: &str) -> Diagnostic {
    warning("volume-kept", format!("the volume `{volume}` stays on `{host}` with its data"))
}

pub(super) fn of_unknown_hosts(leftovers: &[Leftover<'_>], hosts: &Hosts<'_>) -> Vec<Diagnostic> {
    let unknown: BTreeSet<&HostId> =
        leftovers.iter().map(|leftover| leftover.host).filter(|host| hosts.find(host).is_none()).collect();
    let each = unknown.into_iter().map(|host| {
        warning(
            "unknown-host",
            format!("the host `{host}` is not known any more: what is to be removed there waits until it returns"),
        )
    });
    each.collect()
}

/// Names in quotes, the first few of them.
pub(super) fn names(members: &Members<'_>, numbers: &[usize]) -> String {
    const SHOWN: usize = 5;
    let name = |number: &usize| format!("`{}`", members.list[*number].name);
    let shown: Vec<String> = numbers.iter().take(SHOWN).map(name).collect();
    match numbers.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
