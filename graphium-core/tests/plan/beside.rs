//! Who runs on beside its successor, and who cannot.

use graphium_core::{
    action::Action,
    inventory::{ContainerStatus, Host, Inventory, ObservedContainer},
    plan::{Applied, Options, Plan, StackAction, fixtures::*, plan, plan_action, plan_removal},
    stack::{Condition, Container, Dependency, Mount, MountKind, RestartPolicy, Stack, Update, UpdateOrder, Volume},
};
use std::sync::Arc;

fn start_first(containers: Vec<Container>) -> Stack {
    let mut stack = stack("s", containers);
    stack.deployment.update = Update { order: UpdateOrder::StartFirst, ..Update::default() };
    stack.volumes = vec![Volume { name: "data".to_owned(), ..Volume::default() }];
    stack
}

/// What a revision with other images makes of one that runs, which is changed before.
fn updated(stack: &Stack, inventory: Inventory, change: impl FnOnce(&mut Inventory)) -> Plan {
    let first = plan(stack, None, &inventory, &Options::default()).unwrap();
    let mut running = carried_out(&first, inventory);
    change(&mut running);
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let mut next = stack.clone();
    for container in &mut next.containers {
        Arc::make_mut(container).image.push_str("-next");
    }
    plan(&next, Some(&applied), &running, &Options::default()).unwrap()
}

fn order(plan: &Plan, id: &str) -> UpdateOrder {
    match &plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no {id}: {plan:?}")).action {
        Action::Update { order, .. } => *order,
        other => panic!("{other:?}"),
    }
}

fn warned(plan: &Plan) -> Vec<&str> {
    plan.warnings.iter().filter(|found| found.code == "stops-first").map(|found| &*found.message).collect()
}

fn mount(source: &str, read_only: bool) -> Mount {
    let kind = MountKind::Volume { source: Some(source.to_owned()), no_copy: false, subpath: None };
    Mount { kind, target: "/data".to_owned(), read_only }
}

#[test]
fn what_stands_in_nobodys_way_runs_on_beside_its_successor_and_is_told_so() {
    let plan = updated(&start_first(vec![container("web")]), hosts(1), |_| {});
    assert_eq!(order(&plan, "update:web"), UpdateOrder::StartFirst);
    assert_eq!(warned(&plan), [""; 0]);
    let task = plan.tasks.iter().find(|task| task.id == "update:web").unwrap();
    assert_eq!(task.why, "changed: `image`; the new one starts first");
    assert!(matches!(task.undo, Some(Action::Update { order: UpdateOrder::StartFirst, .. })), "{:?}", task.undo);
    // Without the order nothing of it is written, and the hash is another.
    let stop_first = updated(&stack("s", vec![container("web")]), hosts(1), |_| {});
    let written = serde_json::to_string(&stop_first.tasks).unwrap();
    assert!(!written.contains("order"), "{written}");
    assert_ne!(plan.sealed().hash, stop_first.sealed().hash);
}

#[test]
fn what_only_one_may_have_keeps_two_from_running_and_is_named() {
    let job = || Container { restart_policy: RestartPolicy::OnFailure(None), ..container("web") };
    let waits = Dependency { container: "web".to_owned(), condition: Condition::Completed };
    let waiting = Container { depends_on: vec![waits], ..container("z") };
    let cases: [(Vec<Container>, &str); 5] = [
        (
            vec![Container { volume_mounts: vec![mount("data", false)], ..container("web") }],
            "both would have the volume `s_data`, and one of them writes",
        ),
        (
            vec![Container { network_mode: Some("host".to_owned()), ..container("web") }],
            "both would have the ports of one network (`networkMode` is `host`)",
        ),
        (vec![Container { gpus: Some(1), ..container("web") }], "both would have the same GPUs (`gpus`)"),
        (vec![job(), waiting], "others wait until it has ended, and two at once would do its work twice"),
        (vec![reserving("web", None, Some(9 << 30))], "its host has too little memory left for both"),
    ];
    for (containers, words) in cases {
        let running = |inventory: &mut Inventory| {
            inventory.containers.iter_mut().for_each(|seen| seen.status = ContainerStatus::Running);
        };
        let plan = updated(&start_first(containers), hosts(1), running);
        assert_eq!(order(&plan, "update:web"), UpdateOrder::StopFirst, "{words}");
        let expected = format!("against the order `start-first`, `web` stops before the new one starts: {words}");
        assert_eq!(warned(&plan), [expected], "{words}");
    }
    // Who only reads is in nobody's way, and what has ended has nothing any more.
    let reads = Container { volume_mounts: vec![mount("data", true)], ..container("web") };
    let plan = updated(&start_first(vec![reads]), hosts(1), |_| {});
    assert_eq!((order(&plan, "update:web"), warned(&plan).len()), (UpdateOrder::StartFirst, 0));
    let ended = |inventory: &mut Inventory| inventory.containers[0].status = ContainerStatus::Exited;
    let plan = updated(&start_first(vec![container("web")]), hosts(1), ended);
    assert_eq!((order(&plan, "update:web"), warned(&plan).len()), (UpdateOrder::StopFirst, 0));
}

