//! Plans that are saved: what they rest on, and that they are taken only as they were written.

use graphium_core::{
    diagnostic::Diagnostic,
    id::HostId,
    inventory::{ContainerStatus, Health, HostStatus, Inventory, ObservedContainer, ObservedPort},
    plan::{Applied, AppliedFact, Facts, Options, Plan, SavedOptions, SavedPlan, SavedPlanError, fixtures::*, plan},
    runtime::label,
    stack::*,
};
use proptest::{
    collection::vec,
    prelude::{any, prop, prop_assert_eq, proptest},
};
use serde_json::Value;
use std::collections::BTreeMap;

/// A database and a page that waits until it is healthy, on two hosts that are asked for things.
fn shop() -> Stack {
    let mut db = Container { host: Some("vm1".into()), image: "db:1".to_owned(), ..checked(container("db")) };
    db.resources.reservations = Reservations { cpus: Some(1.0), memory: Some(1 << 20) };
    let mut web = Container { host: Some("vm2".into()), ports: vec![published(80, 8080)], ..container("web") };
    web.requirements.labels.insert("disk".to_owned(), "ssd".to_owned());
    web.depends_on = vec![Dependency { container: "db".to_owned(), condition: Condition::Healthy }];
    web.environment = vec![EnvVar { name: "PASSWORD".to_owned(), value: EnvValue::Literal("hunter2".to_owned()) }];
    let constraint = serde_json::from_str(r#"{"containerName": "db", "requiredDatacenter": "dc1"}"#).unwrap();
    let mut shop = stack("shop", vec![db, web]);
    shop.deployment.host_constraints = vec![constraint];
    shop
}

/// Three hosts; the third is of no use to the shop.
fn estate() -> Inventory {
    let mut estate = hosts(3);
    for host in &mut estate.hosts {
        host.labels.insert("disk".to_owned(), "ssd".to_owned());
        host.location = Some("dc1".to_owned());
    }
    estate
}

fn planned(stack: &Stack, applied: Option<&Applied>, inventory: &Inventory) -> Plan {
    plan(stack, applied, inventory, &Options::default()).unwrap()
}

/// The shop as it runs, and a second revision of it that makes the page anew.
fn running() -> (Stack, Applied, Inventory) {
    let before = shop();
    let plan = planned(&before, None, &estate());
    let mut seen = carried_out(&plan, estate());
    seen.containers.iter_mut().find(|seen| seen.name == "shop-db").unwrap().health = Some(Health::Healthy);
    let mut after = before.clone();
    let web = Container { image: "nginx:2".to_owned(), ..(*after.containers[1]).clone() };
    after.containers[1] = web.into();
    (after, Applied { stack: before, placements: plan.placements }, seen)
}

fn applied_fact(revision: u64, applied: &Applied) -> Option<AppliedFact> {
    Some(AppliedFact { revision, placements: applied.placements.clone() })
}

/// What is told when the world of [`running`] is changed after the plan was made.
fn told(change: impl FnOnce(&mut Inventory)) -> Vec<String> {
    let (stack, applied, mut world) = running();
    let plan = planned(&stack, Some(&applied), &world);
    let then = Facts::of(&plan, &stack, &world, applied_fact(1, &applied));
    change(&mut world);
    world.hosts.reverse();
    world.containers.reverse();
    let now = Facts::of(&plan, &stack, &world, applied_fact(1, &applied));
    then.changes(&now, "shop").iter().map(ToString::to_string).collect()
}

fn seen<'i>(world: &'i mut Inventory, name: &str) -> &'i mut ObservedContainer {
    world.containers.iter_mut().find(|seen| seen.name == name).unwrap()
}

/// A container of nobody's.
fn stranger(name: &str, host: &str, port: Option<u16>) -> ObservedContainer {
    let mut seen = running().2.containers[0].clone();
    seen.name = name.to_owned();
    seen.hosted_on = host.into();
    seen.labels.clear();
    let held = |port| ObservedPort { container_port: 1, host_port: Some(port), protocol: Protocol::Tcp, host_ip: None };
    seen.ports = port.into_iter().map(held).collect();
    seen
}

