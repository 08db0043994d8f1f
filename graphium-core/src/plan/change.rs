//! What becomes of containers that were there before: the difference of three: what is wanted, what was applied last,
//! and what is seen.

use super::{
    Applied,
    deploy::Draft,
    difference::{self, PropertyChange},
    layout,
    leftover::Leftover,
    live,
    map::Map,
    warn,
};
use crate::{
    id::HostId,
    runtime::{ContainerSpec, LiveSettings, label},
    stack::{Container, MountKind},
};
use serde::{Deserialize, Serialize};

/// What becomes of one container that was there before, and does not stay as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// The container, by its name within the stack.
    pub container: String,
    /// What becomes of it.
    pub kind: ChangeKind,
    /// Where it is to be; for one that goes, where it was.
    pub host: HostId,
    /// Where it was, if that is another host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<HostId>,
    /// Its name within the stack before, if that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What differs in its definition, and of restart policy and resources what differs from those that it has. Nothing of
    /// the former where it is not known what the present one was made from.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
    /// Data that it would lose, or would leave behind.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data_at_risk: Vec<String>,
}

/// What becomes of a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// Nothing on its engine: what differs is for people, or for the planner.
    Cosmetic,
    /// It runs on, with another restart policy or other resources.
    LiveUpdate,
    /// It gives way to a new one on the same host.
    Recreate,
    /// It gives way to a new one on the same host, under another name.
    Rename,
    /// It gives way to a new one on another host.
    Move,
    /// It goes.
    Remove,
}

/// Every change, by the order of the document, those that go last.
pub(super) fn changes(draft: &Draft<'_, '_>, applied: Option<&Applied>) -> Vec<Change> {
    let numbers = 0..draft.there.len();
    let changed = |number| live_update(draft, number).or_else(|| of_member(draft, number));
    let mut changes: Vec<Change> = numbers.filter_map(changed).collect();
    if let Some(applied) = applied {
        changes.extend(cosmetic(draft, applied));
    }
    changes.extend(removals(draft));
    changes
}

/// What goes and has no successor.
fn removals(draft: &Draft<'_, '_>) -> Vec<Change> {
    if draft.leftovers.is_empty() {
        return Vec::new();
    }
    let wanted = draft.layout.members.by_name();
    let goes_on = |name: &str| wanted.contains_key(name) || draft.renames.successor(name).is_some();
    let mut gone = draft.leftovers.iter().filter(|leftover| !goes_on(leftover.name)).peekable();
    let still_mounted = gone.peek().map(|_| warn::still_mounted(&draft.layout)).unwrap_or_default();
    let left = |leftover: &Leftover<'_>| {
        let before = draft.before?;
        let mut data_at_risk = anonymous(before.definition(leftover.name)?);
        for volume in warn::volumes_of(before, leftover) {
            let volume = layout::volume_name(before.layout.stack, volume).into_owned();
            if !still_mounted.contains(&(leftover.host, volume.clone())) {
                data_at_risk.push(format!(
                    "the volume `{volume}` stays on `{}` with its data, and no container of the stack mounts it there any \
                     more",
                    leftover.host
                ));
            }
        }
        Some(data_at_risk)
    };
    let gone = gone.map(|leftover| Change {
        container: leftover.name.to_owned(),
        kind: ChangeKind::Remove,
        host: leftover.host.clone(),
        from: None,
        renamed_from: None,
        properties: Vec::new(),
        data_at_risk: left(leftover).unwrap_or_default(),
    });
    gone.collect()
}

/// The change of a member that gets other settings in place.
fn live_update(draft: &Draft<'_, '_>, number: usize) -> Option<Change> {
    let (present, wanted) = draft.adjusted(number)?;
    let mut properties = live::differences(&present, &wanted);
    let definition = draft.layout.members.list[number].definition;
    let old = draft.before.and_then(|before| before.definition(draft.name(number)));
    let others = old.map(|old| difference::between_definitions(old, definition)).unwrap_or_default();
    properties.extend(others.into_iter().filter(|property| !live::is_live(&property.path)));
    Some(Change {
        container: draft.name(number).to_owned(),
        kind: ChangeKind::LiveUpdate,
        host: draft.layout.host(number)?.clone(),
        from: None,
        renamed_from: None,
        properties,
        data_at_risk: Vec::new(),
    })
}

