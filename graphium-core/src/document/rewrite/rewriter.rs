//! Objects by their tables: canonical keys in the order of the table, each value in its canonical form.

use super::{
    super::{
        code::Code,
        findings::{Findings, Place as At},
        node::{Member, Node},
        object::Object,
        profile::Key,
        read::local,
        reader::Reader,
        schema::{self, Choice, Field, Kind, Place},
        variables,
    },
    json::{Json, Members},
};
use indexmap::IndexMap;
use json_syntax::Value;

/// Writes nodes of an old document as nodes of the new one.
///
/// It looks keys up as the reader does, and trusts that the document was read without a mistake.
pub(super) struct Rewriter<'c> {
    pub(super) reader: Reader<'c>,
    /// What stands in the way, and what is left behind.
    pub(super) problems: Findings,
}

impl Rewriter<'_> {
    pub(super) fn cannot(&mut self, at: impl Into<At>, why: &str, help: &str) {
        self.problems.add(Code::NotRewritable, at, why, Some(help.to_owned()));
    }

    /// An object by its table.
    pub(super) fn object(&mut self, node: Node<'_>, place: &'static Place) -> Json {
        match self.reader.object(node, place) {
            Some(object) => Json::Object(self.members(&object)),
            None => Json::of(node),
        }
    }

    pub(super) fn members(&mut self, object: &Object<'_>) -> Members {
        let place = object.place;
        let mut members = Members::default();
        for field in place.fields.iter().filter(|field| field.older.is_none()) {
            if let Some(value) = self.field(object, field) {
                members.push(field.name, value);
            }
        }
        if self.below(object, &mut members) {
            sort(&mut members, place);
        }
        for member in object.foreign() {
            members.push(member.key, Json::of(member.value));
        }
        self.comments(object.node, place);
        members
    }

    /// Fields that older documents say one level too high. What is said in the right place goes before.
    fn below(&mut self, object: &Object<'_>, members: &mut Members) -> bool {
        let mut any = false;
        // The reader takes a volume's settings from a mount of a volume alone.
        let is_mount = std::ptr::eq(object.place, &schema::MOUNT);
        let other = is_mount
            && matches!(members.get("type"), Some(Json::Text(word)) if word != "volume" && !variables::is_used_in(word));
        for (path, member) in object.found() {
            let Some((above, name)) = path.split_once('.') else { continue };
            let Some(Kind::Object(place)) = object.place.field(above).map(|field| field.kind) else { continue };
            let Some(field) = place.field(name) else { continue };
            if other {
                self.left_out(member);
                continue;
            }
            let Some(value) = self.value(object, field, vec![member]) else { continue };
            members.below(above, |below| {
                match (below.get(name), value) {
                    (None, value) => below.push(name, value),
                    (Some(Json::Object(own)), Json::Object(mut value)) => {
                        own.iter().for_each(|(key, text)| value.set(key, text.clone()));
                        below.set(name, Json::Object(value));
                    }
                    _ => {}
                }
                sort(below, place);
            });
            any = true;
        }
        any
    }

    /// `comment` is read past in older documents, and there is no place for it in the native form.
    fn comments(&mut self, node: Node<'_>, place: &Place) {
        let is_comment = |key| self.reader.context.key(key) == Key::Term("comment") && place.field("comment").is_none();
        let comments: Vec<Member<'_>> = node.members().filter(|member| is_comment(member.key)).collect();
        comments.into_iter().for_each(|member| self.left_out(member));
    }

    pub(super) fn left_out(&mut self, member: Member<'_>) {
        let message = format!("`{}` has no effect and no place in the native form: it is left out", member.key);
        self.problems.add(Code::LeftOut, &member, message, None);
    }

    fn field(&mut self, object: &Object<'_>, field: &'static Field) -> Option<Json> {
        let said: Vec<Member<'_>> = object.all(field.name).collect();
        if said.is_empty() { None } else { self.value(object, field, said) }
    }

    /// The value of a field that these members say something about.
    fn value(&mut self, object: &Object<'_>, field: &'static Field, said: Vec<Member<'_>>) -> Option<Json> {
        let node = said.first()?.value;
        Some(match field.kind {
            Kind::Text | Kind::Shaped(_) => self.text(node),
            Kind::Flag => self.flag(node),
            Kind::Integer { .. } | Kind::Number | Kind::Port => number(node),
            Kind::Size | Kind::SizeOrUnlimited | Kind::Duration | Kind::Ignored => Json::of(node),
            Kind::Choice(choices) => word(node, choices),
            Kind::TextMap => self.text_map(&said),
            Kind::TextList => self.list(&said, Self::text),
            Kind::Words => self.words(node),
            Kind::Reference => self.reference(node),
            Kind::Object(place) if std::ptr::eq(place, &schema::HEALTH_CHECK) => self.health_check(node),
            Kind::Object(place) if std::ptr::eq(place, &schema::NETWORK) => self.network(node),
            Kind::Object(place) => self.object(node, place),
            // Containers are written with their stack, wherever in the document they stand.
            Kind::List(place) if std::ptr::eq(place, &schema::CONTAINER) => return None,
            Kind::List(place) if std::ptr::eq(place, &schema::PORT) => self.ports(&said),
            Kind::List(place) if std::ptr::eq(place, &schema::MOUNT) => self.list(&said, Self::mount),
            Kind::List(place) if std::ptr::eq(place, &schema::ENV_VAR) => self.environment(&said),
            Kind::List(place) => self.list(&said, |this, item| this.object(item, place)),
            Kind::Forms(form) => self.form(form, &said, object),
            Kind::Structure if field.name == "@type" => return self.foreign_types(node),
            Kind::Structure if field.name == "@id" => Json::of(node),
            Kind::Structure => return None,
        })
    }

    /// All items of a list that may be said in several ways.
    pub(super) fn list(&mut self, said: &[Member<'_>], mut write: impl FnMut(&mut Self, Node<'_>) -> Json) -> Json {
        Json::Array(said.iter().flat_map(|member| member.value.items()).map(|item| write(self, item)).collect())
    }

    /// A string; older documents have numbers and flags in its place.
    pub(super) fn text(&mut self, node: Node<'_>) -> Json {
        match node.value() {
            Value::Number(number) => Json::text(number.as_str()),
            Value::Boolean(flag) => Json::text(flag.to_string()),
            _ => Json::of(node),
        }
    }

    fn flag(&mut self, node: Node<'_>) -> Json {
        match node.as_str().map(str::to_ascii_lowercase) {
            Some(text) if matches!(text.as_str(), "true" | "false") => Json::Word(text),
            _ => Json::of(node),
        }
    }

    fn text_map(&mut self, said: &[Member<'_>]) -> Json {
        let mut map: IndexMap<&str, Json> = IndexMap::new();
        for entry in said.iter().flat_map(|member| member.value.members()) {
            map.insert(entry.key, self.text(entry.value));
        }
        let mut members = Members::default();
        map.into_iter().for_each(|(key, value)| members.push(key, value));
        Json::Object(members)
    }

    pub(super) fn reference(&mut self, node: Node<'_>) -> Json {
        if node.is_object() { self.object(node, &schema::REFERENCE) } else { Json::of(node) }
    }

    /// What a part says of its type beside what its key says: only types of others mean something.
    fn foreign_types(&self, node: Node<'_>) -> Option<Json> {
        let mut foreign: Vec<Json> = Vec::new();
        for name in node.items().into_iter().filter_map(Node::as_str) {
            if self.reader.context.key(name) == Key::Foreign {
                foreign.push(Json::text(name));
            }
        }
        single(foreign)
    }

    /// The types of a node: `own`, then what the document says beside it. `stands_in` are older words for it.
    pub(super) fn types(&self, node: Option<Node<'_>>, own: &str, stands_in: impl Fn(&str) -> bool) -> Json {
        let mut types = vec![Json::text(format!("datacenter:{own}"))];
        let names: Vec<&str> = node.map(Node::items).unwrap_or_default().into_iter().filter_map(Node::as_str).collect();
        let is_said = names.iter().any(|name| local(name) == own);
        for name in names {
            let is_ours = matches!(self.reader.context.key(name), Key::Term(_));
            let replaced = is_ours && (local(name) == "ItemList" || !is_said && stands_in(local(name)));
            let other = Json::text(name);
            if local(name) != own && !replaced && !types.contains(&other) {
                types.push(other);
            }
        }
        single(types).unwrap_or_else(|| Json::Array(Vec::new()))
    }
}

