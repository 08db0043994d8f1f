//! `@context`: which profile a document has, and which prefixes it declares.

use super::{code::Code, findings::Findings, findings::Place, node::Node, suggest};
use json_syntax::Value;

/// The key by which editors find the JSON Schema of a document.
pub(super) const SCHEMA_KEY: &str = "$schema";

/// The one context that is ours.
pub const NATIVE_CONTEXT: &str = "https://graphium.io/context/v1.jsonld";
/// What stands behind [`NATIVE_CONTEXT`], for other processors of JSON-LD. These bytes never change.
pub const NATIVE_CONTEXT_DOCUMENT: &str = include_str!("../../context/v1.jsonld");
/// How older documents name schema.org.
pub(super) const SCHEMA_ORG: [&str; 4] =
    ["https://schema.org", "https://schema.org/", "http://schema.org", "http://schema.org/"];
/// IRIs whose terms we know.
pub(super) const OURS: [&str; 5] = [
    "https://graphium.io/vocab/stack#",
    "https://graphium.io/vocab/datacenter#",
    "https://graphium.io/vocab/docker#",
    "http://schema.org/",
    "https://schema.org/",
];
/// Prefixes that need no declaration: older documents use them without one, our own context declares them.
pub(super) const KNOWN_PREFIXES: [&str; 3] = ["datacenter", "docker", "schema"];
const MAX_ENTRIES: usize = 4;

/// How a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Our own context: canonical names only.
    Native,
    /// schema.org's, or none: older spellings too.
    Legacy,
    /// Any other JSON-LD, read by the IRIs of our vocabulary. Needs the feature `json-ld`.
    General,
}

/// Whether a document can only be understood by expanding it: it defines terms of its own and names no context
/// that we know, or it has no context and is in expanded form already.
pub(super) fn is_general(top: Node<'_>) -> bool {
    if let Value::Array(_) = top.value() {
        return top.elements().any(Node::is_object);
    }
    let Some(context) = top.get("@context") else {
        let nodes = top.get("@graph").map_or_else(|| vec![top], Node::items);
        let keys: Vec<&str> = nodes.iter().flat_map(|node| node.members()).map(|member| member.key).collect();
        let mut properties = keys.into_iter().filter(|key| !key.starts_with('@') && *key != SCHEMA_KEY).peekable();
        return properties.peek().is_some() && properties.all(|key| key.contains("://"));
    };
    let entries = context.items();
    let known = |url: &str| url == NATIVE_CONTEXT || SCHEMA_ORG.contains(&url);
    let defines = |entry: &Node<'_>| {
        entry.members().any(|member| member.key.starts_with('@') || !member.value.as_str().is_some_and(is_namespace))
    };
    !entries.iter().any(|entry| entry.as_str().is_some_and(known)) && entries.iter().any(defines)
}

/// What `@context` says.
#[derive(Debug)]
pub(super) struct Context {
    pub(super) profile: Profile,
    prefixes: Vec<(String, String)>,
}

