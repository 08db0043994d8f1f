//! Hostile documents are refused or bounded, in time and in memory, in debug builds too.

use graphium_core::document::{ReadContext, read};
use proptest::prelude::*;
use std::{
    fmt::Write as _,
    time::{Duration, Instant},
};

/// The codes of what is found, in bounded time.
fn codes(source: &str) -> Vec<String> {
    let begun = Instant::now();
    let found = match read(source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => mistakes,
    };
    // Generous for debug builds on busy machines; what is not bounded takes hours, or all memory.
    assert!(begun.elapsed() < Duration::from_secs(50), "took {:?}", begun.elapsed());
    found.into_iter().map(|finding| finding.code.into_owned()).collect()
}

fn has(source: &str, code: &str) {
    let codes = codes(source);
    assert!(codes.iter().any(|found| found == code), "{code} not in {codes:?}: {:.300}", source);
}

/// Scoped contexts within scoped contexts.
fn nested_scopes(depth: usize) -> String {
    (0..depth).fold("{\"z\": \"x:z\"}".to_owned(), |inner, level| {
        format!("{{\"a{level}\": {{\"@id\": \"x:a{level}\", \"@context\": {inner}}}}}")
    })
}

#[test]
fn deep_nesting_is_refused_or_read_on_a_small_stack() {
    let nested = |levels: usize| "{\"http://x/p\":".repeat(levels) + "1" + &"}".repeat(levels);
    // Thirteen levels overflow a test's own stack in a debug build.
    std::thread::Builder::new()
        .stack_size(1 << 20)
        .spawn(move || {
            has(&nested(31), "no-stack");
            has(&nested(40), "too-deep");
            has(&format!("{{\"@context\": {}, \"a3\": 1}}", nested_scopes(12)), "no-stack");
        })
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn chains_and_circles_of_prefixes_end() {
    let chain = |links: usize| {
        let mut terms = String::from("\"t0\": \"http://x/\"");
        for link in (1..links).rev() {
            write!(terms, ", \"t{link}\": \"t{}:x\"", link - 1).unwrap();
        }
        format!("{{\"@context\": {{{terms}}}, \"t5\": 1}}")
    };
    has(&chain(1_000), "no-stack");
    has(&chain(1_002), "too-costly");
    has(&chain(50_000), "too-costly");
    has(r#"{"@context": {"a": "b:x", "b": "a:y"}, "a": 1}"#, "unsound-json-ld");
}

#[test]
fn many_terms_copied_many_times_are_refused() {
    let terms: Vec<String> = (0..900).map(|number| format!("\"t{number}\": \"x:{number}\"")).collect();
    let scoped = format!("{}, \"p\": {{\"@id\": \"x:p\", \"@context\": {{\"q\": \"x:q\"}}}}", terms.join(", "));
    let values = |count: usize| vec!["{\"q\": 1}"; count].join(",");
    has(&format!("{{\"@context\": {{{scoped}}}, \"p\": [{}]}}", values(40_000)), "too-costly");
    has(&format!("{{\"@context\": {{{scoped}}}, \"p\": [{}]}}", values(2_000)), "no-stack");
    // Our own context, taken anew by every node.
    let nodes =
        |count: usize| vec![r#"{"@context": "https://graphium.io/context/v1.jsonld", "name": "a"}"#; count].join(",");
    has(&format!("[{}]", nodes(20_000)), "too-costly");
    // Contexts that lead to themselves by way of a term.
    let scopes = nested_scopes(12);
    has(&format!("{{\"@context\": {scopes}, \"a11\": [{}]}}", values(45_000)), "too-costly");
}

#[test]
fn contexts_that_make_long_names_of_short_ones_are_refused() {
    let long = "x".repeat(4_000);
    let keys: Vec<String> = (0..40_000).map(|number| format!("\"k{number}\": 1")).collect();
    for context in [
        format!("{{\"@vocab\": \"http://example.org/{long}#\"}}"),
        format!("{{\"p\": \"http://example.org/{long}#\", \"t\": {{\"@id\": \"x:t\"}}}}"),
        format!("{{\"@base\": \"http://example.org/{long}/\", \"k1\": {{\"@id\": \"x:k\", \"@type\": \"@id\"}}}}"),
        format!("[{{\"p\": \"http://example.org/{long}#\"}}, {{\"q\": {{\"@id\": \"p:q\", \"@prefix\": true}}}}]"),
    ] {
        has(
            &format!("{{\"@context\": {context}, \"@type\": \"x\", \"x\": {{\"@id\": \"y\"}}, {}}}", keys.join(", ")),
            "too-costly",
        );
    }
}

#[test]
fn vocabularies_and_bases_make_no_strangers_ours() {
    let document = |context: &str, kind: &str| {
        format!(
            r#"{{"@context": {context}, "@type": "{kind}", "@id": "s", "name": "s",
            "hasPart": {{"@type": "{kind}", "@id": "c", "name": "c", "image": "i"}}}}"#
        )
    };
    // A vocabulary of somebody else's: nothing of it is a stack.
    has(&document(r#"{"@vocab": "https://example.org/vocab/datacenter#"}"#, "Stack"), "no-stack");
    // A base that makes a type of a relative name: types are relative to the vocabulary first.
    has(&document(r##"{"@base": "https://graphium.io/vocab/datacenter", "t": "x:t"}"##, "#Stack"), "no-stack");
    has(&document(r#"{"@vocab": "", "@base": "https://graphium.io/vocab/stack"}"#, "Stack"), "no-stack");
    has(&document(r#"{"@vocab": "_:b"}"#, "Stack"), "no-stack");
}

#[test]
fn no_context_is_ever_fetched() {
    for context in [
        r#""https://example.org/c.jsonld""#,
        r#"[{"a": {"@id": "x:a"}}, "http://127.0.0.1:1/c"]"#,
        r#"[{"a": {"@id": "x:a"}}, "../c.jsonld", "file:///etc/passwd"]"#,
        r#"{"a": {"@id": "x:a", "@context": ["http://127.0.0.1:1/c"]}}"#,
        r#"[{"@base": "https://graphium.io/context/"}, "v1.jsonld"]"#,
        r#"{"@import": "http://127.0.0.1:1/c", "a": {"@id": "x:a"}}"#,
    ] {
        let codes = codes(&format!("{{\"@context\": {context}, \"a\": 1}}"));
        assert!(codes.iter().any(|code| code == "unknown-context" || code == "context-entry"), "{context}: {codes:?}");
    }
    has(r#"[{"http://x/p": {"@context": "http://127.0.0.1:1/c", "http://x/q": 1}}]"#, "unknown-context");
}

#[test]
fn numbers_without_bound_are_refused() {
    for number in ["1e999", "-1e400", "123456789012345678901234567890"] {
        has(
            &format!("[{{\"https://graphium.io/vocab/stack#replicas\": [{{\"@value\": {number}}}]}}]"),
            "number-out-of-range",
        );
    }
    let typed = r#"[{"@type": ["https://graphium.io/vocab/datacenter#Stack"], "http://schema.org/name": [{"@value": "s"}],
        "http://schema.org/hasPart": [{"@type": ["https://graphium.io/vocab/datacenter#Container"], "http://schema.org/name": [{"@value": "c"}],
        "https://graphium.io/vocab/stack#image": [{"@value": "i"}],
        "https://graphium.io/vocab/stack#replicas": [{"@value": "1e400", "@type": "http://www.w3.org/2001/XMLSchema#integer"}]}]}]"#;
    has(typed, "bad-number");
}

#[test]
fn what_is_linked_a_thousand_times_is_not_written_a_thousand_times() {
    let iri = "https://graphium.io/vocab/stack#";
    let parts: Vec<String> = (0..3_000)
        .map(|n| {
            format!(
                r#"{{"@id": "c:{n}", "@type": ["https://graphium.io/vocab/datacenter#Container"], "{iri}ports": [{{"@id": "_:ports"}}], "{iri}environment": [{{"@id": "_:e"}}]}}"#
            )
        })
        .collect();
    let all: Vec<String> = (0..3_000).map(|n| format!("{{\"@id\": \"c:{n}\"}}")).collect();
    let keys: Vec<String> = (0..3_000).map(|n| format!("\"https://example.org/{n}\": [{{\"@value\": 1}}]")).collect();
    let source = format!(
        r#"[{}, {{"@id": "_:ports", {}}}, {{"@id": "s", "@type": ["https://graphium.io/vocab/datacenter#Stack"], "http://schema.org/hasPart": [{}]}}]"#,
        parts.join(","),
        keys.join(","),
        all.join(",")
    );
    has(&source, "too-many-nodes");
}

#[test]
fn nodes_that_lead_to_each_other_end() {
    let iri = "https://graphium.io/vocab/stack#";
    let container = "https://graphium.io/vocab/datacenter#Container";
    let source = format!(
        r#"[{{"@id": "s", "@type": ["https://graphium.io/vocab/datacenter#Stack", "{container}"], "http://schema.org/name": [{{"@value": "s"}}],
        "{iri}image": [{{"@value": "i"}}], "http://schema.org/hasPart": [{{"@id": "s"}}], "{iri}network": [{{"@id": "s"}}],
        "{iri}resources": [{{"@id": "s"}}], "{iri}limits": [{{"@id": "s"}}], "{iri}deployment": [{{"@id": "s"}}],
        "https://example.org/x": [{{"@id": "s"}}]}}]"#
    );
    assert!(!codes(&source).is_empty());
}

#[test]
fn places_that_a_document_makes_up_are_not_believed() {
    let source = r#"[{"@index": "graphium:999999999999", "@type": ["https://graphium.io/vocab/datacenter#Stack"],
        "http://schema.org/name": [{"@value": 7, "@index": "graphium:0"}]}]"#;
    has(source, "wrong-type");
}

/// Whatever is read: places lie within the text, findings are in order, and a refusal has an error.
fn holds(source: &str) {
    let findings = match read(source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => {
            assert!(mistakes.iter().any(|mistake| mistake.is_error()));
            mistakes
        }
    };
    assert!(findings.is_sorted_by_key(|finding| (finding.line, finding.column)));
    let lines: Vec<&str> = source.split('\n').collect();
    for finding in findings {
        let line = lines[finding.line as usize - 1];
        assert!(finding.column as usize <= line.chars().count() + 1, "{finding:?} is outside of `{line}`");
        assert!(!finding.message.is_empty() && finding.length > 0);
    }
}

fn odd() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::json!(null)),
        any::<bool>().prop_map(Into::into),
        (-3i64..70_000).prop_map(Into::into),
        "[a-z:@#/_]{0,8}".prop_map(Into::into),
        prop::sample::select(vec![
            "g:image",
            "dc:Stack",
            "dc:Container",
            "_:b",
            "@id",
            "@json",
            "s:name",
            "stack:s",
            "${X}"
        ])
        .prop_map(Into::into),
    ];
    let key = prop_oneof![
        prop::sample::select(vec![
            "@id",
            "@type",
            "@value",
            "@list",
            "@set",
            "@graph",
            "@reverse",
            "@included",
            "@index",
            "@nest",
            "@language",
            "s:name",
            "s:hasPart",
            "g:image",
            "g:ports",
            "g:containerPort",
            "g:dependsOn",
            "g:condition",
            "g:environment",
            "g:labels",
            "g:resources",
            "g:limits",
            "g:memory",
            "g:command",
            "g:healthCheck",
            "x:a",
            "nothing",
        ])
        .prop_map(str::to_owned),
        "[a-z:@]{1,6}",
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
            prop::collection::vec((key.clone(), inner), 0..5)
                .prop_map(|members| serde_json::Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn anything_like_json_ld_is_read_or_refused(graph in odd(), more in odd()) {
        let document = serde_json::json!({
            "@context": {"g": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#",
                "s": "http://schema.org/", "x": {"@id": "https://example.org/x#", "@prefix": true}},
            "@graph": [graph, {"@type": "dc:Stack", "s:name": "s", "s:hasPart": more}]
        });
        holds(&serde_json::to_string_pretty(&document).unwrap());
    }
}
