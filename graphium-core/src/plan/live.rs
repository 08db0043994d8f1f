//! Live updates: what of a container changes in place, told in the words of its document.

use super::{Applied, difference::PropertyChange, layout::Layout, map::Map};
use crate::runtime::{LIMITS, LiveSettings, NANO, SHARES_PER_CPU};
use serde_json::Value;
use std::cell::OnceCell;

/// The names in a document.
const POLICY: &str = "restartPolicy";
const CPUS: &str = LIMITS[0];
const MEMORY: &str = LIMITS[1];
const MEMORY_SWAP: &str = LIMITS[2];
const PIDS: &str = LIMITS[3];
const KEPT_CPUS: &str = LIMITS[4];
const KEPT_MEMORY: &str = LIMITS[5];

/// Settings of the revision that was applied last, for containers of which no agent has told them.
#[derive(Debug)]
pub(super) struct AppliedSettings<'a> {
    applied: Option<&'a Applied>,
    by_name: OnceCell<Map<&'a str, LiveSettings>>,
}

impl<'a> AppliedSettings<'a> {
    pub(super) fn of(applied: Option<&'a Applied>) -> Self {
        Self { applied, by_name: OnceCell::new() }
    }

    /// Those of a member, if it was where it is to be.
    pub(super) fn get(&self, layout: &Layout<'_, '_>, number: usize) -> Option<LiveSettings> {
        let applied = self.applied?;
        let member = &layout.members.list[number];
        layout.host(number).filter(|host| applied.placements.get(&*member.name) == Some(host))?;
        let by_name = self.by_name.get_or_init(|| {
            let containers = applied.stack.containers.iter();
            containers.map(|container| (container.name.as_str(), LiveSettings::of(container))).collect()
        });
        by_name.get(member.definition.name.as_str()).copied()
    }
}

/// What differs between two settings, by the names and in the units of a document.
pub(super) fn differences(old: &LiveSettings, new: &LiveSettings) -> Vec<PropertyChange> {
    let policy = |settings: &LiveSettings| settings.restart_policy.map(|policy| policy.to_string().into());
    let mut changes = vec![PropertyChange { path: POLICY.to_owned(), old: policy(old), new: policy(new) }];
    for ((name, was), is) in LIMITS.into_iter().zip(old.limits()).zip(new.limits()) {
        let is_told = |settings: &LiveSettings| name != MEMORY_SWAP || !has_usual_swap(settings);
        if was.is_some() && is.is_some() && was != is && (is_told(old) || is_told(new)) {
            let value = |limit: Option<i64>| limit.filter(|limit| *limit != 0).map(|limit| in_document(name, limit));
            changes.push(PropertyChange { path: name.to_owned(), old: value(was), new: value(is) });
        }
    }
    changes.retain(|change| change.path != POLICY || change.old.is_some() && change.old != change.new);
    changes
}

/// Whether the swap is what an engine makes of the memory where nothing is said of it.
fn has_usual_swap(settings: &LiveSettings) -> bool {
    settings.memory_swap == settings.memory.map(|memory| memory.saturating_mul(2))
}

#[expect(clippy::cast_precision_loss, reason = "nobody has 2^53 billionths of a processor")]
fn in_document(name: &str, limit: i64) -> Value {
    match name {
        CPUS => (limit as f64 / NANO).into(),
        KEPT_CPUS => (limit as f64 / SHARES_PER_CPU).into(),
        _ => limit.into(),
    }
}

/// Whether a property can be changed in place, by its name in a document.
pub(super) fn is_live(path: &str) -> bool {
    path == POLICY || path == "resources" || path.starts_with("resources.")
}

/// The reason of a live update: each property with both values.
pub(super) fn reason(properties: &[PropertyChange]) -> String {
    let told: Vec<String> = properties.iter().filter(|property| is_live(&property.path)).map(in_words).collect();
    format!("live update: {}", told.join(", "))
}

fn in_words(property: &PropertyChange) -> String {
    let noun = match property.path.as_str() {
        POLICY => "restart policy",
        CPUS => "cpus",
        MEMORY => "memory",
        MEMORY_SWAP => "memory with swap",
        PIDS => "pids",
        KEPT_CPUS => "reserved cpus",
        KEPT_MEMORY => "reserved memory",
        other => other,
    };
    let [old, new] = property.values();
    let none = || "no limit".to_owned();
    format!("{noun} {} → {}", old.unwrap_or_else(none), new.unwrap_or_else(none))
}

impl PropertyChange {
    /// The old and the new value as people read them: text without quotes, sizes of memory in units, all else as JSON.
    pub fn values(&self) -> [Option<String>; 2] {
        let is_size = [MEMORY, MEMORY_SWAP, KEPT_MEMORY].contains(&self.path.as_str());
        let shown = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) if is_size => match number.as_u64() {
                Some(bytes) => size(bytes),
                None => "unlimited".to_owned(),
            },
            other => other.to_string(),
        };
        [self.old.as_ref().map(shown), self.new.as_ref().map(shown)]
    }
}

/// Bytes in the largest unit of which they are a whole number.
fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.into_iter().find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} B"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::Container;
    use serde_json::json;

    fn settings(definition: Value) -> LiveSettings {
        LiveSettings::of(&serde_json::from_value::<Container>(definition).unwrap())
    }

    #[test]
    fn a_live_update_says_what_becomes_of_what() {
        let old = settings(json!({"resources": {"limits": {"memory": 256 << 20, "cpus": 0.25}}}));
        let new = settings(json!({
            "restartPolicy": "on-failure:3",
            "resources": {
                "limits": {"memory": 512 << 20, "cpus": 1, "pids": 64},
                "reservations": {"cpus": 0.5, "memory": (1 << 20) + 1}
            }
        }));
        assert_eq!(
            reason(&differences(&old, &new)),
            "live update: restart policy no → on-failure:3, cpus 0.25 → 1.0, memory 256 MiB → 512 MiB, \
             pids no limit → 64, reserved cpus no limit → 0.5, reserved memory no limit → 1048577 B"
        );
        assert_eq!(differences(&old, &old), []);
    }

    #[test]
    fn swap_is_told_where_a_document_says_something_of_it() {
        let old = settings(json!({"resources": {"limits": {"memory": 1 << 30}}}));
        let new = settings(json!({"resources": {"limits": {"memory": 1 << 30, "memorySwap": -1}}}));
        assert_eq!(reason(&differences(&old, &new)), "live update: memory with swap 2 GiB → unlimited");
        assert_eq!(reason(&differences(&new, &old)), "live update: memory with swap unlimited → 2 GiB");
    }

    #[test]
    fn nothing_is_told_of_what_is_unknown() {
        let new = settings(json!({"restartPolicy": "always", "resources": {"limits": {"memory": 1}}}));
        assert_eq!(differences(&LiveSettings::default(), &new), []);
    }
}
