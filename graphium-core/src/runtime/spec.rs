//! What an engine is asked to make.

use super::{digest::Digest, label};
use crate::stack::{Container, Network, TextMap, Volume};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use std::{fmt, sync::Arc};

/// A container to be made: its definition with everything resolved.
///
/// # Example
/// ```
/// use graphium_core::runtime::{ContainerSpec, label};
/// use graphium_core::stack::Container;
///
/// let web = |image: &str| {
///     ContainerSpec::new("shop-web", Container { image: image.to_owned(), ..Container::default() }).sealed()
/// };
/// let spec = web("nginx:1.26");
/// // The hash goes with the container as a label, so that anybody sees whether it is as it should be.
/// assert!(spec.planned_hash().is(&spec.all_labels()[label::HASH]));
/// assert_eq!(spec.digest(), web("nginx:1.26").digest());
/// assert_ne!(spec.digest(), web("nginx:1.27").digest());
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition; variables of endpoints, extra hosts and the engine's volume names are filled in.
    ///
    /// Shared with the stack where nothing had to be filled in.
    pub container: Arc<Container>,
    /// The network of the stack on this host; absent where the definition sets a network mode of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Arc<str>>,
    /// Names that it answers to on that network beside its own and those of its definition. See [`names`](Self::names).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// Labels of the stack, ours that name it included, and those of the task that makes it. See [`all_labels`](Self::all_labels).
    pub labels: Arc<TextMap>,
    /// What [`digest`](Self::digest) gave when it was planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<SpecHash>,
}

impl ContainerSpec {
    /// A container of that name on the engine, without a network, labels and a hash.
    pub fn new(name: impl Into<String>, container: impl Into<Arc<Container>>) -> Self {
        Self {
            name: name.into(),
            container: container.into(),
            network: None,
            aliases: Vec::new(),
            labels: Arc::default(),
            hash: None,
        }
    }

    /// The same with its hash.
    #[must_use]
    pub fn sealed(self) -> Self {
        let hash = Some(self.digest());
        Self { hash, ..self }
    }

    /// The hash that it was planned with, or else its [`digest`](Self::digest): what [`label::HASH`] bears.
    pub fn planned_hash(&self) -> SpecHash {
        self.hash.unwrap_or_else(|| self.digest())
    }

    /// SHA-256 over the specification.
    ///
    /// The definition's own `@id`, description, category, annotations, dependencies, pull policy and what it asks of its host
    /// do not count: they change nothing on an engine. Neither do its [live settings](super::LiveSettings), which change in place, nor the order of labels and
    /// of other maps.
    pub fn digest(&self) -> SpecHash {
        SpecHasher::default().hash(self)
    }

    /// The names that it answers to on the stack's network, each once.
    pub fn names(&self) -> Vec<&str> {
        let own = Some(&self.container.name).filter(|name| !name.is_empty());
        let mut names: Vec<&str> = Vec::with_capacity(1 + self.aliases.len() + self.container.aliases.len());
        for name in own.into_iter().chain(&self.aliases).chain(&self.container.aliases) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        names
    }

    /// The labels of a volume that an engine makes together with the container because it is not there, if it is its stack's by its
    /// name: who removes the stack must know it again.
    pub fn labels_of_volume(&self, name: &str) -> Option<TextMap> {
        let stack = self.labels.get(label::STACK_NAME)?;
        name.strip_prefix(stack.as_str()).filter(|rest| rest.starts_with('_'))?;
        let own = [label::STACK, label::STACK_NAME].map(|key| Some((key.to_owned(), self.labels.get(key)?.clone())));
        Some(own.into_iter().flatten().chain([(label::MANAGED.to_owned(), "true".to_owned())]).collect())
    }

