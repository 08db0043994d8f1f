//! Containers that are ours though they were not made as such.

use super::{ContainerSpec, LiveSettings, beside, label};
use crate::{
    inventory::ObservedContainer,
    stack::{Container, TextMap},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A container that somebody else has made, or that was made for another stack, and that is ours from now on as it is.
///
/// No engine changes the labels of a container. Those that it would bear if we had made it are kept by whoever serves its host,
/// and are shown in the place of ours that it may have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Adoption {
    /// The engine's id: no other container will ever have it.
    pub id: String,
    /// The name that it has as one of ours. Under any other that does not [come of it](beside) it is not ours.
    pub name: String,
    /// Our labels that it counts as bearing.
    pub labels: TextMap,
    /// A network that it joins beside those that it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<String>,
    /// The names that it answers to there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
}

impl Adoption {
    /// The container of that id, as the one of a specification.
    pub fn of(id: impl Into<String>, spec: &ContainerSpec) -> Self {
        let mut labels = spec.all_labels();
        labels.retain(|key, _| label::is_ours(key));
        labels.insert(label::MANAGED.to_owned(), "true".to_owned());
        let network = spec.network.as_deref().filter(|_| spec.container.network_mode.is_none());
        Self {
            id: id.into(),
            name: spec.name.clone(),
            labels,
            aliases: network.map_or_else(Vec::new, |_| spec.names().into_iter().map(str::to_owned).collect()),
            network: network.map(str::to_owned),
        }
    }

    /// Whether it is of the container that has this id and this name.
    pub fn is_of(&self, id: &str, name: &str) -> bool {
        self.id == id && (self.name == name || beside::principal(name) == Some(&self.name))
    }
}

/// What was adopted on one engine, by the ids of the containers. For those who implement a runtime.
///
/// # Example
/// ```
/// use graphium_core::runtime::{Adoption, Adoptions, ContainerSpec, Description};
/// use graphium_core::stack::Container;
///
/// let spec = ContainerSpec::new("shop-web", Container { name: "web".to_owned(), ..Container::default() });
/// let adoption = Adoption::of("4f5e", &spec);
/// assert_eq!(adoption.name, "shop-web");
/// let adoptions = Adoptions::of(&[adoption]);
/// assert!(adoptions.find("4f5e", "shop-web").is_some());
/// assert!(adoptions.find("another", "shop-web").is_none(), "the engine's id counts");
///
/// // What an engine tells of a container that somebody has made, where it knows nothing.
/// let nothing = Description::default();
/// assert!(nothing.beyond.is_empty() && nothing.networks.is_empty());
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Adoptions(BTreeMap<String, Adoption>);

impl Adoptions {
    /// These.
    pub fn of(adoptions: &[Adoption]) -> Self {
        Self(adoptions.iter().map(|adoption| (adoption.id.clone(), adoption.clone())).collect())
    }

    /// One more; it takes the place of an earlier one of the same container.
    pub fn add(&mut self, adoption: &Adoption) {
        self.0.insert(adoption.id.clone(), adoption.clone());
    }

    /// The one of the container that has this id and this name.
    pub fn find(&self, id: &str, name: &str) -> Option<&Adoption> {
        self.0.get(id).filter(|adoption| adoption.is_of(id, name))
    }

    /// Gives a container that was adopted the labels that it counts as bearing.
    pub fn show(&self, observed: &mut ObservedContainer) {
        if let Some(adoption) = self.find(&observed.id, &observed.name) {
            observed.labels.retain(|key, _| !label::is_ours(key));
            observed.labels.extend(adoption.labels.iter().map(|(key, value)| (key.clone(), value.clone())));
            observed.labels.sort_keys();
        }
    }
}

/// A container as its engine shows it, whoever made it, in the terms of definitions.
///
/// Values of variables are among it: it is for whoever compares, and nobody else.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Description {
    /// Its name on the engine.
    pub name: String,
    /// All of it, what its image and its engine have filled in included. It has no name, and no restart policy and
    /// resources: see [`settings`](Self::settings).
    pub container: Container,
    /// What it would be if nothing had been asked for but its image: what that and the engine fill in.
    pub usual: Container,
    /// Its restart policy and resources.
    pub settings: LiveSettings,
    /// The networks that it is in, each with the names that it answers to there.
    pub networks: BTreeMap<String, Vec<String>>,
    /// What was asked for and no definition can say, by the engine's words for it.
    pub beyond: BTreeMap<String, Value>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn spec() -> ContainerSpec {
        let labels = [(label::STACK, "stack:shop"), ("team", "blue")];
        let labels: TextMap = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let container = Container { name: "web".to_owned(), ..Container::default() };
        let network = Some(Arc::from("shop"));
        ContainerSpec { network, labels: labels.into(), ..ContainerSpec::new("shop-web", container) }.sealed()
    }

    #[test]
    fn only_our_labels_are_kept_and_shown_and_only_under_the_name_that_it_was_adopted_by() {
        let adoption = Adoption::of("4f", &spec());
        assert_eq!((adoption.network.as_deref(), &*adoption.aliases), (Some("shop"), &["web".to_owned()][..]));
        let adoptions = Adoptions::of(std::slice::from_ref(&adoption));
        let seen = |id: &str, name: &str| {
            let mut seen: ObservedContainer = serde_json::from_value(serde_json::json!({
                "@id": id, "name": name, "hostedOn": "vm1", "labels": {"graphium.stack": "stack:old", "own": "yes"}
            }))
            .unwrap();
            adoptions.show(&mut seen);
            seen
        };
        for name in ["shop-web", "shop-web.NEXT", "shop-web.OLD"] {
            let seen = seen("4f", name);
            assert_eq!(seen.label(label::STACK), Some("stack:shop"), "{name}");
            assert_eq!((seen.label(label::MANAGED), seen.label("own")), (Some("true"), Some("yes")));
            assert_eq!((seen.label("team"), seen.label(label::CONTAINER)), (None, Some("web")));
        }
        for (id, name) in [("4f", "shop-web-1"), ("5f", "shop-web")] {
            assert_eq!(seen(id, name).label(label::STACK), Some("stack:old"), "{id} {name}");
        }
    }
}
