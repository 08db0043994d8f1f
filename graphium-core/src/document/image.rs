//! References of images, by the grammar of the distribution project: `[registry[:port]/]name[:tag][@digest]`.

use std::net::Ipv6Addr;

/// Which part of a reference is wrong, and how it should look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault<'i> {
    /// The part, for a message: `its tag`.
    pub(super) what: &'static str,
    /// Its text; empty where there is nothing to show.
    pub(super) part: &'i str,
    /// What is wrong with it.
    pub(super) why: &'static str,
    /// How such a part looks.
    pub(super) help: &'static str,
    /// A sound reference that was probably meant.
    pub(super) better: Option<String>,
}

const WHOLE: &str = "an image is `[registry[:port]/]name[:tag][@digest]`";
const REPOSITORY: &str = "a repository is lower-case letters and digits with single `.`, `_`, `__` or `-` between them, and `/` between its parts";
const REGISTRY: &str = "a registry is a host name or an address, IPv6 in brackets, and a port behind `:`";
const TAG: &str = "a tag is at most 128 letters, digits, `_`, `.` and `-`, no `.` or `-` first";
const DIGEST: &str = "a digest is as in `sha256:` and 64 hexadecimal digits in lower case";
/// The digests that engines know, and how many hexadecimal digits each has.
const ALGORITHMS: [(&str, usize); 3] = [("sha256", 64), ("sha384", 96), ("sha512", 128)];
const LONGEST_REPOSITORY: usize = 255;
const LONGEST_TAG: usize = 128;

/// What is wrong with a reference; `None` where an engine takes it.
pub(super) fn fault(image: &str) -> Option<Fault<'_>> {
    let mut fault = find(image)?;
    let better = better(image, &fault);
    fault.better = better.filter(|better| !better.is_empty() && find(better).is_none());
    Some(fault)
}

fn wrong<'i>(what: &'static str, part: &'i str, why: &'static str, help: &'static str) -> Option<Fault<'i>> {
    Some(Fault { what, part, why, help, better: None })
}

fn find(image: &str) -> Option<Fault<'_>> {
    if image.contains(char::is_whitespace) {
        return wrong("it", "", "has white space", WHOLE);
    }
    if let Some((scheme, _)) = image.split_once("://") {
        return wrong("it begins with the scheme", scheme, "of a web address", WHOLE);
    }
    let (named, digest) = match image.split_once('@') {
        Some((named, digest)) => (named, Some(digest)),
        None => (image, None),
    };
    // A colon before the last slash is that of a port.
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    let (name, tag) = match named.get(last..).and_then(|part| part.find(':')) {
        Some(colon) => (named.get(..last + colon).unwrap_or_default(), named.get(last + colon + 1..)),
        None => (named, None),
    };
    name_fault(name).or_else(|| tag.and_then(tag_fault)).or_else(|| digest.and_then(digest_fault))
}

fn name_fault(name: &str) -> Option<Fault<'_>> {
    let (registry, repository) = match name.split_once('/') {
        Some((first, rest)) if is_registry(first) => (Some(first), rest),
        _ => (None, name),
    };
    registry.and_then(registry_fault).or_else(|| repository_fault(repository)).or_else(|| {
        // Engines take it for the id of an image that they have, whoever has it.
        let is_id = registry.is_none() && name.len() == 64 && name.bytes().all(is_hexadecimal);
        if is_id { wrong("its repository", name, "looks like the id of an image", WHOLE) } else { None }
    })
}

/// Whether the first part of a name is where the image comes from rather than a part of what it is called.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '[']) || first.contains(|c: char| c.is_ascii_uppercase())
}

fn registry_fault(registry: &str) -> Option<Fault<'_>> {
    let (host, port) = match registry.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) => {
            let sound = address.parse::<Ipv6Addr>().is_ok() && (rest.is_empty() || rest.starts_with(':'));
            if !sound {
                return wrong("its registry", registry, "is no address", REGISTRY);
            }
            (None, rest.strip_prefix(':'))
        }
        None => match registry.split_once(':') {
            Some((host, port)) => (Some(host), Some(port)),
            None => (Some(registry), None),
        },
    };
    if host.is_some_and(|host| !host.split('.').all(is_host_part)) {
        return wrong("its registry", registry, "is no host name", REGISTRY);
    }
    let is_port =
        |port: &str| port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|p| p > 0);
    match port {
        Some(port) if !is_port(port) => wrong("the port of its registry", registry, "is no port", REGISTRY),
        _ => None,
    }
}

