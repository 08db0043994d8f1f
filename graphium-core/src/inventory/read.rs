//! An inventory as people write it: every mistake at once, each with its place.

use super::{
    Host, Inventory, ObservedContainer,
    words::{CONTAINER, Form, HOST, Takes},
};
use crate::{diagnostic::Diagnostic, suggest};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
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
///
/// # Example
/// ```
/// use graphium_core::inventory::read;
///
/// let inventory = read(br#"[{"@id": "vm1", "cpu": 4}, {"@id": "vm2", "cpu": 8}]"#).unwrap();
/// assert_eq!(inventory.hosts[1].cpu, 8.0);
///
/// let mistakes = read(br#"[{"@id": "vm1", "cpus": 4}]"#).unwrap_err();
/// assert_eq!(mistakes[0].to_string(), "unknown key `cpus` in a host [unknown-key]; it is called `cpu` here");
/// ```
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
                let message = format!("expected an object or a list of hosts, found {}", found(&other));
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
        let mut hosts: Vec<Host> = Vec::new();
        let mut seen = HashSet::new();
        for (at, item) in self.items(list, "/hosts", &HOST) {
            let Some(mut host) = self.typed::<Host>(item, &at) else { continue };
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
            bare(&mut host.location, "datacenter:");
            bare(&mut host.rack, "rack:");
            hosts.push(host);
        }
        hosts
    }

    fn containers(&mut self, list: Value) -> Vec<ObservedContainer> {
        let items = self.items(list, "/containers", &CONTAINER);
        items.into_iter().filter_map(|(at, item)| self.typed(item, &at)).collect()
    }

    /// The sound objects of a list, each with its place.
    fn items(&mut self, list: Value, at: &str, form: &'static Form) -> Vec<(String, Map<String, Value>)> {
        let Value::Array(list) = list else {
            self.add("wrong-type", at, format!("expected a list, found {}", found(&list)), FORM);
            return Vec::new();
        };
        let mut items = Vec::with_capacity(list.len());
        for (number, item) in list.into_iter().enumerate() {
            let at = format!("{at}/{number}");
            match item {
                Value::Object(members) => {
                    let before = self.found.len() + self.more;
                    self.object(&members, &at, form);
                    if self.found.len() + self.more == before {
                        items.push((at, members));
                    }
                }
                other => {
                    let message = format!("expected {}, found {}", form.what, found(&other));
                    self.add("wrong-type", &at, message, FORM);
                }
            }
        }
        items
    }

    /// Says everything that is wrong with an object.
    fn object(&mut self, members: &Map<String, Value>, at: &str, form: &'static Form) {
        let known: Vec<&str> = form.keys.iter().map(|(key, _)| *key).collect();
        self.keys(members, at, form.what, &known);
        for needed in form.needed.iter().filter(|needed| !members.contains_key(**needed)) {
            self.add("missing-key", at, format!("{} needs `{needed}`", form.what), FORM);
        }
        for (key, takes) in form.keys {
            let Some(value) = members.get(*key) else { continue };
            let at = format!("{at}/{key}");
            // A key that is null is one that is left out.
            if !takes.accepts(value) && (!value.is_null() || form.needed.contains(key)) {
                let message = format!("`{key}` of {} takes {}, not {}", form.what, takes.expected(), found(value));
                self.add("wrong-type", &at, message, takes.meant(value).unwrap_or_else(|| FORM.to_owned()));
            }
            match (takes, value) {
                (Takes::Object(form), Value::Object(members)) => self.object(members, &at, form),
                (Takes::List(form), Value::Array(list)) => {
                    for (number, item) in list.iter().enumerate() {
                        let at = format!("{at}/{number}");
                        match item {
                            Value::Object(members) => self.object(members, &at, form),
                            other => {
                                let message = format!("expected {}, found {}", form.what, found(other));
                                self.add("wrong-type", &at, message, FORM);
                            }
                        }
                    }
                }
                _ => {}
            }
        }
    }

    fn keys(&mut self, members: &Map<String, Value>, at: &str, what: &str, known: &[&str]) {
        // What JSON-LD says of an object is no mistake.
        let is_known = |key: &str| known.contains(&key) || matches!(key, "@type" | "@context");
        for key in members.keys().filter(|key| !is_known(key)) {
            let elsewhere = ELSEWHERE.iter().find(|(other, own)| other == key && known.contains(own));
            let help = match (elsewhere, suggest::nearest(key, known.iter().copied())) {
                (Some((_, own)), _) => format!("it is called `{own}` here"),
                (None, Some(near)) => format!("did you mean `{near}`?"),
                (None, None) => format!("keys here: {}", suggest::list(known.iter().copied())),
            };
            let at = format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"));
            self.add("unknown-key", &at, format!("unknown key `{key}` in {what}"), help);
        }
    }

    /// The value of a type, of an object that was found sound.
    fn typed<T: DeserializeOwned>(&mut self, members: Map<String, Value>, at: &str) -> Option<T> {
        match serde_json::from_value(without_nulls(Value::Object(members))) {
            Ok(typed) => Some(typed),
            Err(error) => {
                self.add("wrong-type", at, format!("this cannot be read: {error}"), FORM);
                None
            }
        }
    }
}

/// A key that is null is one that is left out.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let said = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(key, value)| (key, without_nulls(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(without_nulls).collect()),
        other => other,
    }
}

/// Drops a prefix: `datacenter:dc1` and `dc1` are one datacenter, in documents, too.
fn bare(name: &mut Option<String>, prefix: &str) {
    if let Some(rest) = name.as_deref().and_then(|name| name.strip_prefix(prefix)) {
        *name = Some(rest.to_owned());
    }
}

