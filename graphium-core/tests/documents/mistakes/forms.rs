//! Mistakes in texts that have a form of their own.

use super::common::*;

type Case = (&'static str, String, &'static str, &'static str);

/// Code, marked source, pointer, a part of message or help.
pub(crate) fn cases() -> Vec<Case> {
    [images(), ports()].concat()
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
