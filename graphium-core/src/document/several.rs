//! Values of several parts: lists, maps, commands, references.

use super::{
    code::Code,
    node::{Member, Node},
    object::Object,
    reader::Reader,
    same::same,
    schema::{Kind, REFERENCE},
    words,
};
use crate::{id::HostId, runtime::label, stack::TextMap};
use json_syntax::Value;
use std::collections::HashMap;

impl Reader<'_> {
    /// An object of strings; several spellings add up, and agree where they say something of one entry.
    pub(super) fn text_map_of(&mut self, object: &Object<'_>, name: &str) -> TextMap {
        let mut map = TextMap::new();
        if object.all(name).nth(1).is_some() {
            self.refuse_contradictions(object, name);
        }
        for member in object.all(name) {
            if !member.value.is_object() {
                self.wrong_type(member.value, "an object of strings", "write {\"key\": \"value\"}");
                continue;
            }
            for entry in member.value.members() {
                if let Some(text) = self.text(entry.value) {
                    map.insert(entry.key.to_owned(), text);
                }
            }
        }
        map
    }

    fn refuse_contradictions(&mut self, object: &Object<'_>, name: &str) {
        let mut entries: HashMap<&str, (Member<'_>, Member<'_>)> = HashMap::new();
        for member in object.all(name) {
            for entry in member.value.members() {
                let (before, by) = *entries.entry(entry.key).or_insert((entry, member));
                if !same(Kind::Text, before.value, entry.value) {
                    self.contradiction(by, member, &format!("{name}.{}", entry.key), name);
                }
            }
        }
    }

    /// Labels that the stack gives to something; those that are ours are nobody else's.
    pub(super) fn labels_of(&mut self, object: &Object<'_>) -> TextMap {
        for entry in object.all("labels").flat_map(|member| member.value.members()) {
            if entry.key.starts_with(label::PREFIX) {
                let message = format!("the label `{}` is reserved: Graphium sets those that begin so", entry.key);
                self.error(Code::ReservedLabel, &entry, message, "use a prefix of your own");
            }
        }
        self.text_map_of(object, "labels")
    }

    /// An array of strings; several spellings add up, and a string stands for a list of one.
    pub(super) fn text_list_of(&mut self, object: &Object<'_>, name: &str) -> Vec<String> {
        let items: Vec<_> = object.all(name).flat_map(|member| member.value.items()).collect();
        items.into_iter().filter_map(|item| self.text(item)).collect()
    }

    /// A command.
    pub(super) fn words_of(&mut self, object: &Object<'_>, name: &str) -> Option<Vec<String>> {
        let node = object.get(name)?;
        match node.value() {
            Value::String(line) => {
                let line = self.fill(node, line.as_str())?;
                self.split(node, &line)
            }
            Value::Array(_) => {
                // Every mistake is told, so no early end at the first.
                let words: Vec<Option<String>> = node.elements().map(|word| self.text(word)).collect();
                words.into_iter().collect()
            }
            _ => {
                self.wrong_type(node, "an array of strings", "");
                None
            }
        }
    }

    fn split(&mut self, node: Node<'_>, line: &str) -> Option<Vec<String>> {
        match words::split(line) {
            Ok(words) => {
                let help = match node.has_variables() {
                    true => "write it as an array of strings".to_owned(),
                    false => format!("write {}", serde_json::to_string(&words).unwrap_or_default()),
                };
                self.older_form(node, "a command as one string", help).then_some(words)
            }
            Err(words::OpenQuote(quote)) => {
                let message = format!("the command ends within `{quote}`");
                self.error(Code::UnclosedQuote, node, message, "close it, or write the command as an array");
                None
            }
        }
    }

    /// What a reference names: a string, or the `@id` of an object.
    pub(super) fn reference(&mut self, node: Node<'_>) -> Option<String> {
        let named = match node.value() {
            Value::Object(_) => {
                let object = self.object(node, &REFERENCE)?;
                let Some(id) = object.get("@id") else {
                    self.error(Code::MissingKey, node, "a reference needs an `@id`", "write {\"@id\": \"…\"}");
                    return None;
                };
                self.text(id)
            }
            Value::String(_) => self.text(node),
            _ => {
                self.wrong_type(node, "a reference", "write {\"@id\": \"…\"}");
                None
            }
        };
        self.named(node, named?, &["host:", "rack:", "datacenter:"])
    }

    /// An id or name, unless nothing is left of it without the prefixes that may stand before it.
    pub(super) fn named(&mut self, node: Node<'_>, id: String, prefixes: &[&str]) -> Option<String> {
        let bare = prefixes.iter().find_map(|prefix| id.strip_prefix(prefix)).unwrap_or(&id);
        if bare.trim().is_empty() {
            let message = format!("`{}` names nothing", node.quote(&id));
            let help = "write the name, behind the prefix where there is one, or leave it out";
            self.error(Code::BadForm, node, message, help);
            return None;
        }
        Some(id)
    }

    /// The host that a field refers to.
    pub(super) fn host_of(&mut self, object: &Object<'_>, name: &str) -> Option<HostId> {
        self.reference_of(object, name).map(HostId::new)
    }

    pub(super) fn reference_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let node = object.get(name)?;
        self.reference(node)
    }
}
