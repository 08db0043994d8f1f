//! The native form as a JSON Schema, for editors: made of the table that the reader has.
//!
//! It knows less than the reader: nothing of references, of names that must differ, of what goes together. It takes the
//! canonical forms only, as [`format`](super::format) writes them.

use super::{
    profile::{NATIVE_CONTEXT, SCHEMA_KEY},
    schema::{self, Choice, Field, Form, Kind, Needs, Place, Shape},
};
use crate::runtime::label;
use serde_json::{Map, Value, json};

/// Seconds of a year, which no duration exceeds.
const LONGEST: u64 = 365 * 24 * 3600;
/// Any text with a variable, which nobody knows the value of.
const VARIABLE: &str = r"\$\{";

/// The JSON Schema (draft 2020-12) of native documents.
///
/// ```
/// let schema = graphium_core::document::json_schema();
/// assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
/// assert_eq!(schema["$defs"]["container"]["additionalProperties"], false);
/// ```
pub fn json_schema() -> Value {
    let mut writer = Writer::default();
    // The three documents there are; what a document has of their keys decides which one it is meant to be.
    let envelope = writer.reference(&schema::ENVELOPE);
    let graph = writer.reference(&schema::DOCUMENT);
    let node = writer.node();
    writer.define("node", node);
    writer.reference(&schema::STACK);
    let alone = writer.top(&schema::STACK);
    writer.define("stackAlone", alone);
    writer.define("context", context());
    writer.define("variable", json!({ "type": "string", "pattern": VARIABLE }));
    for name in [name_of(&schema::ENVELOPE), name_of(&schema::DOCUMENT), "stackAlone".to_owned()] {
        writer.admit_schema(&name);
        writer.excuse_context(&name);
    }
    writer.definitions.sort_keys();
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "https://graphium.io/schema/stack/v1.json",
        "title": "Stack document",
        "description": "A stack of containers, in Graphium's native form",
        "type": "object",
        "if": { "required": ["stackDefinition"] },
        // A request may name the context for its stack.
        "then": {
            "allOf": [envelope],
            "anyOf": [
                { "required": ["@context"] },
                { "properties": { "stackDefinition": { "required": ["@context"] } } },
            ],
        },
        "else": {
            "required": ["@context"],
            "if": { "required": ["@graph"] },
            "then": graph,
            "else": { "$ref": "#/$defs/stackAlone" },
        },
        "$defs": writer.definitions,
    })
}

/// Definitions by name; a place is defined where it is first referred to.
#[derive(Default)]
struct Writer {
    definitions: Map<String, Value>,
}

impl Writer {
    fn define(&mut self, name: &str, definition: Value) {
        self.definitions.insert(name.to_owned(), definition);
    }

