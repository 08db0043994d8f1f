//! Mistakes in the text itself, in keys and in values.

use super::common::*;

/// Code, marked source, pointer, a part of message or help.
pub(crate) fn cases() -> Vec<(&'static str, String, &'static str, &'static str)> {
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
        ("wrong-type", stack(", \"network\": «\"inner\"»", "\"image\": \"i\""), "/network", "write {\"name\""),
        ("wrong-type", container("\"healthCheck\": «[»\"CMD\", \"x\"]"), "/hasPart/0/healthCheck", "\"command\": […]"),
        ("wrong-type", container("\"resources\": «\"512M\"»"), "/hasPart/0/resources", "write {\"limits\""),
        ("wrong-type", container("\"logging\": «\"local\"»"), "/hasPart/0/logging", "write {\"driver\""),
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
            older(&stack(", \"network\": {\"gateway\": «true»}", "\"image\": \"i\"")),
            "/network/gateway",
            "`true` is not an address",
        ),
        (
            "bad-address",
            stack(", \"network\": {\"gateway\": «\"${GATEWAY:-nowhere}\"»}", "\"image\": \"i\""),
            "/network/gateway",
            "`${GATEWAY:-nowhere}` is not an address",
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
    ];
    cases.push(("wrong-type", "«[»]".to_owned(), at(""), "is an object"));
    cases
}
