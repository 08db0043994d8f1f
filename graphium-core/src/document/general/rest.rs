//! What the reader has no use for, and a document that is rewritten should not lose: names and types of others, nodes
//! of others. What there is no place for is told.

use super::super::{
    code::Code,
    read::local,
    schema::{self, Place},
};
use super::{
    expand::UNDEFINED,
    graph::Item,
    locate::Origin,
    native::{Owner, Writer, is, ours, short, undeclared},
    values::plain,
};
use json_syntax::{Object, Value};

/// Types that make a stack or container of a node, whoever's they are.
const READ: [&str; 4] = ["Stack", "Container", "ItemList", "SoftwareApplication"];
/// The ends of types that make something of the topology of it.
const READ_ENDS: [&str; 3] = ["datacenter", "rack", "host"];

impl<'e> Writer<'e, '_> {
    /// The name and the types of a part.
    pub(super) fn identity(&mut self, node: usize, place: &'static Place, owner: &Owner) {
        let entity = &self.graph.nodes[node];
        if let Some(id) = entity.name().filter(|_| place.field("@id").is_some()) {
            self.out.key("@id", owner.key("@id", entity.at));
            self.out.string(&short(id), owner.key("@id", entity.at));
        }
        if place.field("@type").is_none() {
            return;
        }
        let types = self.foreign_types(node, place, owner);
        if !types.is_empty() {
            self.strings("@type", types, owner.key("@type", entity.at));
        }
    }

    fn strings(&mut self, key: &str, texts: Vec<String>, origin: Origin) {
        self.out.key(key, origin.clone());
        if let [only] = texts.as_slice() {
            return self.out.string(only, origin);
        }
        self.out.open('[', origin.clone());
        texts.iter().for_each(|text| self.out.string(text, origin.clone()));
        self.out.close(']');
    }

    /// Types that are not ours. One that would be read as if it were is left out.
    pub(super) fn foreign_types(&mut self, node: usize, place: &'static Place, owner: &Owner) -> Vec<String> {
        let entity = &self.graph.nodes[node];
        let mut kept = Vec::new();
        for name in entity.types.iter().filter(|name| is_foreign(name)) {
            let misread = match () {
                () if is(place, &[&schema::STACK]) => false,
                () if is(place, &[&schema::CONTAINER]) => local(name) == "Stack",
                () => is(place, &[&schema::HOST, &schema::RACK]) && is_misread(name),
            };
            if misread {
                let message = format!("the type `{name}` would be taken for one of ours: it is left out");
                self.left_out(owner.key("@type", entity.at), message);
            } else {
                kept.push((*name).to_owned());
            }
        }
        kept
    }

    /// Notes what is said of nodes within annotations, which are written as they are.
    pub(super) fn carry(&mut self, items: &[Item<'e>]) {
        items.iter().for_each(|item| self.carry_all(item.json));
    }

    fn carry_all(&mut self, value: &Value) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| self.carry_all(element)),
            Value::Object(object) => {
                self.carried.insert(std::ptr::from_ref(object));
                object.iter().for_each(|entry| self.carry_all(&entry.value));
            }
            _ => {}
        }
    }

    /// Nodes that are described and not written so far.
    pub(super) fn rest(&mut self, nobody: &Owner) {
        let graph = self.graph;
        // What is nested goes with the node around it.
        for is_top in [true, false] {
            for node in (0..graph.nodes.len()).filter(|node| graph.nodes[*node].top == is_top) {
                if self.out.is_full() {
                    return;
                }
                let is_said = |object: &&Object| self.carried.contains(&std::ptr::from_ref(*object));
                if !self.embedded[node] && !graph.nodes[node].descriptions.iter().all(is_said) {
                    self.foreign_node(node, nobody);
                }
            }
        }
    }

    /// A node of others, as it is.
    fn foreign_node(&mut self, node: usize, nobody: &Owner) {
        let entity = &self.graph.nodes[node];
        let is_node = |name: &&str| is_foreign(name) && !is_misread(name);
        if entity.types.is_empty() || !entity.types.iter().all(is_node) {
            let owner = Owner::named(entity.id.unwrap_or("a node without a name"), entity.at);
            let message = "a node without a type of its own is not part of the stack: it is left out".to_owned();
            let origin = Origin { own: entity.at, ..owner.key("", entity.at) };
            return self.left_out(origin, message);
        }
        let origin = nobody.key("", entity.at);
        self.out.open('{', origin.clone());
        if let Some(id) = entity.id {
            self.out.key("@id", origin.clone());
            self.out.string(&short(id), origin.clone());
        }
        self.strings("@type", entity.types.iter().map(|name| (*name).to_owned()).collect(), origin.clone());
        for (iri, items) in &entity.properties {
            self.out.key(iri, origin.clone());
            self.out.raw(&plain(items.iter().map(|item| item.json)).to_string(), origin.clone());
            self.carry(items);
        }
        self.out.close('}');
    }

    pub(super) fn left_out(&mut self, origin: Origin, message: String) {
        self.mistake(Code::LeftOut, origin, Some(Value::Object(Object::new())), message, None);
    }
}

/// Whether a type is nobody's that the reader knows.
fn is_foreign(name: &str) -> bool {
    ours(name).is_none() && undeclared(name).is_none() && !name.starts_with(UNDEFINED) && name.contains(':')
}

/// Whether the reader would make something of a node of this type.
fn is_misread(name: &str) -> bool {
    let local = local(name);
    READ.contains(&local) || READ_ENDS.iter().any(|end| local.to_ascii_lowercase().ends_with(end))
}
