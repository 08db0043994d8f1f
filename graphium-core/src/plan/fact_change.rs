//! How the facts of a plan differ from those of another time.

use super::{
    amount::count,
    facts::{AppliedFact, ContainerFact, Facts, HostFact},
    live,
};
use crate::inventory::{ContainerStatus, HostStatus};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

/// A fact that is not as it was: ``host `vm2` was active and is offline now``. Without values of variables.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FactChange {
    /// What it is a fact of.
    pub subject: String,
    /// How it was when the plan was made.
    pub was: String,
    /// How it is.
    pub is: String,
}

impl fmt::Display for FactChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} and {} now", self.subject, self.was, self.is)
    }
}

pub(super) fn changes(then: &Facts, now: &Facts, stack: &str) -> Vec<FactChange> {
    let mut changes = Changes::default();
    changes.of_stack(then.applied.as_ref(), now.applied.as_ref(), stack);
    let by_id =
        |facts: &[HostFact]| facts.iter().map(|host| (host.id.clone(), host.clone())).collect::<BTreeMap<_, _>>();
    for (id, was, is) in pairs(&by_id(&then.hosts), &by_id(&now.hosts)) {
        changes.subject = format!("host `{id}`");
        changes.of_host(was, is);
    }
    let by_name = |facts: &[ContainerFact]| {
        facts.iter().map(|seen| ((seen.host.clone(), seen.name.clone()), seen.clone())).collect::<BTreeMap<_, _>>()
    };
    for ((host, name), was, is) in pairs(&by_name(&then.containers), &by_name(&now.containers)) {
        changes.subject = format!("container `{name}` on `{host}`");
        changes.of_container(was, is);
    }
    changes.found
}

/// What two maps have under each key that one of them has.
fn pairs<'m, K: Ord, V>(
    then: &'m BTreeMap<K, V>,
    now: &'m BTreeMap<K, V>,
) -> impl Iterator<Item = (&'m K, Option<&'m V>, Option<&'m V>)> {
    let keys: BTreeSet<&K> = then.keys().chain(now.keys()).collect();
    keys.into_iter().map(|key| (key, then.get(key), now.get(key)))
}

/// Which side a sentence is about.
#[derive(Clone, Copy)]
enum Tense {
    Was,
    Is,
}

impl Tense {
    fn be(self) -> &'static str {
        match self {
            Self::Was => "was",
            Self::Is => "is",
        }
    }

    fn have(self) -> &'static str {
        match self {
            Self::Was => "had",
            Self::Is => "has",
        }
    }
}

#[derive(Default)]
struct Changes {
    subject: String,
    found: Vec<FactChange>,
}

impl Changes {
    /// Tells of one side and the other, where they differ.
    fn compare<T: PartialEq>(&mut self, was: T, is: T, told: impl Fn(Tense, &T) -> String) {
        if was != is {
            self.push(told(Tense::Was, &was), told(Tense::Is, &is));
        }
    }

    fn push(&mut self, was: String, is: String) {
        self.found.push(FactChange { subject: self.subject.clone(), was, is });
    }

    fn of_stack(&mut self, was: Option<&AppliedFact>, is: Option<&AppliedFact>, stack: &str) {
        self.subject = format!("the stack `{stack}`");
        let revision = |applied: Option<&AppliedFact>| applied.map(|applied| applied.revision);
        self.compare(revision(was), revision(is), |tense, revision| match revision {
            Some(revision) => format!("{} at revision {revision}", tense.be()),
            None => format!("{} not there", tense.be()),
        });
        let (Some(was), Some(is)) = (was, is) else { return };
        // Another revision has other places; that it is another says enough.
        if was.revision != is.revision {
            return;
        }
        for (name, was, is) in pairs(&was.placements, &is.placements) {
            self.subject = format!("container `{name}` of the stack `{stack}`");
            self.compare(was, is, |tense, host| match host {
                Some(host) => format!("{} last placed on `{host}`", tense.be()),
                None => format!("{} not placed", tense.be()),
            });
        }
    }

