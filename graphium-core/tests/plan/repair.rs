//! Bringing back what does not run, and telling what is not as it is wanted.

use graphium_core::{
    id::HostId,
    inventory::{ContainerStatus, Health, Inventory},
    plan::{Applied, LiveDifference, Options, Plan, fixtures, live_differences, plan, plan_repair},
    stack::{Condition, Dependency, OnFailure, PullPolicy, RestartPolicy, Stack},
};
use proptest::prelude::*;
use std::{collections::BTreeSet, sync::Arc};

/// A shop whose `web` waits for a healthy `db`, on one host, as it was deployed.
fn deployed() -> (Applied, Inventory) {
    let db = fixtures::checked(fixtures::container("db"));
    let mut web = fixtures::container("web");
    web.depends_on = vec![Dependency { container: "db".to_owned(), condition: Condition::Healthy }];
    web.ports = vec![fixtures::published(80, 8080)];
    let mut other = fixtures::container("other");
    for container in [&mut web, &mut other] {
        container.pull_policy = PullPolicy::Always;
        container.restart_policy = RestartPolicy::Always;
    }
    let mut stack = fixtures::stack("shop", vec![db, web, other]);
    stack.deployment.update.on_failure = Some(OnFailure::Rollback);
    applied(stack, 1)
}

fn applied(stack: Stack, hosts: u32) -> (Applied, Inventory) {
    let inventory = fixtures::hosts(hosts);
    let made = plan(&stack, None, &inventory, &Options::default()).unwrap();
    let seen = fixtures::carried_out(&made, inventory);
    (Applied { placements: made.placements, stack }, seen)
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.tasks.iter().map(|task| task.id.as_str()).collect()
}

#[test]
fn a_repair_makes_again_what_is_gone_and_waits_for_nothing_that_is_well() {
    let (applied, mut seen) = deployed();
    seen.containers.retain(|seen| seen.name != "shop-web");
    let plan = plan_repair(&applied, &names(&["web"]), &seen);
    assert_eq!(ids(&plan), ["pull:vm1:nginx:alpine", "network:vm1", "deploy:web"]);
    assert_eq!(plan.tasks[2].depends_on, ["pull:vm1:nginx:alpine", "network:vm1"]);
    let pull = serde_json::to_value(&plan.tasks[0]).unwrap();
    assert_eq!(pull["policy"], "if-not-present", "no new image comes with a repair: {pull}");
    assert_eq!((plan.placements.len(), plan.endpoints.len()), (3, 1), "it tells of the whole stack");
    assert_eq!(plan.unchanged, ["db", "other"]);
}

#[test]
fn a_repair_keeps_the_order_of_what_it_brings_back() {
    let (applied, mut seen) = deployed();
    for container in &mut seen.containers {
        (container.status, container.exit_code) = (ContainerStatus::Exited, Some(137));
    }
    let plan = plan_repair(&applied, &names(&["db", "web"]), &seen);
    assert_eq!(ids(&plan), ["pull:vm1:nginx:alpine", "network:vm1", "update:db", "check:db:healthy", "update:web"]);
    assert!(plan.tasks[4].depends_on.contains(&"check:db:healthy".into()), "{:?}", plan.tasks[4].depends_on);
    let update = serde_json::to_value(&plan.tasks[4]).unwrap();
    assert_eq!(update["refresh"], serde_json::Value::Null, "the image that it was made from does: {update}");
}

#[test]
fn nothing_but_what_is_broken_is_touched() {
    let (applied, mut seen) = deployed();
    let mut left = seen.containers[0].clone();
    left.name = "shop-old".to_owned();
    left.labels.insert("graphium.container".to_owned(), "old".to_owned());
    seen.containers.push(left);
    for container in &mut seen.containers {
        container.labels.insert("graphium.spec-hash".to_owned(), "0".repeat(64));
        container.status = ContainerStatus::Exited;
    }
    let plan = plan_repair(&applied, &names(&["other"]), &seen);
    assert_eq!(ids(&plan), ["pull:vm1:nginx:alpine", "network:vm1", "update:other"]);
    assert!(plan_repair(&applied, &BTreeSet::new(), &seen).is_empty());
}

