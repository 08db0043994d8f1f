//! By what a document is recognised, and what becomes of one that this build cannot read.

#[cfg(not(feature = "json-ld"))]
use graphium_core::document::format;
use graphium_core::document::{ReadContext, read};

const GRAPH: &str = r##""@graph": [{"@id": "stack:s", "@type": "https://graphium.io/vocab/datacenter#Stack",
    "http://schema.org/name": "s", "http://schema.org/hasPart": {"@id": "container:c",
    "@type": "https://graphium.io/vocab/datacenter#Container", "http://schema.org/name": "c",
    "https://graphium.io/vocab/stack#image": "i"}}]"##;

/// Documents of the general profile.
fn general() -> Vec<String> {
    let nodes = GRAPH.trim_start_matches("\"@graph\": ");
    vec![
        nodes.to_owned(),
        format!("{{{GRAPH}}}"),
        format!("{{\"@context\": {{\"img\": \"https://graphium.io/vocab/stack#image\"}}, {GRAPH}}}"),
        format!("{{\"@context\": {{\"@vocab\": \"https://graphium.io/vocab/stack#\"}}, {GRAPH}}}"),
        format!("{{\"@context\": [{{\"@version\": 1.1}}], {GRAPH}}}"),
        format!("{{\"stackDefinition\": {nodes}, \"timeout\": 60}}"),
    ]
}

#[cfg(not(feature = "json-ld"))]
#[test]
fn without_the_feature_a_general_document_is_refused_and_the_feature_is_named() {
    for source in general() {
        let mistakes = read(&source, &ReadContext::default()).unwrap_err();
        let [mistake] = mistakes.as_slice() else { panic!("{source}: {mistakes:#?}") };
        assert_eq!(mistake.code, "needs-json-ld", "{source}");
        assert!(mistake.message.contains("`json-ld`") && mistake.help.as_ref().unwrap().contains("--features json-ld"));
        assert_eq!(format(&source).unwrap_err(), mistakes, "{source}");
    }
}

#[cfg(feature = "json-ld")]
#[test]
fn with_the_feature_they_are_all_the_same_stack() {
    use graphium_core::document::Profile;
    let mut stacks = Vec::new();
    for source in general() {
        let reading = read(&source, &ReadContext::default()).unwrap_or_else(|e| panic!("{source}: {e:#?}"));
        assert_eq!(reading.profile, Profile::General);
        assert_eq!(reading.options.timeout.is_some(), source.contains("timeout"));
        stacks.push(reading.stack);
    }
    assert_eq!(stacks[0].containers[0].image, "i");
    assert!(stacks.iter().all(|stack| *stack == stacks[0]));
}

#[test]
fn other_documents_are_what_they_were() {
    let codes = |source: &str| -> Vec<String> {
        match read(source, &ReadContext::default()) {
            Ok(reading) => reading.notes,
            Err(mistakes) => mistakes,
        }
        .into_iter()
        .map(|finding| finding.code.into_owned())
        .collect()
    };
    let parts = r#""@type": "datacenter:Stack", "@id": "s", "name": "s",
        "hasPart": [{"@type": "datacenter:Container", "@id": "c", "name": "c", "image": "i"}]"#;
    // Term definitions beside a context that we know are a mistake, as ever.
    for known in ["https://graphium.io/context/v1.jsonld", "https://schema.org"] {
        let source = format!("{{\"@context\": [\"{known}\", {{\"img\": {{\"@id\": \"x:y\"}}}}], {parts}}}");
        assert_eq!(codes(&source), ["context-entry"]);
    }
    // Prefixes alone make no document general, nor does the lack of a context.
    let prefixes = format!("{{\"@context\": {{\"x\": \"https://example.org/x#\"}}, {parts}}}");
    assert_eq!(codes(&prefixes), ["missing-context"]);
    assert_eq!(codes(&format!("{{{parts}}}")), ["missing-context"]);
    assert_eq!(codes(&format!("{{\"@context\": \"https://example.org/c\", {parts}}}")), ["unknown-context"]);
    assert_eq!(codes("[]"), ["wrong-type"]);
    assert_eq!(codes("[1, \"a\"]"), ["wrong-type"]);
}
