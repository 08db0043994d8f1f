//! What goes from one container of the stack to another on the same host: ports, data, a place under another name.
//!
//! Two can have a port only one after the other, and data that one of them writes, too, unless they have it together in
//! one revision. Who gives up something is stopped first, by a task of its own that waits for no other container: for
//! nothing but what the takers need to start. So a taker can start whatever else depends on whom, even where two containers
//! change places. Only one that goes for a single taker, whose turn in a wave is to come, waits for that turn: nobody but the
//! taker waits for it.

use super::{
    PlannedTask,
    deploy::Draft,
    ports::{HostPort, Ports},
    rollout::Rollout,
    room::fixed_ports,
    setup::Ready,
    shared::{Access, Mounted, Source, beyond, mounted},
    task::{Tasks, task},
};
use crate::{action::Action, id::HostId, inventory::ObservedContainer, runtime::label, stack::UpdateOrder};
use std::collections::{BTreeMap, BTreeSet};

/// One that is there now, and is about to be replaced or removed.
struct Giver<'a> {
    host: &'a HostId,
    engine_name: String,
    name: &'a str,
    /// What its tasks call it.
    label: String,
    /// Its member, where it is replaced.
    member: Option<usize>,
    seen: Option<&'a ObservedContainer>,
    ports: Vec<HostPort>,
}

/// The stop of a giver.
#[derive(Debug)]
struct Stop {
    /// Its task, until it is added.
    task: Option<PlannedTask>,
    /// The number of its task, once it is added.
    number: Option<usize>,
    takers: BTreeSet<usize>,
    /// Whether its giver is no member, so that nothing but takers and its removal waits for it.
    is_of_leftover: bool,
}

impl Stop {
    fn add(&mut self, first: impl IntoIterator<Item = usize>, tasks: &mut Tasks) {
        if let Some(task) = self.task.take() {
            self.number = Some(tasks.add(task, first));
        }
    }
}

/// The stops that free something, and who waits for them, by the numbers of the stops among themselves.
#[derive(Debug, Default)]
pub(super) struct Handover {
    stops: Vec<Stop>,
    by_taker: BTreeMap<usize, Vec<usize>>,
    by_member: BTreeMap<usize, usize>,
    by_leftover: BTreeMap<(HostId, String), usize>,
    /// Members whose former ones stop for others, too.
    bereft: BTreeSet<usize>,
}

/// Finds out who gives what to whom.
struct Finder<'f, 'a, 'p> {
    draft: &'f Draft<'a, 'p>,
    givers: &'f [Giver<'p>],
    stops: BTreeMap<usize, usize>,
    handover: Handover,
}

impl Handover {
    pub(super) fn of<'p>(draft: &Draft<'_, 'p>, changing: &[usize]) -> Self {
        let givers = givers(draft, changing);
        let mut finder = Finder { draft, givers: &givers, stops: BTreeMap::new(), handover: Self::default() };
        if !givers.is_empty() {
            finder.ports(changing);
            finder.data(changing);
            finder.names(changing);
        }
        finder.handover
    }

    /// Adds the stops, each after what its takers need, but for those that [wait for a turn](Self::take_turn).
    pub(super) fn begin(&mut self, ready: &Ready<'_>, rollout: &Rollout, tasks: &mut Tasks) {
        for stop in &mut self.stops {
            let mut takers = stop.takers.iter();
            let is_in_turn = stop.is_of_leftover
                && matches!((takers.next(), takers.next()), (Some(&taker), None) if rollout.waits(taker));
            if !is_in_turn {
                let first: Vec<usize> = stop.takers.iter().flat_map(|&taker| ready.before(taker)).collect();
                stop.add(first, tasks);
            }
        }
    }

    /// Adds the stops that are not there yet and free something for a member, now that its turn is planned, which comes after
    /// these tasks.
    pub(super) fn take_turn(&mut self, member: usize, first: &[usize], tasks: &mut Tasks) {
        for &stop in self.by_taker.get(&member).into_iter().flatten() {
            self.stops[stop].add(first.iter().copied(), tasks);
        }
    }

    /// The stops that a member's task waits for: those of others, and its own.
    pub(super) fn before(&self, member: usize) -> impl Iterator<Item = usize> + '_ {
        let others = self.by_taker.get(&member).into_iter().flatten();
        others.chain(self.by_member.get(&member)).filter_map(|&stop| self.stops[stop].number)
    }

    /// Whether what a member was under another name stops for others, too, and so for no turn of the member's own.
    pub(super) fn is_bereft(&self, member: usize) -> bool {
        self.bereft.contains(&member)
    }

    /// Whether a member is stopped for others.
    pub(super) fn stops(&self, member: usize) -> bool {
        self.by_member.contains_key(&member)
    }

    /// The stop that a removal waits for.
    pub(super) fn before_removal(&self, host: &HostId, engine_name: &str) -> Option<usize> {
        if self.by_leftover.is_empty() {
            return None;
        }
        let stop = *self.by_leftover.get(&(host.clone(), engine_name.to_owned()))?;
        self.stops[stop].number
    }
}

