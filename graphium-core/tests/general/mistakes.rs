//! Mistakes in general documents: the node and the property are named, and the place is that of the source.
//!
//! In the sources below `«…»` encloses what the finding must mark, as in `documents/mistakes`.

use graphium_core::document::{ReadContext, read};

const OWN: &str = r#""g": "https://graphium.io/vocab/stack#", "dc": "https://graphium.io/vocab/datacenter#", "s": "http://schema.org/",
    "x": "https://example.org/x#", "id": "@id", "kind": "@type", "called": "s:name", "picture": {"@id": "g:image"},
    "pieces": {"@id": "s:hasPart", "@type": "@id"}, "run": {"@id": "g:command", "@container": "@list"}, "label": {"@id": "g:imgae"}, "doors": "g:ports", "outer": "g:hostPort", "inner": "https://graphium.io/vocab/stack#containerPort", "awaits": {"@id": "g:dependsOn", "@type": "@id"}"#;

fn document(keys: &str) -> String {
    format!(
        "{{\"@context\": {{{OWN}}},\n\"kind\": \"dc:Stack\", \"id\": \"stack:s\", \"called\": \"s\",\n\
         \"pieces\": [{{\"kind\": \"dc:Container\", \"id\": \"container:c\", \"called\": \"c\", {keys}}}]}}"
    )
}

fn container(keys: &str) -> String {
    document(&format!("\"picture\": \"i:1\", {keys}"))
}

