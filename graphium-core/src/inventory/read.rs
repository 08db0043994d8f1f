//! An inventory as people write it: every mistake at once, each with its place.

use super::{Host, Inventory, ObservedContainer, ObservedPort};
use crate::{diagnostic::Diagnostic, stack::Reservations, suggest};
use serde::{Deserializer, de::DeserializeOwned, de::Error as _, de::Visitor, de::value::Error};
use serde_json::{Map, Value, json};
use std::collections::HashSet;

/// More mistakes than these are counted, not listed.
const LISTED: usize = 100;

/// What the outermost object may have: `items` and `next` are those of a page of the API of older servers.
const WHOLE: &[&str] = &["hosts", "items", "containers", "next"];

/// Reads `{"hosts": […], "containers": […]}`, the answer of `GET /api/v1/hosts`, or a bare list of hosts.
///
/// A host without a name has its id for one.
///
/// # Errors
///
/// Everything that is wrong with it: what is no JSON, an unknown key, a value that its key does not take, a host twice. The
/// place is the diagnostics' `pointer`; of what is no JSON also line and column.
pub fn read(text: &[u8]) -> Result<Inventory, Vec<Diagnostic>> {
    let value = serde_json::from_slice(text).map_err(|error| vec![no_json(&error)])?;
    let mut mistakes = Mistakes::default();
    let inventory = mistakes.inventory(value);
    mistakes.into_result(inventory)
}

fn no_json(error: &serde_json::Error) -> Diagnostic {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let mut found = Diagnostic::error("syntax", "", error.to_string());
    (found.line, found.column, found.length) = (number(error.line()), number(error.column()), 1);
    found
}

#[derive(Default)]
struct Mistakes {
    found: Vec<Diagnostic>,
    more: usize,
}

impl Mistakes {
    fn add(&mut self, code: &'static str, at: &str, message: impl Into<String>, help: impl Into<String>) {
        if self.found.len() < LISTED {
            self.found.push(Diagnostic::error(code, at, message).with_help(help));
        } else {
            self.more += 1;
        }
    }

    fn into_result(mut self, inventory: Inventory) -> Result<Inventory, Vec<Diagnostic>> {
        if self.more > 0 {
            let message = format!("{} more mistakes are not shown", self.more);
            self.found.push(Diagnostic::error("more-findings", "", message).with_help("fix the first ones"));
        }
        if self.found.is_empty() { Ok(inventory) } else { Err(self.found) }
    }

    fn inventory(&mut self, value: Value) -> Inventory {
        let mut members = match value {
            Value::Array(hosts) => Map::from_iter([("hosts".to_owned(), Value::Array(hosts))]),
            Value::Object(members) => members,
            other => {
                let message = format!("expected an object or a list of hosts, found {}", kind(&other));
                self.add("wrong-type", "", message, FORM);
                return Inventory::default();
            }
        };
        self.keys(&members, "", "an inventory", WHOLE);
        let hosts = members.shift_remove("hosts").or_else(|| members.shift_remove("items"));
        let Some(hosts) = hosts else {
            self.add("missing-key", "", "an inventory without `hosts`", FORM);
            return Inventory::default();
        };
        let hosts = self.hosts(hosts);
        let containers = members.shift_remove("containers").map(|list| self.containers(list));
        Inventory { hosts, containers: containers.unwrap_or_default() }
    }

    fn hosts(&mut self, list: Value) -> Vec<Host> {
        let reserved = keys::<Reservations>();
        let mut hosts: Vec<Host> = Vec::new();
        let mut seen = HashSet::new();
        for (at, item) in self.items(list, "/hosts", "a host", keys::<Host>()) {
            if let Some(Value::Object(members)) = item.get("reserved") {
                self.keys(members, &format!("{at}/reserved"), "what is reserved", reserved);
            }
            let Some(mut host) = self.typed::<Host>(item, &at, "a host", &json!({"@id": "x"})) else { continue };
            if !seen.insert(host.id.clone()) {
                self.add(
                    "duplicate-name",
                    &at,
                    format!("the host `{}` is there twice", host.id),
                    "keep one of the two",
                );
            }
            if host.name.is_empty() {
                host.name = host.id.as_str().to_owned();
            }
            hosts.push(host);
        }
        hosts
    }