/// A number without quotes, but for one that a variable gives.
pub(super) fn number(node: Node<'_>) -> Json {
    let Some(text) = node.as_str().filter(|text| !variables::is_used_in(text)) else { return Json::of(node) };
    // `$$` in a number is no number; what is left is what a machine reads and JSON may spell differently.
    match (text.parse::<i64>(), text.parse::<f64>()) {
        (Ok(whole), _) => Json::Word(whole.to_string()),
        (_, Ok(number)) if number.is_finite() => Json::Word(number.to_string()),
        _ => Json::of(node),
    }
}

/// A word in its canonical spelling, also where it is the default of a variable.
fn word(node: Node<'_>, choices: &'static [Choice]) -> Json {
    let Some(written) = node.as_str() else { return Json::of(node) };
    let canonical = |text: &str| choices.iter().find(|choice| choice.is_spelt(text));
    if let Some(choice) = canonical(written) {
        return Json::text(choice.word);
    }
    let inside = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    match inside.and_then(|inside| inside.split_once(":-")).map(|(name, default)| (name, canonical(default))) {
        Some((name, Some(choice))) => Json::text(format!("${{{name}:-{}}}", choice.word)),
        _ => Json::of(node),
    }
}

pub(super) fn sort(members: &mut Members, place: &Place) {
    members.order(|key| place.fields.iter().position(|field| field.name == key).unwrap_or(usize::MAX));
}

/// JSON-LD writes a list of one as its value.
fn single(mut values: Vec<Json>) -> Option<Json> {
    if values.len() > 1 { Some(Json::Array(values)) } else { values.pop() }
}