/// What documents and other tools call it, and what it is called here.
const ELSEWHERE: &[(&str, &str)] = &[
    ("locatedInDatacenter", "location"),
    ("datacenter", "location"),
    ("locatedInRack", "rack"),
    ("locatedInHost", "hostedOn"),
    ("image", "executableName"),
    ("cpus", "cpu"),
    ("ip", "ipAddress"),
    ("address", "ipAddress"),
];

/// What to write.
const FORM: &str = r#"write {"hosts": [{"@id": "vm1", "ipAddress": "10.0.0.1", "cpu": 4, "memory": 8589934592}]}"#;

/// A value in a message: what it says where that is short, otherwise what it is.
fn found(value: &Value) -> String {
    /// More letters than these are not repeated.
    const SHOWN: usize = 40;
    let kind = match value {
        Value::Null => "null",
        Value::Bool(true) => "true",
        Value::Bool(false) => "false",
        Value::Number(number) => return number.to_string(),
        Value::String(text) if text.chars().nth(SHOWN).is_none() => return value.to_string(),
        Value::String(_) => "a long string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    kind.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

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
            {"name": "vm2", "reserved": {"memroy": 1, "cpus": -0.5}, "cpu": -1, "ipAddress": "10.0.0.300"},
            {"@id": "vm3", "locatedInDatacenter": "dc1", "labels": {"disk": 1}, "memoryUsagePercent": -1,
             "lastSeen": "yesterday", "rack": null, "name": 7}, 7
        ], "containers": [{"@id": "1", "name": "db", "hostedOn": "vm1", "exitCode": 1.5,
            "ports": [{"containerport": 80}, {"containerPort": 0, "protocol": "TCP"}, 80], "settings": {"pids": "9"}}], "hsots": []}"#;
        let told = told(text);
        let expected = [
            "/hsots unknown key `hsots` in an inventory [unknown-key]; did you mean `hosts`?",
            "/hosts/0/ipAdress unknown key `ipAdress` in a host [unknown-key]; did you mean `ipAddress`?",
            "/hosts/0/cpu `cpu` of a host takes a number that is not negative, not \"four\" [wrong-type]; write {",
            "/hosts/0/memory `memory` of a host takes a whole number that is not negative, not -1 [wrong-type]; write {",
            "/hosts/0/status `status` of a host takes one of `active`, `maintenance`, `draining`, `offline`, not \"activ\" \
             [wrong-type]; did you mean `active`?",
            "/hosts/1 a host needs `@id` [missing-key]; write {",
            "/hosts/1/ipAddress `ipAddress` of a host takes an IP address as in \"10.0.0.1\", not \"10.0.0.300\"",
            "/hosts/1/cpu `cpu` of a host takes a number that is not negative, not -1 [wrong-type]",
            "/hosts/1/reserved/memroy unknown key `memroy` in what is reserved [unknown-key]; did you mean `memory`?",
            "/hosts/1/reserved/cpus `cpus` of what is reserved takes a number that is not negative, not -0.5",
            "/hosts/2/locatedInDatacenter unknown key `locatedInDatacenter` in a host [unknown-key]; it is called \
             `location` here",
            "/hosts/2/name `name` of a host takes a string, not 7",
            "/hosts/2/labels `labels` of a host takes an object of strings, not an object",
            "/hosts/2/memoryUsagePercent `memoryUsagePercent` of a host takes a number that is not negative, not -1",
            "/hosts/2/lastSeen `lastSeen` of a host takes a time as in \"2026-01-31T12:00:00Z\", not \"yesterday\"",
            "/hosts/3 expected a host, found 7 [wrong-type]; write {",
            "/containers/0/ports/0/containerport unknown key `containerport` in a port [unknown-key]; did you mean `containerPort`?",
            "/containers/0/ports/0 a port needs `containerPort` [missing-key]",
            "/containers/0/ports/1/containerPort `containerPort` of a port takes a port, 1 to 65535, not 0",
            "/containers/0/ports/1/protocol `protocol` of a port takes one of `tcp`, `udp`, `sctp`, not \"TCP\" [wrong-type]; did you mean `tcp`?",
            "/containers/0/ports/2 expected a port, found 80",
            "/containers/0/exitCode `exitCode` of a container takes a whole number, not 1.5",
            "/containers/0/settings/pids `pids` of settings takes a whole number, not \"9\"",
        ];
        for (told, expected) in told.iter().zip(expected) {
            assert!(told.starts_with(expected), "{expected}\n{told}");
        }
        assert_eq!(told.len(), expected.len(), "{told:#?}");
        assert!(read(br#"[{"@id":"a"},{"@id":"host:a"}]"#).unwrap_err()[0].message.contains("there twice"));
    }

    #[test]
    fn datacenters_and_racks_are_named_with_or_without_their_prefix() {
        let text = br#"[{"@id": "a", "location": "datacenter:dc1", "rack": "rack:r1", "cpu": null, "status": null},
            {"@id": "b", "location": "dc1", "rack": "r1", "reserved": {"cpus": null}}]"#;
        let hosts = read(text).unwrap().hosts;
        let places: Vec<_> = hosts.iter().map(|host| (host.location.as_deref(), host.rack.as_deref())).collect();
        assert_eq!(places, [(Some("dc1"), Some("r1")); 2]);
    }

    #[test]
    fn what_is_no_inventory_at_all_is_told() {
        assert_eq!(told("7")[0].split(" [").next(), Some(" expected an object or a list of hosts, found 7"));
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
