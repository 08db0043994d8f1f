//! One order for what has none.
//!
//! In JSON-LD an array is a set unless its context says otherwise, and an engine knows no order of variables, ports or
//! mounts either. So that none of it shows in a plan, a hash or a comparison, a stack has one canonical order: containers,
//! and what refers to them, by name; everything else by what tells one from the other. What an engine takes as a list
//! (`command`, `args`, `entrypoint`, the command of a health check, `dns`) stays as it is.

use super::{
    Container, Dependency, Deployment, Device, DocumentHost, EnvVar, HealthCheck, HealthTest, HostConstraint, Logging,
    Mount, Network, Port, Requirements, Stack, Ulimit, Volume,
};
use indexmap::IndexMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::{cmp::Ordering, sync::Arc};

impl Stack {
    /// The same stack in its canonical order.
    ///
    /// Whatever has no order is sorted, containers by name, with `web-2` before `web-10`. Two stacks that differ in nothing
    /// but such an order become the same, to the byte of their JSON. Of several things of one name the order stays.
    /// What [`read`](crate::document::read) returns, and what is deserialised, is canonical; one that is built by hand becomes so
    /// here.
    #[must_use]
    pub fn canonical(mut self) -> Self {
        self.arrange();
        self
    }
}

/// Written as it is: what was built by hand and is not canonical shows its order.
impl Serialize for Stack {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// Whatever order it was written in, it is read into the canonical one.
impl<'de> Deserialize<'de> for Stack {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer).map(Self::canonical)
    }
}

/// The order of names: numbers at their ends count as numbers, and what has none comes first.
fn by_name(one: &str, other: &str) -> Ordering {
    numbered(one).cmp(&numbered(other))
}

/// A name without the number behind its last `-`, and that number; one that begins with a zero is a part of the name.
fn numbered(name: &str) -> (&str, Option<u64>) {
    let number = name.rsplit_once('-').filter(|(_, digits)| !digits.starts_with(['0', '+']));
    match number.and_then(|(stem, digits)| Some((stem, digits.parse().ok()?))) {
        Some((stem, number)) => (stem, Some(number)),
        None => (name, None),
    }
}

/// Something with parts that have no order.
trait Arrange {
    /// Whether its parts are in their canonical order.
    fn is_arranged(&self) -> bool;
    /// Puts them in it.
    fn arrange(&mut self);
}

/// An element of a set.
trait Element: Arrange {
    fn compare(&self, other: &Self) -> Ordering;
}

impl<T: Element> Arrange for Vec<T> {
    fn is_arranged(&self) -> bool {
        self.iter().all(T::is_arranged) && self.is_sorted_by(|one, other| one.compare(other).is_le())
    }

    fn arrange(&mut self) {
        self.iter_mut().for_each(T::arrange);
        self.sort_by(T::compare);
    }
}

impl<V: Arrange> Arrange for IndexMap<String, V> {
    fn is_arranged(&self) -> bool {
        self.values().all(V::is_arranged) && self.keys().is_sorted()
    }

    fn arrange(&mut self) {
        self.values_mut().for_each(V::arrange);
        self.sort_keys();
    }
}

impl<T: Arrange> Arrange for Option<T> {
    fn is_arranged(&self) -> bool {
        self.as_ref().is_none_or(T::is_arranged)
    }

    fn arrange(&mut self) {
        self.iter_mut().for_each(T::arrange);
    }
}

/// Containers are shared; one that is arranged stays so.
impl Arrange for Arc<Container> {
    fn is_arranged(&self) -> bool {
        (**self).is_arranged()
    }

    fn arrange(&mut self) {
        if !self.is_arranged() {
            Self::make_mut(self).arrange();
        }
    }
}

/// Values of annotations are others' data: of an object no order counts, of an array it may.
impl Arrange for Value {
    fn is_arranged(&self) -> bool {
        match self {
            Self::Array(list) => list.iter().all(Self::is_arranged),
            Self::Object(object) => object.values().all(Self::is_arranged) && object.keys().is_sorted(),
            _ => true,
        }
    }

    fn arrange(&mut self) {
        self.sort_all_objects();
    }
}

impl Arrange for HealthTest {
    fn is_arranged(&self) -> bool {
        if let Self::Http { headers, .. } = self { headers.is_arranged() } else { true }
    }

    fn arrange(&mut self) {
        if let Self::Http { headers, .. } = self {
            headers.arrange();
        }
    }
}

/// Which fields have no order, or parts that have none.
macro_rules! arranged {
    ($($type:ty { $($field:ident)* })*) => {
        $(impl Arrange for $type {
            fn is_arranged(&self) -> bool {
                true $(&& self.$field.is_arranged())*
            }

            fn arrange(&mut self) {
                $(self.$field.arrange();)*
            }
        })*
    };
}

