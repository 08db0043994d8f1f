//! Every kind of mistake: its code, its place and its advice.
//!
//! In the sources below `«…»` encloses what the finding must mark; line, column and length follow from it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use graphium_core::{
    diagnostic::Diagnostic,
    document::{Code, ReadContext, read},
};
use std::collections::HashSet;

const NATIVE: &str = r#""@context": "https://graphium.io/context/v1.jsonld""#;
const LEGACY: &str = r#""@context": "https://schema.org""#;

/// The source without its marks, and where they were: line, column, length.
fn unmark(marked: &str) -> (String, (u32, u32, u32)) {
    let (before, rest) = marked.split_once('«').unwrap_or_else(|| panic!("no mark in {marked}"));
    let (inside, after) = rest.split_once('»').unwrap();
    let line = before.matches('\n').count() as u32 + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() as u32 + 1;
    (format!("{before}{inside}{after}"), (line, column, inside.chars().count() as u32))
}

fn findings(source: &str) -> Vec<Diagnostic> {
    match read(source, &ReadContext::default()) {
        Ok(reading) => reading.notes,
        Err(mistakes) => mistakes,
    }
}

/// Whether the document has this finding in its marked place, and no error anywhere else.
fn finds(code: &str, marked: &str, pointer: &str, help: &str) -> Result<(), String> {
    let (source, place) = unmark(marked);
    let found = findings(&source);
    let is_there = |f: &Diagnostic| (f.line, f.column, f.length) == place;
    let Some(finding) = found.iter().find(|f| f.code == code && is_there(f)) else {
        return Err(format!("`{code}` at {place:?} not found in\n{source}\nbut {found:#?}"));
    };
    let text = format!("{} {}", finding.message, finding.help.as_deref().unwrap_or_default());
    if finding.pointer != pointer || !text.contains(help) {
        return Err(format!("`{code}` at `{}` says `{text}`, which lacks `{help}`", finding.pointer));
    }
    match found.iter().find(|f| f.is_error() && !is_there(f)) {
        Some(other) => Err(format!("beside `{code}` there is {other:#?} in\n{source}")),
        None => Ok(()),
    }
}

/// A native stack with these keys of the stack, and a container with these keys.
fn stack(keys: &str, container: &str) -> String {
    format!(
        "{{{NATIVE}, \"@type\": \"datacenter:Stack\", \"@id\": \"stack:s\", \"name\": \"s\"{keys},\n\"hasPart\": [{{\"@id\": \"container:web\", \
         \"@type\": \"datacenter:Container\", \"name\": \"web\",\n{container}}}]}}"
    )
}

fn container(keys: &str) -> String {
    stack("", &format!("\"image\": \"nginx\", {keys}"))
}

/// The same as an older document.
fn older(text: &str) -> String {
    text.replace(NATIVE, LEGACY)
}

/// A native stack of these containers, each `name: keys`.
fn containers(keys: &str, containers: &[(&str, &str)]) -> String {
    let parts: Vec<String> = containers
        .iter()
        .map(|(name, keys)| {
            format!("{{\"@type\": \"datacenter:Container\", \"@id\": \"container:{name}\", \"name\": \"{name}\", \"image\": \"i\"{keys}}}")
        })
        .collect();
    format!(
        "{{{NATIVE}, \"@type\": \"datacenter:Stack\", \"@id\": \"stack:s\", \"name\": \"s\"{keys}, \"hasPart\": [\n{}]}}",
        parts.join(",\n")
    )
}