/// The change of a member of which a new container is made, and that was somewhere before.
fn of_member(draft: &Draft<'_, '_>, number: usize) -> Option<Change> {
    let (spec, host, name) = (draft.spec(number)?, draft.layout.host(number)?, draft.name(number));
    let before = draft.before;
    let former = draft.renames.former(number);
    let was_called = former.map_or(name, |former| former.name);
    let seen = draft.seen.named(was_called).iter().map(|own| own.container);
    // What was there before may be there under its old name.
    let there = draft.there[number].or_else(|| {
        let engine_name = before?.layout.stack.engine_name(former?.name);
        seen.clone().find(|seen| seen.hosted_on == *host && seen.name == engine_name)
    });
    let was = before.and_then(|before| before.layout.host(before.number(was_called)?));
    let from = seen.map(|seen| &seen.hosted_on).chain(was).find(|other| *other != host);
    let kind = match (draft.there[number], former, from) {
        (Some(_), _, _) => ChangeKind::Recreate,
        (None, Some(former), _) if former.host == host => ChangeKind::Rename,
        (None, _, Some(_)) => ChangeKind::Move,
        (None, _, None) => return None,
    };
    let from = from.filter(|_| kind == ChangeKind::Move);
    let old = before.and_then(|before| before.container(was_called, from.unwrap_or(host)));
    let mut data_at_risk = Vec::new();
    if let Some(old) = &old {
        data_at_risk.extend(anonymous(&old.container));
        data_at_risk.extend(from.into_iter().flat_map(|from| left_behind(&old.container, from, host)));
        data_at_risk.extend(unmounted(&old.container, &spec.container));
    } else if before.is_none() {
        // Without the revision that was applied nobody knows what it has, but what it is to have it may have already.
        data_at_risk.extend(from.into_iter().flat_map(|from| left_behind(&spec.container, from, host)));
    }
    let is_made_from = |old: &ContainerSpec| {
        let present = there.and_then(|there| there.label(label::HASH));
        present.is_none_or(|hash| old.planned_hash().is(hash))
    };
    // What it has may be seen, and is then not what it was to have.
    let seen = there.and_then(|there| there.settings).unwrap_or_default();
    let present = seen.or(old.as_ref().map(|old| LiveSettings::of(&old.container)).unwrap_or_default());
    let settings = live::differences(&present, &LiveSettings::of(&spec.container));
    let properties = old.filter(|old| is_made_from(old)).map(|old| difference::between(&old, spec));
    let mut properties = properties.unwrap_or_default();
    // The names are told by themselves.
    properties.retain(|property| !live::is_live(&property.path) && (former.is_none() || property.path != "name"));
    properties.extend(settings);
    Some(Change {
        container: name.to_owned(),
        kind,
        host: host.clone(),
        from: from.cloned(),
        renamed_from: former.map(|former| former.name.to_owned()),
        properties,
        data_at_risk,
    })
}

/// Containers that stay as they are though their definitions differ.
fn cosmetic(draft: &Draft<'_, '_>, applied: &Applied) -> Vec<Change> {
    let layout = &draft.layout;
    if layout.stack.containers == applied.stack.containers {
        return Vec::new();
    }
    let was: Map<&str, &Container> =
        applied.stack.containers.iter().map(|container| (container.name.as_str(), &**container)).collect();
    let stay = layout.members.list.iter().enumerate().filter(|(number, _)| !draft.changes(*number));
    stay.filter_map(|(number, member)| {
        let old = was.get(member.definition.name.as_str()).filter(|old| **old != &**member.definition)?;
        Some(Change {
            container: member.name.to_string(),
            kind: ChangeKind::Cosmetic,
            host: layout.host(number)?.clone(),
            from: None,
            renamed_from: None,
            properties: difference::between_definitions(old, member.definition),
            data_at_risk: Vec::new(),
        })
    })
    .collect()
}

/// Volumes without a name go with the container that has them.
fn anonymous(old: &Container) -> Vec<String> {
    let mounts = old.volume_mounts.iter();
    let nameless = mounts.filter(|mount| matches!(mount.kind, MountKind::Volume { source: None, .. }));
    nameless.map(|mount| format!("the volume without a name at `{}` goes with its container", mount.target)).collect()
}

/// Volumes stay on the host where they are.
fn left_behind(old: &Container, from: &HostId, to: &HostId) -> Vec<String> {
    let volumes = volumes(old);
    volumes
        .map(|(name, _)| format!("the volume `{name}` stays on `{from}` with its data; on `{to}` it is another one"))
        .collect()
}

/// Volumes that a container has no longer, or in another place.
fn unmounted(old: &Container, new: &Container) -> Vec<String> {
    let kept = |name: &str| volumes(new).any(|(other, _)| other == name);
    let gone = volumes(old).filter(|(name, _)| !kept(name));
    gone.map(|(name, target)| {
        format!("the volume `{name}` at `{target}` is not mounted any more; it stays with its data")
    })
    .collect()
}

/// Named volumes and where they are mounted.
fn volumes(definition: &Container) -> impl Iterator<Item = (&str, &str)> {
    definition.volume_mounts.iter().filter_map(|mount| match &mount.kind {
        MountKind::Volume { source: Some(source), .. } => Some((source.as_str(), mount.target.as_str())),
        _ => None,
    })
}

/// The names of what differs, for a task's reason: the first few.
pub(super) fn brief(properties: &[PropertyChange]) -> String {
    const SHOWN: usize = 3;
    let shown: Vec<String> = properties.iter().take(SHOWN).map(|property| format!("`{}`", property.path)).collect();
    match properties.len().saturating_sub(SHOWN) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
