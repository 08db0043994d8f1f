//! A document, written in the native form. One of the general profile is first expanded into the canonical document
//! that it amounts to (`general`), and that is rewritten.
//!
//! It is rewritten node by node with the table that the reader has, not written from what was read: variables stay as
//! they are and need not be set, and so does everything that is carried and not read. That nothing is lost is not only
//! meant: the new document is read again, and refused where it does not read to the same stack. Where the old one reads
//! with no values that were tried for its variables, a warning says that nothing was compared.

mod forms;
mod graph;
mod json;
mod mask;
mod parts;
mod rewriter;
mod trial;

use super::{
    ReadContext, code::Code, findings::Findings, findings::Place, guard, node::Node, profile, profile::Context,
    profile::Profile, profile::SCHEMA_KEY, reader::Reader, syntax,
};
use crate::diagnostic::Diagnostic;
use rewriter::Rewriter;
use trial::Comparison;

/// A document in the native form.
///
/// # Example
/// ```
/// use graphium_core::document::{Formatted, Profile, format};
///
/// let older = r#"{"@type": "SoftwareApplication", "name": "shop",
///   "hasPart": [{"@type": "SoftwareApplication", "name": "web", "image": "nginx:alpine"}]}"#;
/// let formatted: Formatted = format(older).unwrap();
/// assert_eq!(formatted.profile, Profile::Legacy);
/// assert_eq!(format(&formatted.text).unwrap().text, formatted.text, "formatting it again changes nothing");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Formatted {
    /// The whole text, its last line ended.
    pub text: String,
    /// The profile that the document had.
    pub profile: Profile,
    /// What could not be kept, and what was assumed of variables; places are those of the old text.
    pub notes: Vec<Diagnostic>,
}

/// Writes a document in the native form: canonical keys and values in the order of the format, variables untouched.
///
/// The result reads to the same stack, whatever the variables are, and formatting it again changes nothing.
///
/// ```
/// let older = r#"{"@context": "https://schema.org", "@type": "ItemList", "name": "shop", "itemListElement": [
///   {"@type": "SoftwareApplication", "name": "web", "executableName": "nginx:${TAG}", "containerPort": 80}]}"#;
/// let native = graphium_core::document::format(older).unwrap();
/// assert!(native.text.contains(r#""image": "nginx:${TAG}""#));
/// assert!(native.text.contains(r#"{ "containerPort": 80 }"#));
/// ```
///
/// # Errors
///
/// Everything that is wrong with the document whatever its variables are, or what about it cannot be rewritten. Without
/// the feature `json-ld` that is every document of the general profile.
pub fn format(source: impl AsRef<[u8]>) -> Result<Formatted, Vec<Diagnostic>> {
    let text = super::admit(source.as_ref())?;
    let (value, map) = syntax::parse(text).map_err(|findings| findings.into_diagnostics(text, None))?;
    let root = Node::root(&value, &map);
    let top = root.get("stackDefinition").unwrap_or(root);
    let (written, findings) = match profile::is_general(top) {
        true => general(root, top),
        false => write(text, root),
    };
    let failed = findings.has_errors();
    let notes = findings.into_diagnostics(text, Some(root));
    match written {
        Some((profile, text)) if !failed => Ok(Formatted { text, profile, notes }),
        _ => Err(notes),
    }
}

#[cfg(feature = "json-ld")]
fn general(root: Node<'_>, top: Node<'_>) -> (Option<(Profile, String)>, Findings) {
    let (written, findings) = super::general::format(root, top);
    (written.map(|text| (Profile::General, text)), findings)
}

#[cfg(not(feature = "json-ld"))]
fn general(root: Node<'_>, top: Node<'_>) -> (Option<(Profile, String)>, Findings) {
    let (_, findings) = super::general(root, top, &ReadContext::default(), Findings::default());
    (None, findings)
}

/// Rewrites a native or legacy document; `text` is all of it.
pub(super) fn write(text: &str, root: Node<'_>) -> (Option<(Profile, String)>, Findings) {
    let trials = trial::trials(text);
    let mut findings = trial::mistakes(root, &trials);
    if findings.has_errors() {
        return (None, findings);
    }
    let (profile, formatted) = rewrite(root, &mut findings);
    // The native form says some things with more values, and a document that cannot be read again is none.
    if let Err(refusal) = guard::admit(formatted.as_bytes()) {
        let message = format!("in the native form {}", refusal.message);
        findings.add(refusal.code, Place::from(root), message, Some(refusal.code.fix().to_owned()));
    }
    if findings.has_errors() {
        return (None, findings);
    }
    match trial::compare(root, &formatted, &trials) {
        Comparison::Same => {}
        Comparison::Different => {
            let message = "this document cannot be written in the native form without changing what it says";
            let help = "this is a shortcoming of the formatter: please report it, with the document";
            findings.add(Code::NotRewritable, root.get("@context").unwrap_or(root), message, Some(help.to_owned()));
        }
        Comparison::Impossible => {
            let message = "the document reads with none of the values that were tried for its variables, \
                so the native form was not compared with it";
            let help = "compare the two, or give the variables defaults with `${NAME:-default}`";
            findings.add(Code::NotCompared, root, message, Some(help.to_owned()));
        }
    }
    (Some((profile, formatted)), findings)
}

fn rewrite(root: Node<'_>, findings: &mut Findings) -> (Profile, String) {
    let top = root.get("stackDefinition").unwrap_or(root);
    let environment = ReadContext::default();
    let mut unheard = Findings::default();
    let context = Context::read(top, top.get("@context").or_else(|| root.get("@context")), &mut unheard);
    let profile = context.profile;
    let tops = vec![root.index(), top.index()];
    let reader = Reader::new(context, &environment, unheard, tops);
    let mut rewriter = Rewriter { reader, problems: std::mem::take(findings) };
    let mut document = rewriter.document(root);
    if let (json::Json::Object(members), Some(schema)) = (&mut document, root.get(SCHEMA_KEY)) {
        members.push_first(SCHEMA_KEY, json::Json::of(schema));
    }
    *findings = rewriter.problems;
    (profile, json::print(&document))
}