/// Every case: code, marked source, pointer, a part of message or help.
fn cases() -> Vec<(&'static str, String, &'static str, &'static str)> {
    let c = "/hasPart/0";
    let at = |path: &'static str| path;
    let mut cases = vec![
        // The text itself.
        ("syntax", "{\"a\": 1,«}»".to_owned(), "", "remove the comma"),
        ("syntax", "{\"a\"« »1}".replace("« »1", " «1»"), "", "expected `:`"),
        ("syntax", "[1 «2»]".to_owned(), "", "expected `,` or `]`"),
        ("syntax", "{\"a\": tru«}»".to_owned(), "", "a number, true, false or null"),
        ("syntax", "{«'»a': 1}".to_owned(), "", "JSON quotes with"),
        ("syntax", "{\n  «/»/ comment\n}".to_owned(), "", "no comments"),
        ("syntax", "{} «x»".to_owned(), "", "the end of the text"),
        ("lone-surrogate", "{\"a\": \"é«\\ud800»\"}".to_owned(), "", "half"),
        ("nul-character", container("\"user\": «\"a\\u0000\"»"), "/hasPart/0/user", "NUL"),
        ("number-out-of-range", container("\"replicas\": «1e999»"), "/hasPart/0/replicas", "1e999"),
        ("duplicate-key", container("\"user\": \"a\", «\"user\"»: \"b\""), "/hasPart/0/user", "stands twice"),
        // JSON-LD.
        (
            "unknown-context",
            container("").replace(", }", "}").replace(NATIVE, "\"@context\": «\"https://example.org/x\"»"),
            "/@context",
            "https://graphium.io/context/v1.jsonld",
        ),
        (
            "context-entry",
            with_context("{«\"@vocab\"»: \"https://schema.org/\"}"),
            "/@context/1/@vocab",
            "prefixes only",
        ),
        ("context-entry", with_context("{\"x\": «\"https://example.org/x\"»}"), "/@context/1/x", "ends in `#` or `/`"),
        (
            "context-entry",
            with_context("{\"x\": «{»\"@id\": \"https://example.org/x#\"}}"),
            "/@context/1/x",
            "terms cannot be defined",
        ),
        ("context-entry", with_context("«7»"), "/@context/1", "not a number"),
        ("context-place", container("«\"@context\"»: {}"), "/hasPart/0/@context", "top of the document"),
        ("unknown-keyword", container("«\"@typ\"»: \"x\""), "/hasPart/0/@typ", "did you mean `@type`?"),
        ("undeclared-prefix", container("«\"x:owner\"»: 1"), "/hasPart/0/x:owner", "\"x\": \"https"),
        (
            "missing-context",
            container("\"user\": \"a\"").replacen('{', "«{»", 1).replace(&format!("{NATIVE}, "), ""),
            "",
            "@context",
        ),
        // Keys.
        ("unknown-key", container("«\"usr\"»: \"a\""), "/hasPart/0/usr", "did you mean `user`?"),
        (
            "unknown-key",
            container("«\"depends_on\"»: []"),
            "/hasPart/0/depends_on",
            "Compose's `depends_on` is `dependsOn`",
        ),
        ("unknown-key", container("«\"mem_limit\"»: 1"), "/hasPart/0/mem_limit", "`resources.limits.memory`"),
        ("unknown-key", container("«\"cpus\"»: 1"), "/hasPart/0/cpus", "`cpus` belongs under `resources.limits`"),
        ("unknown-key", container("«\"build\"»: \".\""), "/hasPart/0/build", "push the image"),
        ("unknown-key", container("«\"executableName\"»: \"x\""), "/hasPart/0/executableName", "it is called `image`"),
        (
            "unknown-key",
            container("«\"placementStrategy\"»: \"x\""),
            "/hasPart/0/placementStrategy",
            "belongs to a deployment",
        ),
        ("unknown-key", container("\"resources\": {«\"cpu\"»: 1}"), "/hasPart/0/resources/cpu", "limits.cpus"),
        (
            "unknown-key",
            container("\"resources\": {\"limits\": {«\"disk\"»: 1}}"),
            "/hasPart/0/resources/limits/disk",
            "`cpus`, `memory`",
        ),
        ("unknown-key", stack(", «\"imgae\"»: 1", "\"image\": \"i\""), "/imgae", "unknown key `imgae` in a stack"),
        (
            "unknown-key",
            stack(", \"network\": {«\"createIfNotExists\"»: true}", "\"image\": \"i\""),
            "/network/createIfNotExists",
            "use `external`",
        ),
        (
            "unknown-key",
            container(
                "\"volumeMounts\": [{\"type\": \"volume\", \"source\": \"a\", \"target\": \"/a\", \"bindOptions\": «{»}}]",
            ),
            "/hasPart/0/volumeMounts/0/bindOptions",
            "`volumeOptions`",
        ),
        (
            "unknown-key",
            container("\"healthCheck\": {\"type\": \"tcp\", \"port\": 1, \"path\": «\"/\"»}"),
            "/hasPart/0/healthCheck/path",
            "no meaning",
        ),
        // Values.
        (
            "missing-image",
            stack("", "\"user\": \"a\"").replace("\"name\": \"web\"", "\"name\": «\"web\"»"),
            c,
            "add \"image\"",
        ),
        ("missing-image", stack("", "\"image\": «\"\"»"), "/hasPart/0/image", "empty"),
        (
            "missing-key",
            container("\"user\": \"a\"").replace("\"name\": \"s\",\n", "\n").replacen('{', "«{»", 1),
            "",
            "\"name\": \"s\"",
        ),
        ("missing-key", container("\"ports\": [«{»\"hostPort\": 80}]"), "/hasPart/0/ports/0", "`containerPort`"),
        (
            "missing-key",
            container("\"environment\": [«{»\"name\": \"A\"}]"),
            "/hasPart/0/environment/0",
            "`fromSecret`",
        ),
        ("missing-key", container("\"healthCheck\": «{»\"interval\": 1}"), "/hasPart/0/healthCheck", "checks nothing"),
        ("missing-key", container("\"healthCheck\": «{»\"type\": \"http\"}"), "/hasPart/0/healthCheck", "has no port"),
        (
            "empty-stack",
            container("")
                .replace(", }", "}")
                .split("\"hasPart\"")
                .next()
                .unwrap()
                .replace("\"name\": \"s\"", "\"name\": «\"s\"»")
                + "\"hasPart\": []}",
            "",
            "`hasPart`",
        ),
        ("wrong-type", container("\"user\": «7»"), "/hasPart/0/user", "write \"7\""),
        ("wrong-type", container("\"tty\": «\"yes\"»"), "/hasPart/0/tty", "true or false"),
        ("wrong-type", container("\"user\": «null»"), "/hasPart/0/user", "leave the key out"),
        (
            "wrong-type",
            container("\"command\": «\"nginx -g 'daemon off;'\"»"),
            "/hasPart/0/command",
            r#"["nginx","-g","daemon off;"]"#,
        ),
        (
            "wrong-type",
            container("\"ports\": [«\"8080:80\"»]"),
            "/hasPart/0/ports/0",
            "{\"containerPort\": 80, \"hostPort\": 8080}",
        ),
        ("wrong-type", container("\"environment\": «{»\"A\": \"b\"}"), "/hasPart/0/environment", "[{\"name\": \"A\""),
        (
            "wrong-type",
            container("\"environment\": [«\"A=b\"»]"),
            "/hasPart/0/environment/0",
            "{\"name\": \"A\", \"value\": \"b\"}",
        ),
        ("wrong-type", container("\"replicas\": «\"3\"»"), "/hasPart/0/replicas", "write 3 without quotes"),
        ("unknown-value", container("\"pullPolicy\": «\"alway\"»"), "/hasPart/0/pullPolicy", "did you mean `always`?"),
        (
            "unknown-value",
            container("\"ports\": [{\"containerPort\": 80, \"protocol\": «\"TCP\"»}]"),
            "/hasPart/0/ports/0/protocol",
            "`tcp`",
        ),
        (
            "unknown-restart-policy",
            container("\"restartPolicy\": «\"unless-stoped\"»"),
            "/hasPart/0/restartPolicy",
            "did you mean `unless-stopped`?",
        ),
        (
            "bad-port",
            container("\"ports\": [{\"containerPort\": «70000»}]"),
            "/hasPart/0/ports/0/containerPort",
            "1 to 65535",
        ),
        (
            "bad-port",
            container("\"ports\": [{\"containerPort\": 80, \"hostPort\": «0»}]"),
            "/hasPart/0/ports/0/hostPort",
            "leave `hostPort` out",
        ),
        ("bad-number", container("\"replicas\": «-1»"), "/hasPart/0/replicas", "at least 0"),
        (
            "bad-number",
            container("\"resources\": {\"limits\": {\"cpus\": «-1»}}"),
            "/hasPart/0/resources/limits/cpus",
            "negative",
        ),
        ("bad-size", container("\"shmSize\": «\"64 apples\"»"), "/hasPart/0/shmSize", "512M"),
        ("bad-duration", container("\"stopGracePeriod\": «\"soon\"»"), "/hasPart/0/stopGracePeriod", "1m30s"),
        (
            "bad-name",
            container("\"volumeMounts\": [{\"type\": \"volume\", \"source\": «\"/data\"», \"target\": \"/a\"}]"),
            "/hasPart/0/volumeMounts/0/source",
            "\"type\": \"bind\"",
        ),
        (
            "bad-name",
            container("\"user\": \"a\"").replace("\"name\": \"web\"", "\"name\": «\"日本\"»"),
            "/hasPart/0/name",
            "lower-case",
        ),
        (
            "bad-address",
            stack(", \"network\": {\"subnet\": «\"172.20.0.0\"»}", "\"image\": \"i\""),
            "/network/subnet",
            "172.20.0.0/16",
        ),
        (
            "bad-address",
            container("\"ports\": [{\"containerPort\": 80, \"hostIP\": «\"localhost\"»}]"),
            "/hasPart/0/ports/0/hostIP",
            "127.0.0.1",
        ),
        (
            "bad-path",
            container("\"volumeMounts\": [{\"type\": \"tmpfs\", \"target\": «\"tmp\"»}]"),
            "/hasPart/0/volumeMounts/0/target",
            "`/`",
        ),
        (
            "bad-form",
            container("\"healthCheck\": {\"command\": «[»\"CMD\"]}"),
            "/hasPart/0/healthCheck/command",
            "empty",
        ),
        ("unclosed-quote", older(&container("\"command\": «\"sh -c 'x\"»")), "/hasPart/0/command", "close it"),
        ("unset-variable", container("\"user\": «\"${WHO}\"»"), "/hasPart/0/user", "`WHO` is not set"),
        ("unset-variable", container("\"user\": «\"${WHO:?say who}\"»"), "/hasPart/0/user", "say who"),
        ("bad-variable", container("\"user\": «\"${WHO\"»"), "/hasPart/0/user", "`$$` is a plain `$`"),
        // The whole.
        ("no-stack", "«{»".to_owned() + NATIVE + ", \"@graph\": []}", "", "datacenter:Stack"),
        ("several-stacks", two_stacks(), "/@graph/1", "second stack"),
        (
            "stray-container",
            format!(
                "{{{NATIVE}, \"@graph\": [{STACK}, «{{»\"@type\": \"datacenter:Container\", \"@id\": \"c\", \"name\": \"c\", \"image\": \"i\"}}]}}"
            ),
            "/@graph/1",
            "`hasPart`",
        ),
        (
            "unknown-type",
            format!("{{{NATIVE}, \"@graph\": [{STACK}, {{\"@type\": «\"datacenter:Hoost\"», \"@id\": \"c\"}}]}}"),
            "/@graph/1/@type",
            "did you mean `datacenter:Host`?",
        ),
        (
            "ignored-node",
            format!(
                "{{\"@context\": [\"https://schema.org\", {{\"x\": \"https://example.org/x#\"}}], \"@graph\": [{STACK}, {{\"@type\": «\"x:Team\"», \"@id\": \"c\"}}]}}"
            ),
            "/@graph/1/@type",
            "not part of the stack",
        ),
        (
            "duplicate-name",
            containers("", &[("a", ""), ("b", "")]).replace("\"name\": \"b\"", "\"name\": «\"a\"»"),
            "/hasPart/1",
            "the name `a`",
        ),
        (
            "duplicate-name",
            containers("", &[("a", ""), ("b", "")])
                .replace("container:b", "container:a")
                .replace("\"name\": \"b\"", "\"name\": «\"b\"»"),
            "/hasPart/1",
            "container:a",
        ),
        (
            "unresolved-reference",
            containers("", &[("db", ""), ("cache", ""), ("web", ", \"dependsOn\": [«\"dbb\"»]")]),
            "/hasPart/2/dependsOn/0",
            "did you mean `db`? containers in this stack: `cache`, `db`, `web`",
        ),
        (
            "unresolved-reference",
            containers(", \"deployment\": {\"hostConstraints\": [{\"containerName\": «\"x\"»}]}", &[("db", "")]),
            "/deployment/hostConstraints/0/containerName",
            "containers in this stack",
        ),
        (
            "unresolved-reference",
            containers(
                ", \"secrets\": [\"token\"]",
                &[("db", ", \"environment\": «[»{\"name\": \"A\", \"fromSecret\": \"tokn\"}]")],
            ),
            "/hasPart/0/environment",
            "did you mean `token`?",
        ),
        (
            "unresolved-reference",
            format!(
                "{{{NATIVE}, \"@graph\": [{{\"@type\": \"Stack\", \"@id\": \"s\", \"name\": \"s\", \"hasPart\": [{{\"@type\": \"Container\", \"@id\": \"c\", \"name\": \"c\", \"image\": \"i\"}}, «{{»\"@id\": \"d\"}}]}}]}}"
            ),
            "/@graph/0/hasPart/1",
            "no container",
        ),
        (
            "ambiguous-reference",
            containers("", &[("a", ""), ("b", ", \"dependsOn\": [«\"a\"»]"), ("c", "")]).replace("container:c", "a"),
            "/hasPart/1/dependsOn/0",
            "`a`, `c`",
        ),
        (
            "dependency-cycle",
            containers(
                "",
                &[
                    ("a", ", \"dependsOn\": [«\"b\"»]"),
                    ("b", ", \"dependsOn\": [\"c\"]"),
                    ("c", ", \"dependsOn\": [\"a\"]"),
                ],
            ),
            "/hasPart/0/dependsOn/0",
            "`a` → `b` → `c` → `a`",
        ),
        (
            "dependency-cycle",
            containers("", &[("a", ", \"dependsOn\": [«\"a\"»]")]),
            "/hasPart/0/dependsOn/0",
            "waits for itself",
        ),
        (
            "healthy-without-check",
            containers("", &[("a", ", \"dependsOn\": [«{»\"@id\": \"b\", \"condition\": \"healthy\"}]"), ("b", "")]),
            "/hasPart/0/dependsOn/0",
            "`healthCheck`",
        ),
        (
            "host-port-clash",
            containers(", \"locatedInHost\": \"vm1\"", &[("a", PUBLISHED), ("b", MARKED)]),
            "/hasPart/1/ports/0/hostPort",
            "`a` and `b` both publish port 80",
        ),
        (
            "host-port-clash",
            containers(", \"deployment\": {\"mode\": \"single-host\"}", &[("a", PUBLISHED), ("b", MARKED)]),
            "/hasPart/1/ports/0/hostPort",
            "port 80",
        ),
        (
            "host-port-clash",
            containers(
                "",
                &[(
                    "a",
                    ", \"ports\": [{\"containerPort\": 1, \"hostPort\": 80}, {\"containerPort\": 2, \"hostPort\": «80»}]",
                )],
            ),
            "/hasPart/0/ports/1/hostPort",
            "twice",
        ),
        (
            "port-mismatch",
            older(&container(
                "\"ports\": [{\"@type\": \"PropertyValue\", \"value\": \"80\", \"description\": «\"8080:81\"»}]",
            )),
            "/hasPart/0/ports/0/description",
            "8080:80",
        ),
        (
            "host-conflict",
            containers(
                ", \"deployment\": {\"hostConstraints\": [{\"containerName\": \"a\", \"targetHost\": «\"vm2\"»}]}",
                &[("a", ", \"locatedInHost\": \"host:vm1\"")],
            ),
            "/deployment/hostConstraints/0/targetHost",
            "`vm1`",
        ),
        (
            "volume-conflict",
            stack(", \"volumes\": [{\"name\": \"v\"}, «{»\"name\": \"v\", \"driver\": \"nfs\"}]", "\"image\": \"i\""),
            "/volumes/1",
            "twice",
        ),
        (
            "reservation-over-limit",
            container("\"resources\": «{»\"limits\": {\"memory\": 1}, \"reservations\": {\"memory\": 2}}"),
            "/hasPart/0/resources",
            "memory",
        ),
        (
            "overlay-unsupported",
            stack(", \"deployment\": {\"networkMode\": «\"overlay\"»}", "\"image\": \"i\""),
            "/deployment/networkMode",
            "host-port",
        ),
        (
            "overlay-unsupported",
            stack(", \"network\": {\"driver\": «\"overlay\"»}", "\"image\": \"i\""),
            "/network/driver",
            "bridge",
        ),
        // Notes and warnings.
        (
            "relative-source",
            container("\"volumeMounts\": [{\"type\": \"bind\", \"source\": «\"./a\"», \"target\": \"/a\"}]"),
            "/hasPart/0/volumeMounts/0/source",
            "relative",
        ),
        ("alias", older(&stack("", "«\"executableName\"»: \"i\"")), "/hasPart/0/executableName", "`image`"),
        (
            "older-form",
            older(&container("\"environment\": «{»\"A\": \"b\"}")),
            "/hasPart/0/environment",
            "[{\"name\": \"A\"",
        ),
        (
            "derived-id",
            container("\"user\": \"a\"")
                .replace("\"@id\": \"container:web\", ", "")
                .replace("\"name\": \"web\"", "\"name\": «\"web\"»"),
            c,
            "container:s/web",
        ),
        (
            "changed-name",
            container("\"user\": \"a\"").replace("\"name\": \"web\"", "\"name\": «\"My Web\"»"),
            "/hasPart/0/name",
            "my-web",
        ),
        (
            "ignored-key",
            with_context("{\"x\": \"https://example.org/x#\"}")
                .replace("\"user\": \"a\"", "\"ports\": [{\"containerPort\": 1, «\"x:a\"»: 2}]"),
            "/hasPart/0/ports/0/x:a",
            "not carried",
        ),
        (
            "ignored-key",
            older(&stack(", \"deployment\": {«\"comment\"»: \"x\"}", "\"image\": \"i\"")),
            "/deployment/comment",
            "comment",
        ),
    ];
    cases.push(("wrong-type", "«[»]".to_owned(), at(""), "is an object"));
    cases
}

