//! The stack and its parts beside the containers.

use super::super::{
    check, code::Code, findings::Place, names, node::Node, object::Object, reader::Reader, schema, suggest,
};
use super::{
    container::ContainerDraft,
    graph::{Graph, local},
};
use crate::{
    id::StackId,
    stack::{NamedDatacenter, Stack},
};
use json_syntax::Value;

impl Reader<'_> {
    /// Reads a stack; `used` collects the containers beside it that it refers to.
    pub(super) fn stack(&mut self, node: Node<'_>, graph: &Graph<'_>, used: &mut Vec<usize>) -> Option<Stack> {
        let object = self.object(node, &schema::STACK)?;
        let name = self.name(&object, "stack").map(|(_, name)| name);
        let id = self.identity(&object, || name.as_ref().map(|name| format!("stack:{name}")));
        let volumes = self.volumes(&object);
        let parts = self.parts(&object, graph, used);
        let name = name.unwrap_or_default();
        let mut drafts: Vec<ContainerDraft<'_>> =
            parts.into_iter().filter_map(|part| self.container(part, &name)).collect();
        let mut stack = Stack {
            id: StackId::new(id.unwrap_or_default()),
            name,
            description: self.text_of(&object, "description"),
            labels: self.labels_of(&object),
            host: self.host_of(&object, "locatedInHost"),
            network: object.get("network").and_then(|network| self.network(network)),
            containers: Vec::new(),
            deployment: object.get("deployment").map(|node| self.deployment(node)).unwrap_or_default(),
            depends_on: self.references(&object, "dependsOn"),
            volumes,
            secrets: self.references(&object, "secrets"),
            hosts: Vec::new(),
            datacenters: self
                .datacenters
                .iter()
                .map(|(name, id)| NamedDatacenter { id: id.clone(), name: name.clone() })
                .collect(),
            annotations: object.annotations(),
        };
        for key in ["applicationCategory", "softwareVersion"] {
            if let Some(text) = self.text_of(&object, key) {
                stack.annotations.insert(key.to_owned(), text.into());
            }
        }
        for draft in &mut drafts {
            for (volume, place) in draft.volumes.drain(..) {
                self.add_volume(&mut stack.volumes, volume, place);
            }
        }
        check::whole(self, &mut stack, drafts, &object);
        Some(stack)
    }

    /// A name as it is written and as it is used.
    pub(super) fn name(&mut self, object: &Object<'_>, noun: &str) -> Option<(String, String)> {
        let Some(node) = object.get("name") else {
            // The last part of the `@id` is what people repeat as the name.
            let id = object.get("@id").and_then(Node::as_str).map(local).and_then(names::slug);
            let help = format!("add \"name\": \"{}\"", id.as_deref().unwrap_or("…"));
            self.error(Code::MissingKey, object.node, format!("this {noun} has no name"), help);
            return None;
        };
        let written = self.text(node)?;
        if names::is_usable(&written) {
            return Some((written.clone(), written));
        }
        match names::slug(&written) {
            Some(slug) => {
                let message = format!("the name `{}` is used as `{slug}`", node.quote(&written));
                let help = (!node.has_variables()).then(|| format!("write \"name\": \"{slug}\""));
                self.findings.add(Code::ChangedName, node, message, help);
                Some((written, slug))
            }
            None => {
                let help = "use lower-case letters, digits, `-`, `_` and `.`, 63 at most, a letter or digit first";
                self.error(
                    Code::BadName,
                    node,
                    format!("`{}` cannot be the name of a {noun}", node.quote(&written)),
                    help,
                );
                None
            }
        }
    }

    /// The `@id`, or one that is made.
    pub(super) fn identity(&mut self, object: &Object<'_>, make: impl FnOnce() -> Option<String>) -> Option<String> {
        if let Some(node) = object.get("@id") {
            let id = self.text(node)?;
            return self.named(node, id, &["stack:", "container:"]);
        }
        let id = make()?;
        let message = format!("the `@id` of {} is made of its name: `{id}`", object.place.what);
        let place = Place::shown_by(object.node, object.get("name"));
        self.findings.add(Code::DerivedId, place, message, Some(format!("add \"@id\": \"{id}\"")));
        Some(id)
    }

    /// The nodes of the containers, in order: given here, or referred to and given elsewhere in the graph.
    pub(super) fn parts<'d>(&mut self, object: &Object<'d>, graph: &Graph<'d>, used: &mut Vec<usize>) -> Vec<Node<'d>> {
        let mut parts: Vec<Node<'d>> = Vec::new();
        for member in object.all("hasPart") {
            let mut items = member.value.items();
            if local(member.key) == "itemListElement" {
                items = self.by_position(items);
            }
            parts.extend(items.into_iter().filter_map(|item| self.part(item, graph, used)));
        }
        if !object.all("hasPart").any(|member| !member.value.items().is_empty()) {
            let place = match object.all("hasPart").next() {
                Some(empty) => Place::from(empty.value),
                None => Place::shown_by(object.node, object.get("name")),
            };
            let help = "list its containers in \"hasPart\": [{\"@type\": \"datacenter:Container\", \"name\": …, \"image\": …}]";
            self.error(Code::EmptyStack, place, "this stack has no container", help);
        }
        parts
    }

    /// The entries of an `ItemList` in the order of their positions; entries without one stay where they are, at the end.
    pub(in super::super) fn by_position<'d>(&mut self, items: Vec<Node<'d>>) -> Vec<Node<'d>> {
        let mut placed: Vec<(i64, Node<'d>)> = Vec::with_capacity(items.len());
        for item in items {
            let position = item.get("position").and_then(|node| self.integer(node, i64::MIN, i64::MAX));
            let wrapped = item.get("item").filter(|_| item.get("image").is_none());
            if wrapped.is_some() {
                self.object(item, &schema::LIST_ITEM);
            }
            placed.push((position.unwrap_or(i64::MAX), wrapped.unwrap_or(item)));
        }
        placed.sort_by_key(|(position, _)| *position);
        placed.into_iter().map(|(_, item)| item).collect()
    }

    pub(in super::super) fn part<'d>(
        &mut self,
        item: Node<'d>,
        graph: &Graph<'d>,
        used: &mut Vec<usize>,
    ) -> Option<Node<'d>> {
        let only_id = item.is_object() && item.members().all(|member| matches!(member.key, "@id" | "@type"));
        if item.is_object() && !(only_id && item.get("@id").is_some()) {
            return Some(item);
        }
        let id = self.reference(item)?;
        let ids = || graph.containers.iter().filter_map(|node| node.get("@id").and_then(Node::as_str));
        let Some(found) = graph.containers.iter().find(|node| node.get("@id").and_then(Node::as_str) == Some(&id))
        else {
            let help = match suggest::nearest(&id, ids()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "put the container here whole, or add its node to `@graph`".to_owned(),
            };
            self.error(
                Code::UnresolvedReference,
                item,
                format!("no container of this document has the `@id` `{}`", item.quote(&id)),
                help,
            );
            return None;
        };
        used.push(found.index());
        Some(*found)
    }

    /// Names of things outside of the document: strings, or objects with `@id` or `name`.
    fn references(&mut self, object: &Object<'_>, name: &str) -> Vec<String> {
        let items: Vec<Node<'_>> = object.all(name).flat_map(|member| member.value.items()).collect();
        let mut names: Vec<String> = Vec::new();
        for item in items {
            names.extend(self.outside_name(item).filter(|name| !names.contains(name)));
        }
        names
    }

    /// What one of them is called.
    pub(super) fn outside_name(&mut self, item: Node<'_>) -> Option<String> {
        let name = match item.value() {
            Value::Object(object) if object.contains_key("name") => {
                let named = self.object(item, &schema::NAMED)?;
                self.text_of(&named, "name")
            }
            _ => self.reference(item),
        }?;
        self.named(item, name, &["stack:"])
    }
}
