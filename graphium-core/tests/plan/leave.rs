//! Hosts that are left: who goes, who stays, and why.

use graphium_core::{
    action::Action,
    inventory::{ContainerStatus, HostStatus},
    plan::{Applied, Options, Plan, PlannedTask, fixtures::*, plan},
    stack::{Container, Mode, Mount, MountKind, OnFailure, RestartPolicy, Stack, Strategy, Volume},
};
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// A stack that runs on so many hosts, and the plan that leaves the first of them.
fn left(stack: &Stack, count: u32, change: impl FnOnce(&mut graphium_core::inventory::Inventory)) -> (Plan, Plan) {
    let first = plan(stack, None, &hosts(count), &Options::default()).unwrap();
    let applied = Applied { stack: stack.clone(), placements: first.placements.clone() };
    let mut inventory = carried_out(&first, hosts(count));
    inventory.hosts[0].status = HostStatus::Draining;
    change(&mut inventory);
    let leave = [inventory.hosts[0].id.clone()].into();
    let options =
        Options { leave, keep: first.placements.clone(), on_failure: Some(OnFailure::Rollback), ..Options::default() };
    let second = plan(stack, Some(&applied), &inventory, &options).unwrap();
    (first, second)
}

fn with_volume(mut container: Container, read_only: bool) -> Container {
    let kind = MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None };
    container.volume_mounts.push(Mount { kind, target: "/data".to_owned(), read_only });
    container
}

fn with_folder(mut container: Container, read_only: bool) -> Container {
    let kind = MountKind::Bind { source: "/srv".to_owned(), propagation: None, create_host_path: false };
    container.volume_mounts.push(Mount { kind, target: "/srv".to_owned(), read_only });
    container
}

fn host_of<'p>(plan: &'p Plan, name: &str) -> &'p str {
    plan.placements[name].as_str()
}

#[test]
fn what_is_free_goes_when_its_successor_is_healthy_and_the_others_stay_as_they_are() {
    let stack = stack("s", vec![checked(container("a")), container("b")]);
    let (before, after) = left(&stack, 2, |_| {});
    let vm = host_of(&before, "a").to_owned();
    assert_ne!((host_of(&after, "a"), host_of(&after, "b")), (vm.as_str(), vm.as_str()));
    assert_eq!(host_of(&after, "b"), host_of(&before, "b"));
    assert_eq!((&after.unchanged, after.staying.len()), (&vec!["b".to_owned()], 0));
    let delete = after.tasks.iter().find(|task| matches!(task.action, Action::Delete { .. })).unwrap();
    assert_eq!(delete.host.as_str(), vm);
    assert!(delete.depends_on.iter().any(|id| id.as_str() == "check:a:healthy"), "{delete:?}");
    assert!(!after.tasks.iter().any(|task| matches!(task.action, Action::Stop { .. })));
}

#[test]
fn what_has_done_its_work_does_it_no_second_time_because_a_host_is_left() {
    let job = |name: &str, policy| Container { restart_policy: policy, ..container(name) };
    let mut web = container("web");
    web.depends_on = vec![serde_json::from_value(json!({"container": "migrate", "condition": "completed"})).unwrap()];
    let no = RestartPolicy::No;
    let mut jobs: Vec<Container> = ["migrate", "seed", "clean"].map(|name| job(name, no)).into();
    jobs.extend([job("report", RestartPolicy::OnFailure(None)), job("fails", no), web]);
    let (before, after) = left(&stack("s", jobs), 2, |inventory| {
        for seen in inventory.containers.iter_mut().filter(|seen| seen.name != "s-web") {
            seen.status = ContainerStatus::Exited;
            seen.exit_code = Some(i64::from(seen.name == "s-fails"));
        }
    });
    let done = ["migrate", "seed", "clean", "report"];
    assert_eq!(done.map(|name| host_of(&before, name)).into_iter().collect::<BTreeSet<_>>().len(), 2, "on both hosts");
    for name in done {
        assert_eq!(host_of(&after, name), host_of(&before, name));
        let is_begun = |task: &&PlannedTask| {
            task.container.as_deref() == Some(name) && !matches!(task.action, Action::Check { .. })
        };
        assert_eq!(after.tasks.iter().find(is_begun), None);
    }
}

#[test]
fn those_that_leave_together_stay_together_where_the_strategy_weighs_that() {
    let app = Container { depends_on: vec![on("db")], ..container("app") };
    let mut stack = stack("s", vec![app, container("db")]);
    stack.deployment.placement_strategy = Some(Strategy::Auto);
    let (before, after) = left(&stack, 4, |_| {});
    for (plan, host) in [(&before, "vm1"), (&after, "vm2")] {
        assert_eq!((host_of(plan, "app"), host_of(plan, "db")), (host, host));
    }
}