    /// Every label that the container bears: the stack's, over these its own, over these ours, which nothing else can set.
    ///
    /// [`label::HEALTH_CHECK`] is always one of them, empty where the agent has nothing to check: an engine adds the labels
    /// of the image that are missing, and no image is to say what the agent does.
    pub fn all_labels(&self) -> TextMap {
        let own = self.container.labels.iter().filter(|(key, _)| !label::is_ours(key));
        let ours = [(label::CONTAINER, self.container.name.clone()), (label::HASH, self.planned_hash().to_string())];
        let mut labels = TextMap::clone(&self.labels);
        labels.extend(own.map(|(key, value)| (key.clone(), value.clone())));
        labels.extend(ours.map(|(key, value)| (key.to_owned(), value)));
        let check = self.container.health_check.as_ref().filter(|check| check.test.is_networked());
        let check = check.and_then(|check| serde_json::to_string(check).ok());
        labels.insert(label::HEALTH_CHECK.to_owned(), check.unwrap_or_default());
        labels
    }
}

/// Hashes one specification after another, with the same memory; labels that several share are hashed once.
#[derive(Debug)]
pub(crate) struct SpecHasher {
    digest: Digest,
    /// The labels of the last one, and a hasher that has taken them.
    labels: Option<(Arc<TextMap>, Sha256)>,
}

impl Default for SpecHasher {
    fn default() -> Self {
        let passed_over = &[
            "@id",
            "description",
            "applicationCategory",
            "annotations",
            "dependsOn",
            "pullPolicy",
            "restartPolicy",
            "resources",
            "locatedInHost",
            "requirements",
        ];
        Self { digest: Digest::without("Container", passed_over), labels: None }
    }
}

impl SpecHasher {
    pub(crate) fn hash(&mut self, spec: &ContainerSpec) -> SpecHash {
        let ContainerSpec { name, container, network, aliases, labels, hash: _ } = spec;
        let begun = match &self.labels {
            Some((last, begun)) if Arc::ptr_eq(last, labels) => begun.clone(),
            _ => {
                let begun = Sha256::new().chain_update(self.digest.of(&**labels));
                self.labels = Some((Arc::clone(labels), begun.clone()));
                begun
            }
        };
        let own = self.digest.of(&(name, &**container, network, aliases));
        SpecHash(begun.chain_update(own).finalize().into())
    }
}

/// The hash of a specification; written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpecHash([u8; 32]);

impl SpecHash {
    /// The hash itself.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a text, such as the value of [`label::HASH`], is this hash.
    pub fn is(&self, text: &str) -> bool {
        text.len() == 2 * self.0.len() && hex_digits(&self.0).eq(text.bytes())
    }
}

impl fmt::Display for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for SpecHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SpecHash({self})")
    }
}

impl Serialize for SpecHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SpecHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        let pairs = text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
        for (byte, pair) in bytes.iter_mut().zip(pairs) {
            *byte = pair.unwrap_or_default();
        }
        let hash = Self(bytes);
        if hash.is(&text) { Ok(hash) } else { Err(de::Error::custom("not 64 hexadecimal digits in lower case")) }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex_digits(bytes).map(char::from).collect()
}

fn hex_digits(bytes: &[u8]) -> impl Iterator<Item = u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes.iter().flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
}

/// A network to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition.
    pub network: Network,
    /// Every label that it bears, ours included.
    pub labels: TextMap,
}

