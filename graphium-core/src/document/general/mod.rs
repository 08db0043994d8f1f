//! Documents of the general profile: any JSON-LD, read by the IRIs of our vocabulary.
//!
//! The way of such a document: `admit` refuses what is not bounded or comes from elsewhere, `expand` has the
//! processor make the expanded form of it, `graph` gathers what is said of each node wherever it is said, `native`
//! and `values` write that down as the canonical document that it amounts to. The typed reader reads it, so that
//! every rule exists once; `locate` takes its findings back to where they belong in the source.

mod admit;
mod expand;
mod graph;
mod locate;
mod mistakes;
mod native;
mod output;
mod permits;
mod rest;
mod values;

use super::{
    ReadContext,
    code::Code,
    findings::{Findings, Place},
    guard,
    node::Node,
    profile::Context,
    read::{self, Document},
    rewrite, syntax,
};
use crate::diagnostic::{Severity, Subject};
use expand::Failure;
use graph::Graph;
use json_syntax::{CodeMap, Parse as _, Value};
use locate::{Origin, Source};
use mistakes::Mistake;
use native::Writer;
use std::ops::Range;

/// What a document is looked at for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// The stack, and nothing else.
    Read,
    /// Everything that the native form has a place for, and a word about the rest.
    Rewrite,
}

/// Reads a document; `top` is the part of it that describes the stack.
pub(super) fn document(
    root: Node<'_>,
    top: Node<'_>,
    environment: &ReadContext<'_>,
    mut findings: Findings,
) -> (Option<Document>, Findings) {
    let Some(canonical) = Canonical::of(root, top, Purpose::Read, &mut findings) else { return (None, findings) };
    let nothing = Findings::default();
    let (document, inner) = read::document_in(Context::general(), canonical.node(), environment, nothing);
    canonical.give_back(root, top, inner, &mut findings);
    (document, findings)
}

/// The places in the source of what subjects are about.
pub(super) fn places(
    root: Node<'_>,
    top: Node<'_>,
    environment: &ReadContext<'_>,
    subjects: &[&Subject],
) -> Vec<Option<Place>> {
    let Some(canonical) = Canonical::of(root, top, Purpose::Read, &mut Findings::default()) else { return Vec::new() };
    let source = Source::new(root, top);
    let places = read::places(Context::general(), canonical.node(), environment, subjects);
    let to_source = |place: Place| place.moved(|mark, index| canonical.source_of(&source, mark, index));
    places.into_iter().map(|place| place.map(to_source)).collect()
}

/// A document in the native form.
pub(super) fn format(root: Node<'_>, top: Node<'_>) -> (Option<String>, Findings) {
    let mut findings = Findings::default();
    syntax::inspect(root, &mut findings);
    let Some(canonical) = Canonical::of(root, top, Purpose::Rewrite, &mut findings) else { return (None, findings) };
    let (written, inner) = rewrite::write(&canonical.text, canonical.node());
    canonical.give_back(root, top, inner, &mut findings);
    (written.map(|(_, text)| text), findings)
}

/// The value that stands at a mark of the canonical text; `None` for a key.
fn shown_at(text: &str, mark: Range<usize>) -> Option<Value> {
    let is_key = text.get(mark.end..).is_some_and(|rest| rest.starts_with(':'));
    match text.get(mark).unwrap_or_default() {
        "{" => Some(Value::Object(json_syntax::Object::new())),
        "[" => Some(Value::Array(Vec::new())),
        scalar if !is_key => Value::parse_str(scalar).ok().map(|(value, _)| value),
        _ => None,
    }
}

/// What tells the reader of a finding which node it is about, and what the document's own word for it stands for.
fn owned_by(origin: &Origin, own_word: Option<&str>) -> String {
    match own_word {
        _ if origin.owner.is_empty() => String::new(),
        Some(own_word) => format!(" (`{own_word}` is {})", origin.owner),
        None => format!(" ({})", origin.owner),
    }
}

fn failed(failure: Failure, top: Node<'_>, findings: &mut Findings) {
    let at = top.get("@context").unwrap_or(top);
    // What is not UTF-8 behind the percent signs is no IRI to compare, and the processor gives up.
    if let (Failure::Broken, Some((place, text))) = (&failure, locate::broken_percent(top)) {
        let message = format!("`{text}` has percent signs that encode no UTF-8, so it is no IRI");
        let help = "write `%` as `%25`, or the characters themselves";
        return findings.add(Code::UnsoundJsonLd, place, message, Some(help.to_owned()));
    }
    let (code, message) = match failure {
        Failure::Unsound(why) => (Code::UnsoundJsonLd, format!("the document cannot be expanded: {why}")),
        Failure::Busy => (Code::Busy, "the machine is busy with other documents; try again in a moment".to_owned()),
        Failure::Late => (Code::TooCostly, "expanding the document takes too long".to_owned()),
        Failure::Broken => (Code::UnsoundJsonLd, "the processor gave up on the document".to_owned()),
    };
    findings.add(code, at, message, None);
}

