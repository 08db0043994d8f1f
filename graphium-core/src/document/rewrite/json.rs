//! A document that is being written: values whose numbers are kept as text, and how they are laid out.

use super::super::node::Node;
use json_syntax::Value;

/// Columns that a value on one line may reach.
const WIDTH: usize = 100;

/// A value of the new document.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    /// A number, true, false or null, as it is written.
    Word(String),
    Text(String),
    Array(Vec<Json>),
    Object(Members),
}

/// The members of an object, in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Members(Vec<(String, Json)>);

impl Json {
    /// The value as it stands in the old document.
    pub(super) fn of(node: Node<'_>) -> Self {
        convert(node.value())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// An object with these members.
    pub(super) fn object<const N: usize>(members: [(&str, Self); N]) -> Self {
        Self::Object(Members(members.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()))
    }
}

fn convert(value: &Value) -> Json {
    match value {
        Value::Null => Json::Word("null".to_owned()),
        Value::Boolean(flag) => Json::Word(flag.to_string()),
        Value::Number(number) => Json::Word(number.as_str().to_owned()),
        Value::String(text) => Json::Text(text.as_str().to_owned()),
        Value::Array(elements) => Json::Array(elements.iter().map(convert).collect()),
        Value::Object(object) => {
            let members = object.iter().map(|entry| (entry.key.as_str().to_owned(), convert(&entry.value)));
            Json::Object(Members(members.collect()))
        }
    }
}

impl Members {
    pub(super) fn get(&self, key: &str) -> Option<&Json> {
        self.0.iter().find(|(own, _)| own == key).map(|(_, value)| value)
    }

    pub(super) fn push(&mut self, key: impl Into<String>, value: Json) {
        self.0.push((key.into(), value));
    }

    pub(super) fn push_first(&mut self, key: &str, value: Json) {
        self.0.insert(0, (key.to_owned(), value));
    }

    /// Sets a member where it stands, or adds it at the end.
    pub(super) fn set(&mut self, key: &str, value: Json) {
        match self.0.iter_mut().find(|(own, _)| own == key) {
            Some((_, old)) => *old = value,
            None => self.push(key, value),
        }
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.0.retain(|(own, _)| own != key);
    }

    /// Changes the object that is the value of a key; made where there is none.
    pub(super) fn below(&mut self, key: &str, change: impl FnOnce(&mut Self)) {
        let mut members = match self.get(key) {
            Some(Json::Object(members)) => members.clone(),
            _ => Self::default(),
        };
        change(&mut members);
        self.set(key, Json::Object(members));
    }

    /// Puts members into the order of `rank`; equal ones stay as they are.
    pub(super) fn order(&mut self, rank: impl Fn(&str) -> usize) {
        self.0.sort_by_key(|(key, _)| rank(key));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Json)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }
}

/// The document as text, with its last line ended.
pub(super) fn print(value: &Json) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text.push('\n');
    text
}

/// `used` are the columns of the line that are taken by what stands before and after the value.
fn write(value: &Json, indent: usize, used: usize, text: &mut String) {
    match value {
        Json::Array(elements) if !elements.is_empty() && !fits(value, used) => {
            text.push('[');
            for (number, element) in elements.iter().enumerate() {
                next_line(number, indent + 2, text);
                write(element, indent + 2, indent + 3, text);
            }
            last_line(indent, ']', text);
        }
        Json::Object(members) if !members.0.is_empty() && !fits(value, used) => {
            text.push('{');
            for (number, (key, member)) in members.0.iter().enumerate() {
                next_line(number, indent + 2, text);
                let before = text.len();
                quote(key, text);
                text.push_str(": ");
                let taken = text.get(before..).map_or(0, |key| key.chars().count());
                write(member, indent + 2, indent + 3 + taken, text);
            }
            last_line(indent, '}', text);
        }
        _ => inline(value, text),
    }
}

fn next_line(number: usize, indent: usize, text: &mut String) {
    text.push_str(if number == 0 { "\n" } else { ",\n" });
    text.extend(std::iter::repeat_n(' ', indent));
}

fn last_line(indent: usize, bracket: char, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
    text.push(bracket);
}

/// Whether a value stands on one line: nothing nested in it, no node of the graph, and short enough.
fn fits(value: &Json, used: usize) -> bool {
    let scalar = |value: &Json| matches!(value, Json::Word(_) | Json::Text(_));
    let flat = match value {
        Json::Array(elements) => elements.iter().all(scalar),
        Json::Object(members) => members.get("@type").is_none() && members.iter().all(|(_, value)| scalar(value)),
        _ => true,
    };
    flat && {
        let mut line = String::new();
        inline(value, &mut line);
        used + line.chars().count() <= WIDTH
    }
}

fn inline(value: &Json, text: &mut String) {
    match value {
        Json::Word(word) => text.push_str(word),
        Json::Text(string) => quote(string, text),
        Json::Array(elements) => {
            text.push('[');
            for (number, element) in elements.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                inline(element, text);
            }
            text.push(']');
        }
        Json::Object(members) if members.0.is_empty() => text.push_str("{}"),
        Json::Object(members) => {
            text.push_str("{ ");
            for (number, (key, member)) in members.0.iter().enumerate() {
                text.push_str(if number == 0 { "" } else { ", " });
                quote(key, text);
                text.push_str(": ");
                inline(member, text);
            }
            text.push_str(" }");
        }
    }
}

fn quote(string: &str, text: &mut String) {
    // Serde's own quoting cannot fail on a string.
    text.push_str(&serde_json::to_string(string).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_flat_values_stand_on_one_line() {
        let port = Json::object([("containerPort", Json::Word("80".into())), ("hostPort", Json::text("${P}"))]);
        let long = Json::Array((0..30).map(|number| Json::text(format!("word {number}"))).collect());
        let node = Json::object([("@type", Json::text("x")), ("ports", Json::Array(vec![port])), ("command", long)]);
        let text = print(&node);
        assert!(text.starts_with("{\n  \"@type\": \"x\",\n  \"ports\": [\n    { \"containerPort\": 80, "), "{text}");
        assert!(text.contains("\"command\": [\n    \"word 0\",\n"), "{text}");
        assert!(text.lines().all(|line| line.chars().count() <= WIDTH));
        assert_eq!(print(&Json::Array(Vec::new())), "[]\n");
    }
}
