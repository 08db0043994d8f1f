//! What stands against a stack whatever hosts there are: no inventory is in reach here.
//!
//! Every host that the stack decides on is imagined as it would have to be: without bounds, with the labels and in the
//! datacenter that are asked of it. What the planner's own rules refuse even there, they refuse everywhere.

use super::{
    constraints::Constraints,
    hosts::{Hosts, Seen, Site},
    map::Map,
    members::Members,
    never,
    place::LISTED,
    refuse,
    room::{Holder, Refusal, Room},
    subject,
};
use crate::{
    diagnostic::{Diagnostic, Property, Subject},
    id::HostId,
    inventory::{Host, Inventory},
    stack::{Container, Mode, Stack, Strategy},
};
use std::{collections::BTreeSet, sync::Arc};

/// Everything for which [`plan`](super::plan) refuses a stack on any inventory, each about its subject.
///
/// Where there is nothing, hosts can be thought of on which the stack is planned without an error.
///
/// # Example
/// ```
/// use graphium_core::plan::{self, fixtures::{container, on, stack}};
/// use graphium_core::stack::Container;
///
/// let first = Container { depends_on: vec![on("second")], ..container("first") };
/// let second = Container { depends_on: vec![on("first")], ..container("second") };
/// let found = plan::contradictions(&stack("shop", vec![first, second]));
/// assert!(found[0].is_error() && found[0].message.contains("second"), "{}", found[0]);
/// assert_eq!(plan::contradictions(&stack("shop", vec![container("web")])), []);
/// ```
pub fn contradictions(stack: &Stack) -> Vec<Diagnostic> {
    let (members, mut errors) = Members::of(stack);
    let constraints = Constraints::of(stack);
    let bound: Vec<Option<&HostId>> = members.list.iter().map(|member| constraints.bound(member.definition)).collect();
    errors.extend(never::of_order(stack));
    of_strategy(stack, &members, &bound, &mut errors);
    of_hosts(stack, &members, &Ideal::of(stack, &members, &constraints, &bound), &mut errors);
    errors
}

/// Containers that the strategy leaves nobody to place, and those that are bound apart and shall be together.
fn of_strategy(stack: &Stack, members: &Members<'_>, bound: &[Option<&HostId>], errors: &mut Vec<Diagnostic>) {
    let free = members.list.iter().zip(bound).filter(|(_, host)| host.is_none());
    let mut free: Vec<&Arc<Container>> = free.map(|(member, _)| member.definition).collect();
    free.dedup_by(|one, other| Arc::ptr_eq(one, other));
    match stack.deployment.placement_strategy {
        Some(Strategy::Manual) => {
            errors.extend(free.iter().take(LISTED).map(|definition| refuse::no_host(definition)));
            if free.len() > LISTED {
                errors.push(unlisted("no-host", free.len() - LISTED));
            }
        }
        Some(Strategy::Datacenter) if stack.deployment.target_datacenter.is_none() && !free.is_empty() => {
            errors.push(refuse::missing_datacenter());
        }
        _ => {}
    }
    if stack.deployment.mode == Mode::SingleHost {
        let mut bound = members.list.iter().zip(bound).filter_map(|(member, host)| Some((member, (*host)?)));
        if let Some(first) = bound.next()
            && let Some(other) = bound.find(|(_, elsewhere)| *elsewhere != first.1)
        {
            errors.push(refuse::host_conflict(first, other));
        }
    }
}

/// Hosts as a stack would have to have them.
struct Ideal<'a> {
    grounds: Vec<Ground<'a>>,
    /// For each member, its host here, and the datacenter that the strategy asks of it.
    places: Vec<(usize, Option<&'a str>)>,
}

/// A host that is imagined.
struct Ground<'a> {
    host: Host,
    datacenter: Option<&'a str>,
    sharing: Sharing<'a>,
}

/// Who is to be on an imagined host.
#[derive(Clone, Copy)]
enum Sharing<'a> {
    /// Whoever is bound to this host.
    Bound(&'a HostId),
    /// All of the stack.
    All,
    /// Containers that need not share it: nothing keeps the planner from giving each one of its own.
    Nobody,
}

impl<'a> Ideal<'a> {
    fn of(
        stack: &'a Stack,
        members: &Members<'a>,
        constraints: &Constraints<'a>,
        bound: &[Option<&'a HostId>],
    ) -> Self {
        let within = match stack.deployment.placement_strategy {
            Some(Strategy::Datacenter) => stack.deployment.target_datacenter.as_deref(),
            _ => None,
        };
        let mut ideal = Self { grounds: vec![Ground::new(Sharing::Nobody)], places: Vec::new() };
        let all = (stack.deployment.mode == Mode::SingleHost).then(|| ideal.add(Sharing::All));
        let mut named: Map<&HostId, usize> = Map::default();
        let mut last: Option<(&Container, usize)> = None;
        for (member, host) in members.list.iter().zip(bound) {
            let definition: &Container = member.definition;
            let within = within.filter(|_| host.is_none());
            let demanding = constraints.labels(definition).next().is_some()
                || constraints.datacenters(definition).chain(within).next().is_some();
            let ground = match (all, *host, last) {
                (Some(all), ..) => all,
                (None, Some(host), _) => *named.entry(host).or_insert_with(|| ideal.add(Sharing::Bound(host))),
                (None, None, _) if !demanding => 0,
                // Replicas ask for the same.
                (None, None, Some((before, ground))) if std::ptr::eq(before, definition) => ground,
                (None, None, _) => ideal.add(Sharing::Nobody),
            };
            last = Some((definition, ground));
            if demanding {
                ideal.grounds[ground].suit(definition, constraints, within);
            }
            ideal.places.push((ground, within));
        }
        ideal
    }

    fn add(&mut self, sharing: Sharing<'a>) -> usize {
        self.grounds.push(Ground::new(sharing));
        self.grounds.len() - 1
    }
}

impl<'a> Ground<'a> {
    fn new(sharing: Sharing<'a>) -> Self {
        let host = Host { cpu: f64::INFINITY, memory: u64::MAX, ..Host::named(HostId::new("")) };
        Self { host, datacenter: None, sharing }
    }

