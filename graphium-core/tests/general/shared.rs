//! What is said once and linked often, and mistakes without number: neither multiplies what reading costs.

use graphium_core::document::{ReadContext, read};
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

const STACK: &str = "https://graphium.io/vocab/stack#";
const CONTAINER: &str = "https://graphium.io/vocab/datacenter#Container";

/// The codes of what is found; what grows with the square of the document takes minutes.
fn codes(source: &str) -> Vec<String> {
    let begun = Instant::now();
    let found = match read(source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => mistakes,
    };
    assert!(begun.elapsed() < Duration::from_secs(30), "took {:?}", begun.elapsed());
    found.into_iter().map(|finding| finding.code.into_owned()).collect()
}

/// A stack whose containers all have the one health check, and members of that.
fn sharing(containers: usize, check: &str) -> String {
    let mut parts = String::new();
    for number in 0..containers {
        let comma = if number == 0 { "" } else { "," };
        write!(
            parts,
            r#"{comma}{{"@id": "c:{number}", "@type": ["{CONTAINER}"], "http://schema.org/name": [{{"@value": "c{number}"}}],
            "{STACK}image": [{{"@value": "i"}}], "{STACK}healthCheck": [{{"@id": "_:check"}}]}}"#
        )
        .unwrap();
    }
    format!(
        r#"[{{"@id": "s", "@type": ["https://graphium.io/vocab/datacenter#Stack"], "http://schema.org/name": [{{"@value": "s"}}],
        "http://schema.org/hasPart": [{parts}]}}, {{"@id": "_:check", {check}}}]"#
    )
}

#[test]
fn bytes_that_many_share_are_not_written_for_each() {
    let check = |size: usize| format!(r#""{STACK}command": [{{"@list": [{{"@value": "{}"}}]}}]"#, "x".repeat(size));
    assert_eq!(codes(&sharing(50, &check(400_000))), ["too-large"]);
    assert!(!codes(&sharing(50, &check(400))).contains(&"too-large".to_owned()));
}

#[test]
fn annotations_that_many_share_count_with_all_their_values() {
    let check = |numbers: usize| {
        let list = vec![r#"{"@value": 1}"#; numbers].join(",");
        format!(r#""{STACK}command": [{{"@value": "x"}}], "https://example.org/a": [{{"@list": [{list}]}}]"#)
    };
    assert_eq!(codes(&sharing(50, &check(4_000))), ["too-many-nodes"]);
    assert!(!codes(&sharing(50, &check(40))).contains(&"too-many-nodes".to_owned()));
    let list = vec!["1"; 4_000].join(",");
    let json = format!(r#""https://example.org/a": [{{"@type": "@json", "@value": [{list}]}}]"#);
    assert_eq!(codes(&sharing(50, &json)), ["too-many-nodes"]);
}

#[test]
fn mistakes_that_many_share_are_not_told_for_each() {
    let keys: Vec<String> = (0..2_000).map(|number| format!("\"nothing{number}\": 1")).collect();
    assert_eq!(codes(&sharing(2_000, &keys.join(","))), ["too-many-nodes"]);
}

#[test]
fn a_flood_of_undefined_keys_is_cut_and_counted() {
    let keys: Vec<String> = (0..30_000).map(|number| format!("\"imagf{number}\": 1")).collect();
    let context = r#"{"name": "http://schema.org/name"}"#;
    let stack = "https://graphium.io/vocab/datacenter#Stack";
    let source =
        format!(r#"{{"@context": {context}, "@type": "{stack}", "@id": "s", "name": "s", {}}}"#, keys.join(","));
    let codes = codes(&source);
    let told = codes.iter().filter(|code| *code == "unknown-key").count();
    assert!((900..=1_000).contains(&told), "{told}");
    assert!(codes.contains(&"more-mistakes".to_owned()));
}

#[test]
fn a_flood_of_types_is_read_in_bounded_time() {
    let types: Vec<String> = (0..30_000).map(|number| format!("\"https://example.org/{number}\"")).collect();
    let source =
        format!(r#"[{{"@id": "s", "@type": [{}], "http://schema.org/name": [{{"@value": "s"}}]}}]"#, types.join(","));
    assert!(codes(&source).contains(&"no-stack".to_owned()));
}