fn told(applied: &Applied, seen: &Inventory) -> Vec<String> {
    let words = |difference: LiveDifference| {
        let LiveDifference { container, host_id, kind, properties, .. } = difference;
        let properties = properties.iter().map(|one| {
            let [old, new] = one.values();
            format!(" {} {}>{}", one.path, old.unwrap_or_default(), new.unwrap_or_default())
        });
        let properties: String = properties.collect();
        format!("{container}@{host_id} {kind:?}{properties}")
    };
    live_differences(applied, seen).into_iter().map(words).collect()
}

#[test]
fn every_difference_is_told_property_by_property() {
    let (applied, mut seen) = deployed();
    assert_eq!(told(&applied, &seen), Vec::<String>::new());
    let change =
        |seen: &mut Inventory, name: &str, change: &dyn Fn(&mut graphium_core::inventory::ObservedContainer)| {
            change(seen.containers.iter_mut().find(|container| container.name == name).unwrap());
        };
    change(&mut seen, "shop-web", &|web| {
        web.image = "nginx:1".to_owned();
        web.ports.clear();
        web.settings.as_mut().unwrap().restart_policy = Some(RestartPolicy::No);
    });
    change(&mut seen, "shop-db", &|db| db.health = Some(Health::Unhealthy));
    change(&mut seen, "shop-other", &|other| {
        (other.status, other.exit_code) = (ContainerStatus::Exited, Some(0));
        other.labels.shift_remove("graphium.spec-hash");
    });
    assert_eq!(
        told(&applied, &seen),
        [
            "db@vm1 Differs health healthy>unhealthy",
            "other@vm1 Differs status running>exited with code 0 definition >nobody knows",
            "web@vm1 Differs image nginx:alpine>nginx:1 ports.80/tcp.hostPort 8080> restartPolicy always>no",
        ]
    );
}

#[test]
fn what_is_missing_and_what_is_one_too_many_is_told_with_its_host() {
    let (applied, mut seen) = deployed();
    let mut elsewhere = seen.containers.iter().find(|container| container.name == "shop-web").unwrap().clone();
    elsewhere.hosted_on = HostId::new("vm2");
    let mut old = elsewhere.clone();
    old.name = "shop-old".to_owned();
    old.labels.insert("graphium.container".to_owned(), "old".to_owned());
    seen.containers.retain(|container| container.name != "shop-web");
    seen.containers.extend([elsewhere, old]);
    assert_eq!(told(&applied, &seen), ["old@vm2 NotWanted", "web@vm1 Missing", "web@vm2 Elsewhere"]);
}

#[test]
fn a_repair_has_no_waves_says_why_and_takes_no_one_back() {
    let mut web = fixtures::checked(fixtures::container("web"));
    web.replicas = Some(3);
    let mut stack = fixtures::stack("shop", vec![web]);
    stack.deployment.update.max_parallel = 1;
    stack.deployment.update.on_failure = Some(OnFailure::Rollback);
    let (applied, mut seen) = applied(stack, 1);
    seen.containers.clear();
    let repair = plan_repair(&applied, &names(&["web-1", "web-2", "web-3"]), &seen);
    let made = repair.tasks.iter().filter(|task| task.id.as_str().starts_with("deploy:"));
    let told: Vec<_> = made.map(|task| (task.id.as_str(), &*task.why)).collect();
    assert_eq!(told, ["deploy:web-1", "deploy:web-2", "deploy:web-3"].map(|id| (id, "is gone and should run")));
    assert!(!repair.tasks.iter().any(|task| task.id.as_str().starts_with("check:")), "{:?}", repair.tasks);
}

