//! Expansion by the `json-ld` crate; no other file names it.
//!
//! The crate recurses once per level of a document and once per link of a chain of prefixes, with frames of many
//! kilobytes in debug builds: it runs on a thread of its own. Its futures wait for nothing but the loader, and ours
//! answers at once, so that one poll is the whole of it.

use super::super::{NATIVE_CONTEXT, NATIVE_CONTEXT_DOCUMENT};
use futures::FutureExt as _;
use json_ld::syntax::{IntoJsonWithContext as _, Parse as _};
use json_ld::{
    Context, Expand as _, IriBuf, RemoteDocument, Term, expansion, rdf_types::vocabulary::no_vocabulary_mut,
};
use json_syntax::Value;
use std::{collections::HashMap, sync::mpsc, thread, time::Duration};

/// Levels of nesting and links of chains are bounded before; this is several times what the bounds need.
const STACK_BYTES: usize = 256 * 1024 * 1024;
/// What the guards let through takes seconds in a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Keys that a document does not define stand under this IRI: JSON-LD would drop them without a word.
pub(super) const UNDEFINED: &str = "https://graphium.io/vocab/undefined#";

/// Why there is no expansion.
#[derive(Debug)]
pub(super) enum Failure {
    /// The document is no sound JSON-LD.
    Unsound(String),
    /// It took too long.
    Late,
    /// The crate gave up, or no thread could be had.
    Broken,
}

/// The documents in expanded form, each or why not.
pub(super) fn expand(documents: Vec<Value>) -> Vec<Result<Value, Failure>> {
    let count = documents.len();
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        for document in documents {
            let expanded = expand_here(&document);
            // Nobody listens any more when it took too long.
            if sender.send(expanded).is_err() {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name("json-ld".to_owned()).stack_size(STACK_BYTES).spawn(work);
    (0..count)
        .map(|_| match (&thread, receiver.recv_timeout(PATIENCE)) {
            (Ok(_), Ok(expanded)) => expanded,
            (Ok(_), Err(mpsc::RecvTimeoutError::Timeout)) => Err(Failure::Late),
            _ => Err(Failure::Broken),
        })
        .collect()
}

fn expand_here(document: &Value) -> Result<Value, Failure> {
    let iri = |text: &str| IriBuf::new(text.to_owned()).map_err(|_| Failure::Broken);
    let (native, _) = Value::parse_str(NATIVE_CONTEXT_DOCUMENT).map_err(|_| Failure::Broken)?;
    let url = iri(NATIVE_CONTEXT)?;
    // The one loader there is: what is not in this map does not exist.
    let loader = HashMap::from([(url.clone(), RemoteDocument::new(Some(url), None, native))]);
    let mut context = Context::new(None);
    context.set_vocabulary(Some(Term::from(iri(UNDEFINED)?)));
    let options = expansion::Options::default();
    let expansion = document.expand_full(no_vocabulary_mut(), context, None, &loader, options, ());
    match expansion.now_or_never() {
        Some(Ok(expanded)) => Ok(expanded.into_objects().into_json_with(&())),
        Some(Err(error)) => Err(Failure::Unsound(describe(&error))),
        None => Err(Failure::Broken),
    }
}

/// The error as a sentence of ours: lower case, without full stop.
fn describe(error: &expansion::Error) -> String {
    let text = error.to_string();
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_lowercase().collect::<String>()).unwrap_or_default();
    first + characters.as_str().trim_end_matches('.')
}
