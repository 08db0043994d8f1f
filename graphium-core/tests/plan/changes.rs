//! What a plan tells of containers that were there before.

use graphium_core::{
    action::Action,
    inventory::Inventory,
    plan::{Applied, ChangeKind, Options, Plan, PlannedTask, fixtures::*, plan},
    runtime::{LiveSettings, label},
    stack::*,
};

fn planned(stack: &Stack, count: u32) -> Plan {
    plan(stack, None, &hosts(count), &Options::default()).unwrap()
}

fn task<'p>(plan: &'p Plan, id: &str) -> &'p PlannedTask {
    plan.tasks.iter().find(|task| task.id == id).unwrap_or_else(|| panic!("no {id} in {:?}", plan.tasks))
}

fn pinned(name: &str, host: &str) -> Container {
    Container { host: Some(host.into()), ..container(name) }
}

fn mounted(mut container: Container, source: Option<&str>, target: &str) -> Container {
    let kind = MountKind::Volume { source: source.map(str::to_owned), no_copy: false, subpath: None };
    container.volume_mounts.push(Mount { kind, target: target.to_owned(), read_only: false });
    container
}

fn set(mut container: Container, name: &str, value: &str) -> Container {
    container.environment.push(EnvVar { name: name.to_owned(), value: EnvValue::Literal(value.to_owned()) });
    container
}

/// What a second revision of a stack on two hosts changes, the first being carried out.
fn changed(first: Vec<Container>, second: Vec<Container>) -> Plan {
    let (before, after) = (stack("s", first), stack("s", second));
    let plan_of_first = planned(&before, 2);
    let running = carried_out(&plan_of_first, hosts(2));
    let applied = Applied { stack: before, placements: plan_of_first.placements };
    plan(&after, Some(&applied), &running, &Options::default()).unwrap()
}

#[test]
fn what_changes_is_told_property_by_property_and_no_value_of_a_variable() {
    let old = set(pinned("web", "vm1"), "PASSWORD", "s3cret");
    let new = Container { image: "nginx:2".to_owned(), ..set(pinned("web", "vm1"), "PASSWORD", "other") };
    let plan = changed(vec![old, pinned("db", "vm2")], vec![new, pinned("db", "vm2")]);
    let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
    assert_eq!((change.container.as_str(), change.kind, &change.from), ("web", ChangeKind::Recreate, &None));
    let told: Vec<_> = change.properties.iter().map(|property| property.path.as_str()).collect();
    assert_eq!(told, ["environment.PASSWORD.value", "image"]);
    assert_eq!(change.properties[1].old, Some("nginx:alpine".into()));
    assert_eq!(change.properties[1].new, Some("nginx:2".into()));
    let text = serde_json::to_string(&plan.changes).unwrap();
    assert!(!text.contains("s3cret") && !text.contains("other"), "{text}");
    assert_eq!(task(&plan, "update:web").why, "changed: `environment.PASSWORD.value`, `image`");
    assert_eq!(plan.unchanged, ["db"]);
}

#[test]
fn what_is_for_people_or_for_the_next_pull_changes_and_asks_for_nothing() {
    for (new, path) in [
        (Container { description: Some("the page".to_owned()), ..pinned("web", "vm1") }, "description"),
        (Container { pull_policy: PullPolicy::Always, ..pinned("web", "vm1") }, "pullPolicy"),
    ] {
        let plan = changed(vec![pinned("web", "vm1")], vec![new]);
        assert!(plan.is_empty());
        let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
        assert_eq!((change.kind, change.properties[0].path.as_str()), (ChangeKind::Cosmetic, path));
    }
}

#[test]
fn what_a_container_asks_of_its_host_makes_it_no_other() {
    let requirements = Requirements { preferred_datacenter: Some("dc1".to_owned()), ..Requirements::default() };
    for new in [container("web"), Container { requirements, ..pinned("web", "vm1") }] {
        for (old, new) in [(pinned("web", "vm1"), new.clone()), (new, pinned("web", "vm1"))] {
            let plan = changed(vec![old], vec![new]);
            assert!(plan.is_empty(), "{:?}", plan.tasks);
            assert_eq!(plan.changes[0].kind, ChangeKind::Cosmetic);
        }
    }
}

#[test]
fn more_or_fewer_replicas_leave_the_others_as_they_are() {
    let web = |count| vec![Container { replicas: Some(count), ..container("web") }];
    let more = changed(web(2), web(3));
    let made = more.tasks.iter().filter(|task| matches!(task.action, Action::Deploy { .. } | Action::Update { .. }));
    assert_eq!(made.map(|task| task.id.as_str()).collect::<Vec<_>>(), ["deploy:web-3"]);
    assert_eq!(more.unchanged, ["web-1", "web-2"]);
    let fewer = changed(web(3), web(2));
    assert!(fewer.tasks.iter().all(|task| !matches!(task.action, Action::Deploy { .. } | Action::Update { .. })));
    assert_eq!(fewer.unchanged, ["web-1", "web-2"]);
}

