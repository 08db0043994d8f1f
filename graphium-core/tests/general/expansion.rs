//! What the processor makes of the features that our context and its users rely on, each by itself.
//!
//! The cases are our own; what they cover is what W3C's test suite of JSON-LD 1.1 covers under these names. One that
//! fails stands in `SKIPPED` with its reason, and fails the test as soon as it passes.

use crate::bed::expand;
use serde_json::{Value, json};

const BASE: &str = "https://example.org/stacks/here";

/// Cases that the `json-ld` crate gets wrong, and why that does no harm.
const SKIPPED: &[(&str, &str)] = &[
    ("included-nodes", "the crate writes `@include` for `@included`; our graph reads both"),
    (
        "scalar-under-protected-scope",
        "the crate forgets that scopes of properties may override protected terms where the value is no object; \
         our context redefines nothing in its scopes",
    ),
];

enum Outcome {
    Gives(Value),
    Fails,
}
use Outcome::{Fails, Gives};

fn cases() -> Vec<(&'static str, Value, Outcome)> {
    let x = |name: &str| format!("https://example.org/x#{name}");
    let own = |terms: Value, mut rest: Value| {
        let mut context = json!({"x": "https://example.org/x#"});
        context.as_object_mut().unwrap().extend(terms.as_object().unwrap().clone());
        rest["@context"] = context;
        rest
    };
    let value = |value: Value| json!([{"@value": value}]);
    vec![
        ("free-floating-id-is-dropped", json!({"@id": "x:a"}), Gives(json!([]))),
        (
            "undefined-keys-are-dropped",
            own(json!({}), json!({"x:a": 1, "b": 2})),
            Gives(json!([{x("a"): value(json!(1))}])),
        ),
        (
            "null-is-nothing",
            own(json!({"a": "x:a"}), json!({"a": null, "x:b": [null, 1]})),
            Gives(json!([{x("b"): value(json!(1))}])),
        ),
        (
            "term-switched-off",
            own(json!({"x:a": null}), json!({"x:a": 1, "x:b": 1})),
            Gives(json!([{x("b"): value(json!(1))}])),
        ),
        (
            "relative-ids-take-the-base",
            own(json!({}), json!({"@id": "../a", "x:a": 1})),
            Gives(json!([{"@id": "https://example.org/a", x("a"): value(json!(1))}])),
        ),
        (
            "a-base-of-its-own",
            own(json!({"@base": "https://other.example/b/"}), json!({"@id": "c", "x:a": 1})),
            Gives(json!([{"@id": "https://other.example/b/c", x("a"): value(json!(1))}])),
        ),
        (
            "a-scheme-is-no-prefix",
            own(json!({}), json!({"@id": "stack:shop", "x:a": 1})),
            Gives(json!([{"@id": "stack:shop", x("a"): value(json!(1))}])),
        ),
        (
            "a-prefix-in-an-id",
            own(json!({}), json!({"@id": "x:shop", "x:a": 1})),
            Gives(json!([{"@id": x("shop"), x("a"): value(json!(1))}])),
        ),
        (
            "a-term-that-is-no-prefix",
            own(json!({"image": "https://example.org/image"}), json!({"@id": "image:1", "x:a": 1})),
            Gives(json!([{"@id": "image:1", x("a"): value(json!(1))}])),
        ),
        (
            "a-term-made-a-prefix",
            own(json!({"p": {"@id": "https://example.org/p-", "@prefix": true}}), json!({"p:a": 1})),
            Gives(json!([{"https://example.org/p-a": value(json!(1))}])),
        ),
        (
            "types-take-terms-and-the-vocabulary",
            own(json!({"@vocab": "https://example.org/v#", "T": "x:T"}), json!({"@type": ["T", "U"], "x:a": 1})),
            Gives(json!([{"@type": [x("T"), "https://example.org/v#U"], x("a"): value(json!(1))}])),
        ),
        (
            "keywords-have-other-names",
            own(json!({"id": "@id", "kind": "@type"}), json!({"id": "x:i", "kind": "x:T"})),
            Gives(json!([{"@id": x("i"), "@type": [x("T")]}])),
        ),
        (
            "ids-by-coercion",
            own(json!({"a": {"@id": "x:a", "@type": "@id"}}), json!({"a": ["x:i", {"@id": "x:j"}]})),
            Gives(json!([{x("a"): [{"@id": x("i")}, {"@id": x("j")}]}])),
        ),
        (
            "ids-leave-numbers-alone",
            own(json!({"a": {"@id": "x:a", "@type": "@id"}}), json!({"a": 1})),
            Gives(json!([{x("a"): value(json!(1))}])),
        ),
        (
            "vocabulary-by-coercion",
            own(json!({"a": {"@id": "x:a", "@type": "@vocab"}, "t": "x:t"}), json!({"a": "t"})),
            Gives(json!([{x("a"): [{"@id": x("t")}]}])),
        ),
        (
            "datatypes-by-coercion",
            own(json!({"a": {"@id": "x:a", "@type": "x:D"}}), json!({"a": "1"})),
            Gives(json!([{x("a"): [{"@value": "1", "@type": x("D")}]}])),
        ),
        (
            "json-stays-as-it-is",
            own(
                json!({"a": {"@id": "x:a", "@type": "@json"}}),
                json!({"a": {"@id": 1, "b": [null, {"@context": []}]}}),
            ),
            Gives(json!([{x("a"): [{"@type": "@json", "@value": {"@id": 1, "b": [null, {"@context": []}]}}]}])),
        ),
        (
            "json-may-be-an-array",
            own(json!({"a": {"@id": "x:a", "@type": "@json"}}), json!({"a": [1, 2]})),
            Gives(json!([{x("a"): [{"@type": "@json", "@value": [1, 2]}]}])),
        ),
        (
            "json-written-out",
            own(json!({}), json!({"x:a": {"@type": "@json", "@value": {"k": null}}})),
            Gives(json!([{x("a"): [{"@type": "@json", "@value": {"k": null}}]}])),
        ),
        (
            "lists-by-container",
            own(json!({"a": {"@id": "x:a", "@container": "@list"}}), json!({"a": ["p", "p"]})),
            Gives(json!([{x("a"): [{"@list": [{"@value": "p"}, {"@value": "p"}]}]}])),
        ),
        (
            "a-list-of-one-and-of-none",
            own(
                json!({"a": {"@id": "x:a", "@container": "@list"}, "b": {"@id": "x:b", "@container": "@list"}}),
                json!({"a": "p", "b": []}),
            ),
            Gives(json!([{x("a"): [{"@list": [{"@value": "p"}]}], x("b"): [{"@list": []}]}])),
        ),
        (
            "a-list-that-is-one-already",
            own(json!({"a": {"@id": "x:a", "@container": "@list"}}), json!({"a": {"@list": [1]}})),
            Gives(json!([{x("a"): [{"@list": [{"@value": 1}]}]}])),
        ),
        (
            "a-list-of-nodes-under-a-scope",
            own(
                json!({"a": {"@id": "x:a", "@container": "@list", "@context": {"b": "x:b"}}}),
                json!({"a": [{"b": 1}, {"b": 2}]}),
            ),
            Gives(json!([{x("a"): [{"@list": [{x("b"): value(json!(1))}, {x("b"): value(json!(2))}]}]}])),
        ),
        (
            "sets-are-opened",
            own(json!({}), json!({"x:a": {"@set": [1, {"@set": []}]}})),
            Gives(json!([{x("a"): value(json!(1))}])),
        ),
        (
            "a-scope-of-a-property",
            own(json!({"a": {"@id": "x:a", "@context": {"type": "x:kind"}}}), json!({"a": {"type": "t"}, "type": "u"})),
            Gives(json!([{x("a"): [{x("kind"): value(json!("t"))}]}])),
        ),
        (
            "scopes-within-scopes-keep-the-outer-terms",
            own(
                json!({"n": "x:n", "a": {"@id": "x:a", "@context": {"b": {"@id": "x:b", "@context": {"c": "x:c"}}, "d": "x:d"}}}),
                json!({"a": {"b": {"n": 1, "d": 2, "c": 3}}}),
            ),
            Gives(
                json!([{x("a"): [{x("b"): [{x("n"): value(json!(1)), x("d"): value(json!(2)), x("c"): value(json!(3))}]}]}]),
            ),
        ),
        (
            "a-scope-of-a-type-ends-with-the-node",
            own(
                json!({"T": {"@id": "x:T", "@context": {"a": "x:a"}}}),
                json!({"@type": "T", "a": 1, "x:b": {"a": 2, "x:c": 3}}),
            ),
            Gives(json!([{"@type": [x("T")], x("a"): value(json!(1)), x("b"): [{x("c"): value(json!(3))}]}])),
        ),
        (
            "scopes-override-what-is-protected",
            own(
                json!({"@protected": true, "a": "x:a", "p": {"@id": "x:p", "@context": {"a": "x:other"}}}),
                json!({"p": {"a": 1}}),
            ),
            Gives(json!([{x("p"): [{x("other"): value(json!(1))}]}])),
        ),
        (
            "scalar-under-protected-scope",
            own(
                json!({"@protected": true, "a": "x:a", "p": {"@id": "x:p", "@context": {"a": "x:other"}}}),
                json!({"p": 1}),
            ),
            Gives(json!([{x("p"): value(json!(1))}])),
        ),
        ("protected-terms-stay", json!({"@context": [{"@protected": true, "a": "x:a"}, {"a": "x:b"}], "a": 1}), Fails),
        (
            "protected-terms-may-be-repeated",
            json!({"@context": [{"@protected": true, "a": "x:a"}, {"a": "x:a"}], "a": 1}),
            Gives(json!([{"x:a": value(json!(1))}])),
        ),
        (
            "protected-terms-are-not-cleared",
            json!({"@context": [{"@protected": true, "a": "x:a"}, null], "a": 1}),
            Fails,
        ),
        (
            "nodes-in-maps-by-index",
            own(json!({"a": {"@id": "x:a", "@container": "@index"}}), json!({"a": {"k": {"x:b": 1}}})),
            Gives(json!([{x("a"): [{"@index": "k", x("b"): value(json!(1))}]}])),
        ),
        (
            "nodes-in-maps-by-id",
            own(json!({"a": {"@id": "x:a", "@container": "@id"}}), json!({"a": {"x:k": {"x:b": 1}}})),
            Gives(json!([{x("a"): [{"@id": x("k"), x("b"): value(json!(1))}]}])),
        ),
        (
            "reversed-properties",
            own(json!({"of": {"@reverse": "x:has", "@type": "@id"}}), json!({"@id": "x:i", "of": "x:j"})),
            Gives(json!([{"@id": x("i"), "@reverse": {x("has"): [{"@id": x("j")}]}}])),
        ),
        (
            "nested-properties",
            own(json!({"more": "@nest", "a": "x:a"}), json!({"more": {"a": 1}})),
            Gives(json!([{x("a"): value(json!(1))}])),
        ),
        (
            "included-nodes",
            own(json!({}), json!({"@id": "x:i", "x:a": 1, "@included": [{"@id": "x:j", "x:b": 2}]})),
            Gives(
                json!([{"@id": x("i"), x("a"): value(json!(1)), "@included": [{"@id": x("j"), x("b"): value(json!(2))}]}]),
            ),
        ),
        (
            "a-graph-at-the-top-is-opened",
            own(json!({}), json!({"@graph": [{"@id": "x:i", "x:a": 1}, {"@id": "x:j", "x:a": 2}]})),
            Gives(json!([{"@id": x("i"), x("a"): value(json!(1))}, {"@id": x("j"), x("a"): value(json!(2))}])),
        ),
        (
            "a-graph-with-a-name",
            own(json!({}), json!({"@id": "x:g", "@graph": [{"@id": "x:i", "x:a": 1}]})),
            Gives(json!([{"@id": x("g"), "@graph": [{"@id": x("i"), x("a"): value(json!(1))}]}])),
        ),
        (
            "languages",
            own(json!({"@language": "en"}), json!({"x:a": ["word", {"@value": "mot", "@language": "fr"}, 1]})),
            Gives(
                json!([{x("a"): [{"@value": "word", "@language": "en"}, {"@value": "mot", "@language": "fr"}, {"@value": 1}]}]),
            ),
        ),
        (
            "expanded-form-is-expanded",
            json!([{"@id": "x:i", "@type": ["x:T"], "x:a": [{"@value": 1}], "x:b": [{"@list": [{"@id": "x:j"}]}]}]),
            Gives(
                json!([{"@id": "x:i", "@type": ["x:T"], "x:a": [{"@value": 1}], "x:b": [{"@list": [{"@id": "x:j"}]}]}]),
            ),
        ),
        ("an-id-is-a-string", json!({"@id": 1, "x:a": 1}), Fails),
        ("a-type-is-a-string", json!({"@type": 1, "x:a": 1}), Fails),
        ("a-value-has-one-type", json!({"x:a": {"@value": "v", "@type": "x:T", "@language": "en"}}), Fails),
        ("circles-of-terms", json!({"@context": {"a": "b:x", "b": "a:x"}, "a": 1}), Fails),
        ("contexts-from-elsewhere", json!({"@context": "https://example.org/context", "a": 1}), Fails),
    ]
}

