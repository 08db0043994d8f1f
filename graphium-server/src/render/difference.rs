//! What a plan changes, property by property.

use super::{Clock, Style, printable};
use graphium_core::{
    control::Sighting,
    plan::{
        Change, ChangeKind, ContainerDifference, ContainerDifferenceKind, LiveDifference, LiveDifferenceKind, Plan,
        PropertyChange, StackDifference,
    },
};

/// A block per container that was there and does not stay as it was.
pub(crate) fn differences(plan: &Plan, style: Style) -> Vec<String> {
    plan.changes.iter().flat_map(|change| block(change, style)).collect()
}

/// A block per container of two documents that differs, after what differs beside them.
pub(crate) fn document_differences(difference: &StackDifference, style: Style) -> Vec<String> {
    let mut lines: Vec<String> = difference.properties.iter().map(property).collect();
    lines.extend(difference.containers.iter().flat_map(|container| document_block(container, style)));
    lines
}

/// A block per container that is not as it is wanted.
pub(crate) fn live_differences(differences: &[LiveDifference], style: Style) -> Vec<String> {
    differences.iter().flat_map(|difference| live_block(difference, style)).collect()
}

fn live_block(difference: &LiveDifference, style: Style) -> Vec<String> {
    let host = printable(difference.host_id.as_str());
    let (sign, what) = match difference.kind {
        LiveDifferenceKind::Missing => ("-", format!("is missing on {host}")),
        LiveDifferenceKind::NotWanted => ("+", format!("is on {host}, and the stack has no such container")),
        LiveDifferenceKind::Elsewhere => ("+", format!("is on {host} too, where the stack does not want it")),
        LiveDifferenceKind::Differs => ("~", format!("on {host}")),
    };
    let mut lines = vec![format!("{sign} {} {what}", style.bold(&printable(&difference.container)))];
    lines.extend(difference.properties.iter().map(|one| format!("  {}", property(one))));
    lines
}

/// How old what is known of hosts is.
pub(crate) fn sightings(hosts: &[Sighting], clock: &Clock) -> Vec<String> {
    let line = |host: &Sighting| {
        let name = printable(host.host_id.as_str());
        let seen = host.last_seen.map_or_else(|| "never heard".to_owned(), |at| format!("heard {}", clock.ago(at)));
        match (host.offline_since, &host.engine_error) {
            (Some(since), _) => format!("host {name}: offline since {since}, {seen}: what is shown of it is from then"),
            (None, Some(error)) => format!("host {name}: {seen}; its engine does not answer: {}", printable(error)),
            (None, None) => format!("host {name}: {seen}"),
        }
    };
    hosts.iter().map(line).collect()
}

fn document_block(container: &ContainerDifference, style: Style) -> Vec<String> {
    let name = match &container.renamed_from {
        Some(former) => format!("{former} → {}", container.container),
        None => container.container.clone(),
    };
    let what = match container.kind {
        ContainerDifferenceKind::Added => "+ is new",
        ContainerDifferenceKind::Removed => "- is no longer part of it",
        ContainerDifferenceKind::Changed => "~",
    };
    let (sign, what) = what.split_at(1);
    let mut lines = vec![format!("{sign} {}{what}", style.bold(&printable(&name)))];
    lines.extend(container.properties.iter().map(|one| format!("  {}", property(one))));
    lines
}

fn block(change: &Change, style: Style) -> Vec<String> {
    let place = match &change.from {
        Some(from) => format!("{from} → {}", change.host),
        None => change.host.to_string(),
    };
    let what = match change.kind {
        ChangeKind::Cosmetic => "stays as it is on its engine",
        ChangeKind::LiveUpdate => "is updated live: it runs on",
        ChangeKind::Recreate => "is made anew",
        ChangeKind::Rename => "goes on under its new name",
        ChangeKind::Move => "moves",
        ChangeKind::Remove => "goes",
    };
    let name = match &change.renamed_from {
        Some(former) => format!("{former} → {}", change.container),
        None => change.container.clone(),
    };
    let mut lines = vec![String::new(), format!("{} on {} {what}", style.bold(&printable(&name)), printable(&place))];
    lines.extend(change.properties.iter().map(property));
    if change.properties.is_empty() && change.kind == ChangeKind::Recreate {
        lines.push("  what it was made from is not known, or is the same".to_owned());
    }
    lines.extend(change.data_at_risk.iter().map(|risk| format!("  ! {}", printable(risk))));
    lines
}

/// `~` is another value, `+` a new property, `-` one that goes: a sign each, for colour carries no meaning.
fn property(property: &PropertyChange) -> String {
    let path = printable(&property.path);
    let values = property.values();
    match values.each_ref().map(|value| value.as_deref().map(printable)) {
        [Some(old), Some(new)] => format!("  ~ {path}: {old} → {new}"),
        [None, Some(new)] => format!("  + {path}: {new}"),
        [Some(old), None] => format!("  - {path}: {old}"),
        [None, None] => format!("  ~ {path}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_difference_has_its_sign() {
        let change: Change = serde_json::from_value(serde_json::json!({
            "container": "db", "kind": "move", "host": "vm2", "from": "vm1",
            "properties": [
                {"path": "image", "old": "postgres:15", "new": "postgres:16"},
                {"path": "environment.A.value", "old": "•••", "new": "•••"},
                {"path": "tty", "new": true},
                {"path": "labels.tier", "old": "back"}
            ],
            "dataAtRisk": ["the volume `s_data` stays"]
        }))
        .unwrap();
        let expected = [
            "",
            "db on vm1 → vm2 moves",
            "  ~ image: postgres:15 → postgres:16",
            "  ~ environment.A.value: ••• → •••",
            "  + tty: true",
            "  - labels.tier: back",
            "  ! the volume `s_data` stays",
        ];
        assert_eq!(block(&change, Style::PLAIN), expected);
        let change: Change = serde_json::from_value(serde_json::json!({
            "container": "pg", "kind": "rename", "host": "vm1", "renamedFrom": "db"
        }))
        .unwrap();
        assert_eq!(block(&change, Style::PLAIN), ["", "db → pg on vm1 goes on under its new name"]);
        let change: Change = serde_json::from_value(serde_json::json!({
            "container": "web", "kind": "live-update", "host": "vm1",
            "properties": [
                {"path": "restartPolicy", "old": "no", "new": "always"},
                {"path": "resources.limits.memory", "old": 268435456, "new": 536870912},
                {"path": "resources.limits.pids", "new": 64}
            ]
        }))
        .unwrap();
        let expected = [
            "",
            "web on vm1 is updated live: it runs on",
            "  ~ restartPolicy: no → always",
            "  ~ resources.limits.memory: 256 MiB → 512 MiB",
            "  + resources.limits.pids: 64",
        ];
        assert_eq!(block(&change, Style::PLAIN), expected);
    }
}
