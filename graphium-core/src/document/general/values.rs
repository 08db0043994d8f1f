//! The values of a property, in the shape that the reader's table wants.

use super::super::{
    code::Code,
    schema::{Field, Kind},
    vocabulary::{SCHEMA, Shape},
};
use super::{
    Purpose,
    graph::{Content, Graph, Item, member},
    native::{Owner, Writer, short},
    output::quoted,
};
use json_syntax::{Object, Print as _, Value};
use std::collections::HashSet;

const XSD: &str = "http://www.w3.org/2001/XMLSchema#";
/// Datatypes whose texts are numbers.
const NUMBERS: [&str; 14] = [
    "integer",
    "decimal",
    "double",
    "float",
    "int",
    "long",
    "short",
    "byte",
    "nonNegativeInteger",
    "positiveInteger",
    "unsignedInt",
    "unsignedLong",
    "unsignedShort",
    "unsignedByte",
];

impl<'e, 'g> Writer<'e, 'g> {
    pub(super) fn field(&mut self, field: &'static Field, shape: Shape, items: &[&Item<'e>], owner: &Owner) {
        let name = field.name;
        self.out.spend(items.len());
        let holder = items.first().and_then(|item| item.holder);
        let is_list = matches!(field.kind, Kind::List(_) | Kind::TextList | Kind::Words | Kind::Forms(_));
        match shape {
            Shape::Scalar if !matches!(field.kind, Kind::Reference) => {
                let Some(item) = self.single(name, items, owner) else { return };
                self.out.key(name, owner.key(name, holder));
                self.scalar(field, item, owner);
            }
            Shape::Json => {
                let Some(item) = self.single(name, items, owner) else { return };
                self.json(name, item, owner);
            }
            Shape::Words if items.iter().any(|item| matches!(item.content, Content::List(_))) => {
                let Some(item) = self.single(name, items, owner) else { return };
                let Content::List(words) = &item.content else { return };
                self.array(name, holder, owner, &words.iter().collect::<Vec<_>>(), |writer, item| {
                    writer.scalar(field, item, owner);
                });
            }
            Shape::Words if matches!(field.kind, Kind::TextList) && items.len() < 2 => {
                self.array(name, holder, owner, items, |writer, item| writer.scalar(field, item, owner));
            }
            Shape::Words => {
                let Some(item) = items.first() else { return };
                let message = format!("the values of `{name}` have no order");
                let help = "give the term \"@container\": \"@list\", or write {\"@list\": […]}";
                self.mistake(Code::BadForm, owner.value(name, item), value_of(item), message, Some(help.to_owned()));
            }
            Shape::Scalars => {
                let items = self.distinct(flat(items));
                self.array(name, holder, owner, &items, |writer, item| writer.scalar(field, item, owner));
            }
            Shape::References if is_list => {
                self.array(name, holder, owner, &flat(items), |writer, item| writer.reference(name, item, owner));
            }
            Shape::References | Shape::Scalar => {
                let Some(item) = self.single(name, items, owner) else { return };
                let Some(text) = self.name_of(name, item, owner) else { return };
                self.out.key(name, owner.key(name, holder));
                self.out.raw(&text, owner.value(name, item));
            }
            Shape::Edges(place) => {
                let Some(condition) = place.field("condition") else { return };
                self.array(name, holder, owner, &flat(items), |writer, item| writer.edge(name, condition, item, owner));
            }
            Shape::Nodes(place) => {
                let write = |writer: &mut Self, item: &Item<'e>| match &item.content {
                    Content::Node(node, _) if !writer.out.is_full() => match &writer.graph.nodes[*node] {
                        // Referred to, and nowhere described.
                        entity if !entity.is_described() && entity.name().is_some() => {
                            writer.out.open('{', owner.value(name, item));
                            writer.out.key("@id", owner.value(name, item));
                            writer.out.string(&short(entity.name().unwrap_or_default()), owner.value(name, item));
                            writer.out.close('}');
                        }
                        _ => writer.object(*node, place, owner, name),
                    },
                    _ => writer.scalar(field, item, owner),
                };
                if is_list {
                    self.array(name, holder, owner, &flat(items), write);
                } else if let Some(item) = self.single(name, items, owner) {
                    self.out.key(name, owner.key(name, holder));
                    write(self, item);
                }
            }
        }
    }

    fn array(
        &mut self,
        name: &str,
        holder: Option<usize>,
        owner: &Owner,
        items: &[&Item<'e>],
        mut write: impl FnMut(&mut Self, &Item<'e>),
    ) {
        self.out.key(name, owner.key(name, holder));
        self.out.open('[', owner.key(name, holder));
        for item in items {
            if self.out.is_full() {
                break;
            }
            write(self, item);
        }
        self.out.close(']');
    }

    /// The one value. Of several the first, with a word about the others; said twice the same is said once.
    fn single<'i>(&mut self, name: &str, items: &[&'i Item<'e>], owner: &Owner) -> Option<&'i Item<'e>> {
        let items = self.distinct(items.to_vec());
        if let Some(second) = items.get(1) {
            let message = format!("`{name}` has {} values, and takes one", items.len());
            let help = Some("keep one of them".to_owned());
            self.mistake(Code::DuplicateKey, owner.value(name, second), value_of(second), message, help);
        }
        items.first().copied()
    }

    /// A string, number or flag.
    fn scalar(&mut self, field: &'static Field, item: &Item<'e>, owner: &Owner) {
        let name = field.name;
        let origin = owner.value(name, item);
        match &item.content {
            Content::List(items) => match items.as_slice() {
                [item] if !matches!(item.content, Content::List(_)) => self.scalar(field, item, owner),
                _ => {
                    let message = format!("`{name}` takes one value, and this is a list");
                    self.mistake(Code::WrongType, origin.clone(), value_of(item), message, None);
                    self.out.string("", origin);
                }
            },
            Content::Node(..) if name == "secrets" => self.reference(name, item, owner),
            Content::Node(node, _) => {
                let entity = &self.graph.nodes[*node];
                let shown = entity.name().unwrap_or("a node without a name").to_owned();
                let message = format!("`{name}` is a value, and this is a node: `{shown}`");
                let help =
                    "define its term without \"@type\": \"@id\" or \"@vocab\"; a value is a string, number or flag";
                self.mistake(Code::WrongType, origin.clone(), value_of(item), message, Some(help.to_owned()));
                self.out.string(&shown, origin);
            }
            Content::Literal(literal) => {
                let Some(value) = member(literal, "@value") else { return };
                let text = self.literal(name, literal, value, item, owner);
                self.out.raw(&text, origin);
            }
        }
    }

    /// The JSON of a literal, by its datatype.
    fn literal(&mut self, name: &str, literal: &Object, value: &Value, item: &Item<'e>, owner: &Owner) -> String {
        if self.purpose == Purpose::Rewrite && (literal.contains_key("@language") || literal.contains_key("@direction"))
        {
            let message = format!("the language of `{name}` has no place in the native form: it is left out");
            self.left_out(owner.value(name, item), message);
        }
        let datatype = member(literal, "@type").and_then(Value::as_str).unwrap_or("");
        let text = match (value, datatype.strip_prefix(XSD)) {
            (Value::String(text), Some(number)) if NUMBERS.contains(&number) => {
                return match json_syntax::NumberBuf::new(text.as_bytes().to_vec().into()) {
                    Ok(number) => number.as_str().to_owned(),
                    Err(_) => value.compact_print().to_string(),
                };
            }
            (Value::String(text), Some("boolean")) => match text.as_str() {
                "true" | "1" => return "true".to_owned(),
                "false" | "0" => return "false".to_owned(),
                _ => value.compact_print().to_string(),
            },
            _ => value.compact_print().to_string(),
        };
        let known = |datatype: &str| {
            matches!(datatype, "" | "@json")
                || datatype
                    .strip_prefix(XSD)
                    .is_some_and(|local| NUMBERS.contains(&local) || matches!(local, "string" | "boolean"))
        };
        if !known(datatype) {
            let message = format!("`{name}` cannot be of the datatype `{datatype}`");
            let help = "write a string, number or flag without a datatype, or one of XML Schema's".to_owned();
            self.mistake(Code::WrongType, owner.value(name, item), value_of(item), message, Some(help));
        }
        text
    }

    /// A map, which is data and no node.
    fn json(&mut self, name: &str, item: &Item<'e>, owner: &Owner) {
        let origin = owner.value(name, item);
        match &item.content {
            Content::Literal(literal) => {
                let Some(value) = member(literal, "@value") else { return };
                self.out.key(name, owner.key(name, item.holder));
                self.out.raw(&value.compact_print().to_string(), origin);
            }
            _ => {
                let message = format!("the keys of `{name}` are data, and here they are properties of a node");
                let help = "give the term \"@type\": \"@json\", or write {\"@type\": \"@json\", \"@value\": {…}}";
                self.mistake(Code::WrongType, origin, value_of(item), message, Some(help.to_owned()));
            }
        }
    }

    /// The name of a node, where it has one.
    fn reference(&mut self, name: &str, item: &Item<'e>, owner: &Owner) {
        let Some(text) = self.name_of(name, item, owner) else { return };
        let Some(condition) = self.said_of(item).first().filter(|_| name == "dependsOn") else {
            return self.out.raw(&text, owner.value(name, item));
        };
        // There is none here, and the reader says so.
        self.out.open('{', owner.value(name, item));
        self.out.key("@id", owner.value(name, item));
        self.out.raw(&text, owner.value(name, item));
        self.out.key("condition", owner.key("condition", condition.holder));
        self.out.raw("null", owner.key("condition", condition.holder));
        self.out.close('}');
    }

    /// The conditions of a dependency: those of the edge, or those of the container.
    fn said_of<'i>(&self, item: &'i Item<'e>) -> &'i [Item<'e>]
    where
        'g: 'i,
    {
        let graph: &'g Graph<'e> = self.graph;
        match &item.content {
            Content::Node(node, edge) if edge.is_empty() => graph.nodes[*node].conditions(),
            Content::Node(_, edge) => edge,
            _ => &[],
        }
    }

    /// What a node is called by others, as JSON. A blank one has a name within the document at most.
    fn name_of(&mut self, name: &str, item: &Item<'e>, owner: &Owner) -> Option<String> {
        let (code, message, help) = match &item.content {
            Content::Literal(literal) => {
                return member(literal, "@value").map(|value| value.compact_print().to_string());
            }
            Content::Node(node, _) => {
                let entity = &self.graph.nodes[*node];
                let called = || entity.text(&format!("{SCHEMA}name")).map(str::to_owned);
                if let Some(id) = entity.name().map(short).or_else(called) {
                    return Some(quoted(&id));
                }
                let message = format!("`{name}` refers to a node that has neither an `@id` nor a name");
                (Code::UnresolvedReference, message, Some("give that node an `@id`".to_owned()))
            }
            Content::List(_) => (Code::WrongType, format!("`{name}` names one thing, and this is a list"), None),
        };
        self.mistake(code, owner.value(name, item), value_of(item), message, help);
        None
    }

    /// A dependency, with its condition: said of the edge, or of the container if nobody else waits for it.
    fn edge(&mut self, name: &str, field: &'static Field, item: &Item<'e>, owner: &Owner) {
        let Content::Node(node, edge) = &item.content else { return self.reference(name, item, owner) };
        let graph = self.graph;
        let entity = &graph.nodes[*node];
        let said = self.said_of(item);
        if edge.is_empty() && !said.is_empty() && entity.dependants > 1 {
            let who = entity.id.unwrap_or("this container");
            let message =
                format!("it cannot be told which of those that wait for `{who}` its `condition` is meant for");
            let help = format!(
                "in each `dependsOn` that means it write {{\"@id\": \"{}\", \"condition\": …}}, and none on the container: \
                the flattened form cannot say it, the expanded form and our own can",
                short(who)
            );
            self.mistake(Code::AmbiguousReference, owner.value(name, item), value_of(item), message, Some(help));
            return;
        }
        let said: Vec<&Item<'e>> = said.iter().collect();
        self.out.spend(said.len());
        let Some(id) = self.name_of(name, item, owner) else { return };
        let Some(condition) = self.single("condition", &said, owner) else {
            return self.out.raw(&id, owner.value(name, item));
        };
        self.out.open('{', owner.value(name, item));
        self.out.key("@id", owner.value(name, item));
        self.out.raw(&id, owner.value(name, item));
        self.out.key("condition", owner.key("condition", condition.holder));
        self.scalar(field, condition, owner);
        self.out.close('}');
    }

    /// Each value once: a graph says nothing twice.
    fn distinct<'i>(&mut self, items: Vec<&'i Item<'e>>) -> Vec<&'i Item<'e>> {
        /// So many bytes are compared in the time of a step.
        const BYTES: usize = 64;
        if items.len() < 2 {
            return items;
        }
        let mut seen = HashSet::new();
        let mut is_new = |item: &&Item<'e>| {
            let key = match item.content {
                Content::Node(node, _) => format!("{node}"),
                _ => item.json.compact_print().to_string(),
            };
            self.out.spend(1 + key.len() / BYTES);
            seen.insert(key)
        };
        items.into_iter().filter(|item| is_new(item)).collect()
    }
}