/// Code, marked source, pointer, a part of message or help.
fn cases() -> Vec<(&'static str, String, &'static str, &'static str)> {
    let c = "/pieces/0";
    vec![
        // Values of the wrong kind.
        ("wrong-type", container("\"g:user\": «7»"), "/pieces/0/g:user", "(`user` of `container:c`)"),
        ("wrong-type", container("\"g:tty\": «\"yes\"»"), "/pieces/0/g:tty", "true or false"),
        (
            "bad-port",
            container("\"g:ports\": [{\"g:containerPort\": 80}, {\"g:containerPort\": «70000»}]"),
            "/pieces/0/g:ports/1/g:containerPort",
            "(`ports.containerPort` of `container:c`)",
        ),
        (
            "unknown-value",
            container("\"g:pullPolicy\": {\"@value\": «\"alway\"»}"),
            "/pieces/0/g:pullPolicy/@value",
            "did you mean `always`?",
        ),
        ("unset-variable", container("\"g:user\": «\"${WHO}\"»"), "/pieces/0/g:user", "`WHO` is not set"),
        ("missing-key", container("\"g:ports\": «{»\"g:hostPort\": 80}"), "/pieces/0/g:ports", "`containerPort`"),
        (
            "missing-image",
            document("\"g:user\": \"a\"").replace("\"called\": \"c\"", "\"called\": «\"c\"»"),
            "/pieces/0",
            "add \"image\"",
        ),
        (
            "wrong-type",
            container("\"g:user\": «{»\"id\": \"https://example.org/me\"}"),
            "/pieces/0/g:user",
            "`https://example.org/me`",
        ),
        (
            "wrong-type",
            container("\"g:labels\": «{»\"x:a\": \"1\"}"),
            "/pieces/0/g:labels",
            "give the term \"@type\": \"@json\"",
        ),
        (
            "wrong-type",
            container("\"g:user\": {\"@value\": «\"a\"», \"@type\": \"x:name\"}"),
            "/pieces/0/g:user/@value",
            "`https://example.org/x#name`",
        ),
        ("duplicate-key", container("\"g:user\": [\"a\", «\"b\"»]"), "/pieces/0/g:user/1", "`user` has 2 values"),
        ("bad-form", container("\"g:args\": [«\"a\"», \"b\"]"), "/pieces/0/g:args/0", "\"@container\": \"@list\""),
        (
            "unresolved-reference",
            container("\"g:dependsOn\": [{\"id\": «\"container:d\"»}]"),
            "/pieces/0/g:dependsOn/0/id",
            "`container:d`, which this stack does not define",
        ),
        (
            "unresolved-reference",
            container("\"g:dependsOn\": «{»\"id\": \"_:nobody\"}"),
            "/pieces/0/g:dependsOn",
            "neither an `@id` nor a name",
        ),
        (
            "bad-port",
            container(
                "\"@context\": {\"open\": {\"@id\": \"g:ports\", \"@container\": \"@index\"}}, \"open\": {\"web\": {\"g:containerPort\": «0»}}",
            ),
            "/pieces/0/open/web/g:containerPort",
            "(`ports.containerPort` of `container:c`)",
        ),
        // Keys.
        ("unknown-key", container("«\"usr\"»: \"a\""), "/pieces/0/usr", "https://graphium.io/vocab/stack#user"),
        ("unknown-key", container("«\"user\"»: \"a\""), "/pieces/0/user", "does not define `user`"),
        ("unknown-key", container("«\"g:imgae\"»: \"a\""), "/pieces/0/g:imgae", "did you mean `image`?"),
        ("unknown-key", container("«\"g:cpus\"»: 1"), "/pieces/0/g:cpus", "`cpus` belongs under `resources.limits`"),
        (
            "undeclared-prefix",
            container("«\"docker:user\"»: \"a\""),
            "/pieces/0/docker:user",
            "\"docker\": \"https://graphium.io/vocab/docker#\"",
        ),
        (
            "ignored-key",
            container("\"g:ports\": {\"g:containerPort\": 1, «\"x:a\"»: 2}"),
            "/pieces/0/g:ports/x:a",
            "not carried",
        ),
        // Under the document's own terms.
        ("unknown-key", container("«\"label\"»: \"i:1\""), "/pieces/0/label", "(`label` is `imgae` of `container:c`)"),
        (
            "wrong-type",
            container("\"g:user\": \"7\", \"picture\": «7»").replacen("\"picture\": \"i:1\", ", "", 1),
            "/pieces/0/picture",
            "(`picture` is `image` of `container:c`)",
        ),
        (
            "bad-port",
            container("\"doors\": {\"inner\": 80, \"outer\": «70000»}"),
            "/pieces/0/doors/outer",
            "(`outer` is `ports.hostPort` of `container:c`)",
        ),
        (
            "missing-key",
            container("\"doors\": [{\"inner\": 80}, «{»\"outer\": 81}]"),
            "/pieces/0/doors/1",
            "(`ports` of `container:c`)",
        ),
        (
            "unresolved-reference",
            container("\"awaits\": [«\"container:d\"»]"),
            "/pieces/0/awaits/0",
            "`container:d`, which this stack does not define",
        ),
        // Types and nodes.
        (
            "unknown-type",
            container("\"g:user\": \"a\"").replace("\"dc:Container\"", "«\"Container\"»"),
            "/pieces/0/kind",
            "\"Container\": \"https://graphium.io/vocab/datacenter#Container\"",
        ),
        ("no-stack", "[«{»\"http://schema.org/name\": [{\"@value\": \"x\"}]}]".to_owned(), "", ""),
        (
            "unknown-context",
            container("\"@context\": «\"https://example.org/context\"»"),
            "/pieces/0/@context",
            "https://graphium.io/context/v1.jsonld",
        ),
        (
            "unknown-context",
            container("\"@context\": {\"a\": {\"@id\": \"x:a\", \"@context\": «\"https://schema.org\"»}}"),
            "/pieces/0/@context/a/@context",
            "at the top of older documents only",
        ),
        (
            "context-entry",
            container("\"@context\": {\"@import\": «\"https://graphium.io/context/v1.jsonld\"»}"),
            "/pieces/0/@context/@import",
            "nothing is imported",
        ),
        (
            "context-entry",
            container("\"@context\": {\"a\": {\"@id\": \"x:a\", «\"@contianer\"»: \"@list\"}}"),
            "/pieces/0/@context/a/@contianer",
            "did you mean `@container`?",
        ),
        ("context-entry", container("\"@context\": «7»"), "/pieces/0/@context", "not a number"),
        ("duplicate-key", container("\"g:user\": \"a\", «\"g:user\"»: \"a\""), "/pieces/0/g:user", "stands twice"),
        (
            "derived-id",
            container("\"g:user\": \"a\"")
                .replace("\"id\": \"container:c\", ", "")
                .replace("\"called\": \"c\"", "\"called\": «\"c\"»"),
            c,
            "container:s/c",
        ),
    ]
}

#[test]
fn every_mistake_names_its_node_and_is_found_in_its_place() {
    let wrong: Vec<String> = cases()
        .into_iter()
        .filter(|(code, ..)| *code != "no-stack")
        .filter_map(|(code, marked, pointer, help)| finds(code, &marked, pointer, help).err())
        .collect();
    assert!(wrong.is_empty(), "{} cases:\n{}", wrong.len(), wrong.join("\n\n"));
}

