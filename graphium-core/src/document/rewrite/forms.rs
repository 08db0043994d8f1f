//! Values that have several forms, in their canonical one.

use super::{
    super::{
        code::Code,
        node::{Member, Node},
        object::Object,
        read::is_path,
        schema::{self, Form},
        variables, words,
    },
    json::{Json, Members},
    mask::Mask,
    rewriter::{Rewriter, number, sort},
};
use indexmap::IndexMap;

/// Words that an engine gives a meaning where a command begins with them.
const CHECK_WORDS: [&str; 3] = ["CMD", "CMD-SHELL", "NONE"];

impl Rewriter<'_> {
    pub(super) fn form(&mut self, form: Form, said: &[Member<'_>], object: &Object<'_>) -> Json {
        let first = said.first().map_or(object.node, |member| member.value);
        match form {
            Form::Dependencies => self.list(said, |this, item| match item.is_object() {
                true => this.object(item, &schema::DEPENDENCY),
                false => Json::of(item),
            }),
            Form::Names => self.list(said, |this, item| match item.get("name") {
                Some(_) => this.object(item, &schema::NAMED),
                None => this.reference(item),
            }),
            Form::Exposed => self.list(said, Self::text),
            Form::Addresses => self.addresses(first),
            Form::Ulimits => self.ulimits(first),
            Form::Devices => self.list(said, Self::device),
            Form::Gpus => number(first),
            Form::Mode => Json::of(first),
            Form::Check => self.check_command(first),
        }
    }

    /// The text of a node with its variables put aside.
    pub(super) fn mask(&mut self, node: Node<'_>) -> Option<Mask> {
        let mask = node.as_str().and_then(Mask::new);
        if mask.is_none() {
            self.cannot(node, "this cannot be taken apart", "write it in the native form");
        }
        mask
    }

    /// Says that a variable was taken for one part of a text that is written in parts now; `split` takes a text apart.
    pub(super) fn kept_whole(&mut self, node: Node<'_>, mask: &Mask, split: impl Fn(&str) -> Option<Vec<String>>) {
        if mask.has_variables() && self.splits_alike(node, mask, split) {
            let message = "each variable in this text is taken for one part of it, or less";
            let help = "if its value has separators of its own, write the parts yourself";
            self.problems.add(Code::KeptWhole, node, message, Some(help.to_owned()));
        }
    }

    /// Whether the reader gets the same parts where the defaults of the variables hold. Says so where it does not.
    pub(super) fn splits_alike(
        &mut self,
        node: Node<'_>,
        mask: &Mask,
        split: impl Fn(&str) -> Option<Vec<String>>,
    ) -> bool {
        let (Some(written), true) = (node.as_str(), mask.has_variables()) else { return true };
        let whole = variables::by_default(written).and_then(|text| split(&text));
        let parts = split(mask.text());
        let apart: Option<Vec<String>> =
            parts.and_then(|parts| parts.iter().map(|part| variables::by_default(&mask.write(part))).collect());
        if whole == apart {
            return true;
        }
        let why = "the default of a variable in this text is several parts of it, or none";
        self.cannot(node, why, "write the parts yourself, each with a variable of its own");
        false
    }

    /// A command: a string is split as a shell would.
    pub(super) fn words(&mut self, node: Node<'_>) -> Json {
        if node.as_str().is_none() {
            return Json::Array(node.elements().map(|word| self.text(word)).collect());
        }
        let Some(mask) = self.mask(node) else { return Json::of(node) };
        let Ok(words) = words::split(mask.text()) else { return Json::of(node) };
        self.kept_whole(node, &mask, |text| words::split(text).ok());
        Json::Array(words.iter().map(|word| Json::Text(mask.write(word))).collect())
    }

    /// The command of a check: the engine's own words are left out where they say nothing.
    fn check_command(&mut self, node: Node<'_>) -> Json {
        if node.as_str().is_some() {
            return Json::Array(vec![Json::text("CMD-SHELL"), Json::of(node)]);
        }
        let words: Vec<Node<'_>> = node.elements().collect();
        let plain = |at: usize| words.get(at).and_then(|word| word.as_str()).filter(|word| !word.contains('$'));
        let second = words.get(1).map(|word| word.as_str().unwrap_or_default());
        let says_nothing =
            plain(0) == Some("CMD") && second.is_some_and(|word| !word.contains('$') && !CHECK_WORDS.contains(&word));
        Json::Array(words.iter().skip(usize::from(says_nothing)).map(|word| self.text(*word)).collect())
    }

    fn addresses(&mut self, node: Node<'_>) -> Json {
        let mut hosts: IndexMap<String, Json> = IndexMap::new();
        for entry in node.members() {
            hosts.insert(entry.key.to_owned(), self.text(entry.value));
        }
        for item in node.elements() {
            let Some(mask) = self.mask(item) else { continue };
            let Some((name, address)) = mask.text().split_once([':', '=']) else {
                self.cannot(item, "a variable hides which part is the name", "write {\"name\": \"address\"}");
                continue;
            };
            if name.contains(Mask::is_variable) {
                self.cannot(item, "the key of an object cannot be a variable", "write the name of the host out");
                continue;
            }
            // The address takes the rest, whatever it is, so no variable in it can move the border.
            hosts.insert(name.to_owned(), Json::Text(mask.write(address)));
        }
        let mut members = Members::default();
        hosts.into_iter().for_each(|(name, address)| members.push(name, address));
        Json::Object(members)
    }

    fn ulimits(&mut self, node: Node<'_>) -> Json {
        let mut limits: Vec<Json> = node.elements().map(|item| self.object(item, &schema::ULIMIT)).collect();
        for entry in node.members() {
            let name = Json::Text(variables::escape(entry.key));
            limits.push(match self.object(entry.value, &schema::ULIMIT) {
                Json::Object(mut limit) if entry.value.is_object() => {
                    limit.remove("name");
                    limit.push_first("name", name);
                    Json::Object(limit)
                }
                _ => Json::object([("name", name), ("soft", number(entry.value)), ("hard", number(entry.value))]),
            });
        }
        Json::Array(limits)
    }

    fn device(&mut self, node: Node<'_>) -> Json {
        if node.as_str().is_none() {
            return self.object(node, &schema::DEVICE);
        }
        let Some(mask) = self.mask(node) else { return Json::of(node) };
        self.kept_whole(node, &mask, |text| Some(thirds(text)));
        let mut device = Members::default();
        for (key, part) in ["hostPath", "containerPath", "permissions"].into_iter().zip(mask.text().splitn(3, ':')) {
            device.push(key, Json::Text(mask.write(part)));
        }
        Json::Object(device)
    }

    /// Variables as a list, however they are given.
    pub(super) fn environment(&mut self, said: &[Member<'_>]) -> Json {
        let mut list = Vec::new();
        for member in said {
            if member.value.is_object() && !is_variable(member.value) {
                list.extend(member.value.members().map(|entry| self.variable(entry)));
            } else {
                list.extend(member.value.items().into_iter().map(|item| self.object(item, &schema::ENV_VAR)));
            }
        }
        Json::Array(list)
    }

    fn variable(&mut self, entry: Member<'_>) -> Json {
        let mut variable = match entry.value.is_object() {
            true => match self.object(entry.value, &schema::ENV_SOURCE) {
                Json::Object(source) => source,
                _ => Members::default(),
            },
            false => {
                let mut literal = Members::default();
                literal.push("value", self.text(entry.value));
                literal
            }
        };
        // A key is taken as it is, a name is text like any other.
        variable.push_first("name", Json::Text(variables::escape(entry.key)));
        Json::Object(variable)
    }

    /// A mount, with the type that its source implies.
    pub(super) fn mount(&mut self, node: Node<'_>) -> Json {
        if node.get("value").is_some() || node.as_str().is_some() {
            return self.storage(node, node.get("value").unwrap_or(node));
        }
        let Json::Object(mut mount) = self.object(node, &schema::MOUNT) else { return Json::of(node) };
        if mount.get("type").is_none() {
            let word = match mount.get("source") {
                Some(Json::Text(source)) if variables::is_used_in(source) => None,
                Some(Json::Text(source)) if is_path(source) => Some("bind"),
                _ => Some("volume"),
            };
            if let Some(word) = word {
                mount.push("type", Json::text(word));
            }
        }
        sort(&mut mount, &schema::MOUNT);
        Json::Object(mount)
    }

    /// `source:target[:ro]`.
    fn storage(&mut self, node: Node<'_>, value: Node<'_>) -> Json {
        let Some(mask) = self.mask(value) else { return Json::of(node) };
        let mut parts = mask.text().splitn(3, ':');
        let (Some(source), Some(target)) = (parts.next(), parts.next()) else {
            self.cannot(value, "a variable hides where the source ends", "write `source` and `target`");
            return Json::of(node);
        };
        let read_only = match parts.next() {
            None | Some("rw") => false,
            Some("ro") => true,
            Some(_) => {
                self.cannot(value, "a variable says whether this can be written to", "write `readOnly`");
                return Json::of(node);
            }
        };
        self.kept_whole(value, &mask, |text| Some(thirds(text)));
        let mut mount = Members::default();
        if !source.starts_with(Mask::is_variable) {
            mount.push("type", Json::text(if is_path(source) { "bind" } else { "volume" }));
        }
        mount.push("source", Json::Text(mask.write(source)));
        mount.push("target", Json::Text(mask.write(target)));
        if read_only {
            mount.push("readOnly", Json::Word("true".to_owned()));
        }
        if let Some(description) = node.get("description") {
            mount.push("description", Json::of(description));
        }
        if let Some(name) = node.members().find(|member| member.key == "name") {
            self.left_out(name);
        }
        if node.is_object() {
            self.rest_of_property(node, &mut mount);
        }
        Json::Object(mount)
    }

    /// What a `PropertyValue` has beside what was read of it.
    pub(super) fn rest_of_property(&mut self, node: Node<'_>, members: &mut Members) {
        let Some(property) = self.reader.object(node, &schema::PROPERTY_VALUE) else { return };
        if let Some(id) = property.get("@id") {
            members.push_first("@id", Json::of(id));
        }
        for member in property.foreign() {
            members.push(member.key, Json::of(member.value));
        }
    }
}

/// What is between the first two colons.
fn thirds(text: &str) -> Vec<String> {
    text.splitn(3, ':').map(str::to_owned).collect()
}

/// Whether an object is one variable rather than a map of them; the reader's own rule.
fn is_variable(node: Node<'_>) -> bool {
    node.get("name").is_some() && ["value", "fromSecret", "fromHost"].iter().any(|key| node.get(key).is_some())
}
