//! From the bytes of a document to a [`Stack`], or to everything that is wrong with it.
//!
//! ```
//! use graphium_core::document::{ReadContext, read};
//!
//! let source = r#"{
//!   "@context": "https://graphium.io/context/v1.jsonld",
//!   "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
//!   "hasPart": [{"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx:${TAG}"}]
//! }"#;
//! let mistakes = read(source, &ReadContext::default()).unwrap_err();
//! assert_eq!(mistakes[0].message, "the variable `TAG` is not set");
//!
//! let variables = |name: &str| (name == "TAG").then(|| "1.27".to_owned());
//! let reading = read(source, &ReadContext::new(&variables)).unwrap();
//! assert_eq!(reading.stack.containers[0].image, "nginx:1.27");
//! ```
//!
//! The way of a document: `guard` bounds it, `syntax` parses it, `profile` reads its `@context`, `schema` says
//! which keys each object may have, `read` makes the stack of them, `check` looks at the whole. Then the planner is asked
//! what it would refuse whatever hosts there are ([`plan::contradictions`]), so that nothing is valid that can never be
//! deployed.
//! `rewrite` goes the same way and writes the native form of what it has seen, whatever the profile.
//! `locate` goes the same way once more where somebody else, as the planner, has found something.
//! Nothing here asks a network or an environment, and no document makes it panic.
//!
//! # Three profiles
//!
//! *Native* documents name our own context ([`NATIVE_CONTEXT`]), *legacy* ones schema.org's or none: both are read as
//! they are written. Any other JSON-LD is of the *general* profile and needs the feature `json-ld` of this crate:
//! terms of its own, the expanded and the flattened form, nodes spread over `@graph` and linked by `@id`. Such a
//! document is expanded (on a thread of its own, in bounded time, with no context but its own and ours), and what it
//! says in our vocabulary is written down canonically and read as a native document is: all rules are the same.
//!
//! Findings about a general document name the node and the property. Their line and column are those of the
//! source where the value can be found there again: an object always can, unless it stands in a map of JSON-LD
//! (`@container` of `@index`, `@id`, `@type` or `@language`); a string, number or flag where it is written as it was
//! understood; otherwise they are those of the object around it, or of the whole.
//! What JSON-LD calls unordered is put in [one order](Stack::canonical), as in every profile. Properties of other vocabularies are carried as
//! annotations under their whole IRIs, with as much as the source nests in them; a general document that has a
//! condition on a dependency must say it where the dependency is, or let nobody else wait for that container.

mod check;
mod code;
mod findings;
#[cfg(feature = "json-ld")]
mod general;
mod guard;
mod image;
mod json_schema;
mod locate;
mod mapping;
mod names;
mod node;
mod object;
mod profile;
mod read;
mod reader;
mod repair;
mod rewrite;
mod same;
mod scalar;
mod schema;
mod several;
mod signals;
mod syntax;
#[cfg(test)]
mod table_tests;
mod units;
mod variables;
#[cfg(any(test, feature = "json-ld"))]
mod vocabulary;
mod words;

pub use code::Code;
pub use json_schema::json_schema;
pub use locate::locate;
pub use profile::{NATIVE_CONTEXT, NATIVE_CONTEXT_DOCUMENT, Profile};
pub use rewrite::{Formatted, format};

use crate::{
    diagnostic::Diagnostic,
    plan,
    stack::{OnDrift, Stack},
    suggest,
};
use findings::{Findings, Place};
use std::{fmt, time::Duration};

/// The name of the threads that the JSON-LD processor runs on. What panics there is answered for in diagnostics: a
/// program's panic hook may leave it out.
pub const PROCESSOR_THREAD: &str = "json-ld";

/// What a document is read with: everything that is not in its text.
#[derive(Clone, Copy)]
pub struct ReadContext<'a> {
    variables: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> ReadContext<'a> {
    /// Resolves `${NAME}` with `variables`; `None` is a variable that is not set.
    pub fn new(variables: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { variables }
    }
}

impl Default for ReadContext<'_> {
    /// No variable is set.
    fn default() -> Self {
        Self::new(&|_| None)
    }
}

impl fmt::Debug for ReadContext<'_> {
    /// Without the variables: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReadContext").finish_non_exhaustive()
    }
}

/// A document that was accepted.
///
/// # Example
/// ```
/// use graphium_core::document::{DeployOptions, Profile, ReadContext, Reading, read};
/// use std::time::Duration;
///
/// // The stack alone, or a request around it.
/// let source = r#"{
///   "stackDefinition": {
///     "@context": "https://schema.org", "@type": "SoftwareApplication", "name": "shop",
///     "hasPart": [{"@type": "SoftwareApplication", "name": "web", "image": "nginx:alpine"}]
///   },
///   "timeout": 600, "rollbackOnError": true
/// }"#;
/// let reading: Reading = read(source, &ReadContext::default()).unwrap();
/// assert_eq!(reading.profile, Profile::Legacy);
/// assert_eq!(reading.stack.id, "stack:shop");
/// let options: DeployOptions = reading.options;
/// assert_eq!((options.timeout, options.rollback_on_error), (Some(Duration::from_secs(600)), Some(true)));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// The stack that it describes.
    pub stack: Stack,
    /// How it was recognised.
    pub profile: Profile,
    /// Warnings and notes, in the order of the text.
    pub notes: Vec<Diagnostic>,
    /// What the request around the document asks for.
    pub options: DeployOptions,
}

