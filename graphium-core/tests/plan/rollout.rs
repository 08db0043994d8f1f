//! Replicas are replaced in waves.

use graphium_core::{
    action::Action,
    plan::{Applied, Options, Plan, fixtures::*, plan},
    stack::{
        Condition, Container, Dependency, Mount, MountKind, OnFailure, Port, Stack, Strategy, Update, UpdateOrder,
    },
};
use std::collections::{BTreeMap, BTreeSet};

fn service(image: &str, replicas: u32, update: Update) -> Stack {
    let web = Container { image: image.to_owned(), replicas: Some(replicas), ..checked(container("web")) };
    let mut stack = stack("s", vec![web]);
    stack.deployment.update = update;
    stack
}

fn parallel(most: u32) -> Update {
    Update { max_parallel: most, ..Update::default() }
}

/// The plan from one stack that runs to another.
fn change(old: &Stack, new: &Stack, options: &Options) -> Plan {
    let first = plan(old, None, &hosts(2), options).unwrap();
    let applied = Applied { stack: old.clone(), placements: first.placements.clone() };
    plan(new, Some(&applied), &carried_out(&first, hosts(2)), options).unwrap()
}

/// What a task waits for of the containers' own tasks.
fn waits<'p>(plan: &'p Plan, id: &str) -> Vec<&'p str> {
    let task =
        plan.tasks.iter().find(|task| task.id.as_str() == id).unwrap_or_else(|| panic!("no {id} in {:?}", plan.tasks));
    let own = task.depends_on.iter().map(|id| id.as_str());
    own.filter(|id| !["pull", "network", "volume"].iter().any(|kind| id.starts_with(kind))).collect()
}

#[test]
fn a_wave_waits_until_the_one_before_is_healthy() {
    let (old, new) = (service("web:1", 5, parallel(2)), service("web:2", 5, parallel(2)));
    let plan = change(&old, &new, &Options::default());
    for first in ["update:web-1", "update:web-2"] {
        assert!(waits(&plan, first).is_empty());
    }
    for second in ["update:web-3", "update:web-4"] {
        assert_eq!(waits(&plan, second), ["check:web-1:healthy", "check:web-2:healthy"]);
    }
    assert_eq!(waits(&plan, "update:web-5"), ["check:web-3:healthy", "check:web-4:healthy"]);
    assert_eq!(waits(&plan, "check:web-5:healthy"), ["update:web-5"], "the last must work, too");
    let why = |id: &str| plan.tasks.iter().find(|task| task.id.as_str() == id).unwrap().why.to_string();
    assert_eq!(why("check:web-1:healthy"), "`web-3` waits until it is healthy");
    assert_eq!(why("check:web-5:healthy"), "the update has worked when it is healthy");
}

#[test]
fn one_wave_is_all_at_once_and_nothing_waits_for_its_health() {
    let (old, new) = (service("web:1", 2, parallel(2)), service("web:2", 2, parallel(2)));
    let plan = change(&old, &new, &Options::default());
    assert!(!plan.tasks.iter().any(|task| matches!(task.action, Action::Check { .. })), "{:?}", plan.tasks);
}

#[test]
fn without_a_word_one_is_replaced_after_the_other() {
    let (old, new) = (service("web:1", 3, Update::default()), service("web:2", 3, Update::default()));
    let plan = change(&old, &new, &Options::default());
    assert_eq!(waits(&plan, "update:web-3"), ["check:web-2:healthy"]);
    assert_eq!(waits(&plan, "update:web-2"), ["check:web-1:healthy"]);
}

#[test]
fn where_there_is_no_health_check_a_wave_waits_until_the_one_before_runs() {
    let unchecked = |image: &str| {
        let mut stack = service(image, 3, Update::default());
        let web = Container { health_check: None, ..Container::clone(&stack.containers[0]) };
        stack.containers = vec![web.into()];
        stack
    };
    let plan = change(&unchecked("web:1"), &unchecked("web:2"), &Options::default());
    assert_eq!(waits(&plan, "update:web-2"), ["update:web-1"]);
    assert!(plan.tasks.iter().all(|task| !matches!(task.action, Action::Check { .. })));
}

