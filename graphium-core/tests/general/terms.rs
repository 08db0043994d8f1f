//! Documents with terms of their own, nodes spread over a graph, values in every form that JSON-LD has for them.

use crate::bed::{reads, reads_generally};
use graphium_core::stack::{Condition, EnvValue, Stack};

/// A native document that says the same.
fn native(keys: &str) -> Stack {
    let text = format!(
        r#"{{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:s", "name": "s",
        "hasPart": [{{"@type": "datacenter:Container", "@id": "container:c", "name": "c", "image": "i:1"{keys}}}]}}"#
    );
    reads(&text).stack
}

const OWN: &str = r#""g": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#", "s": "http://schema.org/",
    "id": "@id", "kind": "@type", "called": "s:name", "picture": {"@id": "g:image"},
    "pieces": {"@id": "s:hasPart", "@type": "@id"}"#;

/// The same with terms of its own; `terms` are more of them.
fn own(terms: &str, keys: &str) -> Stack {
    let text = format!(
        r#"{{"@context": {{{OWN}{terms}}}, "kind": "dc:Stack", "id": "stack:s", "called": "s",
        "pieces": [{{"kind": "dc:Container", "id": "container:c", "called": "c", "picture": "i:1"{keys}}}]}}"#
    );
    reads_generally(&text).stack
}

