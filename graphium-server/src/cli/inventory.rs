//! The file of hosts that `graphium plan --inventory` is given.

use super::exit::Failure;
use graphium_core::inventory::{Host, Inventory, ObservedContainer};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{collections::HashSet, fs, path::Path};

/// Reads `{"hosts": […], "containers": […]}`, a page of the server's (`{"items": […]}`), or a bare list of hosts.
pub(crate) fn load(path: &Path) -> Result<Inventory, Failure> {
    let name = path.display();
    let text = fs::read(path).map_err(|error| Failure::usage(format!("`{name}` cannot be read: {error}")))?;
    parse(&text).map_err(|reason| {
        Failure::usage(format!("`{name}` is no inventory: {reason}"))
            .hint(r#"write {"hosts":[{"@id":"vm1","ipAddress":"10.0.0.1"}]}, or save the answer of GET /api/v1/hosts"#)
    })
}

fn parse(text: &[u8]) -> Result<Inventory, String> {
    let value: Value = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    let (hosts, containers) = match value {
        Value::Array(hosts) => (Value::Array(hosts), None),
        Value::Object(mut members) => {
            let hosts = ["hosts", "items"].iter().find_map(|key| members.shift_remove(*key));
            (hosts.ok_or("it has no `hosts`")?, members.shift_remove("containers"))
        }
        _ => return Err("it is neither an object nor a list".to_owned()),
    };
    let mut hosts: Vec<Host> = items(hosts, "hosts")?;
    let mut seen = HashSet::new();
    for host in &mut hosts {
        if !seen.insert(host.id.clone()) {
            return Err(format!("host `{}` is there twice", host.id));
        }
        if host.name.is_empty() {
            host.name = host.id.as_str().to_owned();
        }
    }
    let containers: Vec<ObservedContainer> = containers.map_or(Ok(Vec::new()), |list| items(list, "containers"))?;
    Ok(Inventory { hosts, containers })
}

/// One at a time, so that a mistake can be told by its place.
fn items<T: DeserializeOwned>(list: Value, name: &str) -> Result<Vec<T>, String> {
    let Value::Array(list) = list else { return Err(format!("`{name}` is not a list")) };
    let read = |(index, item)| serde_json::from_value(item).map_err(|error| format!("{name}[{index}]: {error}"));
    list.into_iter().enumerate().map(read).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;

    #[test]
    fn an_inventory_has_three_forms() {
        for text in [
            r#"{"hosts":[{"@id":"host:vm1"},{"@id":"vm2","ipAddress":"10.0.0.2","cpu":4,"memory":1024}]}"#,
            r#"{"items":[{"@id":"vm1"},{"@id":"vm2","status":"offline"}],"next":null}"#,
            r#"[{"@id":"vm1"},{"@id":"vm2"}]"#,
        ] {
            let hosts = parse(text.as_bytes()).unwrap().hosts;
            assert_eq!(hosts.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["vm1", "vm2"], "{text}");
        }
    }

    #[test]
    fn containers_come_along() {
        let text = br#"{"hosts":[{"@id":"vm1"}],"containers":[{"@id":"1","name":"db","hostedOn":"host:vm1"}]}"#;
        assert_eq!(parse(text).unwrap().containers[0].hosted_on.as_str(), "vm1");
    }

    #[test]
    fn a_mistake_is_told_by_its_place() {
        for (text, expected) in [
            ("{}", "it has no `hosts`"),
            ("7", "it is neither an object nor a list"),
            (r#"{"hosts":{}}"#, "`hosts` is not a list"),
            (r#"[{"@id":"a"},{"@id":"host:a"}]"#, "host `a` is there twice"),
            (r#"[{"@id":"a"},{"name":"b"}]"#, "hosts[1]: missing field `@id`"),
        ] {
            assert_eq!(parse(text.as_bytes()).unwrap_err(), expected, "{text}");
        }
    }
}
