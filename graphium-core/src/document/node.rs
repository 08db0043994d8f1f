//! A value of the document together with its place in the text.

use super::variables;
use json_syntax::{CodeMap, Value};
use std::ops::Range;

/// A cursor into the parsed document: cheap to copy, knows where it stands.
#[derive(Clone, Copy)]
pub(super) struct Node<'d> {
    value: &'d Value,
    /// Its number in the code map, which counts values in the order of the text.
    index: usize,
    map: &'d CodeMap,
}

/// A key and its value.
#[derive(Clone, Copy)]
pub(super) struct Member<'d> {
    pub(super) key: &'d str,
    /// Bytes of the key, quotes included.
    key_start: usize,
    key_end: usize,
    pub(super) value: Node<'d>,
}

impl<'d> Node<'d> {
    pub(super) fn root(value: &'d Value, map: &'d CodeMap) -> Self {
        Self { value, index: 0, map }
    }

    pub(super) fn index(self) -> usize {
        self.index
    }

    /// The number of the first value after it and all that it holds.
    pub(super) fn end_index(self) -> usize {
        self.index + volume(self.map, self.index)
    }

    pub(super) fn value(self) -> &'d Value {
        self.value
    }

    /// What a finding about this value marks: a scalar whole, the opening bracket of the rest.
    pub(super) fn mark(self) -> Range<usize> {
        let span = self.map.get(self.index).map(|entry| entry.span).unwrap_or_default();
        match self.value {
            Value::Array(_) | Value::Object(_) => span.start()..span.start() + 1,
            _ => span.start()..span.end(),
        }
    }

    pub(super) fn as_str(self) -> Option<&'d str> {
        match self.value {
            Value::String(text) => Some(text.as_str()),
            _ => None,
        }
    }

    /// How a message may quote `filled`, which is what this value says or a part of it.
    ///
    /// Variables may hold secrets, and messages go to logs and into answers: a text that uses one is quoted as it is
    /// written.
    pub(super) fn quote<'t>(self, filled: &'t str) -> &'t str
    where
        'd: 't,
    {
        match self.value {
            Value::String(text) if variables::is_used_in(text.as_str()) => text.as_str(),
            Value::Array(_) | Value::Object(_) if !self.says(filled) => {
                self.get("@id").and_then(Self::as_str).unwrap_or("…")
            }
            _ => filled,
        }
    }

    /// Whether a text stands in here as it is, so that it is no secret to those who have the document.
    pub(super) fn says(self, text: &str) -> bool {
        // Some names are used without the prefix that they are written with, as `vm1` of `host:vm1`.
        let is_it = |own: &str| own.strip_suffix(text).is_some_and(|rest| rest.is_empty() || rest.ends_with(':'));
        self.as_str().is_some_and(is_it)
            || self.elements().any(|element| element.says(text))
            || self.members().any(|member| member.value.says(text))
    }

    /// Whether it is a text that uses variables, or holds one.
    pub(super) fn has_variables(self) -> bool {
        self.as_str().is_some_and(variables::is_used_in)
            || self.elements().any(Self::has_variables)
            || self.members().any(|member| member.value.has_variables())
    }

    pub(super) fn is_object(self) -> bool {
        matches!(self.value, Value::Object(_))
    }

    /// What it is, for a message.
    pub(super) fn kind(self) -> &'static str {
        match self.value {
            Value::Null => "null",
            Value::Boolean(true) => "true",
            Value::Boolean(false) => "false",
            Value::Number(_) => "a number",
            Value::String(_) => "a string",
            Value::Array(_) => "an array",
            Value::Object(_) => "an object",
        }
    }

    /// The elements of an array; none for anything else.
    pub(super) fn elements(self) -> impl Iterator<Item = Node<'d>> {
        let elements = match self.value {
            Value::Array(array) => array.as_slice(),
            _ => &[],
        };
        let mut index = self.index + 1;
        elements.iter().map(move |value| {
            let node = Node { value, index, map: self.map };
            index += volume(self.map, index);
            node
        })
    }

    /// The elements of an array, or the value itself: JSON-LD takes one value for a list of one.
    pub(super) fn items(self) -> Vec<Node<'d>> {
        match self.value {
            Value::Array(_) => self.elements().collect(),
            _ => vec![self],
        }
    }

    /// The members of an object; none for anything else.
    pub(super) fn members(self) -> impl Iterator<Item = Member<'d>> {
        let entries = match self.value {
            Value::Object(object) => object.entries(),
            _ => &[],
        };
        let mut index = self.index + 1;
        entries.iter().map(move |entry| {
            // The code map has three entries per member: the whole, the key, the value.
            let key = self.map.get(index + 1).map(|entry| entry.span).unwrap_or_default();
            let value = Node { value: &entry.value, index: index + 2, map: self.map };
            index += volume(self.map, index);
            Member { key: entry.key.as_str(), key_start: key.start(), key_end: key.end(), value }
        })
    }

    /// The value of a key, as the text spells it.
    pub(super) fn get(self, key: &str) -> Option<Node<'d>> {
        self.members().find(|member| member.key == key).map(|member| member.value)
    }

    /// The value without its places, for what is carried and not read.
    pub(super) fn to_json(self) -> serde_json::Value {
        to_json(self.value)
    }
}

pub(super) fn to_json(value: &Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Value::Null => Json::Null,
        Value::Boolean(flag) => Json::Bool(*flag),
        Value::Number(number) => number.as_str().parse().map_or(Json::Null, Json::Number),
        Value::String(text) => Json::String(text.as_str().to_owned()),
        Value::Array(elements) => elements.iter().map(to_json).collect(),
        Value::Object(object) => {
            Json::Object(object.iter().map(|entry| (entry.key.as_str().to_owned(), to_json(&entry.value))).collect())
        }
    }
}

impl Member<'_> {
    pub(super) fn mark(&self) -> Range<usize> {
        self.key_start..self.key_end
    }
}

fn volume(map: &CodeMap, index: usize) -> usize {
    map.get(index).map_or(1, |entry| entry.volume.max(1))
}