#[test]
fn every_fact_that_differs_is_told_by_name_with_both_sides() {
    type Change = fn(&mut Inventory);
    let cases: [(Change, &str); 18] = [
        (|world| world.hosts[1].status = HostStatus::Offline, "host `vm2` was active and is offline now"),
        (|world| world.hosts[1].status = HostStatus::Draining, "host `vm2` was active and is draining now"),
        (|world| drop(world.hosts.remove(0)), "host `vm1` was active and is not known now"),
        (
            |world| world.hosts[0].ip_address = "10.9.9.9".parse().ok(),
            "host `vm1` had the address 10.0.0.1 and has the address 10.9.9.9 now",
        ),
        (|world| world.hosts[0].ip_address = None, "host `vm1` had the address 10.0.0.1 and has no known address now"),
        (
            |world| drop(world.hosts[1].labels.insert("disk".to_owned(), "hdd".to_owned())),
            "host `vm2` had the label `disk=ssd` and has the label `disk=hdd` now",
        ),
        (|world| world.hosts[1].labels.clear(), "host `vm2` had the label `disk=ssd` and has no label `disk` now"),
        (
            |world| world.hosts[0].location = Some("dc2".to_owned()),
            "host `vm1` was in the datacenter `dc1` and is in the datacenter `dc2` now",
        ),
        (|world| world.hosts[0].cpu = 2.0, "host `vm1` had 8 processors and has 2 processors now"),
        (
            |world| world.hosts[0].memory = 1 << 30,
            "host `vm1` had 17179869184 bytes of memory and has 1073741824 bytes of memory now",
        ),
        (
            |world| world.containers.retain(|seen| seen.name != "shop-web"),
            "container `shop-web` on `vm2` ran and is not there now",
        ),
        (
            |world| {
                let db = seen(world, "shop-db");
                (db.status, db.exit_code) = (ContainerStatus::Exited, Some(7));
            },
            "container `shop-db` on `vm1` ran and has ended with code 7 now",
        ),
        (
            |world| seen(world, "shop-web").status = ContainerStatus::Stopped,
            "container `shop-web` on `vm2` ran and is stopped now",
        ),
        (
            |world| drop(seen(world, "shop-web").labels.insert(label::HASH.to_owned(), "0123456789".to_owned())),
            "and is made from the definition `01234567` now",
        ),
        (
            |world| seen(world, "shop-db").health = Some(Health::Unhealthy),
            "container `shop-db` on `vm1` was healthy and is not healthy now",
        ),
        (
            |world| seen(world, "shop-web").settings.as_mut().unwrap().memory = Some(1 << 30),
            "container `shop-web` on `vm2` had no limit as `resources.limits.memory` and has 1 GiB now",
        ),
        (
            |world| {
                let copy = ObservedContainer { hosted_on: "vm3".into(), ..seen(world, "shop-web").clone() };
                world.containers.push(copy);
            },
            "container `shop-web` on `vm3` was not there and runs now",
        ),
        (
            |world| world.containers.push(stranger("squatter", "vm2", Some(8080))),
            "container `squatter` on `vm2` did not hold port 8080/tcp and holds it now",
        ),
    ];
    for (change, expected) in cases {
        let told = told(change);
        assert!(matches!(told.as_slice(), [one] if one.ends_with(expected)), "{expected}: {told:?}");
    }
}

#[test]
fn a_name_that_somebody_else_took_is_told() {
    let stack = shop();
    let plan = planned(&stack, None, &estate());
    let then = Facts::of(&plan, &stack, &estate(), None);
    let mut world = estate();
    world.containers.push(stranger("shop-web", "vm2", None));
    let now = Facts::of(&plan, &stack, &world, None);
    let told: Vec<String> = then.changes(&now, "shop").iter().map(ToString::to_string).collect();
    assert_eq!(told, ["container `shop-web` on `vm2` was not there and runs now"]);
}

#[test]
fn of_a_container_that_is_another_stacks_now_nothing_else_is_told() {
    let told = told(|world| {
        let db = seen(world, "shop-db");
        db.labels.insert(label::STACK.to_owned(), "stack:other".to_owned());
        (db.status, db.exit_code) = (ContainerStatus::Exited, Some(1));
    });
    assert_eq!(told, ["container `shop-db` on `vm1` was the stack's own and is not the stack's own now"]);
}

#[test]
fn where_hosts_are_counts_when_a_datacenter_is_asked_for() {
    let mut stack = stack("s", vec![container("a")]);
    stack.deployment.placement_strategy = Some(Strategy::Datacenter);
    stack.deployment.target_datacenter = Some("dc1".to_owned());
    let mut world = estate();
    let plan = planned(&stack, None, &world);
    let then = Facts::of(&plan, &stack, &world, None);
    let used = plan.placements["a"].clone();
    world.hosts.iter_mut().filter(|host| host.id == used).for_each(|host| host.location = None);
    let told: Vec<String> =
        then.changes(&Facts::of(&plan, &stack, &world, None), "s").iter().map(ToString::to_string).collect();
    assert_eq!(told, [format!("host `{used}` was in the datacenter `dc1` and is in no known datacenter now")]);
}

