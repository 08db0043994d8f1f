//! From the graph to a canonical document: the nodes that our vocabulary knows, under the keys of the reader's table.

use super::super::{
    code::Code,
    node::Node,
    profile::{KNOWN_PREFIXES, NATIVE_CONTEXT, OURS, SCHEMA_KEY},
    schema::{self, Field, Place},
    suggest,
    vocabulary::{self, DATACENTER, SCHEMA, Shape},
};
use super::{
    Purpose,
    expand::UNDEFINED,
    graph::{Graph, Item},
    locate::Origin,
    mistakes::{Mistake, Mistakes},
    output::Output,
};
use indexmap::IndexMap;
use json_syntax::{Object, Print as _, Value};
use std::{collections::HashSet, rc::Rc};

/// Writes one graph.
pub(super) struct Writer<'e, 'g> {
    pub(super) graph: &'g Graph<'e>,
    pub(super) out: Output,
    pub(super) mistakes: Mistakes,
    /// Nodes that are written, within another or not.
    pub(super) embedded: Vec<bool>,
    /// The objects that are written as they are, within annotations.
    pub(super) carried: HashSet<*const Object>,
    pub(super) purpose: Purpose,
}

/// Whose properties are being written.
#[derive(Clone)]
pub(super) struct Owner {
    /// The nearest node with a name, ready for a message.
    node: Rc<str>,
    /// The way from it.
    path: String,
    /// The object of the source that is being read.
    at: Option<usize>,
}

impl Owner {
    pub(super) fn nobody() -> Self {
        Self { node: "".into(), path: String::new(), at: None }
    }

    pub(super) fn named(name: &str, at: Option<usize>) -> Self {
        /// Letters of a name in a message; every property has the name with it.
        const SHOWN: usize = 100;
        let shown = match name.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("`{}…`", name.get(..end).unwrap_or_default()),
            None => format!("`{name}`"),
        };
        Self { node: shown.into(), path: String::new(), at }
    }

    fn text(&self, word: &str) -> Rc<str> {
        let of = if self.node.is_empty() { String::new() } else { format!(" of {}", self.node) };
        match (self.path.as_str(), word) {
            ("", "") => self.node.clone(),
            (path, "") | ("", path) => format!("`{path}`{of}").into(),
            (path, word) => format!("`{path}.{word}`{of}").into(),
        }
    }

    /// Where the key of a property came from.
    pub(super) fn key(&self, word: &str, holder: Option<usize>) -> Origin {
        Origin { holder: holder.or(self.at), word: word.into(), owner: self.text(word), ..Origin::default() }
    }

    /// Where a value came from.
    pub(super) fn value(&self, word: &str, item: &Item<'_>) -> Origin {
        Origin { own: item.own, ..self.key(word, item.holder) }
    }

    fn below(&self, word: &str, at: Option<usize>) -> Self {
        let path = if self.path.is_empty() { word.to_owned() } else { format!("{}.{word}", self.path) };
        Self { node: self.node.clone(), path, at }
    }
}