/// The document that a graph amounts to.
struct Canonical {
    text: String,
    value: Value,
    map: CodeMap,
    /// Where in the source its values and keys came from, by their places.
    origins: Vec<(usize, Origin)>,
    mistakes: Vec<Mistake>,
    /// Mistakes beyond those, by severity.
    left_out: [usize; 3],
}

impl Canonical {
    /// Expands the document and writes down what it says; `None` where it cannot be expanded or is too much.
    fn of(root: Node<'_>, top: Node<'_>, purpose: Purpose, findings: &mut Findings) -> Option<Self> {
        if !admit::admit(top, findings) {
            return None;
        }
        let mut expansions = expand::expand(vec![top.value().clone(), locate::tagged(top)]);
        let expanded = match expansions.next()? {
            Ok(expanded) => expanded,
            Err(failure) => {
                failed(failure, top, findings);
                return None;
            }
        };
        // Where the tags change the meaning of the document, as in its maps, there are fewer places and nothing else.
        let tagged = expansions.next().and_then(Result::ok);
        let graph = Graph::read(&expanded, tagged.as_ref());
        let mut writer = Writer::new(&graph, purpose);
        if root.get("stackDefinition").is_some() {
            writer.envelope(root);
        } else {
            writer.document();
        }
        let excess = writer.out.excess();
        let (mistakes, left_out) = writer.mistakes.finish();
        let (text, origins) = writer.out.finish();
        // What comes next relies on bounds, of this text as of any other.
        if let Some(code) = excess.or_else(|| guard::admit_derived(&text).err().map(|refusal| refusal.code)) {
            let message = match code {
                Code::TooLarge => "what the document links would have more bytes than a document may have",
                Code::TooDeep => "what the document says would be nested more deeply than it may be",
                _ => "what the document links would have more values than a document may have",
            };
            findings.add(code, top, message, None);
            return None;
        }
        let Ok((value, map)) = syntax::parse(&text) else {
            failed(Failure::Broken, top, findings);
            return None;
        };
        Some(Self { text, value, map, origins, mistakes, left_out })
    }

    fn node(&self) -> Node<'_> {
        Node::root(&self.value, &self.map)
    }

    /// Where in the source a mark and a value of this text belong, and what tells whose value it is.
    fn source_of(&self, source: &Source<'_>, mark: Range<usize>, index: usize) -> (Place, Place, String) {
        let origin_at = |start: usize| {
            let at = self.origins.partition_point(|(begins, _)| *begins <= start).saturating_sub(1);
            self.origins.get(at).map(|(_, origin)| origin.clone()).unwrap_or_default()
        };
        let shown = (origin_at(mark.start), shown_at(&self.text, mark.clone()));
        let begins = self.map.get(index).map_or(mark.start, |entry| entry.span.start());
        // A container is shown by its name, and a value by its key: the first is two places, the second one.
        let apart = begins < mark.start;
        let value = if apart { (origin_at(begins), shown_at(&self.text, begins..begins + 1)) } else { shown.clone() };
        let find = |(origin, value): &(Origin, Option<Value>)| source.find(origin, value.as_ref());
        let found = find(&value);
        (find(&shown).place, found.place, owned_by(&value.0, found.own_word))
    }

    /// Takes what was found in this text, and what was found when it was written, back to the source.
    fn give_back(&self, root: Node<'_>, top: Node<'_>, mut inner: Findings, findings: &mut Findings) {
        let source = Source::new(root, top);
        inner.relocate(|mark, index| self.source_of(&source, mark, index));
        findings.absorb(inner);
        for severity in [Severity::Note, Severity::Warning, Severity::Error] {
            findings.leave_out(severity, self.left_out[severity as usize]);
        }
        for Mistake { code, origin, value, message, help } in &self.mistakes {
            if findings.is_full(code.severity()) {
                // Its place is looked for in vain.
                findings.leave_out(code.severity(), 1);
                continue;
            }
            let found = source.find(origin, value.as_ref());
            let message = format!("{message}{}", owned_by(origin, found.own_word));
            findings.add(*code, found.place, message, help.clone());
        }
    }
}