fn is_host_part(part: &str) -> bool {
    let ends = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = part.as_bytes();
    ends(bytes.first()) && ends(bytes.last()) && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-')
}

fn repository_fault(repository: &str) -> Option<Fault<'_>> {
    let what = "its repository";
    if repository.is_empty() {
        return wrong("it", "", "has no repository", WHOLE);
    }
    if repository.len() > LONGEST_REPOSITORY {
        return wrong(what, "", "is longer than 255 characters", REPOSITORY);
    }
    let mut parts = repository.split('/');
    let why = parts.find_map(|part| match part {
        "" => Some("has an empty part"),
        part if part.contains(char::is_uppercase) => Some("is not in lower case"),
        part => (!is_path_part(part)).then_some("has characters that none may have, or has them where none may"),
    })?;
    wrong(what, repository, why, REPOSITORY)
}

/// Runs of lower-case letters and digits, with `.`, `_`, `__` or any number of `-` between them.
fn is_path_part(part: &str) -> bool {
    let is_run = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = |byte: Option<&u8>| byte.is_some_and(|byte| is_run(*byte));
    let separators = part.split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).filter(|run| !run.is_empty());
    let is_separator = |run: &str| matches!(run, "." | "_" | "__") || run.bytes().all(|byte| byte == b'-');
    ends(part.as_bytes().first()) && ends(part.as_bytes().last()) && separators.into_iter().all(is_separator)
}

fn tag_fault(tag: &str) -> Option<Fault<'_>> {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let is_inside = |byte: u8| is_word(byte) || matches!(byte, b'.' | b'-');
    let what = "its tag";
    match tag.as_bytes() {
        [] => wrong(what, "", "is empty", "write a tag behind the `:`, or leave the `:` out"),
        bytes if bytes.len() > LONGEST_TAG => wrong(what, "", "is longer than 128 characters", TAG),
        [first, rest @ ..] if is_word(*first) && rest.iter().all(|byte| is_inside(*byte)) => None,
        _ => wrong(what, tag, "has characters that none may have, or has them where none may", TAG),
    }
}

fn digest_fault(digest: &str) -> Option<Fault<'_>> {
    let what = "its digest";
    let Some((algorithm, digits)) = digest.split_once(':') else {
        return wrong(what, digest, "does not say its algorithm", DIGEST);
    };
    let Some((_, length)) = ALGORITHMS.iter().find(|(known, _)| *known == algorithm) else {
        return wrong(what, digest, "has an unknown algorithm", "algorithms: `sha256`, `sha384`, `sha512`");
    };
    if !digits.bytes().all(is_hexadecimal) {
        return wrong(what, digest, "is not hexadecimal digits in lower case", DIGEST);
    }
    if digits.len() == *length {
        return None;
    }
    let help = "`sha256` has 64 hexadecimal digits, `sha384` 96, `sha512` 128";
    wrong(what, digest, "does not have as many digits as its algorithm makes", help)
}