impl Finder<'_, '_, '_> {
    /// Lets a taker wait until a giver has stopped.
    fn give(&mut self, giver: usize, taker: usize, why: impl FnOnce(&str) -> String) {
        let Giver { host, engine_name, label, member, .. } = &self.givers[giver];
        if *member == Some(taker) {
            return;
        }
        let Handover { stops, by_taker, by_member, by_leftover, .. } = &mut self.handover;
        let stop = *self.stops.entry(giver).or_insert_with(|| {
            let undo = Action::Start { name: engine_name.clone() };
            let action = Action::Stop { name: engine_name.clone() };
            let stop = task(format!("stop:{label}@{host}"), action, host, why(self.draft.name(taker)));
            stops.push(Stop {
                task: Some(stop.of_container(label).undone_by(Some(undo))),
                number: None,
                takers: BTreeSet::new(),
                is_of_leftover: member.is_none(),
            });
            stops.len() - 1
        });
        stops[stop].takers.insert(taker);
        let waits = by_taker.entry(taker).or_default();
        if !waits.contains(&stop) {
            waits.push(stop);
        }
        match member {
            Some(member) => by_member.insert(*member, stop),
            None => by_leftover.insert(((*host).clone(), engine_name.clone()), stop),
        };
    }

    fn ports(&mut self, changing: &[usize]) {
        let hosts = self.draft.hosts;
        let mut held = Ports::new();
        for (number, giver) in self.givers.iter().enumerate() {
            if let Some(host) = hosts.find(giver.host) {
                giver.ports.iter().for_each(|port| held.hold(host, *port, number));
            }
        }
        for &taker in changing {
            let Some(host) = self.draft.layout.host(taker).and_then(|host| hosts.find(host)) else { continue };
            for port in fixed_ports(self.draft.layout.members.list[taker].definition) {
                for giver in held.against(host, port) {
                    self.give(giver, taker, |name| format!("`{name}` takes its port {}", port.number));
                }
            }
        }
    }

    /// Data goes from who will not have it to who did not; of one whose definition nobody knows it may be anything.
    fn data(&mut self, changing: &[usize]) {
        let draft = self.draft;
        let takes: Vec<(usize, &HostId, Mounted<'_>)> = changing
            .iter()
            .filter_map(|&taker| {
                let host = draft.layout.host(taker)?;
                let wanted = mounted(draft.layout.stack, draft.layout.members.list[taker].definition);
                let engine_name = || draft.layout.stack.engine_name(draft.name(taker));
                let had = draft.there[taker].filter(|_| !wanted.is_empty());
                let had = had.and_then(|seen| present(draft, draft.name(taker), host, &engine_name(), Some(seen)));
                let takes = beyond(wanted, &had.unwrap_or_default());
                (!takes.is_empty()).then_some((taker, host, takes))
            })
            .collect();
        if takes.is_empty() {
            return;
        }
        let mut held: BTreeMap<(&HostId, Source<'_>), Vec<(usize, Access)>> = BTreeMap::new();
        let mut unknown: BTreeMap<&HostId, Vec<(usize, Mounted<'_>)>> = BTreeMap::new();
        for (number, giver) in self.givers.iter().enumerate() {
            let keeps = giver.member.map(|member| draft.layout.members.list[member].definition);
            let keeps = keeps.map(|definition| mounted(draft.layout.stack, definition)).unwrap_or_default();
            match present(draft, giver.name, giver.host, &giver.engine_name, giver.seen) {
                None => unknown.entry(giver.host).or_default().push((number, keeps)),
                Some(had) => {
                    for (source, access) in beyond(had, &keeps) {
                        held.entry((giver.host, source)).or_default().push((number, access));
                    }
                }
            }
        }
        for (taker, host, takes) in takes {
            for (source, access) in takes {
                for (giver, keeps) in unknown.get(host).into_iter().flatten() {
                    if keeps.get(&source) != Some(&Access::Writes) {
                        self.give(*giver, taker, |name| format!("`{name}` takes the {source}, which it may have too"));
                    }
                }
                let why = |name: &str| format!("`{name}` takes its {source}");
                for &(giver, had) in held.get(&(host, source.clone())).into_iter().flatten() {
                    if access.clashes(had) {
                        self.give(giver, taker, why);
                    }
                }
            }
        }
    }

    /// Who has another name is the same container still, and is updated in the order that the stack asks for. Comes last, for
    /// it looks at who takes what else.
    fn names(&mut self, changing: &[usize]) {
        let draft = self.draft;
        let renamed = changing.iter().filter_map(|&taker| Some((taker, draft.renames.former(taker)?)));
        for (taker, former) in renamed.filter(|(taker, former)| draft.layout.host(*taker) == Some(former.host)) {
            for (giver, _) in
                self.givers.iter().enumerate().filter(|(_, giver)| {
                    giver.member.is_none() && (giver.host, giver.name) == (former.host, former.name)
                })
            {
                if draft.layout.stack.deployment.update.order == UpdateOrder::StopFirst {
                    self.give(giver, taker, |name| format!("it goes on as `{name}`"));
                }
                let stop = self.stops.get(&giver).map(|&stop| &self.handover.stops[stop]);
                if stop.is_some_and(|stop| stop.takers.iter().any(|&other| other != taker)) {
                    self.handover.bereft.insert(taker);
                }
            }
        }
    }
}

/// What a container mounts that is there, or was applied; nothing is known where it was made from something else.
pub(super) fn present<'p>(
    draft: &Draft<'_, 'p>,
    name: &str,
    host: &HostId,
    engine_name: &str,
    seen: Option<&ObservedContainer>,
) -> Option<Mounted<'p>> {
    let before = draft.before?;
    let old = before.container(name, host).filter(|spec| spec.name == engine_name)?;
    let is_made_from =
        |seen: &ObservedContainer| seen.label(label::HASH).is_some_and(|hash| old.planned_hash().is(hash));
    let definition = before.definition(name).filter(|_| seen.is_none_or(is_made_from))?;
    Some(mounted(before.layout.stack, definition))
}

