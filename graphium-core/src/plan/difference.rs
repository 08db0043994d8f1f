//! Two definitions of a container compared, property by property.

use crate::{
    runtime::ContainerSpec,
    stack::{Container, Stack},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Stands for a value that is not shown.
pub(crate) const HIDDEN: &str = "•••";

/// One property that differs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PropertyChange {
    /// Which, by its canonical names: `image`, `environment.DB_HOST`, `ports.80/tcp.hostPort`.
    pub path: String,
    /// As it was; absent: it was not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub old: Option<Value>,
    /// As it is to be; absent: it is not to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Value>,
}

/// What differs between two specifications; the values of variables, of headers and of drivers' options are hidden.
pub(super) fn between(old: &ContainerSpec, new: &ContainerSpec) -> Vec<PropertyChange> {
    let mut changes = between_definitions(&old.container, &new.container);
    let outside = |spec: &ContainerSpec| serde_json::json!({"network": spec.network, "stackLabels": *spec.labels});
    walk("", Some(&outside(old)), Some(&outside(new)), &mut changes);
    changes
}

/// What differs between two definitions of a container; the values of variables, of headers and of drivers' options are
/// hidden.
pub(super) fn between_definitions(old: &Container, new: &Container) -> Vec<PropertyChange> {
    let mut changes = Vec::new();
    // Text, finite numbers and maps with text keys: a definition always serialises.
    let value = |definition: &Container| keyed(serde_json::to_value(definition).unwrap_or_default());
    walk("", Some(&value(old)), Some(&value(new)), &mut changes);
    changes.iter_mut().for_each(hide);
    changes
}

/// What differs between two stacks beside their containers; the values of drivers' options are hidden.
pub(super) fn beside_containers(old: &Stack, new: &Stack) -> Vec<PropertyChange> {
    let value = |stack: &Stack| {
        let mut value = serde_json::to_value(Stack { containers: Vec::new(), ..stack.clone() }).unwrap_or_default();
        if let Some(list) = value.get_mut("volumes")
            && let Some(object) = by_name(list, |volume| text(volume, "name"))
        {
            *list = Value::Object(object);
        }
        value
    };
    let mut changes = Vec::new();
    walk("", Some(&value(old)), Some(&value(new)), &mut changes);
    for change in &mut changes {
        let is_option = change.path.split('.').any(|part| OPTIONS.contains(&part));
        for value in [&mut change.old, &mut change.new].into_iter().flatten() {
            if is_option { *value = HIDDEN.into() } else { hide_options(value) }
        }
    }
    changes
}

/// What a driver is told may be a password.
const OPTIONS: [&str; 2] = ["driverOpts", "options"];

fn hide_options(value: &mut Value) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                if OPTIONS.contains(&key.as_str()) { *value = HIDDEN.into() } else { hide_options(value) }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(hide_options),
        _ => {}
    }
}

/// Lists whose elements have something like a name become objects, so that an element is compared with its like.
fn keyed(mut definition: Value) -> Value {
    let Some(properties) = definition.as_object_mut() else { return definition };
    for (property, name) in [
        ("environment", (|element| text(element, "name")) as fn(&Value) -> Option<String>),
        ("ports", |element| Some(format!("{}/{}", element.get("containerPort")?, text(element, "protocol")?))),
        ("volumeMounts", |element| text(element, "target")),
        ("dependsOn", |element| text(element, "container")),
    ] {
        if let Some(list) = properties.get_mut(property)
            && let Some(object) = by_name(list, name)
        {
            *list = Value::Object(object);
        }
    }
    definition
}

/// The elements of a list by their names; nothing where one has no name, or two have the same.
fn by_name(list: &Value, name: fn(&Value) -> Option<String>) -> Option<Map<String, Value>> {
    let mut object = Map::new();
    for element in list.as_array()? {
        if object.insert(name(element)?, element.clone()).is_some() {
            return None;
        }
    }
    Some(object)
}

fn text(element: &Value, key: &str) -> Option<String> {
    element.get(key).and_then(Value::as_str).map(str::to_owned)
}

fn walk(path: &str, old: Option<&Value>, new: Option<&Value>, changes: &mut Vec<PropertyChange>) {
    let (old, new) = (old.filter(|value| !value.is_null()), new.filter(|value| !value.is_null()));
    if old == new {
        return;
    }
    let objects = (old.and_then(Value::as_object), new.and_then(Value::as_object));
    // An object that appears or goes is one property, but for the lists that were made objects here.
    if let (Some(was), Some(is)) = objects {
        let keys: BTreeSet<&String> = was.keys().chain(is.keys()).collect();
        for key in keys {
            let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            walk(&path, was.get(key), is.get(key), changes);
        }
        return;
    }
    changes.push(PropertyChange { path: path.to_owned(), old: old.cloned(), new: new.cloned() });
}

/// Hides what may be secret: that a value differs may be seen, not the value.
fn hide(change: &mut PropertyChange) {
    let path: Vec<&str> = change.path.splitn(3, '.').collect();
    for value in [&mut change.old, &mut change.new].into_iter().flatten() {
        match *path {
            ["environment"] => children(value).for_each(hide_variable),
            ["environment", _] => hide_variable(value),
            ["environment", ..] => *value = HIDDEN.into(),
            ["healthCheck"] => value.get_mut("headers").into_iter().flat_map(children).for_each(hide_all),
            ["logging"] => value.get_mut("options").into_iter().flat_map(children).for_each(hide_all),
            ["healthCheck", "headers"] | ["logging", "options"] => children(value).for_each(hide_all),
            ["healthCheck", "headers", ..] | ["logging", "options", ..] => hide_all(value),
            _ => {}
        }
    }
}

