//! What is refused before the processor sees a general document: contexts from elsewhere, and work without bound.
//!
//! The processor copies the active context for every object that has a context of its own or stands under a term
//! that has one, and checks the contexts below it each time. What that can cost at most is known from the text.

use super::super::{
    code::Code,
    findings::{Findings, Place},
    node::Node,
    profile::{NATIVE_CONTEXT, SCHEMA_ORG},
    suggest,
};
use json_syntax::Value;

/// Terms in all contexts of a document; each may lead to the next, and the processor follows by recursion.
const MAX_TERMS: usize = 1_000;
/// What our own context counts for: its terms, the contexts within it, how many of them lie within one.
const NATIVE: Measure = Measure { terms: 200, scopes: 25, nested: 3, text: 0 };
/// Copies of terms. One takes about a microsecond in a debug build.
const MAX_COPIES: usize = 10_000_000;
/// Bytes of IRIs that are put together from contexts.
const MAX_TEXT: usize = 64 * 1024 * 1024;

/// Everything that begins with `@` and means something in a context.
const KEYWORDS: [&str; 23] = [
    "@base",
    "@container",
    "@context",
    "@direction",
    "@graph",
    "@id",
    "@import",
    "@included",
    "@index",
    "@json",
    "@language",
    "@list",
    "@nest",
    "@none",
    "@prefix",
    "@propagate",
    "@protected",
    "@reverse",
    "@set",
    "@type",
    "@value",
    "@version",
    "@vocab",
];

/// How large contexts are.
#[derive(Clone, Copy, Default)]
struct Measure {
    terms: usize,
    /// Contexts of terms.
    scopes: usize,
    /// How many of those lie within one of them, at most.
    nested: usize,
    /// Bytes of keys and strings: what prefixes, `@vocab` and `@base` can make an IRI long with.
    text: usize,
}

impl Measure {
    fn add(&mut self, other: Self) {
        self.terms += other.terms;
        self.scopes += other.scopes;
        self.nested = self.nested.max(other.nested);
        self.text += other.text;
    }
}

/// What a document is made of, as far as it costs something.
#[derive(Default)]
struct Inspection {
    /// All contexts together.
    contexts: Measure,
    /// What reading those contexts costs that stand in objects.
    copies: usize,
    values: usize,
    /// Whether a finding was made.
    refused: bool,
}

/// Whether the document may be expanded; says why not.
pub(super) fn admit(top: Node<'_>, findings: &mut Findings) -> bool {
    let mut inspection = Inspection::default();
    inspection.visit(top, findings);
    let Inspection { contexts, copies, values, refused } = inspection;
    if refused {
        return false;
    }
    let at = top.get("@context").unwrap_or(top);
    if contexts.terms > MAX_TERMS {
        let message = format!("the contexts define {} terms, and {MAX_TERMS} is the limit", contexts.terms);
        findings.add(Code::TooCostly, at, message, None);
        return false;
    }
    // Without contexts of terms nothing is copied but where a context stands.
    let per_value = if contexts.scopes > 0 { contexts.terms.saturating_mul(1 + contexts.nested) } else { 0 };
    if copies.saturating_add(values.saturating_mul(per_value)) > MAX_COPIES {
        let message = format!("{values} values are too many for {} terms with contexts of their own", contexts.terms);
        let help = "write a smaller document, or one with fewer terms and no contexts within terms";
        findings.add(Code::TooCostly, at, message, Some(help.into()));
        return false;
    }
    if values.saturating_mul(contexts.text) > MAX_TEXT {
        let message = format!("{values} values are too many for contexts of {} bytes", contexts.text);
        findings.add(Code::TooCostly, at, message, Some("write shorter contexts, or a smaller document".into()));
        return false;
    }
    true
}

impl Inspection {
    fn visit(&mut self, node: Node<'_>, findings: &mut Findings) {
        self.values += 1;
        node.elements().for_each(|element| self.visit(element, findings));
        for member in node.members() {
            if member.key == "@context" {
                let context = self.context(member.value, findings);
                self.contexts.add(context);
                // Where a context stands, all terms so far are copied, and again for each context within it.
                let active = self.contexts.terms;
                let within = context.scopes.saturating_mul(active);
                self.copies =
                    self.copies.saturating_add(active).saturating_add(context.terms * 8).saturating_add(within);
            } else {
                self.visit(member.value, findings);
            }
        }
    }

    /// The value of one `@context`, of a node or of a term.
    fn context(&mut self, value: Node<'_>, findings: &mut Findings) -> Measure {
        let mut measure = Measure::default();
        for entry in value.items() {
            match entry.value() {
                Value::Null => {}
                Value::String(url) if url.as_str() == NATIVE_CONTEXT => measure.add(NATIVE),
                Value::String(url) => self.unknown(entry, url, findings),
                Value::Object(_) => measure.add(self.definitions(entry, findings)),
                _ => {
                    let message =
                        format!("an entry of `@context` is a URL or an object of terms, not {}", entry.kind());
                    self.refuse(Code::ContextEntry, entry, message, None, findings);
                }
            }
        }
        measure
    }

    fn definitions(&mut self, entry: Node<'_>, findings: &mut Findings) -> Measure {
        let mut measure = Measure::default();
        for member in entry.members() {
            if member.key == "@import" {
                let help = "write the terms here; nothing is imported".to_owned();
                self.refuse(Code::ContextEntry, member.value, "`@import` cannot be used", Some(help), findings);
            }
            self.keyword(member.key, (&member).into(), findings);
            measure.terms += usize::from(!member.key.starts_with('@'));
            measure.text += member.key.len() + member.value.as_str().map_or(0, str::len);
            for part in member.value.members() {
                self.keyword(part.key, (&part).into(), findings);
                if let Some(text) = part.value.as_str() {
                    self.keyword(text, part.value.into(), findings);
                }
                measure.text += part.key.len() + part.value.as_str().map_or(0, str::len);
                if part.key == "@context" {
                    let scope = self.context(part.value, findings);
                    measure.add(Measure { scopes: scope.scopes + 1, nested: scope.scopes.max(scope.nested), ..scope });
                }
            }
        }
        measure
    }

    /// What looks like a keyword and is none is ignored by JSON-LD; the processor complains on its own, to nobody.
    fn keyword(&mut self, word: &str, at: Place, findings: &mut Findings) {
        let looks_like_one = word.strip_prefix('@').is_some_and(|rest| rest.chars().all(|c| c.is_ascii_alphabetic()));
        if looks_like_one && !KEYWORDS.contains(&word) {
            let help = suggest::nearest(word, KEYWORDS).map(|near| format!("did you mean `{near}`?"));
            let message = format!("`{word}` looks like a keyword, and a context has none of that name");
            self.refuse(Code::ContextEntry, at, message, help, findings);
        }
    }

    fn unknown(&mut self, entry: Node<'_>, url: &str, findings: &mut Findings) {
        let message = format!("`{url}` is no context that is built in, and none is ever downloaded");
        let help = match SCHEMA_ORG.contains(&url) {
            true => "schema.org's context stands at the top of older documents only; declare \"schema\": \"http://schema.org/\"".to_owned(),
            false => format!("known contexts: `{NATIVE_CONTEXT}`; or write the terms here"),
        };
        self.refuse(Code::UnknownContext, entry, message, Some(help), findings);
    }

    fn refuse(
        &mut self,
        code: Code,
        at: impl Into<Place>,
        message: impl Into<String>,
        help: Option<String>,
        findings: &mut Findings,
    ) {
        self.refused = true;
        findings.add(code, at, message, help);
    }
}