    fn reference(&mut self, place: &'static Place) -> Value {
        let name = name_of(place);
        if !self.definitions.contains_key(&name) {
            // Stands in while the place is written, so that one that holds itself comes to an end.
            self.define(&name, Value::Null);
            let definition = self.place(place);
            self.define(&name, definition);
        }
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    fn place(&mut self, place: &'static Place) -> Value {
        let fields = || place.fields.iter().filter(|field| field.older.is_none());
        let properties: Map<String, Value> =
            fields().map(|field| (field.name.to_owned(), self.field(place, field))).collect();
        let needed: Vec<&str> = fields().filter(|field| field.needed).map(|field| field.name).collect();
        let mut definition = json!({
            "title": place.what.trim_start_matches("a ").trim_start_matches("an ").trim_start_matches("the "),
            "type": "object",
            "properties": properties,
            "patternProperties": { "^[^@:/]+:.": { "description": "Data of your own, under a prefix that `@context` declares or as a whole IRI" } },
            "additionalProperties": false,
        });
        let Some(members) = definition.as_object_mut() else { return definition };
        if !needed.is_empty() {
            members.insert("required".to_owned(), json!(needed));
        }
        let required = |keys: &[&str]| keys.iter().map(|key| json!({ "required": [key] })).collect::<Vec<_>>();
        match place.needs {
            Needs::Nothing => {}
            Needs::One(keys) => drop(members.insert("oneOf".to_owned(), json!(required(keys)))),
            Needs::Any(keys) => drop(members.insert("anyOf".to_owned(), json!(required(keys)))),
        }
        definition
    }

    /// A place that is the whole document, with its context.
    fn top(&mut self, place: &'static Place) -> Value {
        let mut definition = self.place(place);
        if let Some(properties) = definition.get_mut("properties").and_then(Value::as_object_mut) {
            let own = std::mem::take(properties);
            properties.insert("@context".to_owned(), json!({ "$ref": "#/$defs/context" }));
            properties.extend(own);
        }
        definition
    }

    /// Lets a definition name the schema that an editor checks it against.
    fn admit_schema(&mut self, name: &str) {
        let properties = self.definitions.get_mut(name).and_then(|definition| definition.get_mut("properties"));
        if let Some(properties) = properties.and_then(Value::as_object_mut) {
            let doc = "The JSON Schema that an editor checks the document against; without effect";
            let schema = json!({ "title": "schema", "description": doc, "type": "string" });
            properties.insert(SCHEMA_KEY.to_owned(), schema);
        }
    }

    /// Leaves it to the outermost schema to ask for the context.
    fn excuse_context(&mut self, name: &str) {
        let required = self.definitions.get_mut(name).and_then(|definition| definition.get_mut("required"));
        if let Some(required) = required.and_then(Value::as_array_mut) {
            required.retain(|key| key != "@context");
        }
    }

    /// A node of a graph, by its type. Types of others are not ours to describe.
    fn node(&mut self) -> Value {
        let classes = [
            ("Stack", &schema::STACK),
            ("Host", &schema::HOST),
            ("Rack", &schema::RACK),
            ("Datacenter", &schema::RACK),
        ];
        let of_class = |class: &str| json!({ "properties": { "@type": { "anyOf": [{ "const": typed(class) }, { "type": "array", "contains": { "const": typed(class) } }] } } });
        // A type of ours that is none of these is a slip.
        let foreign = json!({ "type": "string", "pattern": ":", "not": { "pattern": "^(datacenter|docker|schema):" } });
        let foreign = json!({
            "type": "object",
            "required": ["@type"],
            "properties": { "@type": { "anyOf": [foreign, { "type": "array", "items": foreign }] } },
        });
        classes.into_iter().rev().fold(foreign, |other, (class, place)| {
            let mut condition = of_class(class);
            condition["required"] = json!(["@type"]);
            json!({ "if": condition, "then": self.reference(place), "else": other })
        })
    }

    fn field(&mut self, place: &'static Place, field: &'static Field) -> Value {
        let mut value = match (field.name, field.kind) {
            ("@context", _) => json!({ "$ref": "#/$defs/context" }),
            ("@graph", _) => listed(json!({ "$ref": "#/$defs/node" })),
            ("@type", _) => types(place),
            ("stackDefinition", _) => json!({
                "type": "object",
                "if": { "required": ["@graph"] },
                "then": self.reference(&schema::DOCUMENT),
                "else": { "$ref": "#/$defs/stackAlone" },
            }),
            ("@id", _) => json!({ "type": "string", "minLength": 1 }),
            // What hosts are asked for may be anybody's labels.
            ("labels", Kind::TextMap) if !asks_hosts(place) => json!({
                "type": "object",
                "propertyNames": { "not": { "pattern": format!("^{}", label::PREFIX.replace('.', r"\.")) } },
                "additionalProperties": { "type": "string" },
            }),
            (_, kind) => self.kind(kind),
        };
        if let Some(members) = value.as_object_mut() {
            let rest = std::mem::take(members);
            members.insert("title".to_owned(), json!(in_words(field.name)));
            members.insert("description".to_owned(), json!(field.doc));
            members.extend(rest);
        }
        value
    }

    fn kind(&mut self, kind: Kind) -> Value {
        match kind {
            Kind::Text => json!({ "type": "string" }),
            Kind::Shaped(shape) => shaped(shape),
            Kind::Flag => or_variable([json!({ "type": "boolean" })]),
            Kind::Integer { min, max } => or_variable([integer(min, max)]),
            Kind::Number => or_variable([json!({ "type": "number", "minimum": 0 })]),
            Kind::Size => or_variable(size()),
            Kind::SizeOrUnlimited => {
                let [bytes, text] = size();
                or_variable([json!({ "enum": [-1, "-1"] }), bytes, text])
            }
            Kind::Duration => or_variable([
                json!({ "type": "number", "minimum": 0, "maximum": LONGEST }),
                json!({ "type": "string", "pattern": r"^\s*([0-9.]+|([0-9.]+(ns|us|µs|ms|s|m|h|d))+)\s*$" }),
            ]),
            Kind::Port => or_variable([integer(1, 65_535)]),
            Kind::Choice(choices) => or_variable([words(choices)]),
            Kind::TextMap | Kind::Forms(Form::Addresses) => {
                json!({ "type": "object", "additionalProperties": { "type": "string" } })
            }
            Kind::TextList => listed(json!({ "type": "string" })),
            // One text would be a command line, which older documents alone have.
            Kind::Words | Kind::Forms(Form::Check) => json!({ "type": "array", "items": { "type": "string" } }),
            Kind::Reference => json!({ "anyOf": [
                { "type": "string", "minLength": 1 },
                self.reference(&schema::REFERENCE),
            ] }),
            Kind::Object(place) => self.reference(place),
            Kind::List(place) if std::ptr::eq(place, &schema::CONTAINER) => {
                let container = self.reference(place);
                json!({ "anyOf": [{ "type": "array", "minItems": 1, "items": container }, container] })
            }
            Kind::List(place) => listed(self.reference(place)),
            Kind::Forms(form) => self.form(form),
            Kind::Ignored | Kind::Structure => json!({}),
        }
    }

    fn form(&mut self, form: Form) -> Value {
        let name = json!({ "type": "string", "minLength": 1 });
        let items = match form {
            Form::Dependencies => json!({ "anyOf": [name, self.reference(&schema::DEPENDENCY)] }),
            Form::Names => {
                json!({ "anyOf": [name, self.reference(&schema::REFERENCE), self.reference(&schema::NAMED)] })
            }
            Form::Exposed => or_variable([json!({ "type": "string", "pattern": "^[0-9]{1,5}(/(tcp|udp|sctp))?$" })]),
            Form::Ulimits => self.reference(&schema::ULIMIT),
            Form::Devices => self.reference(&schema::DEVICE),
            Form::Gpus => return or_variable([json!({ "const": "all" }), integer(-1, i64::from(u16::MAX))]),
            Form::Mode => {
                return or_variable([json!({ "type": "string", "pattern": "^[0-7]{1,5}$" }), integer(0, 0o7777)]);
            }
            Form::Addresses | Form::Check => json!({ "type": "string" }),
        };
        listed(items)
    }
}

fn asks_hosts(place: &'static Place) -> bool {
    [&schema::REQUIREMENTS, &schema::HOST_CONSTRAINT].into_iter().any(|asking| std::ptr::eq(asking, place))
}

/// A list; JSON-LD takes one value for a list of one.
fn listed(item: Value) -> Value {
    json!({ "anyOf": [{ "type": "array", "items": item }, item] })
}

fn or_variable<const N: usize>(values: [Value; N]) -> Value {
    let variable = json!({ "$ref": "#/$defs/variable" });
    json!({ "anyOf": values.into_iter().chain([variable]).collect::<Vec<_>>() })
}

fn integer(min: i64, max: i64) -> Value {
    let mut integer = Map::from_iter([("type".to_owned(), json!("integer"))]);
    // Bounds of the machine are no bounds that a person could want to know.
    for (key, bound) in [("minimum", min), ("maximum", max)] {
        if bound != i64::MIN && bound != i64::MAX {
            integer.insert(key.to_owned(), json!(bound));
        }
    }
    Value::Object(integer)
}

fn size() -> [Value; 2] {
    [
        json!({ "type": "number", "minimum": 0 }),
        json!({ "type": "string", "pattern": r"^\s*[0-9]*\.?[0-9]*\s*([bB]|[kKmMgGtT]([iI]?[bB])?)?\s*$" }),
    ]
}

fn words(choices: &[Choice]) -> Value {
    json!({ "enum": choices.iter().filter(|choice| choice.offered).map(|choice| choice.word).collect::<Vec<_>>() })
}

fn shaped(shape: Shape) -> Value {
    let pattern = match shape {
        Shape::Name => "[A-Za-z0-9]",
        Shape::Image => r"^\S+$",
        Shape::Path => "^/",
        Shape::Address => "^[0-9A-Fa-f:.]+$",
        Shape::Range => "^[0-9A-Fa-f:.]+/[0-9]{1,3}$",
        Shape::Policy => "^(no|always|on-failure(:[0-9]+)?|unless-stopped)?$",
    };
    // One pattern rather than two schemas: editors complete better what is one string.
    json!({ "type": "string", "pattern": format!("{pattern}|{VARIABLE}") })
}

fn types(place: &'static Place) -> Value {
    let class = |class: &str| {
        json!({ "anyOf": [
        { "const": typed(class) },
        { "type": "array", "items": { "type": "string" }, "contains": { "const": typed(class) } },
    ] })
    };
    match place {
        place if std::ptr::eq(place, &schema::STACK) => class("Stack"),
        place if std::ptr::eq(place, &schema::CONTAINER) => class("Container"),
        _ => json!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" } }] }),
    }
}

fn typed(class: &str) -> String {
    format!("datacenter:{class}")
}

fn context() -> Value {
    let prefixes = json!({
        "type": "object",
        "description": "Prefixes of your own: absolute IRIs that end in `#` or `/`",
        "propertyNames": { "pattern": "^[^@:/]+$" },
        "additionalProperties": { "type": "string", "pattern": r"^[A-Za-z][A-Za-z0-9+.-]*:\S*[#/]$" },
    });
    json!({
        "title": "context",
        "description": "What the keys mean: Graphium's own terms, and the prefixes that the document declares",
        "anyOf": [
            { "const": NATIVE_CONTEXT },
            {
                "type": "array",
                "maxItems": 4,
                "contains": { "const": NATIVE_CONTEXT },
                "items": { "anyOf": [{ "const": NATIVE_CONTEXT }, prefixes] },
            },
        ],
    })
}

/// `the options of a volume mount` → `optionsOfVolumeMount`.
fn name_of(place: &Place) -> String {
    let mut name = String::new();
    let letters = |word: &str| word.chars().filter(|c| c.is_ascii_alphabetic()).collect::<String>();
    for word in place.what.split(' ').filter(|word| !["a", "an", "the"].contains(word)).map(letters) {
        let mut characters = word.chars();
        match characters.next() {
            Some(first) if !name.is_empty() => name.push(first.to_ascii_uppercase()),
            Some(first) => name.push(first),
            None => continue,
        }
        name.push_str(characters.as_str());
    }
    name
}

/// `hostPort` → `host port`, `hostIP` → `host IP`.
fn in_words(key: &str) -> String {
    let mut words = String::new();
    let mut characters = key.trim_start_matches('@').chars().peekable();
    let mut previous_is_lower = false;
    while let Some(character) = characters.next() {
        let is_single =
            character.is_ascii_uppercase() && characters.peek().is_none_or(|next| next.is_ascii_lowercase());
        if character.is_ascii_uppercase() && previous_is_lower {
            words.push(' ');
        }
        previous_is_lower = character.is_ascii_lowercase();
        words.push(if is_single { character.to_ascii_lowercase() } else { character });
    }
    words
}