#[test]
fn data_that_stays_behind_or_goes_is_named() {
    let db = |host| mounted(mounted(pinned("db", host), Some("data"), "/data"), None, "/cache");
    let plan = changed(vec![db("vm1"), Container { name: "old".to_owned(), ..db("vm1") }], vec![db("vm2")]);
    let [moved, removed] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
    assert_eq!((moved.kind, moved.from.as_ref().unwrap().as_str()), (ChangeKind::Move, "vm1"));
    let nameless = "the volume without a name at `/cache` goes with its container";
    let left = "the volume `s_data` stays on `vm1` with its data; on `vm2` it is another one";
    assert_eq!(moved.data_at_risk, [nameless, left]);
    assert_eq!((removed.container.as_str(), removed.kind), ("old", ChangeKind::Remove));
    let alone =
        "the volume `s_data` stays on `vm1` with its data, and no container of the stack mounts it there any more";
    assert_eq!(removed.data_at_risk, [nameless, alone]);

    let elsewhere = mounted(pinned("db", "vm1"), Some("other"), "/data");
    let plan = changed(vec![mounted(pinned("db", "vm1"), Some("data"), "/data")], vec![elsewhere]);
    assert_eq!(plan.changes[0].kind, ChangeKind::Recreate);
    assert_eq!(plan.changes[0].properties[0].path, "volumeMounts./data.source");
    let unmounted = "the volume `s_data` at `/data` is not mounted any more; it stays with its data";
    assert_eq!(plan.changes[0].data_at_risk, [unmounted]);
}

#[test]
fn of_what_was_made_from_an_unknown_definition_no_difference_is_told() {
    let before = stack("s", vec![pinned("web", "vm1")]);
    let first = planned(&before, 1);
    let mut running = carried_out(&first, hosts(1));
    running.containers[0].labels.insert(label::HASH.to_owned(), "of another time".to_owned());
    let applied = Applied { stack: before.clone(), placements: first.placements };
    let plan = plan(&before, Some(&applied), &running, &Options::default()).unwrap();
    assert_eq!(plan.changes[0].kind, ChangeKind::Recreate);
    assert!(plan.changes[0].properties.is_empty());
    assert_eq!(task(&plan, "update:web").why, "its definition changed");
}

fn limited(mut container: Container, mib: u64) -> Container {
    container.resources.limits.memory = Some(mib << 20);
    container
}

#[test]
fn a_change_of_settings_alone_is_made_in_place_and_stops_nothing() {
    let old = limited(Container { ports: vec![published(80, 8080)], ..pinned("web", "vm1") }, 256);
    let new = Container {
        restart_policy: RestartPolicy::Always,
        description: Some("the page".to_owned()),
        ..limited(old.clone(), 512)
    };
    let api = Container { depends_on: vec![on("web")], ..pinned("api", "vm1") };
    let next = Container { image: "nginx:2".to_owned(), ..api.clone() };
    let plan = changed(vec![old.clone(), api], vec![new.clone(), next]);
    let adjust = task(&plan, "adjust:web");
    let name = "s-web".to_owned();
    assert_eq!(adjust.action, Action::Adjust { name: name.clone(), settings: Box::new(LiveSettings::of(&new)) });
    assert_eq!(adjust.undo, Some(Action::Adjust { name, settings: Box::new(LiveSettings::of(&old)) }));
    assert_eq!(adjust.why, "live update: restart policy no → always, memory 256 MiB → 512 MiB");
    assert!(adjust.depends_on.is_empty());
    assert!(task(&plan, "update:api").depends_on.contains(&"adjust:web".into()));
    assert!(plan.tasks.iter().filter(|task| task.container.as_deref() == Some("web")).count() == 1);
    let change = plan.changes.iter().find(|change| change.container == "web").unwrap();
    assert_eq!(change.kind, ChangeKind::LiveUpdate);
    let told: Vec<_> = change.properties.iter().map(|property| property.path.as_str()).collect();
    assert_eq!(told, ["restartPolicy", "resources.limits.memory", "description"]);
    assert!(plan.unchanged.is_empty());
}

#[test]
fn a_limit_that_is_taken_away_makes_the_container_anew() {
    let plan = changed(vec![limited(pinned("web", "vm1"), 256)], vec![pinned("web", "vm1")]);
    let update = task(&plan, "update:web");
    assert_eq!(update.why, "no engine takes `resources.limits.memory` away in place");
    assert_eq!(plan.changes[0].kind, ChangeKind::Recreate);
    assert_eq!(plan.changes[0].properties[0].path, "resources.limits.memory");
}

