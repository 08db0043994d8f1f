//! From text to values with places, and what a syntax error has to say.

use super::{
    code::Code,
    findings::{Findings, Place},
    node::Node,
    repair::Draft,
};
use json_syntax::{CodeMap, Parse as _, Value, parse::Error};
use std::ops::Range;

/// So many syntax errors are looked for.
const MOST: usize = 20;
/// So many bytes are parsed for that, but for the first time.
const WORK: usize = 16 << 20;

/// Parses the text, or says where it is not JSON and what was expected there.
pub(super) fn parse(source: &str) -> Result<(Value, CodeMap), Findings> {
    Value::parse_str(source).map_err(|first| mistakes(source, first))
}

/// What is wrong with a text, as far as it is clear how it goes on behind it.
fn mistakes(source: &str, first: Error) -> Findings {
    let (mut findings, mut draft) = (Findings::default(), Draft::of(source));
    let (mut error, mut left) = (first, (WORK / source.len().max(1)).min(MOST));
    loop {
        let Mistake { code, at, expected, place, message, help, missing_comma } = Mistake::of(&draft.text, &error);
        findings.add(code, Place::bytes(draft.original(place)), message, help);
        left = left.saturating_sub(1);
        if left == 0 || !draft.mend(&error, expected, at, missing_comma) {
            return findings;
        }
        match Value::parse_str(&draft.text) {
            Err(next) if next.span().start() > at => error = next,
            _ => return findings,
        }
    }
}

/// A syntax error, in words.
struct Mistake {
    code: Code,
    /// Where the text stops being JSON.
    at: usize,
    expected: Expected,
    /// What is marked.
    place: Range<usize>,
    message: String,
    help: Option<String>,
    /// Where a comma is missing, if that is it.
    missing_comma: Option<usize>,
}

impl Mistake {
    fn of(source: &str, error: &Error) -> Self {
        let (span, end) = (error.span(), source.len());
        // Escapes are marked from their backslash to their last digit; anything else is one character.
        let (at, to) = match error {
            Error::Unexpected(at, Some(character)) => (*at, *at + character.len_utf8()),
            Error::InvalidUnicodeCodePoint(..) | Error::MissingLowSurrogate(..) | Error::InvalidLowSurrogate(..) => {
                let at = span.start().saturating_sub(1);
                return Self {
                    code: Code::LoneSurrogate,
                    at,
                    expected: Expected::InString,
                    place: at.min(end)..(span.start() + 5).min(end),
                    message: "this escape is half of a surrogate pair, which is no character".to_owned(),
                    help: Some("write the character itself, or both halves of the pair".to_owned()),
                    missing_comma: None,
                };
            }
            _ => (span.start(), span.end()),
        };
        let (expected, opened) = Expected::at(source, at);
        let missing_comma =
            matches!(error, Error::Unexpected(..)).then(|| missing_comma(source, at, expected)).flatten();
        let (place, message, help) = match (expected, error, missing_comma) {
            (Expected::InString, Error::Unexpected(_, None | Some('\n' | '\r')), _) => {
                let (line, or) =
                    if at < end { (" in its line", ", or write the line's end as `\\n`") } else { ("", "") };
                (opened..at, format!("this string is not closed{line}"), Some(format!("close it with `\"`{or}")))
            }
            (_, _, Some(behind)) => {
                let (next, this) =
                    if expected == Expected::CommaOrBrace { ("key", "entry") } else { ("value", "value") };
                let message = format!("expected {} before the next {next}", expected.what());
                (behind..behind + 1, message, Some(format!("end this {this} with `,`")))
            }
            _ => {
                let (message, help) = explain(expected, error);
                let of_yaml = || (source.trim_start().len() == source.len() - at).then(|| of_yaml(source))?;
                (at.min(end)..to.min(end), message, help.or_else(of_yaml))
            }
        };
        Self { code: Code::Syntax, at, expected, place, message, help, missing_comma }
    }
}

