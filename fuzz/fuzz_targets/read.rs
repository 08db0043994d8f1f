//! Whatever the bytes are, reading them ends, and what it says of them holds.
#![no_main]

use graphium_core::{
    diagnostic::{Diagnostic, Property, Severity, Subject},
    document::{PROCESSOR_THREAD, Profile, ReadContext, Reading, locate, read},
    stack::Stack,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: contain(), |bytes: &[u8]| {
    let set = |name: &str| Some(name.to_ascii_lowercase());
    for context in [ReadContext::default(), ReadContext::new(&set)] {
        match read(bytes, &context) {
            Ok(reading) => {
                check(bytes, &reading.notes);
                check_places(bytes, &context, &reading);
                assert!(reading.notes.iter().all(|note| note.severity != Severity::Error), "{:#?}", reading.notes);
                let stored = serde_json::to_string(&reading.stack).expect("a stack can be stored");
                let again: Stack = serde_json::from_str(&stored).expect("a stored stack can be read");
                assert_eq!(again, reading.stack);
            }
            Err(mistakes) => {
                check(bytes, &mistakes);
                assert!(mistakes.iter().any(|found| found.severity == Severity::Error), "{mistakes:#?}");
            }
        }
    }
});

/// Every finding names a place of the document, and they come in the order of the text.
fn check(bytes: &[u8], found: &[Diagnostic]) {
    let places: Vec<_> = found.iter().map(|found| (found.line, found.column)).collect();
    assert!(places.is_sorted(), "{found:#?}");
    let lines = bytes.split(|byte| *byte == b'\n').count();
    assert!(found.iter().all(|found| (1..=lines).contains(&(found.line as usize)) && found.column > 0), "{found:#?}");
    assert!(found.iter().all(|found| !found.message.is_empty() && found.length > 0), "{found:#?}");
    // A key that is there twice has one value here, and pointers may name the other.
    let twice = found.iter().any(|found| found.code == "duplicate-key");
    if let Ok(document) = serde_json::from_slice::<serde_json::Value>(bytes).map_err(drop)
        && !twice
    {
        let nowhere = found.iter().find(|found| document.pointer(&found.pointer).is_none());
        assert!(nowhere.is_none(), "{nowhere:#?}");
    }
}

/// What a planner may say of the stack has its place, too.
fn check_places(bytes: &[u8], context: &ReadContext<'_>, reading: &Reading) {
    let about = |subject| Diagnostic::error("x", "", "x").about(subject);
    let containers =
        reading.stack.containers.iter().take(8).map(|container| Subject::container(container.name.as_str()));
    let subjects = containers.flat_map(|subject| [subject.clone().property(Property::Host), subject]);
    let mut found: Vec<Diagnostic> = subjects.chain([Subject::stack()]).map(about).collect();
    locate(bytes, context, &mut found);
    if reading.profile == Profile::General {
        // Expanding it once more may have taken too long.
        found.retain(|found| found.line > 0);
    }
    found.sort_by_key(|found| (found.line, found.column));
    check(bytes, &found);
}

/// Panics of the JSON-LD processor end a thread of its own, and the reader answers for them; all others are found.
fn contain() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(PROCESSOR_THREAD) {
            abort(panic);
        }
    }));
}
