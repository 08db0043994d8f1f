//! Containers that go on under other names: of the same `@id`, and the same number among those of it.

use super::{
    Applied,
    map::{self, Map},
    members::{Members, instances},
};
use crate::{id::HostId, stack::Stack};
use std::{collections::BTreeMap, sync::Arc};

/// What a container was called before, and where it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Former<'a> {
    pub(super) name: &'a str,
    pub(super) host: &'a HostId,
}

/// The members that had other names in the revision that was applied last.
#[derive(Debug, Default)]
pub(super) struct Renames<'a> {
    by_member: BTreeMap<usize, Former<'a>>,
    by_former: BTreeMap<&'a str, usize>,
}

impl<'a> Renames<'a> {
    /// Finds them. Where the old name is still wanted, or the new one was there before, names tell who is who.
    pub(super) fn of(stack: &Stack, members: &Members<'_>, applied: Option<&'a Applied>) -> Self {
        let mut renames = Self::default();
        let Some(applied) = applied.filter(|applied| !has_same_names(stack, &applied.stack)) else { return renames };
        // Two of one `@id` are none of them known by it.
        let mut before: Map<(&str, usize), Option<Former<'a>>> = map::with_capacity(applied.placements.len());
        for definition in applied.stack.containers.iter().filter(|definition| !definition.id.is_empty()) {
            for (number, name) in instances(definition).enumerate() {
                let former = applied.placements.get_key_value(&*name).map(|(name, host)| Former { name, host });
                before.entry((&definition.id, number)).and_modify(|known| *known = None).or_insert(former);
            }
        }
        let wanted = members.by_name();
        let mut number = 0;
        for alike in members.list.chunk_by(|one, other| Arc::ptr_eq(one.definition, other.definition)) {
            for (place, member) in alike.iter().enumerate() {
                let former = before.get(&(&*member.definition.id, place)).copied().flatten();
                let is_free = |former: &Former<'_>| {
                    !wanted.contains_key(former.name)
                        && !applied.placements.contains_key(&*member.name)
                        && !renames.by_former.contains_key(former.name)
                };
                if let Some(former) = former.filter(is_free) {
                    renames.by_former.insert(former.name, number);
                    renames.by_member.insert(number, former);
                }
                number += 1;
            }
        }
        renames
    }

    /// What a member was before, if it had another name.
    pub(super) fn former(&self, member: usize) -> Option<Former<'a>> {
        self.by_member.get(&member).copied()
    }

    /// The member that goes on in the place of one that had this name.
    pub(super) fn successor(&self, former: &str) -> Option<usize> {
        self.by_former.get(former).copied()
    }
}

/// Whether two revisions have containers of the same names, as nearly all that follow each other; both in their canonical
/// order.
fn has_same_names(one: &Stack, other: &Stack) -> bool {
    one.containers.len() == other.containers.len()
        && one
            .containers
            .iter()
            .zip(&other.containers)
            .all(|(one, other)| one.name == other.name && one.replicas.unwrap_or(1) == other.replicas.unwrap_or(1))
}