const STACK: &str = r#"{"@type": "datacenter:Stack", "@id": "stack:s", "name": "s", "hasPart": [{"@type": "datacenter:Container", "@id": "container:a", "name": "a", "image": "i"}]}"#;
const PUBLISHED: &str = r#", "ports": [{"containerPort": 80, "hostPort": 80}]"#;
const MARKED: &str = r#", "ports": [{"containerPort": 80, "hostPort": «80»}]"#;

fn with_context(entry: &str) -> String {
    container("\"user\": \"a\"")
        .replace(NATIVE, &format!("\"@context\": [\"https://graphium.io/context/v1.jsonld\", {entry}]"))
}

fn two_stacks() -> String {
    format!("{{{NATIVE}, \"@graph\": [{STACK}, {}]}}", STACK.replacen('{', "«{»", 1))
}

#[test]
fn every_kind_of_mistake_is_found_in_its_place() {
    let wrong: Vec<String> =
        cases().iter().filter_map(|(code, marked, pointer, help)| finds(code, marked, pointer, help).err()).collect();
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases().len(), wrong.join("\n\n"));
}

#[test]
fn every_code_has_a_case() {
    // Those about sheer size are in `documents_guards.rs`.
    let elsewhere = ["too-large", "too-deep", "too-many-nodes", "invalid-utf8", "more-findings"];
    let shown: HashSet<&str> = cases().iter().map(|(code, ..)| *code).chain(elsewhere).collect();
    let missing: Vec<_> = Code::ALL.iter().map(|code| code.as_str()).filter(|code| !shown.contains(code)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn twenty_mistakes_are_twenty_findings_in_the_order_of_the_text() {
    let keys: Vec<String> = (0..20).map(|number| format!("\n\"nothing{number}\": 1")).collect();
    let found = findings(&container(&keys.join(",")));
    let errors: Vec<_> = found.iter().filter(|finding| finding.is_error()).collect();
    assert_eq!(errors.len(), 20);
    assert!(found.is_sorted_by_key(|finding| (finding.line, finding.column)));
}