/// What a request asks for beside its stack: `{stackDefinition, timeout, rollbackOnError, onDrift, rescheduleAfter, pullImages}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeployOptions {
    /// How long the deployment may take.
    pub timeout: Option<Duration>,
    /// Whether a failure takes the stack back to where it was.
    pub rollback_on_error: Option<bool>,
    /// What follows from then on when a container does not run that should.
    pub on_drift: Option<OnDrift>,
    /// How long after a host has gone offline what ran there is placed elsewhere from then on; zero: never.
    pub reschedule_after: Option<Duration>,
    /// Whether images are pulled even where a host has them.
    pub pull_images: Option<bool>,
}

/// Reads a document.
///
/// # Errors
///
/// Everything that is wrong with it, and the notes beside that, in the order of the text. At least one is an error. Of a
/// document that says what it means, that is also what no planner can make true on any host.
///
/// # Example
/// All mistakes come at once, each with its code and its place.
/// ```
/// use graphium_core::document::{Code, ReadContext, read};
///
/// let source = r#"{
///   "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "name": "shop",
///   "hasPart": [
///     {"@type": "datacenter:Container", "name": "web", "image": "nginx", "dependsOn": ["dbb"]},
///     {"@type": "datacenter:Container", "name": "db", "imagee": "postgres:15"}
///   ]
/// }"#;
/// let mistakes = read(source, &ReadContext::default()).unwrap_err();
/// let unknown = mistakes.iter().find(|found| found.code == Code::UnknownKey.as_str()).unwrap();
/// assert_eq!((unknown.line, unknown.pointer.as_str()), (5, "/hasPart/1/imagee"));
/// assert_eq!(unknown.suggestion(), Some("did you mean `image`?"));
/// assert!(mistakes.iter().any(|found| found.line == 4 && found.message.contains("dbb")), "{mistakes:?}");
/// ```
pub fn read(source: impl AsRef<[u8]>, context: &ReadContext<'_>) -> Result<Reading, Vec<Diagnostic>> {
    let text = admit(source.as_ref())?;
    let (value, map) = syntax::parse(text).map_err(|findings| findings.into_diagnostics(text, None))?;
    let root = node::Node::root(&value, &map);
    let mut findings = Findings::default();
    syntax::inspect(root, &mut findings);
    let top = root.get("stackDefinition").unwrap_or(root);
    let (document, findings) = match profile::is_general(top) {
        true => general(root, top, context, findings),
        false => read::document(root, context, findings),
    };
    let failed = findings.has_errors();
    let mut diagnostics = findings.into_diagnostics(text, Some(root));
    match document {
        Some(read::Document { stack, profile, options }) if !failed => {
            let mut contradictions = plan::contradictions(&stack);
            if contradictions.is_empty() {
                return Ok(Reading { stack, profile, notes: diagnostics, options });
            }
            locate(text, context, &mut contradictions);
            diagnostics.extend(contradictions);
            diagnostics.sort_by_key(|found| (found.line, found.column));
            Err(diagnostics)
        }
        _ => Err(diagnostics),
    }
}

fn admit(bytes: &[u8]) -> Result<&str, Vec<Diagnostic>> {
    guard::admit(bytes).map_err(|refusal| {
        // What is not text up to its end is shown up to the byte that breaks it.
        let sound = bytes.get(..refusal.at).and_then(|before| std::str::from_utf8(before).ok()).unwrap_or_default();
        let mut findings = Findings::default();
        let place = Place::bytes(refusal.at..refusal.at + 1);
        findings.add(refusal.code, place, refusal.message, Some(refusal.code.fix().to_owned()));
        findings.into_diagnostics(sound, None)
    })
}

#[cfg(feature = "json-ld")]
use general::document as general;

/// Without the feature there is nobody who could expand the document.
#[cfg(not(feature = "json-ld"))]
fn general(
    _: node::Node<'_>,
    top: node::Node<'_>,
    _: &ReadContext<'_>,
    mut findings: Findings,
) -> (Option<read::Document>, Findings) {
    let message = "this JSON-LD has to be expanded, and this build of Graphium lacks the feature `json-ld`";
    let help =
        format!("build with `--features json-ld`, or write the document with \"@context\": \"{NATIVE_CONTEXT}\"");
    findings.add(Code::NeedsJsonLd, top.get("@context").unwrap_or(top), message, Some(help));
    (None, findings)
}