/// A word for those who give a file of Compose as it is.
fn of_yaml(source: &str) -> Option<String> {
    let is_compose = source.lines().any(|line| line.trim_end() == "services:");
    let is_yaml = is_compose || source.starts_with("---") || source.lines().next()?.contains(": ");
    let what = if is_compose { "a file of Compose in YAML" } else { "YAML" };
    is_yaml.then(|| format!("this looks like {what}; stack documents are JSON"))
}

/// Where a comma is missing, if the text goes on at `at` with what only a comma lets follow: behind the value before it,
/// which may stand lines above.
fn missing_comma(source: &str, at: usize, expected: Expected) -> Option<usize> {
    let next = source.as_bytes().get(at)?;
    let goes_on = match expected {
        Expected::CommaOrBrace => *next == b'"',
        Expected::CommaOrBracket => matches!(next, b'"' | b'{' | b'[' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n'),
        _ => false,
    };
    let behind = source.get(..at)?.trim_end().len();
    // `"a"b"` is a quote too many, not a comma too few.
    (goes_on && behind < at).then_some(behind)
}

fn explain(expected: Expected, error: &Error) -> (String, Option<String>) {
    let found = match error {
        Error::Unexpected(_, None) => "the end of the text".to_owned(),
        Error::Unexpected(_, Some('\n' | '\r')) => "the end of the line".to_owned(),
        Error::Unexpected(_, Some(character)) if character.is_control() => {
            format!("the character U+{:04X}", u32::from(*character))
        }
        Error::Unexpected(_, Some(character)) => format!("`{character}`"),
        other => other.to_string(),
    };
    let message = format!("expected {}, found {found}", expected.what());
    let help = match (expected, error) {
        (Expected::KeyAfterComma | Expected::ValueAfterComma, Error::Unexpected(_, Some('}' | ']'))) => {
            Some("remove the comma before it".to_owned())
        }
        (Expected::InString, Error::Unexpected(_, Some(c))) if c.is_control() => {
            Some("close the string with `\"`, or write the character as `\\n`, `\\t` or `\\u00XX`".to_owned())
        }
        (_, Error::Unexpected(_, Some('\''))) => Some("JSON quotes with `\"`".to_owned()),
        (_, Error::Unexpected(_, Some('/' | '#'))) => Some("JSON has no comments".to_owned()),
        _ => None,
    };
    (message, help)
}

/// What the grammar allows at a byte, as far as it matters to a person.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    Value,
    ValueOrEnd,
    ValueAfterComma,
    KeyOrEnd,
    KeyAfterComma,
    Colon,
    CommaOrBrace,
    CommaOrBracket,
    InString,
    InWord,
    End,
}