#[test]
fn what_should_be_there_takes_its_turn_seen_or_not_and_so_does_what_is_seen_of_an_unknown_revision() {
    let (old, new) = (service("web:1", 2, parallel(1)), service("web:2", 2, parallel(1)));
    let first = plan(&old, None, &hosts(2), &Options::default()).unwrap();
    let applied = Applied { stack: old, placements: first.placements.clone() };
    let seen = carried_out(&first, hosts(2));
    for (applied, inventory, kind) in [(Some(&applied), hosts(2), "deploy"), (None, seen, "update")] {
        let plan = plan(&new, applied, &inventory, &Options::default()).unwrap();
        assert_eq!(waits(&plan, &format!("{kind}:web-2")), ["check:web-1:healthy"]);
    }
}

#[test]
fn what_moves_goes_when_the_new_one_is_made_where_nothing_asks_for_its_health() {
    let on = |host: &str| {
        let web = Container { host: Some(host.into()), ..checked(container("web")) };
        let healthy = Dependency { container: "web".to_owned(), condition: Condition::Healthy };
        let app = Container { image: format!("app:{host}"), depends_on: vec![healthy], ..container("app") };
        stack("s", vec![app, web])
    };
    let plan = change(&on("vm1"), &on("vm2"), &Options::default());
    assert_eq!(waits(&plan, "check:web:healthy"), ["deploy:web"], "`app` waits for it");
    assert!(!waits(&plan, "delete:web@vm1").contains(&"check:web:healthy"));
}

#[test]
fn who_gives_up_a_port_stops_before_the_turn_of_the_replica_that_takes_it() {
    let shop = |image: &str, of_web: Vec<Port>, of_giver| {
        let web = Container { image: image.to_owned(), replicas: Some(2), ports: of_web, ..checked(container("web")) };
        let giver = Container { host: Some("vm2".into()), ports: vec![of_giver], ..container("giver") };
        let mut stack = stack("s", vec![giver, web]);
        stack.deployment.placement_strategy = Some(Strategy::Spread);
        stack
    };
    let old = shop("web:1", Vec::new(), published(80, 8080));
    let first = plan(&old, None, &hosts(2), &Options::default()).unwrap();
    let mut placements = first.placements;
    placements.insert("web-1".to_owned(), "vm1".into());
    placements.insert("web-2".to_owned(), "vm2".into());
    let options = Options { keep: placements, ..Options::default() };
    let plan = change(&old, &shop("web:2", vec![published(80, 8080)], published(80, 8081)), &options);
    assert_eq!(plan.placements["web-2"].as_str(), "vm2");
    let stop = on_its_host(&plan, "stop:giver");
    assert!(waits(&plan, stop).is_empty(), "{:?}", plan.tasks);
    assert_eq!(waits(&plan, "update:giver"), [stop]);
    assert!(waits(&plan, "update:web-2").contains(&stop));
}

#[test]
fn what_takes_nothing_away_does_not_wait() {
    let first = plan(&service("web:1", 4, parallel(1)), None, &hosts(2), &Options::default()).unwrap();
    assert!(first.tasks.iter().all(|task| !matches!(task.action, Action::Check { .. })));
    assert!((1..=4).all(|number| waits(&first, &format!("deploy:web-{number}")).is_empty()));
    let (old, new) = (service("web:1", 2, parallel(1)), service("web:1", 4, parallel(1)));
    let more = change(&old, &new, &Options::default());
    assert!((3..=4).all(|number| waits(&more, &format!("deploy:web-{number}")).is_empty()));
    // Together the present ones are no more than may go at a time.
    let (old, new) = (service("web:1", 3, parallel(3)), service("web:2", 3, parallel(3)));
    let all = change(&old, &new, &Options::default());
    assert!((1..=3).all(|number| waits(&all, &format!("update:web-{number}")).is_empty()));
}