#[test]
fn what_is_as_it_is_wanted_is_no_difference_and_what_is_not_is_one() {
    let mut web = fixtures::container("web");
    web.ports = vec![fixtures::published(80, 8080), fixtures::published(90, 9090)];
    let (applied, seen) = applied(fixtures::stack("shop", vec![web]), 1);
    let with = |change: &dyn Fn(&mut graphium_core::inventory::ObservedContainer)| {
        let mut seen = seen.clone();
        change(&mut seen.containers[0]);
        told(&applied, &seen)
    };
    let nothing = Vec::<String>::new();
    assert_eq!(with(&|web| web.image = "sha256:4f5a".to_owned()), nothing, "an engine has another of that name by now");
    assert_eq!(with(&|web| web.health = Some(Health::Unhealthy)), nothing, "nobody has asked for a check");
    let over = |web: &mut graphium_core::inventory::ObservedContainer| {
        (web.status, web.exit_code) = (ContainerStatus::Exited, Some(0));
    };
    assert_eq!(with(&over), nothing, "its policy is to be left, and it has ended well");
    let other = |web: &mut graphium_core::inventory::ObservedContainer| {
        web.labels.insert("graphium.spec-hash".to_owned(), "another".to_owned());
    };
    assert_eq!(with(&other), ["web@vm1 Differs definition >another one"]);
    let elsewhere = |web: &mut graphium_core::inventory::ObservedContainer| web.ports[1].host_port = Some(8080);
    assert_eq!(with(&elsewhere), ["web@vm1 Differs ports.90/tcp.hostPort 9090>8080"]);
    let closed = |web: &mut graphium_core::inventory::ObservedContainer| web.ports[0].host_port = None;
    assert_eq!(with(&closed), ["web@vm1 Differs ports.80/tcp.hostPort 8080>"]);
    let (other, udp) = ("web@vm1 Differs ports.80/tcp.hostPort 8080>", graphium_core::stack::Protocol::Udp);
    assert_eq!(with(&|web| web.ports[0].protocol = udp), [other]);
    let paused = |web: &mut graphium_core::inventory::ObservedContainer| {
        web.status = ContainerStatus::Paused;
        web.ports.clear();
    };
    assert_eq!(with(&paused), ["web@vm1 Differs status running>paused"], "what does not run publishes nothing");
}

proptest! {
    /// Whatever is broken: carried out, a repair leaves nothing to do, and it touches nothing else.
    #[test]
    fn a_repair_brings_back_what_is_broken_and_nothing_else(broken in prop::collection::vec(0..3_u8, 12), hosts in 1..4_u32) {
        let mut stack = fixtures::layered(12);
        for container in &mut stack.containers {
            Arc::make_mut(container).restart_policy = RestartPolicy::Always;
        }
        let (applied, mut seen) = applied(stack, hosts);
        let mut wanted = BTreeSet::new();
        for (name, how) in applied.placements.keys().zip(broken) {
            let engine_name = applied.stack.engine_name(name);
            match how {
                0 => continue,
                1 => seen.containers.retain(|container| container.name != engine_name),
                _ => {
                    let found = seen.containers.iter_mut().find(|container| container.name == engine_name).unwrap();
                    (found.status, found.exit_code) = (ContainerStatus::Exited, Some(1));
                }
            }
            wanted.insert(name.clone());
        }
        let repair = plan_repair(&applied, &wanted, &seen);
        let touched: BTreeSet<String> = repair.tasks.iter().filter_map(|task| task.container.clone()).collect();
        prop_assert_eq!(&touched, &wanted);
        prop_assert_eq!(&repair.placements, &applied.placements);
        let after = fixtures::carried_out(&repair, seen);
        prop_assert!(plan(&applied.stack, Some(&applied), &after, &Options::default()).unwrap().is_empty());
        prop_assert_eq!(live_differences(&applied, &after), Vec::new());
    }
}