fn children(value: &mut Value) -> Box<dyn Iterator<Item = &mut Value> + '_> {
    match value {
        Value::Array(list) => Box::new(list.iter_mut()),
        Value::Object(object) => Box::new(object.values_mut()),
        _ => Box::new(std::iter::empty()),
    }
}

/// Hides the value of one variable; where it comes from may be seen.
fn hide_variable(variable: &mut Value) {
    variable.get_mut("value").into_iter().for_each(hide_all);
}

fn hide_all(value: &mut Value) {
    *value = HIDDEN.into();
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definition(value: Value) -> Container {
        serde_json::from_value(value).unwrap()
    }

    fn told(old: Value, new: Value) -> Vec<String> {
        let changes = between_definitions(&definition(old), &definition(new));
        let show = |value: Option<Value>| value.map_or("-".to_owned(), |value| value.to_string());
        changes
            .into_iter()
            .map(|change| format!("{}: {} > {}", change.path, show(change.old), show(change.new)))
            .collect()
    }

    #[test]
    fn what_is_alike_differs_in_nothing() {
        let web = json!({"name": "web", "image": "nginx", "ports": [{"containerPort": 80}], "labels": {"a": "b"}});
        assert_eq!(told(web.clone(), web), Vec::<String>::new());
    }

    #[test]
    fn elements_are_compared_with_their_like() {
        let old = json!({
            "image": "nginx:1", "labels": {"a": "1", "b": "1"},
            "ports": [{"containerPort": 80, "hostPort": 8080}, {"containerPort": 443}],
            "volumeMounts": [{"type": "volume", "source": "data", "target": "/data"}],
        });
        let new = json!({
            "image": "nginx:2", "labels": {"b": "2"}, "tty": true,
            "ports": [{"containerPort": 443}, {"containerPort": 80, "hostPort": 8081}],
            "volumeMounts": [{"type": "volume", "source": "files", "target": "/data"}],
        });
        assert_eq!(
            told(old, new),
            [
                r#"image: "nginx:1" > "nginx:2""#,
                r#"labels.a: "1" > -"#,
                r#"labels.b: "1" > "2""#,
                "ports.80/tcp.hostPort: 8080 > 8081",
                "tty: - > true",
                r#"volumeMounts./data.source: "data" > "files""#,
            ]
        );
    }

    #[test]
    fn no_value_of_a_variable_a_header_or_a_drivers_option_is_shown() {
        let old = json!({
            "environment": [{"name": "A", "value": "s3cret"}, {"name": "B", "value": "s3cret"}, {"name": "C", "value": "s3cret"}],
            "healthCheck": {"type": "http", "path": "/", "port": 80, "headers": {"Authorization": "s3cret"}},
        });
        let new = json!({
            "environment": [{"name": "A", "value": "s3cret2"}, {"name": "B", "fromSecret": "b"}, {"name": "D", "value": "s3cret"}],
        });
        let unchecked = json!({"healthCheck": {"type": "http", "path": "/", "port": 80}});
        let named = json!({"environment": [{"name": "name", "value": "s3cret"}, {"name": "value", "value": "s3cret"}]});
        let twice = json!({"environment": [{"name": "A", "value": "s3cret"}, {"name": "A", "value": "s3cret"}]});
        let dotted =
            json!({"environment": [{"name": "a.b", "value": "s3cret"}, {"name": "x.value", "value": "s3cret"}]});
        let logging = |options: Value| json!({"logging": {"driver": "splunk", "options": options}});
        let logged = logging(json!({"splunk-token": "s3cret", "a.b": "s3cret"}));
        let logged_else = logging(json!({"splunk-token": "s3cret2"}));
        let unlogged = logging(json!({}));
        let all = [json!({}), old, new, unchecked, named, twice, dotted, logged, logged_else, unlogged];
        for (one, other) in all.iter().flat_map(|one| all.iter().map(move |other| (one, other))) {
            let told = told(one.clone(), other.clone()).join("\n");
            assert!(one == other || !told.is_empty());
            assert!(!told.contains("s3cret"), "{told}");
        }
    }

    #[test]
    fn no_option_of_a_driver_is_shown_however_deep_it_lies() {
        let mut value = json!({
            "name": "data", "driverOpts": {"o": "s3cret"},
            "list": [{"options": {"password": "s3cret"}, "driver": "nfs"}, {"deep": {"options": "s3cret"}}]
        });
        hide_options(&mut value);
        let hidden = json!({
            "name": "data", "driverOpts": HIDDEN, "list": [{"options": HIDDEN, "driver": "nfs"}, {"deep": {"options": HIDDEN}}]
        });
        assert_eq!(value, hidden);
    }

    #[test]
    fn a_volume_that_comes_or_goes_shows_no_option() {
        let stack = |volumes: Value| -> Stack {
            serde_json::from_value(json!({"@id": "stack:s", "name": "s", "hasPart": [], "volumes": volumes})).unwrap()
        };
        let (none, one) =
            (stack(json!([])), stack(json!([{"name": "data", "driver": "nfs", "driverOpts": {"o": "s3cret"}}])));
        for (old, new) in [(&none, &one), (&one, &none)] {
            let told = serde_json::to_string(&beside_containers(old, new)).unwrap();
            assert!(told.contains("nfs") && told.contains(HIDDEN) && !told.contains("s3cret"), "{told}");
        }
    }
}