#[test]
fn who_leaves_a_host_does_not_leave_the_datacenter_that_the_strategy_names() {
    let mut inventory = hosts(3);
    for (host, datacenter) in inventory.hosts.iter_mut().zip(["east", "west", "east"]) {
        host.location = Some(datacenter.to_owned());
    }
    let mut stack = stack("s", vec![container("a")]);
    stack.deployment.placement_strategy = Some(Strategy::Datacenter);
    stack.deployment.target_datacenter = Some("east".to_owned());
    let first = plan(&stack, None, &inventory, &Options::default()).unwrap();
    assert_eq!(host_of(&first, "a"), "vm1");
    let applied = Applied { stack: stack.clone(), placements: first.placements.clone() };
    let mut inventory = carried_out(&first, inventory);
    inventory.hosts[0].status = HostStatus::Draining;
    let options = Options { leave: ["vm1".into()].into(), keep: first.placements, ..Options::default() };
    let after = plan(&stack, Some(&applied), &inventory, &options).unwrap();
    assert_eq!(host_of(&after, "a"), "vm3");
}

#[test]
fn what_is_tied_to_its_host_stays_and_says_what_ties_it() {
    let here = hosts(1).hosts[0].id.clone();
    let bound = Container { host: Some(here.clone()), ..container("bound") };
    let on = |container: Container| Container { host: None, ..container };
    let stack = Stack {
        volumes: vec![Volume { name: "data".to_owned(), ..Volume::default() }],
        ..stack("s", vec![bound, on(with_volume(container("db"), false)), on(with_folder(container("log"), false))])
    };
    // All are on the only host that there was.
    let first = plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    let applied = Applied { stack: stack.clone(), placements: first.placements.clone() };
    let mut inventory = carried_out(&first, hosts(1));
    inventory.hosts = hosts(2).hosts;
    inventory.hosts[0].status = HostStatus::Draining;
    let options = Options { leave: [here].into(), keep: first.placements.clone(), ..Options::default() };
    let plan = plan(&stack, Some(&applied), &inventory, &options).unwrap();
    assert!(plan.is_empty() && plan.placements == first.placements, "{plan:?}");
    let why: Vec<&str> = plan.staying.values().map(String::as_str).collect();
    assert!(why[0].starts_with("its document names the host `"), "{why:?}");
    assert_eq!(why[1..], ["its data is there: the volume `s_data`", "it may write there: the host folder `/srv`"]);
}

#[test]
fn data_that_lies_elsewhere_and_what_is_only_read_tie_nobody() {
    let remote = Volume { name: "data".to_owned(), driver: Some("nfs".to_owned()), ..Volume::default() };
    let stack =
        Stack { volumes: vec![remote], ..stack("s", vec![with_volume(with_folder(container("a"), true), false)]) };
    let (before, after) = left(&stack, 2, |_| {});
    assert_ne!(host_of(&before, "a"), host_of(&after, "a"));
}

#[test]
fn what_fits_nowhere_else_stays_and_says_why_host_by_host() {
    let stack = stack("s", vec![container("a"), container("b")]);
    let (before, after) = left(&stack, 2, |inventory| inventory.hosts[1].status = HostStatus::Maintenance);
    assert_eq!(before.placements, after.placements);
    assert!(after.is_empty(), "what is on a host in maintenance stays there, too: {:?}", after.tasks);
    let why = after.staying.values().next().unwrap();
    assert!(
        why.contains("fits on no host: ") && why.contains("is draining") && why.contains("is in maintenance"),
        "{why}"
    );
}

#[test]
fn a_stack_of_one_host_goes_as_a_whole_or_not_at_all() {
    let mut stack = stack("s", vec![container("a"), container("b")]);
    stack.deployment.mode = Mode::SingleHost;
    let (before, after) = left(&stack, 2, |_| {});
    assert!(after.placements.values().all(|host| *host != before.placements["a"]), "{:?}", after.placements);
    let mut tied = stack.clone();
    tied.containers[1] = with_volume(container("b"), false).into();
    let (before, after) = left(&tied, 2, |_| {});
    assert_eq!(before.placements, after.placements);
    assert_eq!(after.staying["a"], "all of its stack is on one host, and `b` stays there");
    let (before, after) = left(&stack, 2, |inventory| inventory.hosts[1].status = HostStatus::Offline);
    assert_eq!((&before.placements, after.staying.len()), (&after.placements, 2));
}

