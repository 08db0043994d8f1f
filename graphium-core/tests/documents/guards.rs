//! Hostile input is refused in bounded time, and never a crash.

use graphium_core::document::{ReadContext, read};
use proptest::prelude::*;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

fn codes(source: impl AsRef<[u8]>) -> Vec<String> {
    let begun = Instant::now();
    let mistakes = read(source, &ReadContext::default()).unwrap_err();
    // Generous for debug builds on busy machines; what is quadratic takes minutes.
    assert!(begun.elapsed() < Duration::from_secs(20), "took {:?}", begun.elapsed());
    assert!(mistakes.iter().any(|mistake| mistake.is_error()));
    mistakes.into_iter().map(|mistake| mistake.code.into_owned()).collect()
}

#[test]
fn size_depth_and_number_are_bounded() {
    assert_eq!(codes(vec![b' '; 8 * 1024 * 1024 + 1]), ["too-large"]);
    assert_eq!(codes("[".repeat(33)), ["too-deep"]);
    assert_eq!(codes("{\"a\":".repeat(1_000_000)), ["too-deep"]);
    let keys: Vec<String> = (0..200_000).map(|number| format!("\"k{number}\":{number}")).collect();
    assert_eq!(codes(format!("{{{}}}", keys.join(","))), ["too-many-nodes"]);
}

#[test]
fn what_is_not_text_is_refused_in_its_place() {
    let mistakes = read(b"{\n \"\xff\"}", &ReadContext::default()).unwrap_err();
    assert_eq!((mistakes[0].code.as_ref(), mistakes[0].line, mistakes[0].column), ("invalid-utf8", 2, 3));
    assert_eq!(codes("{\0}"), ["nul-character"]);
    assert_eq!(codes(""), ["syntax"]);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_text() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/stacks/simple-nginx.json");
    let marked = format!("\u{feff}{}", fs::read_to_string(path).unwrap());
    assert!(read(marked, &ReadContext::default()).is_ok());
}

#[test]
fn a_flood_of_mistakes_is_cut_and_counted() {
    let keys: Vec<String> = (0..99_000).map(|number| format!("\"dependsOm{number}\":0")).collect();
    let source = format!("{{\"@context\":\"https://schema.org\",\"@type\":\"Stack\",{}}}", keys.join(","));
    let found = read(source, &ReadContext::default()).unwrap_err();
    assert!(found.len() < 1_010, "{}", found.len());
    let more = found.last().unwrap();
    // Beside the keys there are a missing name and missing containers.
    assert_eq!((&*more.code, &*more.message), ("more-mistakes", "98002 more mistakes are not shown"));
}

#[test]
fn the_same_key_many_times_is_refused_in_bounded_time() {
    let codes = codes(format!("{{{}\"a\":0}}", "\"a\":0,".repeat(99_000)));
    assert!(codes.contains(&"duplicate-key".to_owned()));
}

#[test]
fn a_long_chain_and_a_wide_knot_are_no_trouble() {
    let container = |number: usize, on: &str| {
        format!("{{\"@id\":\"c{number}\",\"name\":\"n{number}\",\"image\":\"i\",\"dependsOn\":[{on}]}}")
    };
    let ring: Vec<String> = (0..10_000).map(|n| container(n, &format!("\"n{}\"", (n + 1) % 10_000))).collect();
    let stack = |parts: &[String]| {
        format!(
            "{{\"@context\":\"https://schema.org\",\"@type\":\"Stack\",\"name\":\"s\",\"hasPart\":[{}]}}",
            parts.join(",")
        )
    };
    assert!(codes(stack(&ring)).contains(&"dependency-cycle".to_owned()));
    let all: Vec<String> = (0..300).map(|number| format!("\"n{number}\"")).collect();
    let knot: Vec<String> = (0..300).map(|number| container(number, &all.join(","))).collect();
    assert!(codes(stack(&knot)).contains(&"dependency-cycle".to_owned()));
}

