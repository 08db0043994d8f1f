//! Documents of the general profile in the native form: nothing is lost, and what cannot be kept is told.

use crate::bed::{expand, flatten, native, reads, reads_generally, rewrites};
use graphium_core::document::{Formatted, NATIVE_CONTEXT, ReadContext, Reading, format, read};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

const OWN: &str = r#""g": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#", "s": "http://schema.org/",
    "x": "https://example.org/x#", "id": "@id", "kind": "@type", "called": "s:name", "picture": {"@id": "g:image"},
    "pieces": {"@id": "s:hasPart", "@type": "@id"}"#;

/// A stack of one container, with these keys, beside these nodes.
fn document(stack: &str, container: &str, nodes: &str) -> String {
    format!(
        r#"{{"@context": {{{OWN}}}, "@graph": [{{"kind": "dc:Stack", "id": "stack:s", "called": "s"{stack}, "pieces": [
        {{"kind": "dc:Container", "id": "container:c", "called": "c", "picture": "i:1"{container}}}]}}{nodes}]}}"#
    )
}

fn formatted(source: &str) -> (Formatted, Value) {
    let new = rewrites(source, &reads(source));
    let value = serde_json::from_str(&new.text).unwrap();
    (new, value)
}

fn told(new: &Formatted) -> Vec<(&str, &str)> {
    new.notes.iter().map(|note| (note.code.as_ref(), note.message.as_str())).collect()
}

#[test]
fn the_expanded_and_the_flattened_form_become_the_native_document_again() {
    for (name, text) in native() {
        let wanted = reads(&text).stack;
        let one = format(&text).unwrap().text;
        for general in [expand(&text, None).unwrap(), flatten(&text)] {
            let new = rewrites(&general, &reads(&general));
            assert_eq!(reads(&new.text).stack, wanted, "{name}\n{}", new.text);
            assert_eq!(told(&new), [], "{name}");
            // Not only the stack: every key that the native document has.
            assert_eq!(keys(&new.text), keys(&one), "{name}\n{}", new.text);
        }
    }
}

