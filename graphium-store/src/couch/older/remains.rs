//! What is left of a document when all that has a place here was taken out of it.

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The fields of a document.
pub(super) type Fields = Map<String, Value>;

/// What says which document it is.
const NAMES: [&str; 5] = ["_id", "_rev", "@id", "@type", "@context"];

/// More than these are counted.
const LISTED: usize = 12;

/// Which document it is.
pub(super) fn id(body: &Fields) -> String {
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    text("@id").or_else(|| text("_id")).unwrap_or_default().to_owned()
}

/// Takes a field out of a document; one that cannot be understood stays.
pub(super) fn take<T: DeserializeOwned>(body: &mut Fields, name: &str) -> Option<T> {
    let value = T::deserialize(body.get(name)?).ok()?;
    body.remove(name);
    Some(value)
}

/// Takes a time out of a document. One that was never set is written as the first day of the year 1.
pub(super) fn take_time(body: &mut Fields, name: &str) -> Option<Timestamp> {
    take::<Timestamp>(body, name).filter(|time| *time > Timestamp::UNIX_EPOCH)
}

/// A sentence that names what nobody has taken out of a document, if there is something. `more` are places below it.
pub(super) fn not_taken_over(what: &str, rest: &Fields, more: &[String]) -> Option<String> {
    let rest = rest.iter().filter(|(name, value)| !NAMES.contains(&name.as_str()) && says_something(value));
    let mut all: Vec<&str> = rest.map(|(name, _)| name.as_str()).chain(more.iter().map(String::as_str)).collect();
    all.sort_unstable();
    let mut listed = all.iter().take(LISTED).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if all.len() > LISTED {
        listed.push_str(&format!(" and {} more", all.len() - LISTED));
    }
    (!all.is_empty()).then(|| format!("{what} has what is not taken over: {listed}"))
}

/// Whether a value is more than the absence of one.
fn says_something(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}