    fn of_host(&mut self, was: Option<&HostFact>, is: Option<&HostFact>) {
        let status = |host: Option<&HostFact>| host.map(|host| host.status);
        self.compare(status(was), status(is), |tense, status| format!("{} {}", tense.be(), host_word(*status)));
        let (Some(was), Some(is)) = (was, is) else { return };
        self.compare(was.ip_address, is.ip_address, |tense, address| match address {
            Some(address) => format!("{} the address {address}", tense.have()),
            None => format!("{} no known address", tense.have()),
        });
        self.compare(&was.location, &is.location, |tense, location| match location {
            Some(location) => format!("{} in the datacenter `{location}`", tense.be()),
            None => format!("{} in no known datacenter", tense.be()),
        });
        for (key, was, is) in pairs(&was.labels, &is.labels) {
            self.compare(was, is, |tense, value| match value {
                Some(value) => format!("{} the label `{key}={value}`", tense.have()),
                None => format!("{} no label `{key}`", tense.have()),
            });
        }
        self.compare(was.cpu, is.cpu, |tense, cpu| {
            format!("{} {}", tense.have(), count(cpu.unwrap_or_default(), "processor"))
        });
        self.compare(was.memory, is.memory, |tense, memory| {
            format!("{} {} of memory", tense.have(), count(memory.unwrap_or_default(), "byte"))
        });
        self.compare(&was.engine, &is.engine, |tense, engine| {
            let mut can: Vec<String> = engine.platforms.iter().chain(&engine.runtimes).cloned().collect();
            can.extend(engine.gpus.map(|has| if has { "GPUs" } else { "no GPUs" }.to_owned()));
            can.extend(engine.api_version.map(|version| format!("API {version}")));
            let all = if can.is_empty() { "nothing known".to_owned() } else { can.join(", ") };
            format!("{} an engine with {all}", tense.have())
        });
    }

    fn of_container(&mut self, was: Option<&ContainerFact>, is: Option<&ContainerFact>) {
        for (port, protocol) in taken(is).difference(&taken(was)) {
            self.push(format!("did not hold port {port}/{protocol}"), "holds it".to_owned());
        }
        for (port, protocol) in taken(was).difference(&taken(is)) {
            self.push(format!("held port {port}/{protocol}"), "does not hold it".to_owned());
        }
        let (was, is) = match (was, is) {
            (Some(was), Some(is)) => (was, is),
            // That it holds a port says enough.
            (None, Some(one)) | (Some(one), None) if !one.ports.is_empty() => return,
            (was, is) => return self.push(presence(Tense::Was, was), presence(Tense::Is, is)),
        };
        self.compare(was.own, is.own, |tense, own| {
            format!("{} {}", tense.be(), if *own { "the stack's own" } else { "not the stack's own" })
        });
        if !(was.own && is.own) {
            return;
        }
        if (works(was.status), was.exit_code) != (works(is.status), is.exit_code) {
            self.push(presence(Tense::Was, Some(was)), presence(Tense::Is, Some(is)));
        }
        self.compare(&was.definition, &is.definition, |tense, definition| match definition {
            Some(hash) => format!("{} made from the definition `{}`", tense.be(), hash.get(..8).unwrap_or(hash)),
            None => format!("{} made from no known definition", tense.be()),
        });
        self.compare(was.healthy, is.healthy, |tense, healthy| {
            format!("{} {}", tense.be(), if *healthy == Some(true) { "healthy" } else { "not healthy" })
        });
        // What nobody has looked at is no fact.
        if let (Some(was), Some(is)) = (was.settings, is.settings) {
            for change in live::differences(&was, &is) {
                let [old, new] = change.values().map(|value| value.unwrap_or_else(|| "no limit".to_owned()));
                self.push(format!("had {old} as `{}`", change.path), format!("has {new}"));
            }
        }
    }
}

fn taken(seen: Option<&ContainerFact>) -> BTreeSet<(u16, &'static str)> {
    let ports = seen.into_iter().flat_map(|seen| &seen.ports);
    ports.filter_map(|port| Some((port.host_port?, port.protocol.as_str()))).collect()
}

/// The planner leaves alone alike what runs, what its engine starts again and what is paused.
fn works(status: ContainerStatus) -> ContainerStatus {
    match status {
        ContainerStatus::Running | ContainerStatus::Restarting | ContainerStatus::Paused => ContainerStatus::Running,
        other => other,
    }
}

fn host_word(status: Option<HostStatus>) -> &'static str {
    match status {
        Some(HostStatus::Active) => "active",
        Some(HostStatus::Maintenance) => "in maintenance",
        Some(HostStatus::Draining) => "draining",
        Some(HostStatus::Offline) => "offline",
        None => "not known",
    }
}

fn presence(tense: Tense, seen: Option<&ContainerFact>) -> String {
    let be = tense.be();
    let Some(seen) = seen else { return format!("{be} not there") };
    match (seen.status, tense) {
        (ContainerStatus::Running, Tense::Was) => "ran".to_owned(),
        (ContainerStatus::Running, Tense::Is) => "runs".to_owned(),
        (ContainerStatus::Stopped, _) => format!("{be} stopped"),
        (ContainerStatus::Paused, _) => format!("{be} paused"),
        (ContainerStatus::Restarting, _) => format!("{be} starting again"),
        (ContainerStatus::Exited, _) => match seen.exit_code {
            Some(code) => format!("{} ended with code {code}", tense.have()),
            None => format!("{} ended", tense.have()),
        },
        (ContainerStatus::Dead, _) => format!("{be} dead"),
        (ContainerStatus::Created, _) => format!("{be} made but not started"),
        (ContainerStatus::Removing, _) => format!("{be} being removed"),
    }
}
