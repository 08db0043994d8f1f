//! Expansion by the `json-ld` crate; no other file names it.
//!
//! The crate recurses once per level of a document and once per link of a chain of prefixes, with frames of many
//! kilobytes in debug builds: it runs on a thread of its own. Its futures wait for nothing but the loader, and ours
//! answers at once, so that one poll is the whole of it.

use super::super::{NATIVE_CONTEXT, NATIVE_CONTEXT_DOCUMENT, PROCESSOR_THREAD};
use super::permits::Permits;
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
/// Threads at a time, those included that nobody waits for any more: each has a large stack, and a core to itself.
static THREADS: Permits = Permits::new(2);
/// How long a document waits for its turn. Debug builds are many times slower than what is served with.
const TURN: Duration = Duration::from_secs(if cfg!(debug_assertions) { 50 } else { 5 });

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
    /// Other documents are being expanded.
    Busy,
}

/// The documents in expanded form, one after the other, up to the first that has none.
pub(super) fn expand(documents: Vec<Value>) -> impl Iterator<Item = Result<Value, Failure>> {
    let mut left = documents.len();
    let mut started = start(&THREADS, TURN, documents);
    std::iter::from_fn(move || {
        left = left.checked_sub(1)?;
        let expanded = match &mut started {
            Ok(receiver) => match receiver.recv_timeout(PATIENCE) {
                Ok(expanded) => expanded,
                Err(mpsc::RecvTimeoutError::Timeout) => Err(Failure::Late),
                Err(mpsc::RecvTimeoutError::Disconnected) => Err(Failure::Broken),
            },
            Err(failure) => Err(std::mem::replace(failure, Failure::Broken)),
        };
        if expanded.is_err() {
            left = 0;
        }
        Some(expanded)
    })
}

/// Starts a thread that expands the documents.
fn start(
    threads: &'static Permits,
    turn: Duration,
    documents: Vec<Value>,
) -> Result<mpsc::Receiver<Result<Value, Failure>>, Failure> {
    let permit = threads.take(turn).ok_or(Failure::Busy)?;
    let (sender, receiver) = mpsc::channel();
    let work = move || {
        // Held until the thread ends, whether anybody still waits for it or not.
        let _permit = permit;
        for document in documents {
            let expanded = expand_here(&document);
            let is_last = expanded.is_err();
            // Nobody listens any more when it took too long.
            if sender.send(expanded).is_err() || is_last {
                return;
            }
        }
    };
    let thread = thread::Builder::new().name(PROCESSOR_THREAD.to_owned()).stack_size(STACK_BYTES).spawn(work);
    thread.map(|_| receiver).map_err(|_| Failure::Broken)
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

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        Value::parse_str(text).unwrap().0
    }

    #[test]
    fn nothing_is_expanded_after_a_failure() {
        let documents = vec![parsed(r#"{"@id": 1}"#), parsed("{}")];
        let mut expansions = expand(documents.clone());
        assert!(matches!(expansions.next(), Some(Err(Failure::Unsound(_)))));
        assert!(expansions.next().is_none());
        // Nor by the thread itself.
        static ONE: Permits = Permits::new(1);
        assert_eq!(start(&ONE, TURN, documents).unwrap().iter().count(), 1);
    }

    #[test]
    fn who_gets_no_turn_is_told_so() {
        static ONE: Permits = Permits::new(1);
        let permit = ONE.take(Duration::ZERO);
        assert!(permit.is_some());
        assert!(matches!(start(&ONE, Duration::from_millis(10), vec![parsed("{}")]), Err(Failure::Busy)));
        drop(permit);
        let receiver = start(&ONE, TURN, vec![parsed("{}")]).unwrap();
        assert!(receiver.iter().next().unwrap().is_ok());
    }
}