/// A volume to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VolumeSpec {
    /// Its name on the engine.
    pub name: String,
    /// Its definition.
    pub volume: Volume,
    /// Every label that it bears, ours included.
    pub labels: TextMap,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stack::{Condition, Dependency, HealthCheck, HealthTest, PullPolicy, RestartPolicy};

    fn spec() -> ContainerSpec {
        ContainerSpec::new("shop-web", Container { image: "nginx".to_owned(), ..Container::default() })
    }

    #[test]
    fn a_hash_is_known_by_its_text_and_read_back_from_it() {
        let hash = spec().digest();
        let text = hash.to_string();
        assert!(hash.is(&text) && !hash.is(&text[1..]) && !hash.is(&text.to_uppercase()) && !hash.is(""));
        let json = serde_json::to_string(&hash).unwrap();
        assert_eq!(serde_json::from_str::<SpecHash>(&json).unwrap(), hash);
        for wrong in ["\"\"", "\"zz\"", &json.to_uppercase(), &json.replace('"', "\"0").replacen("0", "", 1)] {
            assert!(serde_json::from_str::<SpecHash>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_changes_nothing_on_an_engine_or_changes_in_place_does_not_count_and_the_rest_does() {
        let plain = spec().digest();
        let with = |change: &dyn Fn(&mut Container)| {
            let mut spec = spec();
            change(Arc::make_mut(&mut spec.container));
            spec.digest()
        };
        assert_eq!(with(&|container: &mut Container| container.id = "container:web".to_owned()), plain);
        assert_eq!(with(&|container: &mut Container| container.description = Some("a page".to_owned())), plain);
        assert_eq!(with(&|container: &mut Container| container.application_category = Some("web".to_owned())), plain);
        assert_eq!(
            with(&|container: &mut Container| drop(container.annotations.insert("x:a".to_owned(), 1.into()))),
            plain
        );
        let dependency = Dependency { container: "db".to_owned(), condition: Condition::Started };
        assert_eq!(with(&|container: &mut Container| container.depends_on.push(dependency.clone())), plain);
        assert_ne!(with(&|container: &mut Container| container.image = "nginx:1".to_owned()), plain);
        assert_ne!(with(&|container: &mut Container| container.tty = true), plain);
        assert_eq!(with(&|container: &mut Container| container.pull_policy = PullPolicy::Always), plain);
        assert_eq!(with(&|container: &mut Container| container.restart_policy = RestartPolicy::Always), plain);
        assert_eq!(with(&|container: &mut Container| container.resources.limits.memory = Some(1)), plain);
        assert_eq!(with(&|container: &mut Container| container.resources.reservations.cpus = Some(1.0)), plain);
        assert_ne!(
            with(&|container: &mut Container| drop(container.labels.insert("a".to_owned(), "b".to_owned()))),
            plain
        );
        let mut moved = spec();
        moved.network = Some("shop".into());
        assert_ne!(moved.digest(), plain);
    }

    #[test]
    fn the_containers_own_labels_win_over_the_stacks_and_ours_over_all() {
        let mut spec = spec();
        let map =
            |pairs: &[(&str, &str)]| pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        spec.labels = Arc::new(map(&[("team", "red"), (label::STACK, "stack:shop")]));
        let container = Arc::make_mut(&mut spec.container);
        container.name = "web".to_owned();
        container.labels = map(&[("team", "blue"), (label::STACK, "stolen"), (label::HASH, "stolen")]);
        let labels = spec.sealed().all_labels();
        assert_eq!((&*labels["team"], &*labels[label::STACK]), ("blue", "stack:shop"));
        assert_eq!(labels[label::CONTAINER], "web");
        assert_ne!(labels[label::HASH], "stolen");
    }

    #[test]
    fn an_image_cannot_say_what_the_agent_checks_since_the_label_for_it_is_always_set() {
        let label = |test: Option<HealthTest>| {
            let mut spec = spec();
            let check =
                test.map(|test| HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None });
            Arc::make_mut(&mut spec.container).health_check = check;
            spec.all_labels().shift_remove(label::HEALTH_CHECK)
        };
        assert_eq!(label(None).as_deref(), Some(""));
        assert_eq!(label(Some(HealthTest::None)).as_deref(), Some(""));
        assert_eq!(label(Some(HealthTest::Exec { command: vec!["true".to_owned()] })).as_deref(), Some(""));
        let tcp = label(Some(HealthTest::Tcp { port: 80 })).unwrap();
        assert_eq!(tcp, r#"{"type":"tcp","port":80}"#);
    }
}
