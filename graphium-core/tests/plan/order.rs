//! What has no order in a document shows in no plan.

use crate::{
    permuted::permuted,
    planning::{some_estate, some_stack},
};
use graphium_core::{
    document::{ReadContext, locate, read},
    inventory::Inventory,
    plan::{Applied, Options, fixtures::*, plan, plan_removal},
    stack::{Container, EnvValue, EnvVar, Mount, MountKind, Stack},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use std::{fs, path::PathBuf};

fn bytes(desired: &Stack, applied: Option<&Applied>, inventory: &Inventory) -> String {
    let options = Options { explain: true, ..Options::default() };
    let planned = plan(desired, applied, inventory, &options).map(|plan| plan.sealed());
    let removed = applied.map(|applied| plan_removal(&desired.id, "s", Some(applied), inventory, &options).sealed());
    serde_json::to_string(&(planned, removed)).unwrap()
}

fn shuffled(stack: &Stack, seed: u64) -> Stack {
    serde_json::from_value(permuted(&serde_json::to_value(stack).unwrap(), seed)).unwrap()
}

/// Several of everything that has no order.
fn crowded(container: &mut Container, names: &[u8]) {
    for name in names {
        let text = || format!("X{name}");
        container.environment.retain(|variable| variable.name != text());
        container.environment.push(EnvVar { name: text(), value: EnvValue::Literal(text()) });
        container.labels.insert(text(), text());
        container.cap_add.push(text());
        container.aliases.push(text());
        container.ports.push(published(8_000 + u16::from(*name), 9_000 + u16::from(*name)));
        container.ports.dedup();
        let kind = MountKind::Volume { source: Some(text()), no_copy: false, subpath: None };
        container.volume_mounts.retain(|mount| mount.target != text());
        container.volume_mounts.push(Mount { kind, target: text(), read_only: false });
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn the_order_of_what_has_none_changes_no_byte_of_a_plan(
        mut desired in some_stack(false),
        (mut applied, inventory, _) in some_estate(),
        names in vec(vec(0..6_u8, 0..4), 6),
        seed in any::<u64>(),
    ) {
        for (container, names) in desired.containers.iter_mut().zip(&names) {
            crowded(std::sync::Arc::make_mut(container), names);
        }
        let desired = desired.canonical();
        let expected = bytes(&desired, applied.as_ref(), &inventory);
        let desired = shuffled(&desired, seed);
        if let Some(applied) = &mut applied {
            applied.stack = shuffled(&applied.stack, seed.rotate_left(7));
        }
        prop_assert_eq!(expected, bytes(&desired, applied.as_ref(), &inventory));
    }
}

#[test]
fn permuted_documents_are_the_same_plans() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../examples/stacks");
    for entry in fs::read_dir(folder).unwrap() {
        let text = fs::read_to_string(entry.unwrap().path()).unwrap();
        let mut document: Value = serde_json::from_str(&text).unwrap();
        if document.get("itemListElement").is_some() {
            // Its entries are numbered: their order is said, and is nothing that a plan goes by either.
            let entries = document["itemListElement"].as_array_mut().unwrap().iter_mut();
            entries.for_each(|entry| drop(entry.as_object_mut().unwrap().remove("position")));
        }
        let variables = |name: &str| (name == "JWT_SECRET").then(|| "a-secret".to_owned());
        let planned = |document: &Value| {
            let stack = read(document.to_string(), &ReadContext::new(&variables)).unwrap().stack;
            let mut hosts = hosts(3);
            for (host, name) in hosts.hosts.iter_mut().zip(["host1", "host2", "localhost-docker"]) {
                host.id = name.into();
            }
            bytes(&stack, None, &hosts)
        };
        let expected = planned(&document);
        (0..16).for_each(|seed| assert_eq!(planned(&permuted(&document, seed)), expected, "{text}"));
    }
}

/// Where everybody is of one kind, only the order of names is left to decide who goes where.
#[test]
fn instances_go_by_their_numbers_and_not_by_the_document() {
    let names = ["web-10", "web-2", "web-1", "api"];
    let stack = stack("s", names.into_iter().map(container).collect());
    let plan = plan(&stack, None, &hosts(4), &Options::default()).unwrap();
    let placed: Vec<_> =
        plan.tasks.iter().filter_map(|task| Some((task.container.as_deref()?, task.host.as_str()))).collect();
    assert_eq!(placed, [("api", "vm1"), ("web-1", "vm2"), ("web-2", "vm3"), ("web-10", "vm4")]);
}

#[test]
fn a_variable_that_the_document_sets_as_the_plan_would_is_no_change() {
    let web = Container { ports: vec![published(80, 8080)], ..container("web") };
    let told = |environment| stack("s", vec![Container { environment, ..container("api") }, web.clone()]);
    let first = plan(&told(Vec::new()), None, &hosts(1), &Options::default()).unwrap();
    let after = carried_out(&first, hosts(1));
    let applied = Applied { stack: told(Vec::new()), placements: first.placements };
    let variable = EnvVar { name: "WEB_URL".to_owned(), value: EnvValue::Literal("http://10.0.0.1:8080".to_owned()) };
    assert!(plan(&told(vec![variable]), Some(&applied), &after, &Options::default()).unwrap().is_empty());
}

#[test]
fn of_several_fixed_ports_the_others_are_told_the_lowest_inside() {
    let web = Container { ports: vec![published(9090, 9090), published(80, 8080)], ..container("web") };
    let plan = plan(&stack("s", vec![container("api"), web]), None, &hosts(1), &Options::default()).unwrap();
    let json = serde_json::to_string(&plan.tasks).unwrap();
    assert!(json.contains(r#"{"name":"WEB_PORT","value":"8080"}"#), "{json}");
}

#[test]
fn errors_are_told_in_the_order_of_the_text() {
    let container =
        |name: &str| json!({"@type": "datacenter:Container", "name": name, "image": "x", "locatedInHost": "gone"});
    let document = json!({"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack",
        "@id": "stack:s", "name": "s", "hasPart": [container("web"), container("api"), container("db")]});
    let text = serde_json::to_string_pretty(&document).unwrap();
    let stack = read(&text, &ReadContext::default()).unwrap().stack;
    let mut errors = plan(&stack, None, &hosts(1), &Options::default()).unwrap_err();
    locate(&text, &ReadContext::default(), &mut errors);
    let told: Vec<_> = errors.iter().map(|error| error.subject.as_ref().unwrap().container.clone().unwrap()).collect();
    assert_eq!(told, ["web", "api", "db"]);
}
