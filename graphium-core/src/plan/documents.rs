//! Two documents of a stack compared, container by container, property by property.

use super::difference::{self, PropertyChange};
use crate::stack::{Container, Stack};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What differs between two documents of a stack; values of variables, of headers and of drivers' options are hidden.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StackDifference {
    /// What differs beside the containers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
    /// Containers that differ, by the order of the newer document; those that it does not have last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ContainerDifference>,
}

/// What differs of one container.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerDifference {
    /// Its name in the newer document; of one that is not there any more, in the older.
    pub container: String,
    /// Whether it comes, goes, or is another.
    pub kind: ContainerDifferenceKind,
    /// Its name in the older document, if that was another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renamed_from: Option<String>,
    /// What differs in its definition, of one that is in both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub properties: Vec<PropertyChange>,
}

/// How a container differs between two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContainerDifferenceKind {
    /// Only the newer document has it.
    Added,
    /// Only the older document has it.
    Removed,
    /// Both have it.
    Changed,
}

impl StackDifference {
    /// What makes the newer document of the older.
    pub fn between(older: &Stack, newer: &Stack) -> Self {
        let mut kept = BTreeSet::new();
        let mut containers = Vec::new();
        for container in &newer.containers {
            let Some(old) = counterpart(older, newer, container) else {
                containers.push(ContainerDifference::of(&container.name, ContainerDifferenceKind::Added));
                continue;
            };
            kept.insert(old.name.as_str());
            if old == &**container {
                continue;
            }
            let renamed_from = (old.name != container.name).then(|| old.name.clone());
            let mut properties = difference::between_definitions(old, container);
            properties.retain(|property| renamed_from.is_none() || property.path != "name");
            containers.push(ContainerDifference {
                renamed_from,
                properties,
                ..ContainerDifference::of(&container.name, ContainerDifferenceKind::Changed)
            });
        }
        let gone = older.containers.iter().filter(|old| !kept.contains(old.name.as_str()));
        containers.extend(gone.map(|old| ContainerDifference::of(&old.name, ContainerDifferenceKind::Removed)));
        Self { properties: difference::beside_containers(older, newer), containers }
    }

    /// Whether the documents say the same.
    pub fn is_empty(&self) -> bool {
        self.properties.is_empty() && self.containers.is_empty()
    }

    /// In a line: `+ cache, - db, ~ web (image)`.
    pub fn brief(&self) -> String {
        const SHOWN: usize = 6;
        let mut parts: Vec<String> = self.containers.iter().map(ContainerDifference::brief).collect();
        parts.extend(self.properties.iter().map(|property| format!("~ {}", property.path)));
        let more = parts.len().saturating_sub(SHOWN);
        parts.truncate(SHOWN);
        if more > 0 {
            parts.push(format!("and {more} more"));
        }
        parts.join(", ")
    }
}

impl ContainerDifference {
    fn of(name: &str, kind: ContainerDifferenceKind) -> Self {
        Self { container: name.to_owned(), kind, renamed_from: None, properties: Vec::new() }
    }

    fn brief(&self) -> String {
        const SHOWN: usize = 3;
        let name = match &self.renamed_from {
            Some(former) => format!("{former} → {}", self.container),
            None => self.container.clone(),
        };
        let mut paths: Vec<&str> =
            self.properties.iter().map(|property| property.path.split('.').next().unwrap_or_default()).collect();
        paths.dedup();
        let more = if paths.len() > SHOWN { ", …" } else { "" };
        paths.truncate(SHOWN);
        match self.kind {
            ContainerDifferenceKind::Added => format!("+ {name}"),
            ContainerDifferenceKind::Removed => format!("- {name}"),
            ContainerDifferenceKind::Changed if paths.is_empty() => format!("~ {name}"),
            ContainerDifferenceKind::Changed => format!("~ {name} ({}{more})", paths.join(", ")),
        }
    }
}

/// The container of the older document that one of the newer is: that of its name, or that of its id whose name is not in use
/// any more, as the planner has it.
fn counterpart<'o>(older: &'o Stack, newer: &Stack, container: &Container) -> Option<&'o Container> {
    older.container(&container.name).or_else(|| {
        let same = older.containers.iter().map(AsRef::as_ref).find(|old| old.id == container.id);
        same.filter(|old| newer.container(&old.name).is_none())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;
    use serde_json::json;

    fn stack(parts: serde_json::Value) -> Stack {
        let mut document = json!({"@id": "stack:shop", "name": "shop", "hasPart": []});
        for (key, value) in parts.as_object().into_iter().flatten() {
            document[key] = value.clone();
        }
        serde_json::from_value(document).unwrap_or_else(|_| fixtures::stack("none", Vec::new()))
    }

    #[test]
    fn what_comes_goes_and_differs_is_told_without_a_secret() {
        let older = stack(json!({
            "labels": {"tier": "a"},
            "volumes": [{"name": "data", "driverOpts": {"o": "password=s3cret"}}],
            "hasPart": [
                {"@id": "container:db", "name": "db", "image": "postgres:15", "environment": [{"name": "P", "value": "s3cret"}]},
                {"@id": "container:web", "name": "web", "image": "nginx:1"},
                {"@id": "container:old", "name": "old", "image": "old:1"},
            ],
        }));
        let newer = stack(json!({
            "labels": {"tier": "b"},
            "volumes": [{"name": "data", "driverOpts": {"o": "password=s3cret2"}}],
            "hasPart": [
                {"@id": "container:cache", "name": "cache", "image": "redis:7"},
                {"@id": "container:db", "name": "pg", "image": "postgres:16", "environment": [{"name": "P", "value": "s3cret3"}]},
                {"@id": "container:web", "name": "web", "image": "nginx:1"},
            ],
        }));
        let told = StackDifference::between(&older, &newer);
        assert_eq!(
            told.brief(),
            "+ cache, ~ db → pg (environment, image), - old, ~ labels.tier, ~ volumes.data.driverOpts.o"
        );
        let text = serde_json::to_string(&told).unwrap_or_default();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("postgres:16"), "{text}");
        assert!(StackDifference::between(&older, &older).is_empty());
    }

    #[test]
    fn many_differences_are_told_in_short() {
        let part =
            |number: usize| json!({"@id": format!("container:{number}"), "name": format!("c{number}"), "image": "a"});
        let many = stack(json!({"hasPart": (0..9).map(part).collect::<Vec<_>>()}));
        let told = StackDifference::between(&stack(json!({})), &many).brief();
        assert!(told.starts_with("+ c0, + c1") && told.ends_with(", and 3 more"), "{told}");
    }
}