#[test]
fn a_live_update_that_adds_a_limit_is_undone_by_the_container_that_was() {
    let (old, new) = (pinned("web", "vm1"), limited(pinned("web", "vm1"), 256));
    let plan = changed(vec![old], vec![new]);
    let Some(Action::Update { spec, .. }) = &task(&plan, "adjust:web").undo else { panic!("{plan:?}") };
    assert_eq!(spec.container.resources.limits.memory, None);
}

/// What is seen after the first revision, with other settings.
fn drifted(stack: &Stack, settings: Option<LiveSettings>) -> Inventory {
    let mut there = carried_out(&planned(stack, 1), hosts(1));
    there.containers[0].settings = settings;
    there
}

#[test]
fn what_another_has_changed_is_seen_without_a_revision_too() {
    let desired = stack("s", vec![limited(pinned("web", "vm1"), 256)]);
    let there = drifted(&desired, Some(LiveSettings::of(&limited(container("web"), 128))));
    let again = plan(&desired, None, &there, &Options::default()).unwrap();
    assert_eq!(task(&again, "adjust:web").why, "live update: memory 128 MiB → 256 MiB");
    assert_eq!(again.changes[0].kind, ChangeKind::LiveUpdate);
    assert!(plan(&desired, None, &carried_out(&again, there), &Options::default()).unwrap().is_empty());
}

#[test]
fn a_new_container_is_told_from_what_the_present_one_has_and_not_from_what_it_was_to_have() {
    let before = stack("s", vec![limited(pinned("web", "vm1"), 256)]);
    let there = drifted(&before, Some(LiveSettings::of(&limited(container("web"), 512))));
    let applied = Applied { stack: before.clone(), placements: planned(&before, 1).placements };
    let next = Container { image: "nginx:2".to_owned(), ..limited(pinned("web", "vm1"), 128) };
    let plan = plan(&stack("s", vec![next]), Some(&applied), &there, &Options::default()).unwrap();
    let told: Vec<_> = plan.changes[0].properties.iter().map(|told| (told.path.as_str(), told.values())).collect();
    let values = |old: &str, new: &str| [Some(old.to_owned()), Some(new.to_owned())];
    let expected =
        [("image", values("nginx:alpine", "nginx:2")), ("resources.limits.memory", values("512 MiB", "128 MiB"))];
    assert_eq!(told, expected);
}

#[test]
fn where_nobody_has_looked_the_revision_that_was_applied_tells() {
    let before = stack("s", vec![limited(pinned("web", "vm1"), 256)]);
    let after = stack("s", vec![limited(pinned("web", "vm1"), 512)]);
    let there = drifted(&before, None);
    // As agents wrote it that did not look yet, and as they read it that look already.
    let text = serde_json::to_string(&there).unwrap();
    assert!(!text.contains("settings"), "{text}");
    assert_eq!(serde_json::from_str::<Inventory>(&text).unwrap(), there);
    let applied = Applied { stack: before.clone(), placements: planned(&before, 1).placements };
    let changed = plan(&after, Some(&applied), &there, &Options::default()).unwrap();
    assert_eq!(task(&changed, "adjust:web").why, "live update: memory 256 MiB → 512 MiB");
    assert!(plan(&before, Some(&applied), &there, &Options::default()).unwrap().is_empty());
    assert!(plan(&after, None, &there, &Options::default()).unwrap().is_empty(), "nothing is known to differ");
    // Agents of an engine that does not hold containers to a limit leave that one out.
    let partly = LiveSettings { memory_swap: None, ..LiveSettings::of(&after.containers[0]) };
    assert!(plan(&after, None, &drifted(&before, Some(partly)), &Options::default()).unwrap().is_empty());
}

#[test]
fn the_hash_of_a_plan_counts_settings() {
    let of = |mib| planned(&stack("s", vec![limited(pinned("web", "vm1"), mib)]), 1).sealed().hash;
    assert_ne!(of(256), of(512));
}