proptest! {
    #[test]
    fn whatever_hosts_are_left_all_have_a_place_and_only_those_on_them_get_another(
        ties in proptest::collection::vec(0_u8..4, 1..6),
        closed in proptest::collection::vec(any::<bool>(), 3),
        single in any::<bool>(),
        lost in any::<bool>(),
    ) {
        let containers = ties.iter().enumerate().map(|(number, tie)| {
            let container = container(&format!("c{number}"));
            match tie {
                0 => with_volume(container, false),
                1 => checked(container),
                _ => container,
            }
        });
        let mut stack = stack("s", containers.collect());
        if single {
            stack.deployment.mode = Mode::SingleHost;
        }
        let (before, after) = left(&stack, 4, |inventory| {
            if lost {
                inventory.hosts[0].status = HostStatus::Offline;
            }
            for (host, closed) in inventory.hosts[1..].iter_mut().zip(&closed) {
                host.status = if *closed { HostStatus::Offline } else { HostStatus::Active };
            }
        });
        let here = hosts(4).hosts[0].id.clone();
        let on_it: BTreeMap<_, _> = before.placements.iter().filter(|(_, host)| **host == here).collect();
        for (name, host) in &before.placements {
            let now = &after.placements[name];
            if *host != here {
                prop_assert_eq!(now, host);
            } else {
                prop_assert_eq!(*now == here, after.staying.contains_key(name));
            }
        }
        prop_assert!(after.staying.keys().all(|name| on_it.contains_key(name)));
        if closed.iter().any(|closed| !closed) && !single {
            let free = on_it.keys().filter(|name| !ties[name[1..].parse::<usize>().unwrap()].eq(&0));
            prop_assert_eq!(free.filter(|name| after.staying.contains_key(name.as_str())).count(), 0);
        }
        // What stays where it is has nothing done to it.
        for task in after.tasks.iter().filter(|task| !matches!(task.action, Action::Delete { .. })) {
            let name = task.container.as_deref();
            prop_assert!(name.is_none_or(|name| before.placements[name] != after.placements[name]), "{:?}", task);
        }
    }
}

/// The plan of a stack that was to leave the first host and has failed on these: it was placed on the last of them.
fn again(stack: &Stack, count: u32, failed: &[(&str, usize)]) -> Plan {
    let first = plan(stack, None, &hosts(1), &Options::default()).unwrap();
    let mut inventory = carried_out(&first, hosts(1));
    inventory.hosts = hosts(count).hosts;
    inventory.hosts[0].status = HostStatus::Draining;
    let host = |number: usize| inventory.hosts[number].id.clone();
    let mut keep = first.placements;
    let mut avoid: BTreeMap<String, BTreeSet<_>> = BTreeMap::new();
    for &(name, number) in failed {
        keep.insert(name.to_owned(), host(number));
        avoid.entry(name.to_owned()).or_default().insert(host(number));
    }
    let applied = Applied { stack: stack.clone(), placements: keep.clone() };
    let options = Options { leave: [host(0)].into(), keep, avoid, ..Options::default() };
    plan(stack, Some(&applied), &inventory, &options).unwrap()
}

#[test]
fn what_has_failed_on_a_host_goes_to_another_and_back_to_it_only_where_there_is_none() {
    for strategy in [None, Some(Strategy::Auto)] {
        let mut one = stack("s", vec![container("a")]);
        one.deployment.placement_strategy = strategy;
        let vm = hosts(4).hosts;
        let placed = |count, failed: &[(&str, usize)]| again(&one, count, failed).placements["a"].clone();
        assert_eq!(placed(2, &[("a", 1)]), vm[1].id, "there is no other");
        assert_eq!(placed(3, &[("a", 1)]), vm[2].id);
        assert_eq!(placed(3, &[("a", 1), ("a", 2)]), vm[2].id, "all have failed");
        assert_eq!(placed(4, &[("a", 1), ("a", 2)]), vm[3].id);
    }
    let two = stack("s", vec![container("a"), container("b")]);
    let after = again(&two, 2, &[("a", 1)]);
    assert_eq!(after.placements["b"], hosts(2).hosts[1].id, "where another has failed it has not");
    let why = &after.staying["a"];
    assert!(why.contains("has been tried, and it failed there"), "{why}");
}

/// Whoever has failed where it is may have to stay there, and others may come to that host, which is not left.
#[test]
fn whoever_stays_where_it_has_failed_keeps_its_ports_there() {
    for strategy in [None, Some(Strategy::Auto)] {
        let at = |name: &str| Container { ports: vec![published(80, 8081)], ..container(name) };
        let mut two = stack("s", vec![at("a"), at("b")]);
        two.deployment.placement_strategy = strategy;
        let first = plan(&two, None, &hosts(2), &Options::default()).unwrap();
        let there = first.placements.clone();
        let applied = Applied { stack: two.clone(), placements: there.clone() };
        let mut inventory = carried_out(&first, hosts(2));
        let leaves = inventory.hosts.iter_mut().find(|host| host.id == there["a"]).unwrap();
        leaves.status = HostStatus::Draining;
        let options = Options {
            leave: [there["a"].clone()].into(),
            keep: there.clone(),
            avoid: [("b".to_owned(), [there["b"].clone()].into())].into(),
            ..Options::default()
        };
        let after = plan(&two, Some(&applied), &inventory, &options).unwrap();
        assert_eq!(after.placements, there, "{strategy:?}");
        assert!(after.staying["a"].contains("8081"), "{:?}", after.staying);
        assert!(after.staying["b"].contains("failed there"), "{:?}", after.staying);
    }
}