/// The values of lists beside those outside of them.
fn flat<'i, 'e>(items: &[&'i Item<'e>]) -> Vec<&'i Item<'e>> {
    let each = |item: &&'i Item<'e>| match &item.content {
        Content::List(items) => items.iter().collect(),
        _ => vec![*item],
    };
    items.iter().flat_map(each).collect()
}

/// What to look for in the source.
pub(super) fn value_of(item: &Item<'_>) -> Option<Value> {
    Some(match &item.content {
        Content::Literal(literal) => match member(literal, "@value") {
            // Of these only the kind is looked for.
            Some(Value::Object(_)) => Value::Object(Object::new()),
            Some(Value::Array(_)) => Value::Array(Vec::new()),
            scalar => scalar.cloned().unwrap_or(Value::Null),
        },
        _ => Value::Object(Object::new()),
    })
}

/// What is carried and not read, without the wrappings of the expanded form.
pub(super) fn plain<'e>(values: impl Iterator<Item = &'e Value>) -> serde_json::Value {
    let mut values: Vec<serde_json::Value> = values.map(plain_one).collect();
    match values.len() {
        1 => values.remove(0),
        _ => values.into(),
    }
}

fn plain_one(value: &Value) -> serde_json::Value {
    let Value::Object(object) = value else { return super::super::node::to_json(value) };
    if let Some(list) = member(object, "@list").and_then(Value::as_array) {
        return list.iter().map(plain_one).collect();
    }
    let datatype = member(object, "@type").and_then(Value::as_str);
    match member(object, "@value") {
        Some(value) if object.len() == 1 || datatype == Some("@json") => super::super::node::to_json(value),
        Some(_) => super::super::node::to_json(&Value::Object(object.clone())),
        None => {
            let entry = |entry: &json_syntax::object::Entry| {
                let value = match (&entry.value, entry.key.as_str()) {
                    (Value::Array(values), key) if !key.starts_with('@') => plain(values.iter()),
                    (other, _) => super::super::node::to_json(other),
                };
                (entry.key.as_str().to_owned(), value)
            };
            serde_json::Value::Object(object.iter().map(entry).collect())
        }
    }
}