    fn containers(&mut self, list: Value) -> Vec<ObservedContainer> {
        let ports = keys::<ObservedPort>();
        let needed = json!({"@id": "x", "name": "x", "hostedOn": "x"});
        let items = self.items(list, "/containers", "a container", keys::<ObservedContainer>());
        let mut containers = Vec::new();
        for (at, item) in items {
            for (number, port) in item.get("ports").and_then(Value::as_array).into_iter().flatten().enumerate() {
                if let Value::Object(members) = port {
                    self.keys(members, &format!("{at}/ports/{number}"), "a port", ports);
                }
            }
            containers.extend(self.typed::<ObservedContainer>(item, &at, "a container", &needed));
        }
        containers
    }

    /// The objects of a list, each with its place, their keys looked up.
    fn items(&mut self, list: Value, at: &str, what: &str, known: &[&str]) -> Vec<(String, Map<String, Value>)> {
        let Value::Array(list) = list else {
            self.add("wrong-type", at, format!("expected a list, found {}", kind(&list)), FORM);
            return Vec::new();
        };
        let mut items = Vec::with_capacity(list.len());
        for (number, item) in list.into_iter().enumerate() {
            let at = format!("{at}/{number}");
            match item {
                Value::Object(members) => {
                    self.keys(&members, &at, what, known);
                    items.push((at, members));
                }
                other => self.add("wrong-type", &at, format!("expected {what}, found {}", kind(&other)), FORM),
            }
        }
        items
    }

    fn keys(&mut self, members: &Map<String, Value>, at: &str, what: &str, known: &[&str]) {
        // What JSON-LD says of an object is no mistake.
        let is_known = |key: &str| known.contains(&key) || matches!(key, "@type" | "@context");
        for key in members.keys().filter(|key| !is_known(key)) {
            let help = match suggest::nearest(key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("keys here: {}", suggest::list(known.iter().copied())),
            };
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.add("unknown-key", &at, format!("unknown key `{key}` in {what}"), help);
        }
    }

    /// The value of a type. Where it is none, every member that is to blame is told: beside what is `needed` each is
    /// tried alone.
    fn typed<T: DeserializeOwned>(
        &mut self,
        members: Map<String, Value>,
        at: &str,
        what: &str,
        needed: &Value,
    ) -> Option<T> {
        let error = match serde_json::from_value(Value::Object(members.clone())) {
            Ok(typed) => return Some(typed),
            Err(error) => error,
        };
        let before = self.found.len() + self.more;
        for (key, value) in members {
            let mut alone = needed.clone();
            alone[&key] = value;
            if let Err(error) = serde_json::from_value::<T>(alone) {
                self.add("wrong-type", &format!("{at}/{key}"), format!("`{key}` of {what}: {error}"), FORM);
            }
        }
        if self.found.len() + self.more == before {
            self.add("missing-key", at, format!("{what}: {error}"), FORM);
        }
        None
    }
}

/// What to write.
const FORM: &str = r#"write {"hosts": [{"@id": "vm1", "ipAddress": "10.0.0.1", "cpu": 4, "memory": 8589934592}]}"#;

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

/// The keys of a type, as its own deserialisation names them.
fn keys<T: DeserializeOwned>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It has no value to give, so it fails once it has seen the names.
    let _ = T::deserialize(Names(&mut fields));
    fields
}

