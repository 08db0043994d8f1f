//! Where in the source a value of the canonical text came from, as far as that can be told.
//!
//! Expansion forgets places. A second expansion of the same document, in which every object says by an `@index`
//! where it stood, gives the places of objects; strings, numbers and flags are looked for within their object.

use super::super::{
    findings::Place,
    node::{Member, Node},
};
use super::graph::TAG;
use json_syntax::{
    Object, Value,
    object::{Entry, Key},
};
use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    rc::Rc,
};

/// What is known of where a value came from.
#[derive(Clone, Default)]
pub(super) struct Origin {
    /// The value itself, where it was taken as it is.
    pub(super) exact: Option<usize>,
    /// The object that it was.
    pub(super) own: Option<usize>,
    /// The object in which it stood.
    pub(super) holder: Option<usize>,
    /// The key under which it stood, or the end of its IRI.
    pub(super) word: Rc<str>,
    /// Whose property it is: `ports.hostPort` of `container:web`.
    pub(super) owner: Rc<str>,
}

/// So deep below an object and among so many values a scalar is looked for.
const DEPTH: usize = 4;
const MAX_SEEN: usize = 10_000;
/// Among so many in all: findings are many, and each of a large object may look at all of it.
const MAX_LOOKS: usize = 1_000_000;

/// Meanings that one term may have in the contexts of a document, and be found by.
const MEANINGS: usize = 4;

/// The values of the source by their numbers.
pub(super) struct Source<'d> {
    top: Node<'d>,
    by_index: HashMap<usize, Node<'d>>,
    /// The document's own terms, each with the ends of the IRIs that it stands for.
    terms: HashMap<&'d str, Vec<&'d str>>,
    /// The first members of objects by what is looked for: their whole keys and the ends of those.
    by_word: RefCell<HashMap<usize, Words<'d>>>,
    looks: Cell<usize>,
}

/// The first members that say something, by words.
type Words<'d> = HashMap<&'d str, Member<'d>>;

/// A place where a value may stand: how little that is believed, the member that it stands under, and itself.
struct Candidate<'d> {
    doubt: usize,
    member: Member<'d>,
    value: Node<'d>,
}

/// Where something stands, and under which key, where that is the document's own word for it.
pub(super) struct Found<'d> {
    pub(super) place: Place,
    pub(super) own_word: Option<&'d str>,
}

impl From<Node<'_>> for Found<'_> {
    fn from(node: Node<'_>) -> Self {
        Self { place: node.into(), own_word: None }
    }
}

impl<'d> Source<'d> {
    pub(super) fn new(root: Node<'d>, top: Node<'d>) -> Self {
        let (mut by_index, mut terms) = (HashMap::new(), HashMap::new());
        index(root, &mut by_index, &mut terms);
        Self { top, by_index, terms, by_word: RefCell::default(), looks: Cell::new(MAX_LOOKS) }
    }