impl Expected {
    fn what(self) -> &'static str {
        match self {
            Self::Value | Self::ValueAfterComma => "a value",
            Self::ValueOrEnd => "a value or `]`",
            Self::KeyOrEnd => "a key in double quotes or `}`",
            Self::KeyAfterComma => "a key in double quotes",
            Self::Colon => "`:`",
            Self::CommaOrBrace => "`,` or `}`",
            Self::CommaOrBracket => "`,` or `]`",
            Self::InString => "the rest of a string",
            Self::InWord => "a number, true, false or null",
            Self::End => "the end of the text",
        }
    }

    /// Whether a key may follow.
    pub(super) fn is_key(self) -> bool {
        matches!(self, Self::KeyOrEnd | Self::KeyAfterComma)
    }

    /// Whether a key or an element may follow.
    pub(super) fn opens(self) -> bool {
        self.is_key() || matches!(self, Self::ValueOrEnd | Self::ValueAfterComma)
    }

    /// Whether a comma stands before it.
    pub(super) fn follows_comma(self) -> bool {
        matches!(self, Self::KeyAfterComma | Self::ValueAfterComma)
    }

    /// Follows the structure up to `at`, which is known to be sound until there.
    ///
    /// With what is expected goes where the string begins that the place is in.
    fn at(source: &str, at: usize) -> (Self, usize) {
        let mut open: Vec<u8> = Vec::new();
        let mut state = Self::Value;
        let mut bytes = source.bytes().enumerate().take(at).peekable();
        while let Some((begins, byte)) = bytes.next() {
            state = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => continue,
                b'{' => {
                    open.push(b'{');
                    Self::KeyOrEnd
                }
                b'[' => {
                    open.push(b'[');
                    Self::ValueOrEnd
                }
                b'}' | b']' => {
                    open.pop();
                    Self::after_value(&open)
                }
                b':' => Self::Value,
                b',' if open.last() == Some(&b'{') => Self::KeyAfterComma,
                b',' => Self::ValueAfterComma,
                b'"' => {
                    if !skip_string(&mut bytes) {
                        return (Self::InString, begins);
                    }
                    match state {
                        Self::KeyOrEnd | Self::KeyAfterComma => Self::Colon,
                        _ => Self::after_value(&open),
                    }
                }
                _ => {
                    let in_word =
                        |(_, byte): &(usize, u8)| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b',' | b'}' | b']');
                    while bytes.next_if(in_word).is_some() {}
                    // A word that ends right here may be cut short (`tru}`) or be followed by what does not belong.
                    let complete = word_is_complete(source, at);
                    if bytes.peek().is_none() && !complete { Self::InWord } else { Self::after_value(&open) }
                }
            };
        }
        (state, at)
    }

    fn after_value(open: &[u8]) -> Self {
        match open.last() {
            Some(b'{') => Self::CommaOrBrace,
            Some(_) => Self::CommaOrBracket,
            None => Self::End,
        }
    }
}

/// Moves behind the closing quote; `false` where the text ends first.
fn skip_string(bytes: &mut impl Iterator<Item = (usize, u8)>) -> bool {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'"' => return true,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    false
}

fn word_is_complete(source: &str, at: usize) -> bool {
    let before = source.get(..at).unwrap_or_default();
    let word = before.rsplit(|c: char| c.is_ascii_whitespace() || matches!(c, ',' | ':' | '[' | '{')).next();
    word.is_some_and(|word| Value::parse_str(word).is_ok())
}

/// Looks at every value once for what JSON allows and we do not: keys twice, NUL, numbers without bound.
pub(super) fn inspect(root: Node<'_>, findings: &mut Findings) {
    match root.value() {
        Value::Number(number) if is_out_of_range(number.as_str()) => {
            let shown: String = number.as_str().chars().take(24).collect();
            findings.add(Code::NumberOutOfRange, root, format!("the number `{shown}` is out of range"), None);
        }
        Value::String(text) if text.contains('\0') => {
            findings.add(Code::NulCharacter, root, "a NUL character cannot be part of this", None);
        }
        Value::Array(_) => root.elements().for_each(|element| inspect(element, findings)),
        Value::Object(object) => {
            for (position, member) in root.members().enumerate() {
                if stands_before(object, position, member.key) {
                    let message = format!("the key `{}` stands twice in this object", member.key);
                    findings.add(Code::DuplicateKey, &member, message, Some("keep one of the two".into()));
                }
                if member.key.contains('\0') {
                    findings.add(Code::NulCharacter, &member, "a NUL character cannot be part of a key", None);
                }
                inspect(member.value, findings);
            }
        }
        _ => {}
    }
}

/// Whether an earlier member of the object has the key. Most objects are small, and comparing beats hashing there.
fn stands_before(object: &json_syntax::Object, position: usize, key: &str) -> bool {
    const SMALL: usize = 16;
    match object.entries().get(..position.min(object.len())) {
        Some(before) if before.len() <= SMALL => before.iter().any(|entry| entry.key.as_str() == key),
        _ => object.index_of(key).is_some_and(|first| first < position),
    }
}

/// Whether no machine integer holds the number. Short ones without an exponent need no parsing to tell.
fn is_out_of_range(number: &str) -> bool {
    (number.len() > 15 || number.contains(['e', 'E']))
        && number.parse::<f64>().is_ok_and(|number| number.abs() >= u64::MAX as f64)
}
