//! Whatever is formatted says the same as before, and is in the native form then.
#![no_main]

use graphium_core::document::{PROCESSOR_THREAD, Profile, ReadContext, format, read};
use libfuzzer_sys::fuzz_target;

/// Why a document that can be read is not formatted: it says so where, and what to do.
const REASONS: [&str; 7] =
    ["undeclared-prefix", "not-rewritable", "too-large", "too-deep", "too-many-nodes", "too-costly", "busy"];

fuzz_target!(init: contain(), |bytes: &[u8]| {
    let set = |name: &str| Some(format!("{}80", name.to_ascii_lowercase()));
    let contexts = [ReadContext::default(), ReadContext::new(&set)];
    let new = match format(bytes) {
        Ok(new) => new,
        Err(mistakes) => {
            assert!(!mistakes.iter().any(|found| found.message.contains("without changing what it says")));
            let varies = bytes.windows(2).any(|two| two == b"${");
            let has_reason = mistakes.iter().any(|found| REASONS.contains(&found.code.as_ref()));
            if !varies && !has_reason {
                assert!(read(bytes, &contexts[0]).is_err(), "read and not formatted: {mistakes:#?}");
            }
            return;
        }
    };
    for context in contexts {
        let Ok(before) = read(bytes, &context) else { continue };
        let after = read(&new.text, &context).unwrap_or_else(|mistakes| panic!("{}\n{mistakes:#?}", new.text));
        assert_eq!(after.profile, Profile::Native, "{}", new.text);
        assert_eq!((&after.stack, &after.options), (&before.stack, &before.options), "{}", new.text);
    }
    let again = format(&new.text).unwrap_or_else(|mistakes| panic!("{}\n{mistakes:#?}", new.text));
    assert_eq!(again.text, new.text);
    let left_out = again.notes.iter().any(|note| note.code == "left-out");
    assert!(!left_out, "{}\n{:#?}", new.text, again.notes);
});

/// Panics of the JSON-LD processor end a thread of its own, and the reader answers for them; all others are found.
fn contain() {
    let abort = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if std::thread::current().name() != Some(PROCESSOR_THREAD) {
            abort(panic);
        }
    }));
}