struct Names<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for Names<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        Err(Error::custom("only the names are asked for"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        *self.0 = fields;
        self.deserialize_any(visitor)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> Vec<String> {
        let mistakes = read(text.as_bytes()).unwrap_err();
        mistakes.iter().map(|found| format!("{} {}", found.pointer, found)).collect()
    }

    #[test]
    fn an_inventory_has_three_forms() {
        for text in [
            r#"{"hosts":[{"@id":"host:vm1"},{"@id":"vm2","ipAddress":"10.0.0.2","cpu":4,"memory":1024}]}"#,
            r#"{"items":[{"@id":"vm1"},{"@id":"vm2","status":"offline"}],"next":null}"#,
            r#"[{"@id":"vm1", "@type": "datacenter:Host"},{"@id":"vm2"}]"#,
        ] {
            let hosts = read(text.as_bytes()).unwrap().hosts;
            assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["vm1", "vm2"], "{text}");
        }
        let text = br#"{"hosts":[{"@id":"vm1"}],"containers":[{"@id":"1","name":"db","hostedOn":"host:vm1"}]}"#;
        assert_eq!(read(text).unwrap().containers[0].hosted_on.as_str(), "vm1");
    }

    #[test]
    fn what_is_written_by_ourselves_reads_again() {
        let mut host = Host::named("vm1".into());
        host.labels.insert("any key".to_owned(), "x".to_owned());
        host.last_seen = Some("2026-11-20T12:00:00Z".parse().unwrap());
        host.reserved.memory = Some(7);
        let inventory = Inventory { hosts: vec![host], containers: Vec::new() };
        assert_eq!(read(&serde_json::to_vec(&inventory).unwrap()), Ok(inventory));
    }

    #[test]
    fn every_mistake_is_told_at_once_with_its_place_and_what_was_meant() {
        let text = r#"{"hosts": [
            {"@id": "vm1", "ipAdress": "10.0.0.1", "cpu": "four", "memory": -1, "status": "activ"},
            {"name": "vm2", "reserved": {"memroy": 1}},
            {"@id": "host:vm1"}, 7
        ], "containers": [{"@id": "1", "name": "db", "hostedOn": "vm1", "ports": [{"containerport": 80}]}], "hsots": []}"#;
        let told = told(text);
        for (number, expected) in [
            "/hsots unknown key `hsots` in an inventory [unknown-key]; did you mean `hosts`?",
            "/hosts/0/ipAdress unknown key `ipAdress` in a host [unknown-key]; did you mean `ipAddress`?",
            "/hosts/3 expected a host, found a number [wrong-type]; write {",
            "/hosts/0/cpu `cpu` of a host: invalid type: string \"four\"",
            "/hosts/0/memory `memory` of a host: invalid value: integer `-1`",
            "/hosts/0/status `status` of a host: unknown variant `activ`, expected one of `active`",
            "/hosts/1/reserved/memroy unknown key `memroy` in what is reserved [unknown-key]; did you mean `memory`?",
            "/hosts/1 a host: missing field `@id` [missing-key]",
            "/containers/0/ports/0/containerport unknown key `containerport` in a port [unknown-key]; did you mean `containerPort`?",
        ]
        .into_iter()
        .enumerate()
        {
            assert!(told.iter().any(|told| told.starts_with(expected)), "{number}: {expected} in {told:#?}");
        }
        assert!(read(br#"[{"@id":"a"},{"@id":"host:a"}]"#).unwrap_err()[0].message.contains("there twice"));
    }

    #[test]
    fn what_is_no_inventory_at_all_is_told() {
        assert_eq!(told("7")[0].split(" [").next(), Some(" expected an object or a list of hosts, found a number"));
        assert!(told("{}")[0].contains("without `hosts`"));
        assert!(told(r#"{"hosts":{}}"#)[0].starts_with("/hosts expected a list, found an object"));
        let mistakes = read(b"{\n  \"hosts\" [] }").unwrap_err();
        assert_eq!((mistakes[0].line, mistakes[0].column), (2, 11));
    }

    #[test]
    fn of_many_mistakes_the_first_are_shown() {
        let hosts: Vec<Value> = (0..150).map(|number| json!({"@id": format!("vm{number}"), "x": 1})).collect();
        let mistakes = read(&serde_json::to_vec(&hosts).unwrap()).unwrap_err();
        assert_eq!((mistakes.len(), &*mistakes[100].message), (101, "50 more mistakes are not shown"));
    }
}