    /// Where a finding belongs; `value` is what its canonical text holds, `None` for a key.
    pub(super) fn find(&self, origin: &Origin, value: Option<&Value>) -> Found<'d> {
        let find = |index: Option<usize>| index.and_then(|index| self.by_index.get(&index)).copied();
        if let Some(exact) = find(origin.exact) {
            return exact.into();
        }
        let is_whole = matches!(value, Some(Value::Object(_) | Value::Array(_)));
        let (own, holder) = (find(origin.own), find(origin.holder));
        if let Some(own) = own.filter(|_| is_whole) {
            return own.into();
        }
        let Some(holder) = own.or(holder) else {
            return self.search(self.top, origin, value).unwrap_or_else(|| self.top.into());
        };
        self.search(holder, origin, value).unwrap_or_else(|| holder.into())
    }

    fn search(&self, holder: Node<'d>, origin: &Origin, value: Option<&Value>) -> Option<Found<'d>> {
        let at_key =
            |member: Member<'d>| Found { place: Place::from(&member), own_word: self.own_word(member, &origin.word) };
        let Some(value) = value.filter(|_| self.looks.get() > 0) else {
            return self.key(holder, &origin.word).map(at_key);
        };
        let mut found = Vec::new();
        let most = MAX_SEEN.min(self.looks.get());
        let mut left = most;
        for member in holder.members().filter(|member| member.key != "@context") {
            if left == 0 {
                break;
            }
            let doubt = if self.says(member.key, &origin.word) { 0 } else { DEPTH };
            collect(member.value, doubt, member, &mut left, &mut found);
        }
        self.looks.set(self.looks.get() - (most - left));
        let fits = |candidate: &&Candidate<'_>| is_same(candidate.value.value(), value);
        let best = found.iter().filter(fits).min_by_key(|candidate| candidate.doubt);
        // An IRI may have been written short, and a value as one of several: then the key must do.
        let best = best.or_else(|| found.iter().find(|candidate| candidate.doubt < DEPTH));
        best.map(|candidate| match value {
            Value::Object(_) | Value::Array(_) => at_key(candidate.member),
            _ => Found { place: candidate.value.into(), ..at_key(candidate.member) },
        })
    }

    /// The first member of an object whose key is the word, ends in it or stands for it.
    fn key(&self, holder: Node<'d>, word: &str) -> Option<Member<'d>> {
        let mut by_word = self.by_word.borrow_mut();
        let words = by_word.entry(holder.index()).or_insert_with(|| {
            let mut words = HashMap::new();
            for member in holder.members().filter(|member| member.key != "@context") {
                for word in [member.key, end(member.key)].into_iter().chain(self.meanings(member.key)) {
                    words.entry(word).or_insert(member);
                }
            }
            words.remove("");
            words
        });
        words.get(word).copied()
    }

    /// The ends of the IRIs that a term of the document's own stands for.
    fn meanings(&self, key: &str) -> impl Iterator<Item = &'d str> + '_ {
        self.terms.get(key).into_iter().flatten().copied()
    }

    /// Whether a key, short or whole or a term of the document's own, says the word.
    fn says(&self, key: &str, word: &str) -> bool {
        !word.is_empty() && (key == word || end(key) == word || self.meanings(key).any(|meaning| meaning == word))
    }

    /// The key of a member that says the word without spelling it.
    fn own_word(&self, member: Member<'d>, word: &str) -> Option<&'d str> {
        (end(member.key) != word && self.says(member.key, word)).then_some(member.key)
    }
}

/// A key without its prefix or namespace.
fn end(key: &str) -> &str {
    key.rsplit([':', '#', '/']).next().unwrap_or(key)
}

/// Takes down what the terms of a context stand for.
fn learn<'d>(context: Node<'d>, terms: &mut HashMap<&'d str, Vec<&'d str>>) {
    for context in context.items() {
        for member in context.members() {
            let iri = member.value.as_str().or_else(|| member.value.get("@id")?.as_str());
            let Some(meaning) = iri.map(end).filter(|meaning| !meaning.is_empty()) else { continue };
            let meanings = terms.entry(member.key).or_default();
            if meanings.len() < MEANINGS && !meanings.contains(&meaning) {
                meanings.push(meaning);
            }
        }
    }
}

fn index<'d>(node: Node<'d>, by_index: &mut HashMap<usize, Node<'d>>, terms: &mut HashMap<&'d str, Vec<&'d str>>) {
    by_index.insert(node.index(), node);
    node.elements().for_each(|element| index(element, by_index, terms));
    for member in node.members() {
        if member.key == "@context" {
            learn(member.value, terms);
        }
        index(member.value, by_index, terms);
    }
}

fn collect<'d>(node: Node<'d>, doubt: usize, member: Member<'d>, left: &mut usize, found: &mut Vec<Candidate<'d>>) {
    if *left == 0 || doubt >= 2 * DEPTH {
        return;
    }
    *left -= 1;
    node.elements().for_each(|element| collect(element, doubt, member, left, found));
    node.members().for_each(|below| collect(below.value, doubt + 1, member, left, found));
    found.push(Candidate { doubt, member, value: node });
}

/// Whether the source says what the canonical text says; IRIs may be written short there.
fn is_same(source: &Value, canonical: &Value) -> bool {
    match (source, canonical) {
        (Value::Number(source), Value::Number(canonical)) => source.as_str() == canonical.as_str(),
        (Value::String(source), Value::Number(canonical)) => source.as_str() == canonical.as_str(),
        (Value::Boolean(source), Value::Boolean(canonical)) => source == canonical,
        (Value::String(source), Value::String(canonical)) => source == canonical,
        _ => false,
    }
}

/// The first key or string whose percent signs encode something that is not UTF-8.
pub(super) fn broken_percent<'d>(node: Node<'d>) -> Option<(Place, &'d str)> {
    if let Some(text) = node.as_str().filter(|text| !decodes(text)) {
        return Some((node.into(), text));
    }
    let in_member = |member: Member<'d>| match decodes(member.key) {
        true => broken_percent(member.value),
        false => Some((Place::from(&member), member.key)),
    };
    node.elements().find_map(broken_percent).or_else(|| node.members().find_map(in_member))
}

fn decodes(text: &str) -> bool {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let digit = |at: usize| after.get(at).and_then(|byte| char::from(*byte).to_digit(16));
        let encoded = match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => u8::try_from(16 * high + low).ok(),
            _ => None,
        };
        bytes.push(encoded.unwrap_or(*first));
        rest = if encoded.is_some() { after.get(2..).unwrap_or_default() } else { after };
    }
    std::str::from_utf8(&bytes).is_ok()
}

/// The value in which every object says where it stood. Objects that have an `@index` keep theirs.
pub(super) fn tagged(node: Node<'_>) -> Value {
    match node.value() {
        Value::Array(_) => Value::Array(node.elements().map(tagged).collect()),
        Value::Object(_) => {
            let keep = |key: &str| key == "@context" || key == "@index";
            let entries = node.members().map(|member| {
                let value = if keep(member.key) { member.value.value().clone() } else { tagged(member.value) };
                Entry::new(Key::from(member.key), value)
            });
            let mut object = Object::from_vec(entries.collect());
            if !object.contains_key("@index") {
                object.push(Key::from("@index"), Value::from(format!("{TAG}{}", node.index()).as_str()));
            }
            Value::Object(object)
        }
        other => other.clone(),
    }
}
