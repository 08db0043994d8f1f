//! Containers of the stack that are to go: no longer wanted, moved to another host, or under an old name.

use super::{
    Applied, Trace,
    hosts::{Own, Seen},
};
use crate::{id::HostId, inventory::ObservedContainer};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// A container that is to go.
#[derive(Debug)]
pub(super) struct Leftover<'a> {
    pub(super) host: &'a HostId,
    /// Its name on the engine.
    pub(super) engine_name: Cow<'a, str>,
    /// Its name within the stack.
    pub(super) name: &'a str,
    /// What its tasks call it: its name, or where two on one host share that, one that tells them apart.
    pub(super) label: String,
    /// As it was seen, if it was.
    pub(super) seen: Option<&'a ObservedContainer>,
}

impl Leftover<'_> {
    /// The id of a task for it: `delete:web@vm1`.
    pub(super) fn task_id(&self, verb: &str) -> String {
        format!("{verb}:{}@{}", self.label, self.host)
    }
}

/// Everything of the stack, seen, applied or told of by `traces`, that `stays` does not hold; sorted by host and name.
pub(super) fn leftovers<'a>(
    seen: &Seen<'a>,
    applied: Option<&'a Applied>,
    traces: impl IntoIterator<Item = &'a Trace>,
    stays: impl Fn(&str, &HostId, &str) -> bool,
) -> Vec<Leftover<'a>> {
    type Found<'a> = (&'a str, Option<&'a ObservedContainer>);
    let mut found: BTreeMap<(&HostId, Cow<'a, str>), Found<'a>> = BTreeMap::new();
    for Own { name, container } in seen.own() {
        if !stays(name, &container.hosted_on, &container.name) {
            found.entry((&container.hosted_on, Cow::Borrowed(&container.name))).or_insert((name, Some(container)));
        }
    }
    for (host, engine_name, name) in seen.half_way() {
        if !stays(name, host, engine_name) {
            // What was seen of it says nothing of who stands beside it.
            found.insert((host, Cow::Borrowed(engine_name)), (name, None));
        }
    }
    if let Some(applied) = applied {
        for (name, host) in &applied.placements {
            let engine_name = applied.stack.engine_name(name);
            if !stays(name, host, &engine_name) {
                found.entry((host, Cow::Owned(engine_name))).or_insert((name, None));
            }
        }
    }
    for Trace { host, name, engine_name } in traces {
        if !stays(name, host, engine_name) {
            found.entry((host, Cow::Borrowed(engine_name))).or_insert((name, None));
        }
    }
    let mut labels = BTreeSet::new();
    let gone = found.into_iter().map(|((host, engine_name), (name, seen))| {
        let mut label = name.to_owned();
        while !labels.insert((host, label.clone())) {
            label = format!("{label}+{engine_name}");
        }
        Leftover { host, engine_name, name, label, seen }
    });
    gone.collect()
}