fn passes(input: &Value, outcome: &Outcome) -> Result<(), String> {
    match (expand(&input.to_string(), Some(BASE)), outcome) {
        (Err(_), Fails) => Ok(()),
        (Err(error), Gives(_)) => Err(error),
        (Ok(text), Fails) => Err(format!("should fail, gives {text}")),
        (Ok(text), Gives(expected)) => {
            let expanded: Value = serde_json::from_str(&text).unwrap();
            if expanded == *expected { Ok(()) } else { Err(format!("expected {expected}\ngives {expanded}")) }
        }
    }
}

#[test]
fn the_processor_expands_as_the_recommendation_says() {
    let cases = cases();
    assert!(cases.len() >= 30);
    let mut wrong = Vec::new();
    for (name, input, outcome) in &cases {
        let skipped = SKIPPED.iter().find(|(skipped, _)| skipped == name);
        match (passes(input, outcome), skipped) {
            (Ok(()), Some(_)) => wrong.push(format!("{name} passes: take it off the list of those that are skipped")),
            (Err(why), None) => wrong.push(format!("{name}: {input}\n{why}")),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn what_is_skipped_exists_and_has_a_reason() {
    let names: Vec<&str> = cases().iter().map(|(name, ..)| *name).collect();
    for (name, reason) in SKIPPED {
        assert!(names.contains(name) && reason.len() > 20, "{name}");
    }
}
