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
    ops::Range,
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

/// The values of the source by their numbers.
pub(super) struct Source<'d> {
    top: Node<'d>,
    by_index: HashMap<usize, Node<'d>>,
    /// The first members of objects by what is looked for: their whole keys and the ends of those.
    by_word: RefCell<HashMap<usize, Words<'d>>>,
    looks: Cell<usize>,
}

/// The places of members, by words: their marks and the numbers of their values.
type Words<'d> = HashMap<&'d str, (Range<usize>, usize)>;

/// A place where a value may stand: how little that is believed, its key and itself.
struct Candidate<'d> {
    doubt: usize,
    key: Option<(Range<usize>, usize)>,
    value: Node<'d>,
}

impl<'d> Source<'d> {
    pub(super) fn new(root: Node<'d>, top: Node<'d>) -> Self {
        let mut by_index = HashMap::new();
        index(root, &mut by_index);
        Self { top, by_index, by_word: RefCell::default(), looks: Cell::new(MAX_LOOKS) }
    }

    /// Where a finding belongs; `value` is what its canonical text holds, `None` for a key.
    pub(super) fn place(&self, origin: &Origin, value: Option<&Value>) -> Place {
        let find = |index: Option<usize>| index.and_then(|index| self.by_index.get(&index)).copied();
        if let Some(exact) = find(origin.exact) {
            return exact.into();
        }
        let is_whole = matches!(value, Some(Value::Object(_) | Value::Array(_)));
        let own = find(origin.own);
        if let Some(own) = own.filter(|_| is_whole) {
            return own.into();
        }
        let Some(holder) = own.or_else(|| find(origin.holder)) else {
            return self.search(self.top, origin, value).unwrap_or_else(|| self.top.into());
        };
        self.search(holder, origin, value).unwrap_or_else(|| holder.into())
    }

    fn search(&self, holder: Node<'d>, origin: &Origin, value: Option<&Value>) -> Option<Place> {
        let Some(value) = value else { return self.key(holder, &origin.word) };
        if self.looks.get() == 0 {
            return self.key(holder, &origin.word);
        }
        let mut found = Vec::new();
        let most = MAX_SEEN.min(self.looks.get());
        let mut left = most;
        for member in holder.members().filter(|member| member.key != "@context") {
            if left == 0 {
                break;
            }
            let doubt = if ends_with(member.key, &origin.word) { 0 } else { DEPTH };
            let key = (member.mark(), member.value.index());
            collect(member.value, doubt, Some(key), &mut left, &mut found);
        }
        self.looks.set(self.looks.get() - (most - left));
        let fits = |candidate: &&Candidate<'_>| is_same(candidate.value.value(), value);
        let best = found.iter().filter(fits).min_by_key(|candidate| candidate.doubt);
        // An IRI may have been written short, and a value as one of several: then the key must do.
        let best = best.or_else(|| found.iter().find(|candidate| candidate.doubt < DEPTH));
        best.map(|candidate| match (value, &candidate.key) {
            (Value::Object(_) | Value::Array(_), Some((mark, index))) => Place::new(mark.clone(), *index),
            _ => candidate.value.into(),
        })
    }

    /// The first key of an object that is the word, or ends in it.
    fn key(&self, holder: Node<'d>, word: &str) -> Option<Place> {
        let mut by_word = self.by_word.borrow_mut();
        let words = by_word.entry(holder.index()).or_insert_with(|| {
            let mut words = HashMap::new();
            for member in holder.members().filter(|member| member.key != "@context") {
                let end = member.key.rsplit([':', '#', '/']).next().unwrap_or(member.key);
                for word in [member.key, end] {
                    words.entry(word).or_insert_with(|| (member.mark(), member.value.index()));
                }
            }
            words.remove("");
            words
        });
        words.get(word).map(|(mark, index)| Place::new(mark.clone(), *index))
    }
}

fn index<'d>(node: Node<'d>, by_index: &mut HashMap<usize, Node<'d>>) {
    by_index.insert(node.index(), node);
    node.elements().for_each(|element| index(element, by_index));
    node.members().for_each(|member| index(member.value, by_index));
}

fn collect<'d>(
    node: Node<'d>,
    doubt: usize,
    key: Option<(Range<usize>, usize)>,
    left: &mut usize,
    found: &mut Vec<Candidate<'d>>,
) {
    if *left == 0 || doubt >= 2 * DEPTH {
        return;
    }
    *left -= 1;
    node.elements().for_each(|element| collect(element, doubt, key.clone(), left, found));
    node.members().for_each(|member| collect(member.value, doubt + 1, key.clone(), left, found));
    found.push(Candidate { doubt, key, value: node });
}

/// Whether a key, short or whole, ends in the word.
fn ends_with(key: &str, word: &str) -> bool {
    !word.is_empty() && (key == word || key.rsplit([':', '#', '/']).next() == Some(word))
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