#[test]
fn those_that_move_take_their_turn_and_the_old_ones_go_when_the_new_ones_are_healthy() {
    let on = |host: &str| {
        let mut stack = service("web:1", 2, parallel(1));
        let web = Container { host: Some(host.into()), ..Container::clone(&stack.containers[0]) };
        stack.containers = vec![web.into()];
        stack
    };
    let plan = change(&on("vm1"), &on("vm2"), &Options::default());
    assert_eq!(waits(&plan, "deploy:web-2"), ["check:web-1:healthy"]);
    for name in ["web-1", "web-2"] {
        assert!(waits(&plan, &format!("delete:{name}@vm1")).contains(&&*format!("check:{name}:healthy")));
    }
}

#[test]
fn what_is_to_go_back_when_it_fails_must_become_healthy() {
    let one = |image: &str, on_failure| {
        let db = Container { image: image.to_owned(), ..checked(container("db")) };
        let mut stack = stack("s", vec![db, container("web")]);
        stack.deployment.update.on_failure = on_failure;
        stack
    };
    let checks = |on_failure, asked| {
        let options = Options { on_failure: asked, ..Options::default() };
        let plan = change(&one("db:1", on_failure), &one("db:2", on_failure), &options);
        plan.tasks.iter().filter(|task| matches!(task.action, Action::Check { .. })).count()
    };
    let back = Some(OnFailure::Rollback);
    assert_eq!((checks(back, None), checks(None, back)), (1, 1));
    assert_eq!(
        (checks(None, None), checks(back, Some(OnFailure::Pause))),
        (0, 0),
        "the request goes before the document"
    );
}

/// A job that `web` waits for the end of; a failure is to go back.
fn with_a_job(image: &str) -> Stack {
    let job = Container { image: image.to_owned(), replicas: Some(2), ..checked(container("job")) };
    let after = Dependency { container: "job".to_owned(), condition: Condition::Completed };
    let mut stack =
        stack("s", vec![job, Container { image: image.to_owned(), depends_on: vec![after], ..container("web") }]);
    stack.deployment.update.on_failure = Some(OnFailure::Rollback);
    stack
}

#[test]
fn who_is_to_end_need_not_become_healthy() {
    let plan = change(&with_a_job("job:1"), &with_a_job("job:2"), &Options::default());
    let checks: Vec<_> = plan.tasks.iter().map(|task| task.id.as_str()).filter(|id| id.starts_with("check")).collect();
    assert_eq!(checks, ["check:job-1:completed", "check:job-2:completed"]);
    assert_eq!(waits(&plan, "update:job-2"), ["update:job-1"], "its turn comes when the first has started");
    assert_eq!(waits(&plan, "update:web"), checks);
}

/// Every task that one waits for, itself or through others.
fn all_before(plan: &Plan) -> BTreeMap<&str, BTreeSet<&str>> {
    let mut all: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for task in &plan.tasks {
        let mut before = BTreeSet::new();
        for first in &task.depends_on {
            before.insert(first.as_str());
            before.extend(&all[first.as_str()]);
        }
        all.insert(task.id.as_str(), before);
    }
    all
}

#[test]
fn nobody_of_a_wave_starts_before_all_of_the_one_before_are_healthy_however_large_waves_are() {
    for (replicas, most) in [(5, 2), (33, 16), (40, 17), (90, 40), (70, 69)] {
        let (old, new) = (service("web:1", replicas, parallel(most)), service("web:2", replicas, parallel(most)));
        let plan = change(&old, &new, &Options::default());
        let before = all_before(&plan);
        for number in 0..replicas {
            let wave = number / most * most;
            let awaited = &before[&*format!("update:web-{}", number + 1)];
            for other in 0..replicas {
                let is_awaited = awaited.contains(&*format!("check:web-{}:healthy", other + 1));
                assert_eq!(is_awaited, other < wave, "{number} and {other} of {replicas}, {most} at a time");
            }
        }
    }
}