#[test]
fn of_one_whose_definition_is_unknown_anything_may_be_mounted() {
    let unlabelled = |inventory: &mut Inventory| inventory.containers[0].labels.retain(|key, _| !key.contains("hash"));
    let reads = Container { volume_mounts: vec![mount("data", true)], ..container("web") };
    let plan = updated(&start_first(vec![reads]), hosts(1), unlabelled);
    assert_eq!(order(&plan, "update:web"), UpdateOrder::StopFirst);
    assert!(warned(&plan)[0].contains("what it was made from is not known"), "{:?}", warned(&plan));
    let plan = updated(&start_first(vec![container("web")]), hosts(1), unlabelled);
    assert_eq!(order(&plan, "update:web"), UpdateOrder::StartFirst, "which mounts nothing clashes with nothing");
}

#[test]
fn a_host_needs_room_for_one_wave_and_not_for_all() {
    // A host has 16 GiB: three of four and a wave of one are all that it has room for.
    let service = |each: u64, most| {
        let web = Container { replicas: Some(3), ..reserving("web", Some(1.0), Some(each << 30)) };
        let mut stack = start_first(vec![web]);
        stack.deployment.update.max_parallel = most;
        stack
    };
    let orders = |plan: &Plan| [1, 2, 3].map(|number| order(plan, &format!("update:web-{number}")));
    let plan = updated(&service(4, 1), hosts(1), |_| {});
    assert_eq!((orders(&plan), warned(&plan).len()), ([UpdateOrder::StartFirst; 3], 0));
    let plan = updated(&service(4, 2), hosts(1), |_| {});
    let (first, then) = (UpdateOrder::StartFirst, UpdateOrder::StopFirst);
    assert_eq!(orders(&plan), [first, then, then]);
    assert!(warned(&plan)[0].contains("`web-2`, `web-3` stops before"), "{:?}", warned(&plan));
    let plan = updated(&service(5, 1), hosts(1), |_| {});
    assert_eq!(orders(&plan), [then; 3]);
}

#[test]
fn a_host_has_room_for_both_or_for_the_new_one_alone() {
    // Eight processors and 16 GiB; what a host does not say of itself it has enough of.
    let cases: [(Option<f64>, Option<u64>, Setting, &str); 11] = [
        (Some(4.0), None, |_| {}, ""),
        (Some(4.5), None, |_| {}, "few processors left"),
        (Some(4.5), None, |host| host.cpu = 0.0, ""),
        (Some(2.0), None, |host| host.reserved.cpus = Some(4.0), ""),
        (Some(2.5), None, |host| host.reserved.cpus = Some(4.0), "few processors left"),
        (None, Some(8), |_| {}, ""),
        (None, Some(9), |_| {}, "little memory left"),
        (None, Some(9), |host| host.memory = 0, ""),
        (None, Some(4), |host| host.reserved.memory = Some(8 << 30), ""),
        (None, Some(5), |host| host.reserved.memory = Some(8 << 30), "little memory left"),
        // What is lost to the sums is no reason.
        (Some(0.1), None, |host| host.cpu = 0.2 - 1e-12, ""),
    ];
    for (cpus, memory, change, lacks) in cases {
        let mut inventory = hosts(1);
        change(&mut inventory.hosts[0]);
        let web = reserving("web", cpus, memory.map(|memory| memory << 30));
        let plan = updated(&start_first(vec![web]), inventory, |_| {});
        let told = warned(&plan);
        let is_as_told = if lacks.is_empty() { told.is_empty() } else { told.iter().any(|told| told.contains(lacks)) };
        assert!(is_as_told, "{cpus:?} {memory:?}: {told:?}");
        let expected = if lacks.is_empty() { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst };
        assert_eq!(order(&plan, "update:web"), expected, "{cpus:?} {memory:?}");
    }
}

/// What a host is.
type Setting = fn(&mut Host);

