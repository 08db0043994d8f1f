//! The nodes of an expanded document, each with all that is said of it anywhere, linked by `@id`.

use super::super::profile::OURS;
use indexmap::{IndexMap, IndexSet};
use json_syntax::{Object, Value};
use std::collections::{HashMap, HashSet};

/// The key under which the second reading of a document says where its objects stand in the text.
pub(super) const TAG: &str = "graphium:";

/// Everything that a document says.
#[derive(Default)]
pub(super) struct Graph<'e> {
    pub(super) nodes: Vec<Entity<'e>>,
    by_id: HashMap<&'e str, usize>,
}

/// A node.
#[derive(Default)]
pub(super) struct Entity<'e> {
    /// Its `@id`, blank or not.
    pub(super) id: Option<&'e str>,
    pub(super) types: IndexSet<&'e str>,
    pub(super) properties: IndexMap<&'e str, Vec<Item<'e>>>,
    /// The objects that say something of it.
    pub(super) descriptions: Vec<&'e Object>,
    /// The object of the source that described it first.
    pub(super) at: Option<usize>,
    /// Whether it stands in the graph itself, not within another node.
    pub(super) top: bool,
    /// Whether it is a value of anything.
    pub(super) referred_to: bool,
    /// How many nodes depend on it.
    pub(super) dependants: usize,
}

/// A value of a property.
#[derive(Clone)]
pub(super) struct Item<'e> {
    pub(super) content: Content<'e>,
    /// The value as the expanded form has it.
    pub(super) json: &'e Value,
    /// The object of the source that it is.
    pub(super) own: Option<usize>,
    /// The object of the source in which it stands.
    pub(super) holder: Option<usize>,
}

/// What a value is.
#[derive(Clone)]
pub(super) enum Content<'e> {
    /// A string, number, flag or JSON.
    Literal(&'e Object),
    /// Values in an order.
    List(Vec<Item<'e>>),
    /// A node, and what is said of this one edge to it.
    Node(usize, Vec<Item<'e>>),
}

impl Item<'_> {
    /// The node that it is.
    pub(super) fn node(&self) -> Option<usize> {
        match self.content {
            Content::Node(node, _) => Some(node),
            _ => None,
        }
    }
}

impl<'e> Entity<'e> {
    /// Its `@id`, unless it is blank: those mean nothing outside of a document.
    pub(super) fn name(&self) -> Option<&'e str> {
        self.id.filter(|id| !id.starts_with("_:"))
    }

    /// Whether anything is said of it.
    pub(super) fn is_described(&self) -> bool {
        !self.types.is_empty() || !self.properties.is_empty()
    }

    /// What is said of the container itself about those who wait for it.
    pub(super) fn conditions(&self) -> &[Item<'e>] {
        self.properties.iter().find(|(iri, _)| is_condition(iri)).map_or(&[], |(_, items)| items)
    }

    /// The one string that a property has, if it has one.
    pub(super) fn text(&self, iri: &str) -> Option<&'e str> {
        match self.properties.get(iri)?.first()?.content {
            Content::Literal(object) => member(object, "@value").and_then(Value::as_str),
            _ => None,
        }
    }
}

/// The same document expanded with tags, as far as it went alike.
#[derive(Clone, Copy)]
struct Tags<'t>(Option<&'t Value>);

impl<'t> Tags<'t> {
    fn get(self, key: &str) -> Self {
        Self(self.0.and_then(Value::as_object).and_then(|object| member(object, key)))
    }

    fn at(self, position: usize, length: usize) -> Self {
        let elements = self.0.and_then(Value::as_array).filter(|elements| elements.len() == length);
        Self(elements.and_then(|elements| elements.get(position)))
    }

    fn place(self) -> Option<usize> {
        self.get("@index").0.and_then(Value::as_str)?.strip_prefix(TAG)?.parse().ok()
    }
}

impl<'e> Graph<'e> {
    /// Reads the expanded form, and where its objects stood from the tagged one.
    pub(super) fn read(expanded: &'e Value, tagged: Option<&Value>) -> Self {
        let mut graph = Self::default();
        graph.top(expanded, Tags(tagged));
        graph.count_dependants();
        graph
    }