#[test]
fn of_a_variable_that_appears_all_but_its_value_is_told() {
    let mut new = set(pinned("web", "vm1"), "PLAIN", "s3cret");
    let value = EnvValue::FromHost("address".to_owned());
    new.environment.push(EnvVar { name: "HOST".to_owned(), value });
    let plan = changed(vec![pinned("web", "vm1")], vec![new]);
    let [change] = plan.changes.as_slice() else { panic!("{:?}", plan.changes) };
    let told: Vec<_> = change.properties.iter().map(|property| (property.path.as_str(), &property.new)).collect();
    let shown = serde_json::json!({
        "PLAIN": {"name": "PLAIN", "value": "•••"},
        "HOST": {"name": "HOST", "fromHost": "address"},
    });
    assert_eq!(told, [("environment", &Some(shown))]);
    let old = set(pinned("web", "vm1"), "PLAIN", "s3cret");
    let mut new = old.clone();
    new.environment.push(EnvVar { name: "HOST".to_owned(), value: EnvValue::FromHost("address".to_owned()) });
    let plan = changed(vec![old], vec![new]);
    let property = &plan.changes[0].properties[0];
    assert_eq!(property.path, "environment.HOST");
    assert_eq!(property.new, Some(serde_json::json!({"name": "HOST", "fromHost": "address"})));
}

#[test]
fn no_value_of_a_header_is_told_whether_it_comes_changes_or_goes() {
    let asking = |headers: &[(&str, &str)]| {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let test = HealthTest::Http { path: "/".to_owned(), port: 80, headers };
        let check = HealthCheck { test, interval: None, timeout: None, retries: None, start_period: None };
        Container { health_check: Some(check), ..pinned("web", "vm1") }
    };
    let steps = [
        (pinned("web", "vm1"), asking(&[("X-Token", "s3cret")]), "healthCheck"),
        (asking(&[]), asking(&[("X-Token", "s3cret")]), "healthCheck.headers"),
        (asking(&[("X-Token", "s3cret")]), asking(&[]), "healthCheck.headers"),
        (asking(&[("X-Token", "s3cret")]), asking(&[("X-Token", "0ther")]), "healthCheck.headers.X-Token"),
    ];
    for (old, new, path) in steps {
        let plan = changed(vec![old], vec![new]);
        let [property] = plan.changes[0].properties.as_slice() else { panic!("{:?}", plan.changes) };
        assert_eq!(property.path, path);
        let told = serde_json::to_string(&plan.changes).unwrap();
        assert!(told.contains("•••") && !told.contains("s3cret") && !told.contains("0ther"), "{told}");
        assert!(told.contains("X-Token"), "names are told: {told}");
    }
}

#[test]
fn a_container_that_moves_is_taken_away_for_that() {
    let before = stack("s", vec![Container { host: Some("vm1".into()), ..container("a") }]);
    let first = planned(&before, 2);
    let applied = Applied { stack: before, placements: first.placements.clone() };
    let after = stack("s", vec![Container { host: Some("vm2".into()), ..container("a") }]);
    let plan = plan(&after, Some(&applied), &carried_out(&first, hosts(2)), &Options::default()).unwrap();
    let delete = plan.tasks.iter().find(|task| task.id == "delete:a@vm1").unwrap();
    assert_eq!(delete.why, "moves to `vm2`");
}

#[test]
fn a_network_goes_once_those_of_its_host_that_used_it_are_without_it() {
    let bound = |name: &str, host: &str, mode: Option<&str>| Container {
        host: Some(host.into()),
        network_mode: mode.map(str::to_owned),
        ..container(name)
    };
    let of = |mode: Option<&str>| stack("s", vec![bound("a", "vm1", mode), bound("b", "vm2", mode)]);
    let first = planned(&of(None), 2);
    let applied = Applied { stack: of(None), placements: first.placements.clone() };
    let plan = plan(&of(Some("host")), Some(&applied), &carried_out(&first, hosts(2)), &Options::default()).unwrap();
    let goes: Vec<_> = plan.tasks.iter().filter(|task| matches!(task.action, Action::RemoveNetwork { .. })).collect();
    let first: Vec<_> = goes.iter().map(|task| (task.host.as_str(), task.depends_on.as_slice())).collect();
    assert_eq!(first, [("vm1", &["update:a".into()][..]), ("vm2", &["update:b".into()])]);
}

#[test]
fn what_moves_leaves_its_data_also_where_nobody_knows_what_was_applied() {
    let on = |host: &str| stack("s", vec![mounted(pinned("db", host), Some("data"), "/data")]);
    let first = plan(&on("vm1"), None, &hosts(2), &Options::default()).unwrap();
    let there = carried_out(&first, hosts(2));
    let moved = plan(&on("vm2"), None, &there, &Options::default()).unwrap();
    assert_eq!(
        moved.changes[0].data_at_risk,
        ["the volume `s_data` stays on `vm1` with its data; on `vm2` it is another one"]
    );
    let warnings: Vec<&str> = moved.warnings.iter().map(|warning| warning.message.as_str()).collect();
    assert_eq!(warnings, ["what the volume `s_data` holds on `vm1` stays there"]);
    assert_eq!(moved.undo().end.split(';').next().unwrap(), "stack `s` is put back on vm2 as far as can be");
}