#[test]
fn a_plan_grows_with_the_replicas_and_not_with_the_size_of_waves() {
    for most in [1, 10, 100, 250] {
        let (old, new) = (service("web:1", 500, parallel(most)), service("web:2", 500, parallel(most)));
        let plan = change(&old, &new, &Options::default());
        let edges: usize = plan.tasks.iter().map(|task| task.depends_on.len()).sum();
        assert!(edges < 500 * 20, "{edges} edges with {most} at a time");
    }
}

/// Replicas of one `@id` under a name.
fn called(name: &str, order: UpdateOrder) -> Stack {
    let web = Container { id: "container:x".to_owned(), replicas: Some(3), ..checked(container(name)) };
    let mut stack = stack("s", vec![web]);
    stack.deployment.update = Update { order, ..Update::default() };
    stack
}

/// The id of the task of this kind for a container, whatever its host.
fn on_its_host<'p>(plan: &'p Plan, start: &str) -> &'p str {
    plan.tasks.iter().map(|task| task.id.as_str()).find(|id| id.starts_with(start)).unwrap()
}

#[test]
fn replicas_under_a_new_name_take_their_turn_and_the_old_ones_stop_in_it() {
    let plan =
        change(&called("web", UpdateOrder::StopFirst), &called("www", UpdateOrder::StopFirst), &Options::default());
    assert!(waits(&plan, on_its_host(&plan, "stop:web-1@")).is_empty());
    for (number, earlier) in [(2, "check:www-1:healthy"), (3, "check:www-2:healthy")] {
        let stop = on_its_host(&plan, &format!("stop:web-{number}@")).to_owned();
        assert_eq!(waits(&plan, &stop), [earlier]);
        assert_eq!(waits(&plan, &format!("deploy:www-{number}")), [earlier, &stop]);
        let delete = on_its_host(&plan, &format!("delete:web-{number}@"));
        assert_eq!(waits(&plan, delete), [&stop, &*format!("check:www-{number}:healthy")]);
    }
    let plan =
        change(&called("web", UpdateOrder::StartFirst), &called("www", UpdateOrder::StartFirst), &Options::default());
    assert!(plan.tasks.iter().all(|task| !matches!(task.action, Action::Stop { .. })));
    assert_eq!(waits(&plan, "deploy:www-2"), ["check:www-1:healthy"]);
}

#[test]
fn who_stops_for_others_too_waits_for_no_turn_and_who_goes_on_in_its_place_neither() {
    let kind = MountKind::Volume { source: Some("data".to_owned()), no_copy: false, subpath: None };
    let data = Mount { kind, target: "/data".to_owned(), read_only: false };
    let at_home = |container: Container| Container { host: Some("vm1".into()), ..container };
    let replicas = |name: &str, volume_mounts, depends_on| {
        let id = "container:x".to_owned();
        at_home(Container { id, replicas: Some(2), volume_mounts, depends_on, ..checked(container(name)) })
    };
    let old = stack("s", vec![replicas("web", vec![data.clone()], Vec::new())]);
    // Both old ones have what `db` takes, and the new ones wait for `db`.
    let db = at_home(Container { volume_mounts: vec![data], ..container("db") });
    let new = stack("s", vec![db, replicas("www", Vec::new(), vec![on("db")])]);
    let plan = change(&old, &new, &Options::default());
    let stops = ["stop:web-1@vm1", "stop:web-2@vm1"];
    assert!(stops.iter().all(|stop| waits(&plan, stop).is_empty()), "{:?}", plan.tasks);
    assert_eq!(waits(&plan, "deploy:db"), stops);
    assert_eq!(waits(&plan, "deploy:www-2"), [stops[1], "deploy:db"]);
}
