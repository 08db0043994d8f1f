//! The places of findings that somebody has made who never saw the document.

use super::{ReadContext, admit, findings, findings::Place, node::Node, profile, read, syntax};
use crate::diagnostic::{Diagnostic, Subject};

/// Gives the findings of a planner their places in the document that the stack was read from.
///
/// Those that have a place, or no [`subject`](Diagnostic::subject), stay as they are. The document is gone through again,
/// with the variables that it was read with, so that nobody has to keep places who may never be asked for them. A property
/// that is not written is shown by its container, and what belongs to no container by the stack. Where places were to be
/// found, all are put in the order of the text afterwards; what has no place comes last.
///
/// ```
/// use graphium_core::{document::{ReadContext, locate, read}, inventory::Inventory, plan::{self, Options}};
///
/// let source = r#"{
///   "@context": "https://graphium.io/context/v1.jsonld",
///   "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
///   "hasPart": [{"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "nginx",
///                "locatedInHost": "vm9"}]
/// }"#;
/// let stack = read(source, &ReadContext::default()).unwrap().stack;
/// let mut errors = plan::plan(&stack, None, &Inventory::default(), &Options::default()).unwrap_err();
/// locate(source, &ReadContext::default(), &mut errors);
/// assert_eq!((errors[0].line, errors[0].column), (5, 33));
/// assert_eq!(errors[0].pointer, "/hasPart/0/locatedInHost");
/// ```
pub fn locate(source: impl AsRef<[u8]>, context: &ReadContext<'_>, diagnostics: &mut [Diagnostic]) {
    let (mut open, mut subjects) = (Vec::new(), Vec::new());
    for diagnostic in diagnostics.iter_mut().filter(|found| found.line == 0) {
        if let Some(subject) = diagnostic.subject.clone() {
            subjects.push(*subject);
            open.push(diagnostic);
        }
    }
    if open.is_empty() {
        return;
    }
    let Ok(text) = admit(source.as_ref()) else { return };
    let Ok((value, map)) = syntax::parse(text) else { return };
    let root = Node::root(&value, &map);
    let places = places(root, context, &subjects.iter().collect::<Vec<_>>());
    let placed = open.into_iter().zip(places).filter_map(|(diagnostic, place)| Some((diagnostic, place?)));
    findings::settle(text, root, placed.collect());
    diagnostics.sort_by_key(|found| (found.line == 0, found.line, found.column));
}

fn places(root: Node<'_>, environment: &ReadContext<'_>, subjects: &[&Subject]) -> Vec<Option<Place>> {
    let top = root.get("stackDefinition").unwrap_or(root);
    if profile::is_general(top) {
        return general(root, top, environment, subjects);
    }
    let context = read::context(root, top, &mut findings::Findings::default());
    read::places(context, root, environment, subjects)
}

#[cfg(feature = "json-ld")]
use super::general::places as general;

/// What cannot be expanded cannot have been read, either.
#[cfg(not(feature = "json-ld"))]
fn general(_: Node<'_>, _: Node<'_>, _: &ReadContext<'_>, _: &[&Subject]) -> Vec<Option<Place>> {
    Vec::new()
}
