//! An object of the document under its table: which key is which field, and what the others were meant to be.

use super::{
    code::Code,
    node::{Member, Node},
    profile::{Key, SCHEMA_KEY},
    read::listed_waits,
    reader::Reader,
    same::same,
    schema::{self, Field, Form, Kind, Origin, Place},
    suggest,
};
use indexmap::IndexMap;
use json_syntax::Value;

/// An object whose keys have been looked up.
pub(super) struct Object<'d> {
    pub(super) node: Node<'d>,
    pub(super) place: &'static Place,
    /// Canonical name (or path below) and the member that says it.
    found: Vec<(&'static str, Member<'d>)>,
    foreign: Vec<Member<'d>>,
}

impl<'d> Object<'d> {
    /// The value of a field, by its canonical name.
    pub(super) fn get(&self, name: &str) -> Option<Node<'d>> {
        debug_assert!(self.knows(name), "{} has no field {name}", self.place.what);
        self.found.iter().find(|(field, _)| *field == name).map(|(_, member)| member.value)
    }

    /// Every member that says something about a field, in the order of the text.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Member<'d>> {
        debug_assert!(self.knows(name), "{} has no field {name}", self.place.what);
        self.found.iter().filter(move |(field, _)| *field == name).map(|(_, member)| *member)
    }

    /// Every field that is said, by its canonical name or the path to it.
    pub(super) fn found(&self) -> impl Iterator<Item = (&'static str, Member<'d>)> {
        self.found.iter().copied()
    }

    /// What older documents say here of the fields below one of this object, by their names there.
    pub(super) fn raised(&self, above: &str) -> impl Iterator<Item = (&'static str, Member<'d>)> {
        self.found().filter_map(move |(path, member)| Some((path.strip_prefix(above)?.strip_prefix('.')?, member)))
    }

    /// The members under declared foreign prefixes.
    pub(super) fn foreign(&self) -> &[Member<'d>] {
        &self.foreign
    }

    /// The same as values, for what carries them.
    pub(super) fn annotations(&self) -> IndexMap<String, serde_json::Value> {
        self.foreign.iter().map(|member| (member.key.to_owned(), member.value.to_json())).collect()
    }

    /// An object that says nothing, for what others may say in its place; findings about it point to `node`.
    pub(super) fn silent(node: Node<'d>, place: &'static Place) -> Self {
        Self { node, place, found: Vec::new(), foreign: Vec::new() }
    }

    fn knows(&self, name: &str) -> bool {
        self.place.field(name).is_some() || self.place.aliases.iter().any(|alias| alias.field == name)
    }
}

/// What to write where people write one value for an object.
const INSTEAD: [(&Place, &str); 4] = [
    (&schema::NETWORK, "write {\"name\": \"…\"}"),
    (&schema::HEALTH_CHECK, "write {\"type\": \"exec\", \"command\": […]}"),
    (&schema::RESOURCES, "write {\"limits\": {\"cpus\": …, \"memory\": …}}"),
    (&schema::LOGGING, "write {\"driver\": \"…\"}"),
];

