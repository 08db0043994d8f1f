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
mod values;

use super::{
    ReadContext,
    code::Code,
    findings::Findings,
    guard,
    node::Node,
    profile::Context,
    read::{self, Document},
    syntax,
};
use expand::Failure;
use graph::Graph;
use json_syntax::{Parse as _, Value};
use locate::{Origin, Source};
use mistakes::Mistake;
use native::Writer;
use std::ops::Range;

/// Reads a document; `top` is the part of it that describes the stack.
pub(super) fn document(
    root: Node<'_>,
    top: Node<'_>,
    environment: &ReadContext<'_>,
    mut findings: Findings,
) -> (Option<Document>, Findings) {
    if !admit::admit(top, &mut findings) {
        return (None, findings);
    }
    let mut expansions = expand::expand(vec![top.value().clone(), locate::tagged(top)]);
    let expanded = match expansions.next() {
        Some(Ok(expanded)) => expanded,
        Some(Err(failure)) => {
            failed(failure, top, &mut findings);
            return (None, findings);
        }
        None => return (None, findings),
    };
    // Where the tags change the meaning of the document, as in its maps, there are fewer places and nothing else.
    let tagged = expansions.next().and_then(Result::ok);
    let graph = Graph::read(&expanded, tagged.as_ref());
    let Canonical { text, origins, mistakes, left_out, excess } = Canonical::write(root, &graph);
    // What comes next relies on bounds, of this text as of any other.
    if let Some(code) = excess.or_else(|| guard::admit_derived(&text).err().map(|refusal| refusal.code)) {
        let message = match code {
            Code::TooLarge => "what the document links would have more bytes than a document may have",
            Code::TooDeep => "what the document says would be nested more deeply than it may be",
            _ => "what the document links would have more values than a document may have",
        };
        findings.add(code, top, message, None);
        return (None, findings);
    }
    let Ok((value, map)) = syntax::parse(&text) else {
        failed(Failure::Broken, top, &mut findings);
        return (None, findings);
    };
    let canonical = Node::root(&value, &map);
    let (document, mut inner) = read::document_in(Context::general(), canonical, environment, Findings::default());
    let source = Source::new(root, top);
    let origin_at = |start: usize| {
        let at = origins.partition_point(|(begins, _)| *begins <= start).saturating_sub(1);
        origins.get(at).map(|(_, origin)| origin.clone()).unwrap_or_default()
    };
    inner.relocate(|mark, index| {
        let shown = (origin_at(mark.start), shown_at(&text, mark.clone()));
        let begins = map.get(index).map_or(mark.start, |entry| entry.span.start());
        // A container is shown by its name, and a value by its key: the first is two places, the second one.
        let apart = begins < mark.start;
        let value = if apart { (origin_at(begins), shown_at(&text, begins..begins + 1)) } else { shown.clone() };
        let place = |(origin, value): &(Origin, Option<Value>)| source.place(origin, value.as_ref());
        (place(&shown), place(&value), owned_by(&value.0))
    });
    findings.absorb(inner);
    findings.leave_out(left_out);
    for Mistake { code, origin, value, message, help } in mistakes {
        if findings.is_full(code.severity()) {
            // Its place is looked for in vain.
            findings.leave_out(1);
            continue;
        }
        let message = message + &owned_by(&origin);
        findings.add(code, source.place(&origin, value.as_ref()), message, help);
    }
    (document, findings)
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

/// What tells the reader of a finding which node it is about.
fn owned_by(origin: &Origin) -> String {
    if origin.owner.is_empty() { String::new() } else { format!(" ({})", origin.owner) }
}

fn failed(failure: Failure, top: Node<'_>, findings: &mut Findings) {
    let at = top.get("@context").unwrap_or(top);
    let (code, message) = match failure {
        Failure::Unsound(why) => (Code::UnsoundJsonLd, format!("the document cannot be expanded: {why}")),
        Failure::Busy => (Code::Busy, "the machine is busy with other documents; try again in a moment".to_owned()),
        Failure::Late => (Code::TooCostly, "expanding the document takes too long".to_owned()),
        Failure::Broken => (Code::UnsoundJsonLd, "the processor gave up on the document".to_owned()),
    };
    findings.add(code, at, message, None);
}

/// The document that the graph amounts to.
struct Canonical {
    text: String,
    origins: Vec<(usize, Origin)>,
    mistakes: Vec<Mistake>,
    /// Mistakes beyond those.
    left_out: usize,
    /// What there is too much of; then the text is not whole.
    excess: Option<Code>,
}

impl Canonical {
    fn write(root: Node<'_>, graph: &Graph<'_>) -> Self {
        let mut writer = Writer::new(graph);
        if root.get("stackDefinition").is_some() {
            writer.envelope(root);
        } else {
            writer.document();
        }
        let excess = writer.out.excess();
        let (mistakes, left_out) = writer.mistakes.finish();
        let (text, origins) = writer.out.finish();
        Self { text, origins, mistakes, left_out, excess }
    }
}