/// Who does not stay as it is.
fn givers<'p>(draft: &Draft<'_, 'p>, changing: &[usize]) -> Vec<Giver<'p>> {
    let mut givers = Vec::new();
    for &member in changing {
        if let Some(there) = draft.there[member] {
            givers.push(Giver {
                host: &there.hosted_on,
                engine_name: there.name.clone(),
                name: draft.name(member),
                label: draft.name(member).to_owned(),
                member: Some(member),
                seen: Some(there),
                ports: observed_ports(there),
            });
        }
    }
    for leftover in &draft.leftovers {
        let seen = leftover.seen.map(observed_ports);
        let applied = || {
            let definition = draft.before?.definition(leftover.name)?;
            Some(fixed_ports(definition).collect())
        };
        givers.push(Giver {
            host: leftover.host,
            engine_name: leftover.engine_name.to_string(),
            name: leftover.name,
            label: leftover.label.clone(),
            member: None,
            seen: leftover.seen,
            ports: seen.or_else(applied).unwrap_or_default(),
        });
    }
    givers
}

fn observed_ports(container: &ObservedContainer) -> Vec<HostPort> {
    let ports = container.ports.iter();
    ports.filter_map(|port| Some(HostPort::new(port.host_port?, port.protocol, port.host_ip))).collect()
}