impl Reader<'_> {
    /// Looks up the keys of an object; says so where the value is none.
    pub(super) fn object<'d>(&mut self, node: Node<'d>, place: &'static Place) -> Option<Object<'d>> {
        if !node.is_object() {
            let known = INSTEAD.iter().find(|(known, _)| std::ptr::eq(*known, place));
            self.wrong_type(node, &format!("an object ({})", place.what), known.map_or("", |(_, help)| help));
            return None;
        }
        let mut object = Object { node, place, found: Vec::with_capacity(8), foreign: Vec::new() };
        for member in node.members() {
            self.look_up(member, &mut object);
        }
        Some(object)
    }

    fn look_up<'d>(&mut self, member: Member<'d>, object: &mut Object<'d>) {
        let place = object.place;
        let found = match self.context.key(member.key) {
            Key::Foreign => return self.carry(member, object),
            Key::Undeclared(prefix) => {
                let message = format!("the prefix of `{}` is not declared", member.key);
                let help = format!("add \"{prefix}\": \"https://…#\" to `@context`");
                return self.error(Code::UndeclaredPrefix, &member, message, help);
            }
            Key::Term("@context") => {
                if !self.tops.contains(&object.node.index()) {
                    let help = "declare prefixes in the `@context` at the top of the document";
                    self.error(Code::ContextPlace, &member, "`@context` stands at the top of a document only", help);
                }
                return;
            }
            // Editors write it; it is for them alone.
            Key::Term(SCHEMA_KEY) if self.tops.contains(&object.node.index()) => return,
            Key::Term(term) => match (place.field(term), place.alias(term)) {
                (Some(field), _) if self.accepts(field, member) => field.name,
                (None, Some(alias)) if alias.origin == Origin::Legacy && self.is_legacy() => {
                    let message = format!("`{}` is called `{}`", member.key, alias.field);
                    self.findings.add(Code::Alias, &member, message, None);
                    alias.field
                }
                (Some(_), _) => return,
                (None, _) => return self.unknown_key(member, term, place),
            },
        };
        // The same key twice was found when the text was inspected.
        if !object.found.iter().any(|(field, before)| *field == found && before.key == member.key) {
            self.say(object, found, member, last(found));
        }
    }

    /// The object of a field, and in it what older documents say of its fields one level too high.
    pub(super) fn below<'d>(&mut self, object: &Object<'d>, name: &'static str) -> Option<Object<'d>> {
        let Some(Kind::Object(place)) = object.place.kind_at(name) else { return None };
        let mut below = match object.get(name) {
            Some(node) => Some(self.object(node, place)?),
            None => None,
        };
        for (field, member) in object.raised(name) {
            let below = below.get_or_insert_with(|| Object::silent(object.node, place));
            self.say(below, field, member, &format!("{name}.{field}"));
        }
        below
    }

    /// Takes a member for a field of an object, wherever the member stands.
    ///
    /// Every spelling comes through here, so none can be lost: where another has said something of the field, and the
    /// two do not add up, they must say the same. `shown` is how a message calls the field.
    pub(super) fn say<'d>(&mut self, object: &mut Object<'d>, field: &'static str, member: Member<'d>, shown: &str) {
        let kind = object.place.kind_at(field);
        let before = object.found.iter().find(|(known, _)| *known == field).map(|(_, before)| *before);
        match before.filter(|_| !kind.is_some_and(Kind::adds_up)) {
            None => object.found.push((field, member)),
            Some(before) if kind.is_some_and(|kind| same(kind, before.value, member.value)) => {}
            Some(before) => self.contradiction(before, member, shown, shown),
        }
    }

    /// Two spellings that say different things of one.
    pub(super) fn contradiction(&mut self, before: Member<'_>, member: Member<'_>, what: &str, keep: &str) {
        if self.findings.is_full(Code::DuplicateKey.severity()) {
            return self.error(Code::DuplicateKey, &member, "", "");
        }
        let both = match before.key == member.key {
            true => format!("two `{}`", member.key),
            false => format!("`{}` and `{}` both", before.key, member.key),
        };
        let message = format!("{both} say `{what}`, and not the same");
        self.error(Code::DuplicateKey, &member, message, format!("keep `{keep}` only"));
    }

    /// Stacks and containers carry what is not ours; nothing else has room for it.
    fn carry<'d>(&mut self, member: Member<'d>, object: &mut Object<'d>) {
        object.foreign.push(member);
        if ![&schema::STACK, &schema::CONTAINER].into_iter().any(|carrier| std::ptr::eq(carrier, object.place)) {
            let message = format!("`{}` is not carried: annotations belong to a stack or a container", member.key);
            self.findings.add(Code::IgnoredKey, &member, message, None);
        }
    }

    /// Whether a field may be used here; says what it is where that is worth a word.
    fn accepts(&mut self, field: &'static Field, member: Member<'_>) -> bool {
        if let Some(instead) = field.older {
            if !self.is_legacy() {
                let message = format!("`{}` is a key of older documents", member.key);
                self.error(Code::UnknownKey, &member, message, format!("use `{instead}`"));
                return false;
            }
            if !matches!(field.kind, Kind::Structure) {
                let message = format!("`{}` is said with `{instead}`", member.key);
                self.findings.add(Code::Alias, &member, message, None);
            }
        }
        if let Kind::Ignored = field.kind {
            let message = format!("`{}` has no effect here", member.key);
            self.findings.add(Code::IgnoredKey, &member, message, None);
        }
        if field.name == "@type" {
            let sound = member.value.items().iter().all(|item| matches!(item.value(), Value::String(_)));
            if !sound {
                self.wrong_type(member.value, "a type or an array of types", "");
            }
        }
        true
    }

    fn unknown_key(&mut self, member: Member<'_>, term: &str, place: &'static Place) {
        if term == "comment" && self.is_legacy() {
            self.findings.add(Code::IgnoredKey, &member, "`comment` is for people and is not carried", None);
            return;
        }
        if self.findings.is_full(Code::UnknownKey.severity()) {
            return self.error(Code::UnknownKey, &member, "", "");
        }
        if term.starts_with('@') {
            let keywords = place.fields.iter().map(|field| field.name).filter(|name| name.starts_with('@'));
            let keywords: Vec<&str> = keywords.chain(["@context"]).collect();
            let help = match suggest::nearest(term, keywords.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keywords here: {}", suggest::list(keywords)),
            };
            let message = format!("`{}` looks like a keyword, and {} has none of that name", member.key, place.what);
            return self.error(Code::UnknownKeyword, &member, message, help);
        }
        let message = format!("unknown key `{}` in {}", member.key, place.what);
        let help = waits_instead(member, term, place).unwrap_or_else(|| advice(term, place));
        self.error(Code::UnknownKey, &member, message, help);
    }
}

