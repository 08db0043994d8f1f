//! Schemas of types.

use super::source::{Found, Kind, Serde, Sources, docs, newtype, prose, serde};
use serde_json::{Map, Value, json};
use std::{collections::BTreeMap, path::Path};
use syn::{Fields, GenericArgument, PathArguments, Type};

/// Schemas of everything that was asked for, and of what that refers to.
pub(super) struct Builder<'s> {
    sources: &'s Sources,
    pub(super) schemas: BTreeMap<String, Value>,
    /// Where each was found: two types must not share a name.
    places: BTreeMap<String, std::path::PathBuf>,
}

/// Types that write themselves: what they look like.
const BY_HAND: &[(&str, &str)] = &[
    ("HostId", r#"{"type": "string", "description": "A host's name, with or without `host:`."}"#),
    ("Timestamp", r#"{"type": "string", "format": "date-time"}"#),
    ("SpecHash", r#"{"type": "string", "description": "SHA-256 in hexadecimal."}"#),
    ("StreamId", r#"{"type": "string"}"#),
    (
        "RestartPolicy",
        r#"{"type": "string", "pattern": "^(no|always|unless-stopped|on-failure(:[0-9]+)?)?$", "description": "What the engine does when it ends."}"#,
    ),
];

impl<'s> Builder<'s> {
    pub(super) fn new(sources: &'s Sources) -> Self {
        Self { sources, schemas: BTreeMap::new(), places: BTreeMap::new() }
    }

    /// The schema of a named type; it is written down if it is not yet.
    pub(super) fn reference(&mut self, name: &str, from: &Path) -> Value {
        if let Some((_, text)) = BY_HAND.iter().find(|(known, _)| *known == name) {
            return serde_json::from_str(text).unwrap();
        }
        let found = self.sources.find(name, from).unwrap_or_else(|| panic!("{}: no type `{name}`", from.display()));
        let found = found.clone();
        if let Kind::Id(docs) = &found.kind {
            return json!({"type": "string", "description": prose(docs)});
        }
        if let Kind::Alias(ty) = &found.kind {
            return self.of(ty, &found.file);
        }
        let public = self.public_name(name, &found);
        let place = self.places.entry(public.clone()).or_insert_with(|| found.file.clone());
        assert_eq!(*place, found.file, "two types are called `{public}`");
        if !self.schemas.contains_key(&public) {
            // It may refer to itself.
            self.schemas.insert(public.clone(), Value::Null);
            let schema = self.whole(&found);
            self.schemas.insert(public.clone(), schema);
        }
        json!({"$ref": format!("#/components/schemas/{public}")})
    }

    /// Of several types of one name those of a deeper place bear that with it.
    fn public_name(&self, name: &str, found: &Found) -> String {
        match name {
            "Body" => "Problem".to_owned(),
            "Written" => "LogLine".to_owned(),
            "Health" if found.file.ends_with("inventory/mod.rs") => "ContainerHealth".to_owned(),
            _ => name.to_owned(),
        }
    }

    fn whole(&mut self, found: &Found) -> Value {
        let (mut schema, about) = match &found.kind {
            Kind::Struct(item) => {
                let told = serde(&item.attrs);
                let schema = match (&told.into, newtype(&item.fields)) {
                    (Some(other), _) => self.named(other, &found.file),
                    (None, Some(inner)) => self.of(inner, &found.file),
                    (None, None) => self.object(&item.fields, &told, told.rename_all.as_deref(), &found.file),
                };
                (schema, docs(&item.attrs))
            }
            Kind::Enum(item) => (self.choice(item, &found.file), docs(&item.attrs)),
            Kind::Listing(docs, field, item) => {
                let items = self.reference(item, &found.file);
                let schema = json!({
                    "type": "object",
                    "properties": {
                        field: {"type": "array", "items": items, "description": "This part of the list."},
                        "next": {"type": ["string", "null"], "description": "The `cursor` of the next part; absent: this was the last."},
                    },
                    "required": [field],
                });
                (schema, prose(docs))
            }
            Kind::Id(_) | Kind::Alias(_) => unreachable!("has no schema of its own"),
        };
        if !about.is_empty() && schema.get("$ref").is_none() {
            schema["description"] = about.into();
        }
        schema
    }

    /// A type by what `serde(into)` says.
    fn named(&mut self, text: &str, from: &Path) -> Value {
        let ty: Type = syn::parse_str(text).unwrap();
        match self.of(&ty, from) {
            // Written in the place of the type, and not beside it.
            Value::Object(reference) if reference.contains_key("$ref") => {
                let found = self.sources.find(text, from).unwrap().clone();
                self.schemas.retain(|name, schema| !(schema.is_null() && *name == text));
                self.whole(&found)
            }
            schema => schema,
        }
    }

    fn object(&mut self, fields: &Fields, told: &Serde, names: Option<&str>, from: &Path) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        let mut choices = Vec::new();
        for field in fields {
            let about = serde(&field.attrs);
            if about.skip {
                continue;
            }
            let mut schema = match about.with.as_deref() {
                Some("crate::stack::engine::seconds_option") => {
                    json!({"type": ["number", "null"], "minimum": 0, "description": "Seconds."})
                }
                Some(other) => panic!("what `{other}` writes is not known here"),
                None => self.of(&field.ty, from),
            };
            if about.flatten {
                self.flatten(&schema, &mut properties, &mut required, &mut choices);
                continue;
            }
            let name = field.ident.as_ref().unwrap().to_string();
            let name = name.strip_prefix("r#").unwrap_or(&name).to_owned();
            let name = about.rename.clone().unwrap_or_else(|| field_name(&name, names));
            let words = docs(&field.attrs);
            if !words.is_empty() {
                schema["description"] = match schema["description"].as_str() {
                    Some("Seconds.") => format!("{words} In seconds.").into(),
                    _ => words.into(),
                };
            }
            if !(about.default || told.default || is_option(&field.ty)) {
                required.push(Value::from(name.clone()));
            }
            properties.insert(name, schema);
        }
        let mut object = json!({"type": "object"});
        if !properties.is_empty() {
            object["properties"] = properties.into();
        }
        if !required.is_empty() {
            object["required"] = required.into();
        }
        match choices.len() {
            0 => {}
            1 => object["oneOf"] = choices.remove(0),
            _ => {
                object["allOf"] = choices.into_iter().map(|choice| json!({"oneOf": choice})).collect::<Vec<_>>().into();
            }
        }
        if told.closed {
            object["additionalProperties"] = false.into();
        }
        object
    }

    /// The fields of another type among those of this one.
    fn flatten(
        &self,
        schema: &Value,
        properties: &mut Map<String, Value>,
        required: &mut Vec<Value>,
        choices: &mut Vec<Value>,
    ) {
        let schema = match schema["$ref"].as_str().and_then(|name| name.rsplit('/').next()) {
            Some(name) => &self.schemas[name],
            None => schema,
        };
        assert!(!schema.is_null(), "a type holds itself");
        properties.extend(schema["properties"].as_object().cloned().unwrap_or_default());
        required.extend(schema["required"].as_array().cloned().unwrap_or_default());
        if schema["oneOf"].is_array() {
            choices.push(schema["oneOf"].clone());
        }
    }

    fn choice(&mut self, item: &syn::ItemEnum, from: &Path) -> Value {
        let told = serde(&item.attrs);
        if let Some(other) = &told.into {
            return self.named(other, from);
        }
        let is_plain = told.tag.is_none() && item.variants.iter().all(|variant| matches!(variant.fields, Fields::Unit));
        let names = told.rename_all.as_deref();
        let name_of = |variant: &syn::Variant| {
            serde(&variant.attrs).rename.unwrap_or_else(|| variant_name(&variant.ident.to_string(), names))
        };
        if is_plain {
            let is_open = item.variants.iter().any(|variant| serde(&variant.attrs).other);
            let words: Vec<String> =
                item.variants.iter().filter(|variant| !serde(&variant.attrs).other).map(name_of).collect();
            return match is_open {
                true => json!({"type": "string", "examples": words}),
                false => json!({"type": "string", "enum": words}),
            };
        }
        let mut variants = Vec::new();
        for variant in &item.variants {
            let about = serde(&variant.attrs);
            if about.skip {
                continue;
            }
            let name = name_of(variant);
            let fields = about.rename_all.as_deref().or(told.rename_all_fields.as_deref());
            let inner = match (&variant.fields, newtype(&variant.fields)) {
                (_, Some(ty)) => self.of(ty, from),
                (Fields::Unit, _) => json!({"type": "object"}),
                (of, None) => self.object(of, &Serde::default(), fields, from),
            };
            let mut schema = match &told.tag {
                Some(tag) => self.tagged(tag, &name, &inner),
                None if about.untagged => inner,
                None if matches!(variant.fields, Fields::Unit) => json!({"const": name}),
                None => {
                    json!({"type": "object", "properties": {&name: inner}, "required": [&name]})
                }
            };
            let words = docs(&variant.attrs);
            if !words.is_empty() && schema.get("$ref").is_none() {
                schema["description"] = words.into();
            }
            variants.push(schema);
        }
        json!({"oneOf": variants})
    }

    fn tagged(&self, tag: &str, name: &str, inner: &Value) -> Value {
        let (mut properties, mut required, mut choices) = (Map::new(), Vec::new(), Vec::new());
        properties.insert(tag.to_owned(), json!({"const": name}));
        required.push(Value::from(tag));
        self.flatten(inner, &mut properties, &mut required, &mut choices);
        assert!(choices.is_empty(), "a choice within a choice");
        json!({"type": "object", "properties": properties, "required": required})
    }

    /// The schema of a type as it is written in a file.
    fn of(&mut self, ty: &Type, from: &Path) -> Value {
        let path = match ty {
            Type::Path(path) => &path.path,
            Type::Reference(reference) => return self.of(&reference.elem, from),
            Type::Array(array) => return json!({"type": "array", "items": self.of(&array.elem, from)}),
            Type::Tuple(tuple) => {
                let all: Vec<_> = tuple.elems.iter().map(|ty| self.of(ty, from)).collect();
                return json!({"type": "array", "prefixItems": all, "items": false});
            }
            _ => panic!("{}: a type of no form that is known here", from.display()),
        };
        let last = path.segments.last().unwrap();
        let arguments: Vec<&Type> = match &last.arguments {
            PathArguments::AngleBracketed(all) => all
                .args
                .iter()
                .filter_map(|argument| if let GenericArgument::Type(ty) = argument { Some(ty) } else { None })
                .collect(),
            _ => Vec::new(),
        };
        let whole = |least: u64, most: Option<u64>| {
            let mut schema = json!({"type": "integer", "minimum": least});
            if let Some(most) = most {
                schema["maximum"] = most.into();
            }
            schema
        };
        match last.ident.to_string().as_str() {
            "String" | "str" | "PathBuf" => json!({"type": "string"}),
            "bool" => json!({"type": "boolean"}),
            "u8" => whole(0, Some(u8::MAX.into())),
            "u16" => whole(0, Some(u16::MAX.into())),
            "u32" => whole(0, Some(u32::MAX.into())),
            "u64" | "usize" => whole(0, None),
            "i64" | "i32" => json!({"type": "integer"}),
            "f64" => json!({"type": "number"}),
            "IpAddr" => json!({"type": "string", "description": "An IPv4 or IPv6 address."}),
            "Value" => json!({}),
            "Arc" | "Box" | "Cow" => self.of(arguments[0], from),
            "Option" => nullable(self.of(arguments[0], from)),
            "Vec" | "BTreeSet" => json!({"type": "array", "items": self.of(arguments[0], from)}),
            "BTreeMap" | "IndexMap" => json!({"type": "object", "additionalProperties": self.of(arguments[1], from)}),
            name => match path.segments.len() {
                1 => self.reference(name, from),
                // A path in the place of an import.
                _ => {
                    let module = &path.segments[path.segments.len() - 2].ident;
                    let file = std::path::PathBuf::from(format!("by-path/{module}"));
                    match self.sources.count(name) {
                        0 | 1 => self.reference(name, &file),
                        _ => panic!("{}: several types are called `{name}`", from.display()),
                    }
                }
            },
        }
    }

    /// The parameters of a query: the fields of a struct.
    pub(super) fn parameters(&mut self, name: &str, file: &Path) -> Value {
        let found = self.sources.find(name, file).unwrap_or_else(|| panic!("no query `{name}`")).clone();
        assert_eq!(found.file, file);
        let Kind::Struct(item) = &found.kind else { panic!("`{name}` is no struct") };
        let told = serde(&item.attrs);
        let schema = self.object(&item.fields, &told, told.rename_all.as_deref(), file);
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let parameters = schema["properties"].as_object().unwrap().iter().map(|(name, schema)| {
            let mut schema = schema.clone();
            let about = schema.as_object_mut().unwrap().remove("description");
            // Nothing in a URL is null: it is absent.
            if let Some(words) = schema["type"].as_array() {
                let words: Vec<_> = words.iter().filter(|word| *word != "null").cloned().collect();
                schema["type"] = words[0].clone();
            }
            if let Some(choices) = schema["anyOf"].as_array() {
                schema = choices[0].clone();
            }
            let mut parameter = json!({"name": name, "in": "query", "required": required.contains(&Value::from(name.as_str())), "schema": schema});
            if let Some(about) = about {
                parameter["description"] = about;
            }
            parameter
        });
        parameters.collect()
    }
}

fn nullable(schema: Value) -> Value {
    match schema["type"].as_str() {
        Some(word) if schema.get("enum").is_none() => {
            let types = json!([word, "null"]);
            let mut schema = schema;
            schema["type"] = types;
            schema
        }
        _ if schema.as_object().is_some_and(Map::is_empty) => schema,
        _ => json!({"anyOf": [schema, {"type": "null"}]}),
    }
}

fn is_option(ty: &Type) -> bool {
    matches!(ty, Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"))
}

fn field_name(name: &str, rule: Option<&str>) -> String {
    match rule {
        Some("camelCase") => {
            let mut parts = name.split('_');
            let first = parts.next().unwrap_or_default().to_owned();
            parts.fold(first, |all, part| all + &part[..1].to_uppercase() + &part[1..])
        }
        Some("kebab-case") => name.replace('_', "-"),
        Some("snake_case" | "lowercase") | None => name.to_owned(),
        Some(other) => panic!("names in {other}"),
    }
}

fn variant_name(name: &str, rule: Option<&str>) -> String {
    let split = |between: &str| {
        name.char_indices().fold(String::new(), |mut all, (place, letter)| {
            if letter.is_uppercase() && place > 0 {
                all.push_str(between);
            }
            all.extend(letter.to_lowercase());
            all
        })
    };
    match rule {
        Some("kebab-case") => split("-"),
        Some("snake_case") => split("_"),
        Some("lowercase") => split(""),
        Some("camelCase") => name[..1].to_lowercase() + &name[1..],
        None => name.to_owned(),
        Some(other) => panic!("names in {other}"),
    }
}
