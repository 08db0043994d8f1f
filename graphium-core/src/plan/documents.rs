//! Two documents of a stack compared, container by container, property by property.

use super::{
    difference::{self, PropertyChange},
    map::Map,
};
use crate::stack::{Container, Stack};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// What differs between two documents of a stack; values of variables, of headers and of drivers' options are hidden.
///
/// # Example
/// ```
/// use graphium_core::plan::{ContainerDifference, ContainerDifferenceKind, StackDifference};
/// use graphium_core::plan::fixtures::{container, stack};
/// use graphium_core::stack::Container;
///
/// let older = stack("shop", vec![container("web")]);
/// let web = Container { image: "nginx:1.27".to_owned(), ..container("web") };
/// let newer = stack("shop", vec![web, container("cache")]);
/// let difference = StackDifference::between(&older, &newer);
/// let told: Vec<_> = difference.containers.iter().map(|one| (one.container.as_str(), one.kind)).collect();
/// assert_eq!(told, [("cache", ContainerDifferenceKind::Added), ("web", ContainerDifferenceKind::Changed)]);
/// let web: &ContainerDifference = &difference.containers[1];
/// assert_eq!(web.properties[0].path, "image");
/// assert!(StackDifference::between(&older, &older).is_empty());
/// ```
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
        let counterparts = Counterparts::of(older, newer);
        let mut kept = BTreeSet::new();
        let mut containers = Vec::new();
        for container in &newer.containers {
            let Some(old) = counterparts.get(container) else {
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

/// Which container of the older document each of the newer is.
struct Counterparts<'o> {
    by_name: Map<&'o str, &'o Container>,
    /// The first of each id, unless its name is still in use.
    by_id: Map<&'o str, &'o Container>,
}

impl<'o> Counterparts<'o> {
    fn of(older: &'o Stack, newer: &Stack) -> Self {
        let wanted: BTreeSet<&str> = newer.containers.iter().map(|container| container.name.as_str()).collect();
        let (mut by_name, mut by_id) = (Map::default(), Map::default());
        for old in older.containers.iter().map(AsRef::as_ref) {
            by_name.entry(old.name.as_str()).or_insert(old);
            by_id.entry(old.id.as_str()).or_insert(old);
        }
        by_id.retain(|_, old| !wanted.contains(old.name.as_str()));
        Self { by_name, by_id }
    }

    /// That of its name, or else that of its id, as the planner has it.
    fn get(&self, container: &Container) -> Option<&'o Container> {
        self.by_name.get(container.name.as_str()).or_else(|| self.by_id.get(container.id.as_str())).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::fixtures;
    use serde_json::json;
    use std::time::{Duration, Instant};

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
    fn documents_of_many_containers_are_compared_in_time() {
        let many = |kind: &str| {
            let named = |number: usize| {
                let id = format!("container:{number}");
                Container { id, ..fixtures::container(&format!("{kind}-{number}")) }
            };
            fixtures::stack("s", (0..20_000).map(named).collect())
        };
        let (older, newer) = (many("old"), many("new"));
        let begun = Instant::now();
        let told = StackDifference::between(&older, &newer);
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(told.containers.len(), 20_000);
        let is_renamed = |told: &ContainerDifference| {
            told.renamed_from.as_ref().is_some_and(|former| former[4..] == told.container[4..])
        };
        assert!(told.containers.iter().all(is_renamed));
    }

    #[test]
    fn many_differences_are_told_in_short() {
        let part =
            |number: usize| json!({"@id": format!("container:{number}"), "name": format!("c{number}"), "image": "a"});
        let many = stack(json!({"hasPart": (0..9).map(part).collect::<Vec<_>>()}));
        let told = StackDifference::between(&stack(json!({})), &many).brief();
        assert!(told.starts_with("+ c0, + c1") && told.ends_with(", and 3 more"), "{told}");
    }

    #[test]
    fn what_differs_in_a_container_is_told_in_short() {
        let of = |name: &str, properties: serde_json::Value| {
            let mut part = json!({"@id": "container:a", "name": name, "image": "a"});
            part.as_object_mut().unwrap().extend(properties.as_object().unwrap().clone());
            stack(json!({"hasPart": [part]}))
        };
        let bare = of("a", json!({}));
        let three = json!({"tty": true, "user": "web", "workingDir": "/srv"});
        let told = StackDifference::between(&bare, &of("a", three.clone()));
        assert_eq!((told.brief().as_str(), told.is_empty()), ("~ a (tty, user, workingDir)", false));
        let mut four = three;
        four["hostname"] = "a".into();
        assert_eq!(StackDifference::between(&bare, &of("a", four)).brief(), "~ a (hostname, tty, user, …)");
        assert_eq!(StackDifference::between(&bare, &of("b", json!({}))).brief(), "~ a → b");
        let labelled =
            stack(json!({"labels": {"tier": "a"}, "hasPart": [{"@id": "container:a", "name": "a", "image": "a"}]}));
        let told = StackDifference::between(&bare, &labelled);
        assert!(told.containers.is_empty() && !told.is_empty(), "{told:?}");
    }
}