/// Compose's map of dependencies, under its own name: neither the name nor the form is ours.
fn waits_instead(member: Member<'_>, term: &str, place: &'static Place) -> Option<String> {
    let field = place.alias(term)?.field;
    let Some(Kind::Forms(Form::Dependencies)) = place.field(field).map(|field| field.kind) else { return None };
    let listed = listed_waits(member.value)?;
    Some(format!("Compose's `{term}` is `{field}` here, and an array: write \"{field}\": {listed}"))
}

/// What was probably meant: a spelling of elsewhere, a key of another place, or a slip of the finger.
fn advice(term: &str, place: &'static Place) -> String {
    if let Some((_, advice)) = place.advice.iter().find(|(key, _)| *key == term) {
        return (*advice).to_owned();
    }
    if let Some(alias) = place.alias(term) {
        return match alias.origin {
            Origin::Compose => format!("Compose's `{term}` is `{}` here", alias.field),
            Origin::Legacy => format!("it is called `{}`", alias.field),
        };
    }
    if let Some(keyword) = place.fields.iter().find(|field| field.name.strip_prefix('@') == Some(term)) {
        return format!("it is called `{}`", keyword.name);
    }
    if let Some(home) = place.home_of(term) {
        return belongs(term, &home);
    }
    let near =
        suggest::nearest(term, place.fields.iter().filter(|field| field.older.is_none()).map(|field| field.name));
    if let Some(near) = near {
        return format!("did you mean `{near}`?");
    }
    let elsewhere = [&schema::CONTAINER, &schema::STACK, &schema::DEPLOYMENT];
    if let Some(other) = elsewhere.into_iter().find(|other| !std::ptr::eq(*other, place) && other.field(term).is_some())
    {
        return format!("`{term}` belongs to {}", other.what);
    }
    if let Some(home) = schema::STACK.home_of(term) {
        return belongs(term, &home);
    }
    let keys: Vec<&str> =
        place.fields.iter().map(|field| field.name).filter(|name| !name.starts_with('@') || *name == "@id").collect();
    if keys.len() <= 12 {
        return format!("keys here: {}", suggest::list(keys));
    }
    "for data of your own, declare a prefix in `@context` and write `prefix:key`".to_owned()
}

fn belongs(term: &str, home: &str) -> String {
    match home.rsplit_once('.') {
        Some((above, name)) if name == term => format!("`{term}` belongs under `{above}`"),
        Some((above, name)) => format!("`{term}` belongs under `{above}`, as `{name}`"),
        None => format!("it is called `{home}`"),
    }
}

fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}
