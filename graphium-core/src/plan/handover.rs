//! Ports that go from one container of the stack to another.
//!
//! Who gives up a port is stopped first, by a task of its own that waits for nothing. So the taker
//! can start whatever else depends on whom, even where two containers change places.

use super::{
    PlannedTask,
    deploy::Draft,
    ports::{HostPort, Ports},
    room::fixed_ports,
    task::{Tasks, task},
};
use crate::{action::Action, id::HostId};
use std::collections::BTreeMap;

/// One that holds ports now and is about to be replaced or removed.
struct Giver<'a> {
    host: &'a HostId,
    engine_name: String,
    name: String,
    /// Its member, where it is replaced.
    member: Option<usize>,
    ports: Vec<HostPort>,
}

/// The stops that free ports, and who waits for them, by the numbers of the stops among themselves.
#[derive(Debug, Default)]
pub(super) struct Handover {
    stops: Vec<PlannedTask>,
    by_taker: BTreeMap<usize, Vec<usize>>,
    by_member: BTreeMap<usize, usize>,
    by_leftover: BTreeMap<(HostId, String), usize>,
}

impl Handover {
    pub(super) fn of(draft: &Draft<'_, '_>, changing: &[usize]) -> Self {
        let mut handover = Self::default();
        let givers = givers(draft, changing);
        if givers.is_empty() {
            return handover;
        }
        let mut held = Ports::new();
        for (number, giver) in givers.iter().enumerate() {
            if let Some(host) = draft.hosts.find(giver.host) {
                giver.ports.iter().for_each(|port| held.hold(host, *port, number));
            }
        }
        let mut stops: BTreeMap<usize, usize> = BTreeMap::new();
        for &taker in changing {
            let Some((id, host)) = draft.layout.host(taker).and_then(|id| Some((id, draft.hosts.find(id)?))) else {
                continue;
            };
            for port in fixed_ports(draft.layout.members.list[taker].definition) {
                let others = held.against(host, port).filter(|&giver| givers[giver].member != Some(taker));
                for number in others {
                    let giver = &givers[number];
                    let stop = *stops.entry(number).or_insert_with(|| {
                        let why = format!("`{}` takes its port {}", draft.name(taker), port.number);
                        handover.stops.push(stop(format!("stop:{}@{id}", giver.name), giver, why));
                        handover.stops.len() - 1
                    });
                    let waits = handover.by_taker.entry(taker).or_default();
                    if !waits.contains(&stop) {
                        waits.push(stop);
                    }
                    match giver.member {
                        Some(member) => handover.by_member.insert(member, stop),
                        None => handover.by_leftover.insert((giver.host.clone(), giver.engine_name.clone()), stop),
                    };
                }
            }
        }
        handover
    }

    /// Adds the stops before all other tasks, so that their numbers stay what they are.
    pub(super) fn begin(&mut self, tasks: &mut Tasks) {
        debug_assert!(tasks.list().is_empty(), "stops come first");
        for stop in self.stops.drain(..) {
            tasks.add(stop, []);
        }
    }

    /// The stops that a member's task waits for: those of others, and its own.
    pub(super) fn before(&self, member: usize) -> impl Iterator<Item = usize> + '_ {
        let others = self.by_taker.get(&member).into_iter().flatten();
        others.chain(self.by_member.get(&member)).copied()
    }

    /// The stop that a removal waits for.
    pub(super) fn before_removal(&self, host: &HostId, engine_name: &str) -> Option<usize> {
        if self.by_leftover.is_empty() {
            return None;
        }
        self.by_leftover.get(&(host.clone(), engine_name.to_owned())).copied()
    }
}

fn stop(id: String, giver: &Giver<'_>, why: String) -> PlannedTask {
    let undo = Action::Start { name: giver.engine_name.clone() };
    let action = Action::Stop { name: giver.engine_name.clone() };
    task(id, action, giver.host, why).of_container(&giver.name).undone_by(Some(undo))
}

/// Who holds ports and does not stay as it is.
fn givers<'a>(draft: &Draft<'a, '_>, changing: &[usize]) -> Vec<Giver<'a>> {
    let mut givers = Vec::new();
    for &member in changing {
        if let Some(there) = draft.there[member] {
            givers.push(Giver {
                host: &there.hosted_on,
                engine_name: there.name.clone(),
                name: draft.name(member).to_owned(),
                member: Some(member),
                ports: observed_ports(there),
            });
        }
    }
    for leftover in &draft.leftovers {
        let seen = leftover.seen.map(observed_ports);
        let applied = || {
            let before = draft.before?;
            let definition = before.layout.members.list[before.number(leftover.name)?].definition;
            Some(fixed_ports(definition).collect())
        };
        givers.push(Giver {
            host: leftover.host,
            engine_name: leftover.engine_name.to_string(),
            name: leftover.label.clone(),
            member: None,
            ports: seen.or_else(applied).unwrap_or_default(),
        });
    }
    givers.retain(|giver| !giver.ports.is_empty());
    givers
}

fn observed_ports(container: &crate::inventory::ObservedContainer) -> Vec<HostPort> {
    let ports = container.ports.iter();
    ports.filter_map(|port| Some(HostPort::new(port.host_port?, port.protocol, port.host_ip))).collect()
}
