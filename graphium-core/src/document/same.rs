//! Whether two spellings of one field say the same.

use super::{
    node::Node,
    schema::{Choice, Kind},
    units, variables, words,
};
use json_syntax::Value;
use std::{borrow::Cow, time::Duration};

/// Longer texts are the same only where they are written the same: nobody writes a number of so many digits.
const LONGEST: usize = 256;

/// Whether two values of one kind mean the same.
///
/// Variables may become anything, so a text that uses one is the same as itself alone.
pub(super) fn same(kind: Kind, one: Node<'_>, other: Node<'_>) -> bool {
    if one.value() == other.value() {
        return true;
    }
    let texts = plain(one).zip(plain(other));
    let both = |same: fn(&str, &str) -> bool| texts.as_ref().is_some_and(|(one, other)| same(one, other));
    match kind {
        Kind::Text | Kind::Shaped(_) => both(|one, other| one == other),
        Kind::Flag => both(str::eq_ignore_ascii_case),
        Kind::Integer { .. } | Kind::Number | Kind::Port => both(|one, other| is_same(number(one), number(other))),
        Kind::Size | Kind::SizeOrUnlimited => both(|one, other| is_same(units::size(one), units::size(other))),
        Kind::Duration => both(|one, other| is_same(duration(one), duration(other))),
        Kind::Choice(choices) => {
            let word = |text: &str| choices.iter().find(|choice| choice.is_spelt(text)).map(|choice| choice.word);
            texts.is_some_and(|(one, other)| is_same(word(&one), word(&other)))
        }
        Kind::Reference => is_same(named(one), named(other)),
        Kind::Words => is_same(command(one), command(other)),
        _ => false,
    }
}

fn is_same<T: PartialEq>(one: Option<T>, other: Option<T>) -> bool {
    one.is_some() && one == other
}

/// The text of a value that has no parts and no variables.
fn plain(node: Node<'_>) -> Option<Cow<'_, str>> {
    let text = match node.value() {
        Value::String(text) => Cow::Borrowed(text.as_str()),
        Value::Number(number) => Cow::Borrowed(number.as_str()),
        Value::Boolean(flag) => Cow::Owned(flag.to_string()),
        _ => return None,
    };
    (text.len() <= LONGEST && !variables::occurs_in(&text)).then_some(text)
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn duration(text: &str) -> Option<Duration> {
    units::duration(text).or_else(|| number(text).and_then(units::bounded))
}

/// What a reference names, without the prefixes that may be left out.
fn named(node: Node<'_>) -> Option<String> {
    let text = plain(node.get("@id").unwrap_or(node))?;
    let bare = ["host:", "datacenter:"].into_iter().find_map(|prefix| text.strip_prefix(prefix));
    Some(bare.unwrap_or(&text).to_owned())
}

fn command(node: Node<'_>) -> Option<Vec<String>> {
    match node.as_str() {
        Some(_) => words::split(&plain(node)?).ok(),
        None => node.elements().map(|word| plain(word).map(Cow::into_owned)).collect(),
    }
}

impl Choice {
    /// Whether a text is a spelling of this word, in whatever case.
    pub(super) fn is_spelt(&self, text: &str) -> bool {
        self.word.eq_ignore_ascii_case(text) || self.aliases.iter().any(|alias| alias.eq_ignore_ascii_case(text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::{super::schema, *};
    use crate::document::syntax;

    fn says_the_same(kind: Kind, one: &str, other: &str) -> bool {
        let text = format!("[{one}, {other}]");
        let Ok((value, map)) = syntax::parse(&text) else { return false };
        let items = Node::root(&value, &map).items();
        same(kind, items[0], items[1])
    }

    #[test]
    fn values_are_the_same_where_the_reader_makes_the_same_of_them() {
        let size = Kind::Size;
        let policy = schema::CONTAINER.kind_at("pullPolicy").unwrap();
        let cases = [
            (Kind::Text, "\"a\"", "\"a\"", true),
            (Kind::Text, "\"1\"", "1", true),
            (Kind::Text, "\"a\"", "\"b\"", false),
            (Kind::Text, "\"${A}\"", "\"${A}\"", true),
            (Kind::Text, "\"${A}\"", "\"${B}\"", false),
            (Kind::Text, "\"${A:-a}\"", "\"a\"", false),
            (Kind::Flag, "true", "\"True\"", true),
            (Kind::Flag, "true", "false", false),
            (Kind::Number, "0.5", "\"0.50\"", true),
            (Kind::Number, "1", "2", false),
            (size, "\"1G\"", "1073741824", true),
            (size, "\"1G\"", "\"1024M\"", true),
            (size, "\"x\"", "\"y\"", false),
            (Kind::Duration, "90", "\"1m30s\"", true),
            (Kind::Duration, "1e1", "\"10\"", true),
            (Kind::Duration, "90", "\"1m\"", false),
            (policy, "\"missing\"", "\"if-not-present\"", true),
            (policy, "\"always\"", "\"never\"", false),
            (policy, "\"what\"", "\"ever\"", false),
            (Kind::Reference, "{\"@id\": \"host:vm1\"}", "\"vm1\"", true),
            (Kind::Reference, "{\"@id\": \"host:vm1\"}", "\"vm2\"", false),
            (Kind::Words, "\"a 'b c'\"", "[\"a\", \"b c\"]", true),
            (Kind::Words, "\"a b\"", "[\"a b\"]", false),
            (Kind::Object(&schema::NETWORK), "{\"name\": \"a\"}", "{\"name\": \"a\"}", true),
            (Kind::Object(&schema::NETWORK), "{\"name\": \"a\"}", "{\"name\": \"b\"}", false),
        ];
        for (kind, one, other, expected) in cases {
            assert_eq!(says_the_same(kind, one, other), expected, "{one} {other}");
            assert_eq!(says_the_same(kind, other, one), expected, "{other} {one}");
        }
    }
}