fn finds(code: &str, marked: &str, pointer: &str, help: &str) -> Result<(), String> {
    let (before, rest) = marked.split_once('«').unwrap();
    let (inside, after) = rest.split_once('»').unwrap();
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap().chars().count() as u32 + 1;
    let source = format!("{before}{inside}{after}");
    let place = (line, column, inside.chars().count() as u32);
    let found = match read(&source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => mistakes,
    };
    let shown: Vec<String> =
        found.iter().map(|f| format!("{} {f} @{}:{}+{} {}", f.code, f.line, f.column, f.length, f.pointer)).collect();
    let there = found.iter().find(|f| f.code == code && (f.line, f.column, f.length) == place);
    let Some(finding) = there else { return Err(format!("{code} at {place:?} in\n{source}\n{}", shown.join("\n"))) };
    let text = format!("{} {}", finding.message, finding.help.as_deref().unwrap_or_default());
    if !text.contains(help) || finding.pointer != pointer {
        return Err(format!("{code}: `{}`: {text} lacks {help}", finding.pointer));
    }
    match found.iter().find(|f| f.is_error() && f.code != code) {
        Some(_) => Err(format!("beside {code} in\n{source}\n{}", shown.join("\n"))),
        None => Ok(()),
    }
}

#[test]
fn all_mistakes_are_told_at_once_and_in_the_order_of_the_text() {
    let keys: Vec<String> = (0..20).map(|number| format!("\n\"g:nothing{number}\": 1, \"g:{number}\": true")).collect();
    let mistakes = read(container(&keys.join(",")), &ReadContext::default()).unwrap_err();
    assert_eq!(mistakes.len(), 40, "{mistakes:#?}");
    assert!(mistakes.is_sorted_by_key(|mistake| (mistake.line, mistake.column)));
    assert!(mistakes.iter().all(|mistake| mistake.message.contains("`container:c`")));
    assert!((6..=26).contains(&mistakes[39].line));
}

#[test]
fn the_places_of_a_flattened_document_are_those_of_its_nodes() {
    let source = r#"[
  {"@id": "_:b1", "https://graphium.io/vocab/stack#containerPort": [{"@value": 80}]},
  {"@id": "_:b2", "https://graphium.io/vocab/stack#containerPort": [{"@value": 0}]},
  {"@id": "stack:s", "@type": ["https://graphium.io/vocab/datacenter#Stack"], "http://schema.org/name": [{"@value": "s"}],
   "http://schema.org/hasPart": [{"@id": "container:c"}]},
  {"@id": "container:c", "@type": ["https://graphium.io/vocab/datacenter#Container"], "http://schema.org/name": [{"@value": "c"}],
   "https://graphium.io/vocab/stack#image": [{"@value": "i"}],
   "https://graphium.io/vocab/stack#ports": [{"@id": "_:b1"}, {"@id": "_:b2"}]}
]"#;
    let mistakes = read(source, &ReadContext::default()).unwrap_err();
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
    assert_eq!((mistake.code.as_ref(), mistake.line, mistake.column), ("bad-port", 3, 80));
    assert_eq!(mistake.pointer, "/1/https:~1~1graphium.io~1vocab~1stack#containerPort/0/@value");
    assert!(mistake.message.ends_with("(`ports.containerPort` of `container:c`)"), "{}", mistake.message);
}