fn is_hexadecimal(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// What was probably meant, sound or not.
fn better(image: &str, fault: &Fault<'_>) -> Option<String> {
    if let Some((_, rest)) = image.split_once("://") {
        return Some(rest.trim_end_matches('/').to_owned());
    }
    match fault.why {
        "is not in lower case" => {
            image.split_once(fault.part).map(|(before, after)| [before, &fault.part.to_lowercase(), after].concat())
        }
        "is empty" => Some(image.replacen(":@", "@", 1).trim_end_matches(':').to_owned()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    fn digest(algorithm: &str, digits: usize) -> String {
        format!("{algorithm}:{}", "0a".repeat(digits / 2))
    }

    #[test]
    fn references_that_engines_take_are_sound() {
        let sha256 = digest("sha256", 64);
        let pinned =
            [format!("nginx@{sha256}"), format!("r.io:5000/a/b:1@{sha256}"), format!("a@{}", digest("sha512", 128))];
        let plain = [
            "nginx",
            "nginx:1.27",
            "nginx:1.27-alpine_3.X",
            "library/nginx",
            "localhost/x",
            "localhost:5000/x:1",
            "registry.example.org/team/app",
            "registry.example.org:5000/team/app:v1",
            "10.0.0.1:5000/x",
            "[::1]:5000/x",
            "[2001:db8::1]/x:y",
            "a.b/c",
            "x__y",
            "x--y",
            "x---y",
            "x.y_z",
            "Registry/x",
            "localhost:5000",
            "20001",
        ];
        for image in plain.into_iter().chain(pinned.iter().map(String::as_str)) {
            assert_eq!(fault(image), None, "{image}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_what_was_meant() {
        let short = digest("sha256", 62);
        let pinned = format!("nginx@{short}");
        let shouted = format!("nginx@{}", digest("sha256", 64).to_uppercase().replace("SHA", "sha"));
        let long_tag = format!("nginx:{}", "x".repeat(129));
        let long = "x".repeat(256);
        let id = "0a".repeat(32);
        let cases = [
            ("", "it", "", None),
            ("NGINX", "its repository", "NGINX", Some("nginx")),
            ("r.io/Team/App:Tag", "its repository", "Team/App", Some("r.io/team/app:Tag")),
            ("nginx:", "its tag", "", Some("nginx")),
            (":x", "it", "", None),
            ("@x", "it", "", None),
            ("nginx:a:b", "its tag", "a:b", None),
            ("nginx:.a", "its tag", ".a", None),
            (&long_tag, "its tag", "", None),
            ("nginx@sha256:zz", "its digest", "sha256:zz", None),
            (&pinned, "its digest", &short, None),
            (&shouted, "its digest", &shouted[6..], None),
            ("nginx@zz", "its digest", "zz", None),
            ("nginx@md5:00", "its digest", "md5:00", None),
            ("nginx@", "its digest", "", None),
            ("http://x/y", "it begins with the scheme", "http", Some("x/y")),
            ("https://r.io/x:1", "it begins with the scheme", "https", Some("r.io/x:1")),
            ("docker://", "it begins with the scheme", "docker", None),
            ("a b", "it", "", None),
            ("a//b", "its repository", "a//b", None),
            ("/a", "its repository", "/a", None),
            ("a/", "its repository", "a/", None),
            ("r.io/", "it", "", None),
            ("r..io/x", "its registry", "r..io", None),
            ("-r.io/x", "its registry", "-r.io", None),
            ("r.io:x/y", "the port of its registry", "r.io:x", None),
            ("r.io:70000/y", "the port of its registry", "r.io:70000", None),
            ("[::1/x", "its registry", "[::1", None),
            ("[zz]/x", "its registry", "[zz]", None),
            ("a..b", "its repository", "a..b", None),
            ("a___b", "its repository", "a___b", None),
            ("-a", "its repository", "-a", None),
            ("größe", "its repository", "größe", None),
            ("a$b", "its repository", "a$b", None),
            (&long, "its repository", "", None),
            (&id, "its repository", &id, None),
        ];
        for (image, what, part, better) in cases {
            let found = fault(image).unwrap_or_else(|| panic!("{image} is taken"));
            assert_eq!((found.what, found.part, found.better.as_deref()), (what, part, better), "{image}: {found:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_the_grammar_makes_is_sound(
            registry in prop::option::of("([a-zA-Z0-9]+(-+[a-zA-Z0-9]+)?\\.){1,3}[a-z]{2,5}(:[1-9][0-9]{0,3})?|localhost(:5000)?|\\[(::1|2001:db8::[0-9a-f]{1,4})\\](:1)?"),
            // The first part of several is a registry where it has a dot.
            repository in "[a-z]{1,5}((_|__|-{1,3})[a-z0-9]{1,5}){0,2}(/[a-z0-9]{1,5}((\\.|_|__|-{1,3})[a-z0-9]{1,5}){0,2}){0,3}",
            tag in prop::option::of("[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"),
            digest in prop::option::of("sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}"),
        ) {
            let registry = registry.map(|registry| registry + "/").unwrap_or_default();
            let tag = tag.map(|tag| format!(":{tag}")).unwrap_or_default();
            let digest = digest.map(|digest| format!("@{digest}")).unwrap_or_default();
            let image = format!("{registry}{repository}{tag}{digest}");
            prop_assert_eq!(fault(&image), None, "{}", image);
        }

        #[test]
        fn any_text_is_judged_and_what_was_meant_is_sound(
            image in prop_oneof![any::<String>(), "[a-zA-Z0-9:/@._\\[\\] -]{0,40}"],
        ) {
            match fault(&image) {
                Some(Fault { better: Some(better), .. }) => prop_assert_eq!(fault(&better), None, "{}", better),
                Some(found) => prop_assert!(image.contains(found.part)),
                // What is taken has only what a reference can have.
                None => prop_assert!(
                    !image.is_empty() && image.bytes().all(|b| b.is_ascii_alphanumeric() || b"[]:/@._-".contains(&b)),
                    "{}", image
                ),
            }
        }
    }
}
