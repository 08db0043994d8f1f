//! The environment: a list of variables, or in older documents a map.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{EnvValue, EnvVar};
use json_syntax::Value;
use std::collections::HashSet;

impl Reader<'_> {
    pub(super) fn environment(&mut self, object: &Object<'_>) -> Vec<EnvVar> {
        let mut variables: Vec<(EnvVar, Node<'_>)> = Vec::new();
        for member in object.all("environment") {
            match member.value.value() {
                Value::Object(map) if !is_variable(map) => self.environment_map(member.value, &mut variables),
                Value::Array(_) | Value::Object(_) => {
                    for item in member.value.items() {
                        let variable = self.variable(item);
                        variables.extend(variable.map(|variable| (variable, item)));
                    }
                }
                _ => self.wrong_type(member.value, "an array of variables", "write [{\"name\": …, \"value\": …}]"),
            }
        }
        let mut names = HashSet::new();
        let mut kept = Vec::with_capacity(variables.len());
        for (variable, node) in variables {
            if names.insert(variable.name.clone()) {
                kept.push(variable);
            } else {
                let message = format!("the variable `{}` is set twice", shown(node, &variable.name));
                self.error(Code::DuplicateName, node, message, "keep one of the two");
            }
        }
        kept
    }

    fn environment_map<'d>(&mut self, node: Node<'d>, variables: &mut Vec<(EnvVar, Node<'d>)>) {
        let first = node.members().next().map_or("NAME", |member| member.key);
        let canonical = format!("write [{{\"name\": \"{first}\", \"value\": …}}, …]");
        self.older_form(node, "the environment as an object", canonical);
        for member in node.members() {
            if !self.variable_name(member.value, member.key, member.key) {
                continue;
            }
            let value = match member.value.value() {
                Value::Object(_) => {
                    let source = self.object(member.value, &schema::ENV_SOURCE);
                    source.and_then(|source| self.source(&source))
                }
                Value::Null => {
                    let help = format!("write \"${{{}}}\" to take it from where the document is read", member.key);
                    self.wrong_type(member.value, "a string", &help);
                    None
                }
                // Numbers and flags are common in maps and mean one thing only; no note for each.
                Value::Number(number) if self.is_legacy() => Some(EnvValue::Literal(number.as_str().to_owned())),
                Value::Boolean(flag) if self.is_legacy() => Some(EnvValue::Literal(flag.to_string())),
                _ => self.text(member.value).map(EnvValue::Literal),
            };
            variables.extend(value.map(|value| (EnvVar { name: member.key.to_owned(), value }, member.value)));
        }
    }

    fn variable(&mut self, node: Node<'_>) -> Option<EnvVar> {
        if let Some((name, value)) = node.as_str().and_then(|text| text.split_once('=')) {
            let help = format!("write {{\"name\": \"{name}\", \"value\": \"{value}\"}}");
            self.wrong_type(node, "an object (an environment variable)", &help);
            return None;
        }
        let object = self.object(node, &schema::ENV_VAR)?;
        let Some(at) = object.get("name") else {
            self.error(Code::MissingKey, node, "a variable needs a name", "add `name`");
            return None;
        };
        let name = self.text(at).filter(|name| self.variable_name(at, name, at.quote(name)));
        let value = self.source(&object);
        Some(EnvVar { name: name?, value: value? })
    }

    fn source(&mut self, object: &Object<'_>) -> Option<EnvValue> {
        let mut given = ["value", "fromSecret", "fromHost"].into_iter().filter(|key| object.get(key).is_some());
        let (first, second) = (given.next(), given.next());
        if let (Some(first), Some(second)) = (first, second) {
            let message = format!("a variable has one source, and this has `{first}` and `{second}`");
            self.error(Code::DuplicateKey, object.node, message, "keep one of them");
            return None;
        }
        match first {
            Some("fromSecret") => self.reference_of(object, "fromSecret").map(EnvValue::FromSecret),
            Some("fromHost") => self.text_of(object, "fromHost").map(EnvValue::FromHost),
            Some(_) => self.text_of(object, "value").map(EnvValue::Literal),
            None => {
                let help = "add `value`, `fromSecret` or `fromHost`";
                self.error(Code::MissingKey, object.node, "this variable has no value", help);
                None
            }
        }
    }

    fn variable_name(&mut self, at: Node<'_>, name: &str, shown: &str) -> bool {
        let sound = !name.is_empty() && !name.contains(['=', '\0']);
        if !sound {
            self.error(
                Code::BadName,
                at,
                format!("`{shown}` cannot be the name of a variable"),
                "use letters, digits and `_`",
            );
        }
        sound
    }
}

/// The name of a variable as a message may show it: the key of a map is text, the name of an object may be filled in.
fn shown<'t>(node: Node<'t>, name: &'t str) -> &'t str {
    if node.is_object() && node.has_variables() { node.quote(name) } else { name }
}

/// Whether an object is one variable rather than a map of them; a map may well have a variable called `name`.
fn is_variable(object: &json_syntax::Object) -> bool {
    object.contains_key("name") && ["value", "fromSecret", "fromHost"].iter().any(|key| object.contains_key(*key))
}