#[test]
fn the_revision_that_was_applied_and_its_places_count() {
    let (_, applied, _) = running();
    let facts = |applied| Facts { applied, ..Facts::default() };
    let told = |was: &Facts, is: &Facts| was.changes(is, "shop").iter().map(ToString::to_string).collect::<Vec<_>>();
    let (none, third, fourth) = (facts(None), facts(applied_fact(3, &applied)), facts(applied_fact(4, &applied)));
    assert_eq!(told(&third, &fourth), ["the stack `shop` was at revision 3 and is at revision 4 now"]);
    assert_eq!(told(&none, &third), ["the stack `shop` was not there and is at revision 3 now"]);
    assert_eq!(told(&third, &none), ["the stack `shop` was at revision 3 and is not there now"]);
    let mut elsewhere = applied;
    elsewhere.placements.insert("web".to_owned(), "vm3".into());
    assert_eq!(
        told(&third, &facts(applied_fact(3, &elsewhere))),
        ["container `web` of the stack `shop` was last placed on `vm2` and is last placed on `vm3` now"]
    );
}

#[test]
fn what_a_plan_does_not_rest_on_does_not_matter() {
    let nothing: [String; 0] = [];
    let told = told(|world| {
        world.containers.push(stranger("other", "vm3", Some(8080)));
        world.containers.push(stranger("neighbour", "vm2", Some(9090)));
        world.hosts[2].status = HostStatus::Offline;
        world.hosts[2].ip_address = None;
        for host in &mut world.hosts {
            (host.cpu_usage, host.memory_usage) = (Some(7.5), Some(1 << 33));
            host.labels.insert("rack".to_owned(), "7".to_owned());
            host.agent_version = Some("9".to_owned());
        }
        world.hosts[1].location = None; // Nobody asks where the page is.
        world.hosts[1].cpu = 1.0;
        seen(world, "shop-db").status = ContainerStatus::Paused;
        let web = seen(world, "shop-web");
        web.status = ContainerStatus::Restarting;
        web.health = Some(Health::Healthy);
        web.id = "another".to_owned();
        web.settings = None;
    });
    assert_eq!(told, nothing);
}

fn saved() -> SavedPlan {
    let (stack, applied, world) = running();
    let options = Options { explain: true, ..Options::default() };
    let plan = plan(&stack, Some(&applied), &world, &options).unwrap();
    let facts = Facts::of(&plan, &stack, &world, applied_fact(1, &applied));
    let options = SavedOptions::new(&options, Some(std::time::Duration::from_millis(1500)));
    let note = Diagnostic::error("volume-kept", "/name", "a volume stays").with_help("nothing");
    SavedPlan::new(stack, options, plan.sealed(), facts).with_notes(vec![note])
}

#[test]
fn a_saved_plan_reads_as_it_was_written_in_whatever_layout() {
    let saved = saved();
    let text = saved.to_text();
    assert_eq!(SavedPlan::read(text.as_bytes()).unwrap(), saved);
    let dense = serde_json::from_str::<Value>(&text).unwrap().to_string();
    assert_eq!(SavedPlan::read(dense.as_bytes()).unwrap(), saved);
    assert_eq!(saved.options.timeout, Some(2));
    assert!(text.contains("hunter2") && !format!("{saved:?}").contains("hunter2"));
}

#[test]
fn a_saved_plan_that_was_cut_off_is_refused_wherever_that_was() {
    let text = saved().to_text();
    let text = text.trim_end();
    for end in (0..text.len()).step_by(7).chain([text.len() - 1]) {
        let error = SavedPlan::read(&text.as_bytes()[..end]).unwrap_err();
        assert!(matches!(error, SavedPlanError::CutOff { .. }), "{end}: {error}");
    }
}

/// Changes every value in turn.
fn each_change(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(key, value)| each_change(value, &format!("{path}/{}", key.replace('/', "~1")), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, value)| each_change(value, &format!("{path}/{at}"), found));
        }
        Value::String(text) => found.push((path.to_owned(), format!("{text}x").into())),
        Value::Number(_) => found.push((path.to_owned(), 77.into())),
        Value::Bool(flag) => found.push((path.to_owned(), (!flag).into())),
        Value::Null => found.push((path.to_owned(), true.into())),
    }
}