#[test]
fn terms_and_prefixes_of_the_documents_own_mean_ours() {
    let cases = [
        ("", "", ""),
        (
            r#", "run": {"@id": "g:command", "@container": "@list"}"#,
            r#", "run": ["echo", "a", "a"]"#,
            r#", "command": ["echo", "a", "a"]"#,
        ),
        ("", r#", "g:command": {"@list": ["echo", "a", "a"]}"#, r#", "command": ["echo", "a", "a"]"#),
        (
            r#", "marks": {"@id": "g:labels", "@type": "@json"}"#,
            r#", "marks": {"@id": "x", "n": "1"}"#,
            r#", "labels": {"@id": "x", "n": "1"}"#,
        ),
        ("", r#", "g:labels": {"@type": "@json", "@value": {"n": "1"}}"#, r#", "labels": {"n": "1"}"#),
        (
            "",
            r#", "g:tty": {"@value": "true", "@type": "http://www.w3.org/2001/XMLSchema#boolean"}"#,
            r#", "tty": true"#,
        ),
        (
            r#", "many": {"@id": "g:replicas", "@type": "http://www.w3.org/2001/XMLSchema#integer"}"#,
            r#", "many": "2""#,
            r#", "replicas": 2"#,
        ),
        ("", r#", "s:description": {"@value": "ein Text", "@language": "de"}"#, r#", "description": "ein Text""#),
        (
            "",
            r#", "g:user": {"@value": "u"}, "g:aliases": {"@set": ["a", "b"]}"#,
            r#", "user": "u", "aliases": ["a", "b"]"#,
        ),
        (
            r#", "at": {"@id": "dc:locatedInHost", "@type": "@id"}, "@base": "host:""#,
            r#", "at": "host:vm1""#,
            r#", "locatedInHost": {"@id": "host:vm1"}"#,
        ),
        ("", r#", "dc:locatedInHost": {"id": "host:vm1"}"#, r#", "locatedInHost": "vm1""#),
        (
            "",
            r#", "g:environment": [{"called": "A", "s:value": "1"}, {"called": "B", "g:fromSecret": "b"}]"#,
            r#", "environment": [{"name": "A", "value": "1"}, {"name": "B", "fromSecret": "b"}]"#,
        ),
        (
            r#", "wants": {"@id": "g:environment", "@context": {"called": "s:name", "is": "s:value"}}"#,
            r#", "wants": [{"called": "A", "is": "1"}]"#,
            r#", "environment": [{"name": "A", "value": "1"}]"#,
        ),
        (
            r#", "more": "@nest", "who": {"@id": "g:user", "@nest": "more"}"#,
            r#", "more": {"who": "u"}"#,
            r#", "user": "u""#,
        ),
        (
            "",
            r#", "g:volumeMounts": {"g:mountType": "tmpfs", "g:target": "/t"}"#,
            r#", "volumeMounts": [{"type": "tmpfs", "target": "/t"}]"#,
        ),
        (
            "",
            r#", "g:healthCheck": {"g:checkType": "tcp", "g:port": 80}"#,
            r#", "healthCheck": {"type": "tcp", "port": 80}"#,
        ),
        (
            r#", "open": {"@id": "g:ports", "@container": "@index"}"#,
            r#", "open": {"web": {"g:containerPort": 80}, "dns": {"g:containerPort": 53}}"#,
            r#", "ports": [{"containerPort": 80}, {"containerPort": 53}]"#,
        ),
    ];
    for (terms, keys, canonical) in cases {
        assert_eq!(own(terms, keys), native(canonical), "{terms} {keys}");
    }
}

#[test]
fn one_vocabulary_is_enough_where_terms_are_called_as_ours() {
    let text = r#"{"@context": {"@vocab": "https://graphium.io/vocab/stack#"}, "@id": "stack:s",
        "@type": "https://graphium.io/vocab/datacenter#Stack", "name": "s",
        "hasPart": {"@id": "container:c", "@type": "https://graphium.io/vocab/datacenter#Container", "name": "c", "image": "i:1",
        "resources": {"limits": {"memory": "1G"}}}}"#;
    assert_eq!(reads_generally(text).stack, native(r#", "resources": {"limits": {"memory": "1G"}}"#));
}

#[test]
fn a_node_may_take_our_context_within_a_document_of_other_terms() {
    let text = format!(
        r#"[{{"@context": {{{OWN}}}, "kind": "dc:Stack", "id": "stack:s", "called": "s", "pieces": "container:c"}},
        {{"@context": "https://graphium.io/context/v1.jsonld", "@type": "Container", "@id": "container:c", "name": "c",
        "image": "i:1", "command": ["a"], "ports": [{{"containerPort": 80}}]}}]"#
    );
    assert_eq!(reads_generally(&text).stack, native(r#", "command": ["a"], "ports": [{"containerPort": 80}]"#));
}

#[test]
fn nodes_are_linked_wherever_they_stand() {
    let spread = format!(
        r#"{{"@context": {{{OWN}, "partOf": {{"@reverse": "s:hasPart", "@type": "@id"}}}}, "@graph": [
        {{"id": "_:check", "g:interval": "5s"}},
        {{"id": "container:c", "kind": "dc:Container", "called": "c", "partOf": "stack:s"}},
        {{"id": "stack:s", "kind": "dc:Stack"}},
        {{"id": "container:c", "picture": "i:1", "g:healthCheck": {{"id": "_:check"}}, "@included": [{{"id": "stack:s", "called": "s"}}]}},
        {{"id": "_:check", "g:checkType": "tcp", "g:port": 80}}]}}"#
    );
    let together = native(r#", "healthCheck": {"type": "tcp", "port": 80, "interval": 5}"#);
    assert_eq!(reads_generally(&spread).stack, together);
}

#[test]
fn a_named_graph_is_read_as_the_document_is() {
    let text = format!(
        r#"{{"@context": {{{OWN}}}, "id": "https://example.org/graphs/1", "@graph": {{"kind": "dc:Stack", "id": "stack:s", "called": "s",
        "pieces": {{"kind": "dc:Container", "id": "container:c", "called": "c", "picture": "i:1"}}}}}}"#
    );
    assert_eq!(reads_generally(&text).stack, native(""));
}

#[test]
fn hosts_of_a_general_document_know_their_racks() {
    let text = format!(
        r#"{{"@context": {{{OWN}}}, "@graph": [
        {{"kind": "dc:Stack", "id": "stack:s", "called": "s", "pieces": {{"kind": "dc:Container", "id": "c", "called": "c", "picture": "i"}}}},
        {{"kind": "dc:Host", "id": "host:vm1", "dc:locatedInRack": {{"id": "rack:r", "kind": "dc:Rack", "dc:locatedInDatacenter": {{"id": "dc:dc1"}}}}}}]}}"#
    );
    let hosts = reads_generally(&text).stack.hosts;
    assert_eq!(hosts.len(), 1);
    assert_eq!((hosts[0].id.as_str(), hosts[0].rack.as_deref()), ("vm1", Some("r")));
    assert_eq!(hosts[0].datacenter.as_deref(), Some("dc1"));
}