/// Containers `n0`, `n1` … that wait for those of these numbers.
fn waiting(waits: &[Vec<usize>]) -> String {
    let containers: Vec<String> = waits
        .iter()
        .enumerate()
        .map(|(number, on)| {
            let on: Vec<String> = on.iter().map(|on| format!("\n\"n{on}\"")).collect();
            format!("{{\"name\":\"n{number}\",\"image\":\"i\",\"dependsOn\":[{}]}}", on.join(","))
        })
        .collect();
    format!(
        "{{\"@context\":\"https://schema.org\",\"@type\":\"Stack\",\"name\":\"s\",\"hasPart\":[{}]}}",
        containers.join(",")
    )
}

#[test]
fn circles_that_overlap_are_told_at_once() {
    let found = read(waiting(&[vec![1], vec![0, 2], vec![1, 3], vec![2, 3]]), &ReadContext::default()).unwrap_err();
    let told: Vec<&str> = found.iter().filter(|one| one.is_error()).map(|one| one.message.as_str()).collect();
    let circle = "containers wait for each other in a circle:";
    assert_eq!(
        told,
        [
            &*format!("{circle} `n0` → `n1` → `n0`"),
            &*format!("{circle} `n1` → `n2` → `n1`"),
            &*format!("{circle} `n2` → `n3` → `n2`"),
            "container `n3` waits for itself",
        ]
    );
}

#[test]
fn no_message_repeats_a_long_value() {
    let long = "a ".repeat(500_000);
    for members in [
        format!("\"image\": \"{long}\""),
        format!("\"image\": \"i\", \"{long}\": 1"),
        format!("\"image\": \"i\", \"restartPolicy\": \"{long}\", \"dependsOn\": \"{long}\""),
        format!("\"image\": \"i\", \"locatedInHost\": \"{long}\", \"ports\": [{{\"containerPort\": \"{long}\"}}]"),
    ] {
        let source = format!(
            "{{\"@context\":\"https://graphium.io/context/v1.jsonld\",\"@type\":\"Stack\",\"@id\":\"s\",\"name\":\"{long}\",\"hasPart\":\
             [{{\"@type\":\"Container\",\"@id\":\"c\",\"name\":\"c\",{members}}}]}}"
        );
        let found = read(source, &ReadContext::default()).unwrap_err();
        for one in &found {
            let length = one.message.len() + one.help.as_deref().map_or(0, str::len);
            assert!(length < 2_000, "{} has {length} bytes", one.code);
        }
    }
}

#[test]
fn variables_cannot_make_a_document_large() {
    let large = |_: &str| Some("x".repeat(1024 * 1024));
    let words = vec!["\"${X}\""; 20].join(",");
    let source = format!(
        "{{\"@context\":\"https://schema.org\",\"@type\":\"Stack\",\"name\":\"s\",\"hasPart\":[{{\"name\":\"c\",\"image\":\"i\",\"command\":[{words}]}}]}}"
    );
    let mistakes = read(source, &ReadContext::new(&large)).unwrap_err();
    assert!(mistakes.iter().any(|mistake| mistake.code == "too-large"));
}

#[test]
fn numbers_without_bound_are_refused() {
    for number in ["1e999", "-1e999", "123456789012345678901234567890", "1e25"] {
        assert!(
            codes(format!("{{\"@context\":\"https://schema.org\",\"x\":{number}}}"))
                .contains(&"number-out-of-range".to_owned())
        );
    }
}

fn examples() -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/stacks");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect()
}