    /// Who depends on a node twice is one dependant.
    fn count_dependants(&mut self) {
        let mut edges = HashSet::new();
        for (dependant, entity) in self.nodes.iter().enumerate() {
            let items = entity.properties.iter().filter(|(iri, _)| is_dependency(iri)).flat_map(|(_, items)| items);
            let within = |item: &Item<'e>| match &item.content {
                Content::List(items) => items.iter().filter_map(Item::node).collect(),
                _ => Vec::from_iter(item.node()),
            };
            edges.extend(items.flat_map(within).map(|node| (node, dependant)));
        }
        for (node, _) in edges {
            self.nodes[node].dependants += 1;
        }
    }

    fn top(&mut self, values: &'e Value, tags: Tags<'_>) {
        let elements = elements(values);
        for (at, element) in elements.iter().enumerate() {
            let tags = tags.at(at, elements.len());
            match element.as_object() {
                Some(object) if !object.contains_key("@value") && !object.contains_key("@list") => {
                    let (node, _) = self.node(object, tags, "");
                    self.nodes[node].top = true;
                }
                _ => {}
            }
        }
    }

    /// Adds what an object says to its node. What it says of the edge to it comes back.
    fn node(&mut self, object: &'e Object, tags: Tags<'_>, via: &str) -> (usize, Vec<Item<'e>>) {
        let own = tags.place();
        let id = member(object, "@id").and_then(Value::as_str);
        let known = id.and_then(|id| self.by_id.get(id).copied());
        let node = known.unwrap_or_else(|| {
            self.nodes.push(Entity { id, ..Entity::default() });
            self.nodes.len() - 1
        });
        if let Some(id) = id {
            self.by_id.insert(id, node);
        }
        if !self.nodes[node].is_described() {
            // Where it is only referred to is a worse place than where it is described.
            self.nodes[node].at = own.or(self.nodes[node].at);
        }
        if object.iter().any(|entry| entry.key != "@id" && entry.key != "@index") {
            self.nodes[node].descriptions.push(object);
        }
        let mut edge = Vec::new();
        for entry in object {
            let (key, value) = (entry.key.as_str(), &entry.value);
            let tags = tags.get(key);
            match key {
                "@id" | "@index" => {}
                "@type" => {
                    for name in elements(value).iter().filter_map(Value::as_str) {
                        self.nodes[node].types.insert(name);
                    }
                }
                // The crate writes `@include` for `@included`.
                "@graph" | "@included" | "@include" => self.top(value, tags),
                "@reverse" => self.reverse(node, value, tags, own),
                iri => {
                    let items = self.items(value, tags, own, iri);
                    // The edge is said to be so, not the node that it leads to.
                    if is_dependency(via) && is_condition(iri) {
                        edge.extend(items);
                    } else {
                        self.nodes[node].properties.entry(iri).or_default().extend(items);
                    }
                }
            }
        }
        (node, edge)
    }

    fn items(&mut self, values: &'e Value, tags: Tags<'_>, holder: Option<usize>, via: &str) -> Vec<Item<'e>> {
        let values = elements(values);
        let count = values.len();
        values.iter().enumerate().filter_map(|(at, value)| self.item(value, tags.at(at, count), holder, via)).collect()
    }

    fn item(&mut self, json: &'e Value, tags: Tags<'_>, holder: Option<usize>, via: &str) -> Option<Item<'e>> {
        let object = json.as_object()?;
        let own = tags.place();
        let content = if object.contains_key("@value") {
            Content::Literal(object)
        } else if let Some(list) = member(object, "@list") {
            Content::List(self.items(list, tags.get("@list"), own.or(holder), via))
        } else {
            let (node, edge) = self.node(object, tags, via);
            self.nodes[node].referred_to = true;
            Content::Node(node, edge)
        };
        Some(Item { content, json, own, holder })
    }

    /// `{"@reverse": {property: [nodes]}}`: those nodes have this one as a value of the property.
    fn reverse(&mut self, node: usize, value: &'e Value, tags: Tags<'_>, holder: Option<usize>) {
        for entry in value.as_object().into_iter().flat_map(Object::iter) {
            let (iri, subjects) = (entry.key.as_str(), elements(&entry.value));
            for (at, json) in subjects.iter().enumerate() {
                let Some(object) = json.as_object() else { continue };
                let (subject, _) = self.node(object, tags.get(iri).at(at, subjects.len()), "");
                self.nodes[node].referred_to = true;
                let item = Item { content: Content::Node(node, Vec::new()), json, own: None, holder };
                self.nodes[subject].properties.entry(iri).or_default().push(item);
            }
        }
    }
}

fn is_dependency(iri: &str) -> bool {
    OURS.iter().any(|ours| iri.strip_prefix(ours) == Some("dependsOn"))
}

pub(super) fn is_condition(iri: &str) -> bool {
    OURS.iter().any(|ours| iri.strip_prefix(ours) == Some("condition"))
}

/// The value of a key.
pub(super) fn member<'o>(object: &'o Object, key: &str) -> Option<&'o Value> {
    object.get(key).next()
}

/// The elements of an array, or the one value.
fn elements(value: &Value) -> &[Value] {
    match value {
        Value::Array(elements) => elements,
        other => std::slice::from_ref(other),
    }
}