    /// Lets it have what a container asks for, unless somebody asked for something else before.
    fn suit(&mut self, definition: &'a Container, constraints: &Constraints<'a>, within: Option<&'a str>) {
        for (key, wanted) in constraints.labels(definition) {
            self.host.labels.entry(key.clone()).or_insert_with(|| wanted.clone());
        }
        self.datacenter = self.datacenter.or(within).or_else(|| constraints.datacenters(definition).next());
    }
}

/// What the planner's rules refuse on the hosts that are imagined.
fn of_hosts(stack: &Stack, members: &Members<'_>, ideal: &Ideal<'_>, errors: &mut Vec<Diagnostic>) {
    let sites = ideal.grounds.iter().map(|ground| Site { host: &ground.host, datacenter: ground.datacenter });
    let (hosts, nothing) = (Hosts { list: sites.collect() }, Inventory::default());
    let seen = Seen::of(&nothing, &stack.id, &stack.name);
    let mut room = Room::new(stack, members, &hosts, &seen);
    let (mut told, mut more) = (BTreeSet::new(), 0);
    for (number, &(ground, within)) in ideal.places.iter().enumerate() {
        let definition = members.list[number].definition;
        let sharing = ideal.grounds[ground].sharing;
        for refusal in room.refusals(number, ground, within) {
            // Once for all replicas, and once for all that are too many.
            let who = Some(definition.name.as_str()).filter(|_| !matches!(refusal, Refusal::Instances { .. }));
            if !told.insert((ground, who, subject_key(&refusal))) {
                continue;
            }
            if told.len() > LISTED {
                more += 1;
                continue;
            }
            errors.push(refused(&room, number, sharing, &refusal));
        }
        if !matches!(sharing, Sharing::Nobody) {
            room.occupy(number, ground);
        }
    }
    if more > 0 {
        errors.push(unlisted("no-eligible-host", more));
    }
}

/// What tells one refusal of a container from another.
fn subject_key(refusal: &Refusal<'_>) -> String {
    subject::of_refusal(refusal).map(|property| property.to_string()).unwrap_or_default()
}

fn refused(room: &Room<'_, '_>, number: usize, sharing: Sharing<'_>, refusal: &Refusal<'_>) -> Diagnostic {
    let member = &room.members.list[number];
    let (name, definition) = (&member.name, member.definition);
    let (mut why, help) = match *refusal {
        Refusal::Label { key, wanted, found } => {
            let found = found.unwrap_or_default();
            (format!("its label `{key}` would have to be `{found}` and `{wanted}`"), "ask for one of the two")
        }
        Refusal::Datacenter { wanted, found, .. } => {
            let found = found.unwrap_or_default();
            (format!("it would have to be in the datacenters `{found}` and `{wanted}`"), "ask for one of the two")
        }
        Refusal::Instances { most, .. } => (
            format!("more than {most} of this stack would be on it (`maxInstancesPerHost`)"),
            match sharing {
                Sharing::All => "raise `maxInstancesPerHost`, or use the mode `multi-host`",
                Sharing::Bound(_) | Sharing::Nobody => "raise `maxInstancesPerHost`, or bind fewer containers to it",
            },
        ),
        Refusal::Port { port, holder } => {
            let other = match holder {
                Holder::Planned(other) => &*room.members.list[other].name,
                Holder::Seen(_) => "",
            };
            let number = port.number;
            let what = format!("`{other}` and `{name}` would both publish port {number}/{}", port.protocol.as_str());
            (what, "change one `hostPort`, or leave it out")
        }
        other => (format!("it {}", room.words(other)), "ask for less"),
    };
    let many = matches!(refusal, Refusal::Instances { .. } | Refusal::Port { .. });
    let (code, who) = match sharing {
        Sharing::Bound(host) => ("host-unsuitable", format!("the host `{host}` cannot suit `{name}`")),
        Sharing::All => ("no-eligible-host", "no host can take all containers of the stack".to_owned()),
        Sharing::Nobody => ("no-eligible-host", format!("no host can suit `{name}`")),
    };
    if matches!(sharing, Sharing::All) && !many {
        why += &format!(" for `{name}`");
    }
    let code = if matches!(refusal, Refusal::Port { .. }) { "host-port-clash" } else { code };
    let property = subject::of_refusal(refusal).unwrap_or(Property::Host);
    Diagnostic::error(code, "", format!("{who}: {why}")).with_help(help).about(subject::of(definition, property))
}

fn unlisted(code: &'static str, more: usize) -> Diagnostic {
    Diagnostic::error(
        code,
        "",
        format!("{} not listed", if more == 1 { "1 more is".to_owned() } else { format!("{more} more are") }),
    )
    .about(Subject::stack())
}