#[test]
fn what_several_lack_is_told_of_each() {
    let both = vec![reserving("api", None, Some(7 << 30)), reserving("web", None, Some(7 << 30))];
    let plan = updated(&start_first(both), hosts(1), |_| {});
    let told = warned(&plan);
    assert!(told.len() == 2 && told[0].contains("`api` stops") && told[1].contains("`web` stops"), "{told:?}");
}

#[test]
fn who_gives_its_data_to_another_stops_first_and_says_so() {
    let shop = |image: &str, of_a: &[Mount], of_b: &[Mount]| {
        let with = |name, mounts: &[Mount]| Container {
            image: image.to_owned(),
            volume_mounts: mounts.into(),
            ..container(name)
        };
        start_first(vec![with("a", of_a), with("b", of_b)])
    };
    let data = [mount("data", false)];
    let old = shop("web:1", &data, &[]);
    let first = plan(&old, None, &hosts(1), &Options::default()).unwrap();
    let applied = Applied { stack: old, placements: first.placements.clone() };
    let running = carried_out(&first, hosts(1));
    let next = plan(&shop("web:2", &[], &data), Some(&applied), &running, &Options::default()).unwrap();
    assert_eq!(order(&next, "update:a"), UpdateOrder::StopFirst);
    let told = warned(&next);
    let is_told =
        |words: &&str| words.contains("`a` stops") && words.contains("another container takes a port or data");
    assert!(told.iter().any(is_told), "{told:?}");
}

#[test]
fn a_replacement_that_was_broken_off_is_that_of_one_container_on_one_host() {
    let there = |name: &str, host: &str| Container { host: Some(host.into()), ..container(name) };
    let stack = start_first(vec![there("api", "vm1"), there("log", "vm2"), there("web", "vm1")]);
    let first = plan(&stack, None, &hosts(2), &Options::default()).unwrap();
    let mut inventory = carried_out(&first, hosts(2));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let web = inventory.containers.iter().find(|seen| seen.name == "s-web").unwrap();
    let next = ObservedContainer { name: "s-web.NEXT".to_owned(), id: "next".to_owned(), ..web.clone() };
    inventory.containers.push(next);
    let again = plan(&stack, Some(&applied), &inventory, &Options::default()).unwrap();
    assert_eq!(again.unchanged, ["api", "log"]);
    // And where a start makes anew what is gone, that is not: its replacement may have it.
    inventory.containers.retain(|seen| seen.hosted_on.as_str() == "vm2" || seen.name == "s-web.NEXT");
    let start = plan_action(StackAction::Start, &stack.id, "s", Some(&applied), &inventory, &Options::default()).tasks;
    let made: Vec<_> = start.iter().map(|task| task.id.as_str()).filter(|id| id.starts_with("deploy:")).collect();
    assert_eq!(made, ["deploy:api"]);
}

#[test]
fn what_is_seen_beside_a_container_belongs_to_its_replacement() {
    let stack = start_first(vec![container("web")]);
    let first = plan(&stack, None, &hosts(1), &Options::default()).unwrap();
    let running = carried_out(&first, hosts(1));
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    let tasks = |plan: &Plan| plan.tasks.iter().map(|task| format!("{} {}", task.id, task.action.subject())).collect();
    for beside in [&["s-web", "s-web.NEXT"][..], &["s-web.OLD", "s-web.NEXT"], &["s-web", "s-web.OLD"]] {
        let mut inventory = hosts(1);
        for name in beside {
            let mut seen = running.containers[0].clone();
            (seen.name, seen.id) = ((*name).to_owned(), (*name).to_owned());
            inventory.containers.push(seen);
        }
        let again = plan(&stack, Some(&applied), &inventory, &Options::default()).unwrap();
        let told: Vec<String> = tasks(&again);
        assert_eq!(told.iter().filter(|task| task.contains("web")).collect::<Vec<_>>(), ["update:web s-web"]);
        assert_eq!(order(&again, "update:web"), UpdateOrder::StartFirst);
        assert!(again.tasks.iter().any(|task| task.why.starts_with("its replacement was broken off")));
        for applied in [Some(&applied), None] {
            let removal = plan_removal(&stack.id, "s", applied, &inventory, &Options::default());
            let told: Vec<String> = tasks(&removal);
            assert_eq!(
                told.iter().filter(|task| task.starts_with("delete")).collect::<Vec<_>>(),
                ["delete:web@vm1 s-web"]
            );
        }
        let stop = plan_action(StackAction::Stop, &stack.id, "s", Some(&applied), &inventory, &Options::default());
        let told: Vec<String> = tasks(&stop);
        assert_eq!(told, ["stop:web@vm1 s-web"]);
    }
}