/// Whatever is read: places lie within the text, findings are in order, and a refusal has an error.
fn holds(source: &[u8]) {
    let variables = |name: &str| (name.len() > 3).then(|| name.to_lowercase());
    let findings = match read(source, &ReadContext::new(&variables)) {
        Ok(reading) => {
            assert!(!reading.stack.containers.is_empty() && !reading.stack.name.is_empty());
            assert!(reading.notes.iter().all(|note| !note.is_error()));
            reading.notes
        }
        Err(mistakes) => {
            assert!(mistakes.iter().any(|mistake| mistake.is_error()));
            mistakes
        }
    };
    assert!(findings.is_sorted_by_key(|finding| (finding.line, finding.column)));
    let text = String::from_utf8_lossy(source);
    let lines: Vec<&str> = text.split('\n').collect();
    for finding in findings {
        let line = lines.get(finding.line as usize - 1).copied().unwrap_or_else(|| panic!("no line for {finding:?}"));
        assert!(finding.column as usize <= line.chars().count() + 1, "{finding:?} is outside of `{line}`");
        assert!(!finding.message.is_empty() && finding.length > 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whoever takes away what is marked has no circle left.
    #[test]
    #[test]
    fn without_the_dependencies_that_are_marked_there_is_no_circle(
        waits in proptest::collection::vec(proptest::collection::btree_set(0..6_usize, 0..3), 6),
    ) {
        let mut waits: Vec<Vec<usize>> = waits.into_iter().map(|on| on.into_iter().collect()).collect();
        let source = waiting(&waits);
        // Each dependency stands in a line of its own, in order.
        let mut lines: Vec<(usize, usize)> =
            waits.iter().enumerate().flat_map(|(from, on)| on.iter().map(move |on| (from, *on))).collect();
        let found = read(source, &ReadContext::default()).err().unwrap_or_default();
        let marked: Vec<usize> =
            found.iter().filter(|one| one.code == "dependency-cycle").map(|one| one.line as usize - 2).collect();
        let count = marked.len();
        let mut number = 0;
        lines.retain(|_| {
            number += 1;
            !marked.contains(&(number - 1))
        });
        waits.iter_mut().for_each(Vec::clear);
        lines.iter().for_each(|(from, on)| waits[*from].push(*on));
        prop_assert!(read(waiting(&waits), &ReadContext::default()).is_ok(), "{} marked", count);
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        holds(&bytes);
    }

    #[test]
    fn anything_like_json_is_read_or_refused(text in r#"(\{|\}|\[|\]|,|:|"[a-z@$\{\}]{0,6}"|-?[0-9]{1,3}(e9)?|null|true| |\n|\\u[0-9a-f]{4}|é){0,60}"#) {
        holds(text.as_bytes());
    }

    #[test]
    fn a_damaged_document_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0u8..4, r#"[\{\}\[\],:"0-9a-z@\$\\ ]{1,4}"#), 1..4),
    ) {
        let examples = examples();
        let mut text = which.get::<String>(&examples).clone();
        for (place, action, insert) in edits {
            let mut at = place.index(text.len().max(1)).min(text.len());
            while !text.is_char_boundary(at) { at -= 1; }
            let mut end = (at + insert.len()).min(text.len());
            while !text.is_char_boundary(end) { end += 1; }
            match action {
                0 => text.insert_str(at, &insert),
                1 => text.replace_range(at..end, ""),
                2 => text.replace_range(at..end, &insert),
                _ => text.truncate(at),
            }
        }
        holds(text.as_bytes());
    }

    #[test]
    fn a_document_with_values_exchanged_is_read_or_refused(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..6),
    ) {
        let examples = examples();
        let mut value: serde_json::Value = serde_json::from_str(which.get::<String>(&examples)).unwrap();
        for (place, replacement) in changes {
            let pointers = pointers(&value);
            let pointer: &String = place.get(&pointers);
            let odd = [
                serde_json::json!(null), serde_json::json!(true), serde_json::json!(0), serde_json::json!(-1.5),
                serde_json::json!(65536), serde_json::json!(""), serde_json::json!("${X"), serde_json::json!("${LONGER}"),
                serde_json::json!([]), serde_json::json!({}), serde_json::json!({"@id": "x"}), serde_json::json!([[1]]),
                serde_json::json!({"name": "a", "value": "1:2"}), serde_json::json!("a:b"), serde_json::json!("日本"),
            ];
            if let Some(slot) = value.pointer_mut(pointer.as_str()) { *slot = replacement.get(&odd).clone(); }
        }
        holds(serde_json::to_string_pretty(&value).unwrap().as_bytes());
    }
}

fn pointers(value: &serde_json::Value) -> Vec<String> {
    let mut all = vec![String::new()];
    match value {
        serde_json::Value::Array(elements) => {
            for (at, element) in elements.iter().enumerate() {
                all.extend(pointers(element).into_iter().map(|below| format!("/{at}{below}")));
            }
        }
        serde_json::Value::Object(members) => {
            for (key, member) in members {
                all.extend(pointers(member).into_iter().map(|below| format!("/{key}{below}")));
            }
        }
        _ => {}
    }
    all
}
