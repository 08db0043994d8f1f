//! Mappings of ports as users of Docker write them: `[address:][host]:container`, each side a port or a range of them.

use std::ops::RangeInclusive;

/// A mapping in its parts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mapping<'t> {
    /// The address of the host, without brackets.
    pub(super) address: Option<&'t str>,
    /// The side of the host; absent where the engine chooses.
    pub(super) host: Option<&'t str>,
    /// The side of the container.
    pub(super) container: &'t str,
}

/// Takes a mapping apart, its protocol left out; `None` for a text that maps nothing.
///
/// `is_digit` says what a port is made of: in a text whose variables are put aside they are, too.
pub(super) fn parse(text: &str, is_digit: fn(char) -> bool) -> Option<Mapping<'_>> {
    let is_number = |text: &str| !text.is_empty() && text.chars().all(is_digit);
    let is_side = |side: &str| match side.split_once('-') {
        Some((first, last)) => is_number(first) && is_number(last),
        None => is_number(side),
    };
    let (rest, container) = text.trim().rsplit_once(':')?;
    let (address, host) = match (rest.strip_prefix('[').and_then(|rest| rest.split_once(']')), rest.rsplit_once(':')) {
        (Some((address, after)), _) => (Some(address), after.strip_prefix(':')?),
        (None, Some((address, host))) => (Some(address), host),
        (None, None) => (None, rest),
    };
    // Words in front of a port are words.
    if !is_side(container) || address.is_some_and(|address| address.contains(char::is_whitespace)) {
        return None;
    }
    match (address, host) {
        (Some(_), "") => Some(Mapping { address, host: None, container }),
        _ => is_side(host).then_some(Mapping { address, host: Some(host), container }),
    }
}

/// The ports of one side: `80`, or `8000-8010`; `None` where these are no ports.
pub(super) fn side(text: &str) -> Option<RangeInclusive<u16>> {
    let port = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u16>().ok().filter(|port| digits && *port > 0)
    };
    let text = text.trim();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (port(first)?, port(last)?),
        None => (port(text)?, port(text)?),
    };
    (first <= last).then_some(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mappings_are_taken_apart() {
        let cases = [
            ("8080:80", Some((None, Some("8080"), "80"))),
            (" 8080:80 ", Some((None, Some("8080"), "80"))),
            ("8000-8010:80-90", Some((None, Some("8000-8010"), "80-90"))),
            ("127.0.0.1:8080:80", Some((Some("127.0.0.1"), Some("8080"), "80"))),
            ("127.0.0.1::80", Some((Some("127.0.0.1"), None, "80"))),
            ("[::1]:8080:80", Some((Some("::1"), Some("8080"), "80"))),
            ("[::1]::80", Some((Some("::1"), None, "80"))),
            ("::1:8080:80", Some((Some("::1"), Some("8080"), "80"))),
            ("localhost:8080:80", Some((Some("localhost"), Some("8080"), "80"))),
            ("80", None),
            (":80", None),
            ("80:", None),
            ("http: 80", None),
            ("the page: 8080:80", None),
            ("8080:http", None),
            ("[::1]8080:80", None),
            ("", None),
        ];
        for (text, parts) in cases {
            let expected = parts.map(|(address, host, container)| Mapping { address, host, container });
            assert_eq!(parse(text, |c| c.is_ascii_digit()), expected, "{text}");
        }
    }

    #[test]
    fn a_side_is_a_port_or_a_range() {
        let cases = [
            ("80", Some(80..=80)),
            ("80-90", Some(80..=90)),
            ("65535", Some(65535..=65535)),
            ("90-80", None),
            ("0", None),
            ("0-1", None),
            ("65536", None),
            ("+80", None),
            ("1-2-3", None),
            ("", None),
        ];
        for (text, ports) in cases {
            assert_eq!(side(text), ports, "{text}");
        }
    }
}