arranged! {
    Stack { labels network containers deployment depends_on volumes secrets hosts annotations }
    Network { labels options }
    Volume { driver_opts labels }
    Deployment { host_constraints }
    HostConstraint { labels }
    Container {
        ports environment volume_mounts health_check requirements depends_on aliases expose extra_hosts cap_add cap_drop
        security_opt ulimits devices sysctls logging group_add labels annotations
    }
    HealthCheck { test }
    Requirements { labels }
    Logging { options }
    String {}
    DocumentHost {}
    Dependency {}
    Port {}
    EnvVar {}
    Mount {}
    Ulimit {}
    Device {}
}

/// What tells the elements of a set from each other.
macro_rules! elements {
    ($($type:ty: |$one:ident, $other:ident| $order:expr;)*) => {
        $(impl Element for $type {
            fn compare(&self, $other: &Self) -> Ordering {
                let $one = self;
                $order
            }
        })*
    };
}

elements! {
    String: |one, other| one.cmp(other);
    Arc<Container>: |one, other| by_name(&one.name, &other.name);
    Dependency: |one, other| by_name(&one.container, &other.container).then(one.condition.cmp(&other.condition));
    HostConstraint: |one, other| by_name(&one.container_name, &other.container_name)
        .then_with(|| one.target_host.cmp(&other.target_host))
        .then_with(|| one.required_datacenter.cmp(&other.required_datacenter))
        .then_with(|| one.min_memory.cmp(&other.min_memory))
        .then_with(|| one.min_cpu.unwrap_or(-1.0).total_cmp(&other.min_cpu.unwrap_or(-1.0)))
        .then_with(|| one.labels.iter().cmp(&other.labels));
    DocumentHost: |one, other| one.id.cmp(&other.id);
    Volume: |one, other| one.name.cmp(&other.name);
    EnvVar: |one, other| one.name.cmp(&other.name);
    Mount: |one, other| one.target.cmp(&other.target);
    Ulimit: |one, other| one.name.cmp(&other.name);
    Device: |one, other| (&one.container_path, &one.host_path, &one.permissions)
        .cmp(&(&other.container_path, &other.host_path, &other.permissions));
    Port: |one, other| (one.container_port, one.protocol, one.host_port, one.host_ip)
        .cmp(&(other.container_port, other.protocol, other.host_port, other.host_ip));
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Stack {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn names_count_the_numbers_at_their_ends() {
        let mut names = ["web-10", "web-2a", "web-2", "web", "web-02", "api", "web-", "web-1-3", "web-+1", "web-1"];
        names.sort_by(|one, other| by_name(one, other));
        let sorted = ["api", "web", "web-1", "web-2", "web-10", "web-", "web-+1", "web-02", "web-1-3", "web-2a"];
        assert_eq!(names, sorted);
    }

    #[test]
    fn what_an_engine_takes_as_a_list_stays_one() {
        let lists = json!({"name": "web", "image": "x", "command": ["b", "a"], "args": ["d", "c"], "entrypoint": ["f", "e"],
            "dns": ["9.9.9.9", "1.1.1.1"], "healthCheck": {"type": "exec", "command": ["h", "g"]},
            "annotations": {"x:list": ["b", "a"]}});
        let stack = read(json!({"@id": "stack:s", "name": "s", "hasPart": [lists]}));
        let web = &stack.containers[0];
        assert_eq!(web.command.as_deref().unwrap(), ["b", "a"]);
        assert_eq!(
            (&web.args[..], web.entrypoint.as_deref().unwrap()),
            (&["d".into(), "c".into()][..], &["f".into(), "e".into()][..])
        );
        assert_eq!(web.dns, ["9.9.9.9", "1.1.1.1"]);
        let test = &web.health_check.as_ref().unwrap().test;
        assert_eq!(*test, HealthTest::Exec { command: vec!["h".to_owned(), "g".to_owned()] });
        assert_eq!(web.annotations["x:list"], json!(["b", "a"]));
    }

    #[test]
    fn what_has_no_order_is_sorted_down_to_the_last_map() {
        let container = |labels: &str| {
            let labels: Value = serde_json::from_str(labels).unwrap();
            json!({"name": "web", "image": "x", "labels": labels, "logging": {"options": labels}, "sysctls": labels,
                "extraHosts": labels, "requirements": {"labels": labels}, "annotations": {"x:deep": [{"in": labels}]},
                "healthCheck": {"type": "http", "path": "/", "port": 80, "headers": labels}})
        };
        let stack = |labels: &str| {
            let labels_of: Value = serde_json::from_str(labels).unwrap();
            read(json!({"@id": "stack:s", "name": "s", "labels": labels_of, "hasPart": [container(labels)],
                "network": {"labels": labels_of, "options": labels_of},
                "volumes": [{"name": "v", "driverOpts": labels_of, "labels": labels_of}],
                "deployment": {"hostConstraints": [{"containerName": "web", "labels": labels_of}]}}))
        };
        let text = |stack: Stack| serde_json::to_string(&stack).unwrap();
        let (sorted, other) = (stack(r#"{"a": "1", "b": "2"}"#), stack(r#"{"b": "2", "a": "1"}"#));
        assert_eq!(text(sorted), text(other));
    }
}
