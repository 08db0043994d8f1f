//! Mistakes in texts that have a form of their own.

use super::common::*;

type Case = (&'static str, String, &'static str, &'static str);

/// Code, marked source, pointer, a part of message or help.
pub(crate) fn cases() -> Vec<Case> {
    [images(), ports(), modes(), engine(), networks(), ids(), types()].concat()
}

fn images() -> Vec<Case> {
    let cases = [
        ("NGINX", "its repository `NGINX` is not in lower case write \"nginx\""),
        ("nginx:", "its tag is empty write \"nginx\""),
        (":x", "it has no repository an image is `[registry[:port]/]name[:tag][@digest]`"),
        ("nginx:a:b", "its tag `a:b` has characters that none may have"),
        ("nginx@sha256:zz", "its digest `sha256:zz` is not hexadecimal digits"),
        ("nginx@sha256:00", "as many digits as its algorithm makes"),
        ("http://x/y", "it begins with the scheme `http` of a web address write \"x/y\""),
        ("a b", "it has white space"),
        // What a variable brings in is checked, too, and shown nowhere.
        ("${IMAGE:-NGINX}", "`${IMAGE:-NGINX}` is no image: its repository is not in lower case a repository is"),
        ("nginx:${TAG:-}", "`nginx:${TAG:-}` is no image: its tag is empty"),
    ];
    let marked = |image: &str| stack("", &format!("\"image\": «\"{image}\"»"));
    let mut cases: Vec<Case> =
        cases.into_iter().map(|(image, help)| ("bad-form", marked(image), "/hasPart/0/image", help)).collect();
    cases.push(("missing-image", marked("${IMAGE:-}"), "/hasPart/0/image", "the image is empty"));
    cases
}

fn ports() -> Vec<Case> {
    let cases = [
        ("port-mismatch", "80", "127.0.0.1:8080:81", "`value` says 80, and `description` maps 81 write \"8080:80\""),
        ("port-mismatch", "80", "8000-8010:80-90", "`value` says 80, and `description` maps 80-90"),
        ("port-mismatch", "80-81", "8000-8010:80-81", "`8000-8010` and `80-81` are not of one length"),
        ("port-mismatch", "80", "8000-8010:80", "each port inside has one outside"),
        ("port-mismatch", "80/tcp", "8080:80/udp", "`value` says `tcp`, and `description` says `udp`"),
        ("bad-address", "80", "localhost:8080:80", "`localhost` is no IP address"),
        ("bad-port", "80", "0:80", "`0` is no port"),
        ("bad-port", "80", "90-80:80", "`90-80` is no port"),
        ("bad-port", "80", "${PORT:-http}:80", "`${PORT:-http}:80` maps no port"),
        ("unknown-value", "80", "8080:80/icmp", "`icmp` is no protocol"),
    ];
    let marked = |value: &str, map: &str| {
        older(&container(&format!("\"ports\": [{{\"value\": \"{value}\", \"description\": «\"{map}\"»}}]")))
    };
    let pointer = "/hasPart/0/ports/0/description";
    let mut cases: Vec<Case> =
        cases.into_iter().map(|(code, value, map, help)| (code, marked(value, map), pointer, help)).collect();
    cases.push((
        "wrong-type",
        container("\"ports\": [«\"127.0.0.1:53:53/udp\"»]"),
        "/hasPart/0/ports/0",
        "{\"containerPort\": 53, \"hostPort\": 53, \"protocol\": \"udp\", \"hostIP\": \"127.0.0.1\"}",
    ));
    cases
}

/// A container `a`, and one that says this of its modes and, in an older document, nothing else.
fn sharing(keys: &str) -> String {
    containers("", &[("a", ""), ("b", &format!(", {keys}"))])
}

fn modes() -> Vec<Case> {
    let cases = [
        ("unresolved-reference", "networkMode", "container:a", "write \"networkMode\": \"container:s-a\""),
        ("unresolved-reference", "networkMode", "container:container:a", "write \"networkMode\": \"container:s-a\""),
        ("unresolved-reference", "networkMode", "container:s-b", "is the container itself"),
        ("unresolved-reference", "pid", "container:a", "write \"pid\": \"container:s-a\""),
        ("unresolved-reference", "networkMode", "${M:-container:a}", "`${M:-container:a}` is what the document calls"),
        ("bad-form", "networkMode", "container:", "names no container"),
        (
            "unknown-value",
            "networkMode",
            "service:a",
            "engines have `container:` write \"networkMode\": \"container:s-a\"",
        ),
        ("unknown-value", "networkMode", "service:x", "\"container:NAME\""),
        ("unknown-value", "networkMode", "ns:/run/x", "modes: `host`, `none`"),
        ("unknown-value", "networkMode", "", "modes: `host`, `none`"),
        ("unknown-value", "pid", "hots", "did you mean `host`?"),
        ("unknown-value", "ipc", "public", "`shareable`"),
        ("outside-stack", "networkMode", "container:s-c", "did you mean `s-a`?"),
        ("outside-stack", "networkMode", "container:vpn", "see to it that it is there"),
        ("outside-stack", "networkMode", "backend", "no network of this stack"),
        ("outside-stack", "networkMode", "hosts", "did you mean `host`?"),
    ];
    let pointer = |key: &str| match key {
        "pid" => "/hasPart/1/pid",
        "ipc" => "/hasPart/1/ipc",
        _ => "/hasPart/1/networkMode",
    };
    let one = |(code, key, mode, help): (&'static str, &str, &str, &'static str)| {
        (code, sharing(&format!("\"{key}\": «\"{mode}\"»")), pointer(key), help)
    };
    let mut cases: Vec<Case> = cases.into_iter().map(one).collect();
    let port = |mode: &str, outside: &str| {
        container(&format!(
            "\"networkMode\": \"{mode}\", \"ports\": [{{\"containerPort\": 80, \"hostPort\": {outside}}}]"
        ))
    };
    let at = "/hasPart/0/ports/0/hostPort";
    cases.push(("network-conflict", port("host", "«8080»"), at, "the same inside and outside"));
    cases.push(("network-conflict", port("none", "«80»"), at, "publishes nothing"));
    cases.push((
        "network-conflict",
        sharing("\"networkMode\": «\"container:s-a\"», \"hostname\": \"h\", \"ports\": [{\"containerPort\": 1}]"),
        "/hasPart/1/networkMode",
        "none of its own: `ports`, `hostname`",
    ));
    cases.push((
        "host-conflict",
        containers(
            "",
            &[
                ("a", ", \"locatedInHost\": \"vm1\""),
                ("b", ", \"locatedInHost\": \"vm2\", \"networkMode\": «\"container:s-a\"»"),
            ],
        ),
        "/hasPart/1/networkMode",
        "name one host",
    ));
    cases
}

fn engine() -> Vec<Case> {
    let signal = |text: &str| container(&format!("\"stopSignal\": «\"{text}\"»"));
    let limits = |keys: &str| container(&format!("\"resources\": {{\"limits\": {{{keys}}}}}"));
    let check = |key: &str, time: &str| {
        container(&format!("\"healthCheck\": {{\"type\": \"tcp\", \"port\": 1, \"{key}\": «{time}»}}"))
    };
    let mounts = |targets: [&str; 2]| {
        let mount = |target: &str| format!("{{\"source\": \"v\", \"target\": {target}}}");
        container(&format!("\"volumeMounts\": [{}, {}]", mount(targets[0]), mount(targets[1])))
    };
    let swap = "/hasPart/0/resources/limits/memorySwap";
    let label = "`graphium.";
    vec![
        ("unknown-value", signal("SIGFOO"), "/hasPart/0/stopSignal", "`SIGFOO` is no signal"),
        ("unknown-value", signal("SIGTREM"), "/hasPart/0/stopSignal", "did you mean `SIGTERM`?"),
        ("unknown-value", signal("0"), "/hasPart/0/stopSignal", "`SIGRTMIN+3`"),
        ("bad-number", limits("\"memory\": «\"4M\"»"), "/hasPart/0/resources/limits/memory", "`4M` is less memory"),
        (
            "bad-number",
            container("\"resources\": {\"reservations\": {\"memory\": «1024»}}"),
            "/hasPart/0/resources/reservations/memory",
            "`6M` is the least",
        ),
        ("bad-number", limits("\"memory\": \"64M\", \"memorySwap\": «\"32M\"»"), swap, "less than `memory`"),
        ("bad-number", limits("\"memorySwap\": «\"32M\"»"), swap, "add `memory`"),
        ("bad-duration", check("timeout", "\"1ns\""), "/hasPart/0/healthCheck/timeout", "a millisecond"),
        ("bad-duration", check("interval", "0.0001"), "/hasPart/0/healthCheck/interval", "a millisecond"),
        ("bad-duration", check("startPeriod", "\"999us\""), "/hasPart/0/healthCheck/startPeriod", "\"500ms\""),
        ("bad-path", mounts(["«\"/\"»", "\"/d\""]), "/hasPart/0/volumeMounts/0/target", "the root of the container"),
        ("bad-path", mounts(["«\"/a/../.\"»", "\"/d\""]), "/hasPart/0/volumeMounts/0/target", "as in \"/data\""),
        (
            "duplicate-name",
            mounts(["\"/d\"", "\"/d/\""])
                .replace("{\"source\": \"v\", \"target\": \"/d/\"", "«{»\"source\": \"v\", \"target\": \"/d/\""),
            "/hasPart/0/volumeMounts/1",
            "two mounts have the target `/d/`",
        ),
        (
            "reserved-label",
            container("\"labels\": {«\"graphium.stack\"»: \"x\"}"),
            "/hasPart/0/labels/graphium.stack",
            label,
        ),
        (
            "reserved-label",
            stack(", \"labels\": {«\"graphium.x\"»: \"x\"}", "\"image\": \"i\""),
            "/labels/graphium.x",
            label,
        ),
        (
            "reserved-label",
            stack(", \"network\": {\"labels\": {«\"graphium.x\"»: \"x\"}}", "\"image\": \"i\""),
            "/network/labels/graphium.x",
            label,
        ),
        (
            "reserved-label",
            stack(", \"volumes\": [{\"name\": \"v\", \"labels\": {«\"graphium.x\"»: \"x\"}}]", "\"image\": \"i\""),
            "/volumes/0/labels/graphium.x",
            label,
        ),
        (
            "reserved-label",
            container(
                "\"volumeMounts\": [{\"source\": \"v\", \"target\": \"/v\", \"volumeOptions\": {\"labels\": {«\"graphium.x\"»: \"x\"}}}]",
            ),
            "/hasPart/0/volumeMounts/0/volumeOptions/labels/graphium.x",
            label,
        ),
        (
            "missing-key",
            container("\"volumeMounts\": [«{»\"target\": \"/v\", \"volumeOptions\": {\"driver\": \"nfs\"}}]"),
            "/hasPart/0/volumeMounts/0",
            "add `source`",
        ),
    ]
}

fn networks() -> Vec<Case> {
    let network = |keys: &str| stack(&format!(", \"network\": {{{keys}}}"), "\"image\": \"i\"");
    let subnet = "\"subnet\": \"172.20.0.0/16\"";
    vec![
        (
            "bad-address",
            network(&format!("{subnet}, \"gateway\": «\"172.21.0.1\"»")),
            "/network/gateway",
            "`gateway` is not within the subnet `172.20.0.0/16`",
        ),
        (
            "bad-address",
            network(&format!("{subnet}, \"ipRange\": «\"172.0.0.0/8\"»")),
            "/network/ipRange",
            "`ipRange` is not within the subnet",
        ),
        ("bad-address", network("\"subnet\": «\"172.20.5.1/16\"»"), "/network/subnet", "write \"172.20.0.0/16\""),
        ("bad-address", network("\"subnet\": «\"172.20.0.0/33\"»"), "/network/subnet", "is not a range of addresses"),
        ("missing-key", network("\"gateway\": «\"172.20.0.1\"»"), "/network/gateway", "add \"subnet\""),
    ]
}

fn ids() -> Vec<Case> {
    let host = |key: &str| container(&format!("\"{key}\": «\"host:\"»"));
    vec![
        ("bad-form", host("locatedInHost"), "/hasPart/0/locatedInHost", "`host:` names nothing"),
        ("bad-form", stack(", \"locatedInHost\": «\"host:\"»", "\"image\": \"i\""), "/locatedInHost", "names nothing"),
        (
            "bad-form",
            stack(
                ", \"deployment\": {\"hostConstraints\": [{\"containerName\": \"web\", \"targetHost\": «\"host:\"»}]}",
                "\"image\": \"i\"",
            ),
            "/deployment/hostConstraints/0/targetHost",
            "names nothing",
        ),
        (
            "bad-form",
            stack(", \"deployment\": {\"targetDatacenter\": «\"datacenter:\"»}", "\"image\": \"i\""),
            "/deployment/targetDatacenter",
            "names nothing",
        ),
        ("bad-form", stack(", \"secrets\": [«\"\"»]", "\"image\": \"i\""), "/secrets/0", "names nothing"),
        ("bad-form", stack(", \"dependsOn\": [«\"stack:\"»]", "\"image\": \"i\""), "/dependsOn/0", "names nothing"),
        (
            "bad-form",
            container("\"user\": \"a\"").replace("\"container:web\"", "«\"container:\"»"),
            "/hasPart/0/@id",
            "leave it out",
        ),
        (
            "bad-form",
            format!("{{{NATIVE}, \"@graph\": [{STACK}, {{\"@type\": \"datacenter:Host\", \"@id\": «\"host:\"»}}]}}"),
            "/@graph/1/@id",
            "names nothing",
        ),
        (
            "bad-form",
            format!("{{{NATIVE}, \"@graph\": [{STACK}, {{\"@type\": \"datacenter:Rack\", \"@id\": «\"rack:\"»}}]}}"),
            "/@graph/1/@id",
            "names nothing",
        ),
    ]
}

fn types() -> Vec<Case> {
    let graph = |ty: &str| format!("{{{NATIVE}, \"@graph\": [{STACK}, {{\"@type\": «\"{ty}\"», \"@id\": \"x\"}}]}}");
    let at = "/@graph/1/@type";
    vec![
        ("ignored-node", older(&graph("Organization")), at, "a node of type `Organization` is not part of the stack"),
        ("ignored-node", older(&graph("schema:Person")), at, "not part of the stack"),
        ("ignored-node", older(&graph("https://schema.org/Person")), at, "not part of the stack"),
        ("unknown-type", older(&graph("Contaner")), at, "did you mean `datacenter:Container`?"),
        ("unknown-type", older(&graph("datacenter:Organization")), at, "types in `datacenter:`"),
        ("unknown-type", graph("Organization"), at, "types in `datacenter:`"),
        ("unknown-type", graph("schema:Person"), at, "types in `datacenter:`"),
    ]
}
