//! Mistakes of the whole, notes and warnings.

use super::common::*;

/// Code, marked source, pointer, a part of message or help.
pub(crate) fn cases() -> Vec<(&'static str, String, &'static str, &'static str)> {
    let c = "/hasPart/0";
    vec![
        // The whole.
        ("no-stack", "«{»}".to_owned(), "", r#"is empty write {"@context":"https://graphium.io/context/v1.jsonld","@type":"datacenter:Stack""#),
        (
            "no-stack",
            r#"{"name": "shop", «"services"»: {"web": {"image": "nginx"}, "db": {"build": "."}, "c": {}}, "volumes": {}}"#.to_owned(),
            "/services",
            concat!(
                r#""name":"shop","hasPart":[{"@type":"datacenter:Container","name":"web","image":"nginx"},"#,
                r#"{"@type":"datacenter:Container","name":"db","image":"…"},"…"]}"#
            ),
        ),
        ("missing-key", format!("«{{»{NATIVE}, \"name\": \"s\", \"@id\": \"s\", \"hasPart\": {{\"@type\": \"Container\", \"name\": \"c\", \"@id\": \"c\", \"image\": \"i\"}}}}"), "", "datacenter:Stack"),
        ("unset-variable", container("\"user\": «\"${NOBODY:?}\"»"), "/hasPart/0/user", "the variable `NOBODY` is not set"),
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
            "two containers have the name `a`, the first at 2:65",
        ),
        (
            "duplicate-name",
            containers("", &[("a", ""), ("b", "")]).replace("\"container:b\"", "«\"container:a\"»"),
            "/hasPart/1/@id",
            "two containers have the `@id` `container:a`, the first at 2:42",
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
            containers(
                ", \"secrets\": [\"token\"]",
                &[(
                    "db",
                    ", \"volumeMounts\": «[»{\"type\": \"secret\", \"source\": \"tokn\", \"target\": \"/run/secrets/token\"}]",
                )],
            ),
            "/hasPart/0/volumeMounts",
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
            "dependency-cycle",
            containers("", &[("a", ", \"dependsOn\": [{\"@id\": «\"a\"», \"condition\": \"started\"}]")]),
            "/hasPart/0/dependsOn/0/@id",
            "waits for itself",
        ),
        (
            "unresolved-reference",
            containers("", &[("a", ", \"dependsOn\": {\"@id\": «\"b\"»}")]),
            "/hasPart/0/dependsOn/@id",
            "does not define",
        ),
        (
            "healthy-without-check",
            containers("", &[("a", ", \"dependsOn\": [{\"@id\": \"b\", \"condition\": «\"healthy\"»}]"), ("b", "")]),
            "/hasPart/0/dependsOn/0/condition",
            "`healthCheck`",
        ),
        (
            "healthy-without-check",
            containers(
                "",
                &[
                    ("a", ", \"dependsOn\": [{\"@id\": \"b\", \"condition\": «\"healthy\"»}]"),
                    ("b", ", \"healthCheck\": {\"command\": [\"NONE\"]}"),
                ],
            ),
            "/hasPart/0/dependsOn/0/condition",
            "one that its image has is not seen here",
        ),
        (
            "never-completes",
            containers(
                "",
                &[
                    ("a", ", \"dependsOn\": [{\"@id\": \"b\", \"condition\": «\"completed\"»}]"),
                    ("b", ", \"restartPolicy\": \"always\""),
                ],
            ),
            "/hasPart/0/dependsOn/0/condition",
            "its restart policy is `always` let `b` restart `no` or `on-failure`",
        ),
        (
            "never-completes",
            containers(
                "",
                &[
                    ("job", ", \"restartPolicy\": \"unless-stopped\""),
                    ("b", ", \"dependsOn\": [{\"@id\": \"job\", \"condition\": «\"completed\"»}]"),
                ],
            ),
            "/hasPart/1/dependsOn/0/condition",
            "`unless-stopped`",
        ),
        (
            "start-first-port",
            containers(
                ", \"locatedInHost\": \"vm1\", \"deployment\": {\"update\": {\"order\": \"start-first\"}}",
                &[("a", MARKED)],
            ),
            "/hasPart/0/ports/0/hostPort",
            "port 80 on one host use the update order `stop-first`",
        ),
        (
            "start-first-port",
            containers(
                ", \"deployment\": {\"mode\": \"single-host\", \"update\": {\"order\": \"start-first\"}}",
                &[("a", MARKED)],
            ),
            "/hasPart/0/ports/0/hostPort",
            "`stop-first`",
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
            "host-conflict",
            containers(
                ", \"deployment\": {\"hostConstraints\": [{\"containerName\": \"a\", \"targetHost\": \"host:vm1\"}, \
                 {\"containerName\": \"a\", \"targetHost\": «\"vm2\"»}]}",
                &[("a", "")],
            ),
            "/deployment/hostConstraints/1/targetHost",
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
            container("\"resources\": «{»\"limits\": {\"memory\": \"64M\"}, \"reservations\": {\"memory\": \"65M\"}}"),
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
        (
            "ignored-key",
            container(
                "\"volumeMounts\": [{\"type\": \"tmpfs\", \"source\": «\"cache\"», \"target\": \"/tmp\"}]",
            ),
            "/hasPart/0/volumeMounts/0/source",
            "tmpfs",
        ),
    ]
}