#[test]
fn other_peoples_properties_are_carried_under_their_whole_names() {
    let stack = own(
        r#", "x": "https://example.org/x#", "owner": {"@id": "x:owner"}"#,
        r#", "owner": {"x:team": ["a", "b"], "x:lead": {"id": "https://example.org/people/1", "kind": "s:Person", "called": "Ada"}}, "x:tier": "front", "x:since": {"@value": "2026", "@type": "x:year"},
            "x:order": {"@list": [1, 2.5]}, "x:any": {"@type": "@json", "@value": {"k": null}}"#,
    );
    let annotations = serde_json::to_value(&stack.containers[0].annotations).unwrap();
    let expected = serde_json::json!({
        "https://example.org/x#owner": {
            "https://example.org/x#team": ["a", "b"],
            "https://example.org/x#lead": {
                "@id": "https://example.org/people/1", "@type": ["http://schema.org/Person"], "http://schema.org/name": "Ada"
            }
        },
        "https://example.org/x#tier": "front",
        "https://example.org/x#since": {"@type": "https://example.org/x#year", "@value": "2026"},
        "https://example.org/x#order": [1, 2.5],
        "https://example.org/x#any": {"k": null}
    });
    assert_eq!(annotations, expected);
}

#[test]
fn a_condition_belongs_to_the_one_who_waits() {
    let graph = |more: &str, condition: &str| {
        format!(
            r#"{{"@context": {{{OWN}, "waits": {{"@id": "g:dependsOn", "@type": "@id"}}}}, "@graph": [
            {{"kind": "dc:Stack", "id": "stack:s", "called": "s", "pieces": ["c:db", "c:web", "c:job"]}},
            {{"kind": "dc:Container", "id": "c:db", "called": "db", "picture": "i", {condition}
                "g:healthCheck": {{"g:checkType": "tcp", "g:port": 1}}}},
            {{"kind": "dc:Container", "id": "c:web", "called": "web", "picture": "i", {more}}},
            {{"kind": "dc:Container", "id": "c:job", "called": "job", "picture": "i", "waits": "c:web"}}]}}"#
        )
    };
    // Said where it is waited for.
    let nested = reads_generally(&graph(r#""waits": {"id": "c:db", "g:condition": "healthy"}"#, "")).stack;
    let first = |stack: &Stack, name: &str| stack.container(name).unwrap().depends_on[0].condition;
    assert_eq!((first(&nested, "web"), first(&nested, "job")), (Condition::Healthy, Condition::Started));
    // Said of the container, for which one other waits.
    let flat = reads_generally(&graph(r#""waits": "c:db""#, r#""g:condition": "healthy","#)).stack;
    assert_eq!(flat, nested);
    // Who says it twice is still the only one.
    let twice = r#""waits": ["c:db", {"id": "c:db"}], "g:dependsOn": {"@list": [{"id": "c:db"}]}"#;
    let flat = reads_generally(&graph(twice, r#""g:condition": "healthy","#)).stack;
    assert_eq!(first(&flat, "web"), Condition::Healthy);
    // Each has its own where it is said.
    let both = graph(r#""waits": {"id": "c:db", "g:condition": "healthy"}"#, "")
        .replace(r#""waits": "c:web""#, r#""waits": ["c:web", {"id": "c:db", "g:condition": "started"}]"#);
    let conditions = |name: &str| -> Vec<Condition> {
        let stack = reads_generally(&both).stack;
        stack.container(name).unwrap().depends_on.iter().map(|wait| wait.condition).collect()
    };
    assert_eq!((conditions("web"), conditions("job")), (vec![Condition::Healthy], vec![Condition::Started; 2]));
}

#[test]
fn containers_without_a_name_in_the_graph_are_known_by_their_names_in_the_stack() {
    let text = format!(
        r#"{{"@context": {{{OWN}}}, "kind": "dc:Stack", "id": "stack:s", "called": "s", "pieces": [
        {{"kind": "dc:Container", "id": "_:x", "called": "db", "picture": "i"}},
        {{"kind": "dc:Container", "called": "web", "picture": "i", "g:dependsOn": {{"id": "_:x"}}}}]}}"#
    );
    let stack = reads_generally(&text).stack;
    assert_eq!(stack.containers[0].id, "container:s/db");
    assert_eq!(stack.containers[1].depends_on[0].container, "db");
}

#[test]
fn variables_are_filled_in_after_expansion() {
    let stack = own("", r#", "g:environment": {"called": "A", "s:value": "${A:-1}"}, "g:image": "i:1""#);
    assert_eq!(stack.containers[0].environment[0].value, EnvValue::Literal("1".into()));
}