#[test]
fn a_saved_plan_that_was_changed_anywhere_is_refused_without_quoting_it() {
    let value: Value = serde_json::from_str(&saved().to_text()).unwrap();
    let mut changes = Vec::new();
    each_change(&value, "", &mut changes);
    assert!(changes.len() > 50);
    for (path, other) in changes {
        let mut changed = value.clone();
        *changed.pointer_mut(&path).unwrap() = other;
        let error = SavedPlan::read(changed.to_string().as_bytes()).unwrap_err();
        assert!(!error.to_string().contains("hunter2"));
        match path.as_str() {
            "/kind" => assert_eq!(error, SavedPlanError::NotAPlan),
            "/format" => assert_eq!(error, SavedPlanError::Newer { found: 77 }),
            _ => assert_eq!(error, SavedPlanError::Changed, "{path}"),
        }
    }
    let mut more = value;
    more["plan"]["tasks"][0]["more"] = true.into();
    assert_eq!(SavedPlan::read(more.to_string().as_bytes()), Err(SavedPlanError::Changed));
}

#[test]
fn tasks_that_do_not_have_the_hash_of_their_plan_are_refused() {
    let SavedPlan { stack, options, mut plan, facts, .. } = saved();
    plan.plan.tasks.pop();
    let forged = SavedPlan::new(stack, options, plan, facts);
    assert_eq!(SavedPlan::read(forged.to_text().as_bytes()), Err(SavedPlanError::Changed));
}

#[test]
fn what_is_no_saved_plan_is_said_to_be_none() {
    let plan = serde_json::to_string(&saved().plan).unwrap();
    for text in ["{}", "[]", "7", "{]", "graphium", r#"{"kind":"graphium plan","format":0}"#, &plan] {
        assert_eq!(SavedPlan::read(text.as_bytes()), Err(SavedPlanError::NotAPlan), "{text}");
    }
}

#[test]
fn what_an_earlier_plan_placed_stays_there_only_where_it_may() {
    let stack = stack("s", vec![container("a"), container("b")]);
    let keep = |host: &str| Options {
        keep: [("a", host), ("b", host)].map(|(name, host)| (name.to_owned(), host.into())).into(),
        ..Options::default()
    };
    let placed = |options: &Options, inventory: &Inventory| plan(&stack, None, inventory, options).unwrap().placements;
    let both = |host: &str| BTreeMap::from(["a", "b"].map(|name| (name.to_owned(), HostId::new(host))));
    assert_eq!(placed(&keep("vm2"), &hosts(3)), both("vm2"));
    assert_eq!(placed(&keep("vm9"), &hosts(3)), placed(&Options::default(), &hosts(3)));
    let mut offline = hosts(2);
    offline.hosts[1].status = HostStatus::Offline;
    assert_eq!(placed(&keep("vm2"), &offline), both("vm1"));
}

proptest! {
    /// Whatever the strategy looks at in hosts and containers that a plan does not rest on, it is the same plan.
    #[test]
    fn from_the_same_facts_the_same_plan_is_made(
        count in 1..12_usize,
        strategy in prop::sample::select(vec![Strategy::Spread, Strategy::Auto]),
        together in any::<bool>(),
        strangers in vec((0..5_u32, 9000..9004_u16), 0..12),
        loads in vec(0.0..8.0_f64, 5),
        away in vec(any::<bool>(), 5),
    ) {
        let mut stack = layered(count);
        stack.deployment.placement_strategy = Some(strategy);
        stack.deployment.mode = if together { Mode::SingleHost } else { Mode::MultiHost };
        let world = hosts(5);
        let plan = planned(&stack, None, &world);
        let then = Facts::of(&plan, &stack, &world, None);
        let mut later = world;
        for (number, (host, port)) in strangers.into_iter().enumerate() {
            later.containers.push(stranger(&format!("other-{number}"), &format!("vm{}", host + 1), Some(port)));
        }
        for ((host, load), away) in later.hosts.iter_mut().zip(loads).zip(away) {
            host.cpu_usage = Some(load);
            if away && !plan.placements.values().any(|used| *used == host.id) {
                host.status = HostStatus::Offline;
            }
        }
        let now = Facts::of(&plan, &stack, &later, None);
        prop_assert_eq!(then.changes(&now, "layered"), vec![]);
        let keep = Options { keep: plan.placements.clone(), ..Options::default() };
        prop_assert_eq!(planned_with(&stack, &later, &keep).sealed().hash, plan.sealed().hash);
    }
}

fn planned_with(stack: &Stack, inventory: &Inventory, options: &Options) -> Plan {
    plan(stack, None, inventory, options).unwrap()
}