/// What an IRI is to a place.
enum Meaning<'i> {
    Field(&'static Field, Shape),
    /// One of our IRIs, which says nothing here.
    Stray(&'i str),
    /// A key without any IRI.
    Undefined(&'i str),
    /// The prefix is one that we know, and the document does not declare.
    Undeclared(&'i str),
    Foreign,
}

fn meaning<'i>(iri: &'i str, place: &'static Place) -> Meaning<'i> {
    if let Some(key) = iri.strip_prefix(UNDEFINED) {
        return Meaning::Undefined(key);
    }
    if let Some(field) = vocabulary::field_of(place, iri)
        && let Some(shape) = vocabulary::shape(place, field)
    {
        return Meaning::Field(field, shape);
    }
    if let Some(local) = OURS.iter().find_map(|namespace| iri.strip_prefix(namespace)) {
        return Meaning::Stray(local);
    }
    match undeclared(iri) {
        Some(prefix) => Meaning::Undeclared(prefix),
        None => Meaning::Foreign,
    }
}

/// The prefix of ours that stands where a scheme should.
pub(super) fn undeclared(iri: &str) -> Option<&str> {
    let (prefix, local) = iri.split_once(':')?;
    (KNOWN_PREFIXES.contains(&prefix) && !local.starts_with("//")).then_some(prefix)
}

pub(super) fn is(place: &'static Place, one_of: &[&'static Place]) -> bool {
    one_of.iter().any(|other| std::ptr::eq(place, *other))
}

/// Places of nodes that have a name of their own.
const NAMED: [&Place; 4] = [&schema::STACK, &schema::CONTAINER, &schema::HOST, &schema::RACK];

impl<'e, 'g> Writer<'e, 'g> {
    pub(super) fn new(graph: &'g Graph<'e>, purpose: Purpose) -> Self {
        let embedded = vec![false; graph.nodes.len()];
        let (out, mistakes) = (Output::default(), Mistakes::default());
        Self { graph, out, mistakes, embedded, carried: HashSet::new(), purpose }
    }

    /// A request around the graph; what it says beside the stack is taken as it is.
    pub(super) fn envelope(&mut self, root: Node<'_>) {
        let nobody = Owner::nobody();
        self.out.open('{', nobody.key("", None));
        for member in root.members().filter(|member| member.key != "@context") {
            let origin = Origin { exact: Some(member.value.index()), ..Origin::default() };
            self.out.key(member.key, origin.clone());
            match member.key {
                "stackDefinition" => self.document(),
                _ => self.out.raw(&member.value.value().compact_print().to_string(), origin),
            }
        }
        self.out.close('}');
    }

    /// The whole graph: stacks with their containers first, then what belongs to none.
    pub(super) fn document(&mut self) {
        let nobody = Owner::nobody();
        self.out.open('{', nobody.key("", None));
        if self.purpose == Purpose::Rewrite {
            self.out.key("@context", nobody.key("@context", None));
            self.out.string(NATIVE_CONTEXT, nobody.key("@context", None));
        }
        self.out.key("@graph", nobody.key("@graph", None));
        self.out.open('[', nobody.key("@graph", None));
        let is_stack =
            |graph: &Graph<'_>, node: usize| graph.nodes[node].types.iter().any(|t| ours(t) == Some("Stack"));
        for node in (0..self.graph.nodes.len()).filter(|node| is_stack(self.graph, *node)) {
            if self.out.is_full() {
                break;
            }
            self.object(node, &schema::STACK, &nobody, "");
        }
        for node in 0..self.graph.nodes.len() {
            if self.out.is_full() {
                break;
            }
            if !self.embedded[node] && !is_stack(self.graph, node) {
                self.stray(node, &nobody);
            }
        }
        if self.purpose == Purpose::Rewrite {
            self.rest(&nobody);
        }
        self.out.close(']');
        self.out.close('}');
    }

    /// A node that no stack has room for.
    fn stray(&mut self, node: usize, nobody: &Owner) {
        let entity = &self.graph.nodes[node];
        let types: Vec<String> = entity.types.iter().filter_map(|name| ours(name)).map(str::to_lowercase).collect();
        let says_ours = |iri: &&str| OURS.iter().any(|ours| iri.starts_with(ours)) || iri.starts_with(UNDEFINED);
        let ends = |end: &str| types.iter().any(|name| name.ends_with(end));
        let undeclared_type = entity.types.iter().any(|name| undeclared(name).is_some() || name.starts_with(UNDEFINED));
        let is_ours = !types.is_empty() || undeclared_type;
        let has_place = types.iter().any(|name| ["container", "host", "rack", "datacenter"].contains(&name.as_str()));
        if entity.referred_to && !has_place {
            // A part of an annotation: it is carried there.
            return;
        }
        if !is_ours && (!entity.types.is_empty() || !entity.properties.keys().any(says_ours)) {
            if entity.top && entity.is_described() && self.purpose == Purpose::Read {
                let owner = Owner::named(entity.id.unwrap_or("a node without a name"), entity.at);
                let origin = Origin { own: entity.at, ..owner.key("", entity.at) };
                let what = suggest::list(entity.types.iter().copied());
                let what = if what.is_empty() { "no type".to_owned() } else { format!("type {what}") };
                let message = format!("a node of {what} is not part of the stack");
                self.mistake(Code::IgnoredNode, origin, Some(Value::Object(Object::new())), message, None);
            }
            return;
        }
        let has_parts = entity.properties.keys().any(|iri| OURS.iter().any(|o| iri.strip_prefix(o) == Some("hasPart")));
        let place = match () {
            () if ends("host") => &schema::HOST,
            () if ends("datacenter") || ends("rack") => &schema::RACK,
            () if has_parts => &schema::STACK,
            () => &schema::CONTAINER,
        };
        self.object(node, place, nobody, "");
    }

    /// A node as an object of a place.
    pub(super) fn object(&mut self, node: usize, place: &'static Place, above: &Owner, word: &str) {
        let graph = self.graph;
        let entity = &graph.nodes[node];
        self.embedded[node] = true;
        // A node is looked at as a whole wherever it is linked, however little of it is written.
        self.out.spend(entity.types.len() + entity.properties.len());
        let named = is(place, &NAMED);
        let name = entity.name().or_else(|| entity.text(&format!("{SCHEMA}name")).filter(|_| named));
        let owner = match name {
            Some(name) => Owner::named(name, entity.at),
            None => above.below(word, entity.at),
        };
        self.out.open('{', Origin { own: entity.at, ..owner.key("", entity.at) });
        if named {
            if let Some(id) = entity.name() {
                self.out.key("@id", owner.key("@id", entity.at));
                self.out.string(&short(id), owner.key("@id", entity.at));
            }
            self.types(node, place, &owner);
        } else if self.purpose == Purpose::Rewrite {
            self.identity(node, place, &owner);
        }
        let mut fields: IndexMap<&str, (&'static Field, Shape, Vec<&Item<'e>>)> = IndexMap::new();
        for (iri, items) in &entity.properties {
            if self.out.is_full() {
                break;
            }
            let holder = items.first().and_then(|item| item.holder);
            match meaning(iri, place) {
                Meaning::Field(field, shape) => {
                    fields.entry(field.name).or_insert((field, shape, Vec::new())).2.extend(items);
                }
                // A condition that was said of a container is read where somebody waits for it.
                Meaning::Stray("condition") if entity.dependants > 0 && is(place, &[&schema::CONTAINER]) => {}
                Meaning::Stray(local) => {
                    self.out.key(local, owner.key(local, holder));
                    self.out.raw("null", owner.key(local, holder));
                }
                Meaning::Undefined(key) => self.undefined(key, owner.key(key, holder), place),
                Meaning::Undeclared(prefix) => {
                    let message = format!("the prefix of `{iri}` is not declared");
                    self.undeclared(prefix, owner.key(iri.rsplit(':').next().unwrap_or(iri), holder), message);
                }
                Meaning::Foreign => {
                    let word = iri.rsplit(['#', '/', ':']).next().unwrap_or(iri);
                    self.out.key(iri, owner.key(word, holder));
                    let value = super::values::plain(items.iter().map(|item| item.json));
                    self.out.raw(&value.to_string(), owner.key(word, holder));
                    if self.purpose == Purpose::Rewrite {
                        self.carry(items);
                    }
                }
            }
        }
        for (field, shape, items) in fields.into_values() {
            if self.out.is_full() {
                break;
            }
            self.field(field, shape, &items, &owner);
        }
        self.out.close('}');
    }

    fn types(&mut self, node: usize, place: &'static Place, owner: &Owner) {
        let graph = self.graph;
        let entity = &graph.nodes[node];
        let mut known: Vec<String> = Vec::new();
        for name in &entity.types {
            let origin = owner.key("@type", entity.at);
            if let Some(bare) = name.strip_prefix(UNDEFINED) {
                if self.mistakes.leave_out(Code::UnknownType.severity()) {
                    continue;
                }
                let near = suggest::nearest(bare, ["Stack", "Container", "Host", "Rack", "Datacenter"]);
                let help = near.map(|near| format!("define \"{bare}\": \"{DATACENTER}{near}\" in `@context`"));
                let message = format!("the `@context` does not define the type `{bare}`");
                self.mistake(Code::UnknownType, origin, Some(Value::from(bare)), message, help);
            } else if let Some(prefix) = undeclared(name) {
                self.undeclared(prefix, origin, format!("the prefix of the type `{name}` is not declared"));
            } else if let Some(local) = ours(name) {
                known.push(if name.starts_with(SCHEMA) { local.to_owned() } else { format!("datacenter:{local}") });
                continue;
            } else {
                continue;
            }
            // Read on as what it should be: its other mistakes are worth telling.
            known.push(
                if is(place, &[&schema::STACK]) { "datacenter:Stack" } else { "datacenter:Container" }.to_owned(),
            );
        }
        if known.is_empty() && !entity.types.is_empty() {
            let what = suggest::list(entity.types.iter().copied());
            let message = format!("{what} is no type of {}", place.what);
            let help = format!("use `{DATACENTER}Container`, beside types of your own");
            self.mistake(Code::UnknownType, owner.key("@type", entity.at), None, message, Some(help));
            known.push("datacenter:Container".to_owned());
        }
        if self.purpose == Purpose::Rewrite {
            known.extend(self.foreign_types(node, place, owner));
        }
        if !known.is_empty() {
            self.out.key("@type", owner.key("@type", entity.at));
            self.out.open('[', owner.key("@type", entity.at));
            for name in known {
                self.out.string(&name, owner.key("@type", entity.at));
            }
            self.out.close(']');
        }
    }

    /// A key that JSON-LD would ignore: what its author meant to say would be lost in silence.
    fn undefined(&mut self, key: &str, origin: Origin, place: &'static Place) {
        if key == SCHEMA_KEY {
            // For editors alone; formatting writes another document, which another schema is for.
            if self.purpose == Purpose::Rewrite {
                self.left_out(origin, format!("`{SCHEMA_KEY}` is for editors: it is left out"));
            }
            return;
        }
        // Looking for what was meant is the most of the work.
        if self.mistakes.leave_out(Code::UnknownKey.severity()) {
            return;
        }
        let known = |field: &'static Field| vocabulary::shape(place, field).map(|_| field.name);
        let names = place.fields.iter().filter_map(known);
        let help = match suggest::nearest(key, names) {
            Some(name) => format!("define \"{key}\": \"{}\" in `@context`", vocabulary::iri_of(place, name)),
            None => "define it in `@context`, or remove it".to_owned(),
        };
        let message = format!("the `@context` does not define `{key}`, so it says nothing");
        self.mistake(Code::UnknownKey, origin, None, message, Some(help));
    }

    fn undeclared(&mut self, prefix: &str, origin: Origin, message: String) {
        let iri = OURS.iter().find(|iri| iri.contains(&format!("{prefix}#"))).unwrap_or(&SCHEMA);
        self.mistake(
            Code::UndeclaredPrefix,
            origin,
            None,
            message,
            Some(format!("add \"{prefix}\": \"{iri}\" to `@context`")),
        );
    }

    pub(super) fn mistake(
        &mut self,
        code: Code,
        origin: Origin,
        value: Option<Value>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        self.mistakes.add(Mistake { code, origin, value, message: message.into(), help });
    }
}

/// The end of an IRI of ours.
pub(super) fn ours(iri: &str) -> Option<&str> {
    OURS.iter().find_map(|namespace| iri.strip_prefix(namespace))
}

/// An `@id` as native documents write it: `datacenter:` is the one prefix of ours that names use too.
pub(super) fn short(id: &str) -> String {
    match id.strip_prefix(DATACENTER) {
        Some(name) => format!("datacenter:{name}"),
        None => id.to_owned(),
    }
}