/// What the prefix of a key makes of it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key<'k> {
    /// A term, without a prefix or with one of ours.
    Term(&'k str),
    /// Somebody else's, under a declared prefix or as a whole IRI: carried, not read.
    Foreign,
    /// This prefix is not declared.
    Undeclared(&'k str),
}

impl Context {
    /// The context of a document that was expanded: nothing is declared, and every other IRI is somebody else's.
    #[cfg(feature = "json-ld")]
    pub(super) fn general() -> Self {
        Self { profile: Profile::General, prefixes: Vec::new() }
    }

    /// Reads the value of `@context`; `top` is the object that has it, or lacks it.
    pub(super) fn read(top: Node<'_>, value: Option<Node<'_>>, findings: &mut Findings) -> Self {
        let mut context = Self { profile: Profile::Legacy, prefixes: Vec::new() };
        let Some(value) = value else {
            let help = format!("write \"@context\": \"{NATIVE_CONTEXT}\"");
            findings.add(
                Code::MissingContext,
                top,
                "the document has no `@context`; it is read as an older one",
                Some(help),
            );
            return context;
        };
        let entries = value.items();
        if entries.len() > MAX_ENTRIES {
            let message = format!("`@context` has {} entries, and {MAX_ENTRIES} is the limit", entries.len());
            findings.add(Code::ContextEntry, value, message, Some("put all prefixes into one entry".into()));
            return context;
        }
        let mut known = 0;
        for entry in entries {
            match entry.value() {
                Value::String(url) if url.as_str() == NATIVE_CONTEXT => {
                    context.profile = Profile::Native;
                    known += 1;
                }
                Value::String(url) if SCHEMA_ORG.contains(&url.as_str()) => known += 1,
                Value::String(url) => unknown_context(entry, url, findings),
                Value::Object(_) => context.declare(entry, findings),
                _ => {
                    let message =
                        format!("an entry of `@context` is a URL or an object of prefixes, not {}", entry.kind());
                    findings.add(Code::ContextEntry, entry, message, None);
                }
            }
        }
        if known == 0 && !findings.has_errors() {
            let help = format!("add \"{NATIVE_CONTEXT}\"");
            findings.add(
                Code::MissingContext,
                value,
                "`@context` names no known context; the document is read as an older one",
                Some(help),
            );
        }
        context
    }

    fn declare(&mut self, entry: Node<'_>, findings: &mut Findings) {
        for member in entry.members() {
            let key = member.key;
            if key.starts_with('@') {
                let message = format!("`{key}` cannot be used in the `@context` of a stack");
                let help = "declare prefixes only, such as \"x\": \"https://example.org/x#\"";
                findings.add(Code::ContextEntry, &member, message, Some(help.into()));
                continue;
            }
            match member.value.as_str() {
                Some(iri) if is_namespace(iri) => self.prefixes.push((key.to_owned(), iri.to_owned())),
                _ => {
                    let message = format!("`{key}` must be the prefix of an absolute IRI that ends in `#` or `/`");
                    let help = format!("write \"{key}\": \"https://example.org/{key}#\"; terms cannot be defined here");
                    findings.add(Code::ContextEntry, Place::from(member.value), message, Some(help));
                }
            }
        }
    }

    /// Whether a type is one of schema.org's, or is named without a prefix in a document that takes its words from there.
    pub(super) fn is_of_schema_org(&self, name: &str) -> bool {
        const NAMESPACES: [&str; 2] = ["http://schema.org/", "https://schema.org/"];
        let Some((prefix, local)) = name.split_once(':') else { return true };
        if local.starts_with("//") {
            return NAMESPACES.iter().any(|namespace| name.starts_with(namespace));
        }
        match self.prefixes.iter().find(|(declared, _)| declared == prefix) {
            Some((_, iri)) => NAMESPACES.contains(&iri.as_str()),
            None => prefix == "schema",
        }
    }

    /// What a key means, by its prefix.
    pub(super) fn key<'k>(&self, key: &'k str) -> Key<'k> {
        let Some((prefix, local)) = key.split_once(':') else { return Key::Term(key) };
        if self.profile == Profile::General {
            return Key::Foreign;
        }
        // What is written whole needs no prefix.
        if local.starts_with("//") || prefix == "urn" {
            return OURS.iter().find_map(|iri| key.strip_prefix(iri)).map_or(Key::Foreign, Key::Term);
        }
        match self.prefixes.iter().find(|(declared, _)| declared == prefix) {
            Some((_, iri)) if OURS.contains(&iri.as_str()) => Key::Term(local),
            Some(_) => Key::Foreign,
            None if KNOWN_PREFIXES.contains(&prefix) => Key::Term(local),
            None => Key::Undeclared(prefix),
        }
    }
}

fn unknown_context(entry: Node<'_>, url: &str, findings: &mut Findings) {
    let known = [NATIVE_CONTEXT, SCHEMA_ORG[0]];
    let near = suggest::nearest(url, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
    let help = format!("{near}known contexts: {}", suggest::list(known));
    let message = format!("`{url}` is no context that is built in, and none is ever downloaded");
    findings.add(Code::UnknownContext, entry, message, Some(help));
}

/// Whether a text is an absolute IRI under which terms can be named.
fn is_namespace(iri: &str) -> bool {
    let scheme = iri.split_once(':').map(|(scheme, rest)| (scheme, !rest.is_empty()));
    let absolute = scheme.is_some_and(|(scheme, rest)| {
        rest && scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
    });
    absolute && iri.ends_with(['#', '/']) && !iri.contains(char::is_whitespace)
}