/// The keys of a document, sorted. A reference may be a string or an object with an `@id`.
fn keys(text: &str) -> Vec<String> {
    fn collect(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(elements) => elements.iter().for_each(|element| collect(element, found)),
            Value::Object(members) => {
                found.extend(members.keys().filter(|key| *key != "@id").cloned());
                members.values().for_each(|member| collect(member, found));
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    collect(&serde_json::from_str(text).unwrap(), &mut found);
    found.sort();
    found
}

#[test]
fn variables_stay_and_need_not_be_set() {
    let (new, value) = formatted_with_variables(&document(
        "",
        r#", "g:user": "${WHO:?say who}", "g:ports": {"g:containerPort": "${PORT}"}, "g:command": {"@list": ["$${X}", "${Y:-${Z}}"]}"#,
        "",
    ));
    assert_eq!(value["hasPart"][0]["user"], "${WHO:?say who}");
    assert_eq!(value["hasPart"][0]["ports"], json!([{"containerPort": "${PORT}"}]));
    assert_eq!(value["hasPart"][0]["command"], json!(["$${X}", "${Y:-${Z}}"]));
    assert_eq!(told(&new), []);
}

fn formatted_with_variables(source: &str) -> (Formatted, Value) {
    let set = |name: &str| Some(if name == "PORT" { "80".to_owned() } else { format!("value-of-{name}") });
    let new = format(source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}"));
    let [before, after]: [Reading; 2] =
        [source, new.text.as_str()].map(|text| read(text, &ReadContext::new(&set)).unwrap());
    assert_eq!(before.stack, after.stack);
    let value = serde_json::from_str(&new.text).unwrap();
    (new, value)
}

#[test]
fn what_others_say_of_a_stack_is_kept_under_whole_iris() {
    let source = document(
        r#", "x:owner": "ada""#,
        r#", "x:tier": [1, {"x:k": 2.5}], "urn:example:note": {"id": "x:n", "x:says": "hello"}, "g:ports": {"g:containerPort": 80, "x:why": "web"}"#,
        "",
    )
    .replace(r#""kind": "dc:Container""#, r#""kind": ["dc:Container", "x:App"]"#);
    let (new, value) = formatted(&source);
    assert_eq!(value["@context"], NATIVE_CONTEXT);
    assert_eq!(value["https://example.org/x#owner"], "ada");
    let container = &value["hasPart"][0];
    assert_eq!(container["@type"], json!(["datacenter:Container", "https://example.org/x#App"]));
    assert_eq!(container["https://example.org/x#tier"], json!([1, {"https://example.org/x#k": 2.5}]));
    assert_eq!(container["urn:example:note"]["https://example.org/x#says"], "hello");
    assert_eq!(container["ports"][0]["https://example.org/x#why"], "web");
    assert_eq!(told(&new), []);
}

#[test]
fn names_and_types_of_parts_are_kept() {
    let (new, value) =
        formatted(&document("", r#", "g:ports": {"id": "x:web", "kind": "x:Door", "g:containerPort": 80}"#, ""));
    let port = json!({"@id": "https://example.org/x#web", "@type": "https://example.org/x#Door", "containerPort": 80});
    assert_eq!(value["hasPart"][0]["ports"], json!([port]));
    assert_eq!(told(&new), []);
}

#[test]
fn nodes_of_others_stay_in_the_graph() {
    let team = r#", {"kind": "x:Team", "id": "x:ops", "x:lead": {"id": "_:ada", "kind": "x:Person"}}, {"id": "_:ada", "x:age": 7}"#;
    let (new, value) = formatted(&document(r#", "x:run-by": {"id": "x:ops"}"#, "", team));
    let nodes = value["@graph"].as_array().unwrap();
    assert_eq!(nodes[0]["https://example.org/x#run-by"], json!({"@id": "https://example.org/x#ops"}));
    assert_eq!(nodes[1]["@type"], "https://example.org/x#Team");
    let ada = nodes.iter().find(|node| node["@type"] == "https://example.org/x#Person").unwrap();
    assert_eq!(ada["https://example.org/x#age"], 7);
    assert_eq!(told(&new), []);
}

#[test]
fn what_has_no_place_in_the_native_form_is_told() {
    let cases = [
        (
            document("", r#", "s:description": {"@value": "ein Text", "@language": "de"}"#, ""),
            "the language of `description`",
        ),
        (document("", "", r#", {"id": "x:thing", "x:says": "a"}"#), "a node without a type of its own"),
        (
            document(r#", "x:see": {"id": "x:thing"}"#, "", r#", {"id": "x:thing", "x:says": "a"}"#),
            "a node without a type of its own",
        ),
        (
            document("", "", r#", {"id": "x:vm", "kind": "x:DockerHost", "x:says": "a"}"#),
            "a node without a type of its own",
        ),
        (
            document("", "", r#", {"id": "host:a", "kind": ["dc:Host", "x:Stack"]}"#),
            "the type `https://example.org/x#Stack` would be taken for one of ours",
        ),
        (
            document(r#", "dc:locatedInHost": {"id": "host:a", "x:says": "a"}"#, "", ""),
            "a node without a type of its own",
        ),
    ];
    for (source, message) in cases {
        let (new, _) = formatted(&source);
        let [(code, said)] = told(&new)[..] else { panic!("{source}\n{:#?}", new.notes) };
        assert_eq!(code, "left-out", "{source}");
        assert!(said.starts_with(message) && said.contains("left out"), "{said}");
        assert!(!new.notes[0].pointer.is_empty(), "{source}");
    }
}

#[test]
fn what_a_native_document_could_not_carry_is_refused_at_its_place() {
    // Read as an IRI of the scheme `y`, as JSON-LD has it; in the native form it would be a prefix that nobody declares.
    let mistakes = format(document("", r#", "y:owner": "ada""#, "")).unwrap_err();
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
    assert_eq!((mistake.code.as_ref(), mistake.pointer.as_str()), ("undeclared-prefix", "/@graph/0/pieces/0/y:owner"));
}

#[test]
fn mistakes_are_those_of_reading() {
    for (container, code) in [
        (r#", "g:user": 7"#, "wrong-type"),
        (r#", "g:usr": "a""#, "unknown-key"),
        (r#", "nothing": "a""#, "unknown-key"),
        (r#", "g:user": "a", "g:user": "b""#, "duplicate-key"),
        (r#", "g:ports": {"g:containerPort": 70000}"#, "bad-port"),
    ] {
        let source = document("", container, "");
        let errors = |found: Vec<graphium_core::diagnostic::Diagnostic>| -> Vec<_> {
            found.into_iter().map(|found| (found.code, found.line, found.column, found.message)).collect()
        };
        let read = errors(read(&source, &ReadContext::default()).unwrap_err());
        assert_eq!(errors(format(&source).unwrap_err()), read, "{source}");
        assert_eq!(read[0].0, code);
    }
}

#[test]
fn a_request_keeps_its_envelope() {
    let source = format!(r#"{{"timeout": "5m", "pullImages": true, "stackDefinition": {}}}"#, document("", "", ""));
    let (_, value) = formatted(&source);
    assert_eq!((&value["timeout"], &value["pullImages"]), (&json!("5m"), &json!(true)));
    assert_eq!(value["stackDefinition"]["@context"], NATIVE_CONTEXT);
}

/// The native documents, expanded and flattened.
static FORMS: LazyLock<Vec<(String, String)>> =
    LazyLock::new(|| native().iter().map(|(_, text)| (expand(text, None).unwrap(), flatten(text))).collect());

proptest! {
    // The machine expands two documents at a time, and other tests wait for their turn.
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn whatever_is_read_is_rewritten_and_keeps_its_meaning(
        which in any::<prop::sample::Index>(),
        flat in any::<bool>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..4),
    ) {
        let (expanded, flattened) = which.get(FORMS.as_slice());
        let mut value: Value = serde_json::from_str(if flat { flattened } else { expanded }).unwrap();
        for (place, replacement) in changes {
            let mut pointers = Vec::new();
            pointers_of(&value, String::new(), &mut pointers);
            let odd = [
                json!([]), json!([{"@value": "a"}]), json!([{"@id": "_:b1"}]), json!([{"@id": "stack:x"}]), json!("_:b0"),
                json!([{"@list": [{"@value": 1}]}]), json!({"@value": true}), json!([{"@value": "a", "@language": "de"}]),
                json!(["https://example.org/x#Host"]), json!([{"@id": "x:y", "https://example.org/a": [{"@value": 1}]}]),
                json!([{"@value": {"a": "1"}, "@type": "@json"}]), json!(["http://schema.org/SoftwareApplication"]),
            ];
            if let Some(slot) = value.pointer_mut(place.get(&pointers).as_str()) { *slot = replacement.get(&odd).clone(); }
        }
        let source = serde_json::to_string(&value).unwrap();
        match read(&source, &ReadContext::default()) {
            Ok(reading) => drop(rewrites(&source, &reading)),
            Err(_) => prop_assert!(format(&source).is_err(), "{source} is formatted and not read"),
        }
    }
}

fn pointers_of(value: &Value, path: String, all: &mut Vec<String>) {
    let escape = |key: &String| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(elements) => {
            elements.iter().enumerate().for_each(|(at, element)| pointers_of(element, format!("{path}/{at}"), all));
        }
        Value::Object(members) => {
            members.iter().for_each(|(key, member)| pointers_of(member, format!("{path}/{}", escape(key)), all));
        }
        _ => {}
    }
    all.push(path);
}

#[test]
fn a_document_of_terms_of_its_own_reads_and_rewrites() {
    assert_eq!(reads_generally(&document("", "", "")).stack.containers.len(), 1);
}