#[test]
fn a_container_that_several_wait_for_has_no_condition_of_its_own() {
    let source = document("\"picture\": \"i\", \"g:condition\": \"started\"").replace(
        "]}",
        ", {\"kind\": \"dc:Container\", \"id\": \"a\", \"called\": \"a\", \"picture\": \"i\", \"g:dependsOn\": {\"id\": \"container:c\"}},\
         {\"kind\": \"dc:Container\", \"id\": \"b\", \"called\": \"b\", \"picture\": \"i\", \"g:dependsOn\": {\"id\": \"container:c\"}}]}",
    );
    let mistakes = read(source, &ReadContext::default()).unwrap_err();
    assert!(mistakes.iter().all(|mistake| mistake.code == "ambiguous-reference"), "{mistakes:#?}");
    assert_eq!(mistakes.len(), 2);
    let pointers: Vec<&str> = mistakes.iter().map(|mistake| mistake.pointer.as_str()).collect();
    assert_eq!(pointers, ["/pieces/1/g:dependsOn", "/pieces/2/g:dependsOn"]);
    let help = mistakes[0].help.as_deref().unwrap();
    assert!(help.contains(r#"{"@id": "container:c", "condition": …}"#), "{help}");
}

#[test]
fn a_stack_that_is_waited_for_has_no_condition() {
    let waits = |condition: &str| {
        let own = OWN.replace("\"id\": \"@id\"", "\"id\": \"@id\", \"dependsOn\": \"g:dependsOn\"");
        document("\"picture\": \"i\"").replace(OWN, &own).replace(
            "\"called\": \"s\"",
            &format!("\"called\": \"s\", \"dependsOn\": {{\"id\": \"stack:base\"{condition}}}"),
        )
    };
    assert_eq!(read(waits(""), &ReadContext::default()).unwrap().stack.depends_on.len(), 1);
    let nested = waits(", \"g:condition\": \"healthy\"");
    let flat = format!(
        "[{}, {{\"@id\": \"stack:base\", \"https://graphium.io/vocab/stack#condition\": \"healthy\"}}]",
        waits("")
    );
    for source in [nested, flat] {
        let mistakes = read(&source, &ReadContext::default()).unwrap_err();
        let [mistake] = mistakes.as_slice() else { panic!("{source}\n{mistakes:#?}") };
        assert_eq!(mistake.code, "unknown-key", "{mistake}");
        assert!(mistake.message.contains("`condition`"), "{mistake}");
    }
}

#[test]
fn nodes_of_other_types_are_told_and_left_out() {
    let source = format!(
        "{{\"@context\": {{{OWN}}}, \"@graph\": [{{\"kind\": \"x:Team\", \"id\": \"team:1\", \"called\": \"t\"}},\n{{\"kind\": \"dc:Stack\", \
         \"id\": \"s\", \"called\": \"s\", \"pieces\": [{{\"kind\": [\"dc:Container\", \"x:App\"], \"id\": \"c\", \"called\": \"c\", \"picture\": \"i\"}}]}}]}}"
    );
    let reading = read(&source, &ReadContext::default()).unwrap();
    let [note] = reading.notes.as_slice() else { panic!("{:#?}", reading.notes) };
    assert_eq!((note.code.as_ref(), note.line, note.pointer.as_str()), ("ignored-node", 3, "/@graph/0"));
    // A type of somebody else's is none of a container, whatever it is called.
    let foreign = source.replace("[\"dc:Container\", \"x:App\"]", "\"x:Container\"");
    assert!(read(foreign, &ReadContext::default()).unwrap_err().iter().any(|mistake| mistake.code == "unknown-type"));
}

#[test]
fn an_iri_that_encodes_no_text_is_told_in_its_place() {
    // Found by fuzzing: the processor compares IRIs by what they encode, and panics.
    let source = container("\"pie%ce\": 1, \"g:user\": \"100%\", \"x:%ff\": 1, \"x:%fe\": 2");
    let mistakes = read(&source, &ReadContext::default()).unwrap_err();
    let [mistake] = mistakes.as_slice() else { panic!("{mistakes:#?}") };
    assert_eq!((mistake.code.as_ref(), mistake.pointer.as_str()), ("unsound-json-ld", "/pieces/0/pie%ce"));
    assert!(mistake.message.contains("percent signs"), "{mistake}");
    // In a text it is text.
    assert!(read(container("\"g:user\": \"100%ff\""), &ReadContext::default()).is_ok());
}

#[test]
fn what_the_processor_refuses_is_told_with_its_reason() {
    for (keys, why) in [
        ("\"@context\": {\"a\": {\"@id\": \"x:a\", \"@container\": \"@value\"}}", ""),
        ("\"g:user\": {\"@value\": \"a\", \"@type\": \"x:t\", \"@language\": \"en\"}", "value object"),
        ("\"@reverse\": 1", "`@reverse`"),
    ] {
        let mistakes = read(container(keys), &ReadContext::default()).unwrap_err();
        let unsound = mistakes
            .iter()
            .find(|mistake| mistake.code == "unsound-json-ld")
            .unwrap_or_else(|| panic!("{mistakes:#?}"));
        assert!(unsound.message.contains(why), "{}", unsound.message);
    }
}
